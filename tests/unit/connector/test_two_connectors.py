"""Two connectors of ours, each with its auto-pilot, from catalog to data."""

from __future__ import annotations

from pathlib import Path

import httpx
from tests.unit.connector.conftest import ALICE, BOB, CONTENT, DATA, RULES, Town, decoded, entry, state_of

from xinglin.connector import asking
from xinglin.connector.opening import negotiate, offer_to, transfer

PROVIDER_RULES = """
[[rule]]
on = "REQUESTED"
do = "agree"
side = "provider"
[[rule]]
on = "ACCEPTED"
do = "agree"
side = "provider"
[[rule]]
on = "VERIFIED"
do = "finalize"
side = "provider"
[[rule]]
process = "transfer"
on = "REQUESTED"
do = "start"
side = "provider"
"""
CONSUMER_RULES = """
[[rule]]
on = "OFFERED"
do = "accept"
side = "consumer"
offer = "any"
[[rule]]
on = "AGREED"
do = "verify"
side = "consumer"
"""
BOB_AT = "http://bob/dsp/2025-1"
ALICE_AT = "http://alice/dsp/2025-1"


def pair(town: Town) -> tuple:
    alice = town.add("alice", ALICE, CONSUMER_RULES)
    return alice, town.add("bob", BOB, PROVIDER_RULES, entries=(entry(keywords=("heart",)),))


async def finalized(town: Town, alice, bob) -> str:
    row = await negotiate(alice.desk, BOB, BOB_AT + "/", DATA, "urn:xinglin:offer:incidence", RULES)
    await town.until(lambda: state_of(alice, row.pid) == "FINALIZED")
    agreement = alice.world.store.process(row.pid).agreement
    await town.until(lambda: bob.world.store.contract(agreement, "provider").state == "FINALIZED")
    return agreement


async def test_a_negotiation_ends_in_one_agreement_that_both_hold(town: Town) -> None:
    alice, bob = pair(town)
    agreement = await finalized(town, alice, bob)
    ours, theirs = alice.world.store.contract(agreement, "consumer"), bob.world.store.contract(agreement, "provider")
    assert (ours.document, ours.state) == (theirs.document, theirs.state)
    found = decoded(ours.document)
    assert (found["assigner"], found["assignee"], found["target"]) == (BOB, ALICE, DATA)
    assert found["permission"] == RULES["permission"]


async def test_what_was_agreed_is_fetched_and_noted(town: Town, tmp_path: Path) -> None:
    alice, bob = pair(town)
    agreement = await finalized(town, alice, bob)
    row = await transfer(alice.desk, BOB, BOB_AT, agreement, "HttpData-PULL")
    await town.until(lambda: state_of(alice, row.pid) == "STARTED")
    target = tmp_path / "incidence.csv"
    async with httpx.AsyncClient(transport=town.wire) as client:
        assert await asking.fetch(client, alice.world.store.process(row.pid), target, trial=True) == len(CONTENT)
    assert target.read_bytes() == CONTENT
    await alice.desk.do(row.pid, "complete")
    peer = alice.world.store.process(row.pid).peer_pid
    await town.until(lambda: state_of(bob, peer) == "COMPLETED")
    await bob.hand_over()
    kinds = [note.kind for note in town.notes["bob"].notes]
    assert kinds == ["negotiation-finalized", "transfer-started", "transfer-data", "transfer-completed"]


async def test_a_provider_begins_with_an_offer(town: Town) -> None:
    alice, bob = pair(town)
    row = await offer_to(bob.desk, ALICE, ALICE_AT, DATA)
    await town.until(lambda: state_of(bob, row.pid) == "FINALIZED")
    peer = bob.world.store.process(row.pid).peer_pid
    await town.until(lambda: state_of(alice, peer) == "FINALIZED")
    assert alice.world.store.process(peer).trail == "OFFERED,ACCEPTED,AGREED,VERIFIED,FINALIZED"


async def test_the_catalog_is_read_page_by_page(town: Town) -> None:
    alice = town.add("alice", ALICE)
    ids = [f"urn:d:{number:03}" for number in range(25)]
    town.add("bob", BOB, entries=tuple(entry(one, f"o-{one}") for one in ids), page_size=10)
    sender, present = alice.desk._sender, alice.world.present
    assert [one["@id"] async for one in asking.catalog(sender, present, BOB, BOB_AT)] == ids
    assert len([one for one in town.wire.seen if one[1].endswith("/catalog/request")]) == 3
    found = await asking.data_set(sender, present, BOB, BOB_AT, "urn:d:007")
    assert found["hasPolicy"][0]["@id"] == "o-urn:d:007"


async def test_a_hundred_negotiations_at_once_all_end(town: Town) -> None:
    alice, bob = pair(town)
    rows = [await negotiate(alice.desk, BOB, BOB_AT, DATA, "urn:xinglin:offer:incidence", RULES) for _ in range(100)]
    await town.until(lambda: all(state_of(alice, row.pid) == "FINALIZED" for row in rows), 30)
    await town.until(lambda: not bob.world.store.all_owed() and not alice.world.store.all_owed())
    assert len(bob.world.store.contracts()) == 100
    assert {status for _, _, status in town.wire.seen} <= {200, 201}
