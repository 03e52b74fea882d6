"""Columns as distinct values and codes: a conversion is computed once a value, not once a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]


class Vector:
    """``values`` (distinct) and, for each row, the place of its value; ``codes`` is ``None`` for a constant.

    >>> Vector(["a", None], np.array([0, 1, 0])).map(lambda x: x and x.upper()).to_list(3)
    ['A', None, 'A']
    """

    __slots__ = ("_absent", "codes", "values")

    def __init__(self, values: Sequence[Any], codes: npt.NDArray[Any] | None) -> None:
        self.values = values
        self.codes = codes
        self._absent: Mask | None = None

    @classmethod
    def constant(cls, value: Any) -> Vector:
        """The same value in every row."""
        return cls([value], None)

    @classmethod
    def of(cls, rows: Sequence[Any]) -> Vector:
        """From one value a row."""
        return cls(rows, np.arange(len(rows)))

    def map(self, convert: Callable[[Any], Any]) -> Vector:
        """Every value converted."""
        return Vector([convert(value) for value in self.values], self.codes)

    def holds(self, rule: Callable[[Any], bool], size: int) -> Mask:
        """In which of ``size`` rows ``rule`` holds."""
        verdicts = np.fromiter((rule(value) for value in self.values), np.bool_, len(self.values))
        return np.full(size, verdicts[0]) if self.codes is None else verdicts[self.codes]

    def absent(self, size: int) -> Mask:
        """In which of ``size`` rows there is no value."""
        if self._absent is None or len(self._absent) != size:
            verdicts = np.array([value is None for value in self.values], np.bool_)
            self._absent = np.full(size, verdicts[0]) if self.codes is None else verdicts[self.codes]
        return self._absent

    def take(self, rows: Rows) -> Vector:
        """The rows at these places."""
        return self if self.codes is None else Vector(self.values, self.codes[rows])

    def to_list(self, size: int) -> list[Any]:
        """One value a row."""
        if self.codes is None:
            return [self.values[0]] * size
        held = np.empty(len(self.values), object)
        held[:] = self.values
        taken: list[Any] = held[self.codes].tolist()
        return taken

    def split(self) -> list[Vector]:
        """A vector of tuples as one vector a part."""
        return [Vector(list(part), self.codes) for part in zip(*self.values, strict=True)]


def combine(vectors: Sequence[Vector], size: int, join: Callable[..., Any]) -> Vector:
    """``join`` of the values of several vectors; constants and one varying vector stay by distinct value."""
    varying = [vector for vector in vectors if vector.codes is not None]
    if not varying:
        return Vector.constant(join(*(vector.values[0] for vector in vectors)))
    if all(vector.codes is varying[0].codes for vector in varying):
        codes, count = varying[0].codes, len(varying[0].values)
        parts = [v.values if v.codes is not None else [v.values[0]] * count for v in vectors]
        return Vector([join(*row) for row in zip(*parts, strict=True)], codes)
    return Vector.of([join(*row) for row in zip(*(vector.to_list(size) for vector in vectors), strict=True)])
