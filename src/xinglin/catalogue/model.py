"""Descriptions of what is published: public, without a row, named by digest."""

from __future__ import annotations

import msgspec

from xinglin.kernel.canonical import canonical_digest
from xinglin.terms.grades import highest

ROLES = ("data", "person", "identifier")
"""A column of data; the key of the person; anything else that names a person (never in a study's view)."""

KINDS = ("number", "integer", "category", "boolean", "date", "instant", "text")
"""What a column holds. Dates and instants have no published range; free text is never exposed."""


class ColumnDescription(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One published column.

    ``unit``: UCUM code of a number, or empty. ``low`` and ``high``: the published range of a number,
    inclusive. ``levels``: every value of a category, in order. ``grade``: only where it is higher than
    the table's; empty means the table's.
    """

    name: str
    kind: str = "number"
    role: str = "data"
    unit: str = ""
    low: float | None = None
    high: float | None = None
    levels: tuple[str, ...] = ()
    grade: str = ""
    words: str = ""


class TableDescription(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One published table; ``patient_key`` names the column of role ``person``."""

    name: str
    columns: tuple[ColumnDescription, ...]
    patient_key: str
    grade: str = "L2"
    words: str = ""

    def column(self, name: str) -> ColumnDescription | None:
        """The column of that name, or ``None``."""
        return next((column for column in self.columns if column.name == name), None)

    def grade_of(self, name: str) -> str | None:
        """The grade of a column: the table's or its own, whichever is higher; ``None`` when unknown."""
        column = self.column(name)
        if column is None:
            return None
        return highest((self.grade, column.grade or self.grade))


class DataSetDescription(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one provider publishes under one name. Version 1; append-only.

    ``provider``: its DID. ``grade``: the lowest that any of its tables may have.
    """

    name: str
    provider: str
    title: str
    tables: tuple[TableDescription, ...]
    grade: str = "L2"
    version: int = 1

    def digest(self) -> str:
        """``sha256:…`` of the canonical bytes."""
        return canonical_digest(self)

    def table(self, name: str) -> TableDescription | None:
        """The table of that name, or ``None``."""
        return next((table for table in self.tables if table.name == name), None)

    def grade_of(self, table: str, column: str) -> str | None:
        """The grade of ``table.column``, never below the data set's; ``None`` when unknown."""
        found = self.table(table)
        own = found.grade_of(column) if found is not None else None
        return highest((self.grade, own)) if own is not None else None
