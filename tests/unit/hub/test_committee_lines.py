"""What waits for a committee's member at the real hub: a vote once, a count for chairs alone, nothing for strangers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from tests.unit.hub.review_scene import VOTERS, Scene

from xinglin.access.application import Submit
from xinglin.hub.committee_lines import committee_page
from xinglin.kernel.errors import LimitExceeded
from xinglin.terms.request import is_digest, is_name
from xinglin.testing.open_hub import OpenHub
from xinglin.wire.committee_work import COMMITTEE_PAGE, COUNT, PUT, VOTE
from xinglin.wire.spelled import DigestOrNone, Name, NameOrNone


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with OpenHub(tmp_path) as hub:
        made = Scene(hub)
        await made.fill()
        yield made


def mine(scene: Scene, who: str) -> list[tuple[str, str]]:
    """Task and application of what waits for somebody."""
    page = committee_page(scene.desk, scene.people[who].did, waiting=True)
    assert page.total == len(page.lines)
    return [(one.task, one.application) for one in page.lines]


async def test_each_step_waits_for_whom_it_is_due_alone(scene: Scene) -> None:
    application = await scene.accepted()
    assert mine(scene, "chair") == mine(scene, "deputy") == [(PUT, application)]
    assert mine(scene, "third") == []
    view = await scene.put(application)
    for name in VOTERS:
        assert mine(scene, name) == [(VOTE, application)]
        await scene.vote(view, name)
        assert (VOTE, application) not in mine(scene, name), "a vote is given once"
    assert mine(scene, "chair") == [(COUNT, application)] and mine(scene, "third") == []
    await scene.resolve(scene.resolution(view), "positive")
    assert mine(scene, "chair") == []
    (line,) = committee_page(scene.desk, scene.people["third"].did).lines
    assert (line.task, line.motion, line.state) == ("", "", "DECISION_ISSUED")


async def test_a_line_says_what_the_list_and_the_inbox_need(scene: Scene) -> None:
    application = await scene.accepted()
    view = await scene.put(application)
    (line,) = committee_page(scene.desk, scene.people["third"].did, waiting=True).lines
    form = scene.form()
    assert (line.title, line.summary) == (form.project.title, form.project.plain_summary)
    assert (line.motion, line.since, line.due) == (view.motion, view.content.made, view.content.closes)
    assert line.applicant == scene.people["researcher"].did and line.verdict and line.waiting_zh


async def test_who_has_no_part_or_an_interest_sees_nothing(scene: Scene) -> None:
    await scene.put(await scene.accepted())
    for name in ("researcher", "colleague", "north"):
        page = committee_page(scene.desk, scene.people[name].did)
        assert (page.total, page.lines, page.states) == (0, (), ())


async def test_pages_words_and_states_are_found_at_the_hub(scene: Scene) -> None:
    form, me = scene.form(), scene.people["third"].did
    for number in range(5):
        titled = replace(form, study=f"study-{number}", project=replace(form.project, title=f"Heart rate {number}"))
        await scene.act(f"application-{number}", 1, Submit(titled))
    page = committee_page(scene.desk, me, offset=3, most=3)
    assert page.total == 5 and len(page.lines) == 2 and page.states == ("PRE_SCREENING",)
    assert committee_page(scene.desk, me, text="RATE 3").total == 1
    assert committee_page(scene.desk, me, states=("WITHDRAWN",)).total == 0
    with pytest.raises(LimitExceeded):
        committee_page(scene.desk, me, most=COMMITTEE_PAGE.value + 1)


DIGEST = "sha256:" + "0a" * 32
SPELLINGS = (
    "a",
    "a.b_c:d-1",
    "A" * 128,
    "A" * 129,
    DIGEST,
    DIGEST + "\n",
    DIGEST[:-1],
    "a\n",
    ".a",
    "a/b",
    "a?",
    "心",
    "",
)


@pytest.mark.parametrize("text", SPELLINGS)
def test_ids_of_lines_are_spelled_as_those_of_signed_documents(text: str) -> None:
    def taken(kind: object) -> bool:
        try:
            msgspec.json.decode(msgspec.json.encode(text), type=kind)
        except msgspec.ValidationError:
            return False
        return True

    assert taken(Name) == is_name(text)
    assert taken(NameOrNone) == (is_name(text) or not text)
    assert taken(DigestOrNone) == (is_digest(text) or not text)
