"""The three log stores, held to one contract."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.stores_log.contract import DurableLogStoreContract, LogStoreContract

from xinglin.kernel import new_id
from xinglin.stores.log_errors import LogCorrupt, LogStoreError, LogTooNew
from xinglin.stores.log_memory import MemoryLogStore
from xinglin.stores.log_sqlite import SqliteLogStore


class TestMemory(LogStoreContract):
    @pytest.fixture
    def open_store(self) -> Callable[[], Any]:
        return MemoryLogStore


class TestSqlite(DurableLogStoreContract):
    @pytest.fixture
    def open_store(self, tmp_path: Path) -> Iterator[Callable[[], Any]]:
        opened: list[SqliteLogStore] = []

        def open_one() -> SqliteLogStore:
            opened.append(SqliteLogStore(tmp_path / "log.sqlite"))
            return opened[-1]

        yield open_one
        for store in opened:
            store.close()

    def test_every_connection_is_wal_and_full(self, tmp_path: Path) -> None:
        store = SqliteLogStore(tmp_path / "log.sqlite")
        for connection in (store._writer, store._reader):
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        store.close()

    def test_a_newer_schema_is_refused(self, tmp_path: Path) -> None:
        SqliteLogStore(tmp_path / "log.sqlite").close()
        with sqlite3.connect(tmp_path / "log.sqlite") as connection:
            connection.execute("UPDATE meta SET value = '2' WHERE name = 'schema'")
        with pytest.raises(LogTooNew):
            SqliteLogStore(tmp_path / "log.sqlite")

    def test_a_head_that_lags_behind_its_entries_is_refused(self, tmp_path: Path) -> None:
        store = SqliteLogStore(tmp_path / "log.sqlite")
        store.append_batch([b"a", b"b"])
        with sqlite3.connect(tmp_path / "log.sqlite") as connection:
            connection.execute("UPDATE head SET size = 1")
        with pytest.raises(LogCorrupt):
            store.append_batch([b"c"])
        store.close()

    def test_a_file_that_is_no_database_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "log.sqlite").write_bytes(b"not a database, but long enough to be read as one" * 99)
        with pytest.raises(LogCorrupt):
            SqliteLogStore(tmp_path / "log.sqlite")


class TestPostgres(DurableLogStoreContract):
    @pytest.fixture
    def open_store(self, postgres_url: str) -> Iterator[Callable[[], Any]]:
        from xinglin.stores.log_postgres import PostgresLogStore

        schema, opened = "log_" + new_id("t")[2:], []

        def open_one() -> PostgresLogStore:
            opened.append(PostgresLogStore(postgres_url, schema, accept_loss=True))
            return opened[-1]

        yield open_one
        for store in opened:
            store.close()

    def test_a_server_that_does_not_fsync_is_refused(self, postgres_url: str) -> None:
        import psycopg

        from xinglin.stores.log_postgres import PostgresLogStore

        with psycopg.connect(postgres_url.replace("+psycopg", "")) as connection:
            fsync = connection.execute("SHOW fsync").fetchone()
        if fsync != ("off",):
            pytest.skip("this server fsyncs")
        with pytest.raises(LogStoreError, match="before its disk"):
            PostgresLogStore(postgres_url, "log_durable")

    def test_a_schema_name_is_no_sql(self, postgres_url: str) -> None:
        from xinglin.stores.log_postgres import PostgresLogStore

        with pytest.raises(ValueError, match="schema name"):
            PostgresLogStore(postgres_url, "a; DROP TABLE b")
