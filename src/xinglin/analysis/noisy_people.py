"""One vector a person: what several rows of one person come down to, before anything is added up.

Every function here treats each person's rows apart from everybody else's. That is what bounds what a person can change;
a float in here is that person's own and is rounded to the grid before two persons meet. Persons come in the order of
their codes, or of the rows where everybody has one: in which order does not matter to a sum.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xinglin.analysis.noisy import HALF, Whole
from xinglin.analysis.table import Column, Floats, Mask, Table

NOWHERE = -1
"""The place of a person who is in no cell."""


def one_row_each(table: Table) -> bool:
    """Whether every person has one row: then rows are persons."""
    return table.n_persons == table.n_rows


def at_rows(table: Table, of_persons: Whole) -> Whole:
    """What holds of each person, at each of the person's rows; shape (n_rows,)."""
    return of_persons if one_row_each(table) else of_persons[table.persons]


def first_place(table: Table, places: NDArray[np.int64], count: int) -> Whole:
    """The first cell, in published order, that any of the person's rows lies in; shape (n_persons,).

    ``places``: the cell of each row, 0 … ``count`` − 1, or ``NOWHERE``.
    """
    if one_row_each(table):
        return np.where(places >= 0, places, NOWHERE)
    found = np.full(table.n_persons, count, dtype=np.int64)
    inside = places >= 0
    np.minimum.at(found, table.persons[inside], places[inside])
    found[found == count] = NOWHERE
    return found


def person_means(table: Table, column: Column, rows: Mask) -> tuple[Floats, Mask]:
    """The mean of each person's masked rows, clipped to the published range; and who has any. Shape (n_persons,)."""
    low, high = column.range()
    if one_row_each(table):
        return np.where(rows, np.clip(table.columns[column.name], low, high), low), rows
    values = np.clip(table.columns[column.name][rows], low, high)
    whose = table.persons[rows]
    counts = np.bincount(whose, minlength=table.n_persons)
    sums = np.bincount(whose, weights=values, minlength=table.n_persons)
    someone = counts > 0
    means = np.clip(np.divide(sums, counts, out=np.full(len(sums), low), where=someone), low, high)
    return means, someone


def on_grid(values: Floats, column: Column) -> Whole:
    """Whole numbers −HALF … HALF: where a value lies between the ends of its published range. Same shape."""
    low, high = column.range()
    middle, half = (low + high) / 2.0, (high - low) / 2.0
    if not half:
        return np.zeros(values.shape, dtype=np.int64)
    return np.clip(np.rint((values - middle) / half * HALF), -HALF, HALF).astype(np.int64)


def counted(places: Whole, length: int) -> Whole:
    """Persons in each cell; who is nowhere counts nowhere. Shape (length,)."""
    return np.bincount(places - NOWHERE, minlength=length + 1)[1:].astype(np.int64)


def summed(places: Whole, amounts: Whole, length: int) -> Whole:
    """Σ of whole amounts of the persons in each cell, exactly. Shape (length,)."""
    inside = places >= 0
    if length == 1:
        return np.asarray([amounts[inside].sum()], dtype=np.int64)
    found = np.zeros(length, dtype=np.int64)
    np.add.at(found, places[inside], amounts[inside])
    return found
