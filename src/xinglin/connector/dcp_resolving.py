"""Finds DID documents and status lists where they lie, and remembers them for minutes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import TypeVar

from xinglin.connector.addresses import check_address
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.instants import Clock, Instant, system_clock
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Denied
from xinglin.trust.dcp_documents import DidDocument, did_web_url, read_document
from xinglin.trust.dcp_presentations import StatusBits, open_status
from xinglin.wire.dsp.errors import Unreachable
from xinglin.wire.dsp.ports import Sender

LOOKED_UP = Limit("documents remembered", 4_096, "documents")
LOOKUPS_AT_ONCE = 16
LIFE_MS = 300_000
V = TypeVar("V")


class Resolver:
    """``own``: documents that need no look-up (our own, and those of a registry). ``scheme``: http in tests alone."""

    def __init__(
        self,
        sender: Sender,
        own: Iterable[DidDocument] = (),
        *,
        scheme: str = "https",
        clock: Clock = system_clock,
        life_ms: int = LIFE_MS,
    ) -> None:
        self._sender, self._scheme, self._clock, self._life_ms = sender, scheme, clock, life_ms
        self._own = {document.id: document for document in own}
        self._documents: dict[str, tuple[Instant, DidDocument]] = {}
        self._lists: dict[str, tuple[Instant, StatusBits]] = {}
        self._room = asyncio.Semaphore(LOOKUPS_AT_ONCE)

    async def document(self, did: str) -> DidDocument:
        """The document of a DID; ``Unreachable`` or ``MalformedMessage`` where there is none to be had."""
        if did in self._own:
            return self._own[did]
        until, known = self._documents.get(did, (0, None))
        if known is not None and self._clock() < until:
            return known
        found = read_document(await self._fetch(did_web_url(did, self._scheme)), did)
        _keep(self._documents, did, (self._clock() + self._life_ms, found))
        return found

    async def documents(self, dids: Iterable[str]) -> Mapping[str, DidDocument]:
        """Several of them."""
        return {did: await self.document(did) for did in dids}

    async def status_list(self, url: str, issuers: frozenset[str]) -> StatusBits:
        """The verified status list at an address, of one of these issuers."""
        until, known = self._lists.get(url, (0, None))
        if known is not None and self._clock() < until and known.issuer in issuers:
            return known
        check_address(url)
        data = await self._fetch(url)
        try:
            jwt = data.decode("ascii").strip()
        except UnicodeDecodeError as error:
            raise MalformedMessage("What lies at a status list's address is no credential.") from error
        documents = await self.documents(issuers)
        found = open_status(jwt, documents, list_id=url, issuers=issuers, now=self._clock())
        if isinstance(found, Denied):
            raise MalformedMessage(" ".join(reason.words for reason in found.reasons))
        _keep(self._lists, url, (self._clock() + self._life_ms, found))
        return found

    async def _fetch(self, url: str) -> bytes:
        async with self._room:
            answer = await self._sender.get(url, "")
        if answer.status != 200:
            raise Unreachable(f"A document that has to be looked up is not there (status {answer.status}).")
        return answer.body


def _keep(kept: dict[str, tuple[Instant, V]], key: str, value: tuple[Instant, V]) -> None:
    kept.pop(key, None)
    kept[key] = value
    while len(kept) > LOOKED_UP.value:
        del kept[next(iter(kept))]
