"""Each endpoint: what it answers, what it refuses, and that a refusal tells nobody what is there."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from tests.unit.connector.conftest import (
    ALICE,
    BOB,
    DATA,
    OFFER_ID,
    RULES,
    Town,
    decoded,
    entry,
    message,
    request_message,
    state_of,
)

from xinglin.connector.app import Connector
from xinglin.connector.opening import negotiate
from xinglin.wire.dsp import messages as m

NOBODY = "urn:uuid:00000000-0000-4000-8000-000000000000"


async def opened(client: httpx.AsyncClient, consumer_pid: str = "c-1") -> str:
    done = await client.post("/negotiations/request", json=request_message(consumer_pid))
    assert done.status_code == 201, done.text
    found = done.json()
    assert (found["@type"], found["state"], found["consumerPid"]) == ("ContractNegotiation", "REQUESTED", consumer_pid)
    return str(found["providerPid"])


def event(pid: str, what: str = "ACCEPTED", consumer_pid: str = "c-1", **more: Any) -> dict[str, Any]:
    return message("ContractNegotiationEventMessage", providerPid=pid, consumerPid=consumer_pid, eventType=what, **more)


# --- negotiations


async def test_a_request_is_kept_and_told(town: Town, bob: Connector) -> None:
    async with town.client() as client:
        pid = await opened(client)
        done = await client.get(f"/negotiations/{pid}")
    assert (done.status_code, done.json()["state"]) == (200, "REQUESTED")
    assert bob.world.store.process(pid).participant == ALICE


async def test_the_same_request_again_is_the_same_negotiation(town: Town, bob: Connector) -> None:
    async with town.client() as client:
        pid = await opened(client)
        assert await opened(client) == pid
        other = await client.post("/negotiations/request", json=request_message(callbackAddress="http://elsewhere/"))
        assert other.status_code == 400
        assert len(bob.world.store.processes("negotiation")) == 1
    async with town.client("Bearer mallory") as client:
        assert await opened(client) != pid


async def test_one_more_open_process_than_one_may_have_is_refused(town: Town) -> None:
    bob = town.add("bob", BOB, entries=(entry(),), open_most=2)
    async with town.client() as client, town.client("Bearer mallory") as other:
        first, second = await opened(client, "c-1"), await opened(client, "c-2")
        refused = await client.post("/negotiations/request", json=request_message("c-3"))
        assert (refused.status_code, refused.json()["code"]) == (429, "dsp.too_many_open")
        assert bob.world.store.by_peer("negotiation", "provider", ALICE, "c-3") is None
        assert await opened(client, "c-1") == first  # the same one again is no new one
        assert await opened(other, "c-1") not in (first, second)  # somebody else has room
        ending = message("ContractNegotiationTerminationMessage", providerPid=first, consumerPid="c-1")
        assert (await client.post(f"/negotiations/{first}/termination", json=ending)).status_code == 200
        assert await opened(client, "c-3") not in (first, second)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"offer": {"@type": "Offer", "@id": OFFER_ID, "target": "nothing", **RULES}}, 404),
        ({"offer": {"@type": "Offer", "@id": "nothing", "target": DATA, **RULES}}, 404),
        ({"offer": {"@type": "Offer", "@id": OFFER_ID, **RULES}}, 400),
        ({"offer": {"@type": "Offer", "@id": OFFER_ID, "target": DATA, "permission": [{"action": "dance"}]}}, 400),
        ({"callbackAddress": "file:///etc/passwd"}, 400),
        ({"callbackAddress": "http://user:secret@alice/"}, 400),
        ({"callbackAddress": "http://alice/?next=x"}, 400),
        ({"callbackAddress": "alice"}, 400),
        ({"callbackAddress": "http://alice/" + "a" * 2_048}, 400),
        ({"consumerPid": ""}, 400),
        ({"@context": ["https://example.org"]}, 400),
    ],
)
async def test_requests_that_are_refused(town: Town, bob: Connector, changes: dict[str, Any], status: int) -> None:
    body = request_message(**changes)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(bob.app()), base_url="http://bob") as client:
        done = await client.post(
            "/dsp/2025-1/negotiations/request", json=body, headers={"authorization": "Bearer alice"}
        )
    town.wire.check(done.json())
    assert (done.status_code, done.json()["@type"]) == (status, "ContractNegotiationError")
    assert bob.world.store.processes("negotiation") == ()


async def test_unknown_terms_are_refused_with_the_nearest_known(town: Town, bob: Connector) -> None:
    rules = {
        "permission": [
            {"action": "use", "constraint": [{"leftOperand": "purpoze", "operator": "eq", "rightOperand": "x"}]}
        ]
    }
    body = request_message(offer={"@type": "Offer", "@id": OFFER_ID, "target": DATA, **rules})
    async with town.client() as client:
        done = await client.post("/negotiations/request", json=body)
    assert done.status_code == 400
    assert "purpose" in done.json()["reason"][0]["remedy"]


async def test_a_move_that_the_state_does_not_take_is_400_with_both_ids(town: Town, bob: Connector) -> None:
    async with town.client() as client:
        pid = await opened(client)
        done = await client.post(f"/negotiations/{pid}/events", json=event(pid))
        found = done.json()
        assert (done.status_code, found["code"], found["@type"]) == (
            400,
            "dsp.illegal_move",
            "ContractNegotiationError",
        )
        assert (found["providerPid"], found["consumerPid"]) == (pid, "c-1")
        assert state_of(bob, pid) == "REQUESTED"


async def test_the_other_sides_moves_are_refused(town: Town, bob: Connector) -> None:
    async with town.client() as client:
        pid = await opened(client)
        await bob.desk.do(pid, "terminate")
        for body in (event(pid, "FINALIZED"), event(pid, "ACCEPTED")):
            assert (await client.post(f"/negotiations/{pid}/events", json=body)).status_code == 400


async def test_a_termination_ends_and_a_second_one_is_refused(town: Town, bob: Connector) -> None:
    async with town.client() as client:
        pid = await opened(client)
        body = message("ContractNegotiationTerminationMessage", providerPid=pid, consumerPid="c-1", code="x")
        done = await client.post(f"/negotiations/{pid}/termination", json=body)
        assert (done.status_code, done.json()["state"]) == (200, "TERMINATED")
        assert (await client.post(f"/negotiations/{pid}/termination", json=body)).status_code == 400


async def test_the_same_message_sent_again_changes_nothing_and_a_second_one_is_refused(
    town: Town, bob: Connector
) -> None:
    async with town.client() as client:
        pid = await opened(client)
        body = message("ContractNegotiationTerminationMessage", **{"@id": "m-1"}, providerPid=pid, consumerPid="c-1")
        first = await client.post(f"/negotiations/{pid}/termination", json=body)
        again = await client.post(f"/negotiations/{pid}/termination", json=body)
        assert (first.status_code, again.status_code, first.json()) == (200, 200, again.json())
        assert bob.world.store.process(pid).version == 2
        other = await client.post(f"/negotiations/{pid}/termination", json=body | {"@id": "m-2"})
        assert other.status_code == 400


@pytest.mark.parametrize("changes", [{"consumerPid": "c-2"}, {"providerPid": NOBODY}])
async def test_ids_of_another_process_are_refused(town: Town, bob: Connector, changes: dict[str, str]) -> None:
    async with town.client() as client:
        pid = await opened(client)
        body = message("ContractNegotiationTerminationMessage", providerPid=pid, consumerPid="c-1") | changes
        assert (await client.post(f"/negotiations/{pid}/termination", json=body)).status_code == 400
        assert state_of(bob, pid) == "REQUESTED"


def everything(pid: str) -> list[tuple[str, str, dict[str, Any] | None]]:
    """Every question and every move of both sides about one process."""
    both = {"providerPid": pid, "consumerPid": pid}
    offer = {"@type": "Offer", "@id": OFFER_ID, "target": DATA, **RULES}
    agreement = {**offer, "@type": "Agreement", "assigner": BOB, "assignee": ALICE}
    negotiation = [
        ("request", message("ContractRequestMessage", **both, offer=offer)),
        ("offers", message("ContractOfferMessage", **both, offer=offer)),
        ("agreement", message("ContractAgreementMessage", **both, agreement=agreement)),
        ("agreement/verification", message("ContractAgreementVerificationMessage", **both)),
        ("events", message("ContractNegotiationEventMessage", **both, eventType="ACCEPTED")),
        ("events", message("ContractNegotiationEventMessage", **both, eventType="FINALIZED")),
        ("termination", message("ContractNegotiationTerminationMessage", **both)),
    ]
    transfers = [
        ("start", message("TransferStartMessage", **both)),
        ("completion", message("TransferCompletionMessage", **both)),
        ("suspension", message("TransferSuspensionMessage", **both)),
        ("termination", message("TransferTerminationMessage", **both)),
    ]
    asked = [
        *((f"negotiations/{pid}/{path}", body) for path, body in negotiation),
        *((f"transfers/{pid}/{path}", body) for path, body in transfers),
        (f"negotiations/{pid}", None),
        (f"transfers/{pid}", None),
    ]
    found: list[tuple[str, str, dict[str, Any] | None]] = []
    for path, body in asked:
        found.append(("GET" if body is None else "POST", f"/{path}", body))
        if not path.endswith(("/request", "/verification")):
            found.append(("GET" if body is None else "POST", f"/callback/{path}", body))
    return found


async def test_somebody_elses_process_is_as_unknown_as_none(town: Town, bob: Connector) -> None:
    async with town.client() as client:
        pid = await opened(client)
    before = bob.world.store.process(pid)
    async with town.client("Bearer mallory") as client:
        for (method, path, body), (_, path2, body2) in zip(everything(pid), everything(NOBODY), strict=True):
            theirs = await client.request(method, path, json=body)
            none = await client.request(method, path2, json=body2)
            assert theirs.status_code == none.status_code == 404, path
            assert theirs.text.replace(pid, NOBODY) == none.text, path
    assert bob.world.store.process(pid) == before


async def test_without_authorisation_nothing_is_told(town: Town, bob: Connector) -> None:
    async with town.client() as client:
        pid = await opened(client)
    async with town.client("") as client:
        for method, path, body in [*everything(pid), *everything(NOBODY)]:
            assert (await client.request(method, path, json=body)).status_code == 401
        for path, body in (
            ("/catalog/request", message("CatalogRequestMessage")),
            ("/negotiations/request", request_message()),
        ):
            assert (await client.post(path, json=body)).status_code == 401


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b"\xff", b'{"@type": "X"}', b"{" * 200])
async def test_what_is_no_message_is_400_everywhere_and_changes_nothing(
    town: Town, bob: Connector, body: bytes
) -> None:
    async with town.client() as client:
        pid = await opened(client)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(bob.app()),
        base_url="http://bob/dsp/2025-1",
        headers={"authorization": "Bearer alice", "content-type": "application/json"},
    ) as client:
        for path in [path for method, path, _ in everything(pid) if method == "POST"]:
            done = await client.post(path, content=body)
            town.wire.check(done.json())
            assert done.status_code == 400, path
        for path in ("/catalog/request", "/negotiations/request", "/negotiations/offers", "/transfers/request"):
            done = await client.post(path, content=body)
            town.wire.check(done.json())
            assert done.status_code == 400, path
    assert state_of(bob, pid) == "REQUESTED"


async def test_another_media_type_is_refused(town: Town, bob: Connector) -> None:
    body = json.dumps(request_message())
    async with town.client() as client:
        done = await client.post("/negotiations/request", content=body, headers={"content-type": "text/plain"})
        assert done.status_code == 400
        done = await client.post("/negotiations/request", content=body, headers={"content-type": "application/ld+json"})
        assert done.status_code == 201


async def test_one_byte_more_than_a_message_is_refused(town: Town, bob: Connector) -> None:
    body = json.dumps(request_message()).encode()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(bob.app()), base_url="http://bob") as client:
        done = await client.post(
            "/dsp/2025-1/negotiations/request",
            content=body + b" " * (m.MESSAGE_SIZE.value + 1 - len(body)),
            headers={"authorization": "Bearer alice", "content-type": "application/json"},
        )
    assert done.status_code == 400
    assert bob.world.store.processes("negotiation") == ()


async def test_a_wrong_path_or_method_is_no_server_error(town: Town, bob: Connector) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(bob.app()), base_url="http://bob") as client:
        assert (await client.get("/dsp/2025-1/nothing")).status_code == 404
        assert (await client.put("/dsp/2025-1/catalog/request")).status_code == 405
        assert (await client.post("/tck/negotiation.initiate", json={})).status_code == 404


# --- the consumer's side


async def test_a_first_offer_opens_a_negotiation_at_the_consumer(town: Town) -> None:
    alice = town.add("alice", ALICE)
    offer = {"@type": "Offer", "@id": "o", "target": DATA, **RULES}
    body = message("ContractOfferMessage", providerPid="p-1", offer=offer, callbackAddress="http://bob/dsp/2025-1")
    async with town.client("Bearer bob", "alice") as client:
        done = await client.post("/negotiations/offers", json=body)
        again = await client.post("/negotiations/offers", json=body)
    assert (done.status_code, done.json()["state"]) == (201, "OFFERED")
    assert again.json() == done.json()
    assert decoded(alice.world.store.process(done.json()["consumerPid"]).offer) == offer


async def test_a_consumer_takes_only_what_belongs_to_its_negotiation(town: Town) -> None:
    alice = town.add("alice", ALICE)
    town.add("bob", BOB, entries=(entry(),))
    row = await negotiate(alice.desk, BOB, "http://bob/dsp/2025-1", DATA, OFFER_ID, RULES)
    await town.until(lambda: state_of(alice, row.pid) == "REQUESTED")
    both = {"providerPid": alice.world.store.process(row.pid).peer_pid, "consumerPid": row.pid}
    good = {"@type": "Agreement", "@id": "a", "target": DATA, "assigner": BOB, "assignee": ALICE, **RULES}
    async with town.client("Bearer bob", "alice") as client:
        for wrong in ({"target": "other"}, {"assignee": "did:web:else"}, {"assigner": ALICE}):
            body = message("ContractAgreementMessage", **both, agreement=good | wrong)
            assert (await client.post(f"/callback/negotiations/{row.pid}/agreement", json=body)).status_code == 400
        offer = {"@type": "Offer", "@id": "o", "target": "other", **RULES}
        body = message("ContractOfferMessage", **both, offer=offer)
        assert (await client.post(f"/callback/negotiations/{row.pid}/offers", json=body)).status_code == 400
        assert state_of(alice, row.pid) == "REQUESTED"
        body = message("ContractAgreementMessage", **both, agreement=good)
        assert (await client.post(f"/callback/negotiations/{row.pid}/agreement", json=body)).status_code == 200
    assert state_of(alice, row.pid) == "AGREED"


# --- transfers


def transfer_message(agreement: str, consumer_pid: str = "t-1", **changes: Any) -> dict[str, Any]:
    return (
        message(
            "TransferRequestMessage",
            agreementId=agreement,
            format="HttpData-PULL",
            callbackAddress="http://alice/callback/",
            consumerPid=consumer_pid,
        )
        | changes
    )


async def test_only_the_agreements_own_party_may_ask_and_only_when_it_is_in_force(town: Town, bob: Connector) -> None:
    from msgspec.structs import replace

    from xinglin.wire.dsp.ports import ContractRow

    contract = ContractRow("a-1", "provider", ALICE, DATA, "AGREED", b"{}")
    bob.world.store.put_contract(contract)
    async with town.client() as client:
        assert (await client.post("/transfers/request", json=transfer_message("a-2"))).status_code == 404
        assert (await client.post("/transfers/request", json=transfer_message("a-1"))).status_code == 400
        bob.world.store.put_contract(replace(contract, state="FINALIZED"))
        wrong = transfer_message("a-1", format="AmazonS3-PUSH")
        assert (await client.post("/transfers/request", json=wrong)).status_code == 400
        done = await client.post("/transfers/request", json=transfer_message("a-1"))
        again = await client.post("/transfers/request", json=transfer_message("a-1"))
        assert (done.status_code, again.status_code, again.json()) == (201, 201, done.json())
        pid = done.json()["providerPid"]
        assert (await client.get(f"/transfers/{pid}")).json()["state"] == "REQUESTED"
        start = message("TransferStartMessage", providerPid=pid, consumerPid="t-1")
        refused = await client.post(f"/transfers/{pid}/start", json=start)
        assert (refused.status_code, refused.json()["@type"]) == (400, "TransferError")
    async with town.client("Bearer mallory") as client:
        theirs = await client.post("/transfers/request", json=transfer_message("a-1"))
        none = await client.post("/transfers/request", json=transfer_message("a-2"))
        assert theirs.status_code == none.status_code == 404
        assert theirs.text == none.text
