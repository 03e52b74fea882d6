"""A researcher with other terms at one hospital, and every condition that may fail at that hospital alone."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any

import msgspec
from tests.privacy.conftest import COHORT, VARIABLES, quiet, until
from tests.privacy.test_law import ASKS, LAW, UNANSWERED, closed_now, says

from xinglin.access.approval import Resolution, sign_notice, sign_resolution
from xinglin.access.committee import Charter, sign_charter
from xinglin.access.review import Motion, Scope, ballot_of, cast_vote, unseal_opening
from xinglin.evidence.entry import Entry, decode_entry
from xinglin.hub.runs import Coordinator
from xinglin.kernel.instants import system_clock
from xinglin.node.consent import say_of_study
from xinglin.node.law import record
from xinglin.terms.consent_use import StudyWord
from xinglin.terms.policy import Constraint, Permission, Policy
from xinglin.testing.asker import PURPOSE, Asker
from xinglin.testing.hostile_hub import Hospital, HostileHub
from xinglin.trust.keys import PrivateKeys
from xinglin.trust.leaves import register, vouch
from xinglin.wire.approvals import approval_leaf
from xinglin.wire.channel import ApprovalOrder

DAY_MS = 86_400_000
SPEAKS, OTHERS = "b", ("a", "c")
SQL = "SELECT age, sex, trestbps, disease FROM cardiac"
RUN_KINDS = {"admitted", "ended", "refused", "release-authorised", "delivered"}
OUT = {"release-authorised", "delivered"}


class One(Asker):
    """A researcher who agrees with one hospital on other terms than with the others."""

    def __init__(self, hub: HostileHub, study: str) -> None:
        super().__init__(hub, study)
        self.recipients = (self.did,)

    @property
    def b(self) -> Hospital:
        """The hospital at which something fails."""
        return self.hub.hospitals[SPEAKS]

    async def agree_all(self, own: dict[str, Any] | None = None, **terms: Any) -> None:
        """Agreements with everybody; ``own``: what ``b`` has in its terms and nobody else."""
        await self.hub.checkpoint()
        everybody = tuple(self.hub.hospitals.values())
        changes = [{**terms, **(own or {})} if one is self.b else terms for one in everybody]
        await asyncio.gather(
            *(self._agree(one, everybody, COHORT, VARIABLES, its) for one, its in zip(everybody, changes, strict=True))
        )

    async def agree_again(self, **terms: Any) -> None:
        """Another agreement with ``b``, in the place of the one before."""
        await self._agree(self.b, tuple(self.hub.hospitals.values()), COHORT, VARIABLES, terms)

    async def question(self) -> Coordinator:
        """The same question each time, to its end at every hospital."""
        plan = self.plan(SQL, "describe", {"columns": ["age"]})
        done = await self.ask(plan, self.request(plan, recipients=self.recipients))
        for hospital in self.hub.hospitals.values():
            await quiet(hospital, done.run_id)
        return done


def where(*constraints: Constraint, **rules: Any) -> Policy:
    """Any use is permitted where all of these hold."""
    return Policy((Permission("use", constraints),), **rules)


def leaves(hub: HostileHub, run: str) -> list[tuple[str, Entry]]:
    """The hospitals' leaves about a run, in the log's order, each with its hospital's name."""
    entries = [decode_entry(data) for data in hub.log.entries()]
    return [(hub.by_did[one.submitter].name, one) for one in entries if one.subject == run and one.kind in RUN_KINDS]


def kinds(hub: HostileHub, run: str) -> dict[str, Counter[str]]:
    """Hospital name to the kinds of its leaves about a run."""
    found = {name: Counter[str]() for name in hub.names}
    for name, entry in leaves(hub, run):
        found[name][entry.kind] += 1
    return found


def charge(one: One, name: str, run: str) -> str:
    """The state of a run's charge at a hospital; "" where none was taken."""
    found = one.hub.hospitals[name].node.database.allowance(one.data_set).charge(run)
    return found.state if found is not None else ""


def charged(one: One, name: str) -> int:
    """Answers that are used up at a hospital."""
    allowance = one.hub.hospitals[name].node.database.allowance(one.data_set)
    return sum(charge.counts for charge in allowance.charges)


def uploaded(one: One, name: str, run: str) -> bool:
    """Whether anything that comes from rows may have left a hospital."""
    row = one.hub.hospitals[name].node.database.run(run)
    return row is not None and row.uploaded


def codes(done: Coordinator) -> set[str]:
    return {reason.code for reason in done.view().reasons}


# --- what can fail at one hospital ---------------------------------------------------------------

Condition = Callable[[One], AbstractAsyncContextManager[str]]
CONDITIONS: list[Condition] = []


def condition(told: Callable[[One], AsyncIterator[str]]) -> Condition:
    """A condition fails within its context, which gives the codes of the refusal, and is mended after it."""
    made = asynccontextmanager(told)
    CONDITIONS.append(made)
    return made


@contextmanager
def sited(hospital: Hospital, **site: str) -> Iterator[None]:
    """The hospital says of where it computes what is in ``site``."""
    decider: Any = hospital.node.runs.gate._ports.decider  # type: ignore[union-attr]
    before = decider._site
    decider._site = msgspec.structs.replace(before, **site)
    try:
        yield
    finally:
        decider._site = before


class Committee:
    """A committee of people of all three hospitals; everything is signed by who has to sign it."""

    def __init__(self, one: One, name: str = "") -> None:
        self.one, self.hub, name = one, one.hub, name or one.study
        self.people = {name: PrivateKeys.generate() for name in self.hub.names}
        for hospital, keys in self.people.items():
            home = self.hub.hospitals[hospital].node.keys
            self.hub.enter(vouch(register(keys, f"{name} {hospital}", (), home.did), home))
        members = tuple(sorted(keys.did for keys in self.people.values()))
        self.chair, now = self.people["a"], system_clock()
        self.charter = Charter(name, "Committee", members, (self.chair.did,), 3, "half", now)
        self._leaf("committee", sign_charter(self.hub.regulator, self.charter), self.hub.regulator)

    def approved(self, **scope: Any) -> ApprovalOrder:
        """What the hospitals are handed of an approval that everybody voted for; its notice is in the log."""
        one, now = self.one, system_clock()
        terms = next(iter(one.terms.values()))
        digests = {"cohort_digest": terms.cohort_digest, "variables_digest": terms.variables_digest}
        seen = {"purposes": (PURPOSE,), "operations": ("statistics",), **digests, **scope}
        covered = Scope(one.study, (one.data_set,), **seen)
        motion = Motion(
            self.charter.digest(), "application", "sha256:" + "f" * 64, one.did, one.did, (one.did,), covered,
            now + 365 * DAY_MS, now + DAY_MS, (), now,
        )  # fmt: skip
        ballots = []
        for keys in self.people.values():
            cast = cast_vote(keys, motion, "approve", "sound", {self.chair.did: self.chair.public})
            ballots.append(ballot_of(cast.vote, unseal_opening(self.chair, cast.sealed[self.chair.did])))
        made = Resolution(motion, tuple(ballots), (), now)
        self._leaf("notice", sign_notice(self.chair, made), self.chair)
        return ApprovalOrder(made.digest(), sign_resolution(self.chair, made).to_bytes())

    def _leaf(self, what: str, signed: Any, by: PrivateKeys) -> None:
        body = approval_leaf(what, signed)
        self.hub.append(Entry(kind="approval", at=system_clock(), submitter=by.did, body=body))


@condition
async def ethics_approval_has_not_come(one: One) -> AsyncIterator[str]:
    await one.agree_all()
    order = Committee(one).approved()
    await one.hub.checkpoint()
    for name in OTHERS:
        one.hub.hospitals[name].node.approvals.given(order)
    yield "access.approval_unknown"
    one.b.node.approvals.given(order)


@condition
async def ethics_approval_has_lapsed(one: One) -> AsyncIterator[str]:
    await one.agree_all()
    order = Committee(one).approved()
    await one.hub.checkpoint()
    for hospital in one.hub.hospitals.values():
        hospital.node.approvals.given(order)
    one.b.node.approvals._clock = lambda: system_clock() + 366 * DAY_MS
    try:
        yield "access.approval_lapsed"
    finally:
        one.b.node.approvals._clock = one.b.clock


@condition
async def consent_basis_is_another(one: One) -> AsyncIterator[str]:
    await one.agree_all({"policy": where(Constraint("consentBasis", "eq", "ethics-waiver"))})
    say_of_study(one.b.folder, StudyWord(one.study, "permit", (), "officer", system_clock()))
    yield "terms.not_met_consent_basis"
    say_of_study(one.b.folder, StudyWord(one.study, "ethics-waiver", (), "officer", system_clock() + 1))


@condition
async def outside_the_hours_of_a_fence(one: One) -> AsyncIterator[str]:
    await one.agree_all()
    says(one.b, f'[fence]\nhours = ["{closed_now()}"]\n')
    try:
        yield "terms.fence_hours"
    finally:
        (one.b.folder / "law.toml").unlink()


@condition
async def outside_the_network_of_a_fence(one: One) -> AsyncIterator[str]:
    await one.agree_all()
    says(one.b, '[fence]\nnetworks = ["10.1.0.0/16"]\n')
    try:
        with sited(one.b, network="10.2.0.0/24"):
            yield "terms.fence_network"
    finally:
        (one.b.folder / "law.toml").unlink()


@condition
async def a_law_that_asks_a_person(one: One) -> AsyncIterator[str]:
    await one.agree_all()
    says(one.b, LAW)
    try:
        yield UNANSWERED
        record(one.b.folder, ASKS, True, one.study, "data officer", 30, "")
    finally:
        (one.b.folder / "law.toml").unlink()


@condition
async def at_another_place(one: One) -> AsyncIterator[str]:
    policy = where(Constraint("place", "isPartOf", ("CN",)))
    await one.agree_all({"policy": policy})
    with sited(one.b, place="DE"):
        yield "terms.not_met_place"
    await one.agree_again(policy=where(Constraint("environment", "eq", "node")))


@condition
async def count_is_used_up(one: One) -> AsyncIterator[str]:
    await one.agree_all({"policy": where(Constraint("count", "lteq", "1"))})
    assert (await one.question()).state == "done"
    yield "terms.not_met_count"
    await one.agree_again(policy=where(Constraint("count", "lteq", "2")))


@condition
async def allowance_is_used_up(one: One) -> AsyncIterator[str]:
    await one.agree_all({"allowance": 1})
    assert (await one.question()).state == "done"
    yield "terms.no_allowance"
    await one.agree_again(allowance=2)


@condition
async def date_of_the_agreement_has_passed(one: One) -> AsyncIterator[str]:
    ends = system_clock() + 1500
    await one.agree_all({"expires": ends})
    await until(lambda: system_clock() > ends)
    yield "terms.agreement_expired terms.agreement_not_active"
    await one.agree_again()


@condition
async def date_of_the_agreement_has_not_come(one: One) -> AsyncIterator[str]:
    await one.agree_all({"not_before": system_clock() + DAY_MS // 2})
    yield "terms.not_yet"
    await one.agree_again()


@condition
async def date_of_the_policy_has_passed(one: One) -> AsyncIterator[str]:
    await one.agree_all({"policy": where(Constraint("dateTime", "lt", "2020-01-01T00:00:00Z"))})
    yield "terms.not_met_date_time"
    await one.agree_again(policy=where(Constraint("dateTime", "lt", "2100-01-01T00:00:00Z")))


@condition
async def purpose_is_not_agreed(one: One) -> AsyncIterator[str]:
    await one.agree_all({"purposes": ("education",)})
    yield "terms.purpose_not_agreed"
    await one.agree_again(purposes=("education", PURPOSE))


@condition
async def purpose_is_not_permitted(one: One) -> AsyncIterator[str]:
    await one.agree_all({"policy": where(Constraint("purpose", "isA", "education"))})
    yield "terms.not_met_purpose"
    await one.agree_again(policy=where(Constraint("purpose", "isA", PURPOSE)))


@condition
async def recipient_is_not_agreed(one: One) -> AsyncIterator[str]:
    colleague = PrivateKeys.generate()
    one.hub.enter(register(colleague, one.study + " colleague", ("consumer",)))
    one.recipients = tuple(sorted((one.did, colleague.did)))
    await one.agree_all({"recipients": (one.did,)}, recipients=one.recipients)
    yield "terms.recipient_not_agreed"
    await one.agree_again(recipients=one.recipients)


@condition
async def grade_is_not_permitted(one: One) -> AsyncIterator[str]:
    await one.agree_all({"policy": where(Constraint("grade", "lteq", "L1"))})
    yield "terms.not_met_grade"
    await one.agree_again(policy=where(Constraint("grade", "lteq", "L2")))


@condition
async def agreement_is_suspended(one: One) -> AsyncIterator[str]:
    await one.agree_all()
    await one.b.node.agreements.suspend(one.agreements[one.b.did])
    yield "terms.agreement_not_active"
    await one.b.node.agreements.resume(one.agreements[one.b.did])


@condition
async def agreement_is_ended(one: One) -> AsyncIterator[str]:
    await one.agree_all()
    await one.b.node.agreements.end(one.agreements[one.b.did])
    yield "terms.agreement_not_active"
    await one.agree_again()
