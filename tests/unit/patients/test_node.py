"""The index beside an intake: batches, links in the lake, crashes, erasure, the master index, matching."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.patients.clinic import Clinic, arrow, persons_in, stored_links
from tests.unit.patients.people import LI, WANG, version

from xinglin.evidence.entry import Entry
from xinglin.intake.model import Source
from xinglin.intake.procedure import commitments
from xinglin.lake import Lake
from xinglin.lake.errors import LakeError, WriteFailed
from xinglin.node.intake.persons import APP_ID, NodePersons, versions_of
from xinglin.node.intake.wiring import open_persons
from xinglin.node.settings import NodeSettings
from xinglin.patients import linkage
from xinglin.patients.deciding import Clerks
from xinglin.patients.errors import BadPolicy, NoLinkage
from xinglin.patients.forgetting import remembered_texts
from xinglin.patients.model import Policy
from xinglin.records.fhir.references import identifier_key
from xinglin.stores.intake_ledger import IntakeLedger
from xinglin.stores.patient_index import PatientStore
from xinglin.trust.keys import PrivateKeys

HL7 = "x-application/hl7-v2+er7"
FHIR = "application/fhir+json"
ROOT = Path(__file__).resolve().parents[3]
_HEAD = "MSH|^~\\&|HIS|H|X|H|{at}||ADT^{event}|{at}{event}|P|2.5\rEVN|{event}|{at}\r"


def message(event: str, at: int, *segments: str) -> str:
    """An ADT message."""
    return _HEAD.format(event=event, at=at) + "\r".join(segments) + "\r"


def pid(number: str, name: str = "张^三", at: int = 1, born: str = "19800105") -> str:
    """A PID segment with a hospital number."""
    return f"PID|{at}||{number}^^^HIS^MR||{name}||{born}|M"


A40 = message("A40", 20240301080000, pid("007"), "MRG|008^^^HIS^MR")
A37 = message("A37", 20240302080000, pid("007"), pid("008", at=2))
LATER = 1_750_000_000_000
SEVEN, EIGHT = "Patient/HIS.007", "Patient/HIS.008"


@pytest.fixture
def clinic(tmp_path: Path) -> Iterator[Clinic]:
    opened = Clinic(tmp_path)
    for name, kind in (("his", HL7), ("ehr", FHIR)):
        opened.ledger.register(Source(name, media_type=kind), 1)
    yield opened
    opened.close()


def carry(clinic: Clinic, *texts: str, source: str = "his", kind: str = HL7, at: int = LATER) -> None:
    """Send and carry into the lake; nothing may be left behind."""
    clinic.send(*texts, source=source, media_type=kind, at=at)
    clinic.intake.drain()
    assert not clinic.accounts.status(clinic.raw.count()).held


def bundle(*resources: dict[str, Any]) -> str:
    """A FHIR bundle."""
    return json.dumps(
        {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in resources]}
    )


@pytest.mark.parametrize("late", [False, True])
def test_a_merge_and_its_end_reach_current_views(clinic: Clinic, late: bool) -> None:
    carry(clinic, message("A01", 20240101080000, pid("007")), message("A01", 20240101080001, pid("008", "张^山")))
    first, second = (A37, A40) if late else (A40, A37)
    carry(clinic, first)
    merged = {SEVEN: SEVEN, EIGHT: EIGHT} if late else {SEVEN: "Person/HIS.007", EIGHT: "Person/HIS.007"}
    assert persons_in(clinic.lake, "patient") == merged
    carry(clinic, second)
    assert persons_in(clinic.lake, "patient") == {SEVEN: SEVEN, EIGHT: EIGHT}
    carry(clinic, message("A40", 20240303080000, pid("007"), "MRG|008^^^HIS^MR"))
    assert set(persons_in(clinic.lake, "patient").values()) == {"Person/HIS.007"}


def test_of_two_messages_that_a_wrong_clock_made_one_instant_the_later_heard_holds(clinic: Clinic) -> None:
    carry(clinic, message("A01", 20240101080000, pid("007")), message("A01", 20240101080001, pid("008")), at=1)
    for text, persons in ((A40, 1), (A37, 2), (A40.replace("20240301", "20240303"), 1)):
        carry(clinic, text, at=1)
        assert len(set(persons_in(clinic.lake, "patient").values())) == persons


def test_facts_that_name_a_person_by_a_number_are_of_the_record_that_has_it(clinic: Clinic) -> None:
    system = "urn:oid:1.2.3"
    result = {
        "resourceType": "Observation",
        "id": "o1",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "subject": {"type": "Patient", "identifier": {"system": system, "value": "M7"}},
        "valueQuantity": {"value": 60},
    }
    carry(clinic, bundle(result), source="ehr", kind=FHIR)
    bare = identifier_key(system, "M7")
    assert persons_in(clinic.lake, "observation") == {bare: bare}
    patient = {"resourceType": "Patient", "id": "p1", "identifier": [{"system": system, "value": "M7"}]}
    carry(clinic, bundle(patient), source="ehr", kind=FHIR)
    (person,) = set(persons_in(clinic.lake, "observation").values())
    assert persons_in(clinic.lake, "patient") == {"Patient/p1": person} and person.startswith("Person/")


def test_a_batch_that_comes_twice_links_once(clinic: Clinic) -> None:
    rows = arrow([version("Patient/1", 1, **WANG), version("Patient/2", 2, **WANG)])
    clinic.persons.took(1, rows)
    before = stored_links(clinic.lake)
    clinic.persons.took(1, rows)
    assert stored_links(clinic.lake) == before and len(before) == 2
    assert {row["reason"].split(":")[0] for row in before} == {"national_id"}
    assert all("王" not in row["reason"] and WANG["national_id"] not in row["reason"] for row in before)
    assert clinic.lake.open("person_link").transaction_version(APP_ID) == 1


def test_arrow_rows_are_read_as_they_were(clinic: Clinic) -> None:
    given = [version("Patient/1", 1, **WANG), version("Patient/2", 2, partial=True, cleared=("replaced_by", "sex"))]
    assert versions_of(arrow(given)) == given
    month = arrow(given[:1]).set_column(
        arrow([]).schema.get_field_index("birth_date_precision"), "birth_date_precision", [["month"]]
    )
    assert "1980-01" in versions_of(month)[0].values


@pytest.mark.slow
@pytest.mark.parametrize("step", ["taken", "appended"])
def test_kill_9_between_index_and_lake_is_mended_at_the_next_start(tmp_path: Path, step: str) -> None:
    command = [sys.executable, str(Path(__file__).with_name("node_worker.py")), str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    done = subprocess.run([*command, step], env=environment, capture_output=True, timeout=120, check=False)
    assert done.returncode == -9, done.stderr.decode()[-2000:]
    lake = Lake(tmp_path / "lake")
    assert len(stored_links(lake)) == (2 if step == "appended" else 0)
    for _ in range(2):
        done = subprocess.run([*command, "none"], env=environment, capture_output=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr.decode()[-2000:]
    rows = stored_links(lake)
    assert Counter((row["patient"], row["person"]) for row in rows) == {
        ("Patient/1", "Person/1"): 1,
        ("Patient/2", "Person/1"): 1,
    }


class FullLake(Lake):
    """A lake on a full disk, until there is room."""

    full = True

    def append_batch(self, batch: int, tables: Mapping[str, Any], *, app_id: str = "") -> dict[str, int]:
        """Refuse, or write."""
        if self.full:
            raise WriteFailed("The disk is full.")
        return super().append_batch(batch, tables, app_id=app_id)


def test_links_wait_while_the_lake_refuses(tmp_path: Path) -> None:
    lake = FullLake(tmp_path / "lake")
    persons = NodePersons(PatientStore.in_folder(tmp_path, bytes(32)), lake)
    rows = arrow([version("Patient/1", 1, **WANG), version("Patient/2", 2, **WANG)])
    with pytest.raises(LakeError):
        persons.took(1, rows)
    assert persons.store.counts().waiting == 1
    lake.full = False
    persons.took(1, rows)
    assert persons.store.counts().waiting == 0 and len(stored_links(lake)) == 2
    persons.store.close()


def test_a_lake_older_than_its_index_is_caught_up(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    lake.append_batch(1, {"patient": arrow([version("Patient/1", 1, **WANG), version("Patient/2", 2, **WANG)])})
    persons = NodePersons(PatientStore.in_folder(tmp_path, bytes(32)), lake)
    assert persons.catch_up().changed == 2 and persons.catch_up().changed == 0
    assert persons_in(lake, "patient") == {"Patient/1": "Person/1", "Patient/2": "Person/1"}
    persons.store.close()


def test_an_erased_person_is_in_no_index(clinic: Clinic) -> None:
    carry(clinic, message("A01", 20240101080000, pid("007")), message("A01", 20240101080001, pid("009", "李^四")))
    carry(clinic, A40)
    assert remembered_texts()
    done = clinic.erasure().erase(["Person/HIS.007"])
    assert not remembered_texts(), "no name is left in what parses names"
    assert done.persons == 1 and done.rows["patient"] >= 2
    assert [one.key for one in clinic.persons.store.records()] == ["Patient/HIS.009"]
    assert clinic.persons.store.history(SEVEN) == [] and stored_links(clinic.lake) == []
    assert persons_in(clinic.lake, "patient") == {"Patient/HIS.009": "Patient/HIS.009"}
    again = clinic.erasure().erase(["Person/HIS.007"])
    assert again.rows == {}
    clinic.persons.took(9, arrow([version("Patient/HIS.009", 2 * LATER, **WANG), version("Patient/5", 9, **WANG)]))
    assert len(stored_links(clinic.lake)) == 2, "publications go on"


def test_a_master_index_is_imported(clinic: Clinic) -> None:
    carry(clinic, message("A01", 20240101080000, pid("007")), message("A01", 20240101080001, pid("009", "李^四")))
    body = "患者,主索引号\nPatient/HIS.007,E1\nPatient/HIS.009,E1\n".encode("gb18030")
    assert clinic.persons.import_index(body, "empi", "ann").rows == 2
    assert set(persons_in(clinic.lake, "patient").values()) == {"Person/HIS.007"}
    assert clinic.persons.import_index(body, "empi", "ann").rows == 0


def test_the_node_opens_its_index_with_its_own_key_and_policy(tmp_path: Path) -> None:
    keys = PrivateKeys.generate()
    (tmp_path / "patients.toml").write_text("four_eyes = true\nupper = 0.98\n")
    first = open_persons(tmp_path, NodeSettings(), keys)
    assert first.index.policy == Policy(four_eyes=True, upper=0.98)
    first.took(1, arrow([version("Patient/1", 1, **WANG)]))
    first.store.close()
    second = open_persons(tmp_path, NodeSettings(), keys)
    assert second.store.record("Patient/1") is not None
    second.store.close()
    for text in ("four_eyes = 'yes'", "upper = 0.1", "other = 1", "upper ="):
        (tmp_path / "patients.toml").write_text(text)
        with pytest.raises(BadPolicy):
            open_persons(tmp_path, NodeSettings(), keys)


def test_matching_without_its_library_says_what_to_install(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linkage, "available", lambda: False)
    clinic.persons.took(1, arrow([version("Patient/1", 1, **WANG), version("Patient/2", 2, **LI)]))
    with pytest.raises(NoLinkage, match=r"xinglin\[linkage\]"):
        clinic.persons.match()


def test_matching_puts_pairs_under_review_and_links_none(clinic: Clinic) -> None:
    unsure = {**WANG, "national_id": None, "address": "北京市朝阳区建国路1号"}
    clinic.persons.took(
        1,
        arrow([version("Patient/1", 1, **unsure), version("Patient/2", 2, **unsure), version("Patient/3", 3, **LI)]),
    )
    found = clinic.persons.match()
    assert (found.records, found.trained, found.pairs, found.opened) == (3, False, 1, 1)
    (review,) = clinic.persons.store.reviews()
    assert review.doubtful.kind == "probable" and "phone" in review.doubtful.agree
    assert stored_links(clinic.lake) == [] and clinic.persons.match().opened == 0


def entries(clinic: Clinic) -> list[dict[str, Any]]:
    """What waits for the log about links."""
    return [dict(one.values) for one in clinic.ledger.outbox(1_000) if "publication" in one.values]


def test_links_leave_entries_of_digests_and_counts(clinic: Clinic) -> None:
    clinic.persons = NodePersons(clinic.persons.store, clinic.lake, outbox=clinic.ledger)
    clinic.intake._ports = msgspec.structs.replace(clinic.intake._ports, persons=clinic.persons)
    carry(clinic, message("A01", 20240101080000, pid("007")), message("A01", 20240101080001, pid("008", "李^四")))
    assert entries(clinic) == [], "two persons, no link"
    carry(clinic, A40)
    (merged,) = entries(clinic)
    assert (merged["linked"], merged["unlinked"], merged["rules"]) == (2, 0, {"merge": 2})
    clerks = Clerks(clinic.persons.index)
    clerks.unlink(SEVEN, EIGHT, "ann", LATER + 1, "not one")
    clinic.persons.publish()
    clerks.link(SEVEN, EIGHT, "ann", LATER + 2)
    clinic.persons.publish()
    _, parted, linked = entries(clinic)
    assert (parted["linked"], parted["unlinked"], parted["rules"]) == (0, 2, {})
    assert (linked["linked"], linked["rules"]) == (2, {"clerk": 2})
    assert [one["publication"] for one in (merged, parted, linked)] == [1, 2, 3]
    assert len({one["what"] for one in (merged, parted, linked)}) == 3
    for one in clinic.ledger.outbox(1_000):
        told = json.dumps([one.subject, one.values])
        told = re.sub(r"sha256:[0-9a-f]{64}", "", told)  # any three digits may stand in a digest
        assert "007" not in told and "ann" not in told and "Patient" not in told
        Entry(kind=one.kind, at=one.at, submitter=PrivateKeys.generate().did, subject=one.subject,
              commitments=commitments(one))  # fmt: skip


def test_a_link_by_a_clerk_beside_a_running_intake_leaves_its_entry(tmp_path: Path) -> None:
    keys = PrivateKeys.generate()
    first = open_persons(tmp_path, NodeSettings(), keys)
    first.took(1, arrow([version("Patient/1", 1, **WANG), version("Patient/2", 2, **LI)]))
    first.store.close()
    ledger = IntakeLedger.in_folder(tmp_path)
    second = open_persons(tmp_path, NodeSettings(), keys)
    Clerks(second.index).link("Patient/1", "Patient/2", "ann", 9)
    second.publish()
    second.publish()
    second.store.close()
    (entry,) = ledger.outbox()
    assert (entry.kind, entry.values["rules"]) == ("change", {"clerk": 2})
    ledger.close()
