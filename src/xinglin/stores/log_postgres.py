"""The evidence log in PostgreSQL: rows by COPY, one transaction a batch, the server's fsync as durability.

Same contract and same tables as the SQLite store (schema 1). Concurrent writers are serialised by
the row lock on ``head``; with ``fsync`` or ``synchronous_commit`` off at the server there is no
durability, and the store refuses to start unless it is told that the loss is accepted.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import create_engine
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError

from xinglin.evidence.ports import AppendGroup
from xinglin.stores.database import place_of
from xinglin.stores.log_errors import LogClosed, LogCorrupt, LogFull, LogStoreError, LogTooNew, LogUnavailable
from xinglin.stores.log_growth import (
    Growth,
    check_groups,
    grow,
    pack_frontier,
    unpack_frontier,
)

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE SCHEMA IF NOT EXISTS {schema};
CREATE TABLE IF NOT EXISTS {schema}.meta (name text PRIMARY KEY, value text NOT NULL);
CREATE TABLE IF NOT EXISTS {schema}.entry (idx bigint PRIMARY KEY, hash bytea NOT NULL, body bytea NOT NULL);
CREATE TABLE IF NOT EXISTS {schema}.node
    (level integer, idx bigint, hash bytea NOT NULL, PRIMARY KEY (level, idx));
CREATE TABLE IF NOT EXISTS {schema}.head
    (one integer PRIMARY KEY CHECK (one = 1), size bigint NOT NULL, frontier bytea NOT NULL);
CREATE TABLE IF NOT EXISTS {schema}.batch (key bytea PRIMARY KEY, first bigint NOT NULL, count integer NOT NULL);
CREATE TABLE IF NOT EXISTS {schema}.checkpoint (name text PRIMARY KEY, note bytea NOT NULL);
INSERT INTO {schema}.head VALUES (1, 0, '') ON CONFLICT DO NOTHING;
INSERT INTO {schema}.meta VALUES ('schema', '1') ON CONFLICT DO NOTHING;
"""
_INSTALL_LOCK = 0x78696E676C696E
_SCHEMA_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
T = TypeVar("T")


class PostgresLogStore:
    """A ``LogStore`` in one schema of a PostgreSQL database; see the contract at ``xinglin.evidence.ports``.

    ``url`` is ``postgresql://…``, always by psycopg; ``schema`` is lower-case letters, digits
    and underscores. ``accept_loss`` starts the store on a server that does not fsync (tests).
    """

    def __init__(self, url: str, schema: str = "evidence", *, accept_loss: bool = False) -> None:
        if not _SCHEMA_NAME.fullmatch(schema):
            raise ValueError(f"{schema!r} is not a schema name: lower-case letters, digits and _")
        self._schema = schema
        self._closed = False
        self._write_lock = threading.Lock()
        self._engine: Engine = create_engine(place_of(url), pool_size=2, max_overflow=4, pool_pre_ping=True)
        with _typed_errors():
            self._install(accept_loss)

    def append_batch(self, entries: Sequence[bytes]) -> int:
        """Append ``entries`` in order; give the first one's index once the server has them on its disk."""
        return self.append_groups([AppendGroup(tuple(entries))])[0]

    def append_groups(self, groups: Sequence[AppendGroup]) -> list[int]:
        """Append several groups in one transaction; the first index of each (earlier ones for known keys)."""
        check_groups(groups)
        with self._write_lock:
            return self._transaction(lambda cursor: self._append(cursor, groups))

    def size(self) -> int:
        """Durable entries."""
        return int(self._fetch("SELECT size FROM {schema}.head", ())[0][0])

    def frontier(self) -> tuple[int, tuple[bytes, ...]]:
        """Size and the roots of the perfect subtrees, largest first, of one instant."""
        size, packed = self._fetch("SELECT size, frontier FROM {schema}.head", ())[0]
        return int(size), unpack_frontier(bytes(packed))

    def entries(self, start: int, end: int) -> list[bytes]:
        """The entries ``start`` to ``end - 1`` (as many of them as there are)."""
        query = "SELECT body FROM {schema}.entry WHERE idx >= %s AND idx < %s ORDER BY idx"
        return [bytes(row[0]) for row in self._fetch(query, (start, end))]

    def hashes(self, level: int, start: int, end: int) -> list[bytes]:
        """Hashes ``start`` to ``end - 1`` of a tile level (0: leaves, 1: roots of 256 leaves, …)."""
        query = "SELECT hash FROM {schema}.node WHERE level = %s AND idx >= %s AND idx < %s ORDER BY idx"
        values: tuple[int, ...] = (level, start, end)
        if level == 0:
            query, values = "SELECT hash FROM {schema}.entry WHERE idx >= %s AND idx < %s ORDER BY idx", (start, end)
        return [bytes(row[0]) for row in self._fetch(query, values)]

    def put_checkpoint(self, note: bytes, name: str = "latest") -> None:
        """Keep ``note`` durably as the newest checkpoint under ``name``."""
        statement = self._sql(
            "INSERT INTO {schema}.checkpoint VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET note = excluded.note"
        )
        with self._write_lock:
            self._transaction(lambda cursor: cursor.execute(statement, (name, note)))

    def get_checkpoint(self, name: str = "latest") -> bytes | None:
        """The newest checkpoint note under ``name``, or None."""
        rows = self._fetch("SELECT note FROM {schema}.checkpoint WHERE name = %s", (name,))
        return bytes(rows[0][0]) if rows else None

    def close(self) -> None:
        """Give back the connections; later calls raise ``LogClosed``."""
        with self._write_lock:
            self._closed = True
            self._engine.dispose()

    def _append(self, cursor: Any, groups: Sequence[AppendGroup]) -> list[int]:
        cursor.execute(self._sql("SELECT size, frontier FROM {schema}.head FOR UPDATE"))
        size, packed = cursor.fetchone()
        known = self._known_keys(cursor, [group.key for group in groups if group.key])
        firsts: list[int] = []
        fresh: list[bytes] = []
        keys: list[tuple[bytes, int, int]] = []
        for group in groups:
            first = known.get(group.key) if group.key else None
            if first is None:
                first = size + len(fresh)
                fresh.extend(group.entries)
                if group.key:
                    known[group.key] = first
                    keys.append((group.key, first, len(group.entries)))
            firsts.append(first)
        if fresh:
            self._store(cursor, grow(size, unpack_frontier(bytes(packed)), fresh), fresh)
        self._copy(cursor, "COPY {schema}.batch (key, first, count) FROM STDIN (FORMAT BINARY)", _BATCH, keys)
        return firsts

    def _known_keys(self, cursor: Any, keys: Sequence[bytes]) -> dict[bytes, int]:
        if not keys:
            return {}
        cursor.execute(self._sql("SELECT key, first FROM {schema}.batch WHERE key = ANY(%s)"), (list(keys),))
        return {bytes(key): int(first) for key, first in cursor.fetchall()}

    def _store(self, cursor: Any, growth: Growth, bodies: Sequence[bytes]) -> None:
        rows = zip(range(growth.first, growth.size), growth.leaves, bodies, strict=True)
        self._copy(cursor, "COPY {schema}.entry (idx, hash, body) FROM STDIN (FORMAT BINARY)", _ENTRY, rows)
        self._copy(cursor, "COPY {schema}.node (level, idx, hash) FROM STDIN (FORMAT BINARY)", _NODE, growth.nodes)
        cursor.execute(
            self._sql("UPDATE {schema}.head SET size = %s, frontier = %s"),
            (growth.size, pack_frontier(growth.frontier)),
        )

    def _copy(self, cursor: Any, statement: str, types: tuple[str, ...], rows: Any) -> None:
        with cursor.copy(self._sql(statement)) as copy:
            copy.set_types(types)
            for row in rows:
                copy.write_row(row)

    def _transaction(self, act: Callable[[Any], T]) -> T:
        self._check_open()
        with _typed_errors(), contextlib.closing(self._engine.raw_connection()) as connection:
            try:
                with contextlib.closing(connection.cursor()) as cursor:
                    outcome = act(cursor)
                connection.commit()
                return outcome
            except BaseException:
                # The server may be gone: a connection of unknown state never goes back to the pool.
                connection.invalidate()
                raise

    def _fetch(self, query: str, values: tuple[Any, ...]) -> list[Any]:
        self._check_open()
        with (
            _typed_errors(),
            contextlib.closing(self._engine.raw_connection()) as connection,
            contextlib.closing(connection.cursor()) as cursor,
        ):
            cursor.execute(self._sql(query), values)
            return list(cursor.fetchall())

    def _sql(self, statement: str) -> str:
        return statement.replace("{schema}", self._schema)

    def _check_open(self) -> None:
        if self._closed:
            raise LogClosed("The log store is closed.")

    def _install(self, accept_loss: bool) -> None:
        with contextlib.closing(self._engine.raw_connection()) as connection:
            with contextlib.closing(connection.cursor()) as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_INSTALL_LOCK,))
                cursor.execute(self._sql(_SCHEMA))
                cursor.execute(self._sql("SELECT value FROM {schema}.meta WHERE name = 'schema'"))
                found = int((cursor.fetchone() or (0,))[0])
                cursor.execute("SELECT current_setting('fsync'), current_setting('synchronous_commit')")
                durable = "off" not in (cursor.fetchone() or ("off",))
            connection.commit()
        if found > SCHEMA_VERSION:
            raise LogTooNew(
                f"The log has schema {found}; this program knows {SCHEMA_VERSION}.",
                remedy="Start the newer version of xinglin.",
            )
        if not durable and not accept_loss:
            raise LogStoreError(
                "The PostgreSQL server acknowledges before its disk has the data.",
                why="fsync or synchronous_commit is off",
                remedy="Turn both on at the server.",
            )


_ENTRY = ("int8", "bytea", "bytea")
_NODE = ("int4", "int8", "bytea")
_BATCH = ("bytea", "int8", "int4")


@contextlib.contextmanager
def _typed_errors() -> Iterator[None]:
    """PostgreSQL's errors in the store's words."""
    import psycopg

    try:
        yield
    except (psycopg.errors.UniqueViolation, psycopg.errors.DataCorrupted) as error:
        raise LogCorrupt("The log contradicts itself.", why=str(error), remedy="Stop and run: xinglin fsck") from error
    except psycopg.errors.DiskFull as error:
        raise LogFull("The log's disk is full; nothing was promised.", remedy="Make room, then send again.") from error
    except (psycopg.Error, DBAPIError) as error:
        raise LogUnavailable(
            "The log's database failed; nothing was promised.", why=str(error).strip(), remedy="Send again."
        ) from error
