"""One question of a node to the hub over HTTP, and its answer read: a refusal, a hub that is away, what is no hub."""

from __future__ import annotations

from typing import TypeVar

import httpx
import msgspec

from xinglin.kernel.errors import XinglinError
from xinglin.wire.errors import Problem, Refused

T = TypeVar("T")


class HubAway(XinglinError, OSError):
    """The hub did not answer."""

    code = "node.hub_away"


async def ask_hub(client: httpx.AsyncClient, asked: httpx.Request, kind: type[T]) -> T:
    """The hub's answer as ``kind``; ``Refused`` with its reasons, or ``HubAway``."""
    try:
        answer = await client.send(asked)
    except httpx.HTTPError as error:
        raise HubAway(f"The hub does not answer ({type(error).__name__}).", remedy="Try again.") from error
    try:
        if answer.status_code != httpx.codes.OK:
            problem = msgspec.json.decode(answer.content, type=Problem)
            raise Refused(problem.reasons, status=answer.status_code)
        return msgspec.json.decode(answer.content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        words = f"What answered in the hub's place (status {answer.status_code}) is no hub."
        raise HubAway(words, remedy="Look for a proxy in between, and try again: 'xinglin doctor'.") from error
