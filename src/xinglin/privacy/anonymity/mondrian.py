"""Classes of a table: the columns in codes, cut by one of the two engines."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import msgspec
import numpy as np

from xinglin.kernel.limits import Limit
from xinglin.privacy.anonymity import reference
from xinglin.privacy.anonymity.coding import Coded, Layout, layout_of, matrix_of
from xinglin.privacy.anonymity.errors import TooFewPersons, Unreachable
from xinglin.privacy.anonymity.model import Array, Rules
from xinglin.privacy.anonymity.rulebook import Shown, book_of, persons_showing

Engine = Literal["compiled", "reference"]
CUTS_TRIED = Limit("cuts of a group that are held against the rules", 64, "cuts")
"""The best cuts by the loss they save; a group none of whose best cuts holds is a class."""
_PARALLEL_ROWS = 200_000
_SUPPRESSED, _LATER = 2, 3


class Classes(msgspec.Struct, frozen=True):
    """``order``: the kept rows of the table, class after class; ``starts``: where each class begins in it;
    ``low`` and ``high``: the lowest and highest code of each class in each column (classes × columns)."""

    order: Array
    starts: Array
    low: Array
    high: Array

    def of_rows(self, rows: int) -> Array:
        """Class of each row of the table, int32; -1 where it was suppressed."""
        classes = np.full(rows, -1, dtype=np.int32)
        ends = np.append(self.starts[1:], len(self.order))
        classes[self.order] = np.repeat(np.arange(len(self.starts), dtype=np.int32), ends - self.starts)
        return classes


def cut_into_classes(
    coded: Sequence[Coded],
    rules: Rules,
    shown: Shown,
    persons: Array | None = None,
    whole: Array | None = None,
    matrix: Array | None = None,
    engine: Engine = "compiled",
    cores: int = 2,
) -> Classes:
    """Cut a table as finely as the rules allow.

    ``coded``: the columns that lead to a person; ``shown``: the sensitive ones; ``persons``: int64 code of
    the person of each row, None where each row is its own person; ``whole``: persons who show each sensitive
    value in the table that t is measured against, where this is a part of it; ``matrix``: ``matrix_of(coded)``
    where it is there already; ``cores``: how many threads cut a large table (the classes are the same).

    Guarantee: every class holds every rule (k persons; l and t of each sensitive column, in persons); the
    classes depend on what the rows hold, not on their order; both engines give the same ones. Raises
    ``TooFewPersons`` and ``Unreachable``.
    """
    everybody = persons_showing(shown, persons) if whole is None else whole
    book = book_of(rules, shown, everybody)
    codes = matrix_of(coded, len(shown.codes)) if matrix is None else matrix
    if persons is not None and len(np.unique(persons)) == len(persons):
        persons = None
    table = reference.Table(codes, persons, shown.codes, layout_of(coded), book)
    _check_whole(table, rules)
    allowance = int(rules.suppression * len(codes))
    if engine == "reference":
        classes, _ = reference.cut_table(table, allowance, CUTS_TRIED.value)
        return classes_of(classes, codes)
    return _cut_compiled(table, allowance, cores)


def _check_whole(table: reference.Table, rules: Rules) -> None:
    everybody = np.arange(len(table.codes))
    found = len(everybody) if table.persons is None else len(np.unique(table.persons))
    if found < rules.k:
        raise TooFewPersons(rules.k)
    if table.shown.shape[1] and not reference.holds(table, everybody):
        raise Unreachable(
            "Even the whole table as one class does not hold what is asked of a sensitive column.",
            why="It shows too few values, or shares them too unevenly.",
            remedy="Ask for a smaller l or a larger t, or leave the column out.",
        )


def _cut_compiled(table: reference.Table, allowance: int, cores: int) -> Classes:
    from xinglin.privacy.anonymity import compiled

    many = len(table.codes)
    # Rows of a person stand together and cuts keep their order, so that persons are counted by looking back one row.
    order = np.arange(many) if table.persons is None else np.argsort(table.persons, kind="stable")
    keyed = np.empty(0, dtype=np.int64) if table.persons is None else table.persons[order].astype(np.int64)
    by_person = table.persons is not None
    rows, words = _in_words(table.codes, order if by_person else None)
    shown = np.ascontiguousarray(table.shown[order] if by_person else table.shown.copy(), dtype=np.int32)
    edge = np.zeros(many, dtype=np.int8)
    every = by_person or shown.shape[1] > 0
    widest = int(table.book.sizes.max(initial=1))
    shape, book = _shape(table.layout), tuple(getattr(table.book, name) for name in table.book.__struct_fields__)

    def cut(begin: int, end: int, allowed: int, stop: int) -> None:
        settings = (every, CUTS_TRIED.value, stop, allowed, widest)
        compiled.cut_table(rows, words, order, keyed, shown, edge, (begin, end), settings, shape, book)

    if many < _PARALLEL_ROWS or cores < 2 or allowance:
        cut(0, many, allowance, 0)
    else:
        cut(0, many, 0, many // (8 * cores))
        later = np.flatnonzero(edge == _LATER)
        borders = np.append(np.flatnonzero(edge), many)
        ends = borders[np.searchsorted(borders, later, side="right")]
        with ThreadPoolExecutor(cores) as pool:
            list(pool.map(lambda part: cut(int(part[0]), int(part[1]), 0, 0), zip(later, ends, strict=True)))
    borders = np.flatnonzero(edge)
    stays = edge[borders] != _SUPPRESSED
    if not stays.all():
        here = np.repeat(stays, np.diff(np.append(borders, many)))
        order, rows, lengths = order[here], rows[here], np.diff(np.append(borders, many))[stays]
        borders = np.cumsum(np.append(0, lengths))[:-1]
    return with_bounds(order, borders, rows[:, : table.codes.shape[1]])


def _in_words(codes: Array, order: Array | None) -> tuple[Array, Array]:
    """A copy of the rows of codes (in ``order``), each filled up to whole words of eight bytes, and those words."""
    a_word = 8 // codes.itemsize
    rows = np.zeros((len(codes), -(-codes.shape[1] // a_word) * a_word), dtype=codes.dtype)
    rows[:, : codes.shape[1]] = codes if order is None else codes[order]
    return rows, rows.view(np.uint64)


def classes_of(groups: Sequence[Array], matrix: Array) -> Classes:
    """Groups of rows as classes, in the order in which they are given. ``matrix``: the codes of every row."""
    order = np.concatenate(groups)
    return with_bounds(order, np.cumsum([0, *(len(rows) for rows in groups[:-1])]), matrix[order])


def with_bounds(order: Array, starts: Array, rows: Array) -> Classes:
    """Classes with the bounds of their codes. ``rows``: the codes of the rows in ``order``."""
    low = np.minimum.reduceat(rows, starts, axis=0).astype(np.int64)
    high = np.maximum.reduceat(rows, starts, axis=0).astype(np.int64)
    return Classes(order, starts, low, high)


def _shape(layout: Layout) -> tuple[Array, Array, Array]:
    """The layout in few arrays, which is cheaper to hand from function to function: columns, nodes, places."""
    names = ("kind", "size", "missing", "weight", "depth", "tree", "line")
    columns = np.column_stack([getattr(layout, name) for name in names])
    return columns, np.column_stack([layout.first, layout.last, layout.cost]), layout.place
