"""Sums and means of numbers on a published grid of whole units, clipped to a published range."""

from __future__ import annotations

from fractions import Fraction

import msgspec
import numpy as np
from numpy.typing import NDArray

from xinglin.privacy.noise.errors import BadNoise
from xinglin.privacy.noise.model import Noised, Whole

MOST_UNITS = 1 << 30
"""Units from the middle of a range to its end: so that sums over a billion persons still fit."""


class Grid(msgspec.Struct, frozen=True):
    """Whole ``unit``s from ``low`` to ``high`` (in units): what a value is rounded and clipped to, by itself.

    >>> Grid(Fraction(1, 10), 0, 2500).place(np.array([36.64, 400.0, float("nan")]))[0].tolist()
    [366, 2500]
    """

    unit: Fraction
    low: int
    high: int

    def __post_init__(self) -> None:
        if self.unit <= 0 or self.low >= self.high or max(abs(self.low), abs(self.high)) > MOST_UNITS:
            raise BadNoise(f"A grid has a positive unit and a range of up to {MOST_UNITS} units.")

    def place(self, values: NDArray[np.float64] | Whole) -> tuple[Whole, NDArray[np.bool_]]:
        """Values on the grid, and which of the given ones they are; a missing value (NaN) has none.

        Whole numbers are taken as units already. A floating-point value is rounded to the nearest unit before two
        persons meet: whatever that rounding does, it does to one person's own number and stays in the range.
        """
        if values.dtype.kind in "iu":
            return np.clip(values, self.low, self.high).astype(np.int64), np.ones(len(values), dtype=bool)
        there = ~np.isnan(values)
        units = np.rint(np.clip(values[there] / float(self.unit), self.low, self.high))
        return np.clip(units.astype(np.int64), self.low, self.high), there


class Sums(msgspec.Struct, frozen=True):
    """The sum of one number a person in each of ``cells`` groups, in units of ``grid``.

    Domain: tables of persons, each with a value and in one cell of ``cells`` (published) at most. Metric: one person
    there or not there. Guarantee: Δ₂ = max(|low|, |high|) units. A range that does not begin near 0 makes that large:
    ``Means`` moves it. Source: Dwork, McSherry, Nissim, Smith (2006); fixed point: Casacuberta, Shoemate, Vadhan,
    Wagaman (2022), who show how sums of floating-point numbers break the promise.
    """

    grid: Grid
    cells: int = 1

    @property
    def length(self) -> int:
        """One number a cell."""
        return self.cells

    @property
    def sensitivity_sq(self) -> Fraction:
        """The square of the range's larger end."""
        return Fraction(max(abs(self.grid.low), abs(self.grid.high)) ** 2)

    def exact(self, units: Whole, places: Whole | None = None) -> Whole:
        """Add up values on the grid (one a person) in their cells; all in cell 0 where no ``places`` are given."""
        return _sums(units, places, self.cells)


class Means(msgspec.Struct, frozen=True):
    """Persons and their sum around the middle of the range, in each of ``cells`` groups: what a mean is made of.

    Domain and metric as for ``Sums``. The vector is (h·persons …, Σ(value − middle) …) with h = half the range in
    units, so that one noise fits both. Guarantee: Δ₂² = 2·h². Source: as for ``Sums``; the quotient is post-processing.
    """

    grid: Grid
    cells: int = 1

    @property
    def middle(self) -> int:
        """The middle of the range, in units."""
        return (self.grid.low + self.grid.high) // 2

    @property
    def half(self) -> int:
        """Units from the middle to the further end."""
        return self.grid.high - self.middle

    @property
    def length(self) -> int:
        """Two numbers a cell."""
        return 2 * self.cells

    @property
    def sensitivity_sq(self) -> Fraction:
        """A person adds h to one number and at most h to another."""
        return Fraction(2 * self.half**2)

    def exact(self, units: Whole, places: Whole | None = None) -> Whole:
        """Counts times h, then sums around the middle; values on the grid, one a person."""
        counts = _sums(np.full(len(units), self.half, dtype=np.int64), places, self.cells)
        return np.concatenate((counts, _sums(units - self.middle, places, self.cells)))

    def read(self, found: Noised) -> NDArray[np.float64]:
        """Post-processing: the mean of each cell, in the values' own unit, kept in the range; NaN below one person."""
        persons, sums = np.split(found.values.astype(np.float64), 2)
        persons = persons / self.half
        with np.errstate(divide="ignore", invalid="ignore"):
            means = np.where(persons >= 1, self.middle + sums / persons, np.nan)
        return np.clip(means, self.grid.low, self.grid.high) * float(self.grid.unit)


def _sums(values: Whole, places: Whole | None, cells: int) -> Whole:
    """Exact sums of 64-bit integers by cell: no floating-point number on the way."""
    found = np.zeros(cells, dtype=np.int64)
    if places is None:
        found[0] = values.sum(dtype=np.int64)
        return found
    inside = places >= 0
    if len(places) and int(places.max()) >= cells:
        raise BadNoise("A row lies in a cell that was not published.")
    np.add.at(found, places[inside], values[inside])
    return found
