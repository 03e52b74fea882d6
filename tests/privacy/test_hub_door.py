"""What does a thief of tokens, proofs and invites get at the hub's door? Each test knocks at the real one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest
import pytest_asyncio

from xinglin.kernel.canonical import canonical_bytes
from xinglin.kernel.codec import encode_msgpack
from xinglin.sample import data_set, descriptions
from xinglin.sample.profiles import PROFILES
from xinglin.terms.request import USE_REQUEST, Plan, UseRequest
from xinglin.terms.thresholds import DisclosureRules
from xinglin.testing.open_hub import OpenHub
from xinglin.trust.doors import issue_door_token, request_door_token
from xinglin.trust.dpop import DoorKey, prove
from xinglin.trust.envelope import Signed, sign
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.calls import RunCall
from xinglin.wire.channel import POLL_CONTEXT, REPORTS_CONTEXT, Poll, Published, Reports

DESCRIBED = msgspec.json.encode((data_set(PROFILES[0], "", descriptions()),))
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hub(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OpenHub]:
    async with OpenHub(tmp_path_factory.mktemp("open")) as one:
        yield one


def code(answer: httpx.Response) -> str:
    """The code of a problem's first reason."""
    return str(answer.json()["reasons"][0]["code"])


# --- invites ----------------------------------------------------------------------------------------------


async def test_an_invite_admits_once(hub: OpenHub) -> None:
    secret = hub.hub.members.invite("consumer").secret
    first, second = PrivateKeys.generate(), PrivateKeys.generate()
    assert (await hub.enrol(first, secret, ("consumer",))).status_code == 200
    answer = await hub.enrol(second, secret, ("consumer",))
    assert (answer.status_code, code(answer)) == (403, "hub.invite_refused")
    assert second.did not in hub.hub.members.directory.participants


async def test_an_expired_or_invented_invite_reads_the_same(hub: OpenHub) -> None:
    late = hub.hub.members.invite("consumer", life_ms=-1).secret
    answers = [await hub.enrol(PrivateKeys.generate(), secret, ("consumer",)) for secret in (late, "x" * 43, "")]
    assert {answer.text for answer in answers} == {answers[0].text}
    assert code(answers[0]) == "hub.invite_refused"


@pytest.mark.parametrize("roles", [("provider", "witness"), ("operator",), ("regulator",), ("consumer", "witness"), ()])
async def test_an_invite_gives_no_other_role(hub: OpenHub, roles: tuple[str, ...]) -> None:
    keys = PrivateKeys.generate()
    answer = await hub.enrol(keys, hub.hub.members.invite("consumer").secret, roles)
    assert 400 <= answer.status_code < 500
    assert keys.did not in hub.hub.members.directory.participants


# --- door tokens --------------------------------------------------------------------------------------------


async def test_a_copied_token_opens_nothing_without_its_key(hub: OpenHub) -> None:
    keys, own, thief = await hub.member(), DoorKey.generate(), DoorKey.generate()
    token = await hub.token(keys, own)
    assert (await hub.call(token, own, "GET", "/v1/datasets")).status_code == 200
    answer = await hub.call(token, thief, "GET", "/v1/datasets")
    assert (answer.status_code, code(answer)) == (401, "trust.door.other_key")
    bare = await hub.http.get("/v1/datasets", headers={"authorization": f"DPoP {token}"})
    bearer = await hub.http.get("/v1/datasets", headers={"authorization": f"Bearer {token}"})
    assert (bare.status_code, bearer.status_code) == (401, 401)


async def test_a_copied_proof_works_once_and_for_its_own_request(hub: OpenHub) -> None:
    keys, own = await hub.member(), DoorKey.generate()
    token = await hub.token(keys, own)
    headers = hub.headers(token, own, "GET", "/v1/datasets")
    elsewhere = await hub.http.get("/v1/agreements", headers=headers)
    assert (elsewhere.status_code, code(elsewhere)) == (401, "trust.door.other_request")
    posted = await hub.http.post("/v1/runs", headers=headers, content=b"{}")
    assert (posted.status_code, code(posted)) == (401, "trust.door.other_request")
    assert (await hub.http.get("/v1/datasets", headers=headers)).status_code == 200
    again = await hub.http.get("/v1/datasets", headers=headers)
    assert (again.status_code, code(again)) == (401, "trust.door.replayed")


async def test_a_token_ends_after_five_minutes(hub: OpenHub) -> None:
    keys, own = await hub.member(), DoorKey.generate()
    token = await hub.token(keys, own)
    hub.clock.off_ms = 6 * 60_000
    try:
        answer = await hub.call(token, own, "GET", "/v1/datasets")
    finally:
        hub.clock.off_ms = 0
    assert (answer.status_code, code(answer)) == (401, "trust.door.expired")


@pytest.mark.parametrize("off_ms", [300_000, -300_000])
async def test_a_requester_whose_clock_is_five_minutes_off_is_told_so(hub: OpenHub, off_ms: int) -> None:
    keys, own = await hub.member(), DoorKey.generate()
    token, path = await hub.token(keys, own), "/v1/datasets"
    proof = prove(own, "GET", hub.space.hub_url + path, token, now=hub.clock() + off_ms)
    answer = await hub.http.get(path, headers={"authorization": f"DPoP {token}", "dpop": proof})
    assert (answer.status_code, code(answer)) == (401, "trust.door.clock")
    wish = request_door_token(
        keys,
        own,
        issuer=hub.space.operator,
        audience=(hub.space.operator,),
        scope=frozenset({"runs"}),
        now=hub.clock() + off_ms,
    )
    refused = await hub.http.post("/v1/door", content=msgspec.json.encode(wish))
    assert (refused.status_code, code(refused)) == (401, "trust.door.clock")


async def test_a_token_of_anybody_elses_making_is_refused(hub: OpenHub) -> None:
    keys, own = await hub.member(), DoorKey.generate()
    forged = issue_door_token(
        keys,
        subject=keys.did,
        audience=(hub.space.operator,),
        scope=frozenset({"runs", "catalogue"}),
        jkt=own.thumbprint,
        now=hub.clock(),
    )
    assert isinstance(forged, str)
    answer = await hub.call(forged, own, "GET", "/v1/datasets")
    assert (answer.status_code, code(answer)) == (401, "trust.door.untrusted_issuer")


async def test_a_token_opens_what_it_was_made_for(hub: OpenHub) -> None:
    keys, own = await hub.member(), DoorKey.generate()
    token = await hub.token(keys, own, frozenset({"catalogue"}))
    answer = await hub.call(token, own, "GET", "/v1/agreements")
    assert (answer.status_code, code(answer)) == (401, "trust.door.scope")


async def test_a_replayed_wish_gives_no_second_token(hub: OpenHub) -> None:
    keys, own = await hub.member(), DoorKey.generate()
    operator = hub.space.operator
    wish = request_door_token(
        keys, own, issuer=operator, audience=(operator,), scope=frozenset({"runs"}), now=hub.clock()
    )
    body = msgspec.json.encode(wish)
    assert (await hub.http.post("/v1/door", content=body)).status_code == 200
    again = await hub.http.post("/v1/door", content=body)
    assert (again.status_code, code(again)) == (401, "trust.door.replayed")


# --- what is another's ----------------------------------------------------------------------------------------


async def test_a_run_of_somebody_else_is_not_there(hub: OpenHub) -> None:
    """Its view, its result, its end: for anyone but the asker there is no such run."""
    hospitals = sorted([(await hub.member("provider")).did for _ in range(3)])
    asker, other, own = await hub.member(), await hub.member(), DoorKey.generate()
    plan = Plan(
        study="study",
        data_set="cardiology",
        sql="SELECT age FROM cardiac",
        algorithm="describe",
        params={"columns": ["age"]},
        roster=tuple(hospitals),
        as_of=1,
        agreements=dict.fromkeys(hospitals, "sha256:" + "0" * 64),
        rules=DisclosureRules(),
    )
    request = UseRequest(
        plan=plan.digest(),
        requester=asker.did,
        study="study",
        purpose="health-research",
        operation="statistics",
        nonce="n" * 24,
        issued=hub.clock(),
        expires=hub.clock() + 60_000,
        recipients=(asker.did,),
        nodes=tuple(hospitals),
    )
    body = msgspec.json.encode(RunCall(sign(asker, USE_REQUEST, request), canonical_bytes(plan)))
    mine = await hub.token(asker, own)
    started = await hub.call(mine, own, "POST", "/v1/runs", content=body)
    run = started.json()["run_id"]
    theirs = await hub.token(other, own)
    for method, path in (("GET", ""), ("GET", "/result"), ("POST", "/cancel")):
        answer = await hub.call(theirs, own, method, f"/v1/runs/{run}{path}")
        assert (answer.status_code, code(answer)) == (404, "hub.unknown_run")
    stolen = msgspec.json.encode(RunCall(sign(other, USE_REQUEST, request), canonical_bytes(plan)))
    answer = await hub.call(theirs, own, "POST", "/v1/runs", content=stolen)
    assert (answer.status_code, code(answer)) == (400, "hub.not_the_requester")
    assert (await hub.call(mine, own, "POST", f"/v1/runs/{run}/cancel")).json()["state"] == "cancelled"


# --- the nodes' line ------------------------------------------------------------------------------------------


async def _poll(hub: OpenHub, keys: PrivateKeys, **changes: object) -> httpx.Response:
    known = {"node": keys.did, "boot": "b", "at": hub.clock(), "hub_boot": "", "have": 0, "log_size": 0, **changes}
    signed = sign(keys, POLL_CONTEXT, encode_msgpack(Poll(**known)))
    return await hub.http.post("/node/poll", content=encode_msgpack(signed))


async def test_only_a_hospitals_own_key_uses_its_line(hub: OpenHub) -> None:
    node, member, stranger = await hub.member("provider"), await hub.member(), PrivateKeys.generate()
    assert (await _poll(hub, stranger)).status_code == 401
    assert code(await _poll(hub, member)) == "hub.not_a_node"
    assert code(await _poll(hub, member, node=node.did)) == "hub.not_a_node"
    reports = Reports(node.did, "b", 1, hub.clock(), (Published(b"[]"),))
    signed = sign(node, REPORTS_CONTEXT, encode_msgpack(reports))
    renamed = msgspec.structs.replace(signed, signer=member.did)
    assert (await hub.http.post("/node/send", content=encode_msgpack(renamed))).status_code == 401
    other: Signed = msgspec.structs.replace(signed, context=POLL_CONTEXT)
    assert (await hub.http.post("/node/poll", content=encode_msgpack(other))).status_code == 401


@pytest.mark.parametrize("off_ms", [300_000, -300_000])
async def test_a_node_whose_clock_is_five_minutes_off_is_told_so(hub: OpenHub, off_ms: int) -> None:
    node = await hub.member("provider")
    answer = await _poll(hub, node, at=hub.clock() + off_ms)
    assert (answer.status_code, code(answer)) == (403, "hub.clock")


async def test_a_replayed_batch_of_reports_changes_nothing(hub: OpenHub) -> None:
    """Also one of an earlier start of the node: what it has published since stays."""
    node = await hub.member("provider")
    batches = []
    for boot, published in (("first", b"[]"), ("second", DESCRIBED)):
        reports = Reports(node.did, boot, 1, hub.clock(), (Published(published),))
        batches.append(encode_msgpack(sign(node, REPORTS_CONTEXT, encode_msgpack(reports))))
        assert (await hub.http.post("/node/send", content=batches[-1])).status_code == 200
    kept = dict(hub.hub.store.publications())[node.did]
    assert b"cardiology" in kept
    for batch in batches:
        await hub.http.post("/node/send", content=batch)
    assert dict(hub.hub.store.publications())[node.did] == kept
