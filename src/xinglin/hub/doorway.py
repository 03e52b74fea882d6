"""What every HTTP handler of the hub shares: bodies with a limit, answers, and refusals as problems."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Response

from xinglin.kernel.errors import LimitExceeded, MalformedMessage, XinglinError
from xinglin.kernel.limits import Limit
from xinglin.wire.errors import Problem, Refused

MSGPACK = "application/msgpack"
JSON = "application/json"

_STATUS = {
    "kernel.limit": 413,
    "kernel.malformed": 400,
    "kernel.illegal_move": 409,
    "trust.unknown_participant": 401,
    "trust.bad_signature": 401,
}


async def body_of(request: Request[Any, Any, Any], limit: Limit) -> bytes:
    """The request's body, at most ``limit``; the server itself reads no further than the largest message."""
    declared = request.headers.get("content-length", "0")
    if declared.isdigit():
        limit.check(int(declared))
    body = await request.body()
    limit.check(len(body))
    return body


def json_answer(value: Any, status: int = 200) -> Response[bytes]:
    """``value`` (a msgspec type) as JSON."""
    return Response(msgspec.json.encode(value), media_type=JSON, status_code=status)


def on_error(_request: Request[Any, Any, Any], error: XinglinError) -> Response[bytes]:
    """A typed error as a problem: its code, its words, what to do; never a trace."""
    status = status_of(error)
    return json_answer(Problem.of_error(error, status), status)


def status_of(error: XinglinError) -> int:
    """The HTTP status of a typed error."""
    if isinstance(error, Refused):
        return error.status
    if isinstance(error, LimitExceeded):
        return 413
    if isinstance(error, MalformedMessage):
        return 400
    return _STATUS.get(error.code, 403)
