"""A committee's seat over the real hub: which application opens for whom, and that no word of the hub's is voted on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from tests.unit.console.hall import Hall
from tests.unit.hub.review_scene import VOTERS, Scene

from xinglin.access.application import Submit
from xinglin.console.calls.ethics import COUNT_ITEM, PUT_ITEM, VOTE_ITEM, EthicsCalls
from xinglin.console.errors import NotThere
from xinglin.console.seats import Seat
from xinglin.hub.committee_lines import committee_page
from xinglin.kernel.errors import MalformedMessage
from xinglin.sdk.client import _read
from xinglin.testing.open_hub import OpenHub
from xinglin.wire.committee_work import CommitteePage

ROOT = "/v1/access"
OTHERS = "../approvals/sha256:" + "a" * 64 + "/revoke?"
"""What a hub would name as a motion, so that a vote's button posts an end."""


class MemberLine:
    """A person's line to the hub of a scene, and the space around it; ``turn``: what becomes of a page."""

    def __init__(self, scene: Scene, name: str) -> None:
        self._hub, keys = scene.hub, scene.people[name]
        self.turn: Callable[[CommitteePage], CommitteePage] = lambda page: page
        self.account = SimpleNamespace(did=keys.did, keys=keys)
        self.client, self.clock, self.approvals = self, scene.open.clock, scene.desk.approvals
        self.log = SimpleNamespace(record=scene.hub.members.record, refresh=lambda: None)

    def names(self) -> dict[str, str]:
        return {}

    def get(self, path: str, kind: type[Any], **given: Any) -> Any:
        me, name = self.account.did, path.rpartition("/")[2]
        if path == f"{ROOT}/committee":
            size = {key: given[key] for key in ("text", "offset", "most")}
            answer: Any = self.turn(committee_page(self._hub.access, me, waiting=given["task"] == "mine", **size))
        elif path == f"{ROOT}/motions/{name}":
            answer = self._hub.reviews.view(name, me)
        else:
            assert path == f"{ROOT}/applications/{name}"
            answer = self._hub.access.view(name, me)
        return _read(msgspec.json.encode(answer), kind)

    def calls(self) -> EthicsCalls:
        """The calls of that person's seat."""
        return EthicsCalls(Seat("ethics", "ethics", "Ethics", Path()), self)  # type: ignore[arg-type]

    @contextmanager
    def space(self, _folder: Path) -> Iterator[MemberLine]:
        yield self


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with OpenHub(tmp_path / "space") as hub:
        made = Scene(hub)
        await made.fill()
        yield made


async def test_no_title_and_no_id_of_anothers_hides_an_application(scene: Scene) -> None:
    await scene.accepted("application-1")
    view = await scene.put("application-1")
    form = scene.form()
    titled = replace(form, study="study-2", project=replace(form.project, title="like application-1"))
    await scene.act("application-1-more", 1, Submit(replace(form, study="study-3")))
    await scene.act("application-9", 1, Submit(titled))
    for name in VOTERS:
        calls = MemberLine(scene, name).calls()
        assert calls.application("application-1")[0].application.id == "application-1"
        assert calls.motion(view.motion).application.application.id == "application-1"


async def test_whoever_has_another_part_or_an_interest_finds_nothing(scene: Scene) -> None:
    view = await scene.put(await scene.accepted())
    assert scene.desk.view("application-1", scene.people["north"].did), "the hospital has a part in it"
    for name in ("north", "researcher", "colleague"):
        calls = MemberLine(scene, name).calls()
        for ask in (lambda c=calls: c.application("application-1"), lambda c=calls: c.motion(view.motion)):
            with pytest.raises(NotThere):
                ask()
    third = MemberLine(scene, "third").calls()
    for odd in ("application-2", "application-1?", "../register", ""):
        with pytest.raises(NotThere):
            third.application(odd)
        with pytest.raises(NotThere):
            third.motion(odd)


async def test_the_inbox_leads_to_what_is_voted_on_and_offers_no_vote(scene: Scene) -> None:
    application = await scene.accepted()
    chair = MemberLine(scene, "chair").calls()
    (put,) = chair.inbox()
    assert (put.kind, put.path, put.acts) == (PUT_ITEM, f"/applications/{application}", ())
    view = await scene.put(application)
    (vote,) = chair.inbox()
    assert (vote.kind, vote.path, vote.acts) == (VOTE_ITEM, f"/motions/{view.motion}", ())
    for name in VOTERS:
        await scene.vote(view, name)
    (count,) = chair.inbox()
    assert (count.kind, count.path, count.acts) == (COUNT_ITEM, f"/motions/{view.motion}", ())


@pytest.mark.parametrize("change", [{"motion": OTHERS}, {"motion": "b"}, {"application": "../x"}, {"application": ""}])
async def test_a_line_that_names_no_motion_is_malformed(scene: Scene, tmp_path: Path, change: dict[str, str]) -> None:
    await scene.put(await scene.accepted())
    line = MemberLine(scene, "third")
    hall = Hall(tmp_path / "console", "ethics")
    hall.console.made[("ethics", "")] = calls = line.calls()
    try:
        assert "/motions/sha256:" in hall.get("/inbox", "ethics").text
        line.turn = lambda page: replace(page, lines=tuple(replace(one, **change) for one in page.lines))
        with pytest.raises(MalformedMessage):
            calls.inbox()
        for path in ("/inbox", "/applications"):
            shown = hall.get(path, "ethics")
            assert shown.status_code >= 400 and "/revoke" not in shown.text
    finally:
        hall.close()
