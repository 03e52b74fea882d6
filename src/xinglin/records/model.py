"""What readers are handed and what they give."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import compress
from typing import Any, Protocol

import msgspec

from xinglin.kernel.instants import Instant


class ReadContext(msgspec.Struct, frozen=True):
    """What a reader has to know besides the bytes.

    ``source``: the feed's name. ``received_at``: when the object was kept (milliseconds). ``zone``: IANA name or
    ``+08:00``, taken for times without one. ``charset``: taken for bytes that name none. ``release``: FHIR release
    (``R4``, ``R4B``, ``R5``). ``mapping``: TOML text of the source's mapping, where it has one.
    """

    source: str
    received_at: Instant
    zone: str = "+08:00"
    charset: str = "utf-8"
    release: str = "R4"
    mapping: str = ""


class Flag(msgspec.Struct, frozen=True):
    """A quality finding: a stable code (``fhir.required_binding``) and the element it is about. Never a value."""

    code: str
    path: str = ""


class Resource(msgspec.Struct, frozen=True):
    """One FHIR R4 resource as parsed JSON, with the place it came from (``entry[3]``, ``line 17``, ``PID``).

    ``partial``: it tells only what it fills (an HL7 v2 message); what it does not tell stays as it was.
    ``cleared``: FHIR paths that it empties on purpose. ``version_at``: when the source changed it (milliseconds),
    0 where the source does not say. ``extra``: columns of the source without a place in FHIR (Z-segments).
    ``sound``: it is as the definitions of R4 say in every element, so that nobody has to ask again; whoever changes
    the body afterwards keeps it so, or takes the word back.
    """

    body: dict[str, Any]
    place: str
    flags: tuple[Flag, ...] = ()
    partial: bool = False
    cleared: tuple[str, ...] = ()
    version_at: Instant = 0
    extra: dict[str, str] = {}
    sound: bool = False


class Mapped(msgspec.Struct, frozen=True):
    """Rows of one canonical table. ``columns`` name logical columns and parts (``code_source``, ``started``).

    A row is a tuple in the order of ``columns``. Times and dates are FHIR text (``2024-03``,
    ``2024-03-01T08:00:00+08:00``); ``place``, ``flags`` (codes separated by spaces), ``version_at``
    (milliseconds or None), ``partial`` and ``cleared`` are columns like the others. ``xinglin.records.shape`` makes
    Arrow tables of it. ``kinds``: name and kind of each column that the table has of its own, where it is a product's
    and no canonical table.
    """

    table: str
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    kinds: tuple[tuple[str, str], ...] = ()


class Turned(msgspec.Struct, frozen=True):
    """The rows of a ``Mapped`` column by column: ``values`` in the order of ``columns``, each of ``count`` rows.

    From the views on everything asks whole columns: terminology, attribution, digests, shape.
    """

    table: str
    columns: tuple[str, ...]
    values: tuple[Sequence[Any], ...]
    count: int
    kinds: tuple[tuple[str, str], ...] = ()

    def column(self, name: str) -> Sequence[Any]:
        """The values of one column. Raises ``ValueError`` where there is none of that name."""
        return self.values[self.columns.index(name)]

    def only(self, chosen: Sequence[bool]) -> Turned:
        """The chosen rows."""
        values = tuple(tuple(compress(each, chosen)) for each in self.values)
        return Turned(self.table, self.columns, values, sum(map(bool, chosen)), self.kinds)

    def mapped(self) -> Mapped:
        """Row by row again."""
        rows = list(zip(*self.values, strict=True)) if self.values else [()] * self.count
        return Mapped(self.table, self.columns, rows, self.kinds)


def is_empty(values: Sequence[Any]) -> bool:
    """Whether a column holds nothing at all; where it holds something, that is mostly found at its beginning.

    >>> is_empty((None, None)), is_empty((None, "")), is_empty([])
    (True, False, True)
    """
    return not any(values) and values.count(None) == len(values)


def turned(mapped: Mapped) -> Turned:
    """Rows column by column."""
    values = tuple(zip(*mapped.rows, strict=True)) if mapped.rows else ((),) * len(mapped.columns)
    return Turned(mapped.table, mapped.columns, values, len(mapped.rows), mapped.kinds)


class Unread(msgspec.Struct, frozen=True):
    """One record that could not be read or attributed: kept, quarantined, replayed after a mapping is mended.

    ``code`` is stable (``hl7v2.no_patient``); ``words`` say what is wrong without quoting the record.
    """

    place: str
    code: str
    words: str


class Read(msgspec.Struct, frozen=True):
    """A part of what one object gave; a large object gives several. ``received`` counts the records of the part.

    Each received record is a resource, a record behind ``mapped`` rows, unread, or ``ignored`` (kept raw, with no
    table of its own; counted by the words of why). ``open``: the next one belongs to the same part; a reader gives
    its parts in pieces so that each is checked and mapped while the processor still holds it near. ``named``: patients
    whom unread records name, by place, where that is known.
    """

    received: int
    resources: tuple[Resource, ...] = ()
    mapped: tuple[Mapped, ...] = ()
    accepted: int = 0
    unread: tuple[Unread, ...] = ()
    ignored: dict[str, int] = {}
    open: bool = False
    named: tuple[tuple[str, frozenset[str]], ...] = ()


class Reader(Protocol):
    """A pure function from bytes to records; the bytes are one received object."""

    media_types: tuple[str, ...]

    def read(self, body: bytes, context: ReadContext) -> Iterator[Read]:
        """Parts in order. Raises ``Unreadable`` when the whole object is not what its media type says."""
        ...
