"""Applications and reviews at the real hub: who sees what, what is refused, and what the log comes to hold."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from tests.unit.hub.review_scene import VOTERS, CopiedHub, Scene

from xinglin.access.application import Accept, Answer, Ask, Submit, Withdraw
from xinglin.access.approval import sign_end, sign_notice, sign_resolution
from xinglin.access.clocks import DAY_MS
from xinglin.access.errors import NotThisApproval, NotThisMotion
from xinglin.access.form import Form
from xinglin.access.review import cast_vote, sign_motion, sign_recusal
from xinglin.kernel.errors import LimitExceeded
from xinglin.kernel.states import IllegalMove
from xinglin.testing.open_hub import OpenHub
from xinglin.trust.dpop import DoorKey
from xinglin.trust.errors import BadSignature
from xinglin.wire.access import DraftCall, MotionCall, RecusalCall, VoteCall
from xinglin.wire.channel import ApprovalOrder
from xinglin.wire.errors import Refused


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Scene]:
    """A space that was founded and filled once; each test has a copy."""
    folder = tmp_path_factory.mktemp("filled")

    async def fill() -> Scene:
        async with OpenHub(folder) as hub:
            scene = Scene(hub)
            await scene.fill()
            return scene

    return folder, asyncio.run(fill())


@pytest.fixture
async def scene(tmp_path: Path, filled: tuple[Path, Scene]) -> AsyncIterator[Scene]:
    async with CopiedHub(filled[0], tmp_path) as hub:
        yield Scene(hub, filled[1])


def codes(refused: pytest.ExceptionInfo[Refused]) -> tuple[str, ...]:
    return refused.value.codes


# --- applications ------------------------------------------------------------------------------------


async def test_drafts_are_their_owners_and_may_lack_anything(scene: Scene) -> None:
    me, other = scene.people["researcher"].did, scene.people["third"].did
    kept = scene.desk.save(me, DraftCall(Form()))
    assert kept.gaps and scene.desk.drafts(me)[0].draft == kept.draft and scene.desk.drafts(other) == ()
    changed = scene.desk.save(me, DraftCall(scene.form(), kept.draft))
    assert changed.gaps == () and len(scene.desk.drafts(me)) == 1
    with pytest.raises(Refused) as refused:
        scene.desk.save(other, DraftCall(Form(), kept.draft))
    assert refused.value.status == 404


async def test_an_application_is_seen_by_its_parties_alone(scene: Scene) -> None:
    await scene.accepted()
    for name in ("researcher", "north", "chair", "third"):
        assert scene.desk.view("application-1", scene.people[name].did).application.state == "PROCESSING"
        assert len(scene.desk.views(scene.people[name].did)) == 1
    await scene.person("stranger", "institute")
    for name in ("stranger", "colleague"):  # the colleague sits in the committee, with an interest in the study
        with pytest.raises(Refused) as refused:
            scene.desk.view("application-1", scene.people[name].did)
        assert codes(refused) == ("hub.unknown_application",)
        assert scene.desk.views(scene.people[name].did) == ()


async def test_each_desk_says_what_it_waits_for(scene: Scene) -> None:
    await scene.act("application-1", 1, Submit(scene.form()))

    def why() -> str:
        return scene.desk.view("application-1", scene.people["researcher"].did).waiting

    assert "to look at the application (day 1 of 14)" in why()
    await scene.desk.act_as_operator("application-1", Accept())
    assert "Waiting for Heart committee to open its review (day 1 of 90)" in why()
    await scene.next("application-1", Ask("How many?"), "third")
    assert "the applicant's answer to 1 question (day 1 of 28)" in why()
    scene.open.clock.off_ms += 30 * DAY_MS
    view = scene.desk.view("application-1", scene.people["researcher"].did)
    assert view.application.state == "WITHDRAWN" and "withdrawn" in view.waiting
    shown = {task.desk for task in view.tasks}
    assert shown == {"operator", "ethics", "hospital"} and len(view.tasks) == 5


async def test_the_same_act_again_changes_nothing_and_another_is_too_late(scene: Scene) -> None:
    form = scene.form()
    await scene.act("application-1", 1, Submit(form))
    again = await scene.desk.act_as_operator("application-1", Accept())
    assert again.application.number == 2
    with pytest.raises(Refused) as refused:
        await scene.act("application-1", 2, Withdraw())
    assert codes(refused) == ("access.other_number",)
    assert (await scene.next("application-1", Withdraw())).application.state == "WITHDRAWN"
    with pytest.raises(IllegalMove):
        await scene.next("application-1", Withdraw())


async def test_what_the_hub_refuses_to_take(scene: Scene) -> None:
    form = scene.form()
    for bad, code in (
        (replace(form, committees=("committee-none",)), "access.no_committee"),
        (replace(form, replaces="sha256:" + "0" * 64, relation="renewal"), "access.no_predecessor"),
        (Form(), "access.incomplete"),
    ):
        with pytest.raises(Refused) as refused:
            await scene.act("application-1", 1, Submit(bad))
        assert code in codes(refused) or code == "access.incomplete"
    with pytest.raises(Refused) as refused:
        await scene.act("application-1", 1, Submit(form), "third")
    assert "access.not_yours" in codes(refused)
    with pytest.raises(Refused):
        await scene.act("study-1", 1, Submit(form))


async def test_applications_are_folded_again_after_a_start(scene: Scene) -> None:
    await scene.accepted()
    await scene.next("application-1", Ask("How many?"), "chair")
    before = scene.desk.application("application-1")
    scene.desk._folded.clear()
    assert scene.desk.application("application-1") == before


# --- votes ---------------------------------------------------------------------------------------------


async def test_votes_are_blind_until_all_are_in(scene: Scene) -> None:
    view = await scene.put(await scene.accepted())
    await scene.vote(view, "chair")
    await scene.vote(view, "deputy", "reject")
    for name in VOTERS:
        seen = scene.reviews.view(view.motion, scene.people[name].did)
        assert (seen.voted, seen.over, seen.votes) == (2, False, ())
    await scene.vote(view, "third")
    for name in VOTERS:
        assert len(scene.reviews.view(view.motion, scene.people[name].did).votes) == 3
    conflicted = scene.reviews.view(view.motion, scene.people["colleague"].did)
    assert conflicted.over and conflicted.votes == () and conflicted.outcome is None
    with pytest.raises(Refused) as refused:
        scene.reviews.view(view.motion, scene.people["researcher"].did)
    assert refused.value.status == 404


async def test_a_vote_is_given_once(scene: Scene) -> None:
    view = await scene.put(await scene.accepted())
    await scene.vote(view, "third")
    with pytest.raises(Refused) as refused:
        await scene.vote(view, "third", "reject")
    assert codes(refused) == ("access.voted_before",)
    recusal = RecusalCall(view.motion, sign_recusal(scene.people["third"], view.content))
    with pytest.raises(Refused) as refused:
        await scene.reviews.recuse(scene.people["third"].did, recusal)
    assert codes(refused) == ("access.voted_before",)


async def test_conflicts_keep_a_member_out(scene: Scene) -> None:
    view = await scene.put(await scene.accepted())
    with pytest.raises(Refused) as refused:
        await scene.vote(view, "colleague")
    assert codes(refused) == ("access.conflict_institution",)
    with pytest.raises(Refused) as refused:
        await scene.vote(view, "researcher")
    assert codes(refused) == ("access.not_a_member",)


async def test_a_vote_after_the_close_or_for_somebody_else(scene: Scene) -> None:
    view = await scene.put(await scene.accepted())
    cast = cast_vote(scene.people["third"], view.content, "approve", "", {})
    with pytest.raises(Refused) as refused:
        await scene.reviews.vote(scene.people["chair"].did, VoteCall(view.motion, cast.vote, {}))
    assert codes(refused) == ("hub.not_yours",)
    with pytest.raises(LimitExceeded):
        await scene.reviews.vote(scene.people["third"].did, VoteCall(view.motion, cast.vote, {"x": bytes(65 * 1024)}))
    scene.open.clock.off_ms += 11 * DAY_MS
    with pytest.raises(Refused) as refused:
        await scene.vote(view, "third")
    assert codes(refused) == ("access.vote_closed",)


async def test_a_recused_member_is_not_waited_for(scene: Scene) -> None:
    await scene.person("fourth", "south")
    members = tuple(sorted((*scene.charter.members, scene.people["fourth"].did)))  # type: ignore[union-attr]
    await scene.chartered(replace(scene.charter, members=members, replaces=scene.charter.digest()))  # type: ignore[union-attr]
    view = await scene.put(await scene.accepted())
    assert len(view.may_vote) == 4
    recusal = sign_recusal(scene.people["fourth"], view.content)
    await scene.reviews.recuse(scene.people["fourth"].did, RecusalCall(view.motion, recusal))
    for name in VOTERS:
        seen = await scene.vote(view, name)
    assert seen.over and len(seen.may_vote) == 3
    resolved = await scene.resolve(scene.resolution(view), "positive")
    assert resolved.outcome.may_vote == 3 and resolved.index > 0


@pytest.mark.parametrize(
    "change",
    [
        {"form": "sha256:" + "0" * 64},
        {"applicant": "third"},
        {"institution": "north"},
        {"named": ()},
        {"replaces": "sha256:" + "0" * 64, "relation": "renewal"},
    ],
)
async def test_a_motion_about_something_else(scene: Scene, change: dict[str, object]) -> None:
    application = await scene.accepted()
    change = {key: scene.people[value].did if value in scene.people else value for key, value in change.items()}  # type: ignore[index,operator]
    with pytest.raises((NotThisMotion, Refused)):
        await scene.put(application, "third" if "nobody" in change else "deputy", **change)


async def test_only_a_chair_puts_a_motion_and_only_while_it_is_processed(scene: Scene) -> None:
    application = await scene.accepted()
    with pytest.raises(NotThisMotion):
        await scene.put(application, "third")
    motion = sign_motion(scene.people["chair"], scene.motion(application))
    with pytest.raises(Refused):
        await scene.reviews.put(scene.people["deputy"].did, MotionCall(motion))
    await scene.next(application, Ask("?"), "chair")
    with pytest.raises(NotThisMotion):
        await scene.put(application)


# --- resolutions ---------------------------------------------------------------------------------------


async def test_an_approval_reaches_log_hospitals_and_register(scene: Scene) -> None:
    approval = await scene.approved()
    logged = scene.desk.approvals.logged[approval]
    assert scene.desk.approvals.state(approval, scene.now) == "standing" and logged.index > 0
    for name in ("north", "south", "east"):
        queued = list(scene.hub.mailboxes.of(scene.people[name].did)._orders)
        assert [one.approval_id for one in queued if isinstance(one, ApprovalOrder)] == [approval]
    (entry,) = scene.desk.register()
    assert (entry.status, entry.title, entry.institution) == ("GRANTED", "Strain and heart disease", "somebody")
    view = scene.desk.view("application-1", scene.people["researcher"].did)
    assert view.application.outcome == "positive" and view.approvals == (approval,)
    assert scene.reviews.document(approval, scene.people["researcher"].did).pq_signature
    with pytest.raises(Refused):
        scene.reviews.document(approval, scene.people["colleague"].did)


async def test_a_rejection_leaves_no_approval(scene: Scene) -> None:
    view = await scene.put(await scene.accepted())
    for name in VOTERS:
        await scene.vote(view, name, "reject")
    with pytest.raises(NotThisApproval):
        await scene.resolve(scene.resolution(view), "positive")
    resolved = await scene.resolve(scene.resolution(view), "negative")
    assert resolved.index == -1 and scene.desk.approvals.logged == {} and scene.desk.register() == ()
    assert scene.desk.view("application-1", scene.people["researcher"].did).application.outcome == "negative"


async def test_a_resolution_again_is_the_same_and_another_is_refused(scene: Scene) -> None:
    view = await scene.put(await scene.accepted())
    for name in VOTERS:
        await scene.vote(view, name)
    made = scene.resolution(view)
    keys, size = scene.people["chair"], None
    first = await scene.resolve(made, "positive")
    size = scene.hub.log.size()
    signed = scene.reviews._row(view.motion).resolution
    with pytest.raises(Refused) as refused:
        await scene.resolve(replace(made, made=made.made + 1), "positive")
    assert codes(refused) == ("access.resolved",) and scene.hub.log.size() == size
    assert signed and first.index == scene.desk.approvals.logged[first.digest].index and keys.did


async def test_forged_resolutions(scene: Scene) -> None:
    view = await scene.put(await scene.accepted())
    for name in ("chair", "deputy"):
        await scene.vote(view, name)
    await scene.vote(view, "third", "reject")
    made, deputy = scene.resolution(view), scene.people["deputy"]
    turned = tuple(replace(one, choice="approve") for one in made.ballots)
    wide = replace(made, motion=replace(made.motion, conditions=("none",)))
    for forged in (replace(made, ballots=turned), replace(made, ballots=made.ballots[:2])):
        with pytest.raises(NotThisApproval):
            await scene.resolve(forged, "positive")
    with pytest.raises(Refused):
        await scene.resolve(wide, "positive")
    with pytest.raises(NotThisApproval):
        await scene.resolve(made, "positive", notice=None)
    with pytest.raises(NotThisApproval):
        await scene.resolve(made, "positive", notice=sign_notice(deputy, replace(made, made=made.made + 1)))
    with pytest.raises(BadSignature):
        await scene.resolve(made, "positive", resolution=replace(sign_resolution(deputy, made), pq_signature=b""))
    assert scene.desk.approvals.logged == {}
    assert (await scene.resolve(made, "positive", "deputy")).outcome.verdict == "approved"


async def test_a_form_that_was_changed_needs_another_vote(scene: Scene) -> None:
    application = await scene.accepted()
    view = await scene.put(application)
    await scene.next(application, Ask("Fewer?"), "deputy")
    fewer = scene.desk.application(application).form
    fewer = replace(fewer, data=replace(fewer.data, variables=("cardiac.age",)))
    await scene.next(application, Answer(1, "Yes.", fewer))
    for name in VOTERS:
        await scene.vote(view, name)
    with pytest.raises(NotThisMotion):
        await scene.resolve(scene.resolution(view), "positive")
    assert scene.desk.approvals.logged == {}


# --- ends and chains -------------------------------------------------------------------------------------


async def test_a_chair_or_the_regulator_revokes_and_nobody_else(scene: Scene) -> None:
    approval = await scene.approved()
    for name in ("third", "researcher", "north"):
        with pytest.raises(Refused) as refused:
            await scene.ended(approval, name)
        assert codes(refused) == ("access.not_yours",)
    size = scene.hub.log.size()
    third = scene.people["third"]
    await scene.leaf("revocation", "end", sign_end(third, approval, "revoked"), third)  # past the desk: no effect
    assert scene.desk.approvals.state(approval, scene.now) == "standing" and scene.hub.log.size() == size + 1
    await scene.ended(approval, "deputy")
    assert scene.desk.approvals.state(approval, scene.now) == "revoked"
    assert [one.status for one in scene.desk.register()] == ["REVOKED"]
    other = await scene.approved("application-2", scene.form(study="study-other"))
    await scene.ended(other, "regulator")
    assert scene.desk.approvals.state(other, scene.now) == "revoked"


async def test_what_expires_lapses_in_the_log(scene: Scene) -> None:
    approval = await scene.approved()
    assert await scene.reviews.lapse() == 0
    with pytest.raises(Refused):
        await scene.ended(approval, "third", "lapsed")
    scene.open.clock.off_ms += 366 * DAY_MS
    assert scene.desk.approvals.state(approval, scene.now) == "lapsed"
    assert await scene.reviews.lapse() == 1 and await scene.reviews.lapse() == 0
    assert scene.desk.approvals.logged[approval].end is not None
    assert [one.status for one in scene.desk.register()] == ["EXPIRED"]


async def test_a_renewal_once_and_amendments(scene: Scene) -> None:
    first = await scene.approved()

    def follow(of: str, relation: str, years: int, **change: object) -> Form:
        form = scene.form(replaces=of, relation=relation, **change)
        return replace(form, project=replace(form.project, ends=scene.now + years * 365 * DAY_MS))

    second = await scene.approved("application-2", follow(first, "renewal", 2))
    assert scene.desk.approvals.state(first, scene.now) == "replaced"
    assert [one.status for one in scene.desk.register()] == ["RENEWED", "GRANTED"]
    await scene.accepted("application-3", follow(second, "renewal", 3))
    with pytest.raises(Refused) as refused:
        await scene.put("application-3")
    assert codes(refused) == ("access.renewed_before",)
    fewer = replace(scene.form().data, variables=("cardiac.age",))
    third = await scene.approved("application-4", follow(second, "amendment", 2, data=fewer))
    assert [one.status for one in scene.desk.register()] == ["RENEWED", "AMENDED", "GRANTED"]
    assert scene.desk.approvals.standing("study-heart", scene.now)[0].notice.approval == third


async def test_a_charter_is_followed_by_its_next_version_alone(scene: Scene) -> None:
    first = scene.charter
    assert first is not None
    await scene.chartered(replace(first, quorum=4))  # replaces nothing: out of place
    assert scene.desk.committees()[0].charter == first
    following = replace(first, quorum=4, replaces=first.digest())
    await scene.chartered(following)
    assert [one.charter for one in scene.desk.committees()] == [following]
    scene.charter = first
    with pytest.raises(NotThisMotion):  # under the charter that was replaced
        await scene.put(await scene.accepted())


# --- the door ---------------------------------------------------------------------------------------------


async def test_the_door(scene: Scene) -> None:
    door, scope = DoorKey.generate(), frozenset({"access"})
    token = await scene.open.token(scene.people["researcher"], door, scope)
    answer = await scene.open.call(token, door, "POST", "/v1/access/check", content=msgspec.json.encode(Form()))
    assert answer.status_code == 200 and not answer.json()["complete"] and len(answer.json()["gaps"]) > 10
    for path in ("/v1/access/applications", "/v1/access/drafts"):
        assert (await scene.open.call(token, door, "GET", path)).json() == []
        assert (await scene.open.http.get(path)).status_code == 401
    narrow = await scene.open.token(scene.people["researcher"], door, frozenset({"runs"}))
    assert (await scene.open.call(narrow, door, "GET", "/v1/access/drafts")).status_code == 401
    for path in ("/v1/access/register", "/v1/access/committees"):
        assert (await scene.open.http.get(path)).status_code == 200
    for path in ("/v1/access/applications/application-9", "/v1/access/motions/sha256:00", "/v1/access/approvals/x"):
        assert (await scene.open.call(token, door, "GET", path)).status_code == 404
    for path in ("acts", "motions", "votes", "recusals", "resolutions", "endings", "drafts"):
        answer = await scene.open.call(token, door, "POST", f"/v1/access/{path}", content=b'{"signed": 7}')
        assert answer.status_code == 400, path
