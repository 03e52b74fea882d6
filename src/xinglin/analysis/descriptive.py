"""Count, mean, variance (by group), covariance and correlation."""

from __future__ import annotations

import math
from collections.abc import Mapping
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
from xinglin.analysis.missing import counts_payload
from xinglin.analysis.moments import MomentSums, column_frame, some_value
from xinglin.analysis.packed import not_judged, rounds
from xinglin.analysis.parameters import numbers, read_params
from xinglin.analysis.table import Floats, Mask, Table
from xinglin.analysis.told_sums import told_product
from xinglin.kernel.verdict import Allowed, Denied, Verdict, every
from xinglin.privacy.disclosure import check_total
from xinglin.privacy.packs.model import Pack


class DescribeParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``columns``: numbers or booleans. ``by``: category-like columns whose combinations are groups."""

    columns: tuple[str, ...]
    by: tuple[str, ...] = ()


class MomentState(State, frozen=True, kw_only=True):
    """Rows and means of round 0, the means on −1 … 1."""

    rows: tuple[float, ...] = ()
    means: tuple[float, ...] = ()


class Describe(Algorithm):
    """Rows, mean, variance and standard deviation of each column, in each group if asked.

    Each column uses its own rows with a value. A cell of too few persons, or one that a few persons
    carry, is hidden with its reason; the others are shown.
    """

    kind = "describe"
    state_type = MomentState

    def __init__(self, premises: Premises) -> None:
        super().__init__(premises)
        self.params = read_params(self.spec, DescribeParams)
        crossing = Crossing.of(self.domain, self.params.by) if self.params.by else None
        self._sums = MomentSums(numbers(self.domain, self.params.columns), crossing, overall=crossing is None)

    @property
    def columns(self) -> tuple[str, ...]:
        """The numbers, then the grouping columns."""
        return tuple(dict.fromkeys((*self.params.columns, *self.params.by)))

    def used(self, table: Table) -> Mask:
        """Rows with a group and a value in at least one column."""
        return some_value(table, self.params.columns, self.params.by)

    def cell_names(self) -> tuple[str, ...]:
        """``all``, then each column in each group."""
        return ("all", *self._sums.names)

    def cells(self, table: Table) -> list[Cell]:
        """The used rows, then those of each column and group that have a value."""
        used = self.used(table)
        return [Cell("all", used), *self._sums.cells(table, used)]

    def release_rules(self, guard: Guard, hospitals: int) -> Verdict:
        """The whole must be large enough; smaller cells are hidden one by one."""
        return check_total(self.rules, persons={"all": guard.cells[0]}, hospitals=hospitals)

    def released_cells(self, result: Result) -> tuple[str, ...]:
        """``all`` and the cells whose mean is shown."""
        cells = zip(self._sums.names, result.payload["cells"], strict=True)
        return ("all", *(name for name, cell in cells if cell["mean"] is not None))

    def payload_parts(self, state: State) -> tuple[Part, ...]:
        """Sums, then centred squares with support counts."""
        return self._sums.parts(state, self.max_rows)

    def contribute(self, table: Table, state: State) -> dict[str, Floats]:
        """This hospital's sums of the round."""
        used = self.used(table)
        if state.round == 0:
            return self._sums.first(table, used)
        return self._sums.second(table, used, _moment(state).means)

    def advance(self, state: State, totals: Mapping[str, tuple[float, ...]]) -> State | Outcome:
        """The means after round 0, the result after round 1."""
        known = _moment(state)
        if known.round == 1:
            return msgspec.structs.replace(known, rows=totals["rows"], means=self._sums.means(totals))
        found = self._sums.summaries(self.rules, known.rows, known.means, known.guard.cells[1:], totals, self.pack)
        payload = {"by": list(self.params.by), "cells": [summary.payload() for summary in found]}
        if self.pack is not None:
            payload |= {"pack": self.pack.name, **not_judged(self.pack, sums=True)}
        return Result("describe", payload)


class CovarianceParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``columns``: numbers or booleans, complete cases over all of them."""

    columns: tuple[str, ...]


class Covariance(Algorithm):
    """Means, covariance matrix (n − 1) and correlation matrix of the complete cases."""

    kind = "covariance"
    state_type = MomentState

    def __init__(self, premises: Premises) -> None:
        super().__init__(premises)
        self.params = read_params(self.spec, CovarianceParams)
        self._numbers = numbers(self.domain, self.params.columns)
        self._sums = MomentSums(self._numbers, None, overall=True)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns asked for."""
        return self.params.columns

    def release_rules(self, guard: Guard, hospitals: int) -> Verdict:
        """Minimum cell, and as many degrees of freedom as a regression on these columns would leave."""
        size = len(self.columns)
        dof = guard.persons_used - size
        return check_total(self.rules, persons={"all": guard.cells[0]}, hospitals=hospitals, dof=dof, parameters=size)

    def payload_parts(self, state: State) -> tuple[Part, ...]:
        """As ``Describe``, with the centred products in round 1."""
        parts = self._sums.parts(state, self.max_rows)
        if state.round == 0:
            return parts
        size = len(self.columns)
        return (*parts, Part("products", size * (size + 1) // 2, exact.roof(state.guard.rows_used) * 4.1))

    def contribute(self, table: Table, state: State) -> dict[str, Floats]:
        """This hospital's sums of the round, over complete cases."""
        used = self.used(table)
        if state.round == 0:
            return self._sums.first(table, used)
        means = _moment(state).means
        matrix = np.empty((int(np.count_nonzero(used)), len(means)))
        for j, (column, mean) in enumerate(zip(self._numbers, means, strict=True)):
            middle, half = column_frame(column)
            matrix[:, j] = (table.columns[column.name][used] - middle) / half - mean
        products = (matrix.T @ matrix)[np.triu_indices(len(means))]
        return self._sums.second(table, used, means) | {"products": products}

    def advance(self, state: State, totals: Mapping[str, tuple[float, ...]]) -> State | Outcome:
        """The means after round 0, the matrices after round 1."""
        known = _moment(state)
        if known.round == 1:
            return msgspec.structs.replace(known, rows=totals["rows"], means=self._sums.means(totals))
        persons = [known.guard.persons_used] * len(self.columns)
        found = self._sums.summaries(self.rules, known.rows, known.means, persons, totals, self.pack)
        verdicts: list[Verdict] = [Denied(summary.hidden) if summary.hidden else Allowed() for summary in found]
        verdict = every(verdicts)
        if isinstance(verdict, Denied):
            return verdict
        still = [summary.column for summary in found if not summary.variance]
        if still and rounds(self.pack):
            return too_coarse(still[0])
        if still:
            words = f"{still[0]!r} does not vary in the pooled data."
            return NamedFailure("constant", words, f"Leave {still[0]!r} out.")
        covariance = self._covariance(known, totals)
        deviations = [math.sqrt(row[j]) for j, row in enumerate(covariance)]
        correlation = [
            [1.0 if i == j else _ratio(value, deviations[i] * deviations[j]) for j, value in enumerate(row)]
            for i, row in enumerate(covariance)
        ]
        payload: dict[str, Any] = {
            "columns": list(self.columns),
            "means": [summary.mean for summary in found],
            "covariance": covariance,
            "correlation": correlation,
            **counts_payload(known.guard, self.rules),
        }
        return Result("covariance", payload)

    def _covariance(self, known: MomentState, totals: Mapping[str, tuple[float, ...]]) -> list[list[float]]:
        products = exact.symmetric(totals["products"], len(self.columns))
        if self.pack is not None and rounds(self.pack):
            return self._told_covariance(self.pack, known, totals, products)
        rows, shifts = known.rows[0], totals["residuals"]
        halves = [column_frame(column)[1] for column in self._numbers]
        return [
            [
                (value - shifts[i] * shifts[j] / rows) / (rows - 1) * (halves[i] * halves[j])
                for j, value in enumerate(row)
            ]
            for i, row in enumerate(products)
        ]

    def _told_covariance(
        self, pack: Pack, known: MomentState, totals: Mapping[str, tuple[float, ...]], products: list[list[float]]
    ) -> list[list[float]]:
        """Of rounded sums alone: of two booleans, of the rounded number of rows in which they agree."""
        rows, shifts, means = int(known.rows[0]), totals["residuals"], known.means
        halves = [column_frame(column)[1] for column in self._numbers]
        told = [self._sums.told(pack, k, rows, means[k], totals) for k in range(len(means))]
        matrix = [[0.0] * len(means) for _ in means]
        for i, one in enumerate(told):
            for j, other in enumerate(told):
                if one is None or other is None:  # the summaries are hidden then
                    continue
                about = rows * means[i] * means[j] + means[i] * shifts[j] + means[j] * shifts[i]
                both = one.variance or 0.0 if i == j else told_product(pack, rows, products[i][j] + about, one, other)
                matrix[i][j] = both * halves[i] * halves[j]
        return matrix


def too_coarse(column: str) -> NamedFailure:
    """Why nothing is told of a column whose spread is lost in the rounding of counts."""
    words = f"Rounded as the disclosure packs round counts, nothing is left of the spread of {column!r}."
    return NamedFailure("constant", words, "Widen the cohort, or bound the column more narrowly.")


def _ratio(value: float, deviations: float) -> float:
    """A correlation; made of rounded sums it could pass one."""
    return min(max(value / deviations, -1.0), 1.0)


def _moment(state: State) -> MomentState:
    if not isinstance(state, MomentState):
        raise TypeError("moments go on from a state of moments")
    return state
