"""The two URLs by which the conformance kit makes this connector begin something as consumer.

They ask nobody who calls, and are served in the conformance profile alone.
"""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Response, Router, post

from xinglin.connector.desk import Desk
from xinglin.connector.doorway import HttpRequest, answer, body_of
from xinglin.connector.opening import negotiate, transfer
from xinglin.kernel.codec import decode_json
from xinglin.kernel.errors import XinglinError


class NegotiationTrigger(msgspec.Struct, frozen=True, rename="camel"):
    """Begin a negotiation as consumer."""

    dataset_id: str
    offer_id: str
    provider_id: str
    connector_address: str


class TransferTrigger(msgspec.Struct, frozen=True, rename="camel"):
    """Begin a transfer as consumer."""

    agreement_id: str
    provider_id: str
    connector_address: str
    format: str = "HttpData-PULL"


def trigger_router(desk: Desk) -> Router:
    """``/tck/negotiation.initiate`` and ``/tck/transfer.initiate``."""

    @post("/negotiation.initiate", status_code=200)
    async def negotiation(request: HttpRequest) -> Response[bytes]:
        try:
            asked = decode_json(await body_of(request), NegotiationTrigger)
            row = await negotiate(desk, asked.provider_id, asked.connector_address, asked.dataset_id, asked.offer_id)
        except XinglinError as error:
            return answer({"code": error.code, "words": str(error)}, 400)
        return answer({"consumerPid": row.pid})

    @post("/transfer.initiate", status_code=200)
    async def transfers(request: HttpRequest) -> Response[bytes]:
        try:
            asked = decode_json(await body_of(request), TransferTrigger)
            row = await transfer(desk, asked.provider_id, asked.connector_address, asked.agreement_id, asked.format)
        except XinglinError as error:
            return answer({"code": error.code, "words": str(error)}, 400)
        return answer({"consumerPid": row.pid})

    handlers: list[Any] = [negotiation, transfers]
    return Router("/tck", route_handlers=handlers)
