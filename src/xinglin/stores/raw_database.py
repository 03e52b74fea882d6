"""A SQLite file of the raw store: WAL, typed errors, one connection under one lock."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from xinglin.intake.errors import RawDamaged
from xinglin.stores.raw_errors import RawClosed, RawTooNew, RawUnavailable
from xinglin.stores.sqlite_file import connect, whole

T = TypeVar("T")
_TABLES = "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY name"
_DISK = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_PROTOCOL,
}


class RawDatabase:
    """One connection to one file. ``synchronous``: FULL (durable when committed) or NORMAL (may lose the last)."""

    def __init__(
        self, path: Path, schema: str, version: int, synchronous: str, busy_timeout_s: float, read_only: bool = False
    ) -> None:
        self.path = path
        self._synchronous, self._busy_timeout_s, self._read_only = synchronous, busy_timeout_s, read_only
        self._lock = threading.RLock()
        with self._typed():
            self._connection: sqlite3.Connection | None = self._open()
        try:
            with self._typed():
                self._install(schema, version)
        except BaseException:
            self.close()
            raise

    def read(self, query: str, values: tuple[Any, ...] = ()) -> list[Any]:
        """The rows of a query."""
        return self.act(lambda connection: connection.execute(query, values).fetchall())

    def act(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do ``work`` outside a transaction."""
        with self._lock, self._typed():
            if self._read_only and self._connection is not None and self._inode != self._find_inode():
                self._connection.close()
                self._connection = self._open()  # the writer made the file anew
            return work(self._connected())

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do ``work`` in one transaction; ``RawUnavailable`` when it did not happen."""
        with self._lock, self._typed():
            return whole(self._connected(), work)

    def forget(self) -> None:
        """Leave no deleted byte behind: write the file anew without it, and empty the write-ahead log."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("VACUUM")
            self._truncate(connection)

        self.act(work)

    def checkpoint(self) -> None:
        """Empty the write-ahead log into the file."""
        self.act(self._truncate)

    def reopen(self) -> None:
        """Begin afresh after a failed write: the connection's pages cannot be trusted."""
        with self._lock, self._typed():
            if self._connection is not None:
                self._connection.close()
                self._connection = self._open()

    def close(self) -> None:
        """Close; later calls raise ``RawClosed``."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _truncate(self, connection: sqlite3.Connection) -> None:
        if connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
            raise RawUnavailable(
                f"A reader holds the old pages of {self.path.name}, so they could not be erased.",
                remedy="End the reading transaction, and call again.",
            )

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            raise RawClosed("The raw store is closed.")
        return self._connection

    def _find_inode(self) -> int:
        return self.path.stat().st_ino if self.path.exists() else 0

    def _open(self) -> sqlite3.Connection:
        self._inode = self._find_inode()
        connection = connect(self.path, self._busy_timeout_s, read_only=self._read_only)
        try:
            if not self._read_only:
                connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {self._synchronous}")
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("PRAGMA temp_store = MEMORY")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _install(self, schema: str, version: int) -> None:
        connection = self._connected()
        if not self._read_only:
            connection.executescript(schema)
            connection.execute("INSERT OR IGNORE INTO meta VALUES ('schema', ?)", (version,))
        found = int(connection.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()[0])
        if found > version:
            raise RawTooNew(
                f"{self.path.name} has schema {found}; this program knows {version}.",
                remedy="Start the newer version of xinglin.",
            )
        with contextlib.closing(sqlite3.connect(":memory:")) as fresh:
            fresh.executescript(schema)
            if connection.execute(_TABLES).fetchall() != fresh.execute(_TABLES).fetchall():
                raise self._damaged("its tables are others")

    @contextlib.contextmanager
    def _typed(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
            if code not in _DISK:
                raise self._damaged(getattr(error, "sqlite_errorname", type(error).__name__)) from error
            full = code == sqlite3.SQLITE_FULL
            raise RawUnavailable(
                f"{self.path.name}: {'the disk is full' if full else 'the disk does not answer'}.",
                why=getattr(error, "sqlite_errorname", type(error).__name__),
                remedy="Make room, then send again." if full else "Send again.",
            ) from error

    def _damaged(self, why: str) -> RawDamaged:
        return RawDamaged(
            f"{self.path.name} is damaged or contradicts itself.",
            why=why,
            remedy="Run the raw store's check with repair; a key table is restored from its copy.",
        )
