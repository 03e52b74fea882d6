"""The index of a raw store: mark to place, in the order of first keep. Rebuilt from the segments when it is lost.

One SQLite file, WAL, ``synchronous=NORMAL``: after a power cut it may lack the newest groups, which the segments have.
It names no patient: digest and label are sealed under the segment's key, and a mark says nothing without its key.

Schema 1 (append-only): ``object`` (one row an object), ``segment`` (how far each is indexed), ``duplicate`` (records
whose object another record holds already; they have to go with it), ``meta`` (schema, count, size).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from xinglin.intake.errors import RawDamaged
from xinglin.kernel.instants import Instant
from xinglin.stores.raw_database import RawDatabase
from xinglin.stores.raw_format import Said, damaged
from xinglin.stores.raw_model import RawSettings

SCHEMA_VERSION = 1
_NAMES_AT_ONCE = 500
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS object (sequence INTEGER PRIMARY KEY, mark BLOB NOT NULL UNIQUE, segment INTEGER NOT NULL,
    offset INTEGER NOT NULL, length INTEGER NOT NULL, large INTEGER NOT NULL, size INTEGER NOT NULL,
    source TEXT NOT NULL, media_type TEXT NOT NULL, received_at INTEGER NOT NULL, retention TEXT NOT NULL,
    sealed BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS object_segment ON object (segment);
CREATE TABLE IF NOT EXISTS segment (id INTEGER PRIMARY KEY, end INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS duplicate (mark BLOB NOT NULL, segment INTEGER NOT NULL, PRIMARY KEY (mark, segment))
    WITHOUT ROWID;
INSERT OR IGNORE INTO meta VALUES ('count', 0), ('size', 0);
"""
_COLUMNS = "sequence, mark, segment, offset, length, large, size, source, media_type, received_at, retention, sealed"


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One object's row. ``large``: key id of the object that holds the body, or 0."""

    sequence: int
    mark: bytes
    segment: int
    offset: int
    length: int
    large: int
    size_bytes: int
    source: str
    media_type: str
    received_at: Instant
    retention: str
    sealed: bytes

    def said(self) -> Said:
        """What its sealed name is bound to."""
        first = (self.sequence, self.size_bytes, self.source, self.media_type)
        return *first, self.received_at, self.retention, self.large


class RawIndex:
    """Where everything lies."""

    def __init__(self, path: Path, settings: RawSettings, read_only: bool = False) -> None:
        self._make = partial(RawDatabase, path, _SCHEMA, SCHEMA_VERSION, "NORMAL", settings.busy_timeout_s, read_only)
        self._database = self._make()

    def find(self, marks: Sequence[bytes]) -> dict[bytes, Entry]:
        """The rows of those of ``marks`` that are kept."""
        found: dict[bytes, Entry] = {}
        for start in range(0, len(marks), _NAMES_AT_ONCE):
            part = tuple(marks[start : start + _NAMES_AT_ONCE])
            query = f"SELECT {_COLUMNS} FROM object WHERE mark IN ({','.join('?' * len(part))})"  # noqa: S608
            found.update((row[1], _entry(row)) for row in self._database.read(query, part))
        return found

    def after(self, sequence: int, limit: int) -> list[Entry]:
        """Rows above ``sequence``, in order."""
        query = f"SELECT {_COLUMNS} FROM object WHERE sequence > ? ORDER BY sequence LIMIT ?"  # noqa: S608
        return [_entry(row) for row in self._database.read(query, (sequence, limit))]

    def received_by(self, retention: str, instant: Instant, limit: int) -> list[Entry]:
        """Rows of a class that came in at ``instant`` or before, in order."""
        query = f"SELECT {_COLUMNS} FROM object WHERE retention = ? AND received_at <= ? ORDER BY sequence LIMIT ?"  # noqa: S608
        return [_entry(row) for row in self._database.read(query, (retention, instant, limit))]

    def of_segment(self, segment: int) -> list[Entry]:
        """Rows whose record lies in a segment, in order."""
        query = f"SELECT {_COLUMNS} FROM object WHERE segment = ? ORDER BY sequence"  # noqa: S608
        return [_entry(row) for row in self._database.read(query, (segment,))]

    def add(self, segment: int, end: int, entries: Sequence[Entry]) -> None:
        """In one transaction: new rows, and that ``segment`` is indexed up to ``end``."""

        def work(c: sqlite3.Connection) -> None:
            marks = ",".join("?" * len(_COLUMNS.split(",")))
            c.executemany(f"INSERT INTO object VALUES ({marks})", map(msgspec.structs.astuple, entries))  # noqa: S608
            c.execute("INSERT OR REPLACE INTO segment VALUES (?, ?)", (segment, end))
            _count(c, len(entries), sum(entry.size_bytes for entry in entries))

        self._database.write(work)

    def absorb(self, segment: int, end: int, entries: Iterable[Entry]) -> list[int]:
        """As ``add``, for records found on the disk: those whose object is known already become duplicates.

        Gives the sequence numbers of the duplicates.
        """
        duplicates: list[int] = []

        def work(c: sqlite3.Connection) -> None:
            duplicates.clear()
            for entry in entries:
                marks = ",".join("?" * len(_COLUMNS.split(",")))
                row = msgspec.structs.astuple(entry)
                if c.execute(f"INSERT OR IGNORE INTO object VALUES ({marks})", row).rowcount:  # noqa: S608
                    _count(c, 1, entry.size_bytes)
                    continue
                known = c.execute("SELECT segment, offset FROM object WHERE mark = ?", (entry.mark,)).fetchone()
                if known != (segment, entry.offset):
                    c.execute("INSERT OR IGNORE INTO duplicate VALUES (?, ?)", (entry.mark, segment))
                    duplicates.append(entry.sequence)
            c.execute("INSERT OR REPLACE INTO segment VALUES (?, ?)", (segment, end))

        self._database.write(work)
        return duplicates

    def replace(self, old: int, new: int, end: int, entries: Sequence[Entry], erased: Sequence[bytes]) -> None:
        """In one transaction: survivors of segment ``old`` lie in ``new`` now; rows of ``erased`` marks are gone.

        Rows that still point to ``old`` afterwards are of damaged records: they stay, and cannot be read.
        ``new`` is 0 when nothing survives.
        """

        def work(c: sqlite3.Connection) -> None:
            _remove(c, erased)
            marks = ",".join("?" * len(_COLUMNS.split(",")))
            for entry in entries:
                known = c.execute("SELECT segment FROM object WHERE mark = ?", (entry.mark,)).fetchone()
                if known and known[0] not in (old, new):
                    c.execute("INSERT OR IGNORE INTO duplicate VALUES (?, ?)", (entry.mark, new))
                    continue
                if not known:
                    _count(c, 1, entry.size_bytes)
                c.execute(f"INSERT OR REPLACE INTO object VALUES ({marks})", msgspec.structs.astuple(entry))  # noqa: S608
            c.execute("DELETE FROM duplicate WHERE segment = ?", (old,))
            c.execute("DELETE FROM segment WHERE id = ?", (old,))
            if new:
                c.execute("INSERT OR REPLACE INTO segment VALUES (?, ?)", (new, end))

        self._database.write(work)

    def remove(self, marks: Sequence[bytes]) -> None:
        """Delete the rows of these marks."""
        self._database.write(lambda c: _remove(c, marks))

    def mend(self, segment: int, end: int, entries: Sequence[Entry]) -> None:
        """In one transaction: these rows instead of whatever had their numbers or marks, and the totals anew."""

        def work(c: sqlite3.Connection) -> None:
            marks = ",".join("?" * len(_COLUMNS.split(",")))
            for entry in entries:
                c.execute("DELETE FROM object WHERE sequence = ? OR mark = ?", (entry.sequence, entry.mark))
                c.execute(f"INSERT INTO object VALUES ({marks})", msgspec.structs.astuple(entry))  # noqa: S608
            c.execute("INSERT OR REPLACE INTO segment VALUES (?, ?)", (segment, end))
            c.execute("UPDATE meta SET value = (SELECT count(*) FROM object) WHERE name = 'count'")
            c.execute("UPDATE meta SET value = (SELECT coalesce(sum(size), 0) FROM object) WHERE name = 'size'")

        self._database.write(work)

    def segments_of_duplicates(self, marks: Sequence[bytes]) -> set[int]:
        """Segments that hold further records of these objects."""
        query = "SELECT segment FROM duplicate WHERE mark = ?"
        return {row[0] for mark in marks for row in self._database.read(query, (mark,))}

    def segments(self) -> dict[int, int]:
        """How far each segment is indexed, in bytes."""
        return {row[0]: row[1] for row in self._database.read("SELECT id, end FROM segment")}

    def object_segments(self) -> set[int]:
        """Segments that rows point to."""
        return {row[0] for row in self._database.read("SELECT DISTINCT segment FROM object")}

    def large_ids(self) -> dict[int, int]:
        """Key id of each large object, and its sequence number."""
        return {row[0]: row[1] for row in self._database.read("SELECT large, sequence FROM object WHERE large > 0")}

    def newest(self) -> int:
        """The highest sequence number."""
        return int(self._database.read("SELECT coalesce(max(sequence), 0) FROM object")[0][0])

    def totals(self) -> tuple[int, int]:
        """Objects and bytes."""
        rows = dict(self._database.read("SELECT name, value FROM meta WHERE name IN ('count', 'size')"))
        try:
            return int(rows["count"]), int(rows["size"])
        except (KeyError, ValueError, TypeError) as error:
            raise damaged("The index's totals are damaged.") from error

    def sound(self) -> bool:
        """Whether SQLite finds its file whole."""
        try:
            return [row[0] for row in self._database.read("PRAGMA integrity_check(1)")] == ["ok"]
        except RawDamaged:
            return False

    def counted(self) -> bool:
        """Whether the totals are those of the rows."""
        rows = self._database.read("SELECT count(*), coalesce(sum(size), 0) FROM object")
        return tuple(rows[0]) == self.totals()

    def checkpoint(self) -> None:
        """Empty the write-ahead log into the file, where deleted rows are zeros."""
        self._database.checkpoint()

    def open_again(self) -> None:
        """Open the file, or make it, after it was closed."""
        self._database = self._make()

    def reopen(self) -> None:
        """Begin afresh after a failed write."""
        self._database.reopen()

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def _entry(row: Any) -> Entry:
    try:
        return msgspec.convert(row, Entry)
    except msgspec.ValidationError as error:
        raise damaged("A row of the index is damaged.") from error


def _count(c: sqlite3.Connection, objects: int, size_bytes: int) -> None:
    c.execute("UPDATE meta SET value = value + ? WHERE name = 'count'", (objects,))
    c.execute("UPDATE meta SET value = value + ? WHERE name = 'size'", (size_bytes,))


def _remove(c: sqlite3.Connection, marks: Sequence[bytes]) -> None:
    for mark in marks:
        row = c.execute("SELECT size FROM object WHERE mark = ?", (mark,)).fetchone()
        if row:
            c.execute("DELETE FROM object WHERE mark = ?", (mark,))
            _count(c, -1, -row[0])
        c.execute("DELETE FROM duplicate WHERE mark = ?", (mark,))
