"""A two-way table of exact counts, with what χ² and Fisher's exact test need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from xinglin.analysis import arithmetic as exact
from xinglin.analysis.algorithm import Algorithm, Cell, Guard, Outcome, Part, Premises, Result, State
from xinglin.analysis.cells import Crossing, crossing_cells
from xinglin.analysis.design import levels_of
from xinglin.analysis.errors import BadParameters
from xinglin.analysis.missing import counts_payload, told_counts_payload
from xinglin.analysis.packed import Told, check_cohort, told_table, whys
from xinglin.analysis.parameters import read_params
from xinglin.analysis.table import Floats, Table, column_of
from xinglin.kernel.verdict import Denied, Verdict
from xinglin.privacy.disclosure import check_total
from xinglin.privacy.packs.carried import least_shown
from xinglin.privacy.packs.model import Pack
from xinglin.privacy.packs.table import with_margins
from xinglin.privacy.suppression import TableMask, suppress_table


class CrosstabParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``rows`` and ``columns``: two category-like columns (categories, booleans, short whole numbers)."""

    rows: str
    columns: str


class Crosstab(Algorithm):
    """Rows of data in each combination of two columns' levels, margins included, complete cases.

    Cells of too few persons are hidden, and as many others as keep them from being worked out. The test
    statistics are given only when nothing is hidden: they would give hidden cells away.
    """

    kind = "crosstab"

    def __init__(self, premises: Premises) -> None:
        super().__init__(premises)
        self.params = read_params(self.spec, CrosstabParams)
        names = (self.params.rows, self.params.columns)
        if names[0] == names[1]:
            raise BadParameters("A crosstab has two different columns.")
        self._crossing = Crossing.of(self.domain, names)
        self._margins = [Crossing.of(self.domain, (name,)) for name in names]
        self._levels = [levels_of(column_of(self.domain, name)) for name in names]
        self._told: Told | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The two columns."""
        return (self.params.rows, self.params.columns)

    def cell_names(self) -> tuple[str, ...]:
        """``all``, the row levels, the column levels, then the cells row by row."""
        return ("all", *self._margins[0].names, *self._margins[1].names, *self._crossing.names)

    def cells(self, table: Table) -> list[Cell]:
        """Complete cases, margins, cells."""
        used = self.used(table)
        crossings = (*self._margins, self._crossing)
        return [Cell("all", used), *(cell for c in crossings for cell in crossing_cells(table, c, used))]

    def release_rules(self, guard: Guard, hospitals: int) -> Verdict:
        """The whole must be large enough; small cells are hidden."""
        return check_total(self.rules, persons={"all": guard.cells[0]}, hospitals=hospitals)

    def payload_parts(self, state: State) -> tuple[Part, ...]:
        """Rows a cell."""
        return (Part("table", len(self._crossing.names), float(self.max_rows), integer=True),)

    def contribute(self, table: Table, state: State) -> dict[str, Floats]:
        """This hospital's rows a cell."""
        index = self._crossing.index(table)
        counted = np.bincount(index[index >= 0].astype(np.int64), minlength=len(self._crossing.names))
        return {"table": counted.astype(np.float64)}

    def released_cells(self, result: Result) -> tuple[str, ...]:
        """The complete cases, and the margins and cells that are not hidden."""
        if self._told is not None:
            return self._released(self._told)
        shown = result.payload
        rows = zip(self._margins[0].names, shown["row_totals"], strict=True)
        columns = zip(self._margins[1].names, shown["column_totals"], strict=True)
        inner = zip(self._crossing.names, (count for row in shown["counts"] for count in row), strict=True)
        whole = (("all", shown["total"]),)
        return tuple(name for name, count in (*whole, *rows, *columns, *inner) if count is not None)

    def _released(self, told: Told) -> tuple[str, ...]:
        """Entries that a pack tells of somebody: an empty one and a margin made of told entries say nothing more."""
        grid = told.released
        flags = (
            grid[-1][-1],
            *(row[-1] for row in grid[:-1]),
            *grid[-1][:-1],
            *(f for row in grid[:-1] for f in row[:-1]),
        )
        return tuple(name for name, flag in zip(self.cell_names(), flags, strict=True) if flag)

    def advance(self, state: State, totals: Mapping[str, tuple[float, ...]]) -> State | Outcome:
        """The table after suppression."""
        height, width = len(self._levels[0]), len(self._levels[1])
        flat = [int(value) for value in totals["table"]]
        counts = [flat[i * width : (i + 1) * width] for i in range(height)]
        if self.pack is not None:
            return self._under(self.pack, state.guard, counts)
        mask = suppress_table(self.rules, counts, persons_grid(state.guard.cells, height, width))
        payload = {
            "rows": self.params.rows,
            "columns": self.params.columns,
            "row_levels": list(self._levels[0]),
            "column_levels": list(self._levels[1]),
            **shown_table(counts, mask),
            "min_cell": self.rules.min_cell,
            "test": None if mask.hidden else chi_square(counts),
            **counts_payload(state.guard, self.rules),
        }
        if mask.total:
            payload |= {"rows_used": None, "persons_used": None}
        return Result("crosstab", payload)

    def _under(self, pack: Pack, guard: Guard, counts: list[list[int]]) -> Outcome:
        """The table under a pack: everything derived is derived of what is told."""
        fit = check_cohort(pack, guard.persons_used, [len(levels) for levels in self._levels])
        if isinstance(fit, Denied):
            return fit
        height, width = len(self._levels[0]), len(self._levels[1])
        persons = persons_grid(guard.cells, height, width)
        axes = dict(zip(self.columns, self._levels, strict=True))
        told = told_table(pack, " by ".join(self.columns), axes, with_margins(counts), persons)
        self._told, self.notes = told, told.notes
        inner = [row[:-1] for row in told.cells[:-1]]
        payload = {
            "rows": self.params.rows,
            "columns": self.params.columns,
            "row_levels": list(self._levels[0]),
            "column_levels": list(self._levels[1]),
            "counts": inner,
            "row_totals": [row[-1] for row in told.cells[:-1]],
            "column_totals": told.cells[-1][:-1],
            "total": told.cells[-1][-1],
            "min_cell": least_shown(pack),
            "test": chi_square(inner) if told.whole else None,
            **told_counts_payload(guard, self.rules, pack, told.cells[-1][-1], whole=told.whole),
            **whys(told),
            "pack": pack.name,
        }
        return Result("crosstab", payload)

    def packed(self, result: Result) -> Result:
        """As it is: the table was rounded as a whole."""
        return result


def persons_grid(cells: Sequence[int], height: int, width: int) -> list[list[int]]:
    """Persons of every entry with margins, from guard cells: all, row levels, column levels, cells."""
    whole, row_counts = cells[0], cells[1 : 1 + height]
    column_counts = cells[1 + height : 1 + height + width]
    inner = cells[1 + height + width :]
    grid = [[*inner[i * width : (i + 1) * width], row_counts[i]] for i in range(height)]
    return [*grid, [*column_counts, whole]]


def shown_table(counts: Sequence[Sequence[int]], mask: TableMask) -> dict[str, Any]:
    """Counts, margins and total, with ``None`` for what is hidden."""

    def shown(hidden: bool, value: int) -> int | None:
        return None if hidden else value

    row_totals = [sum(row) for row in counts]
    column_totals = [sum(column) for column in zip(*counts, strict=True)]
    return {
        "counts": [
            [shown(h, value) for h, value in zip(hides, row, strict=True)]
            for hides, row in zip(mask.cells, counts, strict=True)
        ],
        "row_totals": [shown(h, value) for h, value in zip(mask.rows, row_totals, strict=True)],
        "column_totals": [shown(h, value) for h, value in zip(mask.columns, column_totals, strict=True)],
        "total": shown(mask.total, sum(row_totals)),
    }


def chi_square(counts: Sequence[Sequence[int]]) -> dict[str, Any] | None:
    """Pearson's χ² and the log-likelihood ratio over the levels that occur; for 2 × 2 Yates and the odds ratio.

    ``None`` when fewer than two levels of either column occur. Source: Agresti, Categorical Data
    Analysis (2013), §3.2.
    """
    rows = [row for row in counts if sum(row)]
    kept = [[column[i] for column in zip(*rows, strict=True) if sum(column)] for i in range(len(rows))]
    if len(kept) < 2 or len(kept[0]) < 2:
        return None
    row_totals, column_totals = [sum(row) for row in kept], [sum(c) for c in zip(*kept, strict=True)]
    whole = sum(row_totals)
    expected = [[r * c / whole for c in column_totals] for r in row_totals]
    pairs = [(o, e) for row, es in zip(kept, expected, strict=True) for o, e in zip(row, es, strict=True)]
    answer: dict[str, Any] = {
        "chi2": exact.total([(o - e) * (o - e) / e for o, e in pairs]),
        "g2": 2.0 * exact.total([o * exact.log(o / e) for o, e in pairs if o]),
        "df": (len(kept) - 1) * (len(kept[0]) - 1),
        "least_expected": min(e for _, e in pairs),
    }
    if (len(kept), len(kept[0])) == (2, 2):
        corrected = [max(abs(o - e) - min(0.5, abs(o - e)), 0.0) for o, e in pairs]
        answer["chi2_yates"] = exact.total([d * d / e for d, (_, e) in zip(corrected, pairs, strict=True)])
        off = kept[0][1] * kept[1][0]
        answer["odds_ratio"] = kept[0][0] * kept[1][1] / off if off else None
    return answer
