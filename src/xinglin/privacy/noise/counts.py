"""Counts of persons: in all, in a histogram, in a table of several columns. All of them are cells."""

from __future__ import annotations

from fractions import Fraction

import msgspec
import numpy as np
from numpy.typing import NDArray

from xinglin.privacy.noise.errors import BadNoise
from xinglin.privacy.noise.model import Whole

MOST_CELLS = 1 << 24
"""Cells of one table."""


class Counts(msgspec.Struct, frozen=True):
    """Persons in each of ``cells`` cells that were published beforehand; a person is in ``cells_a_person`` at most.

    Domain: tables of persons, each in cells 0 … ``cells`` − 1, once a cell. Metric: one person there or not there.
    Guarantee: Δ₂² = ``cells_a_person``; with noise of variance v that is cells_a_person/(2v)-zCDP. The cells themselves
    must not depend on the data: a cell that appears only because somebody is in it tells of that person.
    Source: Dwork, McSherry, Nissim, Smith (2006), example 1; discrete noise: Canonne, Kamath, Steinke (2020).
    """

    cells: int
    cells_a_person: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.cells <= MOST_CELLS or not 1 <= self.cells_a_person <= self.cells:
            raise BadNoise(f"A table has 1 to {MOST_CELLS} cells, and a person is in one at least.")

    @property
    def length(self) -> int:
        """One number a cell."""
        return self.cells

    @property
    def sensitivity_sq(self) -> Fraction:
        """Each of the person's cells moves by one."""
        return Fraction(self.cells_a_person)

    def exact(self, places: NDArray[np.int64], persons: NDArray[np.int64] | None = None) -> Whole:
        """Count ``places`` (rows; negative: nowhere); with ``persons`` (rows), each once a cell, in its lowest cells.

        Without ``persons`` each row is taken to be a person of its own. ``BadNoise`` for a place that is no cell.
        """
        inside = places >= 0
        if len(places) and int(places.max()) >= self.cells:
            raise BadNoise("A row lies in a cell that was not published.")
        if persons is None:
            if self.cells_a_person != 1:
                raise BadNoise("Without the persons, each row counts once.")
            return np.bincount(places[inside], minlength=self.cells).astype(np.int64)
        pairs = np.unique(np.stack((persons[inside], places[inside])), axis=1)
        starts = np.flatnonzero(np.diff(pairs[0], prepend=pairs[0][0] - 1 if pairs.size else 0))
        within = np.arange(pairs.shape[1]) - np.repeat(starts, np.diff(starts, append=pairs.shape[1]))
        return np.bincount(pairs[1][within < self.cells_a_person], minlength=self.cells).astype(np.int64)


def crossed(sizes: tuple[int, ...], codes: tuple[NDArray[np.int64], ...]) -> NDArray[np.int64]:
    """The cell of each row in a table of several columns: ``codes`` below ``sizes``; nowhere where one is negative."""
    if len(sizes) != len(codes) or not sizes:
        raise BadNoise("A table has one size a column.")
    places = np.zeros(len(codes[0]), dtype=np.int64)
    nowhere = np.zeros(len(codes[0]), dtype=bool)
    for size, column in zip(sizes, codes, strict=True):
        if len(column) and int(column.max()) >= size:
            raise BadNoise("A row lies in a cell that was not published.")
        nowhere |= column < 0
        places = places * size + column
    return np.where(nowhere, -1, places)
