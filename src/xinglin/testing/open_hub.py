"""The real hub in this process, its HTTP calls without a socket: for those who knock at its door."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import msgspec

from xinglin.hub.founding import found_space
from xinglin.hub.main import _register_founders
from xinglin.hub.settings import HubSettings
from xinglin.hub.wiring import build_hub
from xinglin.testing.hostile_hub import TurnedClock
from xinglin.trust.doors import request_door_token
from xinglin.trust.dpop import DoorKey, prove
from xinglin.trust.keys import PrivateKeys
from xinglin.trust.leaves import register
from xinglin.wire.calls import EnrolCall
from xinglin.witness.founding import found_witness

ALL_SCOPES = frozenset({"runs", "agreements", "catalogue", "access"})


class OpenHub:
    """A hub of a new space; ``http`` speaks to its application, and ``clock`` can be turned."""

    def __init__(self, folder: Path, settings: HubSettings | None = None) -> None:
        self._folder, self._settings = folder, settings or HubSettings()
        self.clock = TurnedClock()

    async def __aenter__(self) -> Self:
        card = found_witness(self._folder / "witness", "regulator")
        self.space = found_space(self._folder / "hub", "open space", card)
        self.parts = build_hub(self._folder / "hub", self._settings, clock=self.clock)
        self.hub = self.parts.hub
        await self.hub.log.start()
        await _register_founders(self.parts, self._folder / "hub")
        self.hub.members.catch_up()
        if self.parts.connector is not None:
            self.parts.connector.connector.start()
        transport = httpx.ASGITransport(self.parts.app, raise_app_exceptions=False)  # type: ignore[arg-type]
        self.http = httpx.AsyncClient(transport=transport, base_url=self.space.hub_url)
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self.http.aclose()
        if self.parts.connector is not None:
            await self.parts.connector.close()
        await self.hub.log.stop()
        await self.parts.witness_client.aclose()
        self.parts.database.close()
        self.parts.access_database.close()
        self.parts.papers.close()
        self.parts.contracts.close()
        self.parts.products.close()
        self.parts.extracts.close()
        await self.hub.federation.close()
        self.parts.log_store.close()

    async def enrol(self, keys: PrivateKeys, secret: str, roles: tuple[str, ...]) -> httpx.Response:
        """Show an invite's secret with a registration of ``keys``."""
        registration = msgspec.json.encode(register(keys, "somebody", roles))
        return await self.http.post("/v1/enrol", content=msgspec.json.encode(EnrolCall(secret, registration)))

    async def member(self, role: str = "consumer") -> PrivateKeys:
        """A fresh member with that invite."""
        roles = {"provider": ("provider", "witness")}.get(role, (role,))
        keys = PrivateKeys.generate()
        (await self.enrol(keys, self.hub.members.invite(role).secret, roles)).raise_for_status()
        return keys

    async def token(self, keys: PrivateKeys, door_key: DoorKey, scope: frozenset[str] = ALL_SCOPES) -> str:
        """A door token of a member, bound to ``door_key``."""
        operator = self.space.operator
        wish = request_door_token(keys, door_key, issuer=operator, audience=(operator,), scope=scope, now=self.clock())
        answer = await self.http.post("/v1/door", content=msgspec.json.encode(wish))
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    def headers(self, token: str, door_key: DoorKey, method: str, path: str) -> dict[str, str]:
        """Token and a fresh proof for one request."""
        proof = prove(door_key, method, self.space.hub_url + path, token, now=self.clock())
        return {"authorization": f"DPoP {token}", "dpop": proof}

    async def call(self, token: str, door_key: DoorKey, method: str, path: str, **how: Any) -> httpx.Response:
        """One call behind the door."""
        headers = self.headers(token, door_key, method, path.partition("?")[0])
        return await self.http.request(method, path, headers=headers, **how)
