"""What every HTTP handler of the hub shares: bodies with a limit, answers, and refusals as problems."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException

from xinglin.kernel.errors import LimitExceeded, MalformedMessage, XinglinError
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Reason
from xinglin.wire.errors import Problem, Refused

MSGPACK = "application/msgpack"
JSON = "application/json"

_STATUS = {
    "kernel.limit": 413,
    "kernel.malformed": 400,
    "kernel.illegal_move": 409,
    "contract.not_this_face": 400,
    "trust.unknown_participant": 401,
    "trust.bad_signature": 401,
    "stores.unavailable": 503,
    "stores.full": 503,
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


def on_http_error(_request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """What the framework refuses by itself (an unknown path, a number that is none) as a problem too."""
    reason = Reason(f"hub.http_{error.status_code}", HTTPStatus(error.status_code).phrase + ".", "Check the call.")
    answer = json_answer(Problem(error.status_code, (reason,)), error.status_code)
    answer.headers.update(error.headers or {})
    return answer


def status_of(error: XinglinError) -> int:
    """The HTTP status of a typed error."""
    if isinstance(error, Refused):
        return error.status
    if isinstance(error, LimitExceeded):
        return 413
    if isinstance(error, MalformedMessage):
        return 400
    return _STATUS.get(error.code, 403)
