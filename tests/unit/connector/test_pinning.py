"""A name is looked up once: what was checked is what is called, under the name's own certificate and ``Host``."""

from __future__ import annotations

import asyncio
import datetime as dt
import socket
import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest

from xinglin.connector.pinning import PinnedBackend, addresses_of, pinned_client
from xinglin.connector.sending import HttpSender
from xinglin.stores.tls import client_context, make_certificate
from xinglin.wire.dsp.errors import Unreachable

OUTSIDE, INSIDE = "93.184.216.34", "127.0.0.1"


class Rebinding:
    """A resolver that answers first with an address outside, and with this machine's from then on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: str) -> None:
        self.asked, self._answers = 0, list(answers)
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", self)

    async def __call__(self, host: str, port: int, **_more: Any) -> list[Any]:
        self.asked += 1
        address = self._answers[min(self.asked, len(self._answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]


async def test_the_address_that_was_checked_is_the_one_that_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver, called = Rebinding(monkeypatch, OUTSIDE, INSIDE), []

    class Inner(PinnedBackend):
        async def connect_tcp(self, host: str, port: int, *_more: Any, **_named: Any) -> Any:
            called.append(host)
            raise httpx.ConnectError("far away")

    backend = PinnedBackend(private=False, inner=Inner(private=False))
    with pytest.raises(httpx.ConnectError):
        await backend.connect_tcp("rebinding.example", 443)
    assert (called, resolver.asked) == ([OUTSIDE], 1)


@pytest.mark.parametrize("answers", [(INSIDE,), ("10.0.0.7",), ("169.254.169.254",), ("::1",), ("64:ff9b::7f00:1",)])
async def test_a_name_of_a_local_network_is_not_called(monkeypatch: pytest.MonkeyPatch, answers: tuple[str]) -> None:
    Rebinding(monkeypatch, *answers)
    with pytest.raises(Unreachable):
        await addresses_of("inside.example", 443, private=False)
    assert await addresses_of("inside.example", 443, private=True) == answers


async def test_a_sender_looks_up_once_and_refuses_at_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    sender, resolver = HttpSender.fresh(), Rebinding(monkeypatch, INSIDE, OUTSIDE)
    with pytest.raises(Unreachable, match="local network"):
        await sender.get("https://rebinding.example/x", "")
    assert resolver.asked == 1
    with pytest.raises(Unreachable, match="not https"):
        await sender.get("http://rebinding.example/x", "")
    await sender.close()


async def test_certificate_and_host_stay_those_of_the_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pem = make_certificate(tmp_path, ("named.example",), dt.datetime.now(dt.UTC))
    heard: list[bytes] = []
    names: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    context.sni_callback = lambda _socket, name, _context: names.append(name)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    Rebinding(monkeypatch, INSIDE)
    async with pinned_client(verify=client_context(pem), private=True, timeout_s=10) as client:
        assert (await client.get(f"https://named.example:{port}/x")).status_code == 200
        with pytest.raises(httpx.ConnectError):  # the certificate is not this name's
            await client.get(f"https://other.example:{port}/x")
    server.close()
    assert names[0] == "named.example" and f"Host: named.example:{port}".encode() in heard[0]
