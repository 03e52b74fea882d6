"""How many persons match, rounded: before any agreement on a study, for those whom a hospital lets ask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from xinglin.analysis.algorithm import Algorithm, Cell, Guard, Outcome, Part, Premises, Result, State
from xinglin.analysis.errors import BadParameters
from xinglin.analysis.packed import check_cohort, hidden_cell, told_count
from xinglin.analysis.parameters import read_params
from xinglin.analysis.table import Floats, Mask, Table
from xinglin.kernel.verdict import Denied, Verdict
from xinglin.privacy.disclosure import check_total
from xinglin.privacy.packs.carried import least_shown

LARGEST_STEP = 1_000


class FeasibilityParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``round_to``: the count is told in steps of so many persons."""

    round_to: int = 10


class Feasibility(Algorithm):
    """Persons with at least one row, to the nearest ``round_to``; below the minimum cell nothing is told but that.

    Guarantee: the count is rounded at every hospital before it is attested, so that no exact count leaves a node.
    """

    kind = "feasibility"
    about_rows = False

    def __init__(self, premises: Premises) -> None:
        super().__init__(premises)
        self.params = read_params(self.spec, FeasibilityParams)
        if not 1 <= self.params.round_to <= LARGEST_STEP:
            raise BadParameters(f"A count is rounded to 1 to {LARGEST_STEP} persons.", remedy="Round to 10.")

    @property
    def columns(self) -> tuple[str, ...]:
        """None: whoever has a row counts."""
        return ()

    def used(self, table: Table) -> Mask:
        """Every row."""
        return np.ones(table.n_rows, dtype=np.bool_)

    def cell_names(self) -> tuple[str, ...]:
        """``all``."""
        return ("all",)

    def cells(self, table: Table) -> list[Cell]:
        """Every row."""
        return [Cell("all", self.used(table))]

    def release_rules(self, guard: Guard, hospitals: int) -> Verdict:
        """Enough persons, at enough hospitals."""
        return check_total(self.rules, persons={"all": guard.cells[0]}, hospitals=hospitals)

    def released_cells(self, result: Result) -> tuple[str, ...]:
        """``all``."""
        return ("all",)

    def payload_parts(self, state: State) -> tuple[Part, ...]:
        """Nothing beside the guard block: the count is its cell."""
        return ()

    def contribute(self, table: Table, state: State) -> dict[str, Floats]:
        """Nothing beside the guard block."""
        return {}

    def advance(self, state: State, totals: Mapping[str, tuple[float, ...]]) -> State | Outcome:
        """The rounded count."""
        step, counted = self.params.round_to, state.guard.cells[0]
        payload: dict[str, Any] = {"round_to": step, "min_cell": self.rules.min_cell}
        if self.pack is not None:
            fit = check_cohort(self.pack, counted, ())
            told = told_count(self.pack, counted)
            if isinstance(fit, Denied) or told is None:
                return fit if isinstance(fit, Denied) else Denied((hidden_cell(self.pack),))
            counted = told
            payload |= {"min_cell": least_shown(self.pack), "pack": self.pack.name}
        return Result("feasibility", {"persons": (counted + step // 2) // step * step, **payload})
