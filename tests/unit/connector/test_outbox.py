"""Outgoing messages: tried again, answered early, refused, lost, and owed across a crash."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace
from tests.unit.connector.conftest import ALICE, BOB, DATA, OFFER_ID, QUICK, RULES, Town, entry, message, state_of
from tests.unit.connector.test_two_connectors import BOB_AT, CONSUMER_RULES, PROVIDER_RULES, finalized, pair

from xinglin.connector.errors import NotPossible
from xinglin.connector.opening import negotiate
from xinglin.stores.connector_database import ConnectorDatabase
from xinglin.wire.dsp import messages as m


def fault(times: int, answer: Callable[[], httpx.Response], part: str = "") -> Callable[[httpx.Request], Any]:
    """The first ``times`` messages whose path holds ``part`` are answered like this."""
    left = [times]

    def found(request: httpx.Request) -> httpx.Response | None:
        if request.method != "POST" or part not in request.url.path or left[0] == 0:
            return None
        left[0] -= 1
        return answer()

    return found


def lost() -> httpx.Response:
    raise httpx.ReadError("lost")


@pytest.mark.parametrize("status", [404, 409, 429, 500, 502, 503, 408])
async def test_what_may_pass_is_tried_again(town: Town, status: int) -> None:
    alice, bob = pair(town)
    for part in ("/request", "/agreement", "/verification", "/events"):
        town.wire.faults.append(fault(2, lambda: httpx.Response(status), part))
    await finalized(town, alice, bob)


async def test_a_lost_connection_is_tried_again(town: Town) -> None:
    alice, bob = pair(town)
    town.wire.faults.append(fault(6, lost))
    await finalized(town, alice, bob)


async def test_a_lost_answer_is_asked_for_again_and_nothing_happens_twice(town: Town) -> None:
    """Each message arrives, and its acknowledgement does not: the same message is sent again."""
    alice, bob = pair(town)
    seen: set[str] = set()
    inner = town.wire.handle_async_request

    async def losing(request: httpx.Request) -> httpx.Response:
        response = await inner(request)
        name = json.loads(request.content).get("@id", "") if request.content else ""
        if request.method == "POST" and name not in seen:
            seen.add(name)
            raise httpx.ReadError("lost")
        return response

    town.wire.handle_async_request = losing  # type: ignore[method-assign]
    agreement = await finalized(town, alice, bob)
    assert len(bob.world.store.processes("negotiation")) == 1
    assert alice.world.store.contract(agreement, "consumer").state == "FINALIZED"
    for side in (alice, bob):
        (row,) = side.world.store.processes("negotiation")
        assert row.trail == "REQUESTED,AGREED,VERIFIED,FINALIZED"


async def test_an_answer_that_overtakes_the_acknowledgement_is_taken(town: Town) -> None:
    """The provider's agreement comes before the consumer has read the 201 of its own request."""
    alice, bob = pair(town)
    inner = town.wire.handle_async_request

    async def slow(request: httpx.Request) -> httpx.Response:
        response = await inner(request)
        if request.url.path.endswith("/negotiations/request"):
            await asyncio.sleep(0.3)
        return response

    town.wire.handle_async_request = slow  # type: ignore[method-assign]
    await finalized(town, alice, bob)


async def test_a_question_waits_for_the_message_that_is_under_way(town: Town) -> None:
    alice, _ = pair(town)
    inner = town.wire.handle_async_request

    async def slow(request: httpx.Request) -> httpx.Response:
        response = await inner(request)
        if request.url.path.endswith("/agreement"):
            await asyncio.sleep(0.2)
        return response

    town.wire.handle_async_request = slow  # type: ignore[method-assign]
    row = await negotiate(alice.desk, BOB, BOB_AT, DATA, OFFER_ID, RULES)
    await town.until(lambda: state_of(alice, row.pid) in ("AGREED", "VERIFIED", "FINALIZED"))
    peer = alice.world.store.process(row.pid).peer_pid
    async with town.client() as client:
        told = (await client.get(f"/negotiations/{peer}")).json()["state"]
    assert told in ("AGREED", "VERIFIED", "FINALIZED")


async def test_a_refused_first_message_ends_the_negotiation(town: Town) -> None:
    alice, _bob = pair(town)
    town.wire.faults.append(fault(1, lambda: httpx.Response(400)))
    row = await negotiate(alice.desk, BOB, BOB_AT, DATA, OFFER_ID, RULES)
    await town.until(lambda: state_of(alice, row.pid) == "TERMINATED")
    assert "status 400" in alice.world.store.process(row.pid).trouble
    assert alice.world.store.all_owed() == ()


async def test_a_refused_later_message_is_a_persons_to_look_at(town: Town) -> None:
    alice, _ = pair(town)
    town.wire.faults.append(fault(9, lambda: httpx.Response(400), "/verification"))
    row = await negotiate(alice.desk, BOB, BOB_AT, DATA, OFFER_ID, RULES)
    await town.until(lambda: alice.world.store.process(row.pid).trouble)
    assert state_of(alice, row.pid) == "AGREED"
    assert alice.world.store.all_owed() == ()
    town.wire.faults.clear()
    await alice.desk.do(row.pid, "verify")
    await town.until(lambda: state_of(alice, row.pid) == "FINALIZED")
    assert alice.world.store.process(row.pid).trouble == ""


async def test_a_refusal_of_what_had_arrived_is_no_refusal(town: Town) -> None:
    """A counterparty that refuses a repeated message has taken it: its state says so."""
    alice, bob = pair(town)
    inner, done = town.wire.handle_async_request, []

    async def strict(request: httpx.Request) -> httpx.Response:
        response = await inner(request)
        if request.url.path.endswith("/verification") and not done:
            done.append(1)
            return httpx.Response(400)
        return response

    town.wire.handle_async_request = strict  # type: ignore[method-assign]
    await finalized(town, alice, bob)


async def test_unknown_is_tried_for_a_short_time_only(town: Town) -> None:
    alice = town.add("alice", ALICE, patience=replace(QUICK, unknown_ms=1_500))
    town.add("bob", BOB)
    row = await negotiate(alice.desk, BOB, BOB_AT, DATA, OFFER_ID, RULES)
    await town.until(lambda: state_of(alice, row.pid) == "TERMINATED")
    assert len(town.wire.seen) > 3


async def test_silence_is_given_up_in_the_end(town: Town) -> None:
    alice = town.add("alice", ALICE, patience=replace(QUICK, give_up_ms=2_000))
    row = await negotiate(alice.desk, BOB, BOB_AT, DATA, OFFER_ID, RULES)
    await town.until(lambda: (owed := alice.world.store.owed(row.pid)) is not None and owed.attempts > 1)
    await town.until(lambda: state_of(alice, row.pid) == "TERMINATED")
    assert "no answer" in alice.world.store.process(row.pid).trouble


async def test_a_termination_takes_the_place_of_what_did_not_arrive(town: Town) -> None:
    alice = town.add("alice", ALICE)
    bob = town.add("bob", BOB, entries=(entry(),))
    row = await negotiate(alice.desk, BOB, BOB_AT, DATA, OFFER_ID, RULES)
    await town.until(lambda: state_of(alice, row.pid) == "REQUESTED")
    peer = alice.world.store.process(row.pid).peer_pid
    town.wire.faults.append(fault(1_000, lost, "/offers"))
    await bob.desk.do(peer, "offer")
    with pytest.raises(NotPossible):
        await bob.desk.do(peer, "agree")
    await bob.desk.do(peer, "terminate", reason="No longer.")
    await town.until(lambda: state_of(alice, row.pid) == "TERMINATED" == state_of(bob, peer))


async def test_what_is_owed_survives_a_crash(town: Town, tmp_path: Path) -> None:
    """Bob dies with an agreement owed; a new process on the same folder sends it, and the negotiation ends well."""
    alice = town.add("alice", ALICE, CONSUMER_RULES)
    store = ConnectorDatabase.in_folder(tmp_path / "bob-state")
    first = town.add("bob", BOB, PROVIDER_RULES, store=store, entries=(entry(),))
    town.wire.faults.append(fault(1_000, lost, "/agreement"))
    row = await negotiate(alice.desk, BOB, BOB_AT, DATA, OFFER_ID, RULES)
    await town.until(lambda: any(one.event == "agree" for one in store.all_owed()))
    await first.outbox.stop()
    store.close()
    del town.wire.hosts["bob"]
    town.wire.faults.clear()
    again = ConnectorDatabase.in_folder(tmp_path / "bob-state")
    second = town.add("bob", BOB, PROVIDER_RULES, store=again, entries=(entry(),))
    await town.until(lambda: state_of(alice, row.pid) == "FINALIZED")
    assert len(second.world.store.contracts()) == 1
    await second.stop()
    await first._stop_noting()
    again.close()
    town.connectors.pop("bob")


async def test_evidence_waits_for_the_log(town: Town) -> None:
    alice, bob = pair(town)
    await finalized(town, alice, bob)
    assert await bob.hand_over() <= 1
    assert [note.kind for note in town.notes["bob"].notes] == ["negotiation-finalized"]
    assert await bob.hand_over() == 0


async def test_the_wire_saw_only_valid_messages_with_ids_of_their_own(town: Town) -> None:
    alice, bob = pair(town)
    await finalized(town, alice, bob)
    assert m.CONTEXT in message("X")["@context"]
    assert [status for _, _, status in town.wire.seen] == [201, 200, 200, 200]
