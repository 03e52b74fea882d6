"""The terminology on a disk: decisions and their history, readers beside the writer, and the reading child."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec
import pytest
from tests.unit.records.terminology import vocabularies as held

from xinglin.intake.model import Source
from xinglin.intake.ports import Kept, Work
from xinglin.kernel.states import IllegalMove
from xinglin.records.terminology.loaders import load_vocabulary
from xinglin.records.terminology.local import Decision, LocalKey
from xinglin.stores.intake_preparer import ChildPreparer
from xinglin.stores.terms_database import TermsTooNew, TermsUnavailable
from xinglin.stores.terms_steps import TERMS_STEPS
from xinglin.stores.terms_store import TERMS_FILE, TermsStore

KEY = LocalKey("lis", "observation.code", "99LAB", "WBC")
LOINC = "http://loinc.org"
ACCEPT = Decision(KEY, "accept", "ann", 7, "6690-2", LOINC)
HL7 = (
    b"MSH|^~\\&|LIS|H|X|Y|20240301080000+0800||ORU^R01|1|P|2.5.1|||||||UNICODE UTF-8\r"
    b"PID|1||P1^^^H^MR||Li^Si||19800101|M\r"
    b"OBR|1||F1|CBC^CBC^99LAB|||20240301080000+0800\r"
    b"OBX|1|NM|WBC^\xe7\x99\xbd\xe7\xbb\x86\xe8\x83\x9e^99LAB||5.2|10^9/L|||||F\r"
)


def test_every_decision_is_a_version_and_none_is_lost(tmp_path: Path) -> None:
    store = TermsStore.in_folder(tmp_path)
    store.decide([msgspec.structs.replace(ACCEPT, event="propose", by="machine", seen=5)])
    store.decide([ACCEPT])
    store.decide([msgspec.structs.replace(ACCEPT, event="reject", by="bo", note="of urine")])
    assert [(one.version, one.state, one.by) for one in store.history(KEY)] == [
        (1, "proposed", "machine"),
        (2, "accepted", "ann"),
        (3, "rejected", "bo"),
    ]
    assert store.accepted() == ()
    assert [one.note for one in store.local("rejected", "lis")] == ["of urine"]
    assert store.local("rejected", "other") == ()


def test_several_decisions_happen_together_or_not_at_all(tmp_path: Path) -> None:
    store = TermsStore.in_folder(tmp_path)
    store.decide([ACCEPT])
    other = msgspec.structs.replace(ACCEPT, key=LocalKey("lis", "observation.code", "99LAB", "HB"))
    with pytest.raises(IllegalMove):
        store.decide([other, msgspec.structs.replace(ACCEPT, event="propose")])
    assert [one.key for one in store.local()] == [KEY]


def test_the_most_frequent_codes_come_first(tmp_path: Path) -> None:
    store = TermsStore.in_folder(tmp_path)
    keys = [LocalKey("lis", "observation.code", "", code) for code in "abc"]
    store.decide([Decision(key, "propose", "m", 1, seen=seen) for key, seen in zip(keys, (3, 9, 5), strict=True)])
    assert [one.key.code for one in store.local()] == ["b", "c", "a"]


def test_a_reader_without_a_file_knows_nothing_and_sees_it_when_it_comes(tmp_path: Path) -> None:
    reader = TermsStore.in_folder(tmp_path, read_only=True)
    assert (reader.stamp(), reader.systems(), reader.accepted(), reader.mapped_systems()) == (0, (), (), frozenset())
    writer = TermsStore.in_folder(tmp_path)
    before = reader.stamp()
    writer.decide([ACCEPT])
    assert reader.stamp() != before
    assert [one.target for one in reader.accepted()] == ["6690-2"]
    writer.load(load_vocabulary("atc", {"a.csv": held.ATC_CSV.encode()}), 9)
    found = reader.concept("http://www.whocc.no/atc", "A10BA02")
    assert found is not None
    system = reader.system("http://www.whocc.no/atc")
    assert system is not None
    assert (system.provenance.loaded_at, system.concepts) == (9, 5)


def test_the_same_version_loaded_again_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    store = TermsStore.in_folder(tmp_path)
    for text in (held.ATC_CSV, held.ATC_CSV.replace("metformin", "Metformin")):
        store.load(load_vocabulary("atc", {"atc 2026.csv": text.encode()}), 9)
    assert len(store.systems()) == 1
    found = store.concept("http://www.whocc.no/atc", "A10BA02")
    assert found is not None
    assert found.display == "Metformin"


def test_a_reader_does_not_write_and_the_file_is_the_owners_alone(tmp_path: Path) -> None:
    TermsStore.in_folder(tmp_path).close()
    assert (tmp_path / TERMS_FILE).stat().st_mode & 0o077 == 0
    with pytest.raises(TermsUnavailable):
        TermsStore.in_folder(tmp_path, read_only=True).decide([ACCEPT])


def test_a_file_of_a_newer_program_and_a_damaged_one_are_refused(tmp_path: Path) -> None:
    TermsStore.in_folder(tmp_path).close()
    with sqlite3.connect(tmp_path / TERMS_FILE) as connection:
        connection.execute("UPDATE meta SET value = 2 WHERE name = 'schema'")
    with pytest.raises(TermsTooNew):
        TermsStore.in_folder(tmp_path)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / TERMS_FILE).write_bytes(b"no database " * 500)
    with pytest.raises(TermsUnavailable):
        TermsStore.in_folder(tmp_path / "other")


def test_the_reading_child_translates_by_what_is_accepted_now(tmp_path: Path) -> None:
    """A message is read before and after somebody accepts a mapping: the child is the same."""
    store = TermsStore.in_folder(tmp_path)
    preparer = ChildPreparer(b"k" * 32, TERMS_STEPS, argument=str(tmp_path / TERMS_FILE))
    work = Work(
        Kept("0" * 64, 1, len(HL7), False, "lis", "application/hl7-v2", 1_709_251_200_000, "inpatient"),
        Source("lis", media_type="application/hl7-v2"),
        "application/hl7-v2",
    )
    try:
        rows = []
        for number in (1, 2):
            (part,) = preparer.prepare(work, HL7)
            assert part.accepted == part.received
            table = preparer.tables({}, number, 1_709_251_200_000)["observation"]
            names = ("code", "code_source", "code_loss", "value_unit", "value_unit_source", "flags")
            rows.append(next({name: row[name] for name in names} for row in table.to_pylist()))
            pid = preparer.pid
            store.decide([ACCEPT])
        assert pid == preparer.pid
    finally:
        preparer.close()
    before, after = rows
    assert (before["code"], before["code_loss"]) == (None, "unmapped")
    assert "terms.unmapped_code" in before["flags"]
    assert (after["code"], after["code_source"], after["code_loss"]) == ("6690-2", "WBC", "equivalent")
    assert after["value_unit"] == "10*9/L"  # though the message did not escape the sign between 10 and 9
