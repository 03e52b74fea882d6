"""An answer over HTTP is read to its limit and no further, over a real socket too; a packed one is not unpacked."""

from __future__ import annotations

import asyncio
import gzip
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from xinglin.kernel.limits import Limit
from xinglin.stores.http_answers import Answer, UnfitAnswer, await_answer, read_answer

MOST = Limit("a short answer", 1_000, "bytes")
BOMB = gzip.compress(bytes(64 * 1024 * 1024))


class Pulled:
    """A body without end, which counts how much of it was asked for."""

    def __init__(self) -> None:
        self.parts = 0

    def __iter__(self) -> Iterator[bytes]:
        while True:
            self.parts += 1
            assert self.parts < 100, "it is read and read"
            yield b" " * 300

    async def later(self) -> AsyncIterator[bytes]:
        for part in self:
            yield part


def both(status: int, body: bytes | Pulled, **headers: str) -> list[Answer | UnfitAnswer]:
    """What both ways of asking make of an answer."""

    def hub(asked: httpx.Request) -> httpx.Response:
        assert asked.headers["accept-encoding"] == "identity"
        if isinstance(body, bytes):
            return httpx.Response(status, content=body, headers=headers)
        return httpx.Response(
            status, content=body.later() if asked.url.path == "/later" else iter(body), headers=headers
        )

    def now() -> Answer:
        with httpx.Client(transport=httpx.MockTransport(hub), base_url="https://hub.example") as client:
            return read_answer(client, client.build_request("GET", "/now"), MOST)

    async def later() -> Answer:
        async with httpx.AsyncClient(transport=httpx.MockTransport(hub), base_url="https://hub.example") as client:
            return await await_answer(client, client.build_request("GET", "/later"), MOST)

    found: list[Answer | UnfitAnswer] = []
    for way in (now, lambda: asyncio.run(later())):
        try:
            found.append(way())
        except UnfitAnswer as error:
            found.append(error)
    return found


@pytest.mark.parametrize("status", [200, 403])
def test_an_answer_is_given_whole_up_to_its_limit(status: int) -> None:
    assert both(status, b"a" * 1_000) == [Answer(status, b"a" * 1_000)] * 2
    for error in both(status, b"a" * 1_001):
        assert isinstance(error, UnfitAnswer) and "a short answer" in error.what and error.remedy


def test_a_body_without_end_is_left_after_its_limit() -> None:
    body = Pulled()
    assert all(isinstance(one, UnfitAnswer) for one in both(200, body))
    assert body.parts == 2 * 4, "no part is read after the one that is too much"


@pytest.mark.parametrize("packed", ["gzip", "x-gzip, gzip", "deflate", "br", "zstd"])
def test_what_is_packed_is_not_unpacked(packed: str) -> None:
    body = Pulled()
    for error in both(200, body, **{"content-encoding": packed}):
        assert isinstance(error, UnfitAnswer) and "compressed" in error.what
    assert body.parts == 0


def test_what_says_that_it_is_not_packed_is_read() -> None:
    assert both(200, b"as it is", **{"content-encoding": "Identity"}) == [Answer(200, b"as it is")] * 2


class Hostile(BaseHTTPRequestHandler):
    """Answers with a bomb or without an end."""

    sent = 0

    def do_GET(self) -> None:
        self.send_response(200)
        if self.path == "/bomb":
            self.send_header("content-encoding", "gzip")
            self.send_header("content-length", str(len(BOMB)))
        self.end_headers()
        try:
            if self.path == "/bomb":
                self.wfile.write(BOMB)
            while self.path == "/endless":
                type(self).sent += self.wfile.write(bytes(65_536))
        except OSError:
            pass

    def log_message(self, *_: object) -> None:
        """Nothing is told."""


@pytest.mark.parametrize("path", ["/bomb", "/endless"])
def test_a_hostile_server_is_hung_up_on(path: str) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hostile)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}{path}"
        with httpx.Client(trust_env=False, timeout=10) as client, pytest.raises(UnfitAnswer):
            read_answer(client, client.build_request("GET", url), MOST)
    finally:
        server.shutdown()
        server.server_close()  # waits for the handler, which ends when its connection does
    assert Hostile.sent < 64 * 1024 * 1024
