"""The log under faults: the writer killed, the disk full, stored bytes changed. Nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.unit.witness.kit import LyingLog, leaf

from xinglin.evidence.fsck import LogReaders, check_log
from xinglin.evidence.policy import LogKey, Policy
from xinglin.evidence.ports import AppendGroup
from xinglin.evidence.tree import CompactRange, leaf_hash
from xinglin.stores.group_commit import GroupCommit
from xinglin.stores.log_errors import LogCorrupt, LogFull, LogUnavailable
from xinglin.stores.log_sqlite import SqliteLogStore

ROOT = Path(__file__).resolve().parent.parent.parent
AT_LEAST = 100
"""Entries that a writer has acknowledged before it is killed."""


def write_until_killed(file: Path, run: int, seconds: float) -> dict[bytes, int]:
    """Run the writer, ``kill -9`` it in the middle, however slow the disk; what it acknowledged, by entry name."""
    command = [sys.executable, str(Path(__file__).with_name("log_writer.py")), str(file), str(run), "64"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as writer:
        assert writer.stdout is not None
        first = writer.stdout.readline()
        timer = time.monotonic() + seconds
        lines = [first]
        while time.monotonic() < timer or len(lines) <= AT_LEAST:
            lines.append(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        lines += writer.stdout.read().splitlines(keepends=True)
    whole = [line.split() for line in lines if line.endswith(b"\n")]
    return {name: int(index) for index, name in whole}


@pytest.mark.slow
def test_kill_9_during_group_commit_loses_nothing_acknowledged_and_repeats_nothing(tmp_path: Path) -> None:
    acknowledged: dict[bytes, int] = {}
    for run in range(5):
        acknowledged |= write_until_killed(tmp_path / "log.sqlite", run, 0.15 + run * 0.07)
    assert len(acknowledged) > 5 * AT_LEAST
    store = SqliteLogStore(tmp_path / "log.sqlite")
    entries = store.entries(0, store.size())
    assert len(entries) == store.size() >= len(acknowledged)
    assert len(set(entries)) == len(entries)
    for name, index in acknowledged.items():
        assert entries[index] == b"entry " + name
    tree = CompactRange()
    tree.extend(map(leaf_hash, entries))
    assert store.frontier() == (tree.size, tree.hashes)
    # Whoever lost the answer sends again under the same key and gets the same index.
    again = store.append_groups([AppendGroup((b"entry " + name,), name) for name in acknowledged])
    assert again == list(acknowledged.values())
    assert store.size() == len(entries)
    store.close()


@pytest.fixture
def file_limit() -> Iterator[object]:
    """``limit(bytes)``: no file of this process grows beyond that (None: as before)."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(size_bytes: int | None) -> None:
        soft = before[0] if size_bytes is None else size_bytes
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, before[1]))

    yield limit
    limit(None)


async def test_a_disk_that_takes_no_more_acknowledges_nothing_and_recovers(tmp_path: Path, file_limit) -> None:  # type: ignore[no-untyped-def]
    store = SqliteLogStore(tmp_path / "log.sqlite")
    commit = GroupCommit(store)
    for number in range(20):
        assert await commit.append(b"%d" % number + b"x" * 1_000) == number
    file_limit(80_000)
    failed = acknowledged = 0
    for number in range(200):
        try:
            await commit.append(b"more %d" % number + b"y" * 2_000)
            acknowledged += 1
        except LogUnavailable:
            failed += 1
    assert failed
    file_limit(None)
    assert store.size() == 20 + acknowledged
    index = await commit.append(b"after")
    assert index == 20 + acknowledged
    await commit.close()
    store.close()
    store = SqliteLogStore(tmp_path / "log.sqlite")
    entries = store.entries(0, index + 1)
    assert len(entries) == index + 1
    tree = CompactRange()
    tree.extend(map(leaf_hash, entries))
    assert store.frontier() == (tree.size, tree.hashes)
    store.close()


async def test_a_full_disk_is_named_and_nothing_is_promised(small_disk: Callable[[int], Path]) -> None:
    disk = small_disk(2)
    store = SqliteLogStore(disk / "log.sqlite")
    commit = GroupCommit(store)
    ballast = disk / "ballast"
    ballast.write_bytes(b"0" * 1_200_000)
    promised = []
    with pytest.raises(LogFull, match="disk is full"):
        for number in range(2_000):
            promised.append(await commit.append(b"%d" % number + b"z" * 3_000))
    outcomes = await asyncio.gather(*(commit.append(b"q" * 60_000) for _ in range(10)), return_exceptions=True)
    assert all(isinstance(outcome, LogFull) for outcome in outcomes)
    assert store.size() == len(promised)
    ballast.unlink()
    assert await commit.append(b"room again") == len(promised)
    assert store.entries(0, 1)[0].startswith(b"0z")
    await commit.close()
    store.close()


def readers(store: SqliteLogStore, log: LyingLog) -> LogReaders:
    policy = Policy((LogKey(log.signer.key),), (), (), "none")
    note = store.get_checkpoint() or b""
    return LogReaders(store.size(), store.entries, store.hashes, store.frontier(), (note,), policy)


@pytest.fixture
def stored(tmp_path: Path) -> tuple[Path, LyingLog]:
    log = LyingLog().add(*(leaf(n) for n in range(600)))
    store = SqliteLogStore(tmp_path / "log.sqlite")
    store.append_batch(log.store.entries(0, 600))
    store.put_checkpoint(log.note().encode())
    assert check_log(readers(store, log)).clean
    store.close()
    return tmp_path / "log.sqlite", log


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("UPDATE entry SET body = ? WHERE idx = 321", (leaf(9_999),)), "fsck.hash"),
        (("UPDATE entry SET hash = ? WHERE idx = 599", (bytes(32),)), "fsck.hash"),
        (("UPDATE node SET hash = ? WHERE level = 1 AND idx = 1", (bytes(32),)), "fsck.hash"),
        (("DELETE FROM entry WHERE idx = ?", (17,)), "fsck.entries"),
        (("UPDATE head SET frontier = zeroblob(?)", (4 * 32,)), "fsck.frontier"),
        (("UPDATE entry SET body = ? WHERE idx = 5", (b"{}",)), "evidence.entry"),
    ],
)
def test_fsck_finds_what_was_changed_on_the_disk(
    stored: tuple[Path, LyingLog], change: tuple[str, tuple[object, ...]], code: str
) -> None:
    file, log = stored
    with sqlite3.connect(file) as connection:
        connection.execute(*change)
    store = SqliteLogStore(file)
    report = check_log(readers(store, log))
    assert code in {finding.code for finding in report.findings}
    store.close()


def test_fsck_finds_a_rewritten_history_by_its_checkpoint(stored: tuple[Path, LyingLog], tmp_path: Path) -> None:
    _, log = stored
    store = SqliteLogStore(tmp_path / "rewritten.sqlite")
    store.append_batch([*(leaf(n) for n in range(599)), leaf(7_777)])
    store.put_checkpoint(log.note().encode())
    assert "checkpoint.root" in {finding.code for finding in check_log(readers(store, log)).findings}
    store.close()


def test_a_store_that_contradicts_itself_takes_no_more_entries(stored: tuple[Path, LyingLog]) -> None:
    file, _ = stored
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE head SET size = 599, frontier = zeroblob(?)", (32 * (599).bit_count(),))
    store = SqliteLogStore(file)
    with pytest.raises(LogCorrupt):
        store.append_batch([b"next"])
    store.close()
