"""Credentials by the desk's verbs: asked for, granted, delivered, presented, revoked; offered; refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.unit.connector.assembled_parties import Parties, desk

from xinglin.connector.assembly import Assembled
from xinglin.connector.dcp_issuing import DAY_MS
from xinglin.connector.errors import NotPossible
from xinglin.kernel.errors import MalformedMessage
from xinglin.wire.dsp.errors import Unreachable
from xinglin.wire.errors import Refused

ISSUER, HOLDER = "did:web:issuer.example", "did:web:holder.example"


@pytest.fixture
async def parties(tmp_path: Path) -> AsyncIterator[Parties]:
    made = Parties(tmp_path)
    made.make("issuer", ("issuer",), issues=("Membership",))
    made.make("holder", ("issuer",))
    yield made
    await made.close()


async def admitted(parties: Parties) -> bool:
    """Whether the issuer's own door lets the holder in."""
    issuer, holder = parties.made
    header = await holder.present(issuer.did, "https://issuer.example")
    return await issuer.door(header) is not None


async def granted(issuer: Assembled, holder: Assembled, **more: str) -> str:
    await desk(holder, "ask", issuer=ISSUER, ids="Membership")
    (request,) = [one for one in await desk(issuer, "requests") if one["status"] == "RECEIVED"]
    assert request["holder"] == HOLDER
    told = await desk(issuer, "grant", request=request["request_id"], claims='{"purpose":"health-research"}', **more)
    assert told["delivered"]
    return str(told["credentials"][0])


async def test_asked_for_granted_presented_and_revoked(parties: Parties) -> None:
    issuer, holder = parties.made
    assert await desk(holder, "metadata", issuer=ISSUER) == [
        {"id": "Membership", "type": "Membership", "profile": "vc20-bssl/jwt"}
    ]
    assert not await admitted(parties)
    credential = await granted(issuer, holder)
    held = await desk(holder, "credentials")
    assert [one["credential_id"] for one in held["credentials"]] == [credential] and not held["requests"]
    assert "jwt" not in held["credentials"][0]
    assert await admitted(parties)
    assert issuer.door.proven(HOLDER).claims
    await desk(issuer, "revoke", credential=credential)
    parties.now_ms += 10 * 60_000  # status lists are remembered for minutes
    assert not await admitted(parties)


async def test_a_credential_ends_and_a_new_one_is_asked_for(parties: Parties) -> None:
    issuer, holder = parties.made
    await granted(issuer, holder, days="1")
    parties.now_ms += DAY_MS + 1
    assert not await admitted(parties)
    await granted(issuer, holder)
    assert await admitted(parties)


async def test_what_was_not_taken_is_delivered_later(parties: Parties) -> None:
    issuer, holder = parties.made
    await desk(holder, "ask", issuer=ISSUER, ids="Membership")
    away = parties.wire.hosts.pop("holder.example")
    (request,) = await desk(issuer, "requests")
    told = await desk(issuer, "grant", request=request["request_id"])
    assert not told["delivered"] and not (await desk(holder, "credentials"))["credentials"]
    parties.wire.hosts["holder.example"] = away
    assert issuer.connector.chores == [issuer.issuer.deliver] if issuer.issuer else False
    for chore in issuer.connector.chores:
        await chore()
    assert len((await desk(holder, "credentials"))["credentials"]) == 1
    assert (await desk(issuer, "requests"))[0]["delivered"]


async def test_offers_and_refusals(parties: Parties) -> None:
    issuer, holder = parties.made
    await desk(issuer, "offer", holder=HOLDER, ids="Membership")
    (offer,) = (await desk(holder, "credentials"))["offers"]
    assert offer["issuer"] == ISSUER and offer["credentials"][0]["credentialType"] == "Membership"
    await desk(holder, "ask", issuer=ISSUER, ids="Membership")
    (request,) = await desk(issuer, "requests")
    assert (await desk(issuer, "deny", request=request["request_id"], reason="Not a member."))["told"]
    held = await desk(holder, "credentials")
    assert not held["requests"] and not held["credentials"]
    with pytest.raises(NotPossible):  # decided already
        await desk(issuer, "grant", request=request["request_id"])
    with pytest.raises(NotPossible):
        await desk(issuer, "offer", holder=HOLDER, ids="Doctorate")
    with pytest.raises(NotPossible):
        await desk(issuer, "revoke", credential="urn:uuid:1")
    with pytest.raises(Unreachable):  # not given there; nothing is remembered of it
        await desk(holder, "ask", issuer=ISSUER, ids="Doctorate")
    assert not (await desk(holder, "credentials"))["requests"]
    with pytest.raises(Refused):  # not trusted: what it would deliver is refused
        await desk(holder, "ask", issuer="did:web:other.example", ids="Membership")
    with pytest.raises(Refused):  # issues nothing
        await desk(holder, "requests")
    for wrong in ({"claims": "[]"}, {"days": "0"}, {"days": "367"}, {"days": "x"}):
        with pytest.raises(MalformedMessage):
            await desk(issuer, "grant", request="urn:uuid:1", **wrong)
