"""A connector of somebody outside the space, on a port of its own, with a wallet and the issuer that it got it from."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import msgspec
from granian.constants import Interfaces
from granian.server.embed import Server
from litestar import Litestar, Response, get

from xinglin.connector.app import Connector
from xinglin.connector.assembly import RULES
from xinglin.connector.catalog import ListedOffers
from xinglin.connector.dcp_door import ClaimsDoor, ClaimsPolicy, ClaimsPresent, TokenDoor
from xinglin.connector.dcp_resolving import Resolver
from xinglin.connector.dcp_routes import credential_service_routes, public_routes
from xinglin.connector.dcp_wallet import Held, Wallet
from xinglin.connector.model import ConnectorSettings, Patience, World
from xinglin.connector.sending import HttpSender
from xinglin.connector.trusting import KeptNotes, UnsafeAllowEverything
from xinglin.kernel.instants import system_clock
from xinglin.stores.connector_memory import MemoryConnectorStore
from xinglin.stores.tls import client_context
from xinglin.trust import InMemoryReplayStore, PrivateKeys
from xinglin.trust.dcp import TYPE_SCOPE
from xinglin.trust.dcp_documents import did_web, make_document
from xinglin.trust.dcp_presentations import issue
from xinglin.trust.dcp_tokens import Signer
from xinglin.wire.dsp.ports import Entry, Released

DAY_MS = 86_400_000
QUICK = Patience(first_ms=20, most_ms=200, unknown_ms=1_000, give_up_ms=10_000, settle_ms=500, courtesy_ms=0)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Foreign:
    """``claims``: what its issuer says of it in its Membership."""

    def __init__(self, hub_certificate: str, released: Released, entries: tuple[Entry, ...], **claims: str) -> None:
        self.port = free_port()
        root = f"http://127.0.0.1:{self.port}"
        self.signer = Signer.of(PrivateKeys.generate(), did_web(f"127.0.0.1:{self.port}"))
        self.issuer = Signer.of(PrivateKeys.generate(), did_web(f"127.0.0.1:{self.port}", "issuer"))
        self.sender = HttpSender.fresh(plain_http=True, private=True, verify=client_context(hub_certificate))
        tokens = TokenDoor(self.signer, Resolver(self.sender), InMemoryReplayStore())
        self.present = ClaimsPresent(self.signer, (f"{TYPE_SCOPE}Membership",))
        world = World(
            ConnectorSettings(self.signer.did, root, patience=QUICK),
            MemoryConnectorStore(),
            ListedOffers(entries),
            released,
            UnsafeAllowEverything(),
            ClaimsDoor(tokens, self.sender, ClaimsPolicy((), frozenset())),
            self.present,
            RULES,
        )
        self.connector = Connector(world, self.sender, KeptNotes())
        wallet = Wallet()
        wallet.add((self._membership(claims),))
        issued = msgspec.json.encode(make_document(self.issuer.did, self.issuer.public, kid=self.issuer.kid))

        @get("/issuer/did.json")
        async def issuer_document() -> Response[bytes]:
            return Response(issued, media_type="application/did+json")

        mounted = self.connector.mounted(
            credential_service_routes(tokens, wallet, frozenset({self.issuer.did})), public_routes(self.signer, root)
        )
        self.app = Litestar([mounted, issuer_document], openapi_config=None, logging_config=None)

    @property
    def did(self) -> str:
        return self.signer.did

    def _membership(self, claims: dict[str, str]) -> Held:
        now, id_ = system_clock(), "urn:uuid:8d1c7d6e-1111-4222-8333-444455556666"
        jwt = issue(
            self.issuer,
            credential_id=id_,
            kind="Membership",
            subject=self.did,
            claims=claims,
            valid_from=now - 1_000,
            valid_until=now + DAY_MS,
        )
        return Held(jwt, id_, ("VerifiableCredential", "Membership"), self.issuer.did, now + DAY_MS)

    async def __aenter__(self) -> Self:
        self._server = Server(
            self.app, address="127.0.0.1", port=self.port, interface=Interfaces.ASGI, log_enabled=False
        )
        self._serving = asyncio.create_task(self._server.serve())
        self.connector.start()
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._server.stop()
        await asyncio.wait((self._serving,), timeout=5)
        await self.connector.stop()
        await self.sender.close()

    async def until(self, pid: str, holds: Callable[[Any], bool], timeout_s: float = 60.0) -> Any:
        """Our process as soon as ``holds`` of it."""
        end = time.monotonic() + timeout_s
        while True:
            row = self.connector.world.store.process(pid)
            if row is not None and holds(row):
                return row
            assert time.monotonic() < end, (row.state, row.trail, row.trouble)
            await asyncio.sleep(0.02)
