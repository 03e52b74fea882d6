"""After an erasure nothing of the person is left in any file, and nobody else has lost a row."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.unit.intake.hospital import LAB, Hospital, bundle, csv

from xinglin.intake.erasing import Erasure
from xinglin.intake.model import Source, Tally
from xinglin.intake.ports import RawStore
from xinglin.intake.procedure import commitments
from xinglin.stores.intake_lake import LakeFacts
from xinglin.stores.intake_preparer import ChildPreparer

GONE = ("Wanda-Gone", "77001")


@pytest.fixture(params=["inline", pytest.param("child", marks=pytest.mark.slow)])
def hospital(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Hospital]:
    opened = Hospital(tmp_path, preparer=ChildPreparer if request.param == "child" else None)
    opened.ledger.register(LAB, 1)
    opened.ledger.register(Source("ehr"), 1)
    yield opened
    opened.close()


def erasure(hospital: Hospital) -> Erasure:
    raw: RawStore = hospital.raw
    return Erasure(hospital.intake, raw, hospital.ledger, hospital.preparer, LakeFacts(hospital.lake))  # type: ignore[arg-type]


def traces(hospital: Hospital, *words: str) -> list[str]:
    """Where a word stands: in any file's bytes, in any object that can be decrypted, in any cell."""
    found = []
    for path in sorted(hospital.folder.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            found += [f"{path.name}: {word}" for word in words if word.encode() in data]
    after = 0
    while page := hospital.raw.after(after, 100):
        for kept in page:
            after = kept.sequence
            body = hospital.raw.read(kept.digest)
            found += [f"object {kept.sequence}: {word}" for word in words if word.encode() in body]
    for name in hospital.lake.names():
        text = json.dumps(hospital.lake.open(name).to_pyarrow_table().to_pylist(), default=str)
        found += [f"{name}: {word}" for word in words if word in text]
    return found


def ledger_digests(hospital: Hospital) -> set[bytes]:
    with sqlite3.connect(hospital.folder / "intake.db") as connection:
        return {row[0] for row in connection.execute("SELECT fact FROM record")} | {
            row[0] for row in connection.execute("SELECT person FROM person")
        }


def table(*mrns: int) -> str:
    return csv((mrn, GONE[0] if str(mrn) == GONE[1] else f'"of {mrn},\nand"', "male", "hb", 1) for mrn in mrns)


def test_a_person_is_gone_from_every_file_and_others_keep_their_rows(hospital: Hospital) -> None:
    shared, alone, other = hospital.send(table(1, 77001, 2), table(77001), table(3, 4))
    ndjson = "\n".join(json.dumps(entry["resource"]) for entry in json.loads(bundle("77001", "x"))["entry"])
    hospital.send(bundle("a", "77001", "b"), media_type="application/fhir+json", source="ehr")
    hospital.send(ndjson, media_type="application/fhir+ndjson", source="ehr")
    hospital.intake.drain()
    before = ledger_digests(hospital)
    others = {row["id"] for row in hospital.rows("patient")} - {"Patient/77001"}
    assert traces(hospital, GONE[0])
    done = erasure(hospital).erase(["Patient/77001"])
    assert done.persons == 1 and done.objects == 4 and done.redacted == 3 and done.rows["patient"] >= 2
    assert traces(hospital, *GONE) == []
    hospital.intake.drain()
    assert traces(hospital, *GONE) == []
    assert {row["id"] for row in hospital.rows("patient")} == others
    assert others == {f"Patient/{key}" for key in (1, 2, 3, 4, "a", "b", "x")}
    assert len(hospital.rows("patient")) == len(others)
    assert len(before - ledger_digests(hospital)) >= 5
    assert hospital.accounts.object(other.digest).state == "committed"  # type: ignore[union-attr]
    assert hospital.accounts.object(alone.digest).tally == Tally()  # type: ignore[union-attr]
    moved = hospital.accounts.moved_to(shared.digest)
    assert moved and b"of 2" in hospital.raw.read(moved) and hospital.accounts.moved_to(alone.digest) == ""
    (place,) = {row["place"] for row in hospital.rows("patient") if row["id"] == "Patient/2"}
    line = int(place.removeprefix("line "))
    assert hospital.raw.read(moved).split(b"\n")[line - 1].startswith(b"2,")
    status = hospital.accounts.status(hospital.raw.count())
    assert status.tally.adds_up and status.backlog == 0
    entry = next(entry for entry in hospital.ledger.outbox() if entry.kind == "erasure")
    assert set(commitments(entry)) == {"what", "persons", "objects", "redacted", "rows"}


def test_it_is_started_again_after_a_crash_at_any_step(hospital: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    hospital.send(table(1, 77001), table(77001))
    hospital.intake.drain()

    def broken(*_: object) -> None:
        raise KeyboardInterrupt

    places: list[tuple[object, str]] = [
        (hospital.raw, "keep_all"),
        (hospital.raw, "erase"),
        (LakeFacts, "erase"),
        (hospital.ledger, "forget_objects"),
    ]
    for where, name in places:
        with monkeypatch.context() as patch:
            patch.setattr(where, name, broken)
            with pytest.raises(KeyboardInterrupt):
                erasure(hospital).erase(["Patient/77001"])
    erasure(hospital).erase(["Patient/77001"])
    hospital.intake.drain()
    assert traces(hospital, *GONE) == []
    assert {row["id"] for row in hospital.rows("patient")} == {"Patient/1"}


@pytest.mark.parametrize("takes", [False, True])
def test_later_records_are_rejected_unless_the_source_takes_them(hospital: Hospital, takes: bool) -> None:
    hospital.ledger.register(replace(LAB, takes_erased=takes), 2)
    hospital.send(table(1, 77001))
    hospital.intake.drain()
    erasure(hospital).erase(["Patient/77001"])
    hospital.send(table(5, 77001))
    hospital.intake.drain()
    if takes:
        assert "Patient/77001" in {row["id"] for row in hospital.rows("patient")}
        return
    assert hospital.accounts.held_codes() == {"intake.erased_person": 1}
    assert traces(hospital, GONE[0]), "what came later is kept until it is swept"
    assert erasure(hospital).sweep() == 1
    hospital.intake.drain()
    assert traces(hospital, *GONE) == [] and hospital.accounts.held_codes() == {}
    assert {row["id"] for row in hospital.rows("patient")} == {"Patient/1", "Patient/5"}


def test_an_object_that_only_repeats_the_person_is_found_too(hospital: Hospital) -> None:
    hospital.send(table(77001))
    hospital.intake.drain()
    hospital.send(table(77001) + "\n")
    hospital.intake.drain()
    assert len(hospital.rows("patient")) == 1
    assert erasure(hospital).erase(["Patient/77001"]).objects == 2
    assert traces(hospital, *GONE) == []


def test_nobody_is_erased_where_nobody_is_meant(hospital: Hospital) -> None:
    hospital.send(table(1, 2))
    hospital.intake.drain()
    assert erasure(hospital).erase(["Patient/9"]).objects == 0
    assert len(hospital.rows("patient")) == 2


def test_records_without_a_row_of_their_own_are_found_rejected_and_kept_apart(hospital: Hospital) -> None:
    """A Flag and a Group make no row, a Consent that nobody understands neither: they are a person's all the same."""
    hospital.send(table(1, 77001))

    def consent(person: str) -> dict[str, object]:
        return {"resourceType": "Consent", "id": f"c{person}", "patient": {"reference": f"Patient/{person}"}}

    def group(*persons: str) -> dict[str, object]:
        members = [{"entity": {"reference": f"Patient/{person}"}} for person in persons]
        return {"resourceType": "Group", "id": "g" + persons[0], "type": "person", "actual": True, "member": members}

    def flag(person: str) -> dict[str, object]:
        return consent(person) | {"resourceType": "Flag", "subject": {"reference": f"Patient/{person}"}}

    lone, both, others = hospital.send(
        json.dumps(flag("77001")),
        "\n".join(json.dumps(one) for one in (consent("77001"), consent("1"), group("2", "77001"), group("2"))),
        json.dumps(consent("1")),
        media_type="application/fhir+ndjson",
        source="ehr",
    )
    hospital.intake.drain()
    assert hospital.accounts.held_codes() == {"consent.not_understood": 3}
    done = erasure(hospital).erase(["Patient/77001"])
    assert (done.objects, done.redacted) == (3, 2)
    hospital.intake.drain()
    assert traces(hospital, *GONE) == []
    left = hospital.raw.read(hospital.accounts.moved_to(both.digest))
    assert [line[:40] != b"" for line in left.split(b"\n")] == [False, True, False, True]
    assert hospital.accounts.moved_to(lone.digest) == "" and b"Patient/1" in hospital.raw.read(others.digest)
    hospital.send(json.dumps(group("77001", "3")), media_type="application/fhir+ndjson", source="ehr")
    hospital.intake.drain()
    assert hospital.accounts.held_codes()["intake.erased_person"] == 1
    assert erasure(hospital).sweep() == 1
    assert traces(hospital, *GONE) == []
    assert hospital.accounts.status(hospital.raw.count()).tally.adds_up
