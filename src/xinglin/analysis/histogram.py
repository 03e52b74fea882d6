"""A histogram over agreed bins: one round of exact counts, small bins hidden."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from xinglin.analysis.algorithm import Algorithm, Cell, Guard, Outcome, Part, Premises, Result, State
from xinglin.analysis.errors import BadParameters
from xinglin.analysis.packed import Told, check_cohort, told_table, whys
from xinglin.analysis.parameters import numbers, read_params
from xinglin.analysis.table import Column, Floats, Mask, Table
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Denied, Verdict
from xinglin.privacy.disclosure import check_total
from xinglin.privacy.packs.carried import least_shown
from xinglin.privacy.packs.model import Pack
from xinglin.privacy.packs.table import with_margins
from xinglin.privacy.suppression import suppress_list

BINS = Limit("bins a histogram", 256, "bins")


class HistogramParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``column``: a number. ``bins`` equal bins over its published range, or the ``edges`` themselves."""

    column: str
    bins: int = 20
    edges: tuple[float, ...] = ()


class Histogram(Algorithm):
    """Rows a bin; bins hold their lower edge, the last one both edges. Rows outside all edges are not used."""

    kind = "histogram"

    def __init__(self, premises: Premises) -> None:
        super().__init__(premises)
        self.params = read_params(self.spec, HistogramParams)
        column = numbers(self.domain, (self.params.column,))[0]
        self.edges = bin_edges(column, self.params.bins, self.params.edges)
        self._told: Told | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The one column."""
        return (self.params.column,)

    def used(self, table: Table) -> Mask:
        """Rows whose value lies within the edges."""
        values = table.columns[self.params.column]
        return super().used(table) & (values >= self.edges[0]) & (values <= self.edges[-1])

    def cell_names(self) -> tuple[str, ...]:
        """``all``, then each bin by its edges."""
        return ("all", *bin_names(self.edges))

    def cells(self, table: Table) -> list[Cell]:
        """The used rows, then those of each bin."""
        used, places = self.used(table), self._places(table)
        names = self.cell_names()
        return [Cell("all", used), *(Cell(name, used & (places == k)) for k, name in enumerate(names[1:]))]

    def release_rules(self, guard: Guard, hospitals: int) -> Verdict:
        """The whole must be large enough; small bins are hidden."""
        return check_total(self.rules, persons={"all": guard.cells[0]}, hospitals=hospitals)

    def released_cells(self, result: Result) -> tuple[str, ...]:
        """The bins that are shown, and ``all`` where the total is."""
        if self._told is not None:
            flags = (self._told.released[-1], *self._told.released[:-1])
            return tuple(name for name, flag in zip(self.cell_names(), flags, strict=True) if flag)
        shown = [result.payload["total"], *result.payload["counts"]]
        return tuple(name for name, count in zip(self.cell_names(), shown, strict=True) if count is not None)

    def payload_parts(self, state: State) -> tuple[Part, ...]:
        """Rows a bin."""
        return (Part("bins", len(self.edges) - 1, float(self.max_rows), integer=True),)

    def contribute(self, table: Table, state: State) -> dict[str, Floats]:
        """This hospital's rows a bin."""
        places = self._places(table)[self.used(table)]
        return {"bins": np.bincount(places, minlength=len(self.edges) - 1).astype(np.float64)}

    def advance(self, state: State, totals: Mapping[str, tuple[float, ...]]) -> State | Outcome:
        """The counts, hidden where few persons stand behind them or where they would give others away."""
        counts = [int(value) for value in totals["bins"]]
        persons = state.guard.cells
        if self.pack is not None:
            return self._under(self.pack, persons, counts)
        hidden, total_hidden = suppress_list(self.rules, counts, [*persons[1:], persons[0]])
        payload: dict[str, Any] = {
            "column": self.params.column,
            "edges": list(self.edges),
            "counts": [None if h else count for h, count in zip(hidden, counts, strict=True)],
            "total": None if total_hidden else sum(counts),
            "min_cell": self.rules.min_cell,
        }
        return Result("histogram", payload)

    def _under(self, pack: Pack, persons: Sequence[int], counts: list[int]) -> Outcome:
        """The bins under a pack."""
        fit = check_cohort(pack, persons[0], ())
        if isinstance(fit, Denied):
            return fit
        axes = {self.params.column: bin_names(self.edges)}
        told = told_table(pack, self.params.column, axes, with_margins(counts), [*persons[1:], persons[0]])
        self._told, self.notes = told, told.notes
        payload: dict[str, Any] = {
            "column": self.params.column,
            "edges": list(self.edges),
            "counts": told.cells[:-1],
            "total": told.cells[-1],
            "min_cell": least_shown(pack),
            **whys(told),
            "pack": pack.name,
        }
        return Result("histogram", payload)

    def packed(self, result: Result) -> Result:
        """As it is: the bins were rounded together."""
        return result

    def _places(self, table: Table) -> np.ndarray[Any, np.dtype[np.int64]]:
        inner = np.asarray(self.edges[1:-1])
        return np.searchsorted(inner, table.columns[self.params.column], side="right").astype(np.int64)


def bin_edges(column: Column, bins: int, edges: tuple[float, ...]) -> tuple[float, ...]:
    """The ``edges`` given, or those of equal ``bins`` over the published range; raises ``BadParameters``."""
    found = edges or _equal(*column.range(), bins)
    if len(found) < 2 or any(not a < b for a, b in itertools.pairwise(found)):
        raise BadParameters("The edges of a histogram rise, and there are at least two.")
    BINS.check(len(found) - 1)
    return found


def bin_names(edges: tuple[float, ...]) -> tuple[str, ...]:
    """Each bin by its edges: the lower one belongs to it, to the last one both."""
    last = len(edges) - 2
    pairs = enumerate(itertools.pairwise(edges))
    return tuple(f"[{low!r}, {high!r}{']' if k == last else ')'}" for k, (low, high) in pairs)


def _equal(low: float, high: float, bins: int) -> tuple[float, ...]:
    BINS.check(bins)
    if bins < 1 or not low < high:
        raise BadParameters("A histogram has at least one bin of some width.", remedy="State the edges.")
    return (*(low + (high - low) * k / bins for k in range(bins)), high)
