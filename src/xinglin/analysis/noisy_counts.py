"""Noised counts of persons: in all, by groups, over bins, in a two-way table. Each person counts once, in one cell."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from xinglin.analysis.algorithm import Premises
from xinglin.analysis.cells import Crossing
from xinglin.analysis.design import levels_of
from xinglin.analysis.errors import BadParameters
from xinglin.analysis.histogram import bin_edges, bin_names
from xinglin.analysis.noisy import PERSON, Z95, Measure, Noised, Noisy, Whole, is_shown
from xinglin.analysis.noisy_people import binned, counted, crossed, first_place, one_row_each, person_means
from xinglin.analysis.parameters import numbers, read_params
from xinglin.analysis.table import Table, column_of
from xinglin.terms.noise_asked import NoiseAsked


class DpCountParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``by``: category-like columns whose combinations are groups; none counts everybody."""

    noise: NoiseAsked
    by: tuple[str, ...] = ()


class DpHistogramParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``column``: a number. ``bins`` equal bins over its published range, or the ``edges`` themselves."""

    noise: NoiseAsked
    column: str
    bins: int = 20
    edges: tuple[float, ...] = ()


class DpCrosstabParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``rows`` and ``columns``: two category-like columns."""

    noise: NoiseAsked
    rows: str
    columns: str


class _Cells(Noisy):
    """Persons in disjoint cells: a person adds ``PERSON`` to one number, so Σ of squares is ``PERSON``²."""

    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """The cells, without the whole."""

    @abstractmethod
    def counts(self, table: Table) -> Whole:
        """Persons in each cell."""

    def measures(self) -> tuple[Measure, ...]:
        """Persons in each cell."""
        return (Measure("persons", len(self.names()), PERSON * PERSON, PERSON),)

    def cell_names(self) -> tuple[str, ...]:
        """``all``, then the cells."""
        return ("all", *self.names())

    def whole(self, table: Table) -> dict[str, Whole]:
        """Persons in each cell, in grid units."""
        return {"persons": self.counts(table) * PERSON}

    def persons(self, totals: Mapping[str, Noised]) -> list[float]:
        """The sum of the noised cells, and each."""
        counts = _counts(totals)
        return [math.fsum(counts), *counts]


class DpCount(_Cells):
    """Persons with a row in the answer of the query, in all or in each combination of some columns' levels."""

    kind = "dp_count"

    def __init__(self, premises: Premises) -> None:
        super().__init__(premises)
        self.params = read_params(self.spec, DpCountParams)
        self.noise = self.params.noise
        self._crossing = Crossing.of(self.domain, self.params.by) if self.params.by else None

    @property
    def columns(self) -> tuple[str, ...]:
        """The grouping columns."""
        return self.params.by

    def names(self) -> tuple[str, ...]:
        """The groups, or everybody."""
        return self._crossing.names if self._crossing is not None else ("everybody",)

    def counts(self, table: Table) -> Whole:
        """Persons in each person's first group, or all of them."""
        if self._crossing is None:
            return np.array([table.n_persons], dtype=np.int64)
        return _first_cells(table, self._crossing)

    def conclude(self, totals: Mapping[str, Noised], shown: Sequence[bool]) -> dict[str, Any]:
        """Counts with the interval of their noise."""
        sd, counts = totals["persons"].sd / PERSON, _counts(totals)
        cells = [
            {"group": name, "count": is_shown(count, show), **_between(count, sd, show)}
            for name, count, show in zip(self.names(), counts, shown[1:], strict=True)
        ]
        return {"by": list(self.params.by), "cells": cells, "total": math.fsum(counts), "sd": sd, **_whole(counts, sd)}


class DpHistogram(_Cells):
    """Persons a bin, each counted once at the mean of the person's rows; a mean outside all edges is not counted."""

    kind = "dp_histogram"

    def __init__(self, premises: Premises) -> None:
        super().__init__(premises)
        self.params = read_params(self.spec, DpHistogramParams)
        self.noise = self.params.noise
        self._column = numbers(self.domain, (self.params.column,))[0]
        self.edges = bin_edges(self._column, self.params.bins, self.params.edges)

    @property
    def columns(self) -> tuple[str, ...]:
        """The one column."""
        return (self.params.column,)

    def names(self) -> tuple[str, ...]:
        """The bins by their edges."""
        return bin_names(self.edges)

    def counts(self, table: Table) -> Whole:
        """Persons by the bin of their mean; one row each is its own mean."""
        if one_row_each(table):
            return binned(table.columns[self._column.name], None, self._column, self.edges)
        means, someone = person_means(table, self._column, self.used(table))
        return binned(means, someone, self._column, self.edges)

    def conclude(self, totals: Mapping[str, Noised], shown: Sequence[bool]) -> dict[str, Any]:
        """Counts a bin, with one standard deviation of noise for all of them."""
        sd, counts = totals["persons"].sd / PERSON, _counts(totals)
        return {
            "column": self.params.column,
            "edges": list(self.edges),
            "counts": [is_shown(count, show) for count, show in zip(counts, shown[1:], strict=True)],
            "sd": sd,
            "half_width": Z95 * sd,
            "total": math.fsum(counts),
            **_whole(counts, sd),
        }


class DpCrosstab(_Cells):
    """Persons in each combination of two columns' levels; margins are sums of the noised cells. No test is given."""

    kind = "dp_crosstab"

    def __init__(self, premises: Premises) -> None:
        super().__init__(premises)
        self.params = read_params(self.spec, DpCrosstabParams)
        self.noise = self.params.noise
        names = (self.params.rows, self.params.columns)
        if names[0] == names[1]:
            raise BadParameters("A crosstab has two different columns.")
        self._crossing = Crossing.of(self.domain, names)
        self._levels = [levels_of(column_of(self.domain, name)) for name in names]

    @property
    def columns(self) -> tuple[str, ...]:
        """The two columns."""
        return (self.params.rows, self.params.columns)

    def names(self) -> tuple[str, ...]:
        """The cells row by row."""
        return self._crossing.names

    def counts(self, table: Table) -> Whole:
        """Persons in each person's first cell."""
        return _first_cells(table, self._crossing)

    def conclude(self, totals: Mapping[str, Noised], shown: Sequence[bool]) -> dict[str, Any]:
        """The table, its margins, and the standard deviations of their noise."""
        sd, flat = totals["persons"].sd / PERSON, _counts(totals)
        height, width = len(self._levels[0]), len(self._levels[1])
        rows = [flat[i * width : (i + 1) * width] for i in range(height)]
        shows = [shown[1 + i * width : 1 + (i + 1) * width] for i in range(height)]
        return {
            "rows": self.params.rows,
            "columns": self.params.columns,
            "row_levels": list(self._levels[0]),
            "column_levels": list(self._levels[1]),
            "counts": [
                [is_shown(count, show) for count, show in zip(row, each, strict=True)]
                for row, each in zip(rows, shows, strict=True)
            ],
            "row_totals": [math.fsum(row) for row in rows],
            "column_totals": [math.fsum(column) for column in zip(*rows, strict=True)],
            "sd": sd,
            "half_width": Z95 * sd,
            "row_sd": sd * math.sqrt(width),
            "column_sd": sd * math.sqrt(height),
            "total": math.fsum(flat),
            **_whole(flat, sd),
        }


def _first_cells(table: Table, crossing: Crossing) -> Whole:
    """Each person counted once, in the first cell of its own."""
    length = len(crossing.names)
    return counted(first_place(table, crossed(table, crossing), length), length)


def _counts(totals: Mapping[str, Noised]) -> list[float]:
    return [value / PERSON for value in totals["persons"].values]


def _between(count: float, sd: float, show: bool = True) -> dict[str, Any]:
    """The 95 % interval of the noise around a count."""
    return {"low": is_shown(count - Z95 * sd, show), "high": is_shown(count + Z95 * sd, show)}


def _whole(counts: Sequence[float], sd: float) -> dict[str, Any]:
    """The interval of the sum of all cells."""
    found = _between(math.fsum(counts), sd * math.sqrt(len(counts)))
    return {f"total_{name}": value for name, value in found.items()}
