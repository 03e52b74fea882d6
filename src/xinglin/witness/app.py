"""The witness over HTTP: tlog-witness for the log, submissions for everybody, its state and its evidence.

``POST /add-checkpoint`` · ``POST /submit`` · ``GET /<hex sha256(origin)>/checkpoint`` · ``GET /forks`` ·
``GET /healthz`` · ``GET /blind/shares/{study}`` · ``POST /blind/evaluate`` (``blind_routes``).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any

from litestar import Litestar, Request, Response, get, post
from litestar.handlers import HTTPRouteHandler

from xinglin.evidence.attending import Fetch, attend
from xinglin.evidence.submission import BATCH_BYTES
from xinglin.evidence.witnessing import REQUEST_BYTES, Acceptance, Witness
from xinglin.kernel.errors import XinglinError
from xinglin.stores.log_errors import LogStoreError

_FRESH = {"cache-control": "no-store"}


def witness_app(witness: Witness, fetch: Fetch, more: Sequence[HTTPRouteHandler] = ()) -> Litestar:
    """The application; ``fetch`` gets the entries that a checkpoint asks for; ``more``: further calls."""
    turn = asyncio.Lock()
    log_id = hashlib.sha256(witness.log.origin.encode()).hexdigest()

    @post("/add-checkpoint", status_code=200, request_max_body_size=REQUEST_BYTES.value)
    async def add_checkpoint(request: Request[Any, Any, Any]) -> Response[bytes]:
        body = await request.body()
        async with turn:
            answer = await attend(witness, body, b"", fetch)
        headers = {**_FRESH, "content-type": answer.content_type}
        return Response(answer.body, status_code=answer.status, headers=headers)

    @post("/submit", status_code=202, request_max_body_size=BATCH_BYTES.value + 65_536)
    async def submit(request: Request[Any, Any, Any]) -> Response[Any]:
        outcome = await asyncio.to_thread(witness.submit, await request.body())
        status = 202 if isinstance(outcome, Acceptance) else 403
        return Response(outcome, status_code=status, media_type="application/json", headers=_FRESH)

    @get(f"/{log_id}/checkpoint", sync_to_thread=True)
    def checkpoint() -> Response[bytes]:
        text = witness.checkpoint()
        return Response(text.encode(), status_code=200 if text else 404, media_type="text/plain", headers=_FRESH)

    @get("/forks", sync_to_thread=True)
    def forks() -> Response[Any]:
        return Response(witness.forks(), media_type="application/json", headers=_FRESH)

    @get("/healthz", sync_to_thread=True)
    def healthz() -> Response[Any]:
        state = witness.state()
        status = 200 if state.cosigning else 503
        return Response(state, status_code=status, media_type="application/json", headers=_FRESH)

    return Litestar(
        [add_checkpoint, submit, checkpoint, forks, healthz, *more],
        exception_handlers={XinglinError: _on_error},
        openapi_config=None,
        logging_config=None,
    )


def _on_error(_: Request[Any, Any, Any], error: XinglinError) -> Response[Any]:
    """A disk that is full or away is 503: nothing was signed, and the log asks again."""
    status = 503 if isinstance(error, LogStoreError) else 400
    return Response({"code": error.code, "words": str(error)}, status_code=status, media_type="application/json")
