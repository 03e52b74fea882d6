"""Extracts at the hub: handed to one hospital, relayed to one workspace, and everybody else finds nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from msgspec.structs import replace
from tests.unit.access.people import NORTH, SOUTH, directory, keys

from xinglin.hub import extract_desk
from xinglin.hub.extract_desk import ExtractDesk
from xinglin.hub.members import Members
from xinglin.kernel.canonical import canonical_bytes
from xinglin.kernel.errors import LimitExceeded, MalformedMessage
from xinglin.stores import extract_hub
from xinglin.stores.extract_hub import HubExtracts, RelayFull
from xinglin.terms.extracts import ExtractAsk
from xinglin.terms.request import Plan, UseRequest
from xinglin.testing.decision_table import allowed_use
from xinglin.trust.envelope import Signed, sign
from xinglin.trust.errors import TrustError
from xinglin.wire.errors import Refused
from xinglin.wire.extracts import (
    EXTRACT_CONTEXT,
    PARTS,
    ExtractAttestation,
    ExtractGiven,
    ExtractOrder,
    ExtractPart,
    ExtractSaid,
    ExtractStop,
)

ASKER, WORKSPACE = keys("researcher"), keys("workspace").did
NOW = 1_800_000_000_000


class Scene:
    """A desk, what it sends to nodes, and one extract to ask for."""

    def __init__(self, folder: Path) -> None:
        self.sent: list[tuple[str, Any]] = []
        self.store = HubExtracts.in_folder(folder)
        members = cast(Members, SimpleNamespace(directory=directory()))
        self.desk = ExtractDesk(members, self.store, lambda node, order: self.sent.append((node, order)), lambda: NOW)

    def asked(self, number: int = 0, **changes: Any) -> tuple[Signed, bytes]:
        request, plan, _ = allowed_use("L2", "extract")
        ask = ExtractAsk("gb-t-37964", 10, WORKSPACE, ("age",), ("disease",))
        plan = replace(plan, roster=(NORTH.did,), agreements={NORTH.did: plan.agreements[plan.roster[0]]},
                       params=ask.to_params())  # fmt: skip
        request = replace(request, plan=plan.digest(), requester=ASKER.did, nodes=plan.roster, recipients=(WORKSPACE,),
                          nonce=f"nonce-{number:016d}", **changes)  # fmt: skip
        return self.signed(request, plan)

    def signed(self, request: UseRequest, plan: Plan) -> tuple[Signed, bytes]:
        return sign(ASKER, "use-request/1", request), canonical_bytes(plan)

    def attested(self, run: str, parts: int, **changes: Any) -> ExtractGiven:
        said = ExtractAttestation(run, NORTH.did, WORKSPACE, "salted-sha256:x", parts, 7)
        return ExtractGiven(run, sign(NORTH, EXTRACT_CONTEXT, replace(said, **changes)).to_bytes())


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    yield made
    made.store.close()


def codes(refused: pytest.ExceptionInfo[Refused]) -> set[str]:
    return set(refused.value.codes)


async def test_one_request_is_one_extract_handed_over_until_it_is_taken(scene: Scene) -> None:
    desk, (signed, plan) = scene.desk, scene.asked()
    view = desk.ask(signed, plan)
    assert desk.ask(signed, plan) == view and view.state == "asked"
    ((node, order),) = scene.sent
    assert node == NORTH.did and order == ExtractOrder(view.run_id, signed.to_bytes(), plan)
    await desk.take(NORTH.did, ExtractSaid(view.run_id, "work"))
    await desk.take(NORTH.did, ExtractSaid(view.run_id, "hold", "Persons look at it."))
    assert (await desk.view(view.run_id, ASKER.did)).state == "held"
    desk.arrived(NORTH.did)
    assert len(scene.sent) == 2
    for number in (1, 2):
        await desk.take(NORTH.did, ExtractPart(view.run_id, number, 2, b"sealed %d" % number))
    await desk.take(NORTH.did, scene.attested(view.run_id, 2))
    given = await desk.view(view.run_id, WORKSPACE)
    assert (given.state, given.parts) == ("delivered", 2) and given.attestation is not None
    assert desk.part(view.run_id, WORKSPACE, 2) == b"sealed 2"
    assert (await desk.taken(view.run_id, WORKSPACE)).state == "taken"
    with pytest.raises(Refused) as refused:
        desk.part(view.run_id, WORKSPACE, 2)
    assert codes(refused) == {"hub.no_part"} and scene.store.unfinished() == ()


async def test_nobody_else_sees_follows_fetches_or_answers(scene: Scene) -> None:
    desk = scene.desk
    run = desk.ask(*scene.asked()).run_id
    stranger = keys("colleague").did
    assert desk.list(stranger) == [] and len(desk.list(ASKER.did)) == len(desk.list(WORKSPACE)) == 1
    for call in (desk.view(run, stranger), desk.cancel(run, stranger), desk.taken(run, stranger)):
        with pytest.raises(Refused) as refused:
            await call
        assert codes(refused) == {"hub.unknown_extract"}
    with pytest.raises(Refused) as refused:
        desk.part(run, ASKER.did, 1)
    assert codes(refused) == {"hub.not_the_recipient"}
    with pytest.raises(Refused) as refused:
        await desk.cancel(run, WORKSPACE)
    assert codes(refused) == {"hub.not_the_requester"}
    await desk.take(SOUTH.did, ExtractSaid(run, "refuse"))
    await desk.take(SOUTH.did, ExtractPart(run, 1, 1, b"forged"))
    assert (await desk.view(run, ASKER.did)).state == "asked" and scene.store.parts(run) == 0


async def test_a_delivery_that_does_not_fit_is_none(scene: Scene) -> None:
    desk = scene.desk
    run = desk.ask(*scene.asked()).run_id
    await desk.take(NORTH.did, ExtractPart(run, 1, 1, b"sealed"))
    for wrong in ({"parts": 2}, {"recipient": ASKER.did}, {"run_id": "run-other"}, {"node": SOUTH.did}):
        said = scene.attested(run, **{"parts": 1, **wrong})
        await desk.take(NORTH.did, ExtractGiven(run, said.attestation))
    with pytest.raises(TrustError):
        forged = sign(keys("nobody"), EXTRACT_CONTEXT, ExtractAttestation(run, NORTH.did, WORKSPACE, "x", 1, 1))
        await desk.take(NORTH.did, ExtractGiven(run, forged.to_bytes()))
    assert (await desk.view(run, ASKER.did)).state == "asked"


async def test_what_was_cancelled_is_never_handed_over(scene: Scene) -> None:
    desk = scene.desk
    run = desk.ask(*scene.asked()).run_id
    assert (await desk.cancel(run, ASKER.did)).state == "cancelled"
    assert isinstance(scene.sent[-1][1], ExtractStop)
    await desk.take(NORTH.did, ExtractPart(run, 1, 1, b"sealed"))
    await desk.take(NORTH.did, scene.attested(run, 1))
    assert (await desk.view(run, WORKSPACE)).state == "cancelled" and scene.store.parts(run) == 0
    assert isinstance(scene.sent[-1][1], ExtractStop), "told again"


def test_what_is_no_extract_is_refused(scene: Scene) -> None:
    request, plan, _ = allowed_use("L2", "statistics")
    with pytest.raises(Refused) as refused:
        scene.desk.ask(*scene.signed(replace(request, requester=ASKER.did), plan))
    assert "hub.not_an_extract" in codes(refused)
    signed, _ = scene.asked()
    with pytest.raises((Refused, MalformedMessage)):
        scene.desk.ask(signed, b"{}")


async def test_one_more_than_the_limits(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extract_desk, "EXTRACTS_OPEN", replace(extract_desk.EXTRACTS_OPEN, value=2))
    for number in (1, 2):
        scene.desk.ask(*scene.asked(number))
    with pytest.raises(LimitExceeded):
        scene.desk.ask(*scene.asked(3))
    run = scene.desk.list(ASKER.did)[0].run_id
    with pytest.raises(LimitExceeded):
        await scene.desk.take(NORTH.did, ExtractPart(run, 1, PARTS.value + 1, b"x"))
    monkeypatch.setattr(extract_hub, "RELAYED_OF_NODE", replace(extract_hub.RELAYED_OF_NODE, value=3))
    scene.store.add_part(run, 1, b"abc")
    with pytest.raises(RelayFull):
        scene.store.add_part(run, 2, b"d")


class Delivered(Scene):
    """A scene whose one extract is handed over, on a clock that can be set."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.now = NOW
        members = cast(Members, SimpleNamespace(directory=directory()))
        self.desk = ExtractDesk(members, self.store, lambda node, order: self.sent.append((node, order)),
                                lambda: self.now, 14.0)  # fmt: skip
        self.run = self.desk.ask(*self.asked()).run_id

    async def deliver(self) -> None:
        await self.desk.take(NORTH.did, ExtractPart(self.run, 1, 1, b"sealed"))
        await self.desk.take(NORTH.did, self.attested(self.run, 1))

    async def state(self) -> str:
        return (await self.desk.view(self.run, ASKER.did)).state


@pytest.fixture
async def delivered(tmp_path: Path) -> AsyncIterator[Delivered]:
    made = Delivered(tmp_path)
    await made.deliver()
    yield made
    made.store.close()


async def test_what_nobody_fetches_is_dropped_told_and_handed_over_again(delivered: Delivered) -> None:
    desk, run = delivered.desk, delivered.run
    with pytest.raises(Refused) as refused:
        await desk.again(run, ASKER.did)
    assert codes(refused) == {"hub.not_dropped"}
    delivered.now += 14 * 24 * 3_600_000
    await desk.lapse()
    assert await delivered.state() == "delivered", "a millisecond less than too long"
    delivered.now += 1
    await desk.lapse()
    view = await desk.view(run, ASKER.did)
    assert view.state == "dropped" and "14 days" in view.words and view.reasons[0].code == "hub.not_fetched"
    assert delivered.store.parts(run) == 0 and desk.store.unfinished() == ()
    with pytest.raises(Refused):
        await desk.again(run, keys("colleague").did)
    assert (await desk.again(run, WORKSPACE)).state == "asked"
    assert isinstance(delivered.sent[-1][1], ExtractOrder)
    await delivered.deliver()
    assert desk.part(run, WORKSPACE, 1) == b"sealed"
    assert (await desk.taken(run, WORKSPACE)).state == "taken" and delivered.store.held() == ()
    assert delivered.sent[-1] == (NORTH.did, ExtractStop(run, "The workspace has it."))


async def test_parts_go_with_what_ends(delivered: Delivered) -> None:
    desk, run = delivered.desk, delivered.run
    assert (await desk.cancel(run, ASKER.did)).state == "cancelled" and delivered.store.held() == ()
    other = desk.ask(*delivered.asked(1)).run_id
    await desk.take(NORTH.did, ExtractPart(other, 1, 2, b"half"))
    await desk.take(NORTH.did, ExtractSaid(other, "end", "It ended."))
    assert delivered.store.held() == ()
    delivered.store.add_part(run, 1, b"left by a crash")
    delivered.store.add_part("run-unknown", 1, b"left by a crash")
    await desk.lapse()
    assert delivered.store.held() == ()


async def test_a_hospital_takes_back_what_nobody_fetched(delivered: Delivered) -> None:
    desk, run = delivered.desk, delivered.run
    await desk.take(NORTH.did, ExtractSaid(run, "end", "an old word"))
    await desk.take(SOUTH.did, ExtractSaid(run, "recall", "another hospital's"))
    assert await delivered.state() == "delivered"
    await desk.take(NORTH.did, ExtractSaid(run, "recall", "The agreement ended."))
    assert await delivered.state() == "recalled" and delivered.store.held() == ()
    with pytest.raises(Refused):
        await desk.again(run, ASKER.did)


async def test_what_finds_no_room_is_asked_for_again_and_not_lost(
    delivered: Delivered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extract_hub, "RELAYED_OF_NODE", replace(extract_hub.RELAYED_OF_NODE, value=10))
    desk, run = delivered.desk, delivered.desk.ask(*delivered.asked(1)).run_id
    part, before = ExtractPart(run, 1, 1, b"sealed"), len(delivered.sent)
    await desk.take(NORTH.did, part)
    await desk.take(NORTH.did, delivered.attested(run, 1))
    view = await desk.view(run, ASKER.did)
    assert view.state == "working" and "no room" in view.words and delivered.store.parts(run) == 0
    delivered.now += 60_000
    await desk.lapse()
    assert len(delivered.sent) == before, "there is no room yet"
    await desk.taken(delivered.run, WORKSPACE)
    await desk.lapse()
    await desk.lapse()
    assert [order for _, order in delivered.sent[before + 1 :]] == [ExtractOrder(run, *_bytes(delivered, 1))]
    await desk.take(NORTH.did, part)
    await desk.take(NORTH.did, delivered.attested(run, 1))
    assert (await desk.view(run, ASKER.did)).state == "delivered" and desk.part(run, WORKSPACE, 1) == b"sealed"


async def test_parts_that_nobody_attests_wait_for_an_hour(delivered: Delivered) -> None:
    desk, run = delivered.desk, delivered.desk.ask(*delivered.asked(1)).run_id
    await desk.take(NORTH.did, ExtractPart(run, 1, 2, b"half"))
    delivered.now += 3_600_000
    await desk.lapse()
    assert delivered.store.parts(run) == 1
    delivered.now += 1
    await desk.lapse()
    assert delivered.store.parts(run) == 0 and await delivered.state() == "delivered"
    before = len(delivered.sent)
    await desk.take(NORTH.did, ExtractPart(run, 2, 2, b"late"))
    await desk.take(NORTH.did, delivered.attested(run, 2))
    delivered.now += 60_000
    await desk.lapse()
    assert len(delivered.sent) == before + 1 and delivered.store.parts(run) == 0, "a slow hospital begins anew"


def _bytes(scene: Scene, number: int) -> tuple[bytes, bytes]:
    signed, plan = scene.asked(number)
    return signed.to_bytes(), plan
