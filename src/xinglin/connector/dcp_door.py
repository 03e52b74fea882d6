"""Who calls, by verified claims (port ``Authenticate``), and who we are (port ``Present``).

A caller sends a self-issued ID token; what it may not just say of itself is asked at its own Credential Service, with
the access token that it brought, and verified: profile, holder, issuers, times, status.
"""

from __future__ import annotations

import logging

import msgspec

from xinglin.connector.addresses import check_address
from xinglin.connector.answers import VOUCHED
from xinglin.connector.dcp_resolving import Resolver
from xinglin.kernel.errors import MalformedMessage, XinglinError
from xinglin.kernel.instants import Clock, Instant, system_clock
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Denied
from xinglin.trust.dcp import TYPE_SCOPE, check_any_did, no
from xinglin.trust.dcp_documents import CREDENTIAL_SERVICE
from xinglin.trust.dcp_messages import HERE, PresentationQueryMessage, PresentationResponseMessage, encode, parse
from xinglin.trust.dcp_presentations import JwtCredential, StatusBits, needed, verify_presentation
from xinglin.trust.dcp_tokens import IdToken, Signer, check_id_token, claimed_holder, grant_access, issue_id_token
from xinglin.trust.ports import ReplayStore
from xinglin.wire.dsp.errors import Unreachable
from xinglin.wire.dsp.ports import Caller, Sender

log = logging.getLogger("xinglin.connector")

REMEMBERED = Limit("callers remembered", 4_096, "callers")
PRESENTATIONS = Limit("presentations of an answer", 16, "presentations")


class ClaimsPolicy(msgspec.Struct, frozen=True):
    """``required``: types of credentials, each of which a caller has to present; ``issuers``: DIDs that we trust.

    ``life_ms``: how long claims that were verified count without being asked for again; the token is checked each time.
    """

    required: tuple[str, ...]
    issuers: frozenset[str]
    life_ms: int = 60_000

    @property
    def scopes(self) -> tuple[str, ...]:
        """What a Credential Service is asked for."""
        return tuple(TYPE_SCOPE + kind for kind in self.required)


class TokenDoor:
    """Checks self-issued ID tokens that are meant for us; every door of the protocol begins with this."""

    def __init__(self, signer: Signer, resolver: Resolver, replay: ReplayStore, clock: Clock = system_clock) -> None:
        self.signer, self.resolver, self.clock = signer, resolver, clock
        self._replay = replay

    async def admit(self, header: str) -> IdToken | Denied:
        """Whose token an ``Authorization`` header carries. Raises ``XinglinError`` where nothing can be looked up."""
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token:
            return no("malformed", "There is no bearer token.", "Send a self-issued ID token.")
        # What cannot be right is refused before anything is looked up at an address that the caller chose.
        holder = claimed_holder(token, self.signer.did, self.clock())
        if isinstance(holder, Denied):
            return holder
        document = await self.resolver.document(holder)
        return check_id_token(token, document, audience=self.signer.did, replay=self._replay, now=self.clock())


class ClaimsDoor:
    """``Authenticate`` by verified claims; None for whoever cannot prove what the policy requires."""

    def __init__(self, door: TokenDoor, sender: Sender, policy: ClaimsPolicy) -> None:
        self._door, self._sender, self._policy = door, sender, policy
        self._known: dict[str, tuple[Instant, Caller]] = {}

    async def __call__(self, header: str) -> Caller | None:
        """See the port."""
        try:
            found = await self.examine(header)
        except XinglinError as error:
            log.info("a caller is not admitted: %s", error.code)
            return None
        if isinstance(found, Denied):
            log.info("a caller is not admitted: %s", ", ".join(found.codes))
            return None
        return found

    async def examine(self, header: str) -> Caller | Denied:
        """The caller with its claims, or every reason why it is nobody here."""
        token = await self._door.admit(header)
        if isinstance(token, Denied):
            return token
        if not self._policy.required:
            return Caller(token.holder)
        until, known = self._known.get(token.holder, (0, None))
        if known is not None and self._door.clock() < until:
            return known
        credentials = await self._presented(token)
        if isinstance(credentials, Denied):
            return credentials
        presented = {kind for one in credentials for kind in one.types}
        missing = [kind for kind in self._policy.required if kind not in presented]
        if missing:
            return no("missing", f"Not presented: {', '.join(missing)}.", "Get these credentials from their issuer.")
        caller = Caller(token.holder, _claims(credentials))
        self._remember(caller, credentials)
        return caller

    async def _presented(self, token: IdToken) -> tuple[JwtCredential, ...] | Denied:
        """Ask the holder's Credential Service, and verify all that it says."""
        if not token.token:
            return no("no_access", "The token brings no access to the holder's credentials.", "Send it with 'token'.")
        resolver, signer = self._door.resolver, self._door.signer
        service = (await resolver.document(token.holder)).service(CREDENTIAL_SERVICE)
        check_address(service)
        query = PresentationQueryMessage(context=HERE, scope=self._policy.scopes)
        mine = issue_id_token(signer, token.holder, self._door.clock(), token=token.token)
        url = f"{service.rstrip('/')}/presentations/query"
        answer = await self._sender.post(url, encode(query), f"Bearer {mine}")
        if answer.status != 200:
            raise Unreachable(f"The holder's Credential Service answered {answer.status}.")
        presentations = parse(answer.body, PresentationResponseMessage).presentation
        PRESENTATIONS.check(len(presentations))
        found: list[JwtCredential] = []
        for one in presentations:
            if not isinstance(one, str):
                return no("mixed_profiles", "A presentation is not a vp+jwt.")
            verified = await self._verified(one, token.holder)
            if isinstance(verified, Denied):
                return verified
            found += verified
        return tuple(found)

    async def _verified(self, presentation: str, holder: str) -> tuple[JwtCredential, ...] | Denied:
        wanted = needed(presentation)
        if not wanted.issuers <= self._policy.issuers:
            return no("untrusted_issuer", "A credential's issuer is not trusted here.")
        resolver = self._door.resolver
        documents = await resolver.documents({holder} | wanted.issuers)
        return verify_presentation(
            presentation,
            documents,
            holder=holder,
            verifier=self._door.signer.did,
            issuers=self._policy.issuers,
            lists=await lists_of(resolver, wanted.lists, wanted.issuers),
            now=self._door.clock(),
        )

    def _remember(self, caller: Caller, credentials: tuple[JwtCredential, ...]) -> None:
        ends = [one.valid_until for one in credentials if one.valid_until]
        self._known.pop(caller.participant, None)
        self._known[caller.participant] = (min([*ends, self._door.clock() + self._policy.life_ms]), caller)
        while len(self._known) > REMEMBERED.value:
            del self._known[next(iter(self._known))]


class ClaimsPresent:
    """``Present``: a fresh self-issued ID token for each message, with access to these scopes for its receiver."""

    def __init__(self, signer: Signer, scopes: tuple[str, ...], clock: Clock = system_clock) -> None:
        self._signer, self._scopes, self._clock = signer, scopes, clock

    async def __call__(self, participant: str, url: str) -> str:
        """See the port."""
        try:
            check_any_did(participant)
        except MalformedMessage as error:
            raise Unreachable("The counterparty's id is no DID: it cannot be shown who we are.") from error
        now = self._clock()
        access = grant_access(self._signer, participant, self._scopes, now) if self._scopes else ""
        return f"Bearer {issue_id_token(self._signer, participant, now, token=access)}"


async def lists_of(resolver: Resolver, urls: frozenset[str], issuers: frozenset[str]) -> dict[str, StatusBits]:
    """The status lists at these addresses; one that cannot be had is left out: its credential is then refused."""
    found: dict[str, StatusBits] = {}
    for url in urls:
        try:
            found[url] = await resolver.status_list(url, issuers)
        except XinglinError as error:
            log.warning("a status list cannot be had: %s", error.code)
    return found


def _claims(credentials: tuple[JwtCredential, ...]) -> tuple[tuple[str, str], ...]:
    """(``Type.name``, value) of what is plain in them."""
    said = []
    for one in credentials:
        for kind in one.types:
            if f"{kind}.".startswith(VOUCHED):
                continue  # a person's word at this side, which no credential brings along
            said.append((kind, one.issuer))
            said += [(f"{kind}.{name}", text) for name, value in one.claims.items() for text in _texts(value)]
    return tuple(sorted(set(said)))


def _texts(value: object) -> list[str]:
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, str | int):
        return [str(value)]
    return [text for one in value for text in _texts(one)] if isinstance(value, list) else []
