"""The table that an admitted query gives, with the published domain of each of its columns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from xinglin.analysis.errors import BadTable, NoPublishedRange, UnknownColumn
from xinglin.kernel.limits import Limit

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]
Kind = Literal["number", "category", "boolean"]

COLUMNS = Limit("columns a table", 512, "columns")
LEVELS = Limit("levels a category", 1024, "levels")
_SLACK = 1e-9
"""Part of a range by which a value may lie outside it: a derived range is rounded, its values too."""


class Column(msgspec.Struct, frozen=True):
    """The published domain of one output column: what may be in it, never what is.

    ``low`` and ``high`` bound a number (``None``: no bound was published); ``integer`` says that it
    takes whole values only. ``levels`` are the values of a category, in their published order.
    """

    name: str
    kind: Kind
    low: float | None = None
    high: float | None = None
    levels: tuple[str, ...] = ()
    integer: bool = False

    def range(self) -> tuple[float, float]:
        """(low, high), finite and ordered; (0, 1) for a boolean. Raises ``NoPublishedRange``."""
        if self.kind == "boolean":
            return 0.0, 1.0
        low, high = self.low, self.high
        if self.kind != "number" or low is None or high is None or not low <= high or math.isinf(high - low):
            raise NoPublishedRange(
                f"The column {self.name!r} has no published range.",
                why="Exact sums are scaled by ranges that hospitals publish, never by the data.",
                remedy=f"Bound it in the query: LEAST(GREATEST({self.name}, low), high).",
            )
        return float(low), float(high)


Domain = tuple[Column, ...]


def column_of(domain: Domain, name: str) -> Column:
    """The column of that name; raises ``UnknownColumn`` naming those there are."""
    for column in domain:
        if column.name == name:
            return column
    known = ", ".join(c.name for c in domain[:20]) or "none"
    raise UnknownColumn(f"There is no column {name!r} in the data.", remedy=f"Columns: {known}.")


class Table(msgspec.Struct, frozen=True, eq=False):
    """Rows of one hospital, in the child that computes and nowhere else.

    ``columns``: by name, float64 of shape (n_rows,) with NaN for missing (numbers; booleans as 0 and
    1), or int64 codes into ``Column.levels`` with −1 for missing. ``persons``: int64 codes 0 … P−1 of
    shape (n_rows,): the same code is the same person. Build it with ``Table.of``.
    """

    columns: Mapping[str, NDArray[Any]]
    persons: Codes
    n_rows: int

    @classmethod
    def of(cls, domain: Domain, columns: Mapping[str, Any], persons: Any) -> Table:
        """A table checked against its domain; raises ``BadTable`` on a misfit of shape or type.

        ``persons`` may be any integers: they are recoded to 0 … P−1. Ranges are not checked here: a
        value outside its published range sets the overflow flag of a round (``in_range``).
        """
        COLUMNS.check(len(domain))
        given = np.asarray(persons)
        if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
            raise BadTable("Persons are a list of integer codes.")
        codes = np.unique(given, return_inverse=True)[1] if given.size else given
        arrays = {column.name: _array(column, columns, len(given)) for column in domain}
        return cls(arrays, codes.astype(np.int64), len(given))

    @classmethod
    def empty(cls, domain: Domain) -> Table:
        """The table of a hospital without a row."""
        return cls.of(domain, {column.name: () for column in domain}, np.zeros(0, dtype=np.int64))

    @property
    def n_persons(self) -> int:
        """How many distinct persons the rows are about."""
        return int(self.persons.max()) + 1 if self.n_rows else 0


def _array(column: Column, columns: Mapping[str, Any], rows: int) -> NDArray[Any]:
    if column.name not in columns:
        raise BadTable(f"The column {column.name!r} is missing from the answer of the query.")
    category = column.kind == "category"
    try:
        given = np.asarray(columns[column.name])
        # A code that is not a whole number is no code: refuse it rather than round it.
        if category and given.size and given.dtype.kind not in "iu":
            raise BadTable(f"The column {column.name!r} holds no level codes.")
        array = np.ascontiguousarray(given, dtype=np.int64 if category else np.float64)
    except (TypeError, ValueError) as error:
        raise BadTable(f"The column {column.name!r} is not {column.kind}.") from error
    if array.shape != (rows,):
        raise BadTable(f"The column {column.name!r} has another number of rows than there are persons' codes.")
    if category and rows and (array.min() < -1 or array.max() >= len(column.levels)):
        raise BadTable(f"The column {column.name!r} holds a code without a level.")
    return array


def present(table: Table, name: str) -> Mask:
    """Which rows have a value in this column; an infinity counts as missing. Shape (n_rows,)."""
    values = table.columns[name]
    return values >= 0 if values.dtype.kind == "i" else np.isfinite(values)


def complete_cases(table: Table, names: tuple[str, ...]) -> Mask:
    """Which rows have a value in every one of these columns. Shape (n_rows,)."""
    mask = np.ones(table.n_rows, dtype=np.bool_)
    for name in names:
        mask &= present(table, name)
    return mask


def in_range(table: Table, column: Column, mask: Mask) -> bool:
    """Whether every masked value lies in its published range (with 1e-9 of the range to spare)."""
    if column.kind == "category":
        return True
    low, high = column.range()
    values = table.columns[column.name][mask]
    if not values.size:
        return True
    slack = _SLACK * max(high - low, abs(low), abs(high))
    return bool(values.min() >= low - slack and values.max() <= high + slack)


def select(table: Table, mask: Mask, names: tuple[str, ...]) -> Table:
    """The masked rows of these columns; persons keep their codes. The table itself when all are masked."""
    if mask.all():
        return table
    columns = {name: table.columns[name][mask] for name in names}
    return Table(columns, table.persons[mask], int(np.count_nonzero(mask)))
