"""Claims end to end: an issuer, a holder and a verifier, each with its routes, over HTTP without a network."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar import Litestar
from tests.unit.trust.conftest import fixed_entropy

from xinglin.connector.dcp_door import ClaimsDoor, ClaimsPolicy, ClaimsPresent, TokenDoor
from xinglin.connector.dcp_issuing import OPEN_REQUESTS, Issuer
from xinglin.connector.dcp_resolving import Resolver
from xinglin.connector.dcp_routes import (
    HOLDER_PATH,
    ISSUER_PATH,
    STATUS_PATH,
    credential_service_routes,
    issuer_routes,
    public_routes,
)
from xinglin.connector.dcp_wallet import Wallet
from xinglin.connector.errors import NotPossible
from xinglin.connector.sending import HttpSender
from xinglin.kernel import Denied, LimitExceeded, MalformedMessage
from xinglin.trust import InMemoryReplayStore, PrivateKeys
from xinglin.trust.dcp import ID_SCOPE, PROFILE, TYPE_SCOPE
from xinglin.trust.dcp_documents import did_web
from xinglin.trust.dcp_messages import HERE, Container, CredentialMessage, encode
from xinglin.trust.dcp_presentations import issue
from xinglin.trust.dcp_tokens import Signer, grant_access, issue_id_token

NOW = 1_800_000_000_000
DAY = 86_400_000
CONTEXT = "https://w3id.org/dspace-dcp/v1.0/dcp.jsonld"
MEMBER = f"{TYPE_SCOPE}Membership"
HOLDER_URL, ISSUER_URL = "https://holder.example", "https://issuer.example"


class Party:
    """A participant with every role, at ``https://<name>.example``."""

    def __init__(self, space: ClaimsSpace, name: str, folder: Path) -> None:
        self.space, self.root = space, f"https://{name}.example"
        self.signer = Signer.of(PrivateKeys.generate(fixed_entropy(name)), did_web(f"{name}.example"))
        self.resolver = Resolver(space.sender, clock=space.clock)
        self.door = TokenDoor(self.signer, self.resolver, InMemoryReplayStore(), space.clock)
        self.wallet_path, self.issuer_path = folder / f"{name}.wallet", folder / f"{name}.issuer"
        self.wallet = Wallet(self.wallet_path)
        self.issuer = Issuer(
            self.signer,
            self.resolver,
            space.sender,
            self.root + STATUS_PATH,
            {"membership": "Membership"},
            path=self.issuer_path,
            clock=space.clock,
        )

    def app(self, issuers: frozenset[str]) -> Litestar:
        routers = [
            credential_service_routes(self.door, self.wallet, issuers),
            issuer_routes(self.door, self.issuer),
            public_routes(self.signer, self.root, self.issuer, also=("did:xinglin:x",)),
        ]
        return Litestar(routers, openapi_config=None, logging_config=None)

    def token(self, to: Party, access: str = "", at: int = 0) -> str:
        return f"Bearer {issue_id_token(self.signer, to.signer.did, at or self.space.now, token=access)}"

    async def say(self, to: Party, path: str, body: Any, access: str = "") -> httpx.Response:
        header = {"authorization": self.token(to, access)}
        return await self.space.client.post(to.root + path, json=body, headers=header)


class ClaimsSpace:
    """Three parties; the issuer is whom the others trust."""

    def __init__(self, folder: Path) -> None:
        self.now = NOW
        self.mounts: dict[str, httpx.AsyncBaseTransport] = {}
        self.client = httpx.AsyncClient(transport=_ByHost(self.mounts), trust_env=False)
        self.sender = HttpSender(self.client)
        self.holder, self.issuer, self.verifier = (
            Party(self, name, folder) for name in ("holder", "issuer", "verifier")
        )
        trusted = frozenset({self.issuer.signer.did})
        for party in (self.holder, self.issuer, self.verifier):
            self.mounts[party.root.removeprefix("https://")] = httpx.ASGITransport(party.app(trusted))
        self.policy = ClaimsPolicy(("Membership",), trusted)
        self.claims_door = ClaimsDoor(self.verifier.door, self.sender, self.policy)

    def clock(self) -> int:
        return self.now

    async def membership(self, **claims: str) -> str:
        """The holder asks, the issuer grants and delivers; the credential's id."""
        request = {"holderPid": f"ask-{len(self.issuer.issuer.state.requests)}", "credentials": [{"id": "membership"}]}
        self.holder.wallet.asked(request["holderPid"], self.issuer.signer.did)
        answer = await self.holder.say(
            self.issuer, f"{ISSUER_PATH}/credentials", message("CredentialRequestMessage", **request)
        )
        assert answer.status_code == 201, answer.text
        request_id = answer.headers["location"].rpartition("/")[2]
        assert await self.issuer.issuer.grant(request_id, {"Membership": claims or {"role": "hospital"}})
        return list(self.issuer.issuer.state.issued)[-1]

    async def shown(self) -> Any:
        """What the verifier makes of a call by the holder."""
        present = ClaimsPresent(self.holder.signer, self.policy.scopes, self.clock)
        return await self.claims_door.examine(await present(self.verifier.signer.did, self.verifier.root))


class _ByHost(httpx.AsyncBaseTransport):
    def __init__(self, mounts: dict[str, httpx.AsyncBaseTransport]) -> None:
        self.mounts, self.seen = mounts, []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(str(request.url))
        if request.url.host not in self.mounts:
            raise httpx.ConnectError("nobody there")
        return await self.mounts[request.url.host].handle_async_request(request)


def message(kind: str, **members: Any) -> dict[str, Any]:
    return {"@context": [CONTEXT], "type": kind, **members}


def query(**members: Any) -> dict[str, Any]:
    return message("PresentationQueryMessage", **members)


@pytest.fixture
async def space(tmp_path: Path) -> AsyncIterator[ClaimsSpace]:
    found = ClaimsSpace(tmp_path)
    yield found
    await found.client.aclose()


async def test_a_credential_is_asked_for_granted_delivered_and_presented(space: ClaimsSpace) -> None:
    await space.membership(role="hospital", country="CN")
    caller = await space.shown()
    assert caller.participant == space.holder.signer.did
    assert dict(caller.claims) == {
        "Membership": space.issuer.signer.did,
        "Membership.role": "hospital",
        "Membership.country": "CN",
    }


async def test_whoever_presents_nothing_is_nobody(space: ClaimsSpace) -> None:
    assert (await space.shown()).codes == ("trust.dcp.missing",)
    assert await space.claims_door("") is None
    assert await space.claims_door("Bearer x.y.z") is None
    without = space.holder.token(space.verifier)
    assert (await space.claims_door.examine(without)).codes == ("trust.dcp.no_access",)


async def test_a_token_opens_once_and_only_at_its_verifier(space: ClaimsSpace) -> None:
    await space.membership()
    present = ClaimsPresent(space.holder.signer, space.policy.scopes, space.clock)
    header = await present(space.verifier.signer.did, "")
    assert (await space.claims_door(header)) is not None
    assert (await space.claims_door.examine(header)).codes == ("trust.dcp.replayed",)
    other = await present(space.issuer.signer.did, "")
    assert (await space.claims_door.examine(other)).codes == ("trust.dcp.audience",)


async def test_a_revoked_membership_opens_nothing_after_the_minutes_that_claims_count(space: ClaimsSpace) -> None:
    name = await space.membership()
    assert not isinstance(await space.shown(), Denied)
    space.issuer.issuer.revoke(name)
    space.now += 400_000
    assert (await space.shown()).codes == ("trust.dcp.revoked",)


async def test_an_expired_membership_is_not_presented(space: ClaimsSpace) -> None:
    await space.membership()
    space.now += 91 * DAY
    assert (await space.shown()).codes == ("trust.dcp.missing",)


async def test_an_issuer_that_nobody_trusts_does_not_count(space: ClaimsSpace) -> None:
    await space.membership()
    door = ClaimsDoor(
        space.verifier.door, space.sender, ClaimsPolicy(("Membership",), frozenset({"did:web:a.example"}))
    )
    present = ClaimsPresent(space.holder.signer, space.policy.scopes, space.clock)
    found = await door.examine(await present(space.verifier.signer.did, ""))
    assert found.codes == ("trust.dcp.untrusted_issuer",)


async def test_nothing_is_looked_up_for_a_token_that_cannot_be_right(space: ClaimsSpace) -> None:
    seen = space.client._transport.seen
    wrong = [
        space.holder.token(space.issuer),
        space.holder.token(space.verifier, at=NOW - DAY),
        "Bearer a.b.c",
        "Basic abc",
    ]
    for header in wrong:
        assert await space.claims_door(header) is None
    assert seen == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (query(scope=[MEMBER]), 200),
        (query(scope=[MEMBER], presentationDefinition={"id": "1"}), 400),
        (query(presentationDefinition={"id": "1"}), 501),
        (query(), 400),
        (query(scope=[]), 400),
        (query(scope=["Membership"]), 400),
        (query(scope=[f"{TYPE_SCOPE}Licence"]), 403),
        (query(scope=[f"{ID_SCOPE}urn:uuid:1"]), 403),
        (query(scope="Membership"), 400),
        (message("CredentialOfferMessage", scope=[MEMBER]), 400),
        ({"type": "PresentationQueryMessage", "scope": [MEMBER]}, 400),
        ([], 400),
    ],
)
async def test_queries(space: ClaimsSpace, body: Any, status: int) -> None:
    await space.membership()
    access = grant_access(space.holder.signer, space.verifier.signer.did, (MEMBER,), NOW)
    answer = await space.verifier.say(space.holder, f"{HOLDER_PATH}/presentations/query", body, access)
    assert answer.status_code == status, answer.text
    if status == 200:
        assert answer.json()["type"] == "PresentationResponseMessage" and len(answer.json()["presentation"]) == 1


async def test_access_to_credentials_is_the_verifiers_own(space: ClaimsSpace) -> None:
    await space.membership()
    path, asked = f"{HOLDER_PATH}/presentations/query", query(scope=[MEMBER])
    access = grant_access(space.holder.signer, space.verifier.signer.did, (MEMBER,), NOW)
    answers = [
        await space.verifier.say(space.holder, path, asked),
        await space.issuer.say(space.holder, path, asked, access),
        await space.verifier.say(space.holder, path, asked, access + "x"),
        await space.verifier.say(space.holder, path, asked, access.replace(".", "..", 1)),
        await space.client.post(HOLDER_URL + path, json=asked),
        await space.client.post(HOLDER_URL + path, json={}),
    ]
    assert [answer.status_code for answer in answers] == [401] * 6
    assert (await space.verifier.say(space.holder, path, asked, access)).status_code == 200


def delivery(space: ClaimsSpace, by: Party, **changes: Any) -> dict[str, Any]:
    jwt = issue(
        by.signer,
        credential_id="urn:uuid:9",
        kind=changes.pop("kind", "Membership"),
        subject=changes.pop("subject", space.holder.signer.did),
        claims={},
        valid_from=NOW - DAY,
        valid_until=changes.pop("until", NOW + DAY),
    )
    container = Container("Membership", jwt, changes.pop("format", PROFILE))
    made = CredentialMessage(
        context=HERE, issuer_pid="1", holder_pid=changes.pop("pid", "ask"), status="ISSUED", credentials=(container,)
    )
    return json.loads(encode(made)) | changes


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, 200),
        ({"pid": "never"}, 404),
        ({"subject": "did:web:other.example"}, 400),
        ({"until": NOW - 1}, 400),
        ({"kind": "Licence"}, 400),
        ({"format": "vc11-sl2021/jwt"}, 400),
        ({"credentials": []}, 400),
        ({"status": "MAYBE"}, 400),
        ({"status": "REJECTED"}, 200),
    ],
)
async def test_only_what_we_asked_for_and_can_verify_is_kept(
    space: ClaimsSpace, changes: dict[str, Any], status: int
) -> None:
    space.holder.wallet.asked("ask", space.issuer.signer.did)
    body = delivery(space, space.issuer, **dict(changes))
    answer = await space.issuer.say(space.holder, f"{HOLDER_PATH}/credentials", body)
    assert answer.status_code == status, answer.text
    assert len(space.holder.wallet.state.credentials) == (1 if not changes else 0)
    if status == 200:
        again = await space.issuer.say(space.holder, f"{HOLDER_PATH}/credentials", body)
        assert again.status_code == 404


async def test_nobody_else_delivers_or_offers(space: ClaimsSpace) -> None:
    space.holder.wallet.asked("ask", space.issuer.signer.did)
    answer = await space.verifier.say(space.holder, f"{HOLDER_PATH}/credentials", delivery(space, space.verifier))
    assert answer.status_code == 403
    offer = message("CredentialOfferMessage", issuer=space.issuer.signer.did, credentials=[{"id": "membership"}])
    assert (await space.verifier.say(space.holder, f"{HOLDER_PATH}/offers", offer)).status_code == 403
    assert (await space.issuer.say(space.holder, f"{HOLDER_PATH}/offers", offer)).status_code == 200
    foreign = offer | {"issuer": space.verifier.signer.did}
    assert (await space.issuer.say(space.holder, f"{HOLDER_PATH}/offers", foreign)).status_code == 400
    empty = offer | {"credentials": []}
    assert (await space.issuer.say(space.holder, f"{HOLDER_PATH}/offers", empty)).status_code == 400
    assert [one.issuer for one in space.holder.wallet.state.offers] == [space.issuer.signer.did]


async def test_a_request_is_told_to_its_maker_alone(space: ClaimsSpace) -> None:
    body = message("CredentialRequestMessage", holderPid="ask", credentials=[{"id": "membership"}])
    first = await space.holder.say(space.issuer, f"{ISSUER_PATH}/credentials", body)
    again = await space.holder.say(space.issuer, f"{ISSUER_PATH}/credentials", body)
    assert (first.status_code, again.headers["location"]) == (201, first.headers["location"])

    async def told(by: Party, url: str) -> httpx.Response:
        return await space.client.get(url, headers={"authorization": by.token(space.issuer)})

    found = await told(space.holder, first.headers["location"])
    assert found.json() == message(
        "CredentialStatus", issuerPid=first.headers["location"].rpartition("/")[2], holderPid="ask", status="RECEIVED"
    )
    foreign = await told(space.verifier, first.headers["location"])
    unknown = await told(space.verifier, f"{ISSUER_URL}{ISSUER_PATH}/requests/urn:uuid:0")
    assert (foreign.status_code, foreign.text, foreign.headers) == (404, unknown.text, unknown.headers)
    request_id = found.json()["issuerPid"]
    assert not await space.issuer.issuer.refuse(request_id, "not a hospital")
    assert (await told(space.holder, first.headers["location"])).json()["status"] == "REJECTED"
    # The holder had not noted its request: it refused the message, which stays owed until it takes it.
    space.holder.wallet.asked("ask", space.issuer.signer.did)
    assert await space.issuer.issuer.deliver() == 1
    assert await space.issuer.issuer.deliver() == 0


async def test_an_issuer_gives_what_it_lists_and_a_holder_has_few_open_requests(
    space: ClaimsSpace,
) -> None:
    body = message("CredentialRequestMessage", holderPid="ask", credentials=[{"id": "licence"}])
    answer = await space.holder.say(space.issuer, f"{ISSUER_PATH}/credentials", body)
    assert answer.status_code == 400
    issuer = space.issuer.issuer
    for number in range(OPEN_REQUESTS.value):
        issuer.receive("did:web:h.example", str(number), ("membership",), "")
    with pytest.raises(LimitExceeded):
        issuer.receive("did:web:h.example", "one more", ("membership",), "")
    with pytest.raises(NotPossible):
        await issuer.grant("urn:uuid:0", {})
    with pytest.raises(NotPossible):
        issuer.revoke("urn:uuid:0")


async def test_what_is_public(space: ClaimsSpace) -> None:
    trust = (await space.client.get(f"{ISSUER_URL}/.well-known/dspace-trust")).json()
    assert trust["credentialsSupported"][0]["types"] == ["VerifiableCredential", "Membership"]
    found = (await space.client.get(f"{ISSUER_URL}/.well-known/did.json")).json()
    assert (found["id"], found["alsoKnownAs"]) == (space.issuer.signer.did, ["did:xinglin:x"])
    assert {one["type"] for one in found["service"]} == {"CredentialService", "IssuerService"}
    header = {"authorization": space.holder.token(space.issuer)}
    metadata = (await space.client.get(f"{ISSUER_URL}{ISSUER_PATH}/metadata", headers=header)).json()
    assert metadata["type"] == "IssuerMetadata" and metadata["credentialsSupported"][0]["profile"] == PROFILE
    assert (await space.client.get(f"{ISSUER_URL}{ISSUER_PATH}/metadata")).status_code == 401


async def test_a_wallet_and_an_issuer_are_there_again_after_a_restart(space: ClaimsSpace, tmp_path: Path) -> None:
    name = await space.membership()
    space.issuer.issuer.revoke(name)
    again = Wallet(space.holder.wallet_path)
    assert again.state == space.holder.wallet.state and len(again.state.credentials) == 1
    assert space.holder.wallet_path.stat().st_mode & 0o077 == 0
    same = Issuer(space.issuer.signer, space.issuer.resolver, space.sender, "", {}, path=space.issuer.issuer_path)
    assert same.state == space.issuer.issuer.state and same.state.revoked == (0,)
    space.holder.wallet_path.write_bytes(b"{")
    with pytest.raises(MalformedMessage):
        Wallet(space.holder.wallet_path)
    space.holder.wallet_path.write_text(json.dumps({"version": 2}))
    with pytest.raises(MalformedMessage):
        Wallet(space.holder.wallet_path)


async def test_a_participant_without_a_did_is_shown_nothing(space: ClaimsSpace) -> None:
    from xinglin.wire.dsp.errors import Unreachable

    with pytest.raises(Unreachable):
        await ClaimsPresent(space.holder.signer, space.policy.scopes)("TCK_PARTICIPANT", "")
