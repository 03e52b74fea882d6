"""A table on its way out: persons behind each entry, the figures that are told, margins at the end of each axis.

An array of a table with axes of d1 … dn levels has the shape (d1+1, …, dn+1): the last place of an axis is its total,
whether totals are told or not. Places are tuples of indices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from xinglin.kernel.limits import Limit
from xinglin.privacy.packs.errors import BadRelease

ENTRIES = Limit("entries of a released table", 65_536, "entries")
AXES = Limit("axes of a released table", 6, "axes")
KINDS = ("count", "sum", "mean")

Place = tuple[int, ...]
Numbers = NDArray[np.float64]
Whole = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Axis(msgspec.Struct, frozen=True):
    """One variable of a table and its levels, in order."""

    name: str
    levels: tuple[str, ...]


class ReleaseTable(msgspec.Struct, frozen=True, eq=False):
    """A table of counts, sums or means that has not left yet.

    ``persons``: distinct persons behind every entry, margins included. ``figures``: what is to be told (for counts the
    counts themselves, of rows or of persons). ``additive``: inner figures of a count or sum add up to the margins.
    ``largest``: at each entry the largest contributions of single persons, descending, in a last dimension; for sums
    and means. ``magnitude``: sum of the absolute contributions there. ``margins``: whether totals are told.
    ``marks``: a 64-bit digest of who stands in each entry, so that noise is the same for the same persons.
    """

    name: str
    axes: tuple[Axis, ...]
    persons: Whole
    figures: Numbers
    kind: str = "count"
    margins: bool = True
    largest: Numbers | None = None
    magnitude: Numbers | None = None
    hospitals: int | None = None
    marks: NDArray[np.uint64] | None = None

    def __post_init__(self) -> None:
        AXES.check(len(self.axes))
        shape = tuple(len(axis.levels) + 1 for axis in self.axes)
        if not shape or min(shape) < 2 or self.kind not in KINDS:
            raise BadRelease("A table has axes with levels, and tells counts, sums or means.")
        ENTRIES.check(int(np.prod(shape)))
        arrays = (self.persons, self.figures, self.magnitude, self.marks)
        if any(array is not None and array.shape != shape for array in arrays):
            raise BadRelease("Every array of a table has a place for each level and one for the total of each axis.")
        if self.largest is not None and self.largest.shape[:-1] != shape:
            raise BadRelease("Largest contributions are told at each entry.")
        if self.persons.min() < 0 or (self.kind == "count" and self.figures.min() < 0):
            raise BadRelease("A count is not negative.")

    @property
    def shape(self) -> tuple[int, ...]:
        """Levels of each axis, its total included."""
        return tuple(self.persons.shape)

    def told(self) -> Flags:
        """The entries that are meant to be told: all, or without the margins."""
        flags = np.ones(self.shape, dtype=np.bool_)
        if not self.margins:
            flags &= inner(self.shape)
        return flags

    def label(self, place: Place) -> str:
        """An entry in words: level by level, ``total`` for a margin."""
        parts = []
        for axis, index in zip(self.axes, place, strict=True):
            level = axis.levels[index] if index < len(axis.levels) else "total"
            parts.append(f"{axis.name}={level}")
        return ", ".join(parts)


def inner(shape: Sequence[int]) -> Flags:
    """The entries that are no margin."""
    flags = np.zeros(tuple(shape), dtype=np.bool_)
    flags[tuple(slice(0, -1) for _ in shape)] = True
    return flags


def with_margins(cells: Any) -> NDArray[Any]:
    """An array of inner entries with the sums of every axis at its end."""
    array = np.asarray(cells)
    for axis in range(array.ndim):
        array = np.concatenate([array, array.sum(axis=axis, keepdims=True)], axis=axis)
    return array


def count_table(
    name: str,
    axes: Mapping[str, Sequence[str]],
    counts: Any,
    *,
    persons: Any = None,
    margins: bool = True,
    hospitals: int | None = None,
) -> ReleaseTable:
    """A table of counts from its inner entries; margins are their sums.

    ``persons``: with margins, where persons stand in several entries; left out, the counts are the persons.

    >>> count_table("sex", {"sex": ["f", "m"]}, [12, 30]).figures.tolist()
    [12.0, 30.0, 42.0]
    """
    full = with_margins(np.asarray(counts, dtype=np.int64))
    behind = full if persons is None else np.asarray(persons, dtype=np.int64)
    levels = tuple(Axis(axis, tuple(of)) for axis, of in axes.items())
    return ReleaseTable(name, levels, behind, full.astype(np.float64), "count", margins, hospitals=hospitals)


def sum_table(
    name: str,
    axes: Mapping[str, Sequence[str]],
    values: Any,
    where: Any,
    *,
    kind: str = "sum",
    top: int = 2,
    margins: bool = True,
) -> ReleaseTable:
    """A table of sums or means from one value a person: ``values`` (n), ``where`` (axes × n level indices).

    The ``top`` largest contributions of each entry and margin are found here.
    """
    levels = tuple(Axis(axis, tuple(of)) for axis, of in axes.items())
    shape = tuple(len(axis.levels) + 1 for axis in levels)
    number, at = np.asarray(values, dtype=np.float64), np.atleast_2d(np.asarray(where, dtype=np.int64))
    if at.shape != (len(shape), number.size):
        raise BadRelease("Every person has a level on every axis.")
    persons, sums = np.zeros(shape, dtype=np.int64), np.zeros(shape)
    magnitude, largest = np.zeros(shape), np.zeros((*shape, top))
    order = np.argsort(-np.abs(number), kind="stable")
    number, at = number[order], at[:, order]
    for bits in range(2 ** len(shape)):
        level = [np.full(number.size, shape[a] - 1) if bits >> a & 1 else at[a] for a in range(len(shape))]
        flat = np.ravel_multi_index(tuple(level), shape)
        persons += np.bincount(flat, minlength=persons.size).reshape(shape)
        sums += np.bincount(flat, number, minlength=persons.size).reshape(shape)
        magnitude += np.bincount(flat, np.abs(number), minlength=persons.size).reshape(shape)
        rank = _rank_within(flat)
        for r in range(top):
            chosen = rank == r
            largest.reshape(-1, top)[flat[chosen], r] = np.abs(number[chosen])
    figures = sums if kind == "sum" else np.divide(sums, persons, out=np.zeros(shape), where=persons > 0)
    return ReleaseTable(name, levels, persons, figures, kind, margins, largest, magnitude)


def _rank_within(groups: Whole) -> Whole:
    """The place of each element among those of its group, in the order given."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    lengths = np.diff(np.r_[starts, ordered.size])
    rank = np.empty(groups.size, dtype=np.int64)
    rank[order] = np.arange(groups.size) - np.repeat(starts, lengths)
    return rank
