"""Who stands at a connector of the space, and what is proven of them (port ``Authenticate``).

A member of the space shows itself by the key that the log holds; anybody else by credentials of issuers whom the
operator named. What a caller has proven is remembered for a while: the auto-pilot decides after the call has ended.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from xinglin.connector.dcp_door import ClaimsDoor, ClaimsPolicy, TokenDoor
from xinglin.connector.dcp_resolving import Resolver
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Clock, Instant
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Denied
from xinglin.trust.dcp_documents import DidDocument, make_document, read_document
from xinglin.trust.dcp_tokens import Signer, claimed_holder
from xinglin.trust.ports import ReplayStore
from xinglin.trust.registry import KeyDirectory
from xinglin.wire.dsp.ports import Caller, Sender

REMEMBERED = Limit("callers whose claims are remembered", 4_096, "callers")
PROVEN_MS = 3_600_000
"""How long what a caller has proven counts: as long as a transfer's token."""


class MemberDocuments(Resolver):
    """DID documents of members from the log; everybody else's where ``did:web`` says that it lies."""

    def __init__(self, directory: Callable[[], KeyDirectory], sender: Sender, *, scheme: str, clock: Clock) -> None:
        super().__init__(sender, scheme=scheme, clock=clock)
        self._directory = directory

    async def document(self, did: str) -> DidDocument:
        """See ``Resolver``; a member whose keys have ended has none."""
        if not did.startswith("did:xinglin:"):
            return await super().document(did)
        public = self._directory().keys(did)
        return read_document(msgspec.json.encode(make_document(did, public.ed25519)), did)


class MemberDoor:
    """Port ``Authenticate``; ``proven`` tells what is known of a participant now."""

    def __init__(
        self,
        directory: Callable[[], KeyDirectory],
        signer: Signer,
        sender: Sender,
        policy: ClaimsPolicy,
        replay: ReplayStore,
        *,
        scheme: str,
        clock: Clock,
    ) -> None:
        self.tokens = TokenDoor(signer, MemberDocuments(directory, sender, scheme=scheme, clock=clock), replay, clock)
        self._directory, self._clock, self._policy = directory, clock, policy
        self._strangers = ClaimsDoor(self.tokens, sender, policy)
        self._proven: dict[str, tuple[Instant, Caller]] = {}

    async def __call__(self, header: str) -> Caller | None:
        """See the port."""
        token = header.partition(" ")[2]
        holder = claimed_holder(token, self.tokens.signer.did, self._clock())
        if isinstance(holder, Denied):
            return None
        if holder.startswith("did:xinglin:"):
            found = await self._member(header)
        else:
            # Credentials of nobody are accepted where no issuer was named: then members alone are let in.
            found = await self._strangers(header) if self._policy.issuers else None
        if found is not None:
            self._remember(found)
        return found

    @property
    def issuers(self) -> frozenset[str]:
        """Whose credentials count here."""
        return self._policy.issuers

    def proven(self, participant: str) -> Caller:
        """The participant with what it proved within the hour; without claims where that is longer ago."""
        until, found = self._proven.get(participant, (0, Caller(participant)))
        return found if self._clock() < until else Caller(participant)

    async def _member(self, header: str) -> Caller | None:
        try:
            token = await self.tokens.admit(header)
            if isinstance(token, Denied):
                return None
            roles = self._directory().roles(token.holder)
        except XinglinError:
            return None
        return Caller(token.holder, tuple(("Membership.roles", role) for role in sorted(roles))) if roles else None

    def _remember(self, caller: Caller) -> None:
        self._proven.pop(caller.participant, None)
        self._proven[caller.participant] = (self._clock() + PROVEN_MS, caller)
        while len(self._proven) > REMEMBERED.value:
            del self._proven[next(iter(self._proven))]
