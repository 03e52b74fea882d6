"""The catalogue's calls (JSON); words: ``xinglin.wire.catalogue``. Reading is processor work: in a thread."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Request, Response, Router, get, post

from xinglin.catalogue.search import Search
from xinglin.hub.doorway import body_of, json_answer
from xinglin.hub.routes import at_door
from xinglin.hub.services import Hub
from xinglin.kernel.codec import decode_json
from xinglin.kernel.limits import Limit
from xinglin.wire.catalogue import CompareCall, DcatCall, EntryCall

CALL_BYTES = Limit("size of a question to the catalogue", 256 * 1024, "bytes")


def catalogue_routes(hub: Hub) -> Router:
    """Search, one entry, comparison, DCAT, and the catalogs of others."""
    desk = hub.catalogue

    @post("/search", status_code=200)
    async def search(request: Request[Any, Any, Any]) -> Response[bytes]:
        asker = await at_door(hub, request, "catalogue")
        call = decode_json(await body_of(request, CALL_BYTES), Search)
        return json_answer(await asyncio.to_thread(desk.search, call, asker))

    @post("/entry", status_code=200)
    async def entry(request: Request[Any, Any, Any]) -> Response[bytes]:
        asker = await at_door(hub, request, "catalogue")
        call = decode_json(await body_of(request, CALL_BYTES), EntryCall)
        return json_answer(await asyncio.to_thread(desk.entry, call, asker))

    @post("/compare", status_code=200)
    async def compare(request: Request[Any, Any, Any]) -> Response[bytes]:
        asker = await at_door(hub, request, "catalogue")
        call = decode_json(await body_of(request, CALL_BYTES), CompareCall)
        return json_answer(await asyncio.to_thread(desk.compare, call, asker))

    @post("/dcat", status_code=200)
    async def dcat(request: Request[Any, Any, Any]) -> Response[bytes]:
        asker = await at_door(hub, request, "catalogue")
        call = decode_json(await body_of(request, CALL_BYTES), DcatCall)
        return json_answer(await asyncio.to_thread(desk.dcat, call, asker, hub.space.name))

    @get("/sources")
    async def sources(request: Request[Any, Any, Any]) -> Response[bytes]:
        await at_door(hub, request, "catalogue")
        return json_answer(hub.federation.views())

    return Router("/v1/catalogue", route_handlers=[search, entry, compare, dcat, sources])
