"""A FHIR server that exports in bulk, over real sockets, with the faults that a test asks for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Asked:
    """One request."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes


@dataclass
class Reply:
    """One answer. ``breaks_after``: the connection is cut after so many bytes of the body."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    breaks_after: int | None = None


Answer = Callable[[Asked], Reply]


class HttpServer:
    """Answers by ``answer``; remembers what was asked."""

    def __init__(self, answer: Answer) -> None:
        self.answer, self.asked = answer, list[Asked]()
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one request."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, target, _ = head[0].split(" ")
            headers = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in head[1:] if line)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            parts = urlsplit(target)
            asked = Asked(method, parts.path, parse_qs(parts.query), headers, body)
            self.asked.append(asked)
            reply = self.answer(asked)
            lines = [f"HTTP/1.1 {reply.status} X", f"Content-Length: {len(reply.body)}", "Connection: close"]
            lines += [f"{name}: {value}" for name, value in reply.headers.items()]
            writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
            writer.write(reply.body[: reply.breaks_after])
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[HttpServer]:
    """The server on a free port of this machine."""
    server = HttpServer(answer)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    async with listener:
        yield server


class BulkServer:
    """Bulk Data 2.0: ``files`` by name; ``faults`` are replies given once instead of the right one, by path."""

    def __init__(
        self, files: dict[str, bytes], *, listed: dict[str, list[tuple[str, str]]], ranges: bool = True
    ) -> None:
        self.files, self.listed, self.ranges = files, listed, ranges
        self.faults: dict[str, list[Reply]] = {}
        self.busy, self.base, self.cancelled = 2, "", False
        self.token = True
        self.as_of = "2024-03-01T00:00:00.000+08:00"

    def __call__(self, asked: Asked) -> Reply:
        """The answer to one request."""
        if self.faults.get(asked.path):
            return self.faults[asked.path].pop(0)
        if asked.path.endswith("/$export"):
            return Reply(202, headers={"Content-Location": f"{self.base}/fhir/status/1"})
        if asked.path == "/fhir/status/1":
            return self._status(asked)
        name = asked.path.rpartition("/")[2]
        if name in self.files:
            return self._file(name, asked)
        return Reply(404)

    def _status(self, asked: Asked) -> Reply:
        if asked.method == "DELETE":
            self.cancelled = True
            return Reply(202)
        if self.cancelled:
            return Reply(404)
        if self.busy:
            self.busy -= 1
            return Reply(202, headers={"X-Progress": "half done", "Retry-After": "7"})
        listed: dict[str, Any] = {
            kind: [{"type": type_, "url": f"{self.base}/fhir/files/{name}"} for type_, name in some]
            for kind, some in self.listed.items()
        }
        manifest = {"transactionTime": self.as_of, "request": "x", "requiresAccessToken": self.token, "output": []}
        return Reply(200, json.dumps({**manifest, **listed}).encode())

    def _file(self, name: str, asked: Asked) -> Reply:
        body, mark = self.files[name], {"ETag": f'"{len(self.files[name])}"'}
        given = asked.headers.get("range", "")
        if given and self.ranges:
            start = int(given.removeprefix("bytes=").rstrip("-"))
            if start >= len(body):
                return Reply(416)
            place = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
            return Reply(206, body[start:], {**mark, **place})
        return Reply(200, body, mark)
