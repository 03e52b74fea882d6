"""What every handler shares: who calls, bodies with a limit, typed errors with both ids."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from litestar import Request, Response

from xinglin.connector.model import World
from xinglin.kernel.errors import LimitExceeded, XinglinError
from xinglin.wire.dsp import messages as m
from xinglin.wire.dsp.errors import BadMessage, DspError, NotAllowed, NotAuthenticated
from xinglin.wire.dsp.ports import Caller

JSON = "application/json"
CODES = {"kernel.limit": 413, "stores.unavailable": 503, "stores.full": 503}
HttpRequest = Request[Any, Any, Any]


async def caller_of(world: World, request: HttpRequest) -> Caller:
    """The participant at the door; ``NotAuthenticated`` otherwise."""
    found = await world.authenticate(request.headers.get("authorization", ""))
    if found is None:
        raise NotAuthenticated
    return found


async def body_of(request: HttpRequest) -> bytes:
    """The body, at most one message long."""
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > m.MESSAGE_SIZE.value:
        raise BadMessage("The message is too long.")
    kind = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if kind not in (JSON, "application/ld+json"):
        raise BadMessage("The body is not application/json.")
    if request.headers.get("content-encoding", "identity").strip().lower() not in ("identity", ""):
        raise BadMessage("A compressed body is not read here.", remedy="Send the message as it is.")
    return await request.body()


def answer(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response[bytes]:
    """A message or a document as JSON."""
    return Response(msgspec.json.encode(value), media_type=JSON, status_code=status, headers=headers)


async def answered(
    kind: str, ids: Callable[[], dict[str, str]], work: Callable[[], Awaitable[Response[bytes]]]
) -> Response[bytes]:
    """What ``work`` answers, or the typed error of ``kind`` with the ids that the message named."""
    try:
        return await work()
    except DspError as error:
        return refusal(kind, error, error.status, ids())
    except LimitExceeded as error:
        return refusal(kind, error, 413, ids())
    except XinglinError as error:
        return refusal(kind, error, CODES.get(error.code, 400), ids())


def refusal(kind: str, error: XinglinError, status: int, ids: dict[str, str]) -> Response[bytes]:
    """The typed error message; every reason stands in it."""
    texts: tuple[Any, ...] = tuple(
        {"code": one.code, "words": one.words, "remedy": one.remedy} for one in getattr(error, "reasons", ())
    )
    if not isinstance(error, NotAllowed):
        texts = (str(error),)
    common: dict[str, Any] = {"context": m.HERE, "code": error.code, "reason": texts}
    both: dict[str, Any] = {"provider_pid": ids.get("provider_pid", ""), "consumer_pid": ids.get("consumer_pid", "")}
    if kind == "catalog":
        return answer(m.CatalogError(**common), status)
    if kind == "negotiation":
        return answer(m.ContractNegotiationError(**common, **both), status)
    return answer(m.TransferError(**common, **both), status)


def ids_in(body: bytes) -> dict[str, str]:
    """The ids that a message says, for the error about it; nothing where it cannot be read."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    names = (("provider_pid", "providerPid"), ("consumer_pid", "consumerPid"))
    return {ours: found[name] for ours, name in names if isinstance(found.get(name), str)}
