"""The access process over a hub that shows what it likes: nothing is read, voted on, put or offered but what is so."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from tests.unit.hub.review_scene import VOTERS, CopiedHub, Scene
from tests.unit.sdk.turned_hub import ROOT, TurnedHub

from xinglin.access.application import Accept, Act, Answer, Ask, Decide, Deed, Submit, Withdraw, sign_act
from xinglin.access.approval import approved_policy
from xinglin.access.form import Form
from xinglin.access.review import Motion
from xinglin.contract.agreement import Agreement
from xinglin.evidence.entry import Entry
from xinglin.evidence.submission import sign_batch
from xinglin.sdk.access import Access
from xinglin.sdk.errors import NotVerified, Refused
from xinglin.testing.open_hub import OpenHub
from xinglin.trust.envelope import Signed
from xinglin.trust.leaves import leaf_body, leaf_kind, revoke
from xinglin.wire.access import ApplicationView, MotionView, VoteCall

ONE, OTHER = "application-1", "application-2"


class Place:
    """The real hub with its people; ``line`` is one person's line to it, ``do`` runs what others do there."""

    def __init__(self, scene: Scene, loop: asyncio.AbstractEventLoop, folder: Path) -> None:
        self.scene, self._loop, self._folder = scene, loop, folder

    def line(self, name: str) -> tuple[TurnedHub, Access]:
        hub = TurnedHub(self.scene, name, self._loop)
        return hub, Access(hub.session(name, self._folder))

    def do(self, step: Any) -> Any:
        return self._loop.run_until_complete(step)

    def signed(self, name: str, number: int, deed: Deed, application: str = ONE) -> Signed:
        return sign_act(self.scene.people[name], Act(application, number, self.scene.now, deed))

    def motion(self, application: str = ONE, form: Form | None = None) -> str:
        self.do(self.scene.accepted(application, form))
        return str(self.do(self.scene.put(application)).motion)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Scene]:
    folder = tmp_path_factory.mktemp("filled")

    async def fill() -> Scene:
        async with OpenHub(folder) as hub:
            scene = Scene(hub)
            await scene.fill()
            await scene.person("accomplice", "institute", "consumer")
            return scene

    return folder, asyncio.run(fill())


@pytest.fixture
def place(tmp_path: Path, filled: tuple[Path, Scene]) -> Iterator[Place]:
    loop = asyncio.new_event_loop()
    hub = CopiedHub(filled[0], tmp_path / "hub")
    loop.run_until_complete(hub.__aenter__())
    yield Place(Scene(hub, filled[1]), loop, tmp_path)
    loop.run_until_complete(hub.__aexit__(None, None, None))
    loop.close()


def shown(view: ApplicationView, **change: Any) -> ApplicationView:
    """What the hub folds, changed at its will."""
    return replace(view, application=replace(view.application, **change))


def other_form(form: Form) -> Form:
    """One variable more, and a smaller minimum cell."""
    data = replace(form.data, variables=(*form.data.variables, "cardiac.name"))
    return replace(form, data=data, outputs=replace(form.outputs, min_cell=1))


# --- an honest hub ------------------------------------------------------------------------------------


def test_from_application_to_offers_everything_is_opened(place: Place) -> None:
    mine, applicant = place.line("researcher")
    chair = place.line("chair")[1]
    view = applicant.apply(place.scene.form(), application=ONE)
    assert len(view.acts) == 1 and view.application.applicant == mine.me
    place.do(place.scene.desk.act_as_operator(ONE, Accept()))
    chair.ask(ONE, "How many?")
    applicant.answer(ONE, 1, "A thousand.", place.scene.form())
    motion = chair.put(ONE, "committee-heart").motion
    for name in VOTERS:
        place.line(name)[1].vote(motion, "approve", "sound")
    approval = chair.resolve(motion).digest
    found = applicant.application(ONE)
    assert (found.application.outcome, found.application.resolution) == ("positive", approval)
    assert len(applicant.offer(ONE)) == 3
    agreement = msgspec.json.decode(mine.posted[-1].signed.payload, type=Agreement)
    assert agreement.terms.policy == approved_policy("statistics", approval)


def test_an_act_stands_when_its_signer_leaves(place: Place) -> None:
    place.do(place.scene.accepted())
    place.do(place.scene.next(ONE, Ask("How many?"), "third"))
    gone = place.scene.people["third"]
    leaf = revoke(gone.did, "left", gone)
    entry = Entry(kind=leaf_kind(leaf), at=place.scene.now, submitter=gone.did, body=leaf_body(leaf))
    batch = sign_batch([entry], place.scene.open.space.origin, gone.did, gone.sign).to_bytes()
    place.do(place.scene.hub.append_batch(batch))
    assert place.line("researcher")[1].application(ONE).application.questions[0].by == gone.did


def test_an_application_that_lapsed_is_shown_as_the_clock_has_it(place: Place) -> None:
    place.do(place.scene.accepted())
    place.do(place.scene.next(ONE, Ask("How many?"), "chair"))
    place.scene.open.clock.off_ms += 30 * 24 * 3600 * 1000
    assert place.line("researcher")[1].application(ONE).application.state == "WITHDRAWN"


# --- a motion is swapped ------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["motion", "vote", "recuse", "resolve"])
def test_no_other_motion_comes_under_the_hand_that_votes(place: Place, step: str) -> None:
    asked, other = place.motion(ONE), place.motion(OTHER)
    hub, chair = place.line("chair")
    hub.turn = lambda path, answer: place.scene.reviews.view(other, hub.me) if "/motions/" in path else answer
    with pytest.raises(NotVerified, match="another motion"):
        getattr(chair, step)(asked, *(["approve"] if step == "vote" else []))
    assert hub.posted == []


def test_a_motion_has_no_other_words_than_its_chairs(place: Place) -> None:
    motion = place.motion()
    hub, third = place.line("third")

    def turned(_path: str, view: MotionView) -> MotionView:
        content: Motion = replace(view.content, conditions=("Rows stay at the hospital.",))
        return replace(view, content=content)

    hub.turn = turned
    with pytest.raises(NotVerified, match="another motion"):
        third.motion(motion)


def test_a_vote_is_on_the_form_that_was_read(place: Place) -> None:
    motion = place.motion()
    hub, third = place.line("third")
    with pytest.raises(NotVerified, match="was read"):
        third.vote(motion, "approve", read=other_form(place.scene.form()).digest())
    assert hub.posted == []
    assert third.vote(motion, "approve", read=third.motion(motion).content.form).cast


# --- a vote is sealed ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["accomplice", "operator", "colleague"])
def test_no_vote_is_sealed_to_whom_the_hub_adds(place: Place, name: str) -> None:
    motion, scene = place.motion(), place.scene
    added = scene.desk.keys.did if name == "operator" else scene.people[name].did
    hub, third = place.line("third")
    hub.turn = lambda _path, view: replace(view, may_vote=(*view.may_vote, added))
    with pytest.raises(NotVerified, match="charter"):
        third.vote(motion, "reject", "It names too much.")
    assert hub.posted == []


def test_no_vote_is_cast_under_a_charter_that_was_replaced(place: Place) -> None:
    """A chair who was dismissed and a hub would have it sealed to members who left."""
    motion = place.motion()
    hub, third = place.line("third")
    third.motion(motion)
    charters = third._space.approvals.charters
    charters.update({digest: replace(seat, until=seat.index + 1) for digest, seat in charters.items()})
    with pytest.raises(NotVerified, match="in force"):
        third.vote(motion, "approve")
    assert hub.posted == []


def test_a_vote_is_sealed_to_whom_the_hub_leaves_out(place: Place) -> None:
    motion = place.motion()
    hub, third = place.line("third")
    hub.turn = lambda _path, view: replace(view, may_vote=(hub.me,))
    third.vote(motion, "reject", "It names too much.")
    (call,) = hub.posted
    assert isinstance(call, VoteCall)
    assert set(call.sealed) == {place.scene.people[name].did for name in VOTERS}


# --- an application is made up ------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["application", "dossier", "copy", "put", "offer", "withdraw"])
def test_no_other_form_than_the_applicants_is_shown_or_signed_over(place: Place, step: str) -> None:
    place.do(place.scene.approved())
    hub, access = place.line("chair" if step == "put" else "researcher")
    hub.turn = lambda _path, view: shown(view, form=other_form(view.application.form))
    with pytest.raises(NotVerified, match="another application"):
        getattr(access, step)(ONE, *(["committee-heart"] if step == "put" else []))
    assert hub.posted == []


def test_another_application_is_not_the_one_that_was_asked_for(place: Place) -> None:
    place.do(place.scene.approved())
    place.do(place.scene.accepted(OTHER))
    hub, applicant = place.line("researcher")
    hub.turn = lambda path, view: place.scene.desk.view(ONE, hub.me) if "/applications/" in path else view
    with pytest.raises(NotVerified, match="do not check out"):
        applicant.offer(OTHER)
    assert hub.posted == []


def test_an_accomplice_changes_no_form(place: Place) -> None:
    place.do(place.scene.accepted())
    place.do(place.scene.next(ONE, Ask("How many?"), "chair"))
    hub, chair = place.line("chair")
    changed = Answer(1, "A thousand.", other_form(place.scene.form()))
    hub.turn = lambda _path, view: replace(view, acts=(*view.acts, place.signed("accomplice", 4, changed)))
    with pytest.raises(NotVerified) as refused:
        chair.put(ONE, "committee-heart")
    assert "Act 4 has no effect" in refused.value.why and hub.posted == []


def test_an_application_of_an_accomplices_own_is_not_offered(place: Place) -> None:
    """All of it is well signed: by an accomplice who names this account a member, and by the operator."""
    form = place.scene.form(study="study-strange", committees=())
    form = replace(form, project=replace(form.project, basis="permit"))
    named = replace(form.people.members[0], did=place.scene.people["accomplice"].did)
    form = replace(form, people=replace(form.people, members=(*form.people.members, named)))
    place.do(place.scene.act(ONE, 1, Submit(form), "accomplice"))
    for deed in (Accept(), Decide("positive", "as applied for")):
        place.do(place.scene.desk.act_as_operator(ONE, deed))
    hub, applicant = place.line("researcher")
    with pytest.raises(Refused) as refused:
        applicant.offer(ONE)
    assert refused.value.codes == ("access.not_yours",) and hub.posted == []


def test_a_member_whom_the_approval_names_offers_and_nobody_else(place: Place) -> None:
    form = place.scene.form()
    named = replace(form.people.members[0], did=place.scene.people["accomplice"].did)
    members = sorted((*form.people.members, named), key=lambda one: one.did)  # as the scene names them in its motion
    both = replace(form, people=replace(form.people, members=tuple(members)))
    motion = place.motion(ONE, both)
    for name in VOTERS:
        place.line(name)[1].vote(motion, "approve", "sound")
    place.line("chair")[1].resolve(motion)
    hub, member = place.line("accomplice")
    assert len(member.offer(ONE)) == 3
    agreement = msgspec.json.decode(hub.posted[-1].signed.payload, type=Agreement)
    assert agreement.consumer == hub.me
    with pytest.raises(Refused) as refused:
        place.line("chair")[1].offer(ONE)
    assert refused.value.codes == ("access.not_yours",)


@pytest.mark.parametrize("by", ["accomplice", "operator"])
def test_no_decision_is_made_up_where_a_committee_decides(place: Place, by: str) -> None:
    place.do(place.scene.accepted())
    place.scene.people["operator"] = place.scene.desk.keys
    act = place.signed(by, 3, Decide("positive", "as applied for"))
    hub, applicant = place.line("researcher")
    hub.turn = lambda _path, view: replace(shown(view, outcome="positive"), acts=(*view.acts, act))
    with pytest.raises(NotVerified, match="do not check out"):
        applicant.offer(ONE)
    assert hub.posted == []


def test_a_chair_decides_nothing_on_the_approval_of_another_form(place: Place) -> None:
    approval = place.do(place.scene.approved())
    place.do(place.scene.accepted(OTHER, other_form(place.scene.form())))
    act = place.signed("chair", 3, Decide("positive", "as voted", approval), OTHER)
    place.scene.desk.take(msgspec.json.decode(act.payload, type=Act), act)
    hub, applicant = place.line("researcher")
    with pytest.raises(NotVerified, match="approved another application"):
        applicant.offer(OTHER)
    assert hub.posted == []


@pytest.mark.parametrize("left", [slice(0, 0), slice(1, None), slice(0, 3, 2)])
def test_acts_that_are_left_out_are_missed(place: Place, left: slice) -> None:
    place.do(place.scene.accepted())
    place.do(place.scene.next(ONE, Withdraw()))
    hub, applicant = place.line("researcher")
    hub.turn = lambda _path, view: replace(view, acts=view.acts[left])
    with pytest.raises(NotVerified, match="do not check out"):
        applicant.application(ONE)


def test_a_chair_signs_over_what_was_looked_at_once(place: Place) -> None:
    place.do(place.scene.accepted())
    hub, chair = place.line("chair")
    with pytest.raises(NotVerified, match="was read"):
        chair.put(ONE, "committee-heart", read=other_form(place.scene.form()).digest())
    assert hub.posted == []
    hub.got.clear()
    view = chair.put(ONE, "committee-heart", read=place.scene.desk.application(ONE).form.digest())
    assert hub.got == [f"{ROOT}/applications/{ONE}"]
    assert view.content.form == place.scene.desk.application(ONE).form.digest()
