"""Pulls from real databases: nothing lost, nothing doubled, nothing written."""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from tests.conftest import missing

from xinglin.feeds.sql_model import (
    BadSqlSource,
    Pulled,
    SqlDriverMissing,
    SqlNotReadOnly,
    SqlSource,
    SqlUnavailable,
    Watermark,
)
from xinglin.feeds.sql_puller import SqlPuller
from xinglin.feeds.sql_session import open_source, reading
from xinglin.intake.ports import Received

BASE = datetime(2024, 3, 1, 8, 0, 0)
ADMIN = "root"


@pytest.fixture(scope="session")
def mysql_url() -> Iterator[str]:
    """A throw-away MariaDB."""
    server, install = shutil.which("mariadbd"), shutil.which("mariadb-install-db")
    if not server or not install:
        missing("mariadb", "no MariaDB server on this machine (Debian: apt-get install mariadb-server)")
    folder = Path(tempfile.mkdtemp(prefix="xinglin-my-"))
    account = pwd.getpwnam("mysql") if os.geteuid() == 0 else None
    if account:
        os.chown(folder, account.pw_uid, account.pw_gid)
    who = ["--user=mysql"] if account else []
    command = [install, f"--datadir={folder}/data", "--skip-test-db", "--auth-root-authentication-method=normal", *who]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    socket = folder / "s"
    options = [
        f"--datadir={folder}/data",
        f"--socket={socket}",
        "--skip-networking",
        "--innodb-flush-log-at-trx-commit=0",
    ]
    with subprocess.Popen([server, "--no-defaults", *options, *who], stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(200):
                if socket.exists():
                    break
                time.sleep(0.1)
            yield f"mysql+pymysql://{ADMIN}@localhost/mysql?unix_socket={socket}"
        finally:
            process.terminate()
            process.wait(30)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql", "mysql"])
def urls(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """URLs of one fresh database: of its owner, and of a reader that may only SELECT."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/his.db"
        _run(url, "CREATE TABLE visits (id INTEGER PRIMARY KEY, patient TEXT, seen TEXT, fee TEXT)")
        return url, url
    if request.param == "postgresql":
        root = request.getfixturevalue("postgres_url")
        name = f"his_{os.urandom(4).hex()}"
        _run(root, f"CREATE DATABASE {name}", f"CREATE ROLE r_{name} LOGIN")
        url = root.rsplit("/", 1)[0] + f"/{name}"
        _run(url, "CREATE TABLE visits (id INTEGER PRIMARY KEY, patient TEXT, seen TIMESTAMP, fee NUMERIC(10, 2))")
        _run(url, f"GRANT SELECT ON visits TO r_{name}")
        return url, url.replace("//xinglin@", f"//r_{name}@")
    root = request.getfixturevalue("mysql_url")
    name = f"his_{os.urandom(4).hex()}"
    _run(
        root,
        f"CREATE DATABASE {name}",
        f"CREATE USER r_{name}@localhost",
        f"GRANT SELECT ON {name}.* TO r_{name}@localhost",
    )
    url = root.replace("/mysql?", f"/{name}?")
    _run(url, "CREATE TABLE visits (id INTEGER PRIMARY KEY, patient VARCHAR(20), seen DATETIME(6), fee DECIMAL(10, 2))")
    return url, url.replace(f"//{ADMIN}@", f"//r_{name}@")


def _run(url: str, *statements: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def put(url: str, number: int, seen: datetime | None, patient: str = "p") -> None:
    engine = create_engine(url)
    given = seen.isoformat(" ") if seen is not None and url.startswith("sqlite") else seen
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM visits WHERE id = :n"), {"n": number})
        row = {"n": number, "p": patient, "s": given}
        connection.execute(text("INSERT INTO visits VALUES (:n, :p, :s, '12.50')"), row)
    engine.dispose()


def source(url: str, **given: object) -> SqlSource:
    told = {"name": "his", "url": url, "table": "visits", "watermark": "seen", "order": ("id",), "strict": False}
    return SqlSource(**(told | given))  # type: ignore[arg-type]


def ids(received: Received) -> list[int]:
    table = pq.read_table(pa.BufferReader(received.body))
    assert all(field.type == pa.string() for field in table.schema)
    return [int(value) for value in table.column("id").to_pylist()]


def pulled(url: str, state: Watermark | None = None, **given: object) -> tuple[list[int], Watermark]:
    puller = SqlPuller(source(url, **given), lambda: 5)
    kept: list[int] = []
    states = [state or Watermark()]
    puller.run(lambda one: kept.extend(ids(one)), states.append, state)
    puller.close()
    return kept, states[-1]


def test_every_row_comes_once_and_then_what_is_new(urls: tuple[str, str]) -> None:
    owner, reader = urls
    for number in range(10):
        put(owner, number, BASE + timedelta(minutes=number))
    first, state = pulled(reader, rows=3)
    assert sorted(first) == list(range(10))
    again, state = pulled(reader, state)
    assert again == []
    put(owner, 10, BASE + timedelta(minutes=10))
    assert pulled(reader, state)[0] == [10]


def test_ties_on_the_watermark_are_neither_lost_nor_doubled(urls: tuple[str, str]) -> None:
    owner, reader = urls
    for number in range(5):
        put(owner, number, BASE)
    first, state = pulled(reader, rows=2, overlap_s=0)
    assert sorted(first) == list(range(5))
    put(owner, 5, BASE)
    assert pulled(reader, state, overlap_s=0)[0] == [5]


def test_late_rows_and_changes_inside_the_overlap_are_seen(urls: tuple[str, str]) -> None:
    owner, reader = urls
    for number in range(6):
        put(owner, number, BASE + timedelta(minutes=10 * number))
    _, state = pulled(reader, overlap_s=1800)
    put(owner, 7, BASE + timedelta(minutes=35), "late")
    put(owner, 4, BASE + timedelta(minutes=40), "changed")
    put(owner, 8, BASE + timedelta(minutes=1), "too late")
    found, state = pulled(reader, state, overlap_s=1800, rows=1)
    assert sorted(found) == [4, 7]
    assert pulled(reader, state, overlap_s=1800)[0] == []


def test_rows_without_a_watermark_come_each_time_as_the_same_bytes(urls: tuple[str, str]) -> None:
    owner, reader = urls
    put(owner, 1, BASE)
    put(owner, 2, None)
    put(owner, 3, None)
    puller = SqlPuller(source(reader), lambda: 5)
    first = list(puller.pull())
    second = list(puller.pull(first[-1].after))
    puller.close()
    assert [sorted(ids(one.received)) for one in first] == [[1], [2, 3]]
    assert [one.received.body for one in second] == [first[1].received.body]
    assert {one.after for one in second} == {first[0].after}
    assert pulled(reader, nulls=False)[0] == [1]


def test_a_pull_that_dies_between_keep_and_save_gives_the_chunk_again(urls: tuple[str, str]) -> None:
    owner, reader = urls
    for number in range(9):
        put(owner, number, BASE + timedelta(seconds=number))
    puller = SqlPuller(source(reader, rows=3), lambda: 5)
    kept: list[Pulled] = []
    saved = Watermark()
    for one in puller.pull():
        kept.append(one)
        if len(kept) == 2:
            break
        saved = one.after
    puller.close()
    rest, _ = pulled(reader, saved)
    assert sorted(rest) == list(range(3, 9))


def test_a_full_pull_without_a_watermark_is_the_same_bytes(urls: tuple[str, str]) -> None:
    owner, reader = urls
    for number in (3, 1, 2):
        put(owner, number, BASE)
    puller = SqlPuller(source(reader, watermark=""), lambda: 5)
    bodies = [[one.received.body for one in puller.pull()] for _ in range(2)]
    puller.close()
    assert bodies[0] == bodies[1]
    assert ids(next(iter(SqlPuller(source(reader, watermark=""), lambda: 5).pull())).received) == [1, 2, 3]


def test_a_number_is_a_watermark_too(urls: tuple[str, str]) -> None:
    owner, reader = urls
    for number in range(4):
        put(owner, number, BASE)
    first, state = pulled(reader, watermark="id", order=(), overlap=2)
    put(owner, 9, BASE)
    put(owner, 2, BASE, "changed")
    assert sorted(first) == [0, 1, 2, 3]
    assert sorted(pulled(reader, state, watermark="id", order=(), overlap=2)[0]) == [2, 9]


def test_the_session_cannot_write(urls: tuple[str, str]) -> None:
    owner, _ = urls
    put(owner, 1, BASE)
    engine = open_source(owner)
    with engine.connect() as connection, pytest.raises(DBAPIError):
        connection.execute(text("DELETE FROM visits"))
    with pytest.raises(SqlUnavailable) as raised, reading(engine) as connection:
        connection.execute(text("UPDATE visits SET patient = 'secret value'"))
    engine.dispose()
    assert "secret" not in str(raised.value)
    assert pulled(owner)[0] == [1]


def test_a_login_that_may_write_is_refused_unless_allowed(urls: tuple[str, str]) -> None:
    owner, reader = urls
    puller = SqlPuller(source(reader, strict=True))
    found = puller.report()
    puller.close()
    assert found.columns == ("id", "patient", "seen", "fee")
    if owner == reader:
        assert found.may_write is None
        return
    assert found.may_write is False
    writer = SqlPuller(source(owner, strict=True))
    with pytest.raises(SqlNotReadOnly):
        writer.report()
    writer.close()
    allowed = SqlPuller(source(owner))
    assert allowed.report().warnings
    allowed.close()


def test_rows_a_day_for_the_reconciliation(urls: tuple[str, str]) -> None:
    owner, reader = urls
    for number in range(5):
        put(owner, number, BASE + timedelta(hours=9 * number))
    puller = SqlPuller(source(reader))
    found = puller.counts("seen", date(2024, 3, 1), date(2024, 3, 3))
    with pytest.raises(BadSqlSource):
        puller.counts("seen", date(2024, 3, 3), date(2024, 3, 3))
    puller.close()
    assert found == {date(2024, 3, 1): 2, date(2024, 3, 2): 3}


def test_keys_of_a_day_come_once_and_not_without_end(urls: tuple[str, str]) -> None:
    owner, reader = urls
    for number in range(5):
        put(owner, number, BASE + timedelta(hours=9 * number), f"p{number % 2}")
    puller = SqlPuller(source(reader))
    days = (date(2024, 3, 2), date(2024, 3, 3))
    assert sorted(puller.keys("patient", "seen", *days)) == ["p0", "p1"]
    assert sorted(puller.keys("id", "seen", *days, 480)) == ["2", "3", "4"]
    assert len(puller.keys("id", "seen", *days, limit=1)) == 2, "one more than the limit is to be refused"
    assert puller.keys("id", "seen", date(2024, 4, 1), date(2024, 4, 2)) == ()
    puller.close()


@pytest.mark.parametrize("kind", ["postgres", "mysql"])
def test_days_of_stamps_with_a_zone_are_the_hospitals(kind: str, request: pytest.FixtureRequest) -> None:
    root = request.getfixturevalue(f"{kind}_url")
    name = f"zoned_{os.urandom(4).hex()}"
    _run(root, f"CREATE DATABASE {name}")
    url = root.rsplit("/", 1)[0] + f"/{name}" if kind == "postgres" else root.replace("/mysql?", f"/{name}?")
    holds = "TIMESTAMPTZ" if kind == "postgres" else "TIMESTAMP"
    _run(url, f"CREATE TABLE visits (id INTEGER PRIMARY KEY, seen {holds})")
    # One o'clock in the morning of 2 March in Shanghai is 17 hours of 1 March in Greenwich.
    zone = "" if kind == "postgres" else "SET time_zone = '+00:00'"
    engine = create_engine(url)
    with engine.begin() as connection:
        if zone:
            connection.execute(text(zone))
        stamp = "2024-03-01 17:00:00" + ("+00" if kind == "postgres" else "")
        connection.execute(text("INSERT INTO visits VALUES (7, :at)"), {"at": stamp})
    engine.dispose()
    puller = SqlPuller(source(url))
    first, second = date(2024, 3, 1), date(2024, 3, 2)
    for minutes, day in ((480, second), (0, first), (-330, first)):
        assert puller.counts("seen", first, date(2024, 3, 3), minutes) == {day: 1}
        assert puller.keys("id", "seen", day, day + timedelta(days=1), minutes) == ("7",)
    puller.close()


def test_a_query_is_pulled_like_a_table(urls: tuple[str, str]) -> None:
    owner, reader = urls
    for number in range(4):
        put(owner, number, BASE + timedelta(minutes=number))
    query = "SELECT id, seen FROM visits WHERE id > 1;"
    found, state = pulled(reader, table="", query=query)
    assert sorted(found) == [2, 3]
    assert pulled(reader, state, table="", query=query)[0] == []


@pytest.mark.parametrize("query", ["DELETE FROM visits", "SELECT 1; DROP TABLE visits", "", "UPDATE visits SET id = 1"])
def test_what_is_not_one_select_is_refused(query: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/his.db"
    _run(url, "CREATE TABLE visits (id INTEGER)")
    puller = SqlPuller(SqlSource("his", url, query=query))
    with pytest.raises(BadSqlSource):
        list(puller.pull())


def test_a_driver_that_is_missing_is_named() -> None:
    for url, driver in (("mssql://u:p@h/d", "mssql+"), ("oracle://u:p@h/d", "oracle+oracledb")):
        try:
            open_source(url).dispose()
        except SqlDriverMissing as error:
            assert driver in error.what and "sources" in error.remedy and ":p@" not in str(error)
    with pytest.raises(SqlDriverMissing, match="psycopg2"):
        open_source("postgresql+psycopg2://u:p@h/d")


def test_unknown_databases_columns_and_files_are_refused_by_name(tmp_path: Path) -> None:
    for url in ("access://x", "no url", f"sqlite:///{tmp_path}/none.db"):
        with pytest.raises(BadSqlSource):
            open_source(url)
    url = f"sqlite:///{tmp_path}/his.db"
    _run(url, "CREATE TABLE visits (id INTEGER)")
    puller = SqlPuller(source(url))
    with pytest.raises(BadSqlSource, match="seen"):
        puller.report()
    assert "his.db" not in repr(source(url))
    assert glob.glob(f"{tmp_path}/*") == [f"{tmp_path}/his.db"]
