"""The canonical tables: one row a fact, standard codes beside the source's own.

A column has a *kind*; a kind stands for one or more *physical* columns of the Delta table:

===========  ==========================================================================================
kind         physical columns of ``x``
===========  ==========================================================================================
``text``     ``x`` (string); also ``integer``, ``number`` (double), ``boolean``, ``instant`` (timestamp, ms, UTC)
``date``     ``x`` (date32: the first day that is meant) and ``x_precision`` (year, month or day)
``time``     ``x`` (timestamp, ms, UTC: the first instant that is meant), ``x_precision`` (year … millisecond)
             and ``x_zone`` (``+08:00``; empty where the source gave none and the node's zone was taken)
``concept``  ``x`` (standard code), ``x_system`` (its URI), ``x_source``, ``x_source_system``,
             ``x_source_text`` (what the source wrote) and ``x_loss`` (what translation did: equivalent,
             wider, narrower, related, unmapped)
``coded``    ``x`` and ``x_system``: a code kept as the source gave it
===========  ==========================================================================================

Every table also has the columns of ``SYSTEM_COLUMNS``: which fact, which version of it, and where it came
from. Version 1; append-only: a column is added at the end, never renamed.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal["text", "integer", "number", "boolean", "instant", "date", "time", "concept", "coded"]
Role = Literal["data", "fact", "person", "identifier", "system"]
Physical = Literal["text", "integer", "number", "boolean", "date", "instant"]

FORMAT = 1


class PhysicalColumn(msgspec.Struct, frozen=True):
    """One stored column: its name, what it holds, and the logical column that it is part of."""

    name: str
    holds: Physical
    part_of: str


class CanonicalColumn(msgspec.Struct, frozen=True):
    """One logical column; ``role`` is ``identifier`` where it names a person or may (never in a study's view)."""

    name: str
    kind: Kind = "text"
    words: str = ""
    role: Role = "data"

    def physical(self) -> tuple[PhysicalColumn, ...]:
        """The stored columns, in order.

        >>> [column.name for column in CanonicalColumn("birth_date", "date").physical()]
        ['birth_date', 'birth_date_precision']
        """
        holds, suffixes = _PARTS[self.kind]
        first = PhysicalColumn(self.name, holds, self.name)
        return (first, *(PhysicalColumn(f"{self.name}_{suffix}", "text", self.name) for suffix in suffixes))


_PARTS: dict[Kind, tuple[Physical, tuple[str, ...]]] = {
    "text": ("text", ()),
    "integer": ("integer", ()),
    "number": ("number", ()),
    "boolean": ("boolean", ()),
    "instant": ("instant", ()),
    "date": ("date", ("precision",)),
    "time": ("instant", ("precision", "zone")),
    "concept": ("text", ("system", "source", "source_system", "source_text", "loss")),
    "coded": ("text", ("system",)),
}


class CanonicalTable(msgspec.Struct, frozen=True):
    """A canonical table: its logical columns after the system columns, and how its facts are taken back.

    ``status``: the column whose words of ``TAKEN_BACK`` hide a fact from current views; empty where there is none.
    ``of_person``: rows belong to a person (column ``patient``).
    """

    name: str
    words: str
    columns: tuple[CanonicalColumn, ...]
    status: tuple[str, ...] = ("status",)
    of_person: bool = True

    def physical(self) -> tuple[PhysicalColumn, ...]:
        """Every stored column of the table, the system columns first."""
        chosen = SYSTEM_COLUMNS if self.of_person else tuple(c for c in SYSTEM_COLUMNS if c.name != "patient")
        return tuple(part for column in (*chosen, *self.columns) for part in column.physical())


TAKEN_BACK = ("entered-in-error", "refuted", "cancelled", "nullified", "deleted")
"""Words of a status under which a fact no longer holds."""

SYSTEM_COLUMNS = (
    CanonicalColumn("id", "text", "the fact: the same for every version of it", "fact"),
    CanonicalColumn("patient", "text", "the person's key as the source gave it (patient.id)", "person"),
    CanonicalColumn("version_at", "instant", "what orders versions: when the source last changed the fact", "system"),
    CanonicalColumn(
        "partial", "boolean", "the version tells only the columns it fills; others stay as they were", "system"
    ),
    CanonicalColumn("cleared", "text", "columns that a partial version empties, separated by spaces", "system"),
    CanonicalColumn("recorded_at", "instant", "when this node committed the row", "system"),
    CanonicalColumn("batch", "integer", "the ingest batch", "system"),
    CanonicalColumn("source", "text", "the feed that it came from", "system"),
    CanonicalColumn("message", "text", "SHA-256 of the source message, hexadecimal", "system"),
    CanonicalColumn("place", "text", "where in the message", "system"),
    CanonicalColumn("flags", "text", "quality flags, separated by spaces", "system"),
)
