"""Files of SQLite: private, their locks left alone, a write whole or not at all."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from xinglin.stores.sqlite_file import connect, make_private, whole

WRITE = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None).execute('BEGIN IMMEDIATE')"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a #%?.db"


def test_only_its_owner_reads_a_new_file(path: Path) -> None:
    connection = connect(path, 1.0)
    connection.execute("CREATE TABLE t (x)")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(sqlite3.OperationalError):
        connect(path, 1.0, read_only=True).execute("INSERT INTO t VALUES (1)")


def test_a_reader_makes_no_file(path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError):
        connect(path, 1.0, read_only=True)
    assert not path.exists()


def test_a_second_opening_keeps_the_locks_of_the_first(path: Path) -> None:
    holder = connect(path, 1.0)
    holder.execute("BEGIN IMMEDIATE")
    make_private(path)
    done = subprocess.run([sys.executable, "-c", WRITE, path], capture_output=True, check=False)
    assert b"locked" in done.stderr
    holder.close()


def test_a_transaction_that_fails_leaves_nothing_and_keeps_its_error(path: Path) -> None:
    connection = connect(path, 1.0)
    whole(connection, lambda c: c.execute("CREATE TABLE t (x)"))

    def fail(c: sqlite3.Connection) -> None:
        c.execute("INSERT INTO t VALUES (1)")
        raise LookupError("in the middle")

    with pytest.raises(LookupError):
        whole(connection, fail)
    assert not connection.in_transaction
    assert whole(connection, lambda c: c.execute("SELECT count(*) FROM t").fetchone()) == (0,)


def test_a_transaction_that_the_database_ended_keeps_its_error(path: Path) -> None:
    connection = connect(path, 1.0)

    def end(c: sqlite3.Connection) -> None:
        c.execute("ROLLBACK")
        raise LookupError("ended before")

    with pytest.raises(LookupError):
        whole(connection, end)
