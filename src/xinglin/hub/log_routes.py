"""The log over HTTP: C2SP tlog-tiles for everyone (checkpoint, tiles, entry bundles), receipts, signed submissions.

``GET checkpoint`` · ``GET tile/<L>/<N>[.p/<W>]`` · ``GET tile/entries/<N>[.p/<W>]`` · ``GET receipt/<index>`` ·
``POST submit`` (``SubmissionBatch``; answers the first index and the count once durable).
"""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Request, Response, Router, get, post

from xinglin.evidence.errors import BadSignature, EvidenceError, MissingHash
from xinglin.evidence.submission import BATCH_BYTES, Verify
from xinglin.evidence.tiles import TILE_WIDTH, Tile, format_bundle, parse_path
from xinglin.hub.log import LogService, NotYetCosigned
from xinglin.kernel.errors import LimitExceeded, XinglinError
from xinglin.stores.log_errors import LogFull, LogStoreError, LogUnavailable

RECEIPT_WAIT_S = 5.0
_IMMUTABLE = {"cache-control": "public, max-age=31536000, immutable"}
_FRESH = {"cache-control": "no-store"}
_BINARY, _TEXT = "application/octet-stream", "text/plain; charset=utf-8"


def log_router(service: LogService, verify: Verify, path: str = "/") -> Router:
    """The handlers under ``path``; ``verify`` checks submitters' signatures (see ``evidence.submission``)."""

    @get("/checkpoint", sync_to_thread=False)
    def checkpoint() -> Response[bytes]:
        text = service.latest()
        if not text:
            return _refused(404, "hub.no_checkpoint", "The log has no checkpoint yet.")
        return Response(text.encode(), media_type=_TEXT, headers=_FRESH)

    @get("/tile/{name:path}")
    async def tile(name: str) -> Response[bytes]:
        try:
            which = parse_path("tile" + name)
            data = await asyncio.to_thread(read_tile, service, which)
        except EvidenceError as error:
            return _refused(404, error.code, str(error))
        headers = {**_IMMUTABLE, "content-encoding": "identity"}
        return Response(data, media_type=_BINARY, headers=headers)

    @get("/receipt/{index:int}")
    async def receipt(index: int) -> Response[bytes]:
        try:
            text = await service.receipt(index, RECEIPT_WAIT_S)
        except MissingHash as error:
            return _refused(404, error.code, str(error))
        except (NotYetCosigned, LimitExceeded) as error:
            return _refused(503, error.code, str(error))
        return Response(text.encode(), media_type=_TEXT, headers=_FRESH)

    @post("/submit", status_code=200, request_max_body_size=BATCH_BYTES.value + 65_536)
    async def submit(request: Request[Any, Any, Any]) -> Response[Any]:
        try:
            placed = await service.submit(await request.body(), verify)
        except XinglinError as error:
            return _refused(submission_status(error), error.code, str(error))
        return Response(placed, media_type="application/json", headers=_FRESH)

    return Router(path, route_handlers=[checkpoint, tile, receipt, submit])


def read_tile(service: LogService, which: Tile) -> bytes:
    """The bytes of a tile or entry bundle, full or partial; ``MissingHash`` where the log is not that long."""
    start = which.index * TILE_WIDTH
    if which.level is None:
        rows = service.store.entries(start, start + which.width)
    else:
        rows = service.store.hashes(which.level, start, start + which.width)
    if len(rows) != which.width:
        raise MissingHash(f"The log has no {which.to_path()} yet.")
    return format_bundle(rows) if which.level is None else b"".join(rows)


def submission_status(error: XinglinError) -> int:
    """The HTTP status that tells a submitter whether to mend (4xx) or to send again (5xx)."""
    if isinstance(error, LogFull):
        return 507
    if isinstance(error, LogUnavailable | LogStoreError):
        return 503
    if isinstance(error, LimitExceeded):
        return 503 if error.name == "entries waiting for the log" else 413
    if isinstance(error, BadSignature) or error.code.startswith("trust."):
        return 403
    return 400


def _refused(status: int, code: str, words: str) -> Response[Any]:
    return Response({"code": code, "words": words}, status_code=status, media_type="application/json", headers=_FRESH)
