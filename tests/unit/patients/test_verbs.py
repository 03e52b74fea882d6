"""``xinglin patients …`` on a node's folder: people decide, values are shown at the terminal and logged nowhere."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from tests.unit.patients.clinic import arrow
from tests.unit.patients.people import LI, WANG, version
from typer.testing import CliRunner

from xinglin.cli import output
from xinglin.cli.patient_verbs import app
from xinglin.node.intake.wiring import open_persons
from xinglin.node.joining import KEY_FILE
from xinglin.node.settings import NodeSettings
from xinglin.trust.key_file import key_file_bytes
from xinglin.trust.keys import PrivateKeys

ODD = {**WANG, "birth_date": "1980-05-01"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A node's folder whose index has a conflict and a person of two records."""
    keys = PrivateKeys.generate()
    (tmp_path / KEY_FILE).write_bytes(key_file_bytes(keys))
    persons = open_persons(tmp_path, NodeSettings(), keys)
    rows = [version("Patient/1", 1, **WANG), version("Patient/2", 1, **ODD)]
    rows += [version("Patient/3", 1, **LI), version("Patient/4", 1, **LI)]
    persons.took(1, arrow(rows))
    persons.store.close()
    return tmp_path


def told(folder: Path, monkeypatch: pytest.MonkeyPatch, *words: str, code: int = 0) -> Any:
    """What a verb says as JSON."""
    monkeypatch.setattr(output.printer, "as_json", True)
    done = CliRunner().invoke(app, [*words, "--folder", str(folder)])
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


def test_a_conflict_is_decided_at_the_terminal(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assert told(folder, monkeypatch, "status")["reviews"] == {"open": 1}
    (pair,) = told(folder, monkeypatch, "review")
    assert pair["differ"] == ["birth_date"] and pair["fields"]["birth_date"] == ["1980-01-05", "1980-05-01"]
    number = str(pair["number"])
    assert told(folder, monkeypatch, "defer", number, "--by", "ann")["state"] == "deferred"
    assert told(folder, monkeypatch, "confirm", number, "--by", "ann", "--why", "telephone")["state"] == "confirmed"
    history = told(folder, monkeypatch, "history", "Patient/1")
    assert history["person"][-1]["person"] == "Person/1" and history["happened"][-1]["rule"] == "clerk"
    assert told(folder, monkeypatch, "reopen", number, "--by", "bob")["state"] == "open"
    assert told(folder, monkeypatch, "reject", number, "--by", "bob")["state"] == "rejected"
    assert told(folder, monkeypatch, "history", "Patient/1")["person"][-1]["person"] == ""
    assert told(folder, monkeypatch, "confirm", "99", "--by", "ann", code=1)["code"] == "patients.no_review"
    assert "王" not in caplog.text and WANG["national_id"] not in caplog.text


def test_links_by_hand_and_a_master_index(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(folder, monkeypatch, "link", "Patient/1", "Patient/2", "--by", "ann")["linked"] is True
    assert told(folder, monkeypatch, "unlink", "Patient/4", "--by", "ann")["parted_from"] == ["Patient/3"]
    file = folder / "empi.csv"
    file.write_text("patient,person\nPatient/1,E1\nPatient/3,E1\n", encoding="utf-8")
    assert told(folder, monkeypatch, "import", str(file), "--by", "ann")["changed"] == 2
    file.write_text("patient,person\nPatient/1\n", encoding="utf-8")
    bad = told(folder, monkeypatch, "import", str(file), "--by", "ann", code=1)
    assert bad["code"] == "patients.bad_crosswalk" and "Line 2" in bad["what"]


def test_people_get_two_records_side_by_side(folder: Path) -> None:
    done = CliRunner().invoke(app, ["review", "--folder", str(folder)])
    assert done.exit_code == 0 and "conflict by national_id; against it: birth_date (open)" in done.stdout
    assert "Patient/1" in done.stdout and "1980-05-01" in done.stdout
    assert "nothing waits" in CliRunner().invoke(app, ["review", "--state", "deferred", "--folder", str(folder)]).stdout
    shown = CliRunner().invoke(app, ["history", "Patient/3", "--folder", str(folder)])
    assert "national_id" in shown.stdout and "Person/3" in shown.stdout
    assert "opened" in CliRunner().invoke(app, ["match", "--folder", str(folder)]).stdout
