"""One question of a node to the hub over HTTP, and its answer read: a refusal, a hub that is away, what is no hub."""

from __future__ import annotations

from typing import TypeVar

import httpx
import msgspec

from xinglin.kernel.errors import XinglinError
from xinglin.kernel.limits import MESSAGE_BYTES, Limit
from xinglin.stores.http_answers import Answer, UnfitAnswer, await_answer
from xinglin.wire.errors import Problem, Refused

T = TypeVar("T")


class HubAway(XinglinError, OSError):
    """The hub did not answer, or not with what can be listened to."""

    code = "node.hub_away"


async def ask_hub(client: httpx.AsyncClient, asked: httpx.Request, kind: type[T]) -> T:
    """The hub's answer as ``kind``; ``Refused`` with its reasons, or ``HubAway``."""
    answer = await hub_answer(client, asked)
    try:
        if answer.status != httpx.codes.OK:
            raise Refused(msgspec.json.decode(answer.content, type=Problem).reasons, status=answer.status)
        return msgspec.json.decode(answer.content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        words = f"What answered in the hub's place (status {answer.status}) is no hub."
        raise HubAway(words, remedy="Look for a proxy in between, and try again: 'xinglin doctor'.") from error


async def hub_answer(client: httpx.AsyncClient, asked: httpx.Request, most: Limit = MESSAGE_BYTES) -> Answer:
    """Status and body of the hub's answer, at most so long; ``HubAway`` where there is none to be listened to."""
    try:
        return await await_answer(client, asked, most)
    except httpx.HTTPError as error:
        raise HubAway(f"The hub does not answer ({type(error).__name__}).", remedy="Try again.") from error
    except UnfitAnswer as error:
        raise HubAway("The hub is not listened to.", why=error.what, remedy=error.remedy) from error
