"""Consents that come in by the intake become choices by themselves, before the rows of their batch can be seen."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.intake.hospital import LAB, Hospital, results
from typer.testing import CliRunner

from xinglin.cli.app import app
from xinglin.intake.consent_search import find_consents
from xinglin.intake.consents import NOT_UNDERSTOOD, FoundConsents, may_hold_consents
from xinglin.intake.digests import person_digest
from xinglin.intake.errors import BatchRefused, IntakeError
from xinglin.intake.model import Source
from xinglin.intake.ports import Received, Work
from xinglin.intake.procedure import Intake, commitments
from xinglin.kernel.instants import from_text, to_text
from xinglin.node.consent_intake import ConsentIntake, search_with
from xinglin.stores.consent_arrivals import ConsentArrivals
from xinglin.stores.consent_register import ConsentRegister
from xinglin.stores.looking import LookTooLong, open_looker
from xinglin.terms.consent import Choice, ConsentUse, effective

EHR = Source("ehr", media_type="application/fhir+json")
RECEIVED = from_text("2024-12-01T00:00:00Z")
VERIFIED = [{"verified": True, "verifiedWith": {"reference": "Patient/1"}, "verificationDate": "2024-01-01"}]


def consent(person: str = "1", key: str = "c1", decision: str = "OPTOUT", day: str = "2024-01-02", **more: Any) -> Any:
    return {
        "resourceType": "Consent",
        "id": key,
        "meta": {"lastUpdated": f"{day}T08:00:00+08:00"},
        "status": "active",
        "scope": {"coding": [{"code": "research"}]},
        "category": [{"text": "x"}],
        "patient": {"reference": f"Patient/{person}"},
        "dateTime": "2024-01-01T08:00:00+08:00",
        "policyRule": {"coding": [{"code": decision}]},
        **more,
    }


def patient(key: str = "1") -> Any:
    return {"resourceType": "Patient", "id": key, "gender": "female"}


def bundle(*resources: Any) -> str:
    entries = [{"fullUrl": f"https://ehr.example/{r['resourceType']}/{r['id']}", "resource": r} for r in resources]
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})


class Stopped(Exception):
    """As if the power went."""


class Node(Hospital):
    """A hospital whose register hears what comes in."""

    def __init__(self, folder: Path, search: Callable[[Work, bytes], FoundConsents] = find_consents) -> None:
        self.fail = ""
        super().__init__(folder)
        self.searched: list[str] = []

        def watched(work: Work, body: bytes) -> FoundConsents:
            self.searched.append(work.kept.digest)
            return search(work, body)

        self.register, self.arrivals = ConsentRegister(self.ledger), ConsentArrivals(self.ledger)
        heard = ConsentIntake(self.ledger, self.raw, self.register, self.arrivals, watched)
        self.ports = msgspec.structs.replace(self.ports, consents=heard)
        self.intake = Intake(self.ports, step=self._step)
        for source in (EHR, LAB):
            self.ledger.register(source, 1)

    def _step(self, name: str) -> None:
        if name == self.fail:
            raise Stopped(name)

    def fhir(self, text: str, media_type: str = "application/fhir+json", source: str = "ehr") -> Any:
        """Keep a text and carry it in."""
        (kept,) = self.send(text, source=source, media_type=media_type, at=RECEIVED)
        self.intake.drain()
        return kept

    def choices(self) -> list[Choice]:
        return list(self.register.choices())

    def may(
        self, person: str = "Patient/1", regime: Any = "opt-in", at: int = from_text("2025-01-01T00:00:00Z")
    ) -> bool:
        use = ConsentUse(study="heart", purpose="health-research", institutions=(), at=at, regime=regime)
        return bool(effective([one for one in self.choices() if one.person == person], use))


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    node = Node(tmp_path)
    yield node
    node.close()


def test_a_consent_in_a_bundle_is_a_choice_with_its_evidence(node: Node) -> None:
    kept = node.fhir(bundle(patient(), consent()))
    (choice,) = node.choices()
    assert choice.person == "Patient/1" and choice.rule is not None and choice.rule.decision == "deny"
    assert choice.document == "Consent/c1" and choice.source == "FHIR ehr" and len(choice.id) == 32
    assert [one["id"] for one in node.rows("patient")] == ["Patient/1"]
    (entry,) = [one for one in node.ledger.outbox() if one.subject == choice.digest()]
    told = repr((entry.kind, entry.subject, commitments(entry)))
    assert entry.kind == "change" and "Patient" not in told and "Consent/c1" not in told
    settled = node.accounts.object(kept.digest)
    assert settled is not None and settled.tally.adds_up and settled.tally.accepted == 2
    assert not node.arrivals.unheard() and node.arrivals.place() == 1


def test_sent_again_and_read_again_it_is_the_same_choice(node: Node) -> None:
    kept = node.fhir(bundle(patient(), consent()))
    node.fhir(bundle(consent()))
    node.intake.read_again([kept.sequence])
    assert len(node.choices()) == 1 and len(node.searched) == 3 and node.arrivals.place() == 3


def test_a_bulk_file_and_a_packed_one_and_a_push_are_heard(node: Node) -> None:
    lines = "\n".join(json.dumps(consent(str(n), f"c{n}")) for n in range(5))
    node.fhir(lines, "application/fhir+ndjson")
    assert len(node.choices()) == 5
    node.ledger.register(Source("archive"), 1)
    packed = gzip.compress("\n".join(json.dumps(consent(str(n), f"c{n}")) for n in range(5, 8)).encode())
    node.raw.keep_all([Received(packed, "archive", "application/x-packed-records", 1_700_000_000_000)])
    node.intake.drain()
    assert len(node.choices()) == 8
    node.fhir(json.dumps(consent("9", "c9")))
    assert node.choices()[-1].person == "Patient/9"


@pytest.mark.parametrize("step", ["planned", "heard", "appended", "written", "committed"])
def test_stopped_at_any_step_the_choice_is_there_once_and_before_the_rows(tmp_path: Path, step: str) -> None:
    node = Node(tmp_path)
    node.fail = step
    with pytest.raises(Stopped):
        node.fhir(bundle(patient(), consent()))
    heard = len(node.choices())
    assert heard == (0 if step == "planned" else 1)
    assert not node.rows("patient") or heard
    node.close()
    again = Node(tmp_path)
    again.intake.drain()
    assert len(again.choices()) == 1 and len(again.rows("patient")) == 1
    assert sum(one.kind == "change" and one.subject.startswith("sha256:") for one in again.ledger.outbox()) >= 1
    again.close()


def test_between_the_choice_and_its_place_a_crash_changes_nothing(tmp_path: Path, monkeypatch: Any) -> None:
    node = Node(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(ConsentArrivals, "follow", lambda *_: (_ for _ in ()).throw(Stopped("follow")))
        with pytest.raises(Stopped):
            node.fhir(bundle(patient(), consent()))
    assert len(node.choices()) == 1 and node.arrivals.place() == 0 and not node.rows("patient")
    node.close()
    again = Node(tmp_path)
    again.intake.drain()
    assert len(again.choices()) == 1 and again.arrivals.place() == 1 and len(again.rows("patient")) == 1
    again.close()


def test_batches_from_before_are_heard_with_the_next_one(tmp_path: Path) -> None:
    deaf = Hospital(tmp_path)
    deaf.ledger.register(EHR, 1)
    deaf.send(bundle(patient(), consent()), source="ehr", media_type="application/fhir+json")
    deaf.intake.drain()
    deaf.close()
    node = Node(tmp_path)
    assert node.choices() == []
    node.send(results(1, 1))
    node.intake.drain()
    assert [one.person for one in node.choices()] == ["Patient/1"] and node.arrivals.place() == 2
    node.close()


def test_the_newest_version_speaks_in_whatever_order_they_come(node: Node) -> None:
    node.fhir(bundle(consent(decision="OPTIN", day="2024-03-01", verification=VERIFIED)))
    assert node.may()
    node.fhir(bundle(consent(decision="OPTOUT", day="2024-02-01", verification=VERIFIED)))
    assert node.may()
    node.fhir(bundle(consent(decision="OPTOUT", day="2024-04-01")))
    assert not node.may()


@pytest.mark.parametrize("status", ["inactive", "entered-in-error", "rejected"])
@pytest.mark.parametrize("day", ["2024-03-02", "2024-03-01"])
def test_a_permission_ends_with_a_version_that_takes_it_back(node: Node, status: str, day: str) -> None:
    permit = consent(decision="OPTIN", day="2024-03-01", verification=VERIFIED)
    node.fhir(bundle(permit))
    assert node.may()
    node.fhir(bundle({**permit, "meta": {"lastUpdated": f"{day}T08:00:00+08:00"}, "status": status}))
    assert not node.may()
    assert node.choices()[-1].kind == ("withdrawal" if status == "rejected" else "choice")


def test_a_denial_in_error_stays_until_it_is_checked(node: Node) -> None:
    node.fhir(bundle(consent()))
    node.fhir(bundle(consent(day="2024-03-01", status="entered-in-error")))
    assert not node.may(regime="opt-out")
    node.fhir(bundle(consent(day="2024-04-01", status="entered-in-error", verification=VERIFIED)))
    assert node.may(regime="opt-out")


def test_a_permission_without_a_check_does_not_count(node: Node) -> None:
    node.fhir(bundle(consent(decision="OPTIN")))
    assert len(node.choices()) == 1 and not node.may()


def history(resource: str, at: str) -> str:
    entry = {"fullUrl": f"https://ehr.example/{resource}", "request": {"method": "DELETE", "url": resource},
             "response": {"status": "204", "lastModified": at}}  # fmt: skip
    return json.dumps({"resourceType": "Bundle", "type": "history", "entry": [entry]})


@pytest.mark.parametrize("first", ["deleted", "said"])
def test_a_deleted_consent_permits_no_more_and_denies_on(node: Node, first: str) -> None:
    permits = [consent(key, f"c{key}", "OPTIN", verification=VERIFIED) for key in "13"]
    said = bundle(*permits, consent("2", "c2"))
    gone = [history(f"Consent/{key}", "2024-05-01T00:00:00Z") for key in ("c1", "c2")]
    for text in (said, *gone) if first == "said" else (*gone, said):
        node.fhir(text)
    assert [node.may(f"Patient/{n}") for n in (1, 2, 3)] == [False, False, True]
    assert not node.may("Patient/2", regime="opt-out")
    node.fhir(bundle(consent("1", "c1", "OPTIN", "2024-06-01", verification=VERIFIED)))
    assert node.may("Patient/1")  # made anew after it was deleted


def test_what_is_not_understood_denies_and_is_quarantined(node: Node) -> None:
    kept = node.fhir(bundle(patient(), consent(modifierExtension=[{"url": "https://x.example"}]), consent("2", "c2")))
    assert not node.may("Patient/1", regime="opt-out")
    (held,) = node.accounts.held()
    assert (held.code, held.outcome, held.digest) == (NOT_UNDERSTOOD, "quarantined", kept.digest)
    settled = node.accounts.object(kept.digest)
    assert settled is not None and settled.tally.quarantined == 1 and settled.tally.accepted == 2
    assert settled.tally.adds_up and "x.example" not in held.words


def test_a_consent_of_nobody_is_quarantined(node: Node) -> None:
    node.fhir(bundle(patient(), consent("1", "c1", patient={"display": "Zhang"})))
    assert node.choices() == [] and {one.code for one in node.accounts.held()} == {"consent.no_patient"}


def test_a_consent_with_more_than_can_be_recorded_denies(node: Node) -> None:
    rules = [{"type": "deny", "purpose": [{"system": "x", "code": str(n)}]} for n in range(300)]
    node.fhir(bundle(consent(decision="OPTIN", provision={"type": "permit", "provision": rules})))
    (choice,) = node.choices()
    assert choice.flags and not node.may(regime="opt-out")
    assert {one.code for one in node.accounts.held()} == {NOT_UNDERSTOOD}


def test_about_care_alone_nothing_is_recorded(node: Node) -> None:
    node.fhir(bundle(consent(scope={"coding": [{"code": "treatment"}]})))
    assert node.choices() == [] and not node.accounts.held()


def test_two_sources_with_the_same_number_are_two_consents(node: Node) -> None:
    node.ledger.register(msgspec.structs.replace(EHR, name="clinic", namespace="clinic"), 1)
    node.fhir(bundle(consent()))
    node.fhir(bundle(consent()) + " ", source="clinic")
    assert [(one.person, one.document) for one in node.choices()] == [
        ("Patient/1", "Consent/c1"),
        ("clinic/Patient/1", "clinic/Consent/c1"),
    ]


def test_a_guardian_of_the_same_bundle_has_dates(node: Node) -> None:
    guardian = {
        "resourceType": "RelatedPerson",
        "id": "r1",
        "patient": {"reference": "Patient/1"},
        "relationship": [{"coding": [{"code": "PRN"}]}],
        "period": {"start": "2020-01-01", "end": "2030-01-01"},
    }
    by = [{"reference": "RelatedPerson/r1"}]
    node.fhir(bundle(guardian, consent(decision="OPTIN", performer=by, verification=VERIFIED)))
    (choice,) = node.choices()
    assert choice.delegate is not None and choice.delegate.since is not None and node.may()


def test_what_an_erased_person_said_is_not_taken_up_again(node: Node) -> None:
    node.ledger.mark_erased({person_digest(node.ledger.key(), "Patient/1")}, 5)
    node.fhir(bundle(consent(), consent("2", "c2")))
    assert [one.person for one in node.choices()] == ["Patient/2"]
    node.ledger.register(msgspec.structs.replace(EHR, takes_erased=True), 2)
    node.fhir(bundle(consent()) + " ")
    assert [one.person for one in node.choices()] == ["Patient/2", "Patient/1"]


def test_what_holds_no_consent_is_not_looked_through(node: Node) -> None:
    node.fhir(bundle(patient()))
    node.send(results(1, 3))
    node.intake.drain()
    assert node.searched == [] and node.arrivals.place() == 2
    assert may_hold_consents("application/json", b'{"\\u0072esourceType": "\\u0043onsent"}')
    assert not may_hold_consents("text/csv", b"Consent")


def test_an_object_that_cannot_be_looked_through_waits_and_is_heard_when_it_is_read_again(tmp_path: Path) -> None:
    slow = True

    def search(work: Work, body: bytes) -> FoundConsents:
        if slow:
            raise LookTooLong("It takes too long.")
        return find_consents(work, body)

    node = Node(tmp_path, search)
    kept = node.fhir(bundle(patient(), consent()))
    (waits,) = node.arrivals.unheard()
    assert (waits.digest, waits.code) == (kept.digest, "intake.look_too_long") and node.choices() == []
    listed = CliRunner().invoke(app, ["consent", "unheard", "--folder", str(tmp_path), "--json"])
    assert listed.exit_code == 1 and json.loads(listed.output)[0]["code"] == "intake.look_too_long"
    slow = False
    node.intake.read_again([kept.sequence])
    assert not node.arrivals.unheard() and len(node.choices()) == 1
    node.close()


def test_a_version_from_the_future_is_as_new_as_its_receipt(node: Node) -> None:
    far = {"lastUpdated": "9000-01-01T00:00:00Z"}
    said = "8000-01-01T00:00:00Z"
    node.fhir(bundle(patient(), consent(decision="OPTIN", verification=VERIFIED, meta=far, dateTime=said)))
    (first,) = node.choices()
    assert first.version_at == first.at == first.latest < from_text("2100-01-01T00:00:00Z")
    later = to_text(first.at + 1_000)
    node.fhir(bundle(patient(), consent(decision="OPTOUT", meta={"lastUpdated": later}, dateTime=later)))
    assert not node.may(at=first.at + 3_600_000)


def test_an_object_that_breaks_off_is_heard_as_far_as_it_goes_and_listed(tmp_path: Path) -> None:
    def search(work: Work, body: bytes) -> FoundConsents:
        return msgspec.structs.replace(find_consents(work, body), cut="records.limit")

    node = Node(tmp_path, search)
    node.fhir(bundle(patient(), consent()))
    assert len(node.choices()) == 1 and [one.code for one in node.arrivals.unheard()] == ["records.limit"]
    node.close()


def test_no_row_is_written_while_choices_cannot_be_recorded(node: Node, monkeypatch: Any) -> None:
    def full(*_: Any) -> None:
        raise IntakeError("The disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr(ConsentRegister, "keep", full)
        with pytest.raises(BatchRefused):
            node.fhir(bundle(patient(), consent()))
    assert not node.rows("patient")
    node.intake.drain()
    assert len(node.rows("patient")) == len(node.choices()) == 1


def test_the_looking_child_finds_the_same(tmp_path: Path) -> None:
    with open_looker() as looker:
        node = Node(tmp_path, search_with(looker))
        node.fhir(bundle(patient(), consent()))
        assert len(node.choices()) == 1 and looker.pid is not None
        node.close()
