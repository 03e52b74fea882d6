"""Routes of the Decentralized Claims Protocol: a holder's Credential Service, an issuer, and what is public.

Whoever is nobody here gets 401, whatever else is wrong with the request; a request that is another's is 404 like one
that never was.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec
from litestar import Response, Router, get, post

from xinglin.connector.dcp_door import TokenDoor, lists_of
from xinglin.connector.dcp_issuing import Issuer
from xinglin.connector.dcp_wallet import Held, Offer, Wallet
from xinglin.connector.doorway import HttpRequest, answer, body_of
from xinglin.kernel.errors import LimitExceeded, MalformedMessage, XinglinError
from xinglin.kernel.verdict import Denied
from xinglin.trust.dcp import CONTEXT, PROFILE
from xinglin.trust.dcp_documents import CREDENTIAL_SERVICE, ISSUER_SERVICE, did_web_url, make_document
from xinglin.trust.dcp_messages import (
    HERE,
    CredentialMessage,
    CredentialOfferMessage,
    CredentialRequestMessage,
    CredentialStatus,
    IssuerMetadata,
    PresentationQueryMessage,
    PresentationResponseMessage,
    UnsupportedQuery,
    parse,
    scopes_of,
)
from xinglin.trust.dcp_presentations import JwtCredential, present, status_urls, verify_credential
from xinglin.trust.dcp_tokens import IdToken, Signer, check_access

log = logging.getLogger("xinglin.connector")

HOLDER_PATH, ISSUER_PATH = "/dcp/holder", "/dcp/issuer"
STATUS_PATH = f"{ISSUER_PATH}/status/1"
Work = Callable[[IdToken], Awaitable[Response[bytes]]]


class Refused(XinglinError):
    """A claims request that is understood and not granted."""

    code = "dcp.refused"

    def __init__(self, status: int, what: str) -> None:
        super().__init__(what)
        self.status = status


def credential_service_routes(door: TokenDoor, wallet: Wallet, issuers: frozenset[str]) -> Router:
    """The holder's Credential Service; credentials and offers are taken from ``issuers`` (DIDs) alone."""

    @post("/presentations/query", status_code=200)
    async def query(request: HttpRequest) -> Response[bytes]:
        async def work(token: IdToken) -> Response[bytes]:
            granted = check_access(token.token, door.signer, token.holder, door.clock())
            if isinstance(granted, Denied):
                raise Refused(401, "The token brings no access to this holder's credentials.")
            asked = frozenset(scopes_of(parse(await body_of(request), PresentationQueryMessage)))
            if not asked <= granted:
                raise Refused(403, "The query asks for more than the access token grants.")
            held = wallet.matching(asked, door.clock())
            made = present(door.signer, (one.jwt for one in held), token.holder, door.clock())
            shown = (made,) if held else ()
            return answer(PresentationResponseMessage(context=HERE, presentation=shown))

        return await _answered(door, request, work)

    @post("/credentials", status_code=200)
    async def deliver(request: HttpRequest) -> Response[bytes]:
        async def work(token: IdToken) -> Response[bytes]:
            _trusted(token, issuers)
            message = parse(await body_of(request), CredentialMessage)
            if wallet.state.requests.get(message.holder_pid) != token.holder:
                raise Refused(404, "There is no such request to this issuer.")
            if message.status == "ISSUED":
                wallet.add(await _read(door, message, token.holder))
            else:
                log.warning("request %s was refused by its issuer", message.holder_pid)
            wallet.answered(message.holder_pid)
            return answer({})

        return await _answered(door, request, work)

    @post("/offers", status_code=200)
    async def offers(request: HttpRequest) -> Response[bytes]:
        async def work(token: IdToken) -> Response[bytes]:
            _trusted(token, issuers)
            message = parse(await body_of(request), CredentialOfferMessage)
            if message.issuer != token.holder or not message.credentials:
                raise MalformedMessage("An offer is the sender's own, of at least one credential.")
            wallet.offered(Offer(message.issuer, message.credentials, door.clock()))
            return answer({})

        return await _answered(door, request, work)

    return Router(HOLDER_PATH, route_handlers=[query, deliver, offers])


def issuer_routes(door: TokenDoor, issuer: Issuer) -> Router:
    """The issuer's side; the status list is for everybody."""

    @post("/credentials", status_code=201)
    async def ask(request: HttpRequest) -> Response[bytes]:
        async def work(token: IdToken) -> Response[bytes]:
            message = parse(await body_of(request), CredentialRequestMessage)
            wanted = tuple(dict.fromkeys(one.id for one in message.credentials))
            kept = issuer.receive(token.holder, message.holder_pid, wanted, token.token)
            place = f"{_root_of(issuer.list_url)}{ISSUER_PATH}/requests/{quote(kept.request_id, safe=':')}"
            return answer({}, 201, {"Location": place})

        return await _answered(door, request, work)

    @get("/requests/{request_id:str}")
    async def status(request: HttpRequest, request_id: str) -> Response[bytes]:
        async def work(token: IdToken) -> Response[bytes]:
            found = issuer.request_of(token.holder, request_id)
            if found is None:
                raise Refused(404, "There is no such request of yours.")
            said: dict[str, Any] = {"issuer_pid": found.request_id, "holder_pid": found.holder_pid}
            return answer(CredentialStatus(context=HERE, status=found.status, **said))  # type: ignore[arg-type]

        return await _answered(door, request, work)

    @get("/metadata")
    async def metadata(request: HttpRequest) -> Response[bytes]:
        async def work(_token: IdToken) -> Response[bytes]:
            return answer(_metadata(issuer))

        return await _answered(door, request, work)

    @get("/status/1")
    async def status_list() -> Response[bytes]:
        return Response(issuer.status_list().encode(), media_type="application/vc+jwt", status_code=200)

    return Router(ISSUER_PATH, route_handlers=[ask, status, metadata, status_list])


def public_routes(signer: Signer, root: str, issuer: Issuer | None = None, also: tuple[str, ...] = ()) -> Router:
    """``/.well-known/dspace-trust``, and our ``did:web`` document where its name says that it lies; for everybody."""
    services = [("credential-service", CREDENTIAL_SERVICE, f"{root.rstrip('/')}{HOLDER_PATH}")]
    if issuer is not None:
        services.append(("issuer-service", ISSUER_SERVICE, f"{root.rstrip('/')}{ISSUER_PATH}"))
    document = make_document(signer.did, signer.public, kid=signer.kid, services=services, also=also)
    kinds = sorted(issuer.supported.values()) if issuer is not None else []
    trust = {
        "@context": [CONTEXT],
        "profiles": [PROFILE],
        "credentialsSupported": [
            {
                "types": ["VerifiableCredential", kind],
                "bindingMethod": "did:web",
                "cryptographicSuites": ["EdDSA"],
            }
            for kind in kinds
        ],
    }

    @get("/.well-known/dspace-trust")
    async def trusted() -> Response[bytes]:
        return answer(trust)

    handlers: list[Any] = [trusted]
    if signer.did.startswith("did:web:"):

        @get(urlsplit(did_web_url(signer.did)).path)
        async def exported() -> Response[bytes]:
            return Response(msgspec.json.encode(document), media_type="application/did+json", status_code=200)

        handlers.append(exported)
    return Router("/", route_handlers=handlers)


async def _answered(door: TokenDoor, request: HttpRequest, work: Work) -> Response[bytes]:
    """What ``work`` answers to somebody; who is nobody hears 401 and no more."""
    try:
        token = await door.admit(request.headers.get("authorization", ""))
    except XinglinError as error:
        log.info("a token cannot be checked: %s", error.code)
        token = None
    if token is None or isinstance(token, Denied):
        return answer({"code": "dcp.not_authenticated"}, 401, {"WWW-Authenticate": "Bearer"})
    try:
        return await work(token)
    except XinglinError as error:
        return answer({"code": error.code, "reason": [error.what]}, _status_of(error))


def _status_of(error: XinglinError) -> int:
    if isinstance(error, Refused):
        return error.status
    if isinstance(error, UnsupportedQuery):
        return 501
    return 413 if isinstance(error, LimitExceeded) else 400


def _trusted(token: IdToken, issuers: frozenset[str]) -> None:
    if token.holder not in issuers:
        raise Refused(403, "This issuer is not trusted here.")


async def _read(door: TokenDoor, message: CredentialMessage, issuer: str) -> tuple[Held, ...]:
    """The delivered credentials, each verified: of this profile and issuer, and about us."""
    if not message.credentials:
        raise MalformedMessage("Nothing is delivered.")
    documents = await door.resolver.documents((issuer,))
    held = []
    for one in message.credentials:
        if one.format != PROFILE:
            raise MalformedMessage(f"Only credentials of the profile {PROFILE} are kept here.")
        found = verify_credential(
            one.payload,
            documents,
            holder=door.signer.did,
            issuers=frozenset((issuer,)),
            lists=await lists_of(door.resolver, status_urls(one.payload), frozenset((issuer,))),
            now=door.clock(),
        )
        if isinstance(found, Denied):
            raise MalformedMessage(" ".join(reason.words for reason in found.reasons))
        held.append(_held(found, one.credential_type))
    return tuple(held)


def _held(found: JwtCredential, kind: str) -> Held:
    if kind not in found.types or not found.id:
        raise MalformedMessage("A delivered credential is not of the type that is said, or has no id.")
    return Held(found.jwt, found.id, found.types, found.issuer, found.valid_until)


def _metadata(issuer: Issuer) -> IssuerMetadata:
    return IssuerMetadata(context=HERE, issuer=issuer.signer.did, credentials_supported=issuer.listed())


def _root_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
