"""A node stopped between countersigning and logging: house policy and law are asked again before it completes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from xinglin.contract import Agreement, sign_agreement
from xinglin.evidence.entry import Entry
from xinglin.node.evidence import NodeEvidence
from xinglin.node.law import LAW_FILE
from xinglin.sample import data_set, descriptions, generate_space
from xinglin.terms.agreed import AgreedTerms, CohortView, Peer
from xinglin.terms.policy import Permission, Policy
from xinglin.testing.asker import Asker, publish
from xinglin.testing.hostile_hub import Hospital, HostileHub
from xinglin.wire.channel import AgreementAnswer, AgreementOrder, LogSubmission

pytestmark = pytest.mark.asyncio(loop_scope="module")

DAY_MS = 86_400_000


class Killed(BaseException):
    """The process ends here."""


@pytest_asyncio.fixture(loop_scope="module")
async def hub(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[HostileHub]:
    async with HostileHub(tmp_path_factory.mktemp("space"), names=("a", "b")) as space:
        for hospital, sample in zip(space.hospitals.values(), generate_space(), strict=False):
            publish(hospital, data_set(sample.profile, hospital.did, descriptions()))
        yield space


def offered(asker: Asker, at: Hospital) -> str:
    """An offer that the node has."""
    hub, now = asker.hub, asker.hub.clock()
    peer = next(one for one in hub.hospitals.values() if one is not at)
    terms = AgreedTerms(
        grade="L2",
        cohort=(CohortView("cardiac", "SELECT age FROM cardiac"),),
        variables=("cardiac.age",),
        purposes=("health-research",),
        operations=("statistics",),
        not_before=now - 60_000,
        expires=now + DAY_MS,
        allowance=50,
        recipients=(asker.did,),
        peers=(Peer(peer.did, peer.node.keys.public.digest()),),
    )
    mine = asker.keys.public.digest()
    paper = Agreement(
        at.did, at.node.keys.public.digest(), asker.did, mine, asker.study, asker.data_set, terms, now
    )  # fmt: skip
    at.dispatch.take(AgreementOrder(paper.digest(), sign_agreement(asker.keys, paper).to_bytes()))
    return paper.digest()


async def killed_at(at: Hospital, digest: str, point: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Approve, and end the process at ``point``; the folder is all that is left."""
    record = NodeEvidence.record

    async def dying(self: NodeEvidence, entry: Entry) -> int:
        if point == "intended":
            self._database.intend(entry.kind, entry.subject, entry.to_bytes())
        if point == "logged":
            await record(self, entry)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(NodeEvidence, "record", dying)
        with pytest.raises(Killed):
            await at.node.agreements.approve(digest, at.node.tables.published.get("cardiology"))
    assert at.node.database.agreement(digest).state == "countersigned"  # type: ignore[union-attr]
    await at.stop()


async def started(hub: HostileHub, at: Hospital) -> None:
    """The node's process again, which hears of a checkpoint and takes up what the stop left."""
    at.start()
    at.node.evidence.resubmit(at.node.agreements.withheld())  # as ``main`` does at its start
    await hub.checkpoint()
    tasks: Any = at.dispatch._tasks
    await asyncio.gather(*tasks)
    await hub.checkpoint()


def stands(at: Hospital, digest: str) -> str:
    return str(at.node.agreements.shown(digest)["state"])


def in_log(hub: HostileHub, digest: str) -> list[str]:
    view = hub.hospitals["b"].node.view
    return [one.kind for one in map(view.entry, range(view.size)) if one.subject == digest]


def forbid(at: Hospital) -> None:
    """The hospital's own policy changes to one that the offer does not meet."""
    policy = Policy((Permission("display", ()),), (), ())
    house = at.node.house
    act = house.propose(policy, "anna")
    seen, _ = house.simulate(act.digest(), "bert", 10, ())
    house.confirm(act.digest(), "bert", seen.digest)


@pytest.mark.parametrize("point", ["countersigned", "intended", "logged"])
async def test_what_still_holds_is_completed(hub: HostileHub, monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    asker, at = Asker(hub), hub.hospitals["a"]
    await hub.checkpoint()
    digest = offered(asker, at)
    await killed_at(at, digest, point, monkeypatch)
    await started(hub, at)
    assert stands(at, digest) == "active"
    assert "agreement" in in_log(hub, digest)
    assert at.channel.of(AgreementAnswer)[-1].accepted  # type: ignore[union-attr]


@pytest.mark.parametrize("point", ["countersigned", "intended", "logged"])
async def test_what_the_house_no_longer_accepts_is_withdrawn(
    hub: HostileHub, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    asker, at = Asker(hub), hub.hospitals["a"]
    await hub.checkpoint()
    digest = offered(asker, at)
    before = at.node.agreements.facts(digest)
    assert before is None
    await killed_at(at, digest, point, monkeypatch)
    at.start()
    forbid(at)
    await at.stop()
    await started(hub, at)
    assert stands(at, digest) == "withdrawn"
    answer = at.channel.of(AgreementAnswer)[-1]
    assert {reason.code for reason in answer.reasons} == {"node.looser_than_house"}  # type: ignore[union-attr]
    assert not answer.accepted  # type: ignore[union-attr]
    assert at.node.agreements.active() == ()
    found = at.node.agreements.facts(digest)
    assert found is not None and found[1].state != "active"
    if point == "logged":
        assert in_log(hub, digest)[-1] == "agreement-end"  # the log had it already, and says now that it is over
    else:
        assert in_log(hub, digest) == []
        at.dispatch.new_hub()  # not sent again either, however often the hub is new
        await hub.checkpoint()
        await hub.checkpoint()
        assert in_log(hub, digest) == []
        assert not [one for one in at.channel.of(LogSubmission) if digest.encode() in one.batch]  # type: ignore[union-attr]


async def test_what_nobody_can_judge_waits(hub: HostileHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """A law file that cannot be read is no refusal: nothing is logged, and it goes on once it can be read."""
    asker, at = Asker(hub), hub.hospitals["a"]
    await hub.checkpoint()
    digest = offered(asker, at)
    await killed_at(at, digest, "intended", monkeypatch)
    (at.folder / LAW_FILE).write_text("packs = [")
    await started(hub, at)
    assert stands(at, digest) == "countersigned"
    assert in_log(hub, digest) == []
    (at.folder / LAW_FILE).unlink()
    await at.stop()
    await started(hub, at)
    assert stands(at, digest) == "active"
