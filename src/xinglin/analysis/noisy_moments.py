"""Noised count, sum, mean and variance of numbers, by groups if asked: each person once, at the mean of own rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
import numpy as np

from xinglin.analysis.algorithm import CELLS, Premises
from xinglin.analysis.cells import Crossing
from xinglin.analysis.moments import some_value
from xinglin.analysis.noisy import HALF, PERSON, Z95, Measure, Noised, Noisy, Whole
from xinglin.analysis.noisy_people import (
    NOWHERE,
    at_rows,
    crossed,
    first_place,
    person_means,
    summed,
)
from xinglin.analysis.parameters import numbers, read_params
from xinglin.analysis.table import Column, Mask, Table, present
from xinglin.terms.noise_asked import NoiseAsked


class DpDescribeParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``columns``: numbers or booleans. ``by``: category-like columns. ``moments``: 1 for means alone."""

    noise: NoiseAsked
    columns: tuple[str, ...]
    by: tuple[str, ...] = ()
    moments: Literal[1, 2] = 2


class DpDescribe(Noisy):
    """Persons, sum, mean and variance of each column in each group; a person is in one group, the first of its own.

    With y = where the person's mean lies in the published range (−1 … 1), each column measures Σ1, Σy and Σ(y² − ½),
    so that Σ of squares of a person is at most 1, 1 and ¼; each column and each of the three is paid alike.
    """

    kind = "dp_describe"

    def __init__(self, premises: Premises) -> None:
        super().__init__(premises)
        self.params = read_params(self.spec, DpDescribeParams)
        self.noise = self.params.noise
        self._numbers = numbers(self.domain, self.params.columns)
        self._crossing = Crossing.of(self.domain, self.params.by) if self.params.by else None
        self._groups = self._crossing.names if self._crossing is not None else ("",)
        self._length = len(self._numbers) * len(self._groups)
        CELLS.check(1 + self._length)

    @property
    def columns(self) -> tuple[str, ...]:
        """The numbers, then the grouping columns."""
        return tuple(dict.fromkeys((*self.params.columns, *self.params.by)))

    def used(self, table: Table) -> Mask:
        """Rows with a group and a value in at least one column."""
        return some_value(table, self.params.columns, self.params.by)

    def measures(self) -> tuple[Measure, ...]:
        """A person adds to one group of each column."""
        size, each = self._length, len(self._numbers)
        found = (
            Measure("persons", size, each * PERSON * PERSON, PERSON),
            Measure("sums", size, each * HALF * HALF, HALF),
            Measure("squares", size, each * (HALF // 2) ** 2, HALF // 2),
        )
        return found[: 1 + self.params.moments]

    def cell_names(self) -> tuple[str, ...]:
        """``all``, then each column in each group."""
        names = [f"{c.name} in {group}" if group else c.name for c in self._numbers for group in self._groups]
        return ("all", *names)

    def whole(self, table: Table) -> dict[str, Whole]:
        """The three sums, column by column, group by group."""
        used, size = self.used(table), len(self._groups)
        home, own = None, used
        if self._crossing is not None:
            group = crossed(table, self._crossing)
            group[~used] = NOWHERE
            home = first_place(table, group, size)
            own = used & (group == at_rows(table, home))  # rows of the person's other groups say nothing
        parts: dict[str, list[Whole]] = {"persons": [], "sums": [], "squares": []}
        for column in self._numbers:
            means, someone = person_means(table, column, own & present(table, column.name))
            persons, sums, squares = summed(means, someone, home, column, size)
            parts["persons"].append(persons * PERSON)
            parts["sums"].append(sums)
            parts["squares"].append(squares)
        return {name: np.concatenate(each) for name, each in parts.items()}

    def persons(self, totals: Mapping[str, Noised]) -> list[float]:
        """The largest column's persons over all groups, and those of each column and group."""
        counts = [value / PERSON for value in totals["persons"].values]
        size = len(self._groups)
        return [max(math.fsum(counts[k : k + size]) for k in range(0, self._length, size)), *counts]

    def conclude(self, totals: Mapping[str, Noised], shown: Sequence[bool]) -> dict[str, Any]:
        """The cells; intervals of means hold the persons' spread and the noise."""
        cells = []
        for k, show in enumerate(shown[1:]):
            column, group = self._numbers[k // len(self._groups)], self._groups[k % len(self._groups)]
            found = _cell(column, totals, k) if show else dict.fromkeys(_NAMES[: 5 if self.params.moments == 1 else 7])
            cells.append({"column": column.name, "group": group, **found})
        return {"by": list(self.params.by), "cells": cells, "sd": totals["persons"].sd / PERSON}


_NAMES = ("persons", "sum", "mean", "mean_low", "mean_high", "variance", "sd")


def _cell(column: Column, totals: Mapping[str, Noised], k: int) -> dict[str, Any]:
    """What follows from the noised sums of one cell; ratios are what they are, however noisy."""
    low, high = column.range()
    middle, half = (low + high) / 2.0, (high - low) / 2.0
    persons, count_sd = totals["persons"].values[k] / PERSON, totals["persons"].sd / PERSON
    total, sum_sd = totals["sums"].values[k] / HALF, totals["sums"].sd / HALF
    place = min(max(total / persons, -1.0), 1.0)
    found: dict[str, Any] = {
        "persons": persons,
        "sum": middle * persons + half * total,
        "mean": middle + half * place,
    }
    spread = 1.0 - place * place  # at most: values lie in −1 … 1
    if "squares" in totals:
        centred = totals["squares"].values[k] / HALF
        spread = min(max(centred / persons + 0.5 - place * place, 0.0), spread)
    noise = (sum_sd * sum_sd + place * place * count_sd * count_sd) / (persons * persons)
    width = Z95 * half * math.sqrt(noise + spread / persons)
    found |= {"mean_low": max(found["mean"] - width, low), "mean_high": min(found["mean"] + width, high)}
    if "squares" in totals:
        variance = half * half * spread * (persons / (persons - 1.0) if persons > 1.0 else 1.0)
        found |= {"variance": variance, "sd": math.sqrt(variance)}
    return found
