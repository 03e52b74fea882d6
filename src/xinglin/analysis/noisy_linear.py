"""Linear regression from noised sums of products: what least squares needs of the data, and nothing else of it.

A person adds the products of one vector u = (1, x₁ …, y), each entry the person's mean put on −1 … 1 of its
published range, so that every product lies in −1 … 1. Coefficients follow from the noised sums, and their errors hold
the spread of the persons and the noise: with XᵀX + E and Xᵀy + e measured, β moves by (XᵀX)⁻¹(e − Eβ).

Source: Vu, Slavkovic, ICDMW 2009 (noised sufficient statistics); Ferrando, Wang, Sheldon, AISTATS 2022 (intervals).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from xinglin.analysis import arithmetic as exact
from xinglin.analysis.algorithm import Premises
from xinglin.analysis.errors import BadParameters
from xinglin.analysis.noisy import HALF, Z95, Measure, Noised, Noisy, Whole
from xinglin.analysis.noisy_people import blocks, halves, on_grid, person_means
from xinglin.analysis.parameters import numbers, read_params
from xinglin.analysis.table import Floats, Table
from xinglin.kernel.limits import Limit
from xinglin.terms.noise_asked import NoiseAsked

TERMS = Limit("columns of a noised regression", 24, "columns")
_RIDGES = 60


class DpLinearParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``outcome`` and ``columns``: numbers or booleans with published ranges; there is always an intercept."""

    noise: NoiseAsked
    outcome: str
    columns: tuple[str, ...]


class DpLinear(Noisy):
    """Least squares of one number on others over persons with a complete row."""

    kind = "dp_linear"

    def __init__(self, premises: Premises) -> None:
        super().__init__(premises)
        self.params = read_params(self.spec, DpLinearParams)
        self.noise = self.params.noise
        TERMS.check(len(self.params.columns))
        if self.params.outcome in self.params.columns:
            raise BadParameters("The outcome is not one of the columns.")
        self._numbers = numbers(self.domain, self.columns)
        if any(low == high for low, high in (column.range() for column in self._numbers)):
            raise BadParameters("A column whose published range is one value explains nothing.", remedy="Leave it out.")
        self._size = len(self._numbers) + 1

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns, then the outcome."""
        return (*self.params.columns, self.params.outcome)

    def measures(self) -> tuple[Measure, ...]:
        """The upper triangle of u·uᵀ."""
        length = self._size * (self._size + 1) // 2
        return (Measure("products", length, length * HALF * HALF, HALF),)

    def whole(self, table: Table) -> dict[str, Whole]:
        """Σ of products, each rounded to the grid before two persons meet."""
        used = self.used(table)
        means: list[Floats] = []
        someone = np.zeros(table.n_persons, dtype=np.bool_)
        for column in self._numbers:
            mean, someone = person_means(table, column, used)
            means.append(mean)
        found = [0] * (self._size * (self._size + 1) // 2)
        for rows in blocks(len(someone)):
            inside = someone[rows]
            grids = [on_grid(mean[rows][inside], column) for mean, column in zip(means, self._numbers, strict=True)]
            sums = [HALF * int(np.count_nonzero(inside)), *(int(grid.sum()) for grid in grids)]
            pairs = itertools.combinations_with_replacement(grids, 2)
            sums += [int(halves(one * other).sum()) for one, other in pairs]
            found = [total + part for total, part in zip(found, sums, strict=True)]
        return {"products": np.asarray(found, dtype=np.int64)}

    def persons(self, totals: Mapping[str, Noised]) -> list[float]:
        """Σ of 1·1."""
        return [totals["products"].values[0] / HALF]

    def conclude(self, totals: Mapping[str, Noised], shown: Sequence[bool]) -> dict[str, Any]:
        """Coefficients on the scale of the data, standard errors, 95 % intervals, and the ridge if one was needed."""
        sd = totals["products"].sd / HALF
        moments = exact.symmetric([value / HALF for value in totals["products"].values], self._size)
        persons = max(moments[0][0], 1.0)
        last = self._size - 1
        gram, cross = [row[:last] for row in moments[:last]], [row[last] for row in moments[:last]]
        lower, ridge = _positive(gram, sd)
        slopes = exact.solve(lower, cross)
        covariance = self._covariance(exact.inverse(lower), slopes, moments, sd, persons)
        transform, constant = self._back()
        values = [exact.dot(row, slopes) for row in transform]
        values[0] += constant
        errors = [math.sqrt(max(row[k], 0.0)) for k, row in enumerate(exact.sandwich(transform, covariance))]
        return {
            "outcome": self.params.outcome,
            "terms": ["Intercept", *self.params.columns],
            "coefficients": values,
            "standard_errors": errors,
            "low": [value - Z95 * error for value, error in zip(values, errors, strict=True)],
            "high": [value + Z95 * error for value, error in zip(values, errors, strict=True)],
            "persons": persons,
            "ridge": ridge,
            "sd": sd,
        }

    def _covariance(
        self, inverse: list[list[float]], slopes: list[float], moments: list[list[float]], sd: float, persons: float
    ) -> list[list[float]]:
        """Of the slopes on the grid: the persons' spread around the line, and the noise of both sums."""
        last, size = self._size - 1, len(slopes)
        cross = [row[last] for row in moments[:last]]
        rest = max(moments[last][last] - exact.dot(slopes, cross), 0.0)
        spread = min(rest / max(persons - size, 1.0), 1.0)
        squared = exact.dot(slopes, slopes)
        middle = [
            [
                spread * moments[i][j] + sd * sd * (slopes[i] * slopes[j] if i != j else 1.0 + squared)
                for j in range(size)
            ]
            for i in range(size)
        ]
        return exact.sandwich(inverse, middle)

    def _back(self) -> tuple[list[list[float]], float]:
        """From slopes on −1 … 1 to coefficients of the data: a matrix, and what the intercept gains."""
        frames = [((low + high) / 2.0, (high - low) / 2.0) for low, high in (c.range() for c in self._numbers)]
        middle, half = frames[-1]
        size = self._size - 1
        transform = [[0.0] * size for _ in range(size)]
        transform[0][0] = half
        for k, (own_middle, own_half) in enumerate(frames[:-1], start=1):
            transform[k][k] = half / own_half
            transform[0][k] = -half / own_half * own_middle
        return transform, middle


def _positive(gram: list[list[float]], sd: float) -> tuple[list[list[float]], float]:
    """The triangle of ``gram``, with as little added to its diagonal as makes it one; post-processing."""
    ridge = 0.0
    for _ in range(_RIDGES):
        shifted = [[value + (ridge if i == j else 0.0) for j, value in enumerate(row)] for i, row in enumerate(gram)]
        lower = exact.cholesky(shifted, 1e-12)
        if isinstance(lower, list):
            return lower, ridge
        ridge = 2.0 * ridge if ridge else max(sd, 1e-6)
    raise BadParameters("The noised sums give no line.", remedy="Spend more, or use fewer columns.")
