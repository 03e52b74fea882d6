"""Comparing means between groups: Student's and Welch's t, and one-way analysis of variance."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from xinglin.analysis import arithmetic as exact
from xinglin.analysis.algorithm import (
    Algorithm,
    Cell,
    Guard,
    NamedFailure,
    Outcome,
    Part,
    Premises,
    Result,
    State,
)
from xinglin.analysis.cells import Crossing
from xinglin.analysis.descriptive import MomentState, too_coarse
from xinglin.analysis.errors import BadParameters
from xinglin.analysis.missing import counts_payload
from xinglin.analysis.moments import MomentSums, Summary
from xinglin.analysis.packed import rounds
from xinglin.analysis.parameters import numbers, read_params
from xinglin.analysis.table import Floats, Mask, Table
from xinglin.kernel.verdict import Allowed, Denied, Verdict, every
from xinglin.privacy.disclosure import check_total


class CompareParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``column``: a number. ``by``: a category-like column. ``levels``: those compared, all by default."""

    column: str
    by: str
    levels: tuple[str, ...] = ()


class _Compare(Algorithm):
    """Mean and variance of one number in each compared group; every group must be large enough."""

    state_type = MomentState

    def __init__(self, premises: Premises) -> None:
        super().__init__(premises)
        self.params = read_params(self.spec, CompareParams)
        self._crossing = Crossing.of(self.domain, (self.params.by,))
        self._sums = MomentSums(numbers(self.domain, (self.params.column,)), self._crossing, overall=False)
        known = [name.split("=", 1)[1] for name in self._crossing.names]
        self.levels = self.params.levels or tuple(known)
        unknown = [level for level in self.levels if level not in known]
        if unknown or len(self.levels) < 2 or len(set(self.levels)) != len(self.levels):
            raise BadParameters(
                "The compared levels are two or more of the column's own, none twice.",
                remedy=f"Levels of {self.params.by!r}: {', '.join(known[:20])}.",
            )
        self._places = [known.index(level) for level in self.levels]

    @property
    def columns(self) -> tuple[str, ...]:
        """The number and the groups."""
        return (self.params.column, self.params.by)

    def used(self, table: Table) -> Mask:
        """Complete cases of the compared levels."""
        index = self._crossing.index(table)
        return super().used(table) & np.isin(index, np.asarray(self._places, dtype=np.float64))

    def cell_names(self) -> tuple[str, ...]:
        """``all``, then each compared group."""
        return ("all", *(self._sums.names[k] for k in self._places))

    def cells(self, table: Table) -> list[Cell]:
        """The used rows, then each compared group's."""
        used = self.used(table)
        groups = self._sums.cells(table, used)
        return [Cell("all", used), *(groups[k] for k in self._places)]

    def release_rules(self, guard: Guard, hospitals: int) -> Verdict:
        """Minimum cell in every group; degrees of freedom of one mean a group."""
        persons = dict(zip(self.cell_names(), guard.cells, strict=True))
        size = len(self.levels)
        return check_total(
            self.rules, persons=persons, hospitals=hospitals, dof=guard.persons_used - size, parameters=size
        )

    def payload_parts(self, state: State) -> tuple[Part, ...]:
        """Sums, then centred squares with support counts."""
        return self._sums.parts(state, self.max_rows)

    def contribute(self, table: Table, state: State) -> dict[str, Floats]:
        """This hospital's sums of the round."""
        used = self.used(table)
        return self._sums.first(table, used) if state.round == 0 else self._sums.second(table, used, _means(state))

    def advance(self, state: State, totals: Mapping[str, tuple[float, ...]]) -> State | Outcome:
        """The means after round 0, the comparison after round 1."""
        if not isinstance(state, MomentState):
            raise TypeError("moments go on from a state of moments")
        if state.round == 1:
            return msgspec.structs.replace(state, rows=totals["rows"], means=self._sums.means(totals))
        persons = [0] * len(self._sums.names)
        for place, count in zip(self._places, state.guard.cells[1:], strict=True):
            persons[place] = count
        every_group = self._sums.summaries(self.rules, state.rows, state.means, persons, totals, self.pack)
        groups = [every_group[place] for place in self._places]
        verdicts: list[Verdict] = [Denied(group.hidden) if group.hidden else Allowed() for group in groups]
        verdict = every(verdicts)
        if isinstance(verdict, Denied):
            return verdict
        if rounds(self.pack) and any(group.variance is None for group in groups):
            return too_coarse(self.params.column)
        compared = self._compare(groups)
        if isinstance(compared, NamedFailure):
            return compared
        payload = {
            "column": self.params.column,
            "by": self.params.by,
            "groups": [{"level": level, **g.payload()} for level, g in zip(self.levels, groups, strict=True)],
            **compared,
            **counts_payload(state.guard, self.rules),
        }
        return Result(self.kind, payload)

    @abstractmethod
    def _compare(self, groups: Sequence[Summary]) -> dict[str, Any] | NamedFailure:
        """The statistics of these groups, each large enough."""


class TTest(_Compare):
    """Two groups: Student's t (equal variances) and Welch's t, first level minus second."""

    kind = "ttest"

    def __init__(self, premises: Premises) -> None:
        super().__init__(premises)
        if len(self.levels) != 2:
            raise BadParameters(
                "A t-test compares two levels.", remedy=f"Name two of: {', '.join(self.levels[:20])}; or use anova."
            )

    def _compare(self, groups: Sequence[Summary]) -> dict[str, Any] | NamedFailure:
        first, second = groups
        n1, n2, v1, v2 = first.rows, second.rows, first.variance, second.variance
        if (not v1 and not v2) or v1 is None or v2 is None:
            return _constant(self.params.column)
        difference = first.mean - second.mean
        pooled = ((n1 - 1) * v1 + (n2 - 1) * v2) / (n1 + n2 - 2)
        student_error = math.sqrt(pooled * (1 / n1 + 1 / n2))
        parts = (v1 / n1, v2 / n2)
        welch_error = math.sqrt(parts[0] + parts[1])
        spread = parts[0] * parts[0] / (n1 - 1) + parts[1] * parts[1] / (n2 - 1)
        welch_df = (parts[0] + parts[1]) * (parts[0] + parts[1]) / spread
        return {
            "difference": difference,
            "student": {"t": difference / student_error, "df": n1 + n2 - 2, "standard_error": student_error},
            "welch": {"t": difference / welch_error, "df": welch_df, "standard_error": welch_error},
        }


class Anova(_Compare):
    """Two or more groups: sums of squares between and within, and F."""

    kind = "anova"

    def _compare(self, groups: Sequence[Summary]) -> dict[str, Any] | NamedFailure:
        rows = sum(group.rows for group in groups)
        grand = exact.total([group.rows * group.mean for group in groups]) / rows
        gaps = [(group.rows, group.mean - grand) for group in groups]
        between = exact.total([n * gap * gap for n, gap in gaps])
        within = exact.total([(group.rows - 1) * (group.variance or 0.0) for group in groups])
        df_between, df_within = len(groups) - 1, rows - len(groups)
        if within <= 0:
            return _constant(self.params.column)
        return {
            "ss_between": between,
            "ss_within": within,
            "df_between": df_between,
            "df_within": df_within,
            "f": (between / df_between) / (within / df_within),
            "eta_squared": between / (between + within),
        }


def _means(state: State) -> tuple[float, ...]:
    if not isinstance(state, MomentState):
        raise TypeError("moments go on from a state of moments")
    return state.means


def _constant(column: str) -> NamedFailure:
    return NamedFailure("constant", f"{column!r} does not vary within the groups.", "Compare another column.")
