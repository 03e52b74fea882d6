"""Breaches at a real node: given, received, answered and closed; forged, repeated and bent ones change nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from msgspec.structs import replace
from tests.unit.node.three_hospitals import three_hospitals

from xinglin.contract import KIND_OF, Change, sign_change
from xinglin.contract.breach import (
    ANSWER,
    ANSWER_KIND,
    NOTICE,
    NOTICE_KIND,
    BreachAnswer,
    BreachNotice,
    Paper,
    open_paper,
    sign_paper,
)
from xinglin.contract.errors import NotThisNotice
from xinglin.evidence.entry import Entry
from xinglin.stores.contract_papers import PAPERS
from xinglin.testing.asker import Asker
from xinglin.testing.hostile_hub import Hospital, HostileHub
from xinglin.trust.envelope import sign
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.channel import PaperOrder, PaperReport
from xinglin.wire.errors import Refused

pytestmark = pytest.mark.asyncio(loop_scope="module")

DAY_MS = 86_400_000
COHORT, VARIABLES = {"cardiac": "SELECT age FROM cardiac"}, ["cardiac.age"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hub(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[HostileHub]:
    async with three_hospitals(tmp_path_factory.mktemp("space")) as space:
        yield space


@pytest_asyncio.fixture(loop_scope="module")
async def asker(hub: HostileHub, request: pytest.FixtureRequest) -> AsyncIterator[Asker]:
    one = Asker(hub, "study-" + request.node.name[-60:])
    await one.agree(COHORT, VARIABLES)
    yield one


async def logged(asker: Asker, change: Change) -> None:
    """The consumer's change, in the log of everybody."""
    hub, body = asker.hub, sign_change(asker.keys, change)
    kind = KIND_OF[change.event]
    hub.append(Entry(kind=kind, at=change.made, submitter=asker.did, subject=change.agreement, body=body))
    await hub.checkpoint()


def noticed(asker: Asker, at: Hospital, **changes: object) -> BreachNotice:
    digest = asker.agreements[at.did]
    paper = BreachNotice(digest, asker.did, at.did, "not-delivered", "No answer since May.", asker.hub.clock())
    return replace(paper, **changes)


def order(asker: Asker, kind: str, paper: Paper, keys: PrivateKeys | None = None) -> PaperOrder:
    return PaperOrder(paper.agreement, kind, sign_paper(keys or asker.keys, paper).to_bytes())


async def received(asker: Asker, at: Hospital) -> BreachNotice:
    """A notice of the consumer's, carried and logged."""
    paper = noticed(asker, at)
    at.dispatch.take(order(asker, NOTICE_KIND, paper))
    change = Change("breach", paper.agreement, paper.made, document=paper.digest(), step="notice")
    await logged(asker, change)
    return paper


async def test_a_hospitals_notice_is_signed_logged_and_carried(hub: HostileHub, asker: Asker) -> None:
    at = hub.hospitals["a"]
    digest = asker.agreements[at.did]
    case = await at.node.breaches.notice(digest, "not-deleted", "Still there in May.")
    assert (case.state, case.logged, case.overdue) == ("noticed", True, False)
    assert case.due == case.made + 30 * DAY_MS
    sent = at.channel.of(PaperReport)[-1]
    assert isinstance(sent, PaperReport)
    paper = open_paper(NOTICE_KIND, type(sign(asker.keys, "x", b"")).from_bytes(sent.signed), hub.record.directory)
    assert paper.digest() == case.notice
    leaves = [at.node.view.entry(index) for index in range(at.node.view.size)]
    assert not any(b"Still there" in one.to_bytes() for one in leaves)
    at.clock.off_ms = 31 * DAY_MS
    try:
        assert at.node.breaches.case(digest, case.notice).overdue
    finally:
        at.clock.off_ms = 0


async def test_an_answer_moves_the_case_by_its_table(hub: HostileHub, asker: Asker) -> None:
    at = hub.hospitals["a"]
    digest = asker.agreements[at.did]
    case = await at.node.breaches.notice(digest, "not-published", "Nothing is out.")
    assert case.state == "noticed"

    async def answered(answer: str, remedy_by: int = 0) -> None:
        paper = BreachAnswer(digest, case.notice, asker.did, at.did, answer, "So it is.", hub.clock(), remedy_by)
        at.dispatch.take(order(asker, ANSWER_KIND, paper))
        change = Change("breach", digest, hub.clock(), document=paper.digest(), step="answer", about=case.notice)
        await logged(asker, change)

    await answered("contested")
    assert at.node.breaches.case(digest, case.notice).state == "contested"
    by = hub.clock() + 10 * DAY_MS
    await answered("accepted", by)
    now = at.node.breaches.case(digest, case.notice)
    assert (now.state, now.due) == ("accepted", by)
    await answered("contested")  # too late: it is not in the table
    assert at.node.breaches.case(digest, case.notice).state == "accepted"
    await answered("remedied")
    now = at.node.breaches.case(digest, case.notice)
    assert (now.state, now.due, [one.answer for one in now.answers]) == (
        "remedied", 0, ["contested", "accepted", "remedied"],
    )  # fmt: skip
    assert (await at.node.breaches.close(digest, case.notice)).state == "closed"
    with pytest.raises(Refused, match="The case is closed"):
        await at.node.breaches.close(digest, case.notice)


async def test_a_consumers_notice_is_answered_here(hub: HostileHub, asker: Asker) -> None:
    at = hub.hospitals["b"]
    paper = await received(asker, at)
    (case,) = at.node.breaches.cases(paper.agreement)
    assert (case.state, case.by, case.words) == ("noticed", asker.did, "No answer since May.")
    with pytest.raises(NotThisNotice):  # whoever accepts says until when
        await at.node.breaches.answer(paper.agreement, case.notice, "accepted", "We were away.")
    by = hub.clock() + DAY_MS
    done = await at.node.breaches.answer(paper.agreement, case.notice, "accepted", "We were away.", remedy_by=by)
    assert (done.state, done.due) == ("accepted", by)
    assert isinstance(at.channel.of(PaperReport)[-1], PaperReport)
    assert (await at.node.breaches.answer(paper.agreement, case.notice, "remedied", "Done.")).state == "remedied"
    with pytest.raises(Refused):  # it is the consumer's to close
        await at.node.breaches.close(paper.agreement, case.notice)


async def test_a_paper_that_the_log_does_not_bear_out_counts_for_nothing(hub: HostileHub, asker: Asker) -> None:
    at = hub.hospitals["b"]
    paper = noticed(asker, at)
    at.dispatch.take(order(asker, NOTICE_KIND, paper))
    (case,) = at.node.breaches.cases(paper.agreement)
    assert (case.state, case.logged, case.due) == ("unlogged", False, 0)
    with pytest.raises(Refused, match="does not bear this notice out"):
        await at.node.breaches.answer(paper.agreement, case.notice, "contested", "It is not so.")


async def test_forged_and_bent_papers_are_not_kept(hub: HostileHub, asker: Asker) -> None:
    at, stranger = hub.hospitals["c"], Asker(hub, "stranger")
    await hub.checkpoint()
    paper = noticed(asker, at)
    true = sign_paper(asker.keys, paper)
    forged = replace(sign(stranger.keys, NOTICE, paper, pq=True), signer=asker.did)
    strangers = replace(paper, by=stranger.did)
    papers = (
        (NOTICE_KIND, forged),
        (NOTICE_KIND, replace(true, payload=true.payload.replace(b"May", b"Jun"))),
        (NOTICE_KIND, replace(true, pq_signature=b"")),
        (NOTICE_KIND, sign(stranger.keys, NOTICE, paper, pq=True)),  # true keys, another's name inside
        (NOTICE_KIND, sign_paper(stranger.keys, strangers)),
        (NOTICE_KIND, sign_paper(asker.keys, replace(paper, against=hub.hospitals["a"].did))),
        (NOTICE_KIND, sign(asker.keys, NOTICE, replace(paper, what="rudeness"), pq=True)),
        (NOTICE_KIND, sign(asker.keys, ANSWER, paper, pq=True)),
        (ANSWER_KIND, true),
        ("verdict", true),
    )
    for kind, signed in papers:
        at.dispatch.take(PaperOrder(paper.agreement, kind, signed.to_bytes()))
    other = asker.agreements[hub.hospitals["a"].did]
    at.dispatch.take(PaperOrder(other, NOTICE_KIND, true.to_bytes()))  # an agreement of another hospital
    assert at.node.breaches.cases(paper.agreement) == ()
    at.dispatch.take(PaperOrder(paper.agreement, NOTICE_KIND, true.to_bytes()))
    assert len(at.node.breaches.cases(paper.agreement)) == 1


async def test_a_notice_shown_about_another_agreement_is_not_kept(hub: HostileHub, asker: Asker) -> None:
    at, second = hub.hospitals["a"], Asker(hub, "second-" + asker.study[-40:])
    second.keys = asker.keys
    await second.agree(COHORT, VARIABLES, names=("a",))
    paper = noticed(asker, at)
    at.dispatch.take(PaperOrder(second.agreements[at.did], NOTICE_KIND, sign_paper(asker.keys, paper).to_bytes()))
    assert at.node.breaches.cases(second.agreements[at.did]) == ()


async def test_a_replayed_notice_is_one_notice_and_a_copied_leaf_none(hub: HostileHub, asker: Asker) -> None:
    at = hub.hospitals["b"]
    paper = await received(asker, at)
    done = await at.node.breaches.answer(paper.agreement, paper.digest(), "remedied", "Delivered.")
    leaf = next(
        one
        for one in (at.node.view.entry(index) for index in range(at.node.view.size))
        if one.kind == "agreement-breach" and one.subject == paper.agreement
    )
    for _ in range(3):
        at.dispatch.take(order(asker, NOTICE_KIND, paper))
        hub.append(leaf)
    await hub.checkpoint()
    (case,) = at.node.breaches.cases(paper.agreement)
    assert (case.state, len(case.answers)) == ("remedied", len(done.answers))


async def test_an_ended_agreement_stays_ended_whatever_is_noticed(hub: HostileHub, asker: Asker) -> None:
    """Deletion and publication are owed after the end: a notice then is heard, and revives nothing."""
    at = hub.hospitals["c"]
    digest = asker.agreements[at.did]
    await at.node.agreements.end(digest)
    with pytest.raises(Refused, match="is not suspended any more"):
        await at.node.breaches.notice(digest, "not-deleted", "Still there.", suspend=True)
    assert at.node.breaches.cases(digest) == ()
    case = await at.node.breaches.notice(digest, "not-deleted", "Still there.")
    assert case.state == "noticed"
    assert at.node.agreements.shown(digest)["state"] == "terminated"
    paper = await received(asker, at)
    assert at.node.breaches.case(digest, paper.digest()).state == "noticed"
    assert at.node.agreements.shown(digest)["state"] == "terminated"


async def test_a_notice_may_suspend_and_only_a_resumption_lifts_it(hub: HostileHub, asker: Asker) -> None:
    at = hub.hospitals["a"]
    digest = asker.agreements[at.did]
    case = await at.node.breaches.notice(digest, "purpose", "Used for marketing.", suspend=True)
    assert at.node.agreements.shown(digest)["state"] == "suspended"
    await at.node.breaches.close(digest, case.notice)
    assert at.node.agreements.shown(digest)["state"] == "suspended"
    await at.node.agreements.resume(digest)
    assert at.node.agreements.shown(digest)["state"] == "active"


async def test_nothing_is_broken_before_it_is_in_force(hub: HostileHub, asker: Asker) -> None:
    from tests.unit.node.test_applications import applied, offer_for, sent

    from xinglin.contract import sign_application

    at, application = hub.hospitals["a"], applied(asker)
    offered = sent(asker, at, offer_for(at, application), sign_application(asker.keys, application))
    with pytest.raises(Refused, match="never in force"):
        await at.node.breaches.notice(offered, "not-paid", "Nothing came.")


async def test_one_paper_more_than_the_limit_is_not_kept(hub: HostileHub, asker: Asker) -> None:
    at = hub.hospitals["b"]
    digest = asker.agreements[at.did]
    for number in range(PAPERS.value + 1):
        at.dispatch.take(order(asker, NOTICE_KIND, noticed(asker, at, words=f"Number {number}.")))
    assert len(at.node.breaches.cases(digest)) == PAPERS.value
    case = await at.node.breaches.notice(digest, "not-paid", "Nothing came.")  # the hospital's own share is untouched
    assert case.logged


async def test_open_papers_are_sent_again_after_a_start(hub: HostileHub, asker: Asker) -> None:
    at = hub.hospitals["a"]
    digest = asker.agreements[at.did]
    case = await at.node.breaches.notice(digest, "not-paid", "Nothing came.")
    closed = await at.node.breaches.notice(digest, "not-paid", "Nor this.")
    await at.node.breaches.close(digest, closed.notice)
    before = len(at.channel.of(PaperReport))
    at.dispatch.new_hub()
    await asyncio.sleep(0)
    again = [one for one in at.channel.of(PaperReport)[before:] if one.agreement_id == digest]  # type: ignore[union-attr]
    assert len(again) == 1
    assert at.node.papers.one(digest, case.notice) is not None
