"""The databases under faults: the writer killed, the disk full, a newer or damaged file. What returned is there."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import text
from tests.faults.node_writer import CELLS, ROUNDS, run_name, snapshot, steps
from tests.unit.stores.hub_suite import MESSAGE, RUN

from xinglin.stores.database_errors import DatabaseTooNew, StoreDamaged, StoreFull, StoreUnavailable
from xinglin.stores.hub_database import HubDatabase
from xinglin.stores.node_database import NodeDatabase
from xinglin.stores.node_rows import RunRow

ROOT = Path(__file__).resolve().parent.parent.parent
Done = dict[int, set[str]]
AT_LEAST = 25
"""Steps that have returned before a writer is killed."""


def write_until_killed(folder: Path, first: int, seconds: float) -> Done:
    """Run the writer, ``kill -9`` it in the middle, however slow the disk; the steps that had returned, by run."""
    command = [sys.executable, str(Path(__file__).with_name("node_writer.py")), str(folder), str(first)]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as writer:
        assert writer.stdout is not None
        lines = [writer.stdout.readline()]
        end = time.monotonic() + seconds
        while time.monotonic() < end or len(lines) <= AT_LEAST:
            lines.append(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        lines += writer.stdout.read().splitlines(keepends=True)
    done: Done = defaultdict(set)
    for number, step in (line.split() for line in lines if line.endswith(b"\n")):
        done[int(number)].add(step.decode())
    return done


def check_run(database: NodeDatabase, number: int, done: set[str]) -> None:
    """Everything that returned is there, and what had not is there whole or not at all."""
    name = run_name(number)
    row, record = database.run(name), database.record(name)
    assert row is not None or "put" not in done
    assert record is not None or "opened" not in done
    assert record is None or record.state == "computed" or "saved" not in done
    if row is not None:
        assert row.party == row.states, "one write is one step"
        last = [step for step in range(ROUNDS) if f"round-{step}" in done]
        if row.state == "open" and row.party:
            step = int(row.party.partition(b";")[0].split(b"/")[1])
            assert row.party == snapshot(number, step) and row.uploaded and step >= max(last, default=-1)
        assert row.party or row.state == "ended" or not last
        assert row.state == "ended" or "ended" not in done
    charge = database.allowance(f"set-{number}").charge(name)
    assert charge is not None or "reserved" not in done
    assert charge is None or charge.state == "spent" or "spent" not in done
    kept = {cell.cell for cell in database.cells_of(f"set-{number}")}
    assert kept in (set(), set(CELLS)) and (kept or "kept" not in done)
    receipts = database.receipts(name)
    assert "included" not in done or (receipts and receipts[0].index == number)


@pytest.mark.slow
def test_kill_9_while_a_node_writes_loses_nothing_that_returned(tmp_path: Path) -> None:
    first, everything = 0, 0
    for attempt in range(8):
        done = write_until_killed(tmp_path, first, 0.05 + attempt * 0.06)
        database = NodeDatabase.in_folder(tmp_path, lambda: 1)
        for number, these in done.items():
            check_run(database, number, these)
            everything += len(these)
        newest = max(done) + 1
        check_run(database, newest, set())
        database.close()
        first = newest + 1
    assert everything >= 8 * AT_LEAST


async def test_a_full_disk_is_named_nothing_is_half_written_and_it_goes_on_with_room(
    small_disk: Callable[[int], Path],
) -> None:
    disk = small_disk(1)
    database = NodeDatabase.in_folder(disk, lambda: 1)
    ballast = disk / "ballast"
    ballast.write_bytes(b"0" * 300_000)
    whole = -1
    with pytest.raises(StoreFull, match="disk is full"):
        for number in range(2_000):
            await steps(database, number)
            whole = number
    for _ in range(3):
        with pytest.raises(StoreFull):
            database.put_run(RunRow("large", "open", b"r" * 500_000, b""))
    for number in range(whole + 2):
        check_run(
            database, number, {"put", "opened", "reserved", "kept", "spent", "ended"} if number <= whole else set()
        )
    assert database.run("large") is None
    ballast.unlink()
    database.put_run(RunRow("after", "open", b"", b""))
    await steps(database, whole + 2)
    database.close()
    again = NodeDatabase.in_folder(disk, lambda: 1)
    assert again.run("after") is not None and again.record(run_name(whole + 2)) is not None
    check_run(again, whole + 2, {"ended", "kept", "spent"})
    again.close()


def test_a_full_disk_at_the_hub_takes_no_message_and_uses_no_invite(small_disk: Callable[[int], Path]) -> None:
    disk = small_disk(1)
    database = HubDatabase.in_folder(disk)
    database.add_invite("d", "provider", 100)
    taken = []
    ballast = disk / "ballast"
    ballast.write_bytes(b"0" * 400_000)
    with pytest.raises(StoreFull):
        for number in range(1_000):
            row = replace(MESSAGE, round=number, payload=bytes(9_000))
            assert database.add_message("run-a", row)
            taken.append(row)
    with pytest.raises(StoreFull):
        for number in range(100):
            database.add_run(replace(RUN, run_id=f"run-{number}", request=bytes(9_000)))
    assert database.messages("run-a") == tuple(taken)
    ballast.unlink()
    assert database.use_invite("d", "did", 0) == "provider"
    assert database.add_message("run-a", replace(MESSAGE, round=10_000))
    database.close()


@pytest.fixture
def small_files() -> Iterator[Callable[[int | None], None]]:
    """``limit(bytes)``: no file of this process grows beyond that (None: as before)."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(size_bytes: int | None) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before[0] if size_bytes is None else size_bytes, before[1]))

    yield limit
    limit(None)


def test_a_write_that_the_disk_refuses_is_unavailable_and_can_be_repeated(
    tmp_path: Path, small_files: Callable[[int | None], None]
) -> None:
    database = NodeDatabase.in_folder(tmp_path, lambda: 1)
    database.put_run(RunRow("run", "open", b"", b""))
    small_files(120_000)
    returned = refused = 0
    for number in range(60):
        try:
            database.change_run("run", party=snapshot(number, 0), states=snapshot(number, 0))
            returned = number
        except StoreUnavailable:
            refused += 1
            held = database.run("run")
            assert held is not None and held.party == held.states == snapshot(returned, 0)
    assert refused
    small_files(None)
    database.change_run("run", party=snapshot(99, 0), states=snapshot(99, 0))
    database.close()
    again = NodeDatabase.in_folder(tmp_path, lambda: 1)
    held = again.run("run")
    assert held is not None and held.party == held.states == snapshot(99, 0)
    again.close()


Opener = Callable[[Path], object]
OPENERS = [("node.db", lambda folder: NodeDatabase.in_folder(folder, lambda: 1)), ("hub.db", HubDatabase.in_folder)]


@pytest.mark.parametrize(("file", "opener"), OPENERS)
def test_a_newer_schema_is_refused_and_not_touched(tmp_path: Path, file: str, opener: Opener) -> None:
    opener(tmp_path).close()  # type: ignore[attr-defined]
    with sqlite3.connect(tmp_path / file) as connection:
        connection.execute("UPDATE schema_version SET version = 2")
        connection.execute("DROP TABLE run")
    connection.close()
    before = (tmp_path / file).read_bytes()
    with pytest.raises(DatabaseTooNew, match="version 2.*up to 1"):
        opener(tmp_path)
    assert (tmp_path / file).read_bytes() == before


@pytest.mark.parametrize(("file", "opener"), OPENERS)
def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path, file: str, opener: Opener) -> None:
    (tmp_path / file).write_bytes(b"not a database, but long enough to be read as one" * 99)
    with pytest.raises(StoreDamaged):
        opener(tmp_path)
    assert (tmp_path / file).read_bytes().startswith(b"not a database")


@pytest.mark.parametrize(("file", "opener"), OPENERS)
def test_the_files_are_their_owners_alone(tmp_path: Path, file: str, opener: Opener) -> None:
    before = os.umask(0)
    try:
        database = opener(tmp_path)
        if isinstance(database, NodeDatabase):
            database.put_run(RunRow("run", "open", b"", b""))
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob(file + "*")}
    finally:
        os.umask(before)
    database.close()  # type: ignore[attr-defined]
    assert modes[file] == 0o600 and set(modes.values()) == {0o600} and len(modes) > 1


def test_a_torn_page_is_damage_and_not_an_answer(tmp_path: Path) -> None:
    database = NodeDatabase.in_folder(tmp_path, lambda: 1)
    for number in range(50):
        database.put_run(RunRow(f"run-{number}", "open", snapshot(number, 0), b""))
    database.close()
    whole = (tmp_path / "node.db").read_bytes()
    (tmp_path / "node.db").write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    with pytest.raises(StoreDamaged):
        NodeDatabase.in_folder(tmp_path, lambda: 1).open_runs()


def test_a_locked_database_is_waited_for_and_then_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xinglin.stores.database.LOCK_WAIT_S", 0)
    database = NodeDatabase.in_folder(tmp_path, lambda: 1)
    other = sqlite3.connect(tmp_path / "node.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        database.put_run(RunRow("run", "open", b"", b""))
    assert database.open_runs() == ()  # a reader waits for nobody
    other.execute("ROLLBACK")
    database.put_run(RunRow("run", "open", b"", b""))
    database.close()
    other.close()


def test_every_connection_is_wal_and_synced(tmp_path: Path) -> None:
    database = NodeDatabase.in_folder(tmp_path, lambda: 1)
    with database._database.alone() as work:
        found = {name: work.rows(text(f"PRAGMA {name}"))[0][name] for name in ("journal_mode", "synchronous")}
    assert found == {"journal_mode": "wal", "synchronous": 2}
    database.close()
