"""Columns as whole numbers: a code a value, in an order in which every node of a hierarchy is a range.

A *tree* column is cut along its hierarchy, a *line* column (numbers, dates, leaves in order) between
neighbours. A missing value has a code of its own: in a tree a leaf right under the top, on a line the
last code, which lies beside the line.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np

from xinglin.privacy.anonymity.errors import BadColumns, UnknownLevel
from xinglin.privacy.anonymity.hierarchy import TOP, Hierarchy
from xinglin.privacy.anonymity.model import LEVELS, Array, Columns, Quasi

TREE, LINE = 0, 1
_SHARING_ROWS = 2048
SCALE = 1 << 20
"""What losing a column of weight 1 altogether costs a row, in the whole numbers that cuts are compared in."""


class Coded(msgspec.Struct, frozen=True):
    """One column in codes. ``codes``: int32, a row each; ``size``: how many codes there are.

    ``first`` and ``last`` (tree: size × depth, from the top to the leaf) say which range of codes lies
    under each node; ``place`` (line: int64, 0 … SCALE) where a value lies; ``labels`` what a node or value
    is called: for a tree a row a level from the top, for a line one row. ``missing``: its code, or -1.
    """

    name: str
    kind: int
    codes: Array
    size: int
    missing: int
    first: Array
    last: Array
    place: Array
    labels: tuple[Array, ...]
    quasi: Quasi


def column_of(columns: Columns, name: str, rows: int) -> Array:
    """The column ``name`` as a flat array of ``rows``, else ``BadColumns``."""
    if name not in columns:
        raise BadColumns(f"The table has no column '{name}'.", remedy="Name columns that the table has.")
    column = np.asarray(columns[name])
    if column.ndim != 1 or len(column) != rows:
        raise BadColumns(f"The column '{name}' is not as long as the table.", remedy="Hand in columns of equal length.")
    if column.dtype.kind not in "biufOU":
        raise BadColumns(
            f"The column '{name}' is of a type that is not read here.",
            remedy="Hand in int64, float64 or object arrays of texts; dates as days since 1970-01-01.",
        )
    return column


def rows_of(columns: Columns) -> int:
    """How many rows the table has."""
    if not columns:
        raise BadColumns("A table without columns.", remedy="Hand in at least one column.")
    return len(next(iter(columns.values())))


def code_column(columns: Columns, quasi: Quasi, domain: Array | None = None) -> Coded:
    """One column in codes. ``domain``: every value of the whole table, where ``columns`` are a part of it."""
    column = column_of(columns, quasi.name, rows_of(columns))
    if column.dtype.kind in "OU" and not _is_numbers(column):
        if quasi.hierarchy is not None:
            return _code_by_hierarchy(column, quasi, quasi.hierarchy)
        if quasi.recode == "interval":
            raise BadColumns(
                f"The text column '{quasi.name}' has no order to make intervals in.",
                remedy="Give it a hierarchy (its leaves are the order), or recode to nodes.",
            )
        values = _sorted_texts(_objects(column if domain is None else domain)[0])
        return _code_by_hierarchy(column, quasi, _flat(values))
    if quasi.hierarchy is not None and quasi.recode == "node":
        return _code_by_hierarchy(column, quasi, quasi.hierarchy)
    return _code_numbers(column.astype(np.float64) if column.dtype.kind == "O" else column, quasi, domain)


def _flat(values: Sequence[str]) -> Hierarchy:
    """Every value right under a top that is none of them."""
    top = TOP
    while top in values:
        top += TOP
    return Hierarchy(tuple((value, top) for value in values) or ((top, top),))


def code_values(column: Array) -> tuple[Array, Array, int]:
    """Codes of any column in the order of its values: (codes int32, values, code of missing or -1).

    ``values`` holds no missing one; its code is the last.
    """
    if column.dtype.kind in "OU":
        shared = _objects(column)
        values = _sorted_texts(shared[0])
        lookup: dict[Any, int] = {value: code for code, value in enumerate(values)}
        codes, missing = _look_up(shared, lookup, len(values))
        return codes, np.array(values, dtype=object), missing
    return _ranks(column, None)


def _is_numbers(column: Array) -> bool:
    """Whether an object column holds numbers only (as pandas gives whole numbers with gaps)."""
    if column.dtype.kind != "O":
        return False
    first = next((value for value in column if value is not None), None)
    return isinstance(first, int | float) and all(isinstance(value, int | float | None) for value in column)


def _sorted_texts(objects: Sequence[Any]) -> list[str]:
    values = set(objects)
    values.discard(None)
    if not all(isinstance(value, str) for value in values):
        raise BadColumns("A column of texts holds what is no text.", remedy="Hand in texts and None, or numbers.")
    LEVELS.check(len(values))
    return sorted(values)


def _objects(column: Array) -> tuple[list[Any], Array | None]:
    """The objects of a column, each once where many rows share them, and which of them each row holds.

    Columns that come from a dictionary hold few objects many times; those are told apart by where they lie.
    """
    if column.dtype.kind != "O" or len(column) < _SHARING_ROWS:
        return column.tolist(), None
    places = np.frombuffer(column.tobytes(), dtype=np.intp)
    if len(np.unique(places[:_SHARING_ROWS])) > _SHARING_ROWS * 3 // 4:
        return column.tolist(), None
    from xinglin.privacy.anonymity.grouping import group_rows

    groups, firsts = group_rows(places.reshape(-1, 1))
    return column[firsts].tolist(), groups


def _look_up(shared: tuple[list[Any], Array | None], lookup: dict[Any, int], missing: int) -> tuple[Array, int]:
    """Codes of what ``_objects`` gave by a table of values; None is ``missing``. KeyError where it lacks a value."""
    table = {**lookup, None: missing}
    objects, groups = shared
    codes = np.fromiter(map(table.__getitem__, objects), dtype=np.int32, count=len(objects))
    gone = bool(len(codes)) and int(codes.max()) == missing
    return codes if groups is None else codes[groups], missing if gone else -1


def _code_by_hierarchy(column: Array, quasi: Quasi, hierarchy: Hierarchy) -> Coded:
    paths, lookup = _paths(hierarchy)
    try:
        if column.dtype.kind in "OU":
            codes, missing = _look_up(_objects(column), lookup, len(paths))
        else:
            ranks, values, gone = _ranks(column, None)
            table = [lookup[_plain(value)] for value in values.tolist()] + [len(paths)]
            codes, missing = np.array(table, dtype=np.int32)[ranks], len(paths) if gone >= 0 else -1
    except KeyError:
        present = {_plain(value) for value in column.tolist() if not _is_missing(value)}
        raise UnknownLevel(quasi.name, len(present - set(lookup))) from None
    size = len(paths) + (missing >= 0)
    if quasi.recode == "interval":
        place = _spread(np.arange(len(paths), dtype=np.float64), size)
        names = np.array([path[0] for path in paths], dtype=object)
        return _line(quasi, codes, size, missing, place, names)
    first, last, labels = _ranges(hierarchy, size)
    none = np.empty(0, dtype=np.int64)
    return Coded(quasi.name, TREE, codes, size, missing, first, last, none, labels, quasi)


def _is_missing(value: object) -> bool:
    return value is None or value != value


def _plain(value: object) -> str:
    """A value as a hierarchy writes it: whole numbers without a point."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


@lru_cache(maxsize=128)
def _paths(hierarchy: Hierarchy) -> tuple[tuple[tuple[str, ...], ...], dict[str, int]]:
    """The lines of a hierarchy in order, and the place of each value among them."""
    paths = hierarchy.ordered()
    return paths, {path[0]: code for code, path in enumerate(paths)}


@lru_cache(maxsize=128)
def _ranges(hierarchy: Hierarchy, size: int) -> tuple[Array, Array, tuple[Array, ...]]:
    """The range of codes under each node on the way from the top to each leaf, and the labels."""
    paths = _paths(hierarchy)[0]
    depth, leaves = len(paths[0]), len(paths)
    first, last = np.zeros((size, depth), dtype=np.int32), np.zeros((size, depth), dtype=np.int32)
    labels = np.full((depth, size), None, dtype=object)
    begins: dict[tuple[str, ...], int] = {}
    for code, path in enumerate(paths):
        for level in range(depth):
            first[code, level] = begins.setdefault(path[depth - 1 - level :], code)
            labels[level, code] = path[depth - 1 - level]
    for level in range(depth):
        changes = np.flatnonzero(np.diff(first[:leaves, level], append=-1))
        last[:leaves, level] = changes[np.searchsorted(changes, np.arange(leaves))]
    if size > leaves:
        first[leaves], last[leaves] = leaves, leaves
        labels[0, leaves] = paths[0][-1]
    last[:, 0], first[:, 0] = size - 1, 0
    first.flags.writeable = last.flags.writeable = labels.flags.writeable = False
    return first, last, tuple(labels)


def _code_numbers(column: Array, quasi: Quasi, domain: Array | None) -> Coded:
    if column.dtype.kind == "f" and np.isinf(column).any():
        raise BadColumns(f"The column '{quasi.name}' holds infinities.", remedy="Replace them by missing values.")
    codes, values, missing = _ranks(column, domain)
    size = len(values) + (missing >= 0)
    return _line(quasi, codes, size, missing, _spread(values.astype(np.float64), size), values)


def _ranks(column: Array, domain: Array | None) -> tuple[Array, Array, int]:
    gone = np.isnan(column) if column.dtype.kind == "f" else None
    absent = gone is not None and bool(gone.any())
    present = column[~gone] if absent and gone is not None else column
    if present.dtype.kind in "bu":
        present = present.astype(np.int64)
    if domain is not None:
        values, ranks = domain, np.searchsorted(domain, present)
    else:
        values, ranks = _distinct(present)
    LEVELS.check(len(values))
    if not absent or gone is None:
        return ranks.astype(np.int32), values, -1
    codes = np.full(len(column), len(values), dtype=np.int32)
    codes[~gone] = ranks
    return codes, values, len(values)


def _distinct(present: Array) -> tuple[Array, Array]:
    """Distinct values in order and the rank of each; whole numbers in a narrow range need no sorting."""
    if present.dtype.kind == "i" and len(present):
        low, width = int(present.min()), int(present.max()) - int(present.min()) + 1
        if width <= 4 * len(present) + 1024:
            there = np.zeros(width, dtype=bool)
            there[present - low] = True
            values = np.flatnonzero(there)
            rank = np.zeros(width, dtype=np.int32)
            rank[values] = np.arange(len(values), dtype=np.int32)
            return values + low, rank[present - low]
    values, ranks = np.unique(present, return_inverse=True)
    return values, ranks


def _spread(values: Array, size: int) -> Array:
    """Where each value lies between the smallest (0) and the largest (SCALE), in whole numbers."""
    place = np.full(size, SCALE, dtype=np.int64)
    if len(values):
        width = float(values[-1]) - float(values[0])
        share = (values - values[0]) / width if width > 0 else np.zeros(len(values))
        place[: len(values)] = np.rint(share * SCALE).astype(np.int64)
    return place


def _line(quasi: Quasi, codes: Array, size: int, missing: int, place: Array, values: Array) -> Coded:
    none = np.empty((0, 0), dtype=np.int32)
    return Coded(quasi.name, LINE, codes, size, missing, none, none, place, (values,), quasi)


def matrix_of(coded: Sequence[Coded], rows: int) -> Array:
    """The columns' codes side by side, a row of the table a row: uint16 where every code fits, else int32."""
    narrow = max((one.size for one in coded), default=0) <= 2**16
    matrix = np.empty((rows, len(coded)), dtype=np.uint16 if narrow else np.int32)
    for j, one in enumerate(coded):
        matrix[:, j] = one.codes
    return matrix


class Layout(msgspec.Struct, frozen=True):
    """The columns side by side, flat, as both engines read them; a column has its entry in each array."""

    kind: Array
    size: Array
    missing: Array
    weight: Array
    depth: Array
    tree: Array
    first: Array
    last: Array
    line: Array
    place: Array
    cost: Array


def layout_of(coded: Sequence[Coded]) -> Layout:
    """The columns' shapes in flat arrays: ``tree`` and ``line`` say where a column's part begins.

    ``cost``: what a row under each node loses by showing the node, times the column's weight.
    """
    depth = [one.first.shape[1] if one.kind == TREE else 0 for one in coded]
    tree = np.cumsum([0, *(one.first.size for one in coded)])[:-1]
    line = np.cumsum([0, *(len(one.place) for one in coded)])[:-1]
    return Layout(
        np.array([one.kind for one in coded], dtype=np.int64),
        np.array([one.size for one in coded], dtype=np.int64),
        np.array([one.missing for one in coded], dtype=np.int64),
        np.array([one.quasi.weight for one in coded], dtype=np.int64),
        np.array(depth, dtype=np.int64),
        tree.astype(np.int64),
        _flat_int([one.first for one in coded]),
        _flat_int([one.last for one in coded]),
        line.astype(np.int64),
        _flat_int([one.place for one in coded]),
        _flat_int(
            [
                (one.last - one.first).astype(np.int64) * SCALE // max(one.size - 1, 1) * one.quasi.weight
                for one in coded
            ]
        ),
    )


def _flat_int(arrays: Sequence[Array]) -> Array:
    return np.concatenate([np.zeros(0, dtype=np.int64), *(array.ravel().astype(np.int64) for array in arrays)])
