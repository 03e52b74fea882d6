"""A table on its way out: persons behind each entry, the figures that are told, margins at the end of each axis.

An array of a table with axes of d1 … dn levels has the shape (d1+1, …, dn+1): the last place of an axis is its total,
whether totals are told or not. Places are tuples of indices.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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


def tally(
    name: str,
    axes: Mapping[str, Sequence[str]],
    persons: Any,
    where: Any,
    *,
    margins: bool = True,
    hospitals: int | None = None,
) -> ReleaseTable:
    """A table of rows and of the distinct persons behind them: ``persons`` (n codes), ``where`` (axes × n indices).

    Figures are rows; persons of a margin are counted once, however many entries they stand in.
    """
    levels, shape, at = _laid_out(axes, where, np.asarray(persons).size)
    behind, rows = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    who, count = _dense(np.asarray(persons))
    for flat in _margins_of_rows(at, shape):
        key = np.sort(flat * count + who)
        first = np.r_[True, key[1:] != key[:-1]] if key.size else np.zeros(0, dtype=np.bool_)
        behind += np.bincount(key[first] // count, minlength=behind.size).reshape(shape)
        rows += np.bincount(flat, minlength=behind.size).reshape(shape)
    return ReleaseTable(name, levels, behind, rows.astype(np.float64), "count", margins, hospitals=hospitals)


def sum_table(
    name: str,
    axes: Mapping[str, Sequence[str]],
    values: Any,
    where: Any,
    *,
    persons: Any = None,
    kind: str = "sum",
    top: int = 2,
    margins: bool = True,
) -> ReleaseTable:
    """A table of sums, or of means over persons: ``values`` (n), ``where`` (axes × n level indices).

    ``persons``: whose each value is (n codes); left out, each is of another person. What a person brings to an entry is
    the sum there; the ``top`` largest of these, by size, are found for each entry and margin.
    """
    number = np.asarray(values, dtype=np.float64)
    levels, shape, at = _laid_out(axes, where, number.size)
    who, count = _dense(np.arange(number.size) if persons is None else np.asarray(persons))
    behind, sums = np.zeros(shape, dtype=np.int64), np.zeros(shape)
    magnitude, largest = np.zeros(shape), np.zeros((*shape, top))
    for flat in _margins_of_rows(at, shape):
        entry, brought = _brought(flat * count + who, number, count)
        size = np.abs(brought)
        behind += np.bincount(entry, minlength=behind.size).reshape(shape)
        sums += np.bincount(entry, brought, minlength=behind.size).reshape(shape)
        magnitude += np.bincount(entry, size, minlength=behind.size).reshape(shape)
        for r, (groups, most) in enumerate(_largest(entry, size, top)):
            largest.reshape(-1, top)[groups, r] = most
    figures = sums if kind == "sum" else np.divide(sums, behind, out=np.zeros(shape), where=behind > 0)
    return ReleaseTable(name, levels, behind, figures, kind, margins, largest, magnitude)


def _laid_out(axes: Mapping[str, Sequence[str]], where: Any, rows: int) -> tuple[tuple[Axis, ...], Place, Whole]:
    levels = tuple(Axis(axis, tuple(of)) for axis, of in axes.items())
    shape = tuple(len(axis.levels) + 1 for axis in levels)
    at: Whole = np.atleast_2d(np.asarray(where, dtype=np.int64))
    within = at.shape == (len(shape), rows) and all(
        not line.size or (line.min() >= 0 and line.max() < size - 1) for line, size in zip(at, shape, strict=True)
    )
    if not within:
        raise BadRelease("Every row has one of the levels on every axis.")
    return levels, shape, at


def _dense(persons: Any) -> tuple[Whole, int]:
    """Persons as small numbers, and how many of these there may be."""
    if persons.size and persons.dtype.kind in "iu" and int(persons.min()) >= 0 and int(persons.max()) < 2**40:
        return persons.astype(np.int64), int(persons.max()) + 1
    order = np.argsort(persons, kind="stable")
    ordered = persons[order]
    number = np.zeros(persons.size, dtype=np.int64)
    if persons.size:
        number[order] = np.cumsum(np.r_[False, ordered[1:] != ordered[:-1]])
    return number, max(1, int(number.max(initial=0)) + 1)


def _margins_of_rows(at: Whole, shape: Place) -> Iterator[Whole]:
    """The flat entry of every row, once for each choice of axes that are summed over."""
    for bits in range(2 ** len(shape)):
        level = [np.full(at.shape[1], shape[a] - 1) if bits >> a & 1 else at[a] for a in range(len(shape))]
        yield np.ravel_multi_index(tuple(level), shape).astype(np.int64)


def _brought(key: Whole, values: Numbers, count: int) -> tuple[Whole, Numbers]:
    """Entry and sum of each person in each entry."""
    if not key.size:
        return key, values
    order = np.argsort(key)
    ordered = key[order]
    first = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    return ordered[first] // count, np.add.reduceat(values[order], first)


def _largest(groups: Whole, sizes: Numbers, top: int) -> Iterator[tuple[Whole, Numbers]]:
    """The groups that have a first, second … largest element, and that element; ``groups`` ascend."""
    if not groups.size:
        return
    sizes, starts = sizes.copy(), np.flatnonzero(np.r_[True, groups[1:] != groups[:-1]])
    lengths, named = np.diff(np.r_[starts, groups.size]), groups[starts]
    for _ in range(top):
        most = np.maximum.reduceat(sizes, starts)
        yield named[most >= 0], most[most >= 0]
        hits = np.flatnonzero(sizes == np.repeat(most, lengths))
        first = hits[np.r_[True, groups[hits[1:]] != groups[hits[:-1]]]]
        sizes[first] = -1.0
