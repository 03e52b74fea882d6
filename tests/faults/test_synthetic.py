"""Synthetic sets under faults: killed between charge and release, one set is paid for once, and it is one set."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.faults.synthetic_maker import RHO

ROOT = Path(__file__).resolve().parent.parent.parent


def made(folder: Path, run: str, stop: str = "-") -> dict[str, Any] | None:
    """What a maker says; ``None`` where it was killed."""
    command = [sys.executable, str(Path(__file__).with_name("synthetic_maker.py")), str(folder), run, stop]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    done = subprocess.run(command, capture_output=True, env=environment, check=False, timeout=60)
    if stop != "-":
        assert done.returncode == -9, done.stderr.decode()
        return None
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("stop", ["measure", "keep", "draw"])
def test_killed_anywhere_it_is_paid_once_and_is_one_set(tmp_path: Path, stop: str) -> None:
    made(tmp_path, "run-a", stop)
    first = made(tmp_path, "run-a")
    assert first is not None and first["spent"] == RHO and not first["again"]
    other = made(tmp_path, "run-b")
    assert other is not None and other["spent"] == RHO and other["again"]
    assert other["model"] == first["model"], "asked anew, it is the set that was paid for"
