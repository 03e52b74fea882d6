"""Inboxes: a deed stands under signed or own words alone, and what the hub names is a study or it is nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from tests.unit.console.desk_of_work import TITLE, Work

from xinglin.console.calls.budgets import StudyBudgetCalls
from xinglin.console.calls.hospital_agreements import AgreementCalls
from xinglin.console.screens.agreements import agreement_page
from xinglin.console.seats import Seat
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.instants import system_clock
from xinglin.sdk.client import _read
from xinglin.wire.studies import StudiesPage, StudyLine
from xinglin.words import Words

LIED, SIGNED = "A harmless study", "What the application says"
STUDIES = "/v1/access/studies"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Work]:
    made = Work(tmp_path_factory.mktemp("work"))
    yield made
    made.hall.close()


@pytest.fixture
def told() -> list[StudyLine]:
    """The studies that the hub tells, newest first."""
    return []


@pytest.fixture
def work(desk: Work, told: list[StudyLine], monkeypatch: pytest.MonkeyPatch) -> Work:
    """A desk whose hub finds them by study or title."""
    desk.reset()
    before = desk.hub.get

    def get(path: str, kind: type[Any], **params: Any) -> Any:
        if path == "/v1/access/drafts":
            return []
        if path != STUDIES:
            return before(path, kind, **params)
        found = [one for one in told if params["text"] in one.study or params["text"] in one.title]
        page = StudiesPage(tuple(found[: params["most"]]), len(found))
        return _read(msgspec.json.encode(page), kind)

    monkeypatch.setattr(desk.hub, "get", get)
    return desk


def test_agreements_are_offered_under_the_accounts_own_title_alone(work: Work, told: list[StudyLine]) -> None:
    told[:] = [StudyLine(work.study, "approved", LIED, "application-1")]
    page = work.get("/inbox").text
    assert f'action="/studies/{work.study}/offer"' in page and TITLE in page and LIED not in page
    told[:] = [StudyLine("study-unknown", "approved", LIED, "application-1")]
    page = work.get("/inbox").text
    assert 'href="/studies/study-unknown"' in page and "/offer" not in page


@pytest.mark.parametrize("study", ["../runs/run-1/again?", "a/b", "a?", ""])
def test_a_line_that_names_no_study_is_malformed(work: Work, told: list[StudyLine], study: str) -> None:
    told[:] = [StudyLine(study, "approved", LIED, "application-1")]
    with pytest.raises(MalformedMessage):
        work.hub.get(STUDIES, StudiesPage, text="", most=1)
    shown = work.get("/inbox")
    assert shown.status_code >= 400 and "/offer" not in shown.text and "/again" not in shown.text


def test_no_title_of_anothers_hides_a_study(work: Work, told: list[StudyLine]) -> None:
    others = [StudyLine(f"study-{n}", "applied", f"like {work.study}", f"application-{n}") for n in range(3)]
    told[:] = [*others, StudyLine(work.study, "in-force", active=3)]
    assert TITLE in work.get(f"/studies/{work.study}").text
    seat = work.hall.console.seats["researcher"]
    many = [StudyLine(f"study-x{n}", "applied", "x") for n in range(60)]
    told[:0] = many
    found = StudyBudgetCalls(seat, work.hall.console.lines).studies(work.study)
    assert work.study in [study for study, _ in found]


def test_an_offer_is_countersigned_under_the_words_of_its_papers_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    offer: dict[str, Any] = {
        "id": "sha256:" + "a" * 64, "study": "study-1", "consumer": "did", "data_set": "cardio", "grade": "L1",
        "state": "offered", "index": -1, "terms": {}, "title": "",
        "explained": {"do": "hold", "reason": "", "tried": []},
    }  # fmt: skip
    lines: Any = SimpleNamespace(clock=system_clock, desk=lambda _folder, verb, **_: told_by(offer, verb))
    calls = AgreementCalls(Seat("hospital", "hospital", "Hospital", Path()), lines)
    monkeypatch.setattr(calls, "titles", lambda: {"study-1": LIED})
    monkeypatch.setattr(calls, "leaves", lambda *_: None)
    visit: Any = SimpleNamespace(
        words=Words.of("en"), calls=SimpleNamespace(agreements=calls), seat=None, path=f"/agreements/{offer['id']}"
    )
    (item,) = calls.inbox()
    assert (item.title, item.words, len(item.acts)) == ("cardio · L1", "study-1", 2)
    assert agreement_page.function(visit, offer["id"]).title == "cardio · L1"
    offer |= {"title": SIGNED, "application": {"study": {"title": SIGNED}}}
    assert calls.inbox()[0].title == SIGNED == agreement_page.function(visit, offer["id"]).title
    del offer["application"]
    offer["state"], offer["approval"] = "active", {"theirs": True, "uncovered": []}
    assert agreement_page.function(visit, offer["id"]).title == LIED, "nothing is signed there any more"
    offer["approval"] = {"theirs": False, "uncovered": []}
    assert agreement_page.function(visit, offer["id"]).title == "study-1", "the title is another's"


def told_by(offer: dict[str, Any], verb: str) -> Any:
    """What the node's desk says of the one offer."""
    return {"agreements": [offer], "agreement": offer, "explain": offer["explained"]}[verb]
