"""The calls about extracts; words: ``xinglin.wire.extracts``. All of them are behind the door."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Request, Response, Router, get, post

from xinglin.hub.doorway import body_of, json_answer
from xinglin.hub.extract_desk import ExtractDesk
from xinglin.hub.routes import HOLD_MOST_S, at_door
from xinglin.hub.services import Hub
from xinglin.kernel.codec import decode_json
from xinglin.kernel.limits import JSON_BYTES
from xinglin.wire.calls import RunCall

_BINARY = "application/octet-stream"


def extract_routes(hub: Hub, desk: ExtractDesk) -> Router:
    """Ask, list, look, cancel, have it handed over again; fetch a part, say that all are there."""

    @post("/extracts", status_code=200)
    async def ask(request: Request[Any, Any, Any]) -> Response[bytes]:
        await at_door(hub, request, "runs")
        call = decode_json(await body_of(request, JSON_BYTES), RunCall)
        return json_answer(desk.ask(call.request, call.plan))

    @get("/extracts")
    async def every(request: Request[Any, Any, Any]) -> Response[bytes]:
        return json_answer(desk.list(await at_door(hub, request, "runs")))

    @get("/extracts/{run_id:str}")
    async def one(request: Request[Any, Any, Any], run_id: str, after: int = -1, wait: float = 0.0) -> Response[bytes]:
        asker = await at_door(hub, request, "runs")
        hold_s = min(wait, HOLD_MOST_S) if wait > 0.0 else 0.0
        return json_answer(await desk.view(run_id, asker, after, hold_s))

    @post("/extracts/{run_id:str}/cancel", status_code=200)
    async def cancel(request: Request[Any, Any, Any], run_id: str) -> Response[bytes]:
        return json_answer(await desk.cancel(run_id, await at_door(hub, request, "runs")))

    @get("/extracts/{run_id:str}/parts/{number:int}")
    async def part(request: Request[Any, Any, Any], run_id: str, number: int) -> Response[bytes]:
        asker = await at_door(hub, request, "runs")
        return Response(await asyncio.to_thread(desk.part, run_id, asker, number), media_type=_BINARY)

    @post("/extracts/{run_id:str}/taken", status_code=200)
    async def taken(request: Request[Any, Any, Any], run_id: str) -> Response[bytes]:
        return json_answer(await desk.taken(run_id, await at_door(hub, request, "runs")))

    @post("/extracts/{run_id:str}/again", status_code=200)
    async def again(request: Request[Any, Any, Any], run_id: str) -> Response[bytes]:
        return json_answer(await desk.again(run_id, await at_door(hub, request, "runs")))

    return Router("/v1", route_handlers=[ask, every, one, cancel, again, part, taken])
