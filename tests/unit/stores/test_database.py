"""Databases by URL: which driver, which schema, which errors, and transactions that nobody writes beside."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, Column, Index, Integer, MetaData, String, Table, bindparam, insert, make_url, select, text

from xinglin.kernel import new_id
from xinglin.stores.database import Database, insert_or, open_database
from xinglin.stores.database_errors import DatabaseTooNew, StoreError, StoreUnavailable
from xinglin.stores.hub_database import HubDatabase
from xinglin.stores.log_postgres import PostgresLogStore
from xinglin.stores.node_database import NodeDatabase

_meta = MetaData()
thing = Table("thing", _meta, Column("index", String(), primary_key=True), Column("count", Integer, nullable=False))
PUT = insert_or(thing, "index", replace=True)
FIRST = insert_or(thing, "index", replace=False)
COUNT = select(thing.c.count).where(thing.c.index == bindparam("key"))
PID = text("SELECT pg_backend_pid() AS pid")


def plain(url: URL) -> str:
    """As an operator writes it."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


@pytest.fixture
def database(urls: Callable[[], Any]) -> Iterator[Database]:
    opened = Database(urls(), "things")
    opened.install(_meta, 1, accept_loss=True)
    yield opened
    opened.close()


@pytest.fixture
def postgres(postgres_urls: Callable[[], URL]) -> Iterator[Database]:
    opened = Database(postgres_urls(), "things")
    opened.install(_meta, 1, accept_loss=True)
    yield opened
    opened.close()


# --- urls ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_postgresql_is_always_by_psycopg(scheme: str) -> None:
    engine = open_database(f"{scheme}://ann:secret@nowhere.invalid:1/x")
    assert (engine.dialect.name, engine.dialect.driver) == ("postgresql", "psycopg")
    assert engine.url.password == "secret" and engine.url.host == "nowhere.invalid"


def test_the_log_too_is_found_by_a_plain_url(postgres_url: str) -> None:
    schema = "log_" + new_id("t")[2:]
    store = PostgresLogStore(plain(make_url(postgres_url)), schema, accept_loss=True)
    assert store.append_batch([b"entry"]) == 0 and store.size() == 1
    store.close()


@pytest.mark.parametrize(
    "url", ["", "no url", "mysql://h/x", "sqlite://", "sqlite:///:memory:", "sqlite:////no/such/x.db"]
)
def test_what_is_no_database_here_is_refused(url: str) -> None:
    with pytest.raises(StoreError) as refused:
        open_database(url)
    assert refused.value.remedy


def test_a_url_that_cannot_be_read_is_not_repeated() -> None:
    with pytest.raises(StoreUnavailable) as refused:
        open_database("postgresql//ann:secret@h/x")
    assert "secret" not in str(refused.value)


def test_a_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreUnavailable, match=r"xinglin\[postgres\]"):
        open_database("postgresql://h/x")


@pytest.mark.parametrize("name", ["a b.db", "杏林.db", "what?is=this.db", "100%.db", "a#b&c.db"])
def test_any_path_holds_a_database(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    NodeDatabase.in_folder(folder, lambda: 1).close()
    assert (folder / "node.db").stat().st_size > 0


def test_a_server_that_is_away_is_unavailable() -> None:
    with pytest.raises(StoreUnavailable) as away:
        HubDatabase("postgresql://ann:secret@127.0.0.1:1/x")
    assert "secret" not in str(away.value)


# --- schemas -------------------------------------------------------------------------------------


def test_hub_and_node_share_a_server_and_no_table(postgres_url: str) -> None:
    url = plain(make_url(postgres_url))
    hub, node = HubDatabase(url, accept_loss=True), NodeDatabase(url, lambda: 1, accept_loss=True)
    assert hub.open_runs() == () and node.open_runs() == ()
    place = text("SELECT current_schema() AS place, current_setting('synchronous_commit') AS waits")
    assert hub._kept.rows(place) == [{"place": "xinglin_hub", "waits": "on"}]
    assert hub._quick.rows(place) == [{"place": "xinglin_hub", "waits": "off"}]
    assert node._database.rows(place) == [{"place": "xinglin_node", "waits": "on"}]
    for schema, database in (("xinglin_hub", hub._kept), ("xinglin_node", node._database)):
        database.write(text(f"DROP SCHEMA {schema} CASCADE"))
    hub.close()
    node.close()


def test_a_server_that_does_not_sync_is_refused(postgres_urls: Callable[[], URL]) -> None:
    database = Database(postgres_urls(), "things")
    if database.rows(text("SHOW fsync")) != [{"fsync": "off"}]:
        pytest.skip("this server syncs")
    with pytest.raises(StoreError, match="fsync is off"):
        database.install(_meta, 1)


def test_a_newer_schema_is_refused_and_not_touched(urls: Callable[[], Any]) -> None:
    url = urls()
    newer = Database(url, "things")
    newer.install(MetaData(), 2, accept_loss=True)
    with pytest.raises(DatabaseTooNew, match="version 2.*up to 1"):
        Database(url, "things").install(_meta, 1, accept_loss=True)
    with pytest.raises(Exception, match="thing"):
        newer.rows(select(thing))
    newer.close()


def test_many_that_install_at_once_find_one_schema(urls: Callable[[], Any]) -> None:
    url, failed = urls(), []

    def install() -> None:
        database = Database(url, "things")
        try:
            database.install(_meta, 1, accept_loss=True)
            database.write(FIRST, index="a", count=1)
        except StoreError as error:
            failed.append(error)
        database.close()

    threads = [threading.Thread(target=install) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


def test_an_index_that_a_later_version_adds_is_added(urls: Callable[[], Any]) -> None:
    url = urls()
    first = Database(url, "things")
    first.install(_meta, 1, accept_loss=True)
    first.close()
    later = MetaData()
    Index("by_count", thing.to_metadata(later).c.count)
    second = Database(url, "things")
    second.install(later, 1, accept_loss=True)
    second.write(text("DROP INDEX by_count"))
    second.close()


# --- statements and transactions -----------------------------------------------------------------


def test_a_row_is_inserted_replaced_or_left(database: Database) -> None:
    assert database.write(PUT, index="a", count=1) == 1
    assert database.write(PUT, index="a", count=2) == 1
    assert database.write(FIRST, index="a", count=3) == 0
    assert database.write(FIRST, index="b", count=4) == 1
    assert database.rows(COUNT, key="a") == [{"count": 2}]
    assert database.rows(COUNT, key="c") == []


def test_a_transaction_that_fails_leaves_nothing_and_the_next_goes_on(database: Database) -> None:
    with pytest.raises(ValueError, match="no"), database.alone() as work:
        work.write(PUT, index="a", count=1)
        raise ValueError("no")
    with pytest.raises(Exception, match=r"(?i)unique"), database.alone() as work:
        work.write(PUT, index="a", count=1)
        work.write(insert(thing), index="a", count=1)
    assert database.rows(COUNT, key="a") == []
    database.write(PUT, index="a", count=5)
    assert database.rows(COUNT, key="a") == [{"count": 5}]


def test_what_was_read_alone_still_holds_at_the_write(database: Database) -> None:
    database.write(PUT, index="a", count=0)

    def add() -> None:
        for _ in range(20):
            with database.alone() as work:
                (row,) = work.rows(COUNT, key="a")
                work.write(PUT, index="a", count=row["count"] + 1)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert database.rows(COUNT, key="a") == [{"count": 80}]


def test_a_reader_does_not_wait_for_a_writer(database: Database) -> None:
    database.write(PUT, index="a", count=1)
    with database.alone() as work:
        work.write(PUT, index="a", count=2)
        assert database.rows(COUNT, key="a") == [{"count": 1}]
    assert database.rows(COUNT, key="a") == [{"count": 2}]


def test_a_connection_that_the_server_ends_is_unavailable_once(postgres: Database) -> None:
    with pytest.raises(StoreUnavailable), postgres.alone() as work:
        work.write(PUT, index="a", count=1)
        (row,) = work.rows(PID)
        postgres.write(text("SELECT pg_terminate_backend(:pid)"), pid=row["pid"])
        work.write(PUT, index="a", count=2)
    assert postgres.rows(COUNT, key="a") == []
    postgres.write(PUT, index="a", count=3)
    assert postgres.rows(COUNT, key="a") == [{"count": 3}]


def test_connections_of_a_restarted_server_are_not_used_again(postgres: Database) -> None:
    (row,) = postgres.rows(PID)
    other = Database(postgres._engine.url, "things")
    other.write(text("SELECT pg_terminate_backend(:pid)"), pid=row["pid"])
    other.close()
    postgres.write(PUT, index="a", count=1)
    assert postgres.rows(COUNT, key="a") == [{"count": 1}]


def test_another_that_stays_alone_too_long_is_given_up_on(postgres: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xinglin.stores.database.LOCK_WAIT_S", 1)
    impatient = Database(postgres._engine.url, "things")
    with postgres.alone(), pytest.raises(StoreUnavailable, match="lock"), impatient.alone():
        pass
    with impatient.alone() as work:
        work.write(PUT, index="a", count=1)
    impatient.close()


def test_a_full_server_is_named() -> None:
    import psycopg

    from xinglin.stores.database_errors import StoreDamaged, StoreFull, typed_error

    assert isinstance(typed_error(psycopg.errors.DiskFull("no room"), psycopg), StoreFull)
    assert isinstance(typed_error(psycopg.errors.DataCorrupted("torn"), psycopg), StoreDamaged)
    assert isinstance(typed_error(psycopg.errors.AdminShutdown("bye"), psycopg), StoreUnavailable)
    assert typed_error(psycopg.errors.UniqueViolation("twice"), psycopg) is None
    assert typed_error(psycopg.errors.SyntaxError("typo"), psycopg) is None


# --- opening a file that has its tables ----------------------------------------------------------


def _indexed() -> MetaData:
    meta = MetaData()
    Table(
        "thing", meta, Column("index", String(), primary_key=True), Column("count", Integer), Index("by_count", "count")
    )
    return meta


def test_a_file_that_has_its_tables_is_opened_while_another_writes(tmp_path: Path) -> None:
    place = URL.create("sqlite", database=str(tmp_path / "one.db"))
    first, second = Database(place, "things"), Database(place, "things")
    first.install(_meta, 1)
    done = threading.Event()

    def install() -> None:
        second.install(_meta, 1)
        done.set()

    with first.alone():
        opening = threading.Thread(target=install, daemon=True)
        opening.start()
        assert done.wait(10), "whoever opens it to read waits for the writer"
    opening.join()
    first.close()
    second.close()


def test_what_is_missing_of_a_file_is_made_and_a_newer_one_is_refused(tmp_path: Path) -> None:
    place = URL.create("sqlite", database=str(tmp_path / "one.db"))
    names = text("SELECT name FROM sqlite_master")
    opened = Database(place, "things")
    opened.install(_meta, 1)
    opened.install(_indexed(), 1)
    assert "by_count" in {row["name"] for row in opened.rows(names)}
    opened.write(text("DELETE FROM schema_version"))
    opened.install(_indexed(), 1)
    assert opened.rows(text("SELECT version FROM schema_version")) == [{"version": 1}]
    opened.write(text("UPDATE schema_version SET version = 2"))
    with pytest.raises(DatabaseTooNew):
        opened.install(_indexed(), 1)
