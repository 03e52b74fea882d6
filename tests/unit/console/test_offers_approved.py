"""What a hospital is shown of an offer's ethics approval: whose study it is, and what no committee saw."""

from __future__ import annotations

from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.access.people import TERMS
from tests.unit.console.hall import Hall

from xinglin.access.register import PermitEntry

REGISTERED, STUDY, ID = "Strain and heart disease", "study-heart", "sha256:" + "a" * 64
COVERED: dict[str, Any] = {"theirs": True, "uncovered": []}


def told(code: str, theirs: bool) -> dict[str, Any]:
    return {"theirs": theirs, "uncovered": [{"code": f"access.{code}", "words": "In English.", "remedy": ""}]}


class Desk:
    """A node's desk with one agreement."""

    def __init__(self, folder: Path) -> None:
        self.offer: dict[str, Any] = {}
        self.hall = Hall(folder, "hospital")
        self.hall.console.lines.desk = self.ask  # type: ignore[method-assign]
        self.hall.hub.answers["/v1/access/register"] = [
            PermitEntry("sha256:1", "GRANTED", STUDY, REGISTERED, "", "", "", "", (), (), "", 0, 1)
        ]

    def shows(self, approval: dict[str, Any] | None, state: str = "offered") -> None:
        self.offer = {
            "id": ID, "study": STUDY, "consumer": "Somebody", "data_set": "cardiology", "grade": "L2", "state": state,
            "index": -1, "expires": 1, "since": 0, "terms": msgspec.to_builtins(TERMS), "title": "",
            "explained": {"do": "ask", "reason": "", "tried": []},
            **({"approval": approval} if approval is not None else {}),
        }  # fmt: skip

    def ask(self, _folder: Path, verb: str, **_: str) -> Any:
        status = {"connected": True, "runs": [], "checkpoint": {}}
        known = {"agreements": [self.offer], "agreement": self.offer, "explain": {"do": "ask", "reason": ""}}
        house = {"in_force": "", "since": 0, "confirmed_by": "", "policy": None, "open": []}
        return {**known, "status": status, "policy": house}.get(verb, [])

    def page(self, path: str, language: str = "en") -> str:
        answer = self.hall.get(path, "hospital", **{"accept-language": language})
        assert answer.status_code == 200, answer.text[-3000:]
        return unescape(answer.text)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    made = Desk(tmp_path_factory.mktemp("desk"))
    yield made
    made.hall.close()


@pytest.mark.parametrize(
    ("approval", "inbox"),
    [
        (told("other_people", theirs=False), "The offer names another's study"),
        (told("other_operation", theirs=True), "The study's ethics approval does not cover this offer"),
        (told("approval_lapsed", theirs=True), "The study's ethics approval does not cover this offer"),
    ],
)
def test_an_offer_that_no_approval_covers_says_so_before_it_is_countersigned(
    desk: Desk, approval: dict[str, Any], inbox: str
) -> None:
    desk.shows(approval)
    page = desk.page("/inbox")
    assert inbox in page and "verdict-no" in page and REGISTERED not in page
    page = desk.page(f"/agreements/{ID}")
    assert "What the ethics approval does not cover" in page and approval["uncovered"][0]["code"] in page
    assert page.index("does not cover") < page.index("The machine's terms")


def test_an_approval_that_has_not_arrived_yet_is_no_verdict(desk: Desk) -> None:
    desk.shows(told("approval_unknown", theirs=True))
    page = desk.page("/inbox")
    assert "verdict-no" not in page and "does not cover" not in page and "verdict-ask" in page


@pytest.mark.parametrize("approval", [COVERED, None])
def test_one_that_is_covered_or_of_a_study_that_no_committee_saw_says_nothing_of_it(
    desk: Desk, approval: dict[str, Any] | None
) -> None:
    desk.shows(approval)
    page = desk.page("/inbox")
    assert "names another's study" not in page and "does not cover" not in page and "verdict-no" not in page
    assert "does not cover" not in desk.page(f"/agreements/{ID}")


def test_a_registered_title_stands_only_by_whoever_it_was_approved_for(desk: Desk) -> None:
    for approval, title in ((COVERED, REGISTERED), (told("approval_lapsed", theirs=True), REGISTERED)):
        desk.shows(approval, "active")
        assert title in desk.page("/agreements")
    for anothers in (told("other_people", theirs=False), None):
        desk.shows(anothers, "active")
        assert REGISTERED not in desk.page("/agreements") and STUDY in desk.page("/agreements")


def test_it_is_said_in_chinese(desk: Desk) -> None:
    desk.shows(told("other_people", theirs=False))
    assert "要约所指的是他人的研究" in desk.page("/inbox", "zh")
    assert "批件是批给他人的" in desk.page(f"/agreements/{ID}", "zh")
