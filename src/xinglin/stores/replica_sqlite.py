"""What a witness or a following node keeps, in one SQLite file: the log's entries and tiles, the checkpoint last
cosigned, accepted submissions that wait, and evidence of forks.

The file is a log store (schema 1 of ``log_sqlite``) with the tables of replica schema 1 beside it,
so ``fsck`` reads it like the hub's own.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import msgspec

from xinglin.evidence.replica import Advance, Fork, Replica
from xinglin.evidence.tree import CompactRange
from xinglin.evidence.witnessing import Pending
from xinglin.stores.log_errors import LogCorrupt
from xinglin.stores.log_growth import grow, unpack_frontier
from xinglin.stores.log_sqlite import SqliteLogStore

_SCHEMA = """
CREATE TABLE IF NOT EXISTS replica (one INTEGER PRIMARY KEY CHECK (one = 1), origin TEXT NOT NULL, note TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS pending (leaf BLOB PRIMARY KEY, accepted INTEGER NOT NULL, batch BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS submission (batch BLOB PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS fork (id INTEGER PRIMARY KEY, evidence BLOB NOT NULL UNIQUE);
CREATE INDEX IF NOT EXISTS entry_hash ON entry (hash);
"""
_FORGET = "DELETE FROM submission WHERE batch NOT IN (SELECT batch FROM pending)"


class SqliteReplicaStore(SqliteLogStore):
    """A ``WitnessMemory`` of the log ``origin``; ``take`` and the entries it brings are one transaction.

    Raises ``LogCorrupt`` when the file belongs to another log, or when its checkpoint is not that of its entries.
    """

    def __init__(self, path: Path | str, origin: str) -> None:
        super().__init__(path)
        self._write(lambda connection: _install(connection, origin))
        found = self.replica()
        if found.origin != origin:
            self.close()
            raise LogCorrupt(
                f"The file holds the log {found.origin!r}, not {origin!r}.", remedy="Name the right folder."
            )

    def replica(self) -> Replica:
        """The log as last kept."""
        query = "SELECT origin, note, size, frontier FROM replica, head"
        origin, note, size, packed = self._read(lambda c: c.execute(query).fetchone())
        return Replica(origin, size, unpack_frontier(packed), note)

    def take(self, gained: Advance, included: Sequence[bytes]) -> None:
        """Keep the replica with the entries it gained, and forget pending leaves, in one step."""
        self._write(lambda connection: self._take(connection, gained, included))

    def index_of(self, leaf: bytes) -> int | None:
        """Where a leaf hash is first in the kept log."""
        query = "SELECT min(idx) FROM entry WHERE hash = ?"
        found = self._read(lambda c: c.execute(query, (leaf,)).fetchone())[0]
        return None if found is None else int(found)

    def put_pending(self, pending: Sequence[Pending], batch: bytes) -> None:
        """Keep a batch and its entries that wait; the first acceptance of a leaf stands."""
        rows = [(each.leaf, each.accepted, each.batch) for each in pending]

        def put(connection: sqlite3.Connection) -> None:
            connection.executemany("INSERT OR IGNORE INTO pending VALUES (?, ?, ?)", rows)
            key = hashlib.sha256(batch).digest()
            connection.execute("INSERT OR IGNORE INTO submission VALUES (?, ?)", (key, batch))
            connection.execute(_FORGET)

        self._write(put)

    def pending(self) -> list[Pending]:
        """Accepted entries that are not in the log yet, oldest first."""
        query = "SELECT leaf, accepted, batch FROM pending ORDER BY accepted, leaf"
        return [Pending(*row) for row in self._read(lambda c: c.execute(query).fetchall())]

    def batches(self) -> list[bytes]:
        """The batches of which an entry waits, each once."""
        query = "SELECT data FROM submission ORDER BY rowid"
        return [bytes(row[0]) for row in self._read(lambda c: c.execute(query).fetchall())]

    def put_fork(self, fork: Fork) -> None:
        """Keep evidence that the log forked."""
        data = msgspec.msgpack.encode(fork)
        self._write(lambda c: c.execute("INSERT OR IGNORE INTO fork (evidence) VALUES (?)", (data,)))

    def forks(self) -> list[Fork]:
        """All such evidence, oldest first."""
        rows = self._read(lambda c: c.execute("SELECT evidence FROM fork ORDER BY id").fetchall())
        return [msgspec.msgpack.decode(row[0], type=Fork) for row in rows]

    def _take(self, connection: sqlite3.Connection, gained: Advance, included: Sequence[bytes]) -> None:
        size, packed = connection.execute("SELECT size, frontier FROM head").fetchone()
        if size != gained.first:
            raise LogCorrupt(
                f"The kept log has {size} entries, not {gained.first}.",
                why="Two processes write one witness's file.",
                remedy="Stop one of them.",
            )
        if gained.entries:
            growth = grow(size, unpack_frontier(packed), gained.entries)
            if CompactRange(growth.size, growth.frontier).root() != gained.replica.root:
                raise LogCorrupt("The entries are not those of the replica.")
            self._store(connection, growth, gained.entries)
        connection.execute("UPDATE replica SET note = ?", (gained.replica.note,))
        if included:
            connection.executemany("DELETE FROM pending WHERE leaf = ?", [(leaf,) for leaf in included])
            connection.execute(_FORGET)


def _install(connection: sqlite3.Connection, origin: str) -> None:
    for statement in _SCHEMA.split(";"):
        if statement.strip():
            connection.execute(statement)
    connection.execute("INSERT OR IGNORE INTO replica VALUES (1, ?, '')", (origin,))
