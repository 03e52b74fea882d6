"""The SQLite file of a node's terminology: WAL, typed errors, one connection under one lock.

Schema 1 (append-only). Vocabularies are never changed in place: a newly loaded version is added, and of one system
``current`` marks the one that is meant when no version is named. Local codes are versions under a number.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from xinglin.records.terminology.errors import TerminologyError
from xinglin.stores.sqlite_file import connect, whole

T = TypeVar("T")
SCHEMA_VERSION = 1
BUSY_S = 30.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS system (id INTEGER PRIMARY KEY, url TEXT NOT NULL, version TEXT NOT NULL,
    name TEXT NOT NULL, source TEXT NOT NULL, licence TEXT NOT NULL, digest TEXT NOT NULL, loaded_at INTEGER NOT NULL,
    hierarchical INTEGER NOT NULL, case_sensitive INTEGER NOT NULL, concepts INTEGER NOT NULL,
    fragment INTEGER NOT NULL, current INTEGER NOT NULL, UNIQUE (url, version));
CREATE TABLE IF NOT EXISTS concept (system INTEGER NOT NULL, code TEXT NOT NULL, display TEXT NOT NULL,
    inactive INTEGER NOT NULL, properties BLOB, PRIMARY KEY (system, code)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS designation (system INTEGER NOT NULL, code TEXT NOT NULL, number INTEGER NOT NULL,
    language TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (system, code, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS parent (system INTEGER NOT NULL, code TEXT NOT NULL, parent TEXT NOT NULL,
    PRIMARY KEY (system, code, parent)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS parent_down ON parent (system, parent, code);
CREATE TABLE IF NOT EXISTS map (id INTEGER PRIMARY KEY, url TEXT NOT NULL, version TEXT NOT NULL, name TEXT NOT NULL,
    source TEXT NOT NULL, licence TEXT NOT NULL, digest TEXT NOT NULL, loaded_at INTEGER NOT NULL,
    elements INTEGER NOT NULL, current INTEGER NOT NULL, UNIQUE (url, version));
CREATE TABLE IF NOT EXISTS element (map INTEGER NOT NULL, system TEXT NOT NULL, code TEXT NOT NULL,
    number INTEGER NOT NULL, target TEXT NOT NULL, target_system TEXT NOT NULL, equivalence TEXT NOT NULL,
    display TEXT NOT NULL, PRIMARY KEY (system, code, map, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS value_set (id INTEGER PRIMARY KEY, url TEXT NOT NULL, version TEXT NOT NULL,
    loaded_at INTEGER NOT NULL, value BLOB NOT NULL, current INTEGER NOT NULL, UNIQUE (url, version));
CREATE TABLE IF NOT EXISTS local (source TEXT NOT NULL, place TEXT NOT NULL, system TEXT NOT NULL, code TEXT NOT NULL,
    version INTEGER NOT NULL, state TEXT NOT NULL, current INTEGER NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY (source, place, system, code, version)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS local_state ON local (state) WHERE current = 1;
"""


class TermsUnavailable(TerminologyError):
    """The file of the terminology cannot be read or written now."""

    code = "terms.unavailable"


class TermsTooNew(TerminologyError):
    """A file that a newer program made."""

    code = "terms.too_new"


class TermsDatabase:
    """One connection to one file. ``read_only``: as the reading child has it; a file that is not there is empty."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path, self._read_only = path, read_only
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        if not read_only:
            self._open()

    def rows(self, query: str, values: tuple[Any, ...] = ()) -> list[Any]:
        """The rows of a query; none where there is no file to read yet."""
        with self._lock, _typed():
            connection = self._connection or self._open()
            return connection.execute(query, values).fetchall() if connection else []

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do ``work`` in one transaction; ``TermsUnavailable`` when it did not happen."""
        with self._lock, _typed():
            connection = self._connection or self._open()
            if connection is None or self._read_only:
                raise TermsUnavailable("The terminology is open for reading alone.")
            return whole(connection, work)

    def stamp(self) -> int:
        """Another number after every change of another connection or this one; 0 while there is no file."""
        with self._lock, _typed():
            connection = self._connection or self._open()
            if connection is None:
                return 0
            (version,) = connection.execute("PRAGMA data_version").fetchone()
            return int(version) * 1_000_003 + connection.total_changes + 1

    def close(self) -> None:
        """Close; a later call opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _open(self) -> sqlite3.Connection | None:
        if self._read_only and not self.path.exists():
            return None
        with _typed():
            self._connection = self._connected()
        return self._connection

    def _connected(self) -> sqlite3.Connection:
        connection = connect(self.path, BUSY_S, read_only=self._read_only)
        try:
            connection.execute("PRAGMA temp_store = MEMORY")
            if not self._read_only:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.executescript(_SCHEMA)
                connection.execute("INSERT OR IGNORE INTO meta VALUES ('schema', ?)", (SCHEMA_VERSION,))
            found = connection.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()
            if found is None or found[0] > SCHEMA_VERSION:
                raise TermsTooNew(
                    f"{self.path.name} has another schema than {SCHEMA_VERSION}.",
                    remedy="Start the newer version of xinglin.",
                )
        except BaseException:
            connection.close()
            raise
        return connection


@contextlib.contextmanager
def _typed() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise TermsUnavailable(
            "The terminology's file does not answer.",
            why=getattr(error, "sqlite_errorname", type(error).__name__),
            remedy="Look at the disk; load the vocabularies again where the file is damaged.",
        ) from error
