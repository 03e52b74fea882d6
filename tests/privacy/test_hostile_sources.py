"""Sources that lie, and files made to hurt: what one source says neither hides another's nor shows anybody."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from tests.unit.intake.hospital import Hospital

from xinglin.intake.model import Source
from xinglin.intake.preparing import AHEAD_MS, FUTURE_VERSION
from xinglin.lake.delta import Lake
from xinglin.lake.reading import read_current

NOW = 1_700_000_000_000
FHIR = "application/fhir+json"


@pytest.fixture
def hospital(tmp_path: Path) -> Iterator[Hospital]:
    opened = Hospital(tmp_path)
    yield opened
    opened.close()


def told(city: str, changed: str = "") -> str:
    """A person of whom each source says something else."""
    body = {"resourceType": "Patient", "id": "1", "gender": "female", "address": [{"city": city}]}
    if changed:
        body["meta"] = {"lastUpdated": changed}
    return json.dumps(body)


def current(hospital: Hospital, columns: str) -> list[tuple[object, ...]]:
    snapshot = hospital.lake.pin_current(["patient"], hospital.lake.versions("patient")[-1][1])
    with read_current(hospital.lake, snapshot) as session:
        rows = session.run(f"SELECT {columns} FROM patient ORDER BY ALL").to_pylist()
    return [tuple(row.values()) for row in rows]


# --- what one source says of another's facts -----------------------------------------------------


@pytest.mark.parametrize("changed", ["9999-12-31T23:59:59Z", "2100-01-01T00:00:00+08:00"])
def test_a_version_from_the_future_does_not_hold_for_ever(hospital: Hospital, changed: str) -> None:
    """Source B says of a fact of source A that it was changed in the year 9999; then A says something new."""
    for name in ("a", "b"):
        hospital.ledger.register(Source(name, media_type=FHIR), 1)
    for number, (source, body) in enumerate(
        [("a", told("Xi'an")), ("b", told("taken over", changed)), ("a", told("Hangzhou"))]
    ):
        hospital.send(body, source=source, media_type=FHIR, at=NOW + number)
        hospital.intake.drain()
    assert current(hospital, "city, source") == [("Hangzhou", "a")]
    (lying,) = [row for row in hospital.rows("patient") if row["source"] == "b"]
    assert FUTURE_VERSION in lying["flags"].split()
    assert lying["version_at"].timestamp() * 1000 == NOW + 1


def test_a_clock_that_is_a_little_ahead_is_believed(hospital: Hospital) -> None:
    hospital.ledger.register(Source("a", media_type=FHIR), 1)
    hospital.send(told("Xi'an", "2023-11-15T20:00:00Z"), source="a", media_type=FHIR, at=NOW)
    hospital.intake.drain()
    (row,) = hospital.rows("patient")
    assert NOW < row["version_at"].timestamp() * 1000 <= NOW + AHEAD_MS
    assert row["flags"] is None or FUTURE_VERSION not in row["flags"].split()


def test_an_hl7_message_of_the_year_9999_is_of_its_receipt(hospital: Hospital) -> None:
    hospital.ledger.register(Source("b", media_type="x-application/hl7-v2+er7"), 1)
    text = (
        "MSH|^~\\&|A|B|C|D|99991231120000||ADT^A08|m1|P|2.4\rEVN|A08|99991231120000\rPID|1||777^^^H^MR||X^Y||1950|M\r"
    )
    hospital.send(text, source="b", media_type="x-application/hl7-v2+er7", at=NOW)
    hospital.intake.drain()
    assert {row["version_at"].timestamp() * 1000 for row in hospital.rows("patient")} == {NOW}


def test_sources_with_namespaces_cannot_speak_of_each_other(hospital: Hospital) -> None:
    """The same ids, and ids that try to look like the other's keys."""
    hospital.ledger.register(Source("a", media_type=FHIR, namespace="his"), 1)
    hospital.ledger.register(Source("b", media_type=FHIR), 1)
    hospital.send(told("Xi'an"), source="a", media_type=FHIR, at=NOW)
    hospital.send(told("taken over"), source="b", media_type=FHIR, at=NOW + 1)
    for number, forged in enumerate(("his/Patient/1", "../his/Patient/1", "his%2FPatient/1", "1#1", "1\n1")):
        body = json.dumps({"resourceType": "Patient", "id": forged, "address": [{"city": "taken over"}]})
        hospital.send(body, source="b", media_type=FHIR, at=NOW + 2 + number)
    for number, reference in enumerate(("his/Patient/1", "../his/Patient/1", "/his/Patient/1")):
        body = json.dumps(
            {
                "resourceType": "Condition",
                "id": f"c{number}",
                "subject": {"reference": reference},
                "code": {"text": "invented"},
            }
        )
        hospital.send(body, source="b", media_type=FHIR, at=NOW + 20 + number)
    hospital.intake.drain()
    assert current(hospital, "id, city, source") == [("Patient/1", "taken over", "b"), ("his/Patient/1", "Xi'an", "a")]
    assert not [row for row in hospital.rows("condition") if row["patient"] == "his/Patient/1"]


# --- what lies on the disk -----------------------------------------------------------------------

_WRITES = """
import sys
from pathlib import Path
from xinglin.cli import app
sys.argv = ["xinglin", "--version"]
try:
    app.run()
except SystemExit:
    pass
from tests.unit.intake.hospital import LAB, Hospital, results
hospital = Hospital(Path({folder!r}))
hospital.ledger.register(LAB, 1)
hospital.send(results(1, 3))
hospital.intake.drain()
hospital.close()
"""


def test_what_the_program_writes_is_its_owners_alone(tmp_path: Path) -> None:
    place = tmp_path / "node"
    place.mkdir(mode=0o700)
    done = subprocess.run(
        [sys.executable, "-c", _WRITES.format(folder=str(place))],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        umask=0o022,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    open_ = [str(path.relative_to(place)) for path in place.rglob("*") if stat.S_IMODE(path.lstat().st_mode) & 0o077]
    assert open_ == [] and list(place.rglob("*.parquet"))


def test_a_new_lake_is_closed_whoever_makes_it(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        Lake(tmp_path / "lake").append("note", pa.table({"id": ["1"]}))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "lake").stat().st_mode) == 0o700
