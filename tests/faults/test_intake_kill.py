"""kill -9 at each step of the intake: what was acknowledged is there once, and the accounts add up."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from tests.unit.intake.hospital import Hospital

ROOT = Path(__file__).resolve().parent.parent.parent
STEPS = ("kept", "read", "prepared", "planned", "one-table", "appended", "written", "committed")
COUNT = 7


def killed_at(folder: Path, step: str, times: int, first: int) -> tuple[list[str], int]:
    """Digests that were acknowledged before the process died, and how it ended."""
    command = [sys.executable, str(Path(__file__).with_name("intake_worker.py")), str(folder), step]
    command += [str(times), str(first), str(COUNT)]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    done = subprocess.run(command, env=environment, capture_output=True, timeout=120, check=False)
    assert done.returncode in (0, -9), done.stderr.decode()[-2000:]
    return done.stdout.decode().split(), done.returncode


def is_right(hospital: Hospital, acknowledged: list[str]) -> None:
    """Every acknowledged object is settled, each row is there once, everything adds up."""
    for digest in acknowledged:
        found = hospital.accounts.object(digest)
        assert found is not None and found.state in ("committed", "quarantined") and found.tally.adds_up
    for table in ("patient", "observation"):
        rows = hospital.rows(table)
        assert max(Counter((row["id"], row["message"]) for row in rows).values()) == 1
        assert max(Counter(row["id"] for row in rows).values()) == 1
        assert {row["message"] for row in rows} <= set(acknowledged)
    status = hospital.accounts.status(hospital.raw.count())
    assert status.backlog == 0 and status.tally.adds_up
    assert status.tally.accepted == len(hospital.rows("observation")) == len(hospital.rows("patient"))
    assert hospital.ledger.unfinished() is None
    written = Counter(row["batch"] for row in hospital.rows("observation"))
    for account in hospital.accounts.by_batch():
        assert written[int(account.key)] == account.tally.accepted - account.tally.repeated and account.tally.adds_up
    assert sum(entry.kind == "intake" for entry in hospital.ledger.outbox()) == len(hospital.accounts.by_batch())


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_kill_9_loses_nothing_acknowledged_and_doubles_nothing(tmp_path: Path, step: str) -> None:
    acknowledged: list[str] = []
    for attempt, times in enumerate((1, 2)):
        said, code = killed_at(tmp_path, step, times, attempt * 10)
        assert code == -9, "the step was reached"
        acknowledged += said
    hospital = Hospital(tmp_path)
    hospital.intake.drain()
    is_right(hospital, acknowledged)
    hospital.close()
