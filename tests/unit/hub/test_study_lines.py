"""Studies in lines at the real hub: whose they are, where they stand, what narrows them, pages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.unit.hub.review_scene import Scene

from xinglin.access.application import Accept, Ask, Submit, Withdraw
from xinglin.access.form import Form
from xinglin.hub.study_lines import study_page
from xinglin.kernel.errors import LimitExceeded
from xinglin.testing.open_hub import OpenHub
from xinglin.wire.studies import STUDIES_PAGE


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with OpenHub(tmp_path) as hub:
        made = Scene(hub)
        await made.fill()
        yield made


def titled(form: Form, number: int) -> Form:
    return replace(form, study=f"study-{number}", project=replace(form.project, title=f"Heart rate {number}"))


async def test_a_study_is_a_line_of_its_applicant_with_who_has_it_now(scene: Scene) -> None:
    me, other = scene.people["researcher"].did, scene.people["third"].did
    await scene.act("application-1", 1, Submit(scene.form()))
    (line,) = study_page(scene.desk, me).lines
    assert (line.application, line.state, line.study) == ("application-1", "applied", scene.form().study)
    assert line.asked == len(scene.form().data.hospitals) and line.due > line.since and "day 1 of 14" in line.waiting
    assert study_page(scene.desk, other).total == 0
    await scene.desk.act_as_operator("application-1", Accept())
    await scene.next("application-1", Ask("How many?"), "third")
    (line,) = study_page(scene.desk, me, states=("asked",)).lines
    assert line.questions == 1 and "answer" in line.waiting and line.waiting_zh
    assert study_page(scene.desk, me, states=("in-force", "applied")).total == 0
    await scene.next("application-1", Withdraw())
    assert study_page(scene.desk, me).lines[0].state == "withdrawn"


async def test_pages_and_words_are_found_at_the_hub(scene: Scene) -> None:
    me = scene.people["researcher"].did
    for number in range(5):
        await scene.act(f"application-{number}", 1, Submit(titled(scene.form(), number)))
    page = study_page(scene.desk, me, offset=2, most=2)
    assert page.total == 5 and len(page.lines) == 2
    found = study_page(scene.desk, me, text="RATE 3")
    assert [one.title for one in found.lines] == ["Heart rate 3"]
    assert study_page(scene.desk, me, text="nothing like it").total == 0
    with pytest.raises(LimitExceeded):
        study_page(scene.desk, me, most=STUDIES_PAGE.value + 1)
