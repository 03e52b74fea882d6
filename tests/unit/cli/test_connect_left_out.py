"""``xinglin connect`` of a folder with files that cannot be read: the others are connected, and all of it is said."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.intake_home import IntakeHome
from tests.unit.node import hostile_files as hostile

from xinglin.cli.output import PARTLY, REFUSED
from xinglin.node.intake.sources import read_sources
from xinglin.sample import generate_space
from xinglin.sample.dicom import instances
from xinglin.sample.hl7v2 import messages

PEOPLE = "patient_id,gender,dob\n" + "".join(f"{n},{'FM'[n % 2]},1980-01-0{1 + n % 9}\n" for n in range(40))
HOSPITAL = generate_space(7)[0]
_DROP, _OVERRIDE, _SEARCH = 24, 1, 2
"""``PR_CAPBSET_DROP``, ``CAP_DAC_OVERRIDE``, ``CAP_DAC_READ_SEARCH``: without them root minds permissions too."""


def mind_permissions() -> None:
    if os.geteuid() == 0:
        prctl = ctypes.CDLL(None, use_errno=True).prctl
        if prctl(_DROP, _OVERRIDE, 0, 0, 0) or prctl(_DROP, _SEARCH, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "capabilities cannot be dropped here")


def connect(home: IntakeHome, place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "xinglin", "connect", str(place), "--folder", str(home.folder), *words]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=300, preexec_fn=mind_permissions, check=False
    )


@pytest.fixture
def home(tmp_path: Path) -> IntakeHome:
    return IntakeHome(tmp_path)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Two good files, and one of each kind that cannot be read."""
    found = tmp_path / "exports"
    (found / "closed").mkdir(parents=True)
    (found / "feed.hl7").write_bytes(b"".join(one for one, _ in zip(messages(HOSPITAL), range(20), strict=False)))
    (found / "people.csv").write_text(PEOPLE)
    (found / "bomb.zip").write_bytes(hostile.endless_zip())
    (found / "vast.xlsx").write_bytes(hostile.vast_workbook())
    (found / "secret.csv").write_text(PEOPLE)
    (found / "secret.csv").chmod(0)
    (found / "closed").chmod(0)
    (found / "gone.csv").symlink_to(found / "nowhere.csv")
    os.mkfifo(found / "pipe.csv")
    return found


CODES = {
    "bomb.zip": "kernel.limit",
    "vast.xlsx": "intake.look_too_large",
    "secret.csv": "node.file_denied",
    "closed": "node.file_denied",
    "gone.csv": "node.dangling_link",
    "pipe.csv": "node.no_file",
}


def test_a_folder_is_connected_without_what_cannot_be_read(home: IntakeHome, place: Path) -> None:
    done = connect(home, place, "--yes", "--json")
    assert done.returncode == PARTLY, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert {one["name"]: one["code"] for one in told["unread"]} == CODES and len(told["unread"]) == len(CODES)
    assert all(one["words"] and one["remedy"] for one in told["unread"])
    assert [one["tables"]["patient"] for one in told["sample"]] == [20, 40]
    assert sum(one["files"] for one in told["loaded"]) == 2
    assert [one["rows"]["patient"] for one in told["loaded"]] == [20, 40]
    assert all(
        one["tally"]["quarantined"] == one["tally"]["rejected"] == 0 and not one["unread"] for one in told["loaded"]
    )
    assert len(read_sources(home.folder)) == 2


def test_people_read_each_reason_once(home: IntakeHome, place: Path) -> None:
    done = connect(home, place, "--yes")
    assert done.returncode == PARTLY and "Traceback" not in done.stderr
    said = done.stdout + done.stderr
    for name, code in CODES.items():
        assert sum(one.startswith(f"  {name}: ") and one.endswith(f"[{code}]") for one in said.splitlines()) == 1, said
    assert "6 files could not be read" in done.stdout


def test_where_nothing_can_be_read_nothing_is_written(home: IntakeHome, place: Path) -> None:
    for name in ("feed.hl7", "people.csv"):
        (place / name).unlink()
    done = connect(home, place, "--yes", "--json")
    told: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == REFUSED and told["code"] == "node.nothing_read"
    assert {one["name"]: one["code"] for one in told["reasons"]} == CODES
    people = connect(home, place, "--yes")
    assert people.returncode == REFUSED and all(f"[{code}]" in people.stderr for code in CODES.values())
    assert all(name in people.stderr for name in CODES), people.stderr
    assert not read_sources(home.folder)


def test_images_in_an_archive_are_counted_and_their_rows_come(home: IntakeHome, tmp_path: Path) -> None:
    members = {f"{n}.dcm": one for n, one in enumerate(instances(HOSPITAL, count=2, side=16))}
    path = tmp_path / "ct.zip"
    path.write_bytes(hostile.zipped(members))
    done = connect(home, path, "--yes", "--json")
    assert done.returncode == 0, done.stdout
    told = json.loads(done.stdout)
    (sample,), (loaded,) = told["sample"], told["loaded"]
    assert told["unread"] == [] and sample["counted"] == 1
    assert sample["images"] == {"instances": 4, "packed": 4, "modalities": {"CT": 4}, "unread": 0, "tables": 0}
    assert loaded["tally"]["accepted"] == 4 and loaded["rows"] == {"imaging": 2, "patient": 2}
    people = connect(home, path, "--try")
    assert f"images: {len(members)} (CT {len(members)})" in people.stderr
    assert f"{len(members)} of them in archives" in people.stderr
