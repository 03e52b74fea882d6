"""Tables, snapshots, persons' codes, and an engine that is attacked under its lock."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pyarrow as pa
import pytest
from tests.slowness import slowness

from xinglin.lake import (
    CurrentRule,
    Lake,
    LakeError,
    QueryFailed,
    QueryLimits,
    QuerySession,
    SnapshotChanged,
    TableMissing,
    current_select,
    execute,
    person_code,
)
from xinglin.lake.errors import BadTableName, WriteFailed
from xinglin.lake.query import quoted

SALT = b"s" * 32
LIMITS = QueryLimits(memory_bytes=128 * 2**20, time_ms=2_000, threads=1, rows=1_000)


def rows(*persons: str) -> pa.Table:
    return pa.table({"person": list(persons), "x": [float(i) for i, _ in enumerate(persons)]})


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def test_appends_are_versions(lake: Lake) -> None:
    assert lake.names() == ()
    assert lake.append("visit", rows("a", "b")) == 0
    assert lake.append("visit", rows("c")) == 1
    assert lake.names() == ("visit",)
    assert [version for version, _ in lake.versions("visit")] == [0, 1]
    known = lake.statistics("visit")
    assert (known.rows, known.files, known.version) == (3, 2, 1)
    assert [name for name, _ in known.columns] == ["person", "x"]


def test_a_snapshot_is_pinned_to_an_instant(lake: Lake) -> None:
    lake.append("visit", rows("a", "b"))
    early = lake.current(["visit"])
    time.sleep(0.02)
    lake.append("visit", rows("c"))
    late = lake.current(["visit"])
    assert lake.pin(["visit"], early.at) == early
    assert lake.datasets(early)["visit"].count_rows() == 2
    assert lake.datasets(late)["visit"].count_rows() == 3
    assert early.digest() != late.digest()
    with pytest.raises(TableMissing):
        lake.pin(["visit"], early.at - 1)


def test_replacing_keeps_what_was_pinned(lake: Lake) -> None:
    lake.append("visit", rows("a", "b"))
    before = lake.current(["visit"])
    lake.replace("visit", rows("c"))
    assert lake.datasets(before)["visit"].count_rows() == 2
    assert lake.statistics("visit").rows == 1


def test_a_changed_version_is_noticed(lake: Lake, tmp_path: Path) -> None:
    lake.append("visit", rows("a", "b"))
    pinned = lake.current(["visit"])
    shutil.rmtree(tmp_path / "lake" / "visit")
    with pytest.raises(TableMissing):
        lake.datasets(pinned)
    lake.append("visit", rows("a", "z"))
    with pytest.raises(SnapshotChanged):
        lake.datasets(pinned)


@pytest.mark.parametrize("name", ["", "../x", "Visit", "a b", "1a", "a" * 64, "a/b", "x\n"])
def test_names_that_leave_the_folder_are_refused(lake: Lake, name: str) -> None:
    with pytest.raises(BadTableName):
        lake.append(name, rows("a"))


def test_columns_that_do_not_fit_are_refused(lake: Lake) -> None:
    lake.append("visit", rows("a"))
    with pytest.raises(WriteFailed):
        lake.append("visit", pa.table({"other": [1]}))
    assert lake.statistics("visit").rows == 1


def test_person_codes_need_the_salt() -> None:
    assert person_code("a", SALT) == person_code("a", SALT)
    assert person_code("a", SALT) != person_code("a", b"t" * 32)
    assert -(2**63) <= person_code("é", SALT) < 2**63
    with pytest.raises(LakeError):
        person_code("a", b"")


def test_the_patient_key_stays_outside(lake: Lake) -> None:
    session = QuerySession(LIMITS)
    table = pa.table({"person": ["a", None, "a", "b"], "x": [1, 2, 3, 4]})
    session.person_table("visit", table, "person", SALT)
    session.lock()
    found = session.run('SELECT * FROM "visit"')
    assert found.column_names == ["__person", "x"]
    assert sorted(found.column("x").to_pylist()) == [1, 3, 4]
    assert set(found.column("__person").to_pylist()) == {person_code("a", SALT), person_code("b", SALT)}
    assert not session.check("SELECT person FROM visit")


def test_numeric_patient_keys_are_keys_too() -> None:
    session = QuerySession(LIMITS)
    session.person_table("visit", pa.table({"pid": [7, 8], "x": [1, 2]}), "pid", SALT)
    session.lock()
    codes = session.run("SELECT __person FROM visit").column("__person").to_pylist()
    assert set(codes) == {person_code("7", SALT), person_code("8", SALT)}


@pytest.mark.parametrize(
    "attack",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM parquet_scan('/tmp/*')",
        "SELECT * FROM secret_in_python",
        "SELECT * FROM glob('/*')",
        "SELECT error('x')",
        "SELECT * FROM nothing",
    ],
)
def test_the_lock_holds_even_where_admission_would_not(attack: str) -> None:
    secret_in_python = pa.table({"x": [1]})
    with pytest.raises(QueryFailed) as failed:
        execute({"t": pa.table({"x": [1]})}, {}, attack, LIMITS)
    assert failed.value.cause == "error"
    assert "passwd" not in str(failed.value)
    assert secret_in_python.num_rows == 1


@pytest.mark.parametrize(
    "attack", ["SET memory_limit = '1TB'", "COPY t TO '/tmp/x'", "INSTALL httpfs", "ATTACH '/tmp/x'"]
)
def test_statements_have_no_effect_under_the_lock(attack: str) -> None:
    import duckdb

    session = QuerySession(LIMITS)
    session.table("t", pa.table({"x": [1]}))
    session.lock()
    with pytest.raises(duckdb.Error):
        session._engine.execute(attack)


def test_time_memory_and_rows_have_limits() -> None:
    table = {"t": pa.table({"x": list(range(1001))})}
    with pytest.raises(QueryFailed) as rows_failed:
        execute(table, {}, "SELECT x FROM t", LIMITS)
    assert rows_failed.value.cause == "rows"
    assert execute(table, {}, "SELECT x FROM t WHERE x > 0", LIMITS).num_rows == 1000
    began = time.monotonic()
    with pytest.raises(QueryFailed) as late:
        execute(table, {}, "SELECT sum(a.x + b.x * c.x + d.x) FROM t a, t b, t c, t d", LIMITS)
    assert late.value.cause == "time"
    assert time.monotonic() - began < 30 * slowness(time.perf_counter)
    with pytest.raises(QueryFailed) as flood:
        execute(table, {}, "SELECT list(a.x + b.x + c.x) FROM t a, t b, t c", LIMITS)
    assert flood.value.cause in ("memory", "time")


def test_rows_come_in_one_order() -> None:
    shuffled = [pa.table({"x": order, "y": order}) for order in ([3, 1, 2], [2, 3, 1])]
    first, second = (execute({"t": table}, {}, "SELECT x, y FROM t", LIMITS) for table in shuffled)
    assert first.equals(second)


def test_a_session_is_open_or_locked() -> None:
    session = QuerySession(LIMITS)
    with pytest.raises(LakeError):
        session.run("SELECT 1")
    session.lock()
    with pytest.raises(LakeError):
        session.table("t", pa.table({"x": [1]}))


def test_views_are_named_selects() -> None:
    views = {"v": "SELECT x + 1 AS y FROM t", "w": "SELECT y * 2 AS z FROM v"}
    assert execute({"t": pa.table({"x": [1]})}, views, "SELECT z FROM w", LIMITS).to_pylist() == [{"z": 4}]


def test_the_current_view_is_the_latest_that_holds() -> None:
    facts = pa.table(
        {
            "id": ["a", "a", "b", "b", "c"],
            "seen": [1, 2, 1, 2, 1],
            "status": ["final", "final", "final", "entered-in-error", None],
        }
    )
    select = current_select("obs", CurrentRule("id", "seen", "status"))
    found = execute({"obs": facts}, {}, f"SELECT id, seen FROM ({select})", LIMITS).to_pylist()
    assert found == [{"id": "a", "seen": 2}, {"id": "c", "seen": 1}]


def test_quotes_in_names_stay_inside() -> None:
    assert quoted('a"; DROP TABLE x; --') == '"a""; DROP TABLE x; --"'
