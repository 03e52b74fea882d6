"""A persistent HTTPS line to the hub: one request at a time over one connection, straight or through a CONNECT proxy.

The parsing is h11's; here are only the connection and its limits. Each round of each run crosses it four times,
so it holds the connection open and does nothing else. Any failure closes it; the caller asks again.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from urllib.parse import unquote, urlsplit

import h11

from xinglin.kernel.errors import XinglinError
from xinglin.kernel.limits import MESSAGE_BYTES

_CHUNK = 256 * 1024


class LineDown(XinglinError):
    """The hub, or the proxy on the way to it, could not be reached or broke off."""

    code = "node.line_down"


class Line:
    """``post`` sends a body and gives status and body. Not for two callers at once.

    ``url``: the hub's, https. ``proxy``: ``http://[user:password@]host:port`` of a CONNECT proxy, or empty.
    """

    def __init__(self, url: str, context: ssl.SSLContext, proxy: str = "") -> None:
        target = urlsplit(url)
        self._host, self._port = target.hostname or "", target.port or 443
        self._context, self._proxy = context, urlsplit(proxy) if proxy else None
        if target.scheme != "https" or (self._proxy is not None and self._proxy.scheme != "http"):
            raise LineDown("A line goes to an https address, through a proxy named by http://host:port or none.")
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._http = h11.Connection(h11.CLIENT)

    async def post(self, path: str, body: bytes, timeout_s: float) -> tuple[int, bytes]:
        """``POST path``; raises ``LineDown`` when it cannot be sent or answered within ``timeout_s`` seconds."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._exchange(path, body)
        except (OSError, TimeoutError, EOFError, h11.ProtocolError) as error:
            self.close()
            raise LineDown(f"The hub does not answer ({type(error).__name__}).") from error
        except BaseException:
            self.close()  # cancelled in mid-answer: what comes next on this connection is not the next answer
            raise

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        streams, self._streams = self._streams, None
        if streams is not None:
            streams[1].close()

    async def _exchange(self, path: str, body: bytes) -> tuple[int, bytes]:
        reader, writer = self._streams or await self._connect()
        headers = [("host", f"{self._host}:{self._port}"), ("content-length", str(len(body)))]
        headers.append(("content-type", "application/msgpack"))
        writer.write(_sent(self._http, h11.Request(method="POST", target=path, headers=headers)))
        writer.write(_sent(self._http, h11.Data(data=body)))
        writer.write(_sent(self._http, h11.EndOfMessage()))
        await writer.drain()
        status, answer = await _answer(self._http, reader)
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        else:
            self.close()
        return status, answer

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self._http = h11.Connection(h11.CLIENT)
        if self._proxy is None:
            streams = await asyncio.open_connection(self._host, self._port, ssl=self._context, limit=_CHUNK)
        else:
            streams = await self._through_proxy()
        self._streams = streams
        return streams

    async def _through_proxy(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        assert self._proxy is not None
        reader, writer = await asyncio.open_connection(self._proxy.hostname, self._proxy.port or 3128, limit=_CHUNK)
        try:
            http = h11.Connection(h11.CLIENT)
            place = f"{self._host}:{self._port}"
            headers = [("host", place)]
            if self._proxy.username:
                who = f"{unquote(self._proxy.username)}:{unquote(self._proxy.password or '')}"
                headers.append(("proxy-authorization", "Basic " + base64.b64encode(who.encode()).decode()))
            writer.write(_sent(http, h11.Request(method="CONNECT", target=place, headers=headers)))
            writer.write(_sent(http, h11.EndOfMessage()))
            await writer.drain()
            status = await _head(http, reader)
            if not 200 <= status < 300:
                raise ConnectionError(f"the proxy answered {status}")
            await writer.start_tls(self._context, server_hostname=self._host)
        except BaseException:
            writer.close()
            raise
        return reader, writer


def _sent(http: h11.Connection, event: h11.Request | h11.Data | h11.EndOfMessage) -> bytes:
    return http.send(event) or b""


async def _answer(http: h11.Connection, reader: asyncio.StreamReader) -> tuple[int, bytes]:
    status, parts, size = await _head(http, reader), [], 0
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            http.receive_data(await reader.read(_CHUNK))
        elif isinstance(event, h11.Data):
            parts.append(bytes(event.data))
            size += len(event.data)
            MESSAGE_BYTES.check(size)
        elif isinstance(event, h11.EndOfMessage):
            return status, b"".join(parts)
        else:
            raise EOFError("the connection ended within an answer")


async def _head(http: h11.Connection, reader: asyncio.StreamReader) -> int:
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            http.receive_data(await reader.read(_CHUNK))
        elif isinstance(event, h11.Response):
            return event.status_code
        elif not isinstance(event, h11.InformationalResponse):
            raise EOFError("the connection ended before an answer")
