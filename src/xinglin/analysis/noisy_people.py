"""One vector a person: what several rows of one person come down to, before anything is added up.

Every function here treats each person's rows apart from everybody else's. That is what bounds what a person can change;
a float in here is that person's own and is rounded to the grid before two persons meet. Persons come in the order of
their codes, or of the rows where everybody has one: in which order does not matter to a sum.

Work goes through rows in blocks that stay in the processor's cache; a column that has all its values is not copied.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from xinglin.analysis.cells import Crossing
from xinglin.analysis.noisy import HALF, Whole
from xinglin.analysis.table import Column, Floats, Mask, Table

NOWHERE = -1
"""The place of a person who is in no cell."""

_HALF_BITS = HALF.bit_length() - 1

_BLOCK = 1 << 15
"""Rows at once: some columns of so many numbers fit the cache of a core."""

_COMPARED, _COMPARED_UNEVEN = 32, 128
"""Up to so many bins, comparing every value with every edge is quicker than finding its bin."""


def one_row_each(table: Table) -> bool:
    """Whether every person has one row: then rows are persons."""
    return table.n_persons == table.n_rows


def at_rows(table: Table, of_persons: Whole) -> Whole:
    """What holds of each person, at each of the person's rows; shape (n_rows,)."""
    return of_persons if one_row_each(table) else of_persons[table.persons]


def crossed(table: Table, crossing: Crossing) -> Whole:
    """The cell of each row, or ``NOWHERE`` where a value is missing; shape (n_rows,)."""
    columns = [table.columns[name] for name in crossing.columns]
    if any(column.dtype.kind != "i" for column in columns):
        return crossing.index(table).astype(np.int64)
    found = np.empty(table.n_rows, dtype=np.int64)
    for rows in blocks(table.n_rows):
        part, missing = found[rows], columns[0][rows] < 0
        part[:] = columns[0][rows]
        for column, size in zip(columns[1:], crossing.sizes[1:], strict=True):
            part *= size
            part += column[rows]
            missing |= column[rows] < 0
        part[missing] = NOWHERE
    return found


def first_place(table: Table, places: NDArray[np.int64], count: int) -> Whole:
    """The first cell, in published order, that any of the person's rows lies in; shape (n_persons,).

    ``places``: the cell of each row, 0 … ``count`` − 1, or ``NOWHERE``.
    """
    if one_row_each(table):
        return places
    found = np.full(table.n_persons, count, dtype=np.int64)
    inside = places >= 0
    if inside.all():
        np.minimum.at(found, table.persons, places)
    else:
        np.minimum.at(found, table.persons[inside], places[inside])
    found[found == count] = NOWHERE
    return found


def person_means(table: Table, column: Column, rows: Mask) -> tuple[Floats, Mask]:
    """The mean of each person's masked rows, clipped to the published range; and who has any. Shape (n_persons,)."""
    low, high = column.range()
    values, whose, every = table.columns[column.name], table.persons, bool(rows.all())
    if one_row_each(table):
        means = np.clip(values, low, high)
        return (means if every else np.where(rows, means, low)), rows
    if not every:
        values, whose = values[rows], whose[rows]
    counts = np.bincount(whose, minlength=table.n_persons)
    sums = np.bincount(whose, weights=np.clip(values, low, high), minlength=table.n_persons)
    someone = counts > 0
    means = np.divide(sums, counts, out=np.full(len(sums), low), where=someone)
    return np.clip(means, low, high, out=means), someone


def binned(values: Floats, among: Mask | None, column: Column, edges: Sequence[float]) -> Whole:
    """How many values, clipped to the published range, lie in each bin; a bin holds its lower edge, the last one both.

    ``among``: which of them count; where it is ``None``, those that are finite. Exact: where bins are equally wide a
    value's bin is computed and then held against the edges. Shape (len(edges) − 1,).
    """
    low, high = column.range()
    bins, lower = len(edges) - 1, np.asarray(edges[:-1])
    upper = np.array([*edges[1:-1], np.nextafter(edges[-1], np.inf)])
    scale = bins / (edges[-1] - edges[0])
    # Rounding never changes an order: computed within half a bin for each edge, no value is off by more than one bin.
    even = bins > _COMPARED and bool(np.all(np.abs((lower - edges[0]) * scale - np.arange(bins)) < 0.5))
    found = np.zeros(bins, dtype=np.int64)
    for rows in blocks(len(values)):
        part = values[rows]
        good = np.isfinite(part) if among is None else among[rows]
        part = np.clip(part if good.all() else part[good], low, high)
        if even:
            place = np.clip((part - edges[0]) * scale, 0, bins - 1).astype(np.int64)
            moved = place + (part >= upper[place])
            moved -= part < lower[place]
            found += np.bincount(moved + 1, minlength=bins + 2)[1:-1]
        elif bins <= _COMPARED_UNEVEN:
            reached = [*(np.count_nonzero(part >= edge) for edge in edges[:-1]), np.count_nonzero(part > edges[-1])]
            found -= np.diff(reached)
        else:
            place = np.searchsorted(upper, part, side="right")
            place[part < edges[0]] = bins
            found += np.bincount(place, minlength=bins + 1)[:-1]
    return found


def on_grid(values: Floats, column: Column) -> Whole:
    """Whole numbers −HALF … HALF: where a value lies between the ends of its published range. Same shape."""
    low, high = column.range()
    middle, half = (low + high) / 2.0, (high - low) / 2.0
    found = np.zeros(values.shape, dtype=np.int64)
    for rows in blocks(len(values) if half else 0):
        part = values[rows] - middle
        part /= half
        part *= HALF
        found[rows] = np.clip(np.rint(part, out=part), -HALF, HALF, out=part)
    return found


def halves(products: Whole) -> Whole:
    """Products of two places on the grid in units of ``HALF``, rounded down; ``products`` is used up. Same shape."""
    products >>= _HALF_BITS
    return products


def counted(places: Whole, length: int) -> Whole:
    """Persons in each cell; who is nowhere counts nowhere. Shape (length,)."""
    found = np.zeros(length + 1, dtype=np.int64)
    for rows in blocks(len(places)):
        found += np.bincount(places[rows] - NOWHERE, minlength=length + 1)
    return found[1:]


def summed(means: Floats, someone: Mask, home: Whole | None, column: Column, length: int) -> tuple[Whole, Whole, Whole]:
    """Persons, Σ of their places on the grid, and Σ of (place² − ½) in each cell, exactly; each of shape (length,).

    ``someone``: whose mean counts. ``home``: everybody's cell; where it is ``None``, all are in the one there is.
    """
    persons, sums, squares = (np.zeros(length, dtype=np.int64) for _ in range(3))
    for rows in blocks(len(means)):
        part, inside = means[rows], someone[rows]
        cells = home[rows] if home is not None else None
        if cells is not None:
            inside = inside & (cells >= 0)
        if not inside.all():
            part, cells = part[inside], cells[inside] if cells is not None else None
        grid = on_grid(part, column)
        centred = halves(grid * grid) - HALF // 2
        if cells is None:
            persons[0] += len(grid)
            sums[0] += grid.sum()
            squares[0] += centred.sum()
        else:
            persons += np.bincount(cells, minlength=length)
            np.add.at(sums, cells, grid)
            np.add.at(squares, cells, centred)
    return persons, sums, squares


def blocks(length: int) -> Iterator[slice]:
    """Slices of as many rows as are worked on at once."""
    return (slice(start, min(start + _BLOCK, length)) for start in range(0, length, _BLOCK))
