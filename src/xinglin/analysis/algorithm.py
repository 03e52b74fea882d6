"""What every statistic is: ``local(table, state) -> vector``, vectors add, ``update(state, total)``.

The vector of the first round opens with the *guard block*: flags, rows and persons used and missing,
persons of every cell that the release is about, and one-sided difference counts against earlier
releases. Later rounds carry the flags alone. A hospital whose query failed, or that holds a value
outside a published range, contributes zeros and a flag: the pooled outcome says that something failed
at one or more hospitals, never at which.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, ClassVar

import msgspec
import numpy as np

from xinglin.analysis.errors import BadParameters, BadTable, BadVector, PackRefused
from xinglin.analysis.table import (
    Domain,
    Floats,
    Mask,
    Table,
    column_of,
    complete_cases,
    in_range,
    present,
)
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Denied, Verdict, every
from xinglin.privacy.differencing import SLOTS, DifferenceSlot
from xinglin.privacy.disclosure import check_dominance, check_total
from xinglin.privacy.packs.carried import effective_pack
from xinglin.privacy.packs.model import Pack
from xinglin.secure.encoding import Part
from xinglin.terms.pack_named import NamedPacks
from xinglin.terms.thresholds import DisclosureRules

MAX_ROWS = 2**24
"""Pooled rows of one run unless the plan says otherwise; the fixed-point scale follows from it."""

ROUNDS = Limit("rounds a run", 64, "rounds")
CELLS = Limit("cells a release", 4096, "cells")
VECTOR = Limit("numbers a round", 4_000_000, "numbers")
HOSPITALS = Limit("hospitals a run", 4096, "hospitals")

__all__ = [
    "Algorithm",
    "AlgorithmSpec",
    "Cell",
    "Guard",
    "NamedFailure",
    "Outcome",
    "Part",
    "Result",
    "Premises",
    "State",
    "build",
]

_HOMES = {
    "describe": "descriptive:Describe",
    "covariance": "descriptive:Covariance",
    "histogram": "histogram:Histogram",
    "quantiles": "quantile:Quantiles",
    "crosstab": "crosstab:Crosstab",
    "ttest": "compare:TTest",
    "anova": "compare:Anova",
    "glm": "glm:Glm",
    "table1": "table1:TableOne",
    "flow": "flow:Flow",
    "feasibility": "feasibility:Feasibility",
    "dp_count": "noisy_counts:DpCount",
    "dp_histogram": "noisy_counts:DpHistogram",
    "dp_crosstab": "noisy_counts:DpCrosstab",
    "dp_describe": "noisy_moments:DpDescribe",
    "dp_quantiles": "noisy_quantiles:DpQuantiles",
    "dp_linear": "noisy_linear:DpLinear",
}


class AlgorithmSpec(msgspec.Struct, frozen=True):
    """The algorithm of a signed plan: its name and its parameters (plain JSON values). Version 1."""

    name: str
    params: dict[str, Any] = {}
    version: int = 1


class Cell(msgspec.Struct, frozen=True, eq=False):
    """One group of persons that a release is about; ``mask`` has shape (n_rows,)."""

    name: str
    mask: Mask


class Guard(msgspec.Struct, frozen=True):
    """The pooled guard block: counts, no flags. ``persons_missing`` have no complete row."""

    rows_used: int = 0
    rows_missing: int = 0
    persons_used: int = 0
    persons_missing: int = 0
    rows_squared: int = 0
    cells: tuple[int, ...] = ()
    differences: tuple[int, ...] = ()


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What every node holds after a round; plain values, so that its canonical digest can be signed."""

    round: int = 0
    guard: Guard = Guard()


class Result(msgspec.Struct, frozen=True, tag="result"):
    """A statistic that passed the disclosure rules: plain JSON values."""

    kind: str
    payload: dict[str, Any]


class NamedFailure(msgspec.Struct, frozen=True, tag="failure"):
    """A statistic that does not exist for the pooled data. ``code`` is one of these.

    ``failed`` (a query ended with an error at one or more hospitals), ``out_of_range`` (a value outside
    its published range), ``no_rows`` (where rules publish zeros; else it reads as too few persons),
    ``separation``, ``collinear``, ``not_converged``, ``constant``.
    """

    code: str
    words: str
    remedy: str = ""


Outcome = Result | Denied | NamedFailure


class Premises(msgspec.Struct, frozen=True, eq=False):
    """What a statistic rests on: its plan, the published domain, the rules.

    ``max_rows``: pooled rows at most. ``differences``: the agreed places of difference counts. ``pack``: the strictest
    of the hospitals' disclosure packs and of the rules; ``None`` where no hospital named one.
    """

    spec: AlgorithmSpec
    domain: Domain
    rules: DisclosureRules
    max_rows: int
    differences: tuple[DifferenceSlot, ...]
    pack: Pack | None = None


class Algorithm(ABC):
    """One statistic on one published domain under one set of rules; build it with ``build``.

    Subclasses say which columns they read, which cells they release, what they add up in a round and
    what follows from the total. ``advance`` must give the same bits on every machine: it uses
    ``analysis.arithmetic`` and no numpy.
    """

    kind: ClassVar[str]
    about_rows: ClassVar[bool] = True
    """Whether the answer adds up rows, so that a person with most of them stands out; else persons are counted."""
    state_type: ClassVar[type[State]] = State

    def __init__(self, premises: Premises) -> None:
        self.spec, self.domain, self.rules = premises.spec, premises.domain, premises.rules
        self.max_rows, self.differences = premises.max_rows, premises.differences
        self.pack = premises.pack
        self.notes: dict[str, Any] = {}
        self._checked: tuple[Table, bool] | None = None

    # What a subclass says.

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """The columns it reads, each once; a row is used when all of them have a value."""

    @abstractmethod
    def payload_parts(self, state: State) -> tuple[Part, ...]:
        """The parts of this round's vector after the guard block."""

    @abstractmethod
    def contribute(self, table: Table, state: State) -> dict[str, Floats]:
        """The payload of one hospital by part name."""

    @abstractmethod
    def advance(self, state: State, totals: Mapping[str, tuple[float, ...]]) -> State | Outcome:
        """What follows from the pooled payload; ``state`` already counts this round."""

    def cell_names(self) -> tuple[str, ...]:
        """The names of the released cells, the same at every hospital; the first is ``all``."""
        return ("all",)

    def cells(self, table: Table) -> list[Cell]:
        """The released cells on this table, in the order of ``cell_names``."""
        return [Cell("all", self.used(table))]

    def release_rules(self, guard: Guard, hospitals: int) -> Verdict:
        """The rules on the pooled persons; the default asks them of every cell."""
        persons = dict(zip(self.cell_names(), guard.cells, strict=True))
        return check_total(self.rules, persons=persons, hospitals=hospitals)

    def used(self, table: Table) -> Mask:
        """The complete cases over ``columns``. Shape (n_rows,)."""
        return complete_cases(table, self.columns)

    # What every algorithm does the same way.

    def initial_state(self) -> State:
        """The state before the first round."""
        return self.state_type()

    def layout(self, state: State) -> tuple[Part, ...]:
        """The parts of this round's vector, in order; raises ``LimitExceeded`` when it is too long."""
        flags = Part("flags", 2, float(HOSPITALS.value), integer=True)
        guard: tuple[Part, ...] = ()
        if state.round == 0:
            names = self.cell_names()
            CELLS.check(len(names))
            guard = (
                Part("counts", 4, float(self.max_rows), integer=True),
                Part("rows_squared", 1, float(self.max_rows) ** 2, integer=True),
                Part("cells", len(names), float(self.max_rows), integer=True),
                Part("cell_rows", len(names), float(self.max_rows), integer=True),
                Part("cell_squares", len(names), float(self.max_rows) ** 2, integer=True),
                Part("differences", len(self.differences), float(self.max_rows), integer=True),
            )
        parts = (flags, *guard, *self.payload_parts(state))
        VECTOR.check(sum(part.length for part in parts))
        return parts

    def local(self, table: Table, state: State, differences: Sequence[int] = ()) -> Floats:
        """This hospital's vector: float64 of the layout's length, finite and within its bounds.

        ``differences``: this hospital's counts for the agreed places, first round only. A value
        outside a published range, or a sum beyond its bound, gives zeros and the overflow flag.
        """
        parts = self.layout(state)
        values: dict[str, Floats] = {}
        if state.round == 0:
            values |= self._guard_block(table, differences)
        healthy = self._within(table)
        if healthy:
            values |= self.contribute(table, state)
            healthy = _fits(parts, values)
        if not healthy:
            return _flagged(parts, overflow=True)
        values["flags"] = np.zeros(2)
        return np.concatenate([values[part.name] for part in parts])

    def failed(self, state: State) -> Floats:
        """The vector of a hospital whose query failed: zeros and the failed flag."""
        return _flagged(self.layout(state), overflow=False)

    def update(self, state: State, total: Sequence[float], hospitals: int) -> State | Outcome:
        """The next state, or how the run ends; the same bits on every node.

        ``total``: the opened sum, of the layout's length. ``hospitals``: contributors whose keys the
        agreements pin. Order: flags, disclosure rules (first round), then the algorithm.
        """
        totals = split(self.layout(state), total)
        failed, overflow = totals.pop("flags")
        if failed:
            return NamedFailure(
                "failed", "The query failed at one or more hospitals.", "Ask for a preview, or simplify the query."
            )
        if overflow:
            return NamedFailure(
                "out_of_range",
                "A value lies outside its published range at one or more hospitals.",
                "Bound the column in the query with LEAST and GREATEST.",
            )
        if state.round == 0:
            guard = _guard_of(totals, self.rules)
            if not guard.rows_used and self.rules.publish_zeros:
                return NamedFailure("no_rows", "No hospital has a complete row.", "Widen the cohort.")
            verdict = self._first_rules(guard, hospitals)
            if isinstance(verdict, Denied):
                return verdict
            state = msgspec.structs.replace(state, guard=guard)
        if state.round + 1 >= ROUNDS.value:
            return NamedFailure("not_converged", f"No result after {ROUNDS.value} rounds.", "Use fewer terms.")
        outcome = self.advance(msgspec.structs.replace(state, round=state.round + 1), totals)
        return self.packed(outcome) if self.pack is not None and isinstance(outcome, Result) else outcome

    def packed(self, result: Result) -> Result:
        """What a pack rounds of a result's counts and figures, after ``advance`` hid what it hides."""
        from xinglin.analysis.packed import blunted

        return result if self.pack is None else Result(result.kind, blunted(self.pack, result.payload))

    def pooled_guard(self, state: State, total: Sequence[float]) -> Guard:
        """The guard block of the first round's total, for whoever protects the result."""
        totals = split(self.layout(state), total)
        totals.pop("flags")
        return _guard_of(totals, self.rules)

    def released_cells(self, result: Result) -> tuple[str, ...]:
        """Names of the cells that ``result`` shows; those it hides are not compared with earlier releases."""
        return self.cell_names()

    def encode_state(self, state: State) -> bytes:
        """The state as JSON bytes that ``decode_state`` reads back to the same bits."""
        return msgspec.json.encode(state)

    def decode_state(self, data: bytes) -> State:
        """The state of these bytes; raises ``msgspec.DecodeError`` on anything else."""
        return msgspec.json.decode(data, type=self.state_type)

    def _first_rules(self, guard: Guard, hospitals: int) -> Verdict:
        if guard.cells[0] < self.rules.min_cell:
            # One reason and no other: which further rules a tiny cohort breaks would tell how tiny it is.
            return check_total(self.rules, persons={"all": guard.cells[0]}, hospitals=hospitals)
        verdicts = [self.release_rules(guard, hospitals)]
        verdicts.append(check_dominance(self.rules, rows=guard.rows_used, rows_squared=guard.rows_squared))
        return every(verdicts)

    def _within(self, table: Table) -> bool:
        if self._checked is None or self._checked[0] is not table:
            self._checked = (table, table.n_rows <= self.max_rows and self._ranges_hold(table))
        return self._checked[1]

    def _ranges_hold(self, table: Table) -> bool:
        used = self.used(table)
        columns = [column_of(self.domain, name) for name in self.columns]
        return all(in_range(table, column, used & present(table, column.name)) for column in columns)

    def _guard_block(self, table: Table, differences: Sequence[int]) -> dict[str, Floats]:
        if len(differences) != len(self.differences):
            raise BadTable("The difference counts do not fit the slots of the plan.")
        used = self.used(table)
        persons, rows, squares = _persons_and_rows(table, used, self.about_rows)
        counts = [rows, table.n_rows - int(np.count_nonzero(used)), persons, table.n_persons - persons]
        found = [_persons_and_rows(table, cell.mask, self.about_rows) for cell in self.cells(table)]
        cells = np.asarray(found, dtype=np.float64)
        return {
            "counts": np.asarray(counts, dtype=np.float64),
            "rows_squared": np.asarray([squares], dtype=np.float64),
            "cells": cells[:, 0],
            "cell_rows": cells[:, 1],
            "cell_squares": cells[:, 2],
            "differences": np.asarray(differences, dtype=np.float64),
        }


def split(parts: tuple[Part, ...], total: Sequence[float]) -> dict[str, tuple[float, ...]]:
    """The total by part name, as Python floats; raises ``BadVector`` on a misfit or a value not finite."""
    values = [float(value) for value in total]
    if len(values) != sum(part.length for part in parts) or not all(map(math.isfinite, values)):
        raise BadVector("The total does not fit the layout of this round.")
    named: dict[str, tuple[float, ...]] = {}
    start = 0
    for part in parts:
        named[part.name] = tuple(values[start : start + part.length])
        start += part.length
    return named


def build(
    spec: AlgorithmSpec,
    domain: Domain,
    rules: DisclosureRules,
    max_rows: int = MAX_ROWS,
    differences: Sequence[DifferenceSlot] = (),
    named: NamedPacks | None = None,
) -> Algorithm:
    """The algorithm of a plan on a published domain; pure, the same on every node.

    ``max_rows``: pooled rows, at most 2^26. ``differences``: the agreed places of difference counts. ``named``: the
    disclosure packs of the plan. Raises ``BadParameters``, ``UnknownColumn``, ``NoPublishedRange``,
    ``FormulaRefused``, ``PackRefused`` or ``BadPack``, each with what is allowed, before any row is read.
    """
    if spec.name not in _HOMES or spec.version != 1:
        raise BadParameters(
            f"There is no algorithm {spec.name!r} of version {spec.version}.",
            remedy=f"Algorithms: {', '.join(sorted(_HOMES))}.",
        )
    SLOTS.check(len(differences))
    if not 1 <= max_rows <= 2**26:
        raise BadParameters("The row limit is out of range.", remedy="State 1 to 2^26 pooled rows.")
    module, _, name = _HOMES[spec.name].partition(":")
    home: type[Algorithm] = getattr(import_module(f"xinglin.analysis.{module}"), name)
    pack = None if named is None or spec.name.startswith("dp_") else effective_pack(rules, named)
    if pack is not None and pack.settings.noise_sigma:
        raise PackRefused(
            f"Pack {pack.names_of('noise_sigma')} adds keyed noise to counts, which no hospital can to a pooled one.",
            remedy="Ask with proven noise (epsilon=…), or have the hospital name a pack without noise.",
        )
    algorithm = home(Premises(spec, domain, rules, max_rows, tuple(differences), pack))
    algorithm.layout(algorithm.initial_state())
    return algorithm


def _flagged(parts: tuple[Part, ...], *, overflow: bool) -> Floats:
    vector = np.zeros(sum(part.length for part in parts))
    vector[int(overflow)] = 1.0
    return vector


def _fits(parts: tuple[Part, ...], values: Mapping[str, Floats]) -> bool:
    for part in parts:
        if part.name == "flags":
            continue
        array = values[part.name]
        if array.shape != (part.length,):
            raise BadTable(f"The part {part.name!r} has another length than its layout.")
        if array.size and not float(np.abs(array).max()) <= part.bound:
            return False
    return True


def _persons_and_rows(table: Table, mask: Mask, about_rows: bool) -> tuple[int, int, int]:
    """(persons, rows, Σ over persons of rows²) of the masked rows; a person is one row where only persons count."""
    per_person = np.bincount(table.persons[mask], minlength=1)
    if not about_rows:
        per_person = np.minimum(per_person, 1)
    return int(np.count_nonzero(per_person)), int(per_person.sum()), int(np.dot(per_person, per_person))


def _guard_of(totals: dict[str, tuple[float, ...]], rules: DisclosureRules) -> Guard:
    """The guard block's counts; a cell whose rows may be mostly one person's counts as small."""
    used, missing, persons, persons_missing = (int(v) for v in totals.pop("counts"))
    cells = [int(v) for v in totals.pop("cells")]
    sizes = zip(totals.pop("cell_rows"), totals.pop("cell_squares"), strict=True)
    for k, (rows, squares) in enumerate(sizes):
        large = k > 0 and cells[k] >= rules.min_cell > 1  # the whole has a rule, and a reason, of its own
        if large and not check_dominance(rules, rows=int(rows), rows_squared=int(squares)):
            cells[k] = rules.min_cell - 1
    return Guard(
        rows_used=used,
        rows_missing=missing,
        persons_used=persons,
        persons_missing=persons_missing,
        rows_squared=int(totals.pop("rows_squared")[0]),
        cells=tuple(cells),
        differences=tuple(int(v) for v in totals.pop("differences")),
    )
