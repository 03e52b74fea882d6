"""The relay lets TLS through to the hub's address, and refuses every other way, peer and destination."""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from xinglin.node import relay as room
from xinglin.node.line import Line, LineDown
from xinglin.node.relay import BadRelay, Relay, RelayTimes, hub_place
from xinglin.stores.tls import client_context, make_certificate


@asynccontextmanager
async def hub(folder: Path) -> AsyncIterator[tuple[str, ssl.SSLContext, list[bytes]]]:
    """An HTTPS server that answers every request with 200; what it heard inside TLS."""
    pem = make_certificate(folder, ("127.0.0.1",), dt.datetime.now(dt.UTC))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                heard.append(await reader.readexactly(length))
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"https://127.0.0.1:{port}", client_context(pem), heard


async def said(port: int, words: bytes) -> bytes:
    """What the relay answers to some bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(words)
        await writer.drain()
        return await asyncio.wait_for(reader.read(4096), 5)
    finally:
        writer.close()


async def test_a_node_reaches_the_hub_through_it_and_it_sees_ciphertext(tmp_path: Path) -> None:
    async with hub(tmp_path) as (url, context, heard):
        relay = Relay(url)
        port = await relay.start("127.0.0.1", 0)
        line = Line(url, context, f"http://127.0.0.1:{port}")
        assert await line.post("/v1/x", b"sealed", 5) == (200, b"ok")
        assert await line.post("/v1/x", b"again", 5) == (200, b"ok")
        assert heard == [b"sealed", b"again"]
        status = relay.status()
        assert (status.open, status.opened, status.refused) == (1, 1, {})
        assert status.up > 200 and status.down > 200
        line.close()
        await relay.stop()


async def test_every_other_destination_and_method_is_refused(tmp_path: Path) -> None:
    async with hub(tmp_path) as (url, context, _):
        relay = Relay(url)
        port = await relay.start("127.0.0.1", 0)
        own = url.removeprefix("https://")
        for words, status in (
            (b"CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n", b"403"),
            (f"CONNECT {own.partition(':')[0]}:22 HTTP/1.1\r\nHost: x\r\n\r\n".encode(), b"403"),
            (f"CONNECT {own}.evil.org:443 HTTP/1.1\r\nHost: x\r\n\r\n".encode(), b"403"),
            (f"GET https://{own}/v1/healthz HTTP/1.1\r\nHost: {own}\r\n\r\n".encode(), b"405"),
            (b"\x16\x03\x01 this is no HTTP\r\n\r\n", b"400"),
            (b"CONNECT x HTTP/1.1\r\nHost: " + b"x" * 9000 + b"\r\n\r\n", b"431"),
        ):
            assert (await said(port, words)).split(b" ")[1] == status
        with pytest.raises(LineDown):
            await Line("https://127.0.0.1:1", context, f"http://127.0.0.1:{port}").post("/", b"", 5)
        assert relay.status().opened == 0
        await relay.stop()


async def test_what_is_not_tls_is_cut(tmp_path: Path) -> None:
    async with hub(tmp_path) as (url, _, heard):
        relay = Relay(url)
        port = await relay.start("127.0.0.1", 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"CONNECT {url.removeprefix('https://')} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert b"200" in await reader.readuntil(b"\r\n\r\n")
        writer.write(b"POST /v1/x HTTP/1.1\r\n\r\nin the clear")
        assert await asyncio.wait_for(reader.read(), 5) == b""
        assert relay.status().refused == {"plain": 1} and not heard
        writer.close()
        await relay.stop()


async def test_a_silent_tunnel_is_cut_and_a_peer_outside_the_networks_refused(tmp_path: Path) -> None:
    async with hub(tmp_path) as (url, context, _):
        relay = Relay(url, times=RelayTimes(idle_s=0.3))
        port = await relay.start("127.0.0.1", 0)
        line = Line(url, context, f"http://127.0.0.1:{port}")
        await line.post("/v1/x", b"x", 5)
        for _ in range(100):
            if not relay.status().open:
                break
            await asyncio.sleep(0.05)
        assert not relay.status().open
        line.close()
        await relay.stop()
        strict = Relay(url, peers=("10.0.0.0/8",))
        port = await strict.start("127.0.0.1", 0)
        assert b" 403 " in await said(port, b"")
        await strict.stop()


async def test_one_tunnel_more_than_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with hub(tmp_path) as (url, context, _):
        limit = room.TUNNELS_A_PEER
        monkeypatch.setattr(room, "TUNNELS_A_PEER", type(limit)(limit.name, 2, limit.unit))
        relay = Relay(url)
        port = await relay.start("127.0.0.1", 0)
        lines = [Line(url, context, f"http://127.0.0.1:{port}") for _ in range(3)]
        for line in lines[:2]:
            await line.post("/v1/x", b"x", 5)
        with pytest.raises(LineDown):
            await lines[2].post("/v1/x", b"x", 5)
        assert relay.status().refused == {"503": 1}
        for line in lines:
            line.close()
        await relay.stop()


@pytest.mark.parametrize(
    "text", ["http://hub:443", "https://", "hub:443", "https://u@hub", "https://hub/x", "https://[x"]
)
def test_a_hub_is_an_https_address(text: str) -> None:
    with pytest.raises(BadRelay):
        hub_place(text)


def test_a_network_is_written_as_one() -> None:
    with pytest.raises(BadRelay):
        Relay("https://hub", peers=("everybody",))
