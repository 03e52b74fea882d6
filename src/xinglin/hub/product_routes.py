"""The calls about products; words: ``xinglin.wire.products``. What changes something is signed by who asks for it."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Request, Response, Router, get, post

from xinglin.hub.doorway import body_of, json_answer
from xinglin.hub.product_desk import ProductDesk
from xinglin.hub.routes import at_door
from xinglin.hub.services import Hub
from xinglin.trust.envelope import Signed
from xinglin.wire.products import DEPOSIT_BYTES, PRODUCTS_PAGE


def product_routes(hub: Hub, desk: ProductDesk) -> Router:
    """Deposit, withdraw, order, list."""

    @post("/products", status_code=200)
    async def deposit(request: Request[Any, Any, Any]) -> Response[bytes]:
        return json_answer(await desk.deposit(Signed.from_bytes(await body_of(request, DEPOSIT_BYTES))))

    @post("/products/synthetic", status_code=200)
    async def deposit_set(request: Request[Any, Any, Any]) -> Response[bytes]:
        return json_answer(await desk.deposit_set(Signed.from_bytes(await body_of(request, DEPOSIT_BYTES))))

    @post("/products/withdraw", status_code=200)
    async def withdraw(request: Request[Any, Any, Any]) -> Response[bytes]:
        return json_answer(await desk.withdraw(Signed.from_bytes(await body_of(request, DEPOSIT_BYTES))))

    @post("/products/order", status_code=200)
    async def order(request: Request[Any, Any, Any]) -> Response[bytes]:
        return json_answer(await desk.order(Signed.from_bytes(await body_of(request, DEPOSIT_BYTES))))

    @get("/products")
    async def products(
        request: Request[Any, Any, Any], cursor: str = "", most: int = PRODUCTS_PAGE.value
    ) -> Response[bytes]:
        asker = await at_door(hub, request, "catalogue")
        return json_answer(await asyncio.to_thread(desk.page, asker, cursor, most))

    return Router("/v1", route_handlers=[deposit, deposit_set, withdraw, order, products])
