"""The lake under faults: the writer killed, the disk full. What returned is there; the rest is whole or not there."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.faults.lake_writer import ROWS, TABLES, batch_of

from xinglin.lake import Lake, WriteFailed, check_lake, erase_person, repair_lake

ROOT = Path(__file__).resolve().parent.parent.parent


def writer(*words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(Path(__file__).with_name("lake_writer.py")), *words]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)


def ended_by_itself(*words: str) -> bool:
    """Whether the writer came to its end before it killed itself."""
    with writer(*words) as process:
        assert process.stdout is not None
        said = process.stdout.read()
    assert process.returncode in (0, -signal.SIGKILL)
    return b"ended" in said


def ledger(last: int) -> dict[int, dict[str, int]]:
    return {number: dict.fromkeys(TABLES, ROWS) for number in range(1, last + 1)}


def whole(lake: Lake, last: int) -> None:
    """Batches up to ``last`` are there once, in every table; nothing lies about after a repair."""
    repair_lake(lake, check_lake(lake))
    assert check_lake(lake, ledger(last)) == []


@pytest.mark.parametrize("tables", range(len(TABLES)))
def test_a_batch_cut_off_between_tables_is_completed_once(tmp_path: Path, tables: int) -> None:
    lake = Lake(tmp_path / "lake")
    lake.append_batch(1, batch_of(1))
    assert not ended_by_itself(str(lake.folder), "batch", "2", str(tables))
    found = {finding.table for finding in check_lake(lake, ledger(2))}
    assert found == set(TABLES[tables:])
    lake.append_batch(2, batch_of(2))
    whole(lake, 2)
    lake.append_batch(2, batch_of(2))
    whole(lake, 2)


def test_a_writer_killed_at_any_moment_loses_and_doubles_nothing(tmp_path: Path) -> None:
    lake, done = Lake(tmp_path / "lake"), 0
    for seconds in (0.05, 0.21, 0.4, 0.33):
        with writer(str(lake.folder), "batches", str(done + 1)) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline()]
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                lines.append(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
            lines += process.stdout.read().splitlines(keepends=True)
        done = int([line for line in lines if line.endswith(b"\n")][-1])
        missing = [finding for finding in check_lake(lake, ledger(done)) if int(finding.found) < finding.expected]
        assert missing == []
        done += 1
        lake.append_batch(done, batch_of(done))
        whole(lake, done)


def test_an_erasure_killed_at_any_step_is_finished_by_the_next(tmp_path: Path) -> None:
    lake, person, step, killed = Lake(tmp_path / "lake"), "person-007", 0, 0
    for number in (1, 2):
        lake.append_batch(number, batch_of(number))
    while not ended_by_itself(str(lake.folder), "erase", person, str(step)):
        killed += 1
        step += 3
        person = f"person-{7 + step:03d}"
    assert killed >= 3
    for number in range(0, step, 3):
        erase_person(lake, [f"person-{7 + number:03d}"])
    gone = [f"person-{7 + number:03d}" for number in range(0, step + 1, 3)]
    for path in (p for p in lake.folder.rglob("*") if p.is_file()):
        decoded = str(pq.read_table(path).to_pylist()) if path.suffix == ".parquet" else path.read_text()
        assert not [person for person in gone if person in decoded], path
    assert lake.statistics("condition").rows == 2 * (ROWS - len(gone))


def test_a_limit_on_files_leaves_the_table_as_it_was(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    lake.append_batch(1, batch_of(1))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, before[1]))
    try:
        with pytest.raises(WriteFailed):
            lake.append_batch(2, batch_of(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert lake.statistics("condition").rows == ROWS
    lake.append_batch(2, batch_of(2))
    whole(lake, 2)


def test_a_full_disk_is_said_and_leaves_nothing_half_visible(small_disk: Callable[[int], Path]) -> None:
    disk = small_disk(1)
    lake, number = Lake(disk / "lake"), 0
    lake.append_batch(1, batch_of(1))
    (disk / "ballast").write_bytes(b"\0" * 300_000)
    with pytest.raises(WriteFailed) as failed:
        for number in range(2, 200):
            lake.append_batch(number, batch_of(number))
    assert "person" not in str(failed.value)
    held = {name: lake.open(name).to_pyarrow_table().num_rows for name in TABLES}
    assert all(rows in (ROWS * number, ROWS * (number - 1)) for rows in held.values()), held
    (disk / "ballast").unlink()
    lake.append_batch(number, batch_of(number))
    whole(lake, number)
