"""A node believes an approval as far as log, charter and votes bear it out, and stops what may not go on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace
from tests.slowness import slowness
from tests.unit.access.people import TERMS
from tests.unit.hub.review_scene import VOTERS, Scene

from xinglin.access.approval import Resolution, approved_policy, sign_end, sign_notice, sign_resolution
from xinglin.access.clocks import DAY_MS
from xinglin.access.errors import NotThisApproval
from xinglin.access.form import Member
from xinglin.evidence.entry import Entry
from xinglin.evidence.submission import sign_batch
from xinglin.kernel.errors import LimitExceeded, XinglinError
from xinglin.kernel.verdict import Allowed, Denied, Reason, Verdict
from xinglin.node.approvals import DOCUMENT_BYTES, DOCUMENTS_OF_ONE, NodeApprovals
from xinglin.node.halting import STALE, Halts
from xinglin.stores.access_database import ApprovalDocuments
from xinglin.terms.agreed import AgreedTerms
from xinglin.terms.evaluate import Asked, compile_policy
from xinglin.terms.facts import AgreementFacts
from xinglin.terms.request import UseRequest
from xinglin.testing.open_hub import OpenHub
from xinglin.trust.errors import UnknownParticipant, WrongContext
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.approvals import approval_leaf
from xinglin.wire.channel import ApprovalOrder
from xinglin.wire.record import SpaceRecord

DIGEST = "sha256:" + "c" * 64
_TERMS = frozenset(AgreedTerms.__struct_fields__)


class Node:
    """A hospital's approvals beside a copy of the hub's log."""

    def __init__(self, scene: Scene, folder: Path) -> None:
        self.scene = scene
        view: Any = SimpleNamespace(record=SpaceRecord(scene.open.space))
        self.record, self.documents = view.record, ApprovalDocuments.in_folder(folder)
        self.approvals = NodeApprovals(view, self.documents, scene.open.clock)

    def follow(self) -> None:
        """Fold what the log holds."""
        log = self.scene.hub.log
        for data in log.entries(self.record.size, log.size()):
            self.record.take(data)

    def given(self, signed: Any) -> None:
        self.approvals.given(ApprovalOrder("sha256:", signed.to_bytes()))

    def held(self, **change: object) -> AgreementFacts:
        """The agreement that was approved, but for ``change``; a change of its terms goes into these."""
        terms = replace(TERMS, **{name: change.pop(name) for name in tuple(change) if name in _TERMS})
        consumer = self.scene.people["researcher"].did
        facts = AgreementFacts(DIGEST, "active", "did:p", consumer, "study-heart", "cardiology", terms)
        return replace(facts, **change)

    def request(self, by: str = "researcher", **change: object) -> UseRequest:
        """A request of somebody under that agreement."""
        asked = UseRequest(
            DIGEST, self.scene.people[by].did, "study-heart", "health-research", "statistics", "nonce", 0, 1, (), ()
        )
        return replace(asked, **change)

    def codes(self, held: AgreementFacts, request: UseRequest | None = None) -> tuple[str, ...]:
        """Why this use is not approved; facts, names and faults always agree on whether it is."""
        asked = self.request() if request is None else request
        reasons = self.approvals.faults(held, asked)
        assert (self.approvals.facts(held, asked) is None) == (not self.approvals.names(held, asked)) == bool(reasons)
        return tuple(reason.code for reason in reasons)

    @property
    def names(self) -> tuple[str, ...]:
        """What the agreement's own condition is judged by."""
        return self.approvals.names(self.held(), self.request())


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with OpenHub(tmp_path / "space") as hub:
        scene = Scene(hub)
        await scene.fill()
        yield scene


@pytest.fixture
async def node(scene: Scene, tmp_path: Path) -> Node:
    return Node(scene, tmp_path)


async def test_an_approval_stands_from_its_leaf_to_its_end(scene: Scene, node: Node) -> None:
    approval = await scene.approved()
    signed = scene.reviews.document(approval, scene.people["researcher"].did)
    with pytest.raises(UnknownParticipant):
        node.given(signed)  # before the log is here: the order waits for it
    node.follow()
    assert node.codes(node.held()) == ("access.approval_unknown",) and node.names == ()
    node.given(signed)
    node.given(signed)
    facts = node.approvals.facts(node.held(), node.request())
    assert facts is not None and facts.variables_digest == TERMS.variables_digest
    assert node.names == (approval,)

    wide = (*TERMS.variables, "cardiac.thal")
    assert node.codes(node.held(variables=wide)) == ("access.other_variables",)
    cohort = (replace(TERMS.cohort[0], select="SELECT * FROM cardiac"),)
    assert node.codes(node.held(cohort=cohort)) == ("access.other_cohort",)
    assert node.codes(node.held(data_set="oncology")) == ("access.other_data_set",)

    scene.open.clock.off_ms += 365 * DAY_MS
    assert node.codes(node.held()) == ("access.approval_lapsed",)
    scene.open.clock.off_ms = 0
    assert node.codes(node.held()) == ()
    await scene.leaf("revocation", "end", sign_end(scene.people["third"], approval, "revoked"), scene.people["third"])
    node.follow()
    assert node.codes(node.held()) == ()  # not a chair's
    await scene.ended(approval, "deputy")
    node.follow()
    assert node.codes(node.held()) == ("access.approval_revoked",) and node.names == ()


NEAR_MISSES: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("another operation", {"operations": ("extract",)}, {"operation": "extract"}, "access.other_operation"),
    ("one operation more", {"operations": ("extract", "statistics")}, {}, "access.other_operation"),
    ("an operation not agreed", {}, {"operation": "extract"}, "access.other_operation"),
    ("another purpose", {"purposes": ("education",)}, {"purpose": "education"}, "access.other_purpose"),
    ("a wider purpose", {"purposes": ("general-research",)}, {}, "access.other_purpose"),
    ("a purpose not agreed", {}, {"purpose": "education"}, "access.other_purpose"),
    ("another institution", {"consumer": "north"}, {"by": "chair"}, "access.other_people"),
    ("another's agreement", {"consumer": "north"}, {}, "access.other_people"),
    ("a colleague who is not named", {}, {"by": "colleague"}, "access.other_people"),
    ("another study's request", {}, {"study": "study-lung"}, "access.other_study"),
]


@pytest.mark.parametrize(("agreed", "asked", "code"), [pytest.param(*rest, id=name) for name, *rest in NEAR_MISSES])
async def test_what_no_committee_saw_is_not_approved(
    scene: Scene, node: Node, agreed: dict[str, Any], asked: dict[str, Any], code: str
) -> None:
    approval = await scene.approved()
    node.follow()
    node.given(scene.reviews.document(approval, scene.people["researcher"].did))
    own = compile_policy(approved_policy("statistics", approval)).judge  # the agreement's own condition: this approval

    def judged(held: AgreementFacts, request: UseRequest) -> bool:
        return bool(own(Asked("statistics", {"ethicsApproval": node.approvals.names(held, request)})))

    assert node.codes(node.held()) == () and judged(node.held(), node.request())
    if "consumer" in agreed:
        agreed = {**agreed, "consumer": scene.people[agreed["consumer"]].did}
    held, request = node.held(**agreed), node.request(**asked)
    assert node.codes(held, request) == (code,)
    assert not judged(held, request)  # by the study's name alone it held


async def test_the_institution_and_every_named_member_of_the_team_may_ask(scene: Scene, node: Node) -> None:
    people = scene.form().people
    colleague = Member(scene.people["colleague"].did, "statistician", scene.now + 300 * DAY_MS)
    team = replace(people, members=tuple(sorted((*people.members, colleague), key=lambda one: one.did)))
    approval = await scene.approved(form=scene.form(people=team))
    node.follow()
    node.given(scene.reviews.document(approval, scene.people["researcher"].did))
    for signed_by in ("researcher", "colleague", "institute"):
        for asked_by in ("researcher", "colleague", "institute"):
            held, request = node.held(consumer=scene.people[signed_by].did), node.request(asked_by)
            assert node.codes(held, request) == ()
            assert node.approvals.names(held, request) == (approval,)
    narrower = node.held(purposes=("disease-research/MONDO:0005267",))
    assert node.codes(narrower, node.request(purpose="disease-research/MONDO:0005267")) == ()


async def test_of_two_approvals_each_covers_its_own_operation_and_neither_both(scene: Scene, node: Node) -> None:
    first = await scene.approved()
    extracts = replace(scene.form().settings, operation="extract")
    second = await scene.approved("application-2", scene.form(settings=extracts))
    node.follow()
    for one in (first, second):
        node.given(scene.reviews.document(one, scene.people["researcher"].did))
    extract = node.request(operation="extract")
    assert node.names == (first,)
    assert node.approvals.names(node.held(operations=("extract",)), extract) == (second,)
    assert node.codes(node.held(operations=("extract", "statistics"))) == ("access.other_operation",)
    await scene.ended(first, "deputy")
    node.follow()
    assert node.codes(node.held()) == ("access.other_operation",)  # what still stands is for something else
    assert node.codes(node.held(operations=("extract",)), extract) == ()


async def test_an_officer_is_told_whose_approval_it_is_before_countersigning(scene: Scene, node: Node) -> None:
    approval = await scene.approved()
    node.follow()
    assert node.approvals.told(node.held()).theirs is False  # nobody knows whose before the document is here
    node.given(scene.reviews.document(approval, scene.people["researcher"].did))
    mine = node.approvals.told(node.held())
    assert mine.theirs and mine.uncovered == ()
    strangers = node.approvals.told(node.held(consumer=scene.people["north"].did))
    assert not strangers.theirs and [one.code for one in strangers.uncovered] == ["access.other_people"]
    more = node.approvals.told(node.held(operations=("extract",)))
    assert more.theirs and [one.code for one in more.uncovered] == ["access.other_operation"]
    await scene.ended(approval, "deputy")
    node.follow()
    ended = node.approvals.told(node.held())
    assert ended.theirs and [one.code for one in ended.uncovered] == ["access.approval_revoked"]


async def test_nobody_ends_an_approval_early_by_the_instant_of_a_leaf(scene: Scene, node: Node) -> None:
    approval, stranger = await scene.approved(), scene.people["third"]
    node.follow()
    node.given(scene.reviews.document(approval, scene.people["researcher"].did))
    signed = sign_end(stranger, approval, "lapsed")
    body, at = approval_leaf("end", signed), scene.now + 3_650 * DAY_MS
    entry = Entry(kind="revocation", at=at, submitter=stranger.did, body=body)
    batch = sign_batch([entry], scene.open.space.origin, stranger.did, stranger.sign)
    await scene.hub.append_batch(batch.to_bytes())
    node.follow()
    assert node.codes(node.held()) == () and node.names == (approval,)
    await scene.leaf("revocation", "end", sign_end(scene.people["deputy"], approval, "revoked"), scene.people["deputy"])
    node.follow()
    assert node.codes(node.held()) == ("access.approval_revoked",)  # what was said early stands in no revocation's way


async def test_a_study_that_no_committee_reviewed_needs_nothing_here(node: Node) -> None:
    node.follow()
    assert (
        node.approvals.faults(node.held(), node.request()) == ()
        and node.approvals.facts(node.held(), node.request()) is None
    )
    assert node.approvals.faults(None, node.request()) == () and node.approvals.facts(None, None) is None


async def test_a_chair_alone_makes_no_approval(scene: Scene, node: Node) -> None:
    view = await scene.put(await scene.accepted())
    for name in VOTERS:
        await scene.vote(view, name, "reject")
    made, chair = scene.resolution(view), scene.people["chair"]
    turned = replace(made, ballots=tuple(replace(one, choice="approve") for one in made.ballots))
    for forged in (made, turned, replace(made, ballots=())):
        await scene.leaf("approval", "notice", sign_notice(chair, forged), chair)  # past the hub's desk
        node.follow()
        node.given(sign_resolution(chair, forged))
        assert node.approvals.facts(node.held(), node.request()) is None
    assert node.codes(node.held()) == ("access.approval_unknown",)


async def test_a_document_that_says_other_than_its_notice(scene: Scene, node: Node) -> None:
    approval = await scene.approved()
    node.follow()
    signed, chair = scene.reviews.document(approval, scene.people["researcher"].did), scene.people["chair"]
    made = scene.reviews._desk.motion_of(scene.desk.access.motions()[0])
    later = Resolution(replace(made, expires=made.expires + DAY_MS), (), (), scene.now)
    node.given(sign_resolution(chair, later))
    assert node.codes(node.held()) == ("access.approval_unknown",)
    with pytest.raises(WrongContext):
        node.given(replace(signed, context="agreement/1"))
    with pytest.raises(UnknownParticipant):
        node.given(sign_resolution(PrivateKeys.generate(), later))
    with pytest.raises(LimitExceeded):
        node.approvals.given(ApprovalOrder("sha256:", bytes(DOCUMENT_BYTES.value + 1)))


async def test_one_chair_does_not_fill_what_a_node_keeps_and_nobody_else_gets_in(scene: Scene, node: Node) -> None:
    approval = await scene.approved()
    node.follow()
    made = scene.reviews._desk.motion_of(scene.desk.access.motions()[0])
    chair, deputy, member = (scene.people[name] for name in ("chair", "deputy", "third"))
    for number in range(DOCUMENTS_OF_ONE.value):
        node.documents.keep(f"sha256:{number}", "another-study", b"", chair.did)
    with pytest.raises(LimitExceeded):
        node.given(sign_resolution(chair, Resolution(made, (), (), scene.now)))
    with pytest.raises(NotThisApproval):  # a member who leads nothing
        node.given(sign_resolution(member, Resolution(made, (), (), scene.now + 1)))
    elsewhere = Resolution(replace(made, committee="sha256:" + "0" * 64), (), (), scene.now)
    with pytest.raises(UnknownParticipant):  # waits for a committee that the log does not name
        node.given(sign_resolution(deputy, elsewhere))
    node.given(sign_resolution(deputy, Resolution(made, (), (), scene.now + 2)))  # another chair's share is its own
    assert approval not in node.documents.known()


async def test_an_amendment_takes_the_place_of_what_it_replaces(scene: Scene, node: Node) -> None:
    first = await scene.approved()
    node.follow()
    node.given(scene.reviews.document(first, scene.people["researcher"].did))
    assert node.codes(node.held()) == ()
    fewer = replace(scene.form().data, variables=("cardiac.age",))
    second = await scene.approved("application-2", scene.form(replaces=first, relation="amendment", data=fewer))
    node.follow()
    assert node.codes(node.held()) == ("access.approval_replaced",) or node.codes(node.held()) == (
        "access.approval_unknown",
    )
    node.given(scene.reviews.document(second, scene.people["researcher"].did))
    assert node.codes(node.held()) == ("access.other_variables",)
    assert node.codes(node.held(variables=("cardiac.age",))) == ()


async def test_what_was_offered_on_an_approval_goes_on_under_its_renewal_alone(scene: Scene, node: Node) -> None:
    first = await scene.approved()
    judge = compile_policy(approved_policy("statistics", first)).judge

    def allowed() -> bool:
        node.follow()
        return bool(judge(Asked("statistics", {"ethicsApproval": node.names})))

    assert not allowed()  # the document is not here yet
    node.given(scene.reviews.document(first, scene.people["researcher"].did))
    assert allowed()
    assert not judge(Asked("training", {"ethicsApproval": (first,)})) and not judge(Asked("statistics", {}))

    form = scene.form(replaces=first, relation="renewal")
    longer = replace(form, project=replace(form.project, ends=form.project.ends + 365 * DAY_MS))
    second = await scene.approved("application-2", longer)
    assert not allowed()
    node.given(scene.reviews.document(second, scene.people["researcher"].did))
    assert allowed()
    scene.open.clock.off_ms += 366 * DAY_MS
    assert allowed()  # the first would have lapsed
    scene.open.clock.off_ms = 0
    fewer = scene.form(replaces=second, relation="amendment", data=replace(form.data, variables=("cardiac.age",)))
    third = await scene.approved("application-3", fewer)
    node.follow()
    node.given(scene.reviews.document(third, scene.people["researcher"].did))
    assert node.names == () and not allowed()
    narrow = node.held(variables=("cardiac.age",))
    assert node.approvals.names(narrow, node.request()) == (third,)


async def test_a_revoked_approval_is_not_meant_by_its_renewal(scene: Scene, node: Node) -> None:
    first = await scene.approved()
    form = scene.form(replaces=first, relation="renewal")
    longer = replace(form, project=replace(form.project, ends=form.project.ends + 365 * DAY_MS))
    second = await scene.approved("application-2", longer)
    node.follow()
    for one in (first, second):
        node.given(scene.reviews.document(one, scene.people["researcher"].did))
    assert node.names == tuple(sorted((first, second)))
    signed = sign_end(scene.people["deputy"], first, "revoked")
    await scene.leaf("revocation", "end", signed, scene.people["deputy"])
    node.follow()
    assert node.names == (second,)


# --- stopping in the middle --------------------------------------------------------------------------------


class Again:
    """A gate that answers as it is told."""

    def __init__(self) -> None:
        self.answer: Verdict | Exception = Allowed()
        self.asked = 0

    async def recheck(self, _use: object) -> Verdict:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Told:
    def __init__(self) -> None:
        self.said: list[tuple[str, tuple[str, ...]]] = []

    def halt(self, use: Any, reasons: tuple[Reason, ...]) -> None:
        self.said.append((use.run, tuple(one.code for one in reasons)))


def watched() -> tuple[Halts, Again, Told]:
    told, gate = Told(), Again()
    halts = Halts(told.halt)
    halts.gate = gate  # type: ignore[assignment]
    return halts, gate, told


USE: Any = SimpleNamespace(run="run-1")
REVOKED = Denied((Reason("access.approval_revoked", "The approval was revoked."), Reason("terms.x", "More.")))


async def for_ever(ended: list[str]) -> Any:
    try:
        await asyncio.sleep(3600)
    finally:
        ended.append("cancelled")


async def test_what_may_not_go_on_is_stopped_within_a_second() -> None:
    halts, gate, told = watched()
    ended: list[str] = []
    carrying = asyncio.create_task(halts.carried(USE, for_ever(ended)))
    await asyncio.sleep(0.6)
    assert not carrying.done() and gate.asked > 0
    gate.answer, began = REVOKED, time.monotonic()
    halts.wake()
    stopped = await asyncio.wait_for(carrying, 60)
    assert time.monotonic() - began < 1.0 * slowness(time.perf_counter)
    assert stopped == REVOKED
    assert told.said == [("run-1", ("access.approval_revoked", "terms.x"))] and ended == ["cancelled"]


async def test_a_date_that_passes_is_seen_without_any_news() -> None:
    halts, gate, _ = watched()
    carrying = asyncio.create_task(halts.carried(USE, for_ever([])))
    await asyncio.sleep(0)
    gate.answer = REVOKED
    assert isinstance(await asyncio.wait_for(carrying, 1.5), Denied)


@pytest.mark.parametrize("answer", [Denied((Reason(STALE, "old"),)), XinglinError("the disk")])
async def test_a_log_or_disk_that_is_away_stops_nobody(answer: Any) -> None:
    halts, gate, told = watched()
    gate.answer = answer

    async def work() -> Any:
        await asyncio.sleep(0.8)
        return "computed"

    assert await halts.carried(USE, work()) == "computed"
    assert gate.asked >= 2 and told.said == []


async def test_a_defect_in_the_watch_leaves_no_run_unwatched() -> None:
    halts, gate, _ = watched()
    carrying = asyncio.create_task(halts.carried(USE, for_ever([])))
    gate.answer = KeyError("a defect")
    await asyncio.sleep(0.6)
    gate.answer = REVOKED
    assert isinstance(await asyncio.wait_for(carrying, 2), Denied)


async def test_what_goes_wrong_in_the_work_and_who_cancels_it_are_passed_on() -> None:
    halts, _, told = watched()

    async def broken() -> Any:
        raise XinglinError("broken")

    with pytest.raises(XinglinError, match="broken"):
        await halts.carried(USE, broken())
    ended: list[str] = []
    carrying = asyncio.create_task(halts.carried(USE, for_ever(ended)))
    await asyncio.sleep(0.05)
    carrying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await carrying
    assert ended == ["cancelled"] and told.said == []
