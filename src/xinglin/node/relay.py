"""The relay of a hospital that splits its zones: in the DMZ, it lets the node out to the hub, and to nothing else.

A CONNECT proxy with one destination. TLS goes end to end between node and hub: the relay holds no key, and passes
bytes that it cannot read. It counts them; a name, a header or a byte of content is in no log.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import signal
import socket
from collections import Counter
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import h11
import msgspec

from xinglin.kernel.errors import XinglinError
from xinglin.kernel.limits import Limit

log = logging.getLogger("xinglin.node.relay")

TUNNELS = Limit("tunnels at once", 512, "tunnels")
TUNNELS_A_PEER = Limit("tunnels at once of one address", 64, "tunnels")
HEAD_BYTES = Limit("head of a CONNECT", 8 * 1024, "bytes")
CHUNK_BYTES = 256 * 1024
PRIVATE = ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
"""Who may connect where nobody says it: this machine and private networks."""
_TLS_HANDSHAKE = 0x16


class BadRelay(XinglinError):
    """A hub, a network or a port that a relay cannot be run with."""

    code = "node.bad_relay"


class RelayTimes(msgspec.Struct, frozen=True):
    """How long a peer may take for its CONNECT, the hub for a connection, and how long a tunnel may be silent."""

    head_s: float = 10.0
    connect_s: float = 15.0
    idle_s: float = 900.0


class RelayStatus(msgspec.Struct, frozen=True):
    """Counters since the start. ``refused``: by the answer's status. ``up`` and ``down``: bytes to and from the hub."""

    open: int
    opened: int
    refused: dict[str, int]
    up: int
    down: int


class _Refused(Exception):
    """An answer that is not 200."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status, self.words = status, words


class Relay:
    """Tunnels from ``peers`` to the one ``hub`` (``https://host[:port]``). Raises ``BadRelay``."""

    def __init__(self, hub: str, peers: Sequence[str] = (), times: RelayTimes | None = None) -> None:
        self._place = hub_place(hub)
        try:
            self._peers = tuple(ipaddress.ip_network(one) for one in peers or PRIVATE)
        except ValueError as error:
            raise BadRelay("A network is not written as 10.1.0.0/16.", remedy="Check --peers.") from error
        self._times = times or RelayTimes()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._open: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._opened, self._up, self._down = 0, 0, 0

    async def start(self, host: str, port: int) -> int:
        """Listen; the port."""
        try:
            self._server = await asyncio.start_server(self._serve, host, port, limit=HEAD_BYTES.value)
        except OSError as error:
            raise BadRelay(
                f"{host}:{port} cannot be opened ({error.strerror or type(error).__name__}).",
                remedy="Choose another address with --listen.",
            ) from error
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Take nothing new and cut what is open: the node asks again through the next relay."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(tuple(self._tasks), timeout=5)

    def status(self) -> RelayStatus:
        """Counters."""
        return RelayStatus(self._open.total(), self._opened, dict(self._refused), self._up, self._down)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        peer = str((writer.get_extra_info("peername") or ("",))[0])
        self._open[peer] += 1
        if task is not None:
            self._tasks.add(task)
        try:
            await self._tunnel(reader, writer, peer)
        except _Refused as refused:
            self._refused[str(refused.status)] += 1
            log.warning("refused %s: %d", peer, refused.status)
            await _answer(writer, refused)
        except (OSError, TimeoutError, EOFError, h11.ProtocolError) as error:
            log.info("%s broke off: %s", peer, type(error).__name__)
        finally:
            self._open[peer] -= 1
            if not self._open[peer]:
                del self._open[peer]
            if task is not None:
                self._tasks.discard(task)
            writer.close()

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str) -> None:
        self._admit(peer)
        async with asyncio.timeout(self._times.head_s):
            await self._asked(reader)
        out_reader, out_writer = await self._to_hub()
        try:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await writer.drain()
            async with asyncio.timeout(self._times.head_s):
                first = await reader.read(CHUNK_BYTES)
            if first[:1] != bytes([_TLS_HANDSHAKE]):
                self._refused["plain"] += 1
                log.warning("cut %s: what it sends is not TLS", peer)
                return
            self._opened += 1
            out_writer.write(first)
            self._up += len(first)
            up, down = await self._pass(reader, writer, out_reader, out_writer)
            log.info("tunnel of %s ended: %d bytes up, %d down", peer, up + len(first), down)
        finally:
            out_writer.close()

    def _admit(self, peer: str) -> None:
        try:
            address = ipaddress.ip_address(peer.partition("%")[0])
        except ValueError:
            raise _Refused(403, "Nobody is known there.") from None
        mapped = getattr(address, "ipv4_mapped", None)
        if not any((mapped or address) in network for network in self._peers):
            raise _Refused(403, "This address may not connect.")
        if self._open.total() > TUNNELS.value or self._open[peer] > TUNNELS_A_PEER.value:
            raise _Refused(503, "Too many tunnels at once.")

    async def _asked(self, reader: asyncio.StreamReader) -> None:
        """Read a CONNECT to the hub; ``_Refused`` for anything else."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            raise _Refused(431, "The head is too long.") from None
        except asyncio.IncompleteReadError as error:
            raise EOFError from error
        http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES.value)
        try:
            http.receive_data(head)
            event = http.next_event()
        except h11.RemoteProtocolError:
            raise _Refused(400, "That is no HTTP.") from None
        if not isinstance(event, h11.Request):
            raise _Refused(400, "That is no request.")
        if event.method != b"CONNECT":
            raise _Refused(405, "Only CONNECT is answered here.")
        host, _, port = event.target.decode("latin-1").rpartition(":")
        if (host.strip("[]").lower(), port) != (self._place[0], str(self._place[1])):
            raise _Refused(403, "Only the hub is reached from here.")

    async def _to_hub(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            async with asyncio.timeout(self._times.connect_s):
                return await asyncio.open_connection(*self._place, limit=CHUNK_BYTES)
        except (OSError, TimeoutError):
            raise _Refused(502, "The hub does not answer.") from None

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, out_reader: asyncio.StreamReader,
        out_writer: asyncio.StreamWriter,
    ) -> tuple[int, int]:  # fmt: skip
        """Bytes both ways until both sides ended, or nothing passed for too long; how many."""
        loop = asyncio.get_running_loop()
        counts, last = [0, 0], [loop.time()]
        for one in (writer, out_writer):
            link = one.get_extra_info("socket")
            if link is not None:
                link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

        async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter, way: int) -> None:
            while chunk := await source.read(CHUNK_BYTES):
                counts[way] += len(chunk)
                if way:
                    self._down += len(chunk)
                else:
                    self._up += len(chunk)
                last[0] = loop.time()
                sink.write(chunk)
                await sink.drain()
            with contextlib.suppress(OSError):
                sink.write_eof()

        ways = {asyncio.create_task(copy(reader, out_writer, 0)), asyncio.create_task(copy(out_reader, writer, 1))}
        try:
            while ways:
                done, ways = await asyncio.wait(ways, timeout=max(0.05, self._times.idle_s / 4))
                if any(one.exception() for one in done) or loop.time() - last[0] > self._times.idle_s:
                    break
        finally:
            for way in ways:
                way.cancel()
            if ways:
                await asyncio.wait(ways)
        return counts[0], counts[1]


def hub_place(hub: str) -> tuple[str, int]:
    """Host (lower case) and port of the hub's address.

    >>> hub_place("https://Hub.example:8443")
    ('hub.example', 8443)
    """
    try:
        parts = urlsplit(hub)
        host, port = parts.hostname or "", parts.port or 443
    except ValueError as error:
        raise BadRelay("The hub's address is no URL.", remedy="Write https://host:port.") from error
    if parts.scheme != "https" or not host or "@" in parts.netloc or parts.path not in ("", "/"):
        raise BadRelay("The hub's address is not https://host:port.", remedy="'xinglin node status' shows it.")
    return host.lower(), port


async def run_relay(hub: str, host: str, port: int, peers: Sequence[str] = (), ready: Any = None) -> None:
    """Run until SIGTERM or SIGINT; ``ready`` is called with the port."""
    relay = Relay(hub, peers)
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    listened = await relay.start(host, port)
    if ready is not None:
        ready(listened)
    await stop.wait()
    await relay.stop()
    log.info("relay ended: %s", msgspec.json.encode(relay.status()).decode())


async def _answer(writer: asyncio.StreamWriter, refused: _Refused) -> None:
    body = refused.words.encode() + b"\n"
    head = f"HTTP/1.1 {refused.status} Refused\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    with contextlib.suppress(OSError):
        writer.write(head.encode() + body)
        await writer.drain()
