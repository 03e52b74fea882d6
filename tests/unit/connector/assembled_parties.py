"""Connectors assembled as a hub and a node assemble theirs, which reach each other without a socket."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
from litestar import Litestar

from xinglin.catalogue.entry import CatalogueEntry
from xinglin.connector.assembly import Assembled, Ground, assemble
from xinglin.connector.catalog import ListedOffers
from xinglin.connector.entry_offers import offered
from xinglin.connector.leaves import NoProducts
from xinglin.connector.model import Reach
from xinglin.connector.operating import act_of_connector
from xinglin.connector.sending import HttpSender
from xinglin.connector.trusting import KeptNotes
from xinglin.stores.connector_memory import MemoryConnectorStore
from xinglin.trust import InMemoryReplayStore, PrivateKeys
from xinglin.trust.registry import KeyDirectory
from xinglin.wire.desk import DeskCall

NOBODY = KeyDirectory(PrivateKeys.generate().did, PrivateKeys.generate().did)


class Wire(httpx.AsyncBaseTransport):
    """Hands requests to the application of their host."""

    def __init__(self) -> None:
        self.hosts: dict[str, httpx.AsyncBaseTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host not in self.hosts:
            raise httpx.ConnectError("nobody there")
        return await self.hosts[request.url.host].handle_async_request(request)


class Parties:
    """``make`` one after the other; each is ``https://NAME.example``."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.wire, self.now_ms = folder, Wire(), 1_800_000_000_000
        self.notes: dict[str, KeptNotes] = {}
        self.made: list[Assembled] = []

    def did(self, name: str) -> str:
        return f"did:web:{name}.example"

    def make(
        self, name: str, issuers: tuple[str, ...], entries: tuple[CatalogueEntry, ...] = (), **reach: Any
    ) -> Assembled:
        """A connector that trusts these issuers and shows these entries; it is started."""
        listed = [one for one in map(offered, entries) if one is not None]
        self.notes[name] = KeptNotes()
        ground = Ground(
            keys=PrivateKeys.generate(),
            title=name,
            directory=lambda: NOBODY,
            replay=InMemoryReplayStore(),
            store=MemoryConnectorStore(),
            offers=ListedOffers(listed),
            entry_of=lambda wanted, _who: next((one for one in entries if one.entry_id == wanted), None),
            released=NoProducts(),
            evidence=self.notes[name],
            verify=True,
            clock=lambda: self.now_ms,
        )
        settings = Reach(f"https://{name}.example", tuple(self.did(one) for one in issuers), **reach)
        found = assemble(self.folder / name, settings, ground)
        self._reach(found.sender)
        app = Litestar([found.router], openapi_config=None, logging_config=None)
        self.wire.hosts[f"{name}.example"] = httpx.ASGITransport(app)  # type: ignore[arg-type]
        found.connector.start()
        self.made.append(found)
        return found

    def _reach(self, sender: HttpSender) -> None:
        sender._client = httpx.AsyncClient(transport=self.wire)

    async def close(self) -> None:
        for one in self.made:
            await one.close()


async def desk(found: Assembled, verb: str, hospital: bool = True, **given: str) -> Any:
    """What the desk of a process answers."""
    said: Mapping[str, str] = given
    return await act_of_connector(found, DeskCall(f"dsp-{verb}", dict(said)), hospital=hospital)
