"""Choices at the node: recorded, withdrawn, taken back, imported, previewed, and read by each run."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from xinglin.cli.app import app
from xinglin.contract import Agreement
from xinglin.gate import Use
from xinglin.kernel.errors import LimitExceeded, MalformedMessage
from xinglin.node import consent_files
from xinglin.node.consent import (
    NodeConsent,
    history,
    record,
    recorded,
    reverse,
    say_of_study,
    study_words,
    withdraw,
)
from xinglin.node.consent_files import import_consents
from xinglin.node.consent_preview import preview
from xinglin.node.prepared import Preparations
from xinglin.node.settings import NodeSettings
from xinglin.stores.node_database import NodeDatabase
from xinglin.stores.node_rows import AgreementRow
from xinglin.terms.agreed import AgreedTerms, CohortView
from xinglin.terms.consent import Choice, IdentityCheck, PersonFilter, Rule, Where
from xinglin.terms.consent_use import StudyWord
from xinglin.terms.request import Plan, UseRequest
from xinglin.terms.thresholds import DisclosureRules
from xinglin.trust.envelope import Signed
from xinglin.wire.errors import Refused

CHECKED = IdentityCheck("card", "Li", 1)
USER, HERE = "did:xinglin:" + "a" * 26, "did:xinglin:" + "b" * 25 + "a"
D = "sha256:" + "0" * 64
CONSENT: dict[str, Any] = {
    "resourceType": "Consent",
    "id": "c1",
    "status": "active",
    "scope": {"coding": [{"code": "research"}]},
    "category": [{"text": "x"}],
    "patient": {"reference": "Patient/1"},
    "dateTime": "2024-01-01T08:00:00+08:00",
    "policyRule": {"coding": [{"code": "OPTOUT"}]},
}


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000

    def __call__(self) -> int:
        self.now += 1
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def agreement(purposes: tuple[str, ...] = ("health-research",)) -> Agreement:
    terms = AgreedTerms(
        "L2", (CohortView("v", "SELECT age FROM cardiac"),), ("cardiac.age",), purposes, ("statistics",),
        0, 9_000_000, 5, (USER,), (),
    )  # fmt: skip
    return Agreement(HERE, D, USER, D, "heart", "cardiology", terms, 10)


def use(run: str = "run-1", purpose: str = "health-research") -> Use:
    plan = Plan("heart", "cardiology", "SELECT age FROM v", "describe", {}, (HERE,), 5, {HERE: D}, DisclosureRules())
    request = UseRequest(D, USER, "heart", purpose, "statistics", "n" * 16, 1, 2, (USER,), (HERE,))
    return Use(run, Signed("c", USER, b"", b""), request, plan)


def test_nothing_is_read_and_nobody_removed_where_nobody_chose(tmp_path: Path, clock: Clock) -> None:
    consent = NodeConsent(tmp_path, clock)
    assert consent.persons(use(), agreement(), 0) == PersonFilter()
    assert consent.word("heart") is None and not list(tmp_path.iterdir())
    assert recorded(tmp_path) == () and history(tmp_path, "p") == () and study_words(tmp_path) == ()


def test_each_run_reads_what_it_read_first(tmp_path: Path, clock: Clock) -> None:
    withdraw(tmp_path, "p1", "desk", clock=clock)
    consent = NodeConsent(tmp_path, clock)
    assert consent.persons(use(), agreement(), 0).without == ("p1",)
    withdraw(tmp_path, "p2", "desk", Where(purposes=("education",)), clock=clock)
    withdraw(tmp_path, "p3", "desk", clock=clock)
    assert consent.persons(use(), agreement(), 0).without == ("p1",)
    assert consent.persons(use("run-2"), agreement(), 0).without == ("p1", "p3")
    consent.close()
    again = NodeConsent(tmp_path, clock)
    assert again.persons(use(), agreement(), 0).without == ("p1",)
    again.close()


def test_a_run_that_waits_for_admission_does_not_keep_who_withdraws(tmp_path: Path, clock: Clock) -> None:
    consent = NodeConsent(tmp_path, clock)
    assert not consent.read_anew(use())
    assert consent.persons(use(), agreement(), 0) == PersonFilter()
    withdraw(tmp_path, "p1", "desk", clock=clock)
    assert consent.read_anew(use())  # there was no register when it read
    assert consent.persons(use(), agreement(), 0).without == ("p1",)
    assert not consent.read_anew(use())
    withdraw(tmp_path, "p2", "desk", clock=clock)
    assert consent.read_anew(use())
    assert consent.persons(use(), agreement(), 0).without == ("p1", "p2")
    say_of_study(tmp_path, StudyWord("heart", "consent", ("gdpr",), "Wang", clock()))
    assert consent.read_anew(use())
    assert consent.persons(use(), agreement(), 0).only == ()
    assert not consent.read_anew(use())
    consent.close()


async def test_rows_are_loaded_anew_until_a_run_is_admitted(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    consent, unloaded, state = NodeConsent(tmp_path, clock), [], "charged"

    async def unload(run: str) -> None:
        unloaded.append(run)

    async def prepare(self: Preparations, one: Use) -> PersonFilter:
        return consent.persons(one, agreement(), 0)

    anything: Any = None
    database: Any = SimpleNamespace(record=lambda _run: SimpleNamespace(state=state))
    engine: Any = SimpleNamespace(unload=unload)
    monkeypatch.setattr(Preparations, "_prepare", prepare)
    preparations = Preparations(HERE, tmp_path, b"", anything, anything, database, engine, anything, consent)
    withdraw(tmp_path, "p1", "desk", clock=clock)
    seen: Any = await preparations.of(use())
    assert seen.without == ("p1",) and await preparations.of(use()) is seen and unloaded == []
    withdraw(tmp_path, "p2", "desk", clock=clock)
    seen = await preparations.of(use())
    assert seen.without == ("p1", "p2") and unloaded == ["run-1"]
    state = "admitted"
    withdraw(tmp_path, "p3", "desk", clock=clock)
    assert await preparations.of(use()) is seen
    again = Preparations(HERE, tmp_path, b"", anything, anything, database, engine, anything, consent)
    assert await again.of(use()) == seen
    consent.close()


def test_the_hospitals_word_on_a_study_sets_regime_and_reach(tmp_path: Path, clock: Clock) -> None:
    record(tmp_path, [Choice("in", Rule("permit"), clock(), "desk", identity=CHECKED)], clock)
    withdraw(tmp_path, "out", "desk", clock=clock)
    word = StudyWord("heart", "consent", ("gdpr",), "Wang", clock())
    say_of_study(tmp_path, word)
    consent = NodeConsent(tmp_path, clock)
    assert consent.persons(use(), agreement(), 0) == PersonFilter(("out",), ("in",))
    say_of_study(tmp_path, msgspec.structs.replace(word, basis="statutory-duty"))
    assert consent.persons(use("run-2"), agreement(), 0) == PersonFilter()
    assert consent.word("heart").basis == "statutory-duty" and len(study_words(tmp_path)) == 2
    with pytest.raises(Refused):
        say_of_study(tmp_path, msgspec.structs.replace(word, basis="because"))
    consent.close()


def test_what_permits_more_needs_a_check_of_identity(tmp_path: Path, clock: Clock) -> None:
    with pytest.raises(Refused) as refused:
        record(tmp_path, [Choice("p", Rule("permit"), clock(), "desk")], clock)
    assert [reason.code for reason in refused.value.reasons] == ["consent.identity"]
    receipt = withdraw(tmp_path, "p", "desk", clock=clock)
    with pytest.raises(Refused):
        reverse(tmp_path, ("nothing",), "desk", CHECKED, clock=clock)
    consent = NodeConsent(tmp_path, clock)
    assert consent.persons(use(), agreement(), 0).without == ("p",)
    reverse(tmp_path, (receipt.id,), "desk", CHECKED, clock=clock)
    assert consent.persons(use("run-2"), agreement(), 0).without == ()
    kinds = [one.kind for _, one, _ in history(tmp_path, "p")]
    assert kinds == ["withdrawal", "reversal"] and len(recorded(tmp_path)) == 2
    consent.close()


def file_of(folder: Path, *resources: Any, lines: bool = False) -> Path:
    file = folder / "consents.json"
    bundle = {"resourceType": "Bundle", "entry": list(resources)}
    file.write_text("\n".join(map(json.dumps, resources)) if lines else json.dumps(bundle))
    return file


def test_a_consent_from_the_future_is_as_new_as_its_import(tmp_path: Path, clock: Clock) -> None:
    far = {**CONSENT, "dateTime": "9000-01-01T00:00:00Z", "meta": {"lastUpdated": "9000-01-01T00:00:00Z"}}
    import_consents(tmp_path, file_of(tmp_path, {"resource": far}), clock=clock)
    (said,) = recorded(tmp_path)
    assert said.at == said.latest == said.version_at == 1_000_001


def test_a_bundle_is_imported_once(tmp_path: Path, clock: Clock) -> None:
    clock.now = 1_800_000_000_000
    entries = [
        {"fullUrl": "urn:uuid:5", "resource": {"resourceType": "Patient", "id": "5"}},
        {"resource": CONSENT},
        {"resource": {**CONSENT, "id": "c2", "patient": {"reference": "urn:uuid:5"}}},
        {"resource": {**CONSENT, "id": "c3", "scope": {"coding": [{"code": "treatment"}]}}},
        {"resource": {**CONSENT, "id": "c4", "patient": {"display": "somebody"}}},
        {"resource": {**CONSENT, "id": "c5", "patient": {"reference": "Patient/9"}, "strange": 1}},
        {"resource": {**CONSENT, "id": "c6", "policyRule": {"coding": [{"code": "OPTIN"}]}}},
    ]
    done = import_consents(tmp_path, file_of(tmp_path, *entries), clock=clock)
    assert (len(done.receipts), done.known, done.care, done.nobodys, done.unchecked) == (4, 0, 1, 1, 3)
    assert done.flagged == (("Consent/c5", "Consent.strange: an unknown element"),)
    assert {one.person for one in recorded(tmp_path)} == {"Patient/1", "Patient/5", "Patient/9"}
    again = import_consents(tmp_path, file_of(tmp_path, *entries), clock=clock)
    assert (len(again.receipts), again.known) == (0, 4)
    consent = NodeConsent(tmp_path, clock)
    assert consent.persons(use(), agreement(), 0).without == ("Patient/1", "Patient/5", "Patient/9")
    consent.close()


def test_lines_and_a_namespace(tmp_path: Path, clock: Clock) -> None:
    file = file_of(tmp_path, CONSENT, {"resourceType": "Patient", "id": "1"}, {**CONSENT, "id": "c2"}, lines=True)
    done = import_consents(tmp_path, file, namespace="lab", identity=CHECKED, clock=clock)
    assert len(done.receipts) == 2 and done.unchecked == 0
    assert {one.person for one in recorded(tmp_path)} == {"lab/Patient/1"}


def test_files_that_are_none(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "x.json"
    for text in ("not json", "[]", "3", '{"resourceType": "Consent"}\n{'):
        file.write_text(text)
        with pytest.raises(MalformedMessage):
            import_consents(tmp_path, file, clock=clock)
    size = file.stat().st_size
    monkeypatch.setattr(consent_files, "FILE_BYTES", msgspec.structs.replace(consent_files.FILE_BYTES, value=size - 1))
    with pytest.raises(LimitExceeded):
        import_consents(tmp_path, file, clock=clock)
    assert recorded(tmp_path) == ()


def test_a_preview_changes_nothing_and_says_what_would(tmp_path: Path, clock: Clock) -> None:
    made = agreement(("health-research", "education"))
    offered = Signed("c", USER, msgspec.json.encode(made), b"").to_bytes()
    database = NodeDatabase.in_folder(tmp_path, clock)
    for state, digest in (("active", "1"), ("terminated", "2"), ("offered", "3")):
        database.put_agreement(AgreementRow(digest, state, "heart", USER, "cardiology", offered, since=20))
    database.close()
    objection = Choice("p", Rule("deny", Where(purposes=("education",))), clock(), "preview")
    found = {one.purpose: one for one in preview(tmp_path, NodeSettings(), [objection], clock)}
    assert set(found) == {"health-research", "education"}
    assert found["education"].changes and found["education"].since > 0 and not found["education"].after
    assert not found["health-research"].changes and found["health-research"].since == 0
    assert recorded(tmp_path) == ()
    say_of_study(tmp_path, StudyWord("heart", "statutory-duty", ("gdpr",), "Wang", clock()))
    found = {one.purpose: one for one in preview(tmp_path, NodeSettings(), [objection], clock)}
    assert not found["education"].changes and found["education"].words.startswith("Does not bind this study")


def verb(folder: Path, *words: str, code: int = 0) -> Any:
    done = CliRunner().invoke(app, ["--json", "consent", *words, "--folder", str(folder)])
    assert done.exit_code == code, done.output
    return json.loads(done.stdout) if code == 0 or done.stdout.startswith("{") else None


def test_every_verb_answers_in_json(tmp_path: Path) -> None:
    told = verb(tmp_path, "record", "deny", "p1", "--purpose", "education", "--at", "2024-01-01T08:00:00+08:00")
    assert told["leaf"] == -1 and told["digest"].startswith("sha256:") and not told["known"]
    withdrawn = verb(tmp_path, "withdraw", "p2", "--guardian", "parent,2015-03-01,2033-03-01")
    verb(tmp_path, "record", "permit", "p3", code=1)
    verb(tmp_path, "record", "perhaps", "p3", code=1)
    verb(tmp_path, "record", "permit", "p3", "--identity", "card", "--by", "Li")
    verb(tmp_path, "reverse", withdrawn["id"], "--identity", "card", "--by", "Li")
    rows = verb(tmp_path, "list")
    assert [row["kind"] for row in rows] == ["choice", "withdrawal", "choice", "reversal"]
    assert rows[0]["at"] == "2024-01-01T08:00:00+08:00" and rows[1]["by"] == "parent"
    assert [row["leaf"] for row in verb(tmp_path, "history", "p2")] == [-1, -1]
    assert verb(tmp_path, "preview", "deny", "p1") == []
    words = verb(
        tmp_path, "study", "heart", "--basis", "consent", "--pack", "gdpr", "--by", "Wang", "--category", "none"
    )
    assert words[0]["categories"] == [] and words[0]["commercial"] is None
    file = file_of(tmp_path, {"resource": CONSENT}, {"resource": {**CONSENT, "id": "c2", "strange": 1}})
    assert verb(tmp_path, "import", str(file), code=1)["recorded"] == 2
