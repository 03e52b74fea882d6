"""The calls of TC609-6-2025-14 over HTTP (JSON), behind the door as every member's: ``POST /v1/national/contract…``."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, Router, get, post

from xinglin.contract.faces.national_calls import MESSAGES
from xinglin.hub.doorway import body_of, json_answer
from xinglin.hub.national import National
from xinglin.hub.routes import at_door
from xinglin.hub.services import Hub
from xinglin.kernel.limits import JSON_BYTES

NEED = "agreements"
PREFIX = "/v1/national"
Asked = Request[Any, Any, Any]


def national_routes(hub: Hub, national: National) -> Router:
    """One route for each path of the text, and two to read what stands."""

    @post(list(MESSAGES), status_code=200)
    async def call(request: Asked) -> Response[bytes]:
        asker = await at_door(hub, request, NEED)
        path = request.url.path.removeprefix(PREFIX)
        return json_answer(national.take(asker, path, await body_of(request, JSON_BYTES)))

    @get("/contracts")
    async def contracts(request: Asked) -> Response[bytes]:
        return json_answer(national.views(await at_door(hub, request, NEED)))

    @get("/contracts/{contract_id:str}")
    async def contract(request: Asked, contract_id: str) -> Response[bytes]:
        return json_answer(national.view(await at_door(hub, request, NEED), contract_id))

    return Router(PREFIX, route_handlers=[call, contracts, contract])
