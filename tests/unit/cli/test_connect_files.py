"""Files that do harm, bytes that another source brought, rows that are older than the terminology: each is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.intake_home import IntakeHome
from tests.unit.node import hostile_files as hostile
from typer.testing import CliRunner, Result

from xinglin.cli.app import app
from xinglin.node.intake.sources import read_sources
from xinglin.sample import generate_space
from xinglin.sample.fhir import bundles

runner = CliRunner()
MAP = {
    "resourceType": "ConceptMap",
    "url": "http://hospital.example/map",
    "version": "1",
    "status": "active",
    "group": [
        {
            "source": "urn:local",
            "target": "http://loinc.org",
            "element": [{"code": "HB", "target": [{"code": "718-7", "equivalence": "equivalent"}]}],
        }
    ],
}


@pytest.fixture
def home(tmp_path: Path) -> IntakeHome:
    return IntakeHome(tmp_path)


def ran(*words: str) -> Result:
    return runner.invoke(app, list(words))


def said(*words: str, code: int = 0) -> Any:
    """The JSON that a verb answers."""
    done = ran(*words, "--json")
    assert done.exit_code == code, done.output + str(done.exception)
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("name", "make", "code", "status"),
    [
        ("vast.xlsx", hostile.vast_workbook, "intake.look_too_large", 1),
        ("endless.zip", hostile.endless_zip, "kernel.limit", 2),
        ("cut.parquet", lambda: hostile.damaged_parquet("Secret")[:-5], "records.unreadable", 1),
    ],
)
def test_a_file_that_does_harm_is_told_and_changes_nothing(
    home: IntakeHome, tmp_path: Path, name: str, make: Any, code: str, status: int
) -> None:
    path = tmp_path / name
    path.write_bytes(make())
    for words in (("connect", str(path), "--folder", str(home.folder), "--yes"), ("map", "suggest", str(path))):
        told = said(*words, code=status)
        assert told["code"] == code and name in told["what"] and told["remedy"] and "Secret" not in json.dumps(told)
    people = ran("connect", str(path), "--folder", str(home.folder), "--yes")
    assert people.exit_code == status and name in people.stderr and "Traceback" not in people.stderr
    assert not read_sources(home.folder)


def test_a_mapping_is_checked_on_a_file_that_does_harm(tmp_path: Path) -> None:
    (tmp_path / "vast.xlsx").write_bytes(hostile.vast_workbook())
    (tmp_path / "m.toml").write_text('version = 1\nname = "x"\n[[table]]\ninto = "patient"\nid = "Patient/{a}"\n')
    told = said("map", "check", str(tmp_path / "m.toml"), str(tmp_path / "vast.xlsx"), code=1)
    assert told["code"] == "intake.look_too_large" and "vast.xlsx" in told["what"]


def test_bytes_that_another_source_brought_are_told(home: IntakeHome, tmp_path: Path) -> None:
    own = ("--folder", str(home.folder), "--yes")
    for number, body in zip(range(2), bundles(generate_space(7)[0]), strict=False):
        (tmp_path / f"{number}.json").write_bytes(body)
    first = said("connect", str(tmp_path / "0.json"), "--name", "first", *own)
    assert first["loaded"][0]["elsewhere"] == {}
    place = tmp_path / "all"
    place.mkdir()
    for number in range(2):
        (place / f"{number}.json").write_bytes((tmp_path / f"{number}.json").read_bytes())
    (loaded,) = said("connect", str(place), "--name", "second", *own)["loaded"]
    assert (loaded["known"], loaded["elsewhere"]) == (1, {"first": 1})
    assert loaded["rows"]["patient"] == 1
    again = ran("connect", str(place), "--name", "second", *own)
    assert "2 of 2 files were known" in again.output
    assert "1 of them came from source 'first'" in again.output and "xinglin intake remap first" in again.output


def test_rows_older_than_the_terminology_are_told_until_they_are_read_again(home: IntakeHome, tmp_path: Path) -> None:
    own = ("--folder", str(home.folder))
    path = tmp_path / "p.json"
    path.write_bytes(next(bundles(generate_space(7)[0])))
    said("connect", str(path), "--name", "his", *own, "--yes")
    home.start()
    try:
        assert "terminology" not in ran("intake", "accounts", *own).output
        (tmp_path / "map.json").write_text(json.dumps(MAP))
        said("terms", "load", "fhir", str(tmp_path / "map.json"), *own)
        for verb in ("accounts", "held"):
            done = ran("intake", verb, *own)
            assert done.exit_code == 0 and "xinglin intake remap his" in done.stderr
        assert said("intake", "accounts", *own)[0]["source"] == "his"
        said("intake", "remap", "his", *own)
        assert "remap" not in ran("intake", "accounts", *own).stderr
    finally:
        home.stop()
