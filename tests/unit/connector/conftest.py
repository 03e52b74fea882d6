"""Connectors that talk to each other in one process, with every message held to the official schemas."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from tests.conformance.official import Schemas

from xinglin.connector.app import Connector
from xinglin.connector.catalog import ListedOffers
from xinglin.connector.model import ConnectorSettings, Patience, World
from xinglin.connector.released_files import ReleasedFiles
from xinglin.connector.sending import HttpSender
from xinglin.connector.trusting import KeptNotes, LiteralHeader, LiteralHeaders, UnsafeAllowEverything
from xinglin.stores.connector_memory import MemoryConnectorStore
from xinglin.wire.dsp import messages as m
from xinglin.wire.dsp.autopilot import read_rules
from xinglin.wire.dsp.ports import ConnectorStore, Entry

ALICE, BOB, MALLORY = "did:web:alice.example", "did:web:bob.example", "did:web:mallory.example"
HEADERS = {"Bearer alice": ALICE, "Bearer bob": BOB, "Bearer mallory": MALLORY}
DATA = "urn:xinglin:product:incidence"
OFFER_ID = "urn:xinglin:offer:incidence"
RULES: dict[str, Any] = {
    "permission": [
        {
            "action": "use",
            "constraint": [
                {"leftOperand": "count", "operator": "lteq", "rightOperand": {"@value": "5", "@type": "xsd:integer"}}
            ],
        }
    ]
}
CONTENT = b"year,cases\n" + b"".join(b"%d,%d\n" % (year, year * 7) for year in range(1900, 2900))
QUICK = Patience(first_ms=5, most_ms=100, unknown_ms=5_000, give_up_ms=20_000, settle_ms=500, courtesy_ms=0)
"""Quick to try again, and slow to give up, so that a busy machine changes nothing."""


@pytest.fixture(scope="session")
def check(schemas: Schemas) -> Callable[[Any], None]:
    """Holds a message to the official schema of its type; the answer of versions alone names none."""

    def valid(document: Any) -> None:
        faults = schemas.faults(document.get("@type", "VersionResponse"), document)
        assert not faults, (faults, document)

    return valid


class Wire(httpx.AsyncBaseTransport):
    """Hosts by name; every JSON body that passes is checked; ``faults`` are answered instead of the host."""

    def __init__(self, check: Callable[[Any], None]) -> None:
        self.hosts: dict[str, httpx.ASGITransport] = {}
        self.check = check
        self.seen: list[tuple[str, str, int]] = []
        self.faults: list[Callable[[httpx.Request], httpx.Response | None]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        if body:
            self.check(json.loads(body))
        for fault in self.faults:
            found = fault(request)
            if found is not None:
                return found
        transport = self.hosts.get(request.url.host)
        if transport is None:
            raise httpx.ConnectError("nobody")
        response = await transport.handle_async_request(request)
        content = await response.aread()
        if content and response.headers["content-type"] == "application/json" and "/data/" not in request.url.path:
            self.check(json.loads(content))
        self.seen.append((request.method, request.url.path, response.status_code))
        return httpx.Response(response.status_code, headers=response.headers, content=content)


class Town:
    """Connectors by host name, on one wire."""

    def __init__(self, folder: Path, check: Callable[[Any], None]) -> None:
        self.folder, self.wire = folder, Wire(check)
        self.connectors: dict[str, Connector] = {}
        self.notes: dict[str, KeptNotes] = {}

    def add(
        self,
        host: str,
        participant: str,
        rules: str = "",
        *,
        store: ConnectorStore | None = None,
        entries: tuple[Entry, ...] = (),
        **settings: Any,
    ) -> Connector:
        """A connector that is started."""
        released = ReleasedFiles(self.folder / host)
        if entries:
            released.put(DATA, CONTENT, grade="L1", media_type="text/csv")
        settings = {"patience": QUICK, "contexts": m.HERE} | settings
        world = World(
            ConnectorSettings(participant, f"http://{host}", **settings),
            store if store is not None else MemoryConnectorStore(),
            ListedOffers(entries),
            released,
            UnsafeAllowEverything(),
            LiteralHeaders(HEADERS),
            LiteralHeader(next(text for text, one in HEADERS.items() if one == participant)),
            read_rules(rules),
        )
        self.notes[host] = KeptNotes()
        sender = HttpSender(httpx.AsyncClient(transport=self.wire), plain_http=True)
        connector = self.connectors[host] = Connector(world, sender, self.notes[host])
        self.wire.hosts[host] = httpx.ASGITransport(connector.app(), raise_app_exceptions=False)
        connector.start()
        return connector

    def client(self, header: str = "Bearer alice", host: str = "bob") -> httpx.AsyncClient:
        """Somebody who knocks at ``host``."""
        return httpx.AsyncClient(
            transport=self.wire, base_url=f"http://{host}/dsp/2025-1", headers={"authorization": header}
        )

    async def until(self, condition: Callable[[], Any], timeout_s: float = 60.0) -> Any:
        """What a condition gives as soon as it is true."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            found = condition()
            if found:
                return found
            await asyncio.sleep(0.005)
        states = {
            host: [
                (row.side, row.state, row.trail, row.trouble)
                for kind in ("negotiation", "transfer")
                for row in connector.world.store.processes(kind)
            ]
            for host, connector in self.connectors.items()
        }
        pytest.fail(f"it never became true: {states} {self.wire.seen[-10:]}")

    async def stop(self) -> None:
        """Stop every connector."""
        for connector in self.connectors.values():
            await connector.stop()


def entry(data_set: str = DATA, offer_id: str = OFFER_ID, **more: Any) -> Entry:
    """A data set with one offer."""
    return Entry(data_set, ({"@type": "Offer", "@id": offer_id, **RULES},), **more)


@pytest.fixture
async def town(tmp_path: Path, check: Callable[[Any], None]) -> AsyncIterator[Town]:
    made = Town(tmp_path, check)
    yield made
    await made.stop()


def message(kind: str, **members: Any) -> dict[str, Any]:
    """A message as a counterparty writes it."""
    return {"@context": list(m.HERE), "@type": kind, **members}


def request_message(consumer_pid: str = "c-1", **changes: Any) -> dict[str, Any]:
    """A first request for the incidence product."""
    offer = {"@type": "Offer", "@id": OFFER_ID, "target": DATA, **RULES}
    found = message(
        "ContractRequestMessage", consumerPid=consumer_pid, offer=offer, callbackAddress="http://alice/callback"
    )
    return found | changes


def state_of(connector: Connector, pid: str) -> str:
    """The state of a process."""
    row = connector.world.store.process(pid)
    return row.state if row is not None else ""


def decoded(row: bytes) -> Any:
    """JSON bytes as a document."""
    return msgspec.json.decode(row)


@pytest.fixture
async def bob(town: Town) -> Connector:
    """A provider with one data set, and no auto-pilot."""
    return town.add("bob", BOB, entries=(entry(keywords=("heart",), labels={"title": "Incidence"}),))
