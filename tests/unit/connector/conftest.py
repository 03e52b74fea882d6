"""Connectors that talk to each other in one process, with every message held to the official schemas."""

from __future__ import annotations

import asyncio
import json
import tarfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from jsonschema import Draft201909Validator
from referencing import Registry, Resource

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

BASE = "https://w3id.org/dspace/2025/1/"
SCHEMAS = {
    "Catalog": "catalog/catalog-schema.json",
    "Dataset": "catalog/dataset-schema.json",
    "CatalogRequestMessage": "catalog/catalog-request-message-schema.json",
    "CatalogError": "catalog/catalog-error-schema.json",
    "ContractRequestMessage": "negotiation/contract-request-message-schema.json",
    "ContractOfferMessage": "negotiation/contract-offer-message-schema.json",
    "ContractAgreementMessage": "negotiation/contract-agreement-message-schema.json",
    "ContractAgreementVerificationMessage": "negotiation/contract-agreement-verification-message-schema.json",
    "ContractNegotiationEventMessage": "negotiation/contract-negotiation-event-message-schema.json",
    "ContractNegotiationTerminationMessage": "negotiation/contract-negotiation-termination-message-schema.json",
    "ContractNegotiation": "negotiation/contract-negotiation-schema.json",
    "ContractNegotiationError": "negotiation/contract-negotiation-error-schema.json",
    "TransferRequestMessage": "transfer/transfer-request-message-schema.json",
    "TransferStartMessage": "transfer/transfer-start-message-schema.json",
    "TransferSuspensionMessage": "transfer/transfer-suspension-message-schema.json",
    "TransferCompletionMessage": "transfer/transfer-completion-message-schema.json",
    "TransferTerminationMessage": "transfer/transfer-termination-message-schema.json",
    "TransferProcess": "transfer/transfer-process-schema.json",
    "TransferError": "transfer/transfer-error-schema.json",
}
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
QUICK = Patience(first_ms=5, most_ms=100, unknown_ms=400, give_up_ms=2_000, settle_ms=500, courtesy_ms=0)


@pytest.fixture(scope="session")
def archive(shared_data: Path) -> dict[str, Any]:
    """The official schemas and examples by path."""
    with tarfile.open(shared_data / "dsp-2025-1" / "schemas-and-examples.tar.gz") as tar:
        return {
            name.removeprefix("./"): json.load(tar.extractfile(name))  # type: ignore[arg-type]
            for name in tar.getnames()
            if name.endswith(".json")
        }


@pytest.fixture(scope="session")
def check(archive: dict[str, Any]) -> Callable[[Any], None]:
    """Holds a message to the official schema of its type; the three broken references are mended."""
    registry: Registry[Any] = Registry()
    for path, schema in archive.items():
        if path.endswith("-schema.json"):
            mended = json.loads(json.dumps(schema).replace(".json#definitions", ".json#/definitions"))
            registry = registry.with_resource(BASE + path, Resource.from_contents(mended))
    validators = {
        kind: Draft201909Validator({"$ref": BASE + path}, registry=registry) for kind, path in SCHEMAS.items()
    }
    validators["Version"] = Draft201909Validator(
        {"$ref": f"{BASE}common/protocol-version-schema.json"}, registry=registry
    )

    def valid(document: Any) -> None:
        kind = document.get("@type", "Version")
        errors = [f"{error.json_path}: {error.message}" for error in validators[kind].iter_errors(document)]
        assert not errors, (kind, errors, document)

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
        sender = HttpSender(httpx.AsyncClient(transport=self.wire), plain_http=True, private=True)
        connector = self.connectors[host] = Connector(world, sender, self.notes[host])
        self.wire.hosts[host] = httpx.ASGITransport(connector.app(), raise_app_exceptions=False)
        connector.start()
        return connector

    def client(self, header: str = "Bearer alice", host: str = "bob") -> httpx.AsyncClient:
        """Somebody who knocks at ``host``."""
        return httpx.AsyncClient(
            transport=self.wire, base_url=f"http://{host}/dsp/2025-1", headers={"authorization": header}
        )

    async def until(self, condition: Callable[[], Any], timeout_s: float = 5.0) -> Any:
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
