"""The evidence log in one SQLite file: WAL, ``synchronous=FULL``, every append durable when it returns.

Schema 1 (append-only: a later version adds tables or columns, never changes these):
``entry`` (index, leaf hash, bytes), ``node`` (hashes of completed tiles, tile level 1 and up),
``head`` (size, frontier), ``batch`` (keys of groups, for idempotent retries), ``checkpoint``
(newest note by name). One writer a file; any number of readers.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from xinglin.evidence.ports import AppendGroup
from xinglin.stores.log_errors import LogClosed, LogCorrupt, LogFull, LogTooNew, LogUnavailable
from xinglin.stores.log_growth import (
    Growth,
    check_groups,
    grow,
    pack_frontier,
    unpack_frontier,
)
from xinglin.stores.sqlite_file import whole

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entry (idx INTEGER PRIMARY KEY, hash BLOB NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS node (level INTEGER, idx INTEGER, hash BLOB NOT NULL, PRIMARY KEY (level, idx))
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS head (one INTEGER PRIMARY KEY CHECK (one = 1),
    size INTEGER NOT NULL, frontier BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS batch (key BLOB PRIMARY KEY, first INTEGER NOT NULL, count INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS checkpoint (name TEXT PRIMARY KEY, note BLOB NOT NULL) WITHOUT ROWID;
INSERT OR IGNORE INTO head VALUES (1, 0, x'');
"""
T = TypeVar("T")


class SqliteLogStore:
    """A ``LogStore`` on one SQLite file; see the contract at ``xinglin.evidence.ports``."""

    def __init__(self, path: Path | str, busy_timeout_s: float = 10.0) -> None:
        self._path = str(path)
        self._busy_timeout_s = busy_timeout_s
        self._closed = False
        self._write_lock = threading.Lock()
        self._read_lock = threading.Lock()
        with typed_errors():
            self._writer = self._open()
            self._install()
            self._reader = self._open()

    def append_batch(self, entries: Sequence[bytes]) -> int:
        """Append ``entries`` in order; give the first one's index once all are on the disk."""
        return self.append_groups([AppendGroup(tuple(entries))])[0]

    def append_groups(self, groups: Sequence[AppendGroup]) -> list[int]:
        """Append several groups in one transaction; the first index of each.

        A group whose key was appended before gets its earlier index and adds nothing. Durable when
        it returns; ``LogFull`` or ``LogUnavailable`` promise nothing and leave the store usable.
        """
        check_groups(groups)
        return self._write(lambda connection: self._append(connection, groups))

    def size(self) -> int:
        """Durable entries."""
        return self._read(lambda c: int(c.execute("SELECT size FROM head").fetchone()[0]))

    def frontier(self) -> tuple[int, tuple[bytes, ...]]:
        """Size and the roots of the perfect subtrees, largest first, of one instant."""
        size, packed = self._read(lambda c: c.execute("SELECT size, frontier FROM head").fetchone())
        return int(size), unpack_frontier(packed)

    def entries(self, start: int, end: int) -> list[bytes]:
        """The entries ``start`` to ``end - 1`` (as many of them as there are)."""
        query = "SELECT body FROM entry WHERE idx >= ? AND idx < ? ORDER BY idx"
        return [row[0] for row in self._read(lambda c: c.execute(query, (start, end)).fetchall())]

    def hashes(self, level: int, start: int, end: int) -> list[bytes]:
        """Hashes ``start`` to ``end - 1`` of a tile level (0: leaves, 1: roots of 256 leaves, …)."""
        query = "SELECT hash FROM node WHERE level = ? AND idx >= ? AND idx < ? ORDER BY idx"
        values: tuple[int, ...] = (level, start, end)
        if level == 0:
            query, values = "SELECT hash FROM entry WHERE idx >= ? AND idx < ? ORDER BY idx", (start, end)
        return [row[0] for row in self._read(lambda c: c.execute(query, values).fetchall())]

    def put_checkpoint(self, note: bytes, name: str = "latest") -> None:
        """Keep ``note`` durably as the newest checkpoint under ``name``."""
        statement = "INSERT OR REPLACE INTO checkpoint VALUES (?, ?)"
        self._write(lambda connection: connection.execute(statement, (name, note)))

    def get_checkpoint(self, name: str = "latest") -> bytes | None:
        """The newest checkpoint note under ``name``, or None."""
        row = self._read(lambda c: c.execute("SELECT note FROM checkpoint WHERE name = ?", (name,)).fetchone())
        return None if row is None else bytes(row[0])

    def close(self) -> None:
        """Close both connections; later calls raise ``LogClosed``."""
        with self._write_lock, self._read_lock:
            self._closed = True
            self._writer.close()
            self._reader.close()

    def _append(self, connection: sqlite3.Connection, groups: Sequence[AppendGroup]) -> list[int]:
        size, packed = connection.execute("SELECT size, frontier FROM head").fetchone()
        firsts, fresh, keys = _place(connection, size, groups)
        if fresh:
            self._store(connection, grow(size, unpack_frontier(packed), fresh), fresh)
        connection.executemany("INSERT INTO batch VALUES (?, ?, ?)", keys)
        return firsts

    @staticmethod
    def _store(connection: sqlite3.Connection, growth: Growth, bodies: Sequence[bytes]) -> None:
        rows = zip(range(growth.first, growth.size), growth.leaves, bodies, strict=True)
        connection.executemany("INSERT INTO entry VALUES (?, ?, ?)", rows)
        connection.executemany("INSERT INTO node VALUES (?, ?, ?)", growth.nodes)
        connection.execute("UPDATE head SET size = ?, frontier = ?", (growth.size, pack_frontier(growth.frontier)))

    def _write(self, act: Callable[[sqlite3.Connection], T]) -> T:
        with self._write_lock:
            self._check_open()
            try:
                with typed_errors():
                    return whole(self._writer, act)
            except LogUnavailable:
                # After a failed write or fsync the connection's pages cannot be trusted: begin afresh.
                self._reopen_writer()
                raise

    def _read(self, act: Callable[[sqlite3.Connection], T]) -> T:
        with self._read_lock:
            self._check_open()
            with typed_errors():
                return act(self._reader)

    def _check_open(self) -> None:
        if self._closed:
            raise LogClosed("The log store is closed.")

    def _reopen_writer(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            fresh = self._open()
            self._writer.close()
            self._writer = fresh

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=self._busy_timeout_s, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    def _install(self) -> None:
        self._writer.executescript(_SCHEMA)
        self._writer.execute("INSERT OR IGNORE INTO meta VALUES ('schema', ?)", (str(SCHEMA_VERSION),))
        found = int(self._writer.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()[0])
        if found > SCHEMA_VERSION:
            self._writer.close()
            raise LogTooNew(
                f"The log file has schema {found}; this program knows {SCHEMA_VERSION}.",
                remedy="Start the newer version of xinglin.",
            )


def _place(
    connection: sqlite3.Connection, size: int, groups: Sequence[AppendGroup]
) -> tuple[list[int], list[bytes], list[tuple[bytes, int, int]]]:
    """Where each group goes: first indices, the bytes to append, the keys to remember."""
    firsts: list[int] = []
    fresh: list[bytes] = []
    keys: dict[bytes, tuple[int, int]] = {}
    for group in groups:
        known = keys.get(group.key) if group.key else None
        if group.key and known is None:
            known = connection.execute("SELECT first, count FROM batch WHERE key = ?", (group.key,)).fetchone()
        if known is not None:
            firsts.append(known[0])
            continue
        first = size + len(fresh)
        firsts.append(first)
        fresh.extend(group.entries)
        if group.key:
            keys[group.key] = (first, len(group.entries))
    return firsts, fresh, [(key, first, count) for key, (first, count) in keys.items()]


@contextlib.contextmanager
def typed_errors() -> Iterator[None]:
    """SQLite's errors in the store's words."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise LogCorrupt(
            "The log file contradicts itself.", why=str(error), remedy="Stop and run: xinglin fsck"
        ) from error
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            raise LogFull(
                "The log's disk is full; nothing was promised.", remedy="Make room, then send again."
            ) from error
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise LogCorrupt("The log file is damaged.", why=str(error), remedy="Restore it from a mirror.") from error
        raise LogUnavailable(
            "The log could not be written or read; nothing was promised.", why=str(error), remedy="Send again."
        ) from error
