"""An issuer of credentials: requests that people decide on, credentials with a status, delivery to the holder."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from xinglin.connector.addresses import check_address
from xinglin.connector.dcp_resolving import Resolver
from xinglin.connector.dcp_wallet import Kept
from xinglin.connector.errors import NotPossible
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Clock, system_clock
from xinglin.kernel.limits import Limit
from xinglin.trust.credentials import StatusEntry, status_list_parts
from xinglin.trust.dcp import PROFILE
from xinglin.trust.dcp_documents import CREDENTIAL_SERVICE
from xinglin.trust.dcp_messages import (
    HERE,
    Container,
    CredentialMessage,
    CredentialObject,
    CredentialOfferMessage,
    encode,
)
from xinglin.trust.dcp_presentations import issue
from xinglin.trust.dcp_tokens import Signer, issue_id_token
from xinglin.trust.status_list import MINIMUM_ENTRIES, StatusList
from xinglin.wire.dsp.errors import Unreachable
from xinglin.wire.dsp.ports import Sender

log = logging.getLogger("xinglin.connector")

REQUESTS = Limit("requests for credentials", 10_000, "requests")
OPEN_REQUESTS = Limit("open requests of one holder", 32, "requests")
DAY_MS = 86_400_000


class Request(msgspec.Struct, frozen=True):
    """A request; ``owed``: the message that its holder has not acknowledged yet (JSON)."""

    request_id: str
    holder: str
    holder_pid: str
    wanted: tuple[str, ...]
    access: str = ""
    status: str = "RECEIVED"
    owed: bytes = b""


class IssuerState(msgspec.Struct, frozen=True):
    """What an issuer keeps. Version 1; ``issued``: credential id to its index in the list; ``revoked``: indices."""

    requests: dict[str, Request] = {}
    issued: dict[str, int] = {}
    revoked: tuple[int, ...] = ()
    version: int = 1


class Issuer:
    """``supported``: id in the metadata, and the type of the credential that it stands for."""

    def __init__(
        self,
        signer: Signer,
        resolver: Resolver,
        sender: Sender,
        list_url: str,
        supported: Mapping[str, str],
        *,
        path: Path | None = None,
        clock: Clock = system_clock,
        new_id: Callable[[], str] = lambda: f"urn:uuid:{uuid.uuid4()}",
    ) -> None:
        self.signer, self.supported, self.list_url = signer, dict(supported), list_url
        self._resolver, self._sender, self._clock, self._new_id = resolver, sender, clock, new_id
        self._kept = Kept(IssuerState(), path)

    @property
    def state(self) -> IssuerState:
        """Requests, and what was issued."""
        return self._kept.state

    def receive(self, holder: str, holder_pid: str, wanted: tuple[str, ...], access: str) -> Request:
        """Keep a request; the same holder's id again is the same request."""
        if not holder_pid or not wanted or not set(wanted) <= self.supported.keys():
            raise NotPossible("The request names credentials that this issuer does not give.")
        known = [one for one in self.state.requests.values() if one.holder == holder]
        same = next((one for one in known if one.holder_pid == holder_pid), None)
        if same is not None:
            return same
        OPEN_REQUESTS.check(sum(one.status == "RECEIVED" for one in known) + 1)
        REQUESTS.check(len(self.state.requests) + 1)
        request = Request(self._new_id(), holder, holder_pid, wanted, access)
        self._put(request)
        return request

    def request_of(self, holder: str, request_id: str) -> Request | None:
        """A request, for the one who made it alone."""
        found = self.state.requests.get(request_id)
        return found if found is not None and found.holder == holder else None

    async def grant(self, request_id: str, claims: Mapping[str, Mapping[str, Any]], life_days: int = 90) -> bool:
        """Issue what was requested, with these claims for each type, and deliver it; whether it was taken."""
        request = self._open(request_id)
        now = self._clock()
        containers, issued = [], dict(self.state.issued)
        for wanted in request.wanted:
            kind, name = self.supported[wanted], self._new_id()
            index = len(issued)
            if index >= MINIMUM_ENTRIES:
                raise NotPossible("The status list is full.", remedy="Begin a new list.")
            issued[name] = index
            jwt = issue(
                self.signer,
                credential_id=name,
                kind=kind,
                subject=request.holder,
                claims=claims.get(kind, {}),
                valid_from=now,
                valid_until=now + life_days * DAY_MS,
                statuses=(StatusEntry(self.list_url, index),),
            )
            containers.append(Container(kind, jwt, PROFILE))
        message = self._message(request, status="ISSUED", credentials=tuple(containers))
        request = msgspec.structs.replace(request, status="ISSUED", owed=message)
        self._kept.put(msgspec.structs.replace(self.state, issued=issued))
        self._put(request)
        return await self._deliver(request)

    async def refuse(self, request_id: str, reason: str) -> bool:
        """Say no; whether the holder was told."""
        request = self._open(request_id)
        message = self._message(request, status="REJECTED", rejection_reason=reason)
        request = msgspec.structs.replace(request, status="REJECTED", owed=message)
        self._put(request)
        return await self._deliver(request)

    async def deliver(self) -> int:
        """Try again what holders have not acknowledged; how many did."""
        return sum([await self._deliver(one) for one in tuple(self.state.requests.values()) if one.owed])

    def revoke(self, credential_id: str) -> None:
        """Set the credential's bit in the status list, for good."""
        index = self.state.issued.get(credential_id)
        if index is None:
            raise NotPossible("This issuer did not issue that credential.")
        revoked = tuple(sorted({*self.state.revoked, index}))
        self._kept.put(msgspec.structs.replace(self.state, revoked=revoked))

    def status_list(self) -> str:
        """The status list as its own credential, fresh for a day."""
        entries = StatusList()
        for index in self.state.revoked:
            entries = entries.with_entry(index, True)
        now = self._clock()
        parts = status_list_parts(self.list_url, entries)
        return issue(self.signer, **parts, valid_from=now, valid_until=now + DAY_MS)

    async def offer(self, holder: str, wanted: tuple[str, ...]) -> None:
        """Tell a holder what it may ask for; ``Unreachable`` where its Credential Service does not take that."""
        if not wanted or not set(wanted) <= self.supported.keys():
            raise NotPossible("These are no credentials that this issuer gives.", remedy=f"It gives {self._given()}.")
        listed = tuple(msgspec.to_builtins(one) for one in self.listed() if one.id in wanted)
        message = CredentialOfferMessage(context=HERE, issuer=self.signer.did, credentials=listed)
        await self._say(holder, "offers", encode(message))

    def listed(self) -> tuple[CredentialObject, ...]:
        """What this issuer gives, as its metadata have it."""
        return tuple(
            CredentialObject(id=name, credential_type=kind, profile=PROFILE) for name, kind in self.supported.items()
        )

    def _given(self) -> str:
        return ", ".join(sorted(self.supported)) or "nothing"

    async def _say(self, holder: str, path: str, body: bytes, access: str = "") -> None:
        service = (await self._resolver.document(holder)).service(CREDENTIAL_SERVICE)
        check_address(service)
        mine = issue_id_token(self.signer, holder, self._clock(), token=access)
        answer = await self._sender.post(f"{service.rstrip('/')}/{path}", body, f"Bearer {mine}")
        if not 200 <= answer.status < 300:
            raise Unreachable(f"The holder's Credential Service answered {answer.status}.")

    def _open(self, request_id: str) -> Request:
        request = self.state.requests.get(request_id)
        if request is None or request.status != "RECEIVED":
            raise NotPossible("There is no open request with this id.")
        return request

    def _put(self, request: Request) -> None:
        requests = self.state.requests | {request.request_id: request}
        self._kept.put(msgspec.structs.replace(self.state, requests=requests))

    def _message(self, request: Request, **parts: Any) -> bytes:
        return encode(
            CredentialMessage(context=HERE, issuer_pid=request.request_id, holder_pid=request.holder_pid, **parts)
        )

    async def _deliver(self, request: Request) -> bool:
        try:
            await self._say(request.holder, "credentials", request.owed, request.access)
        except XinglinError as error:
            log.warning("request %s is not delivered yet: %s", request.request_id, error.what)
            return False
        self._put(msgspec.structs.replace(request, owed=b""))
        return True
