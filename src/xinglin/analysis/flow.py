"""How many persons remain after each filter of a cohort, small steps hidden."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from xinglin.analysis.algorithm import Algorithm, Cell, Guard, Outcome, Part, Premises, Result, State
from xinglin.analysis.design import is_binary
from xinglin.analysis.errors import BadParameters
from xinglin.analysis.packed import hidden_cell, told_count
from xinglin.analysis.parameters import read_params
from xinglin.analysis.table import Floats, Mask, Table, column_of
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Verdict
from xinglin.privacy.disclosure import check_total
from xinglin.privacy.packs.carried import least_shown
from xinglin.privacy.packs.model import Pack
from xinglin.terms.thresholds import DisclosureRules

STEPS = Limit("filters a flow", 64, "filters")


class FlowParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``steps``: booleans of the query, in the order in which they filter. Missing counts as false."""

    steps: tuple[str, ...]


class Flow(Algorithm):
    """Persons with at least one row that passes the first k filters, for every k.

    A step is shown when it has enough persons and differs from the nearest shown later step by enough
    persons or by none. The last step is judged first: it is the cohort.
    """

    kind = "flow"
    about_rows = False

    def __init__(self, premises: Premises) -> None:
        super().__init__(premises)
        self.params = read_params(self.spec, FlowParams)
        STEPS.check(len(self.params.steps))
        if not self.params.steps or len(set(self.params.steps)) != len(self.params.steps):
            raise BadParameters("A flow has at least one filter, and none twice.")
        for name in self.params.steps:
            if not is_binary(column_of(self.domain, name)):
                raise BadParameters(f"{name!r} is not a boolean.", remedy="Give each filter as a comparison.")

    @property
    def columns(self) -> tuple[str, ...]:
        """The filters."""
        return self.params.steps

    def used(self, table: Table) -> Mask:
        """Every row: a missing filter is one that was not passed."""
        return np.ones(table.n_rows, dtype=np.bool_)

    def cell_names(self) -> tuple[str, ...]:
        """``all``, then one a filter."""
        return ("all", *(f"after {k}. {name}" for k, name in enumerate(self.params.steps, 1)))

    def cells(self, table: Table) -> list[Cell]:
        """All rows, then those that pass the first k filters."""
        passed = self.used(table)
        found = [Cell("all", passed)]
        for name, step in zip(self.cell_names()[1:], self.params.steps, strict=True):
            passed = passed & (table.columns[step] == 1)
            found.append(Cell(name, passed))
        return found

    def release_rules(self, guard: Guard, hospitals: int) -> Verdict:
        """The eligible persons must be many enough; steps are hidden one by one."""
        return check_total(self.rules, persons={"all": guard.cells[0]}, hospitals=hospitals)

    def released_cells(self, result: Result) -> tuple[str, ...]:
        """The steps that are shown."""
        steps = zip(self.cell_names(), result.payload["steps"], strict=True)
        return tuple(name for name, step in steps if step["persons"] is not None)

    def payload_parts(self, state: State) -> tuple[Part, ...]:
        """Nothing beside the guard block: the counts are its cells."""
        return ()

    def contribute(self, table: Table, state: State) -> dict[str, Floats]:
        """Nothing beside the guard block."""
        return {}

    def advance(self, state: State, totals: Mapping[str, tuple[float, ...]]) -> State | Outcome:
        """The steps that may be shown, with the persons removed between shown neighbours."""
        counts = state.guard.cells
        shown = shown_steps(self.rules, counts)
        steps = []
        before: int | None = None
        for name, count, visible in zip(("eligible", *self.params.steps), counts, shown, strict=True):
            remaining = count if visible else None
            removed = before - count if visible and before is not None else None
            steps.append({"step": name, "persons": remaining, "removed": removed})
            before = count if visible else None
        if self.pack is not None:
            return Result("flow", {"steps": self._under(self.pack, counts), "min_cell": least_shown(self.pack),
                                   "pack": self.pack.name})  # fmt: skip
        return Result("flow", {"steps": steps, "min_cell": self.rules.min_cell})

    def _under(self, pack: Pack, counts: Sequence[int]) -> list[dict[str, Any]]:
        """The steps under a pack: hidden by its threshold, rounded as it rounds; what was removed is of told counts."""
        least, zeros = least_shown(pack), pack.settings.zeros == "show"
        shown = shown_steps(msgspec.structs.replace(self.rules, min_cell=least, publish_zeros=zeros), counts)
        steps: list[dict[str, Any]] = []
        before: int | None = None
        for name, count, visible in zip(("eligible", *self.params.steps), counts, shown, strict=True):
            told = told_count(pack, count) if visible else None
            removed = before - told if told is not None and before is not None else None
            why = {} if told is not None else {"why": msgspec.to_builtins(hidden_cell(pack))}
            steps.append({"step": name, "persons": told, "removed": removed, **why})
            before = told
        return steps


def shown_steps(rules: DisclosureRules, counts: Sequence[int]) -> list[bool]:
    """Which of the falling counts to show, judged from the last to the first.

    Any two shown counts differ by nobody or by at least ``min_cell`` persons, as the differencing guard
    asks of two releases.
    """
    shown = [False] * len(counts)
    after: int | None = None
    for k in reversed(range(len(counts))):
        enough = counts[k] >= rules.min_cell or (rules.publish_zeros and counts[k] == 0)
        gap = rules.min_cell if after is None else counts[k] - after
        if enough and (gap >= rules.min_cell or gap == 0):
            shown[k], after = True, counts[k]
    return shown
