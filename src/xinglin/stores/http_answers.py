"""An answer over HTTP, read no further than a limit: whoever answers has no say over this process's memory."""

from __future__ import annotations

from contextlib import aclosing, closing

import httpx
import msgspec

from xinglin.kernel.errors import XinglinError
from xinglin.kernel.limits import Limit

_PLAIN = "identity"


class UnfitAnswer(XinglinError):
    """An answer that is longer than it can be, or packed although nobody asked for that; it was not read."""

    code = "stores.unfit_answer"


class Answer(msgspec.Struct, frozen=True):
    """Status and body."""

    status: int
    content: bytes


def read_answer(client: httpx.Client, asked: httpx.Request, most: Limit) -> Answer:
    """What is answered to ``asked``; raises ``UnfitAnswer``, and ``httpx.HTTPError`` where nobody answers."""
    asked.headers["accept-encoding"] = _PLAIN
    with closing(client.send(asked, stream=True)) as answer:
        read = _Read(answer, most)
        for part in answer.iter_bytes():
            read.take(part)
    return read.whole()


async def await_answer(client: httpx.AsyncClient, asked: httpx.Request, most: Limit) -> Answer:
    """What is answered to ``asked``; raises as ``read_answer`` does."""
    asked.headers["accept-encoding"] = _PLAIN
    async with aclosing(await client.send(asked, stream=True)) as answer:
        read = _Read(answer, most)
        async for part in answer.aiter_bytes():
            read.take(part)
    return read.whole()


class _Read:
    """The parts so far. A packed answer is refused whole: one part of it could unpack to any size."""

    def __init__(self, answer: httpx.Response, most: Limit) -> None:
        self._status, self._most = answer.status_code, most
        self._parts: list[bytes] = []
        self._size = 0
        if answer.headers.get("content-encoding", _PLAIN).strip().lower() != _PLAIN:
            remedy = "Tell whoever runs it, or the proxy on the way: answers are not to be compressed."
            raise UnfitAnswer("The answer is compressed, which was not asked for.", remedy=remedy)

    def take(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._most.value:
            words = f"The answer is longer than {self._most.name} can be ({self._most.value} {self._most.unit})."
            raise UnfitAnswer(words, remedy="Tell whoever runs it; a proxy on the way may have answered.")
        self._parts.append(part)

    def whole(self) -> Answer:
        return Answer(self._status, b"".join(self._parts))
