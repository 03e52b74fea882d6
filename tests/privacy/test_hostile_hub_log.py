"""What does a hub get that drops, forges, forks or withholds evidence? Each test tries it on real nodes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import msgspec
import pytest
from tests.privacy.conftest import COHORT, GLM, SQL, VARIABLES, quiet, said, until

from xinglin.evidence.entry import Entry, decode_entry
from xinglin.evidence.notes import parse_vkey
from xinglin.evidence.replica import FollowedLog, check_fork
from xinglin.evidence.submission import decode_batch
from xinglin.hub.runs import Coordinator
from xinglin.secure import Endorsed, encode, parse
from xinglin.testing.asker import Asker
from xinglin.testing.hostile_hub import Hospital, HostileHub
from xinglin.trust.keys import PrivateKeys
from xinglin.trust.leaves import admit, change_keys, leaf_body, leaf_kind, register, revoke
from xinglin.wire.channel import (
    CheckpointOrder,
    CosignOrder,
    LogSubmission,
    Order,
    Report,
    RunMessage,
    RunRelay,
    RunReleased,
    RunReleases,
    RunStopped,
)
from xinglin.wire.endings import sign_ending

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]
replace = msgspec.structs.replace


def leaves_in(report: Report) -> list[Entry]:
    """Entries of a submission."""
    if not isinstance(report, LogSubmission):
        return []
    return [decode_entry(data) for data in decode_batch(report.batch).entries]


def authorises(report: Report) -> bool:
    """Whether the report submits a release-authorised leaf."""
    return any(entry.kind == "release-authorised" for entry in leaves_in(report))


def released(hub: HostileHub) -> list[str]:
    """Hospitals that let a result out."""
    return [name for name, ones in said(hub, RunReleased).items() if any(one.sealed for one in ones)]


def state_of(hospital: Hospital, run: Coordinator) -> str:
    """The state of the gate's record of a run."""
    record = hospital.node.database.record(run.run_id)
    return record.state if record is not None else ""


# --- dropped and forged leaves --------------------------------------------------------------------------


async def test_a_dropped_leaf_releases_nothing(hub: HostileHub, asker: Asker) -> None:
    victim = hub.hospitals["c"]
    hub.reports = lambda did, report: did != victim.did or not authorises(report)
    run = asker.begin(asker.plan(SQL, "glm", GLM))
    await until(lambda: all(state_of(one, run) == "protected" for one in hub.hospitals.values()), 30)
    await asyncio.sleep(1.5)
    assert released(hub) == []
    assert not run.over
    hub.honest()
    victim.node.evidence.resubmit()
    await hub.finish(run)
    assert run.state == "done"


async def test_a_leaf_in_another_hospitals_name_releases_nothing(hub: HostileHub, asker: Asker) -> None:
    """The hub drops one hospital's authorisation, and writes it itself with what the others committed to."""
    victim = hub.hospitals["c"]

    def forge(did: str, report: Report) -> bool:
        if not authorises(report):
            return True
        if did != victim.did:
            (entry,) = leaves_in(report)
            hub.append(replace(entry, submitter=victim.did, parties=(victim.did, asker.did)))
            return True
        return False

    hub.reports = forge
    run = asker.begin(asker.plan(SQL, "glm", GLM))
    await until(lambda: all(state_of(one, run) == "protected" for one in hub.hospitals.values()), 30)
    await asyncio.sleep(1.5)
    assert released(hub) == []


async def test_a_forged_ending_ends_no_agreement(hub: HostileHub, asker: Asker) -> None:
    """Only a party or the regulator ends one; the hub's own signature, or none, has no effect."""
    digest = asker.agreements[hub.hospitals["a"].did]
    body = sign_ending("agreement-end", digest, hub.operator)
    stolen = {**body, "by": hub.hospitals["a"].did}
    for each in (body, stolen):
        hub.append(Entry(kind="agreement-end", at=hub.clock(), submitter=hub.operator.did, subject=digest, body=each))
    await hub.checkpoint()
    run = await asker.ask(asker.plan(SQL, "glm", GLM))
    assert run.state == "done"


async def test_a_key_leaf_that_the_hub_writes_replaces_no_key(hub: HostileHub, asker: Asker) -> None:
    """A second registration, and a change that the regulator did not approve, of a hospital's DID."""
    victim, mallory = hub.hospitals["b"], PrivateKeys.generate()
    keys = victim.node.keys.public
    again = replace(register(mallory, "b", ("provider", "witness")), did=victim.did)
    change, _ = change_keys(mallory.for_did(victim.did), PrivateKeys.generate())
    for leaf in (admit(again, hub.operator), change):
        hub.append(
            Entry(
                kind=leaf_kind(leaf),
                at=hub.clock(),
                submitter=hub.operator.did,
                subject=victim.did,
                body=leaf_body(leaf),
            )
        )
    await hub.checkpoint()
    for hospital in hub.hospitals.values():
        assert hospital.node.view.record.directory.keys(victim.did) == keys
    run = await asker.ask(asker.plan(SQL, "glm", GLM))
    assert run.state == "done"


# --- revocation ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["key", "agreement", "freeze"])
async def test_a_revocation_before_the_release_leaf_holds(hub: HostileHub, asker: Asker, what: str) -> None:
    ended: list[int] = []

    def end(_did: str, report: Report) -> bool:
        if authorises(report) and not ended:
            ended.append(hub.append(_ending(hub, asker, what)))
        return True

    hub.reports = end
    run = await asker.ask(asker.plan(SQL, "glm", GLM))
    assert ended
    assert run.state == "withheld"
    assert released(hub) == []
    assert {reason.code for reason in run.view().reasons} & {"terms.revoked", "terms.key"}


def _ending(hub: HostileHub, asker: Asker, what: str) -> Entry:
    known = {"at": hub.clock(), "submitter": hub.regulator.did}
    if what == "key":
        leaf = revoke(asker.did, "compromised", hub.regulator)
        return Entry(kind="key-revocation", subject=asker.did, body=leaf_body(leaf), **known)
    kind, subject = ("freeze", "") if what == "freeze" else ("agreement-end", asker.agreements[sorted(hub.by_did)[0]])
    return Entry(kind=kind, subject=subject, body=sign_ending(kind, subject or asker.study, hub.regulator), **known)


# --- stale and unfinished checkpoints ----------------------------------------------------------------------


async def test_a_stale_checkpoint_releases_nothing(hub: HostileHub, asker: Asker) -> None:
    """The log falls silent once all have authorised: older than 30 s, and nobody lets anything out."""
    late: list[str] = []

    def silence(_did: str, order: Order) -> Sequence[Order]:
        return () if len(set(late)) == 4 and isinstance(order, CheckpointOrder) else (order,)

    def hold(did: str, report: Report) -> bool:
        if authorises(report):
            late.append(did)
            if len(set(late)) == 4:
                for hospital in hub.hospitals.values():
                    hospital.clock.off_ms = 31_000
        return True

    hub.orders, hub.reports = silence, hold
    run = asker.begin(asker.plan(SQL, "glm", GLM))
    await until(lambda: len(set(late)) == 4, 30)
    await asyncio.sleep(1.0)
    assert released(hub) == []
    assert all(state_of(one, run) == "protected" for one in hub.hospitals.values())


async def test_a_request_under_a_stale_checkpoint_is_not_decided(hub: HostileHub, asker: Asker) -> None:
    hub.beating = False
    plan = asker.plan(SQL, "glm", GLM)
    for hospital in hub.hospitals.values():
        hospital.clock.off_ms = 31_000
    run = asker.begin(plan)
    await asyncio.sleep(0.8)
    assert run.state == "deciding"
    assert {state_of(one, run) for one in hub.hospitals.values()} == {"asked"}
    for hospital in hub.hospitals.values():
        hospital.clock.off_ms = 0
    hub.beating = True
    await hub.finish(run)
    assert run.state == "done"


@pytest.mark.parametrize("off_ms", [300_000, -300_000])
async def test_a_hospital_whose_clock_is_five_minutes_off_does_nothing(
    hub: HostileHub, asker: Asker, off_ms: int
) -> None:
    """Fast or slow: its newest checkpoint is too far from now to be fresh, so it decides and releases nothing."""
    hub.beating = False
    plan = asker.plan(SQL, "glm", GLM)
    victim = hub.hospitals["b"]
    victim.clock.off_ms = off_ms
    run = asker.begin(plan, asker.request(plan, issued=hub.clock() - 400_000, expires=hub.clock() + 400_000))
    await until(lambda: state_of(victim, run))
    await asyncio.sleep(0.8)
    record = victim.node.database.record(run.run_id)
    assert record.state == "asked" or "terms.stale_checkpoint" in {reason.code for reason in record.reasons}
    assert record.charge == "none"
    assert run.state in ("deciding", "refused")
    assert released(hub) == []


# --- forks, each in a space of its own --------------------------------------------------------------------


async def test_a_checkpoint_without_the_regulator_is_not_trusted(fresh: Callable[..., HostileHub]) -> None:
    async with fresh() as hub:
        hub.beating = False
        before = {name: one.node.view.trusted.size for name, one in hub.hospitals.items()}
        leaf = register(PrivateKeys.generate(), "invented", ("provider", "witness"))
        hub.enter(leaf)
        note = await hub.cosigned(without=("regulator",))
        for hospital in hub.hospitals.values():
            await hospital.node.view.take_checkpoint(note.to_text().encode())
        assert {name: one.node.view.trusted.size for name, one in hub.hospitals.items()} == before
        assert all(leaf.did not in one.node.view.record.directory.participants for one in hub.hospitals.values())


async def test_too_few_hospitals_beside_the_regulator_are_no_quorum(fresh: Callable[..., HostileHub]) -> None:
    async with fresh() as hub:
        hub.beating = False
        before = hub.hospitals["a"].node.view.trusted.size
        hub.enter(register(PrivateKeys.generate(), "one", ("consumer",)))
        note = await hub.cosigned(without=("c", "d"))
        await hub.hospitals["a"].node.view.take_checkpoint(note.to_text().encode())
        assert hub.hospitals["a"].node.view.trusted.size == before


async def test_a_log_that_drops_an_entry_is_refused_and_the_proof_kept(fresh: Callable[..., HostileHub]) -> None:
    async with fresh() as hub:
        hub.beating = False
        hub.enter(register(PrivateKeys.generate(), "dropped", ("consumer",)))
        await hub.checkpoint()
        other = hub.log.fork(hub.log.size - 1)
        for number in range(2):
            other.add(Entry(kind="request", at=number, submitter=hub.operator.did).to_bytes())
        await _accused(hub, hub.hospitals["a"], other)


async def test_each_hospital_refuses_a_fork_of_its_own(fresh: Callable[..., HostileHub]) -> None:
    """One history a hospital, all signed by the log: no two get the same quorum, and each keeps its proof."""
    async with fresh() as hub:
        hub.beating = False
        hub.enter(register(PrivateKeys.generate(), "last", ("consumer",)))
        await hub.checkpoint()
        trusted = {name: one.node.view.trusted.size for name, one in hub.hospitals.items()}
        for number, hospital in enumerate(hub.hospitals.values()):
            other = hub.log.fork(hub.log.size - 1)
            other.add(Entry(kind="request", at=number, submitter=hub.operator.did).to_bytes())
            await _accused(hub, hospital, other)
        assert {name: one.node.view.trusted.size for name, one in hub.hospitals.items()} == trusted


async def _accused(hub: HostileHub, hospital: Hospital, other: object) -> None:
    """The node does not cosign ``other``, trusts nothing of it, and keeps a fork that anybody can check."""
    view = hospital.node.view
    answer = await view.cosign(CosignOrder("t", other.request(view.size), other.pushed(view.size)))
    assert answer.status in (403, 409, 422)
    if answer.status == 422 and not view.forks:
        answer = await view.cosign(CosignOrder("t", other.request(view.size, view.size), b""))
    size = view.trusted.size
    await view.take_checkpoint(other.note().to_text().encode())
    assert view.trusted.size == size
    assert view.forks
    for fork in view.forks:
        check_fork(fork, FollowedLog(hub.space.origin, (parse_vkey(hub.space.log_vkey),)))
    again = await view.cosign(CosignOrder("t", hub.log.request(view.size), b""))
    assert again.status == 403


# --- the differencing guard's lists -------------------------------------------------------------------------


async def test_a_hidden_earlier_release_is_missed(hub: HostileHub, asker: Asker) -> None:
    """The hub leaves a release out of one hospital's signed list by leaving out the list."""
    await asker.ask(asker.plan(SQL, "glm", GLM))
    for hospital in hub.hospitals.values():
        hospital.channel.sent.clear()

    def hide(_did: str, order: Order) -> Sequence[Order]:
        return (replace(order, signed=()),) if isinstance(order, RunReleases) else (order,)

    hub.orders = hide
    run = asker.begin(asker.plan(SQL, "glm", GLM))
    for hospital in hub.hospitals.values():
        await until(lambda h=hospital: state_of(h, run) == "withheld")
        record = hospital.node.database.record(run.run_id)
        assert [reason.code for reason in record.reasons] == ["privacy.earlier_release_left_out"]
        await quiet(hospital, run.run_id)
    assert released(hub) == []


async def test_lists_that_differ_between_hospitals_are_noticed(hub: HostileHub, asker: Asker) -> None:
    """Everybody has as many places, of other releases: counts of different comparisons must never be added.

    Four earlier releases, each of three hospitals; each hospital is shown its own list and no other.
    """
    for number, out in enumerate(hub.names):
        three = Asker(hub, f"study-without-{out}")
        await three.agree(COHORT, VARIABLES, names=[name for name in hub.names if name != out])
        older = f"SELECT age, sex, trestbps, disease FROM cardiac WHERE age > {30 + 8 * number}"
        assert (await three.ask(three.plan(older, "describe", {"columns": ["age"]}))).state == "done"
    names, uploads = sorted(hub.by_did), {}

    def own(did: str, order: Order) -> Sequence[Order]:
        return (
            (replace(order, signed=(order.signed[names.index(did)],)),) if isinstance(order, RunReleases) else (order,)
        )

    def collect(did: str, report: Report) -> bool:
        if isinstance(report, RunMessage) and report.kind == "Upload":
            uploads[names.index(did)] = parse(report.payload)
            return False
        return True

    for hospital in hub.hospitals.values():
        hospital.channel.sent.clear()
    hub.orders, hub.reports = own, collect
    run = asker.begin(asker.plan(SQL, "glm", GLM))
    await until(lambda: len(uploads) == 4)
    endorsed = tuple(uploads[place].endorsement for place in range(4))
    assert len({upload.layout for upload in endorsed}) == 1
    for place, did in enumerate(names):
        boxes = {other: upload.boxes[place] for other, upload in uploads.items() if place in upload.boxes}
        message = Endorsed(1, endorsed[0].session, 1, (0, 1, 2, 3), endorsed, (), boxes)
        hub.by_did[did].dispatch.take(RunRelay(run.run_id, encode(message)))
        await quiet(hub.by_did[did], run.run_id)
    sent = [message.kind for ones in said(hub, RunMessage).values() for message in ones]
    assert "Reveal" not in sent
    stopped = [report.words for ones in said(hub, RunStopped).values() for report in ones]
    assert stopped
    assert all("computed from another state" in words for words in stopped)
