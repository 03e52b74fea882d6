"""The listeners that ``sources.toml`` names, opened and closed as it changes. Each hands what it gets to ``keep``."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

import msgspec

from xinglin.feeds.mllp import MllpListener
from xinglin.intake.ports import Kept, Received
from xinglin.kernel.errors import XinglinError
from xinglin.node.intake.sources import SourceFile, Tls

log = logging.getLogger("xinglin.node.intake")
Keep = Callable[[Received], Awaitable[Kept]]
LOOPBACK = ("127.0.0.0/8", "::1/128")


class CannotListen(XinglinError):
    """A listener that could not be opened: the port is taken, or its certificate cannot be read."""

    code = "node.cannot_listen"


class Listener(Protocol):
    """An open way in."""

    async def stop(self) -> None:
        """Take nothing new, answer what was taken, and close."""
        ...

    def status(self) -> dict[str, Any]:
        """Counters, for a person; never a message's content."""
        ...


Opener = Callable[[SourceFile, Path, Keep], Awaitable[Listener]]


class _Mllp:
    """An MLLP listener as ``Listener``."""

    def __init__(self, listener: MllpListener, port: int) -> None:
        self._listener, self._port = listener, port

    async def stop(self) -> None:
        await self._listener.stop()

    def status(self) -> dict[str, Any]:
        return {"port": self._port, **msgspec.to_builtins(self._listener.status())}


async def open_mllp(source: SourceFile, folder: Path, keep: Keep) -> Listener:
    """Open the MLLP listener of ``source``; raises ``CannotListen``."""
    way = source.mllp
    if way is None:
        raise CannotListen(f"The source '{source.name}' is no MLLP listener.")
    listener = MllpListener(
        keep,
        source=source.name,
        peers=way.peers or LOOPBACK,
        retention=source.retention,
        default_charset=source.charset,
    )
    try:
        port = await listener.start(way.host, way.port, tls_context(folder, way.tls) if way.tls else None)
    except OSError as error:
        raise CannotListen(
            f"Port {way.port} of '{source.name}' cannot be opened ({error.strerror or type(error).__name__}).",
            remedy="Choose another port in sources.toml, or end what holds it.",
        ) from error
    return _Mllp(listener, port)


def tls_context(folder: Path, tls: Tls) -> ssl.SSLContext:
    """A server's context: TLS 1.2 or newer, and with ``clients`` a certificate of everybody who connects."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(folder / tls.certificate, folder / tls.key)
        if tls.clients:
            context.load_verify_locations(folder / tls.clients)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        remedy = "Check 'tls' of the source: PEM files in the node's folder."
        raise CannotListen("A listener's certificate or key cannot be read.", remedy=remedy) from error
    return context


class Listeners:
    """What is open now, by source; ``follow`` makes it what the sources say."""

    def __init__(self, folder: Path, keep: Keep, openers: dict[str, Opener]) -> None:
        self._folder, self._keep, self._openers = folder, keep, openers
        self._open: dict[str, tuple[SourceFile, Listener]] = {}

    async def follow(self, sources: Iterable[SourceFile]) -> dict[str, str]:
        """Close what is gone or changed, open what is new; problems by source. Others stay open throughout."""
        wanted = {one.name: one for one in sources if one.enabled and one.way in self._openers}
        for name in [name for name, (before, _) in self._open.items() if wanted.get(name) != before]:
            _, listener = self._open.pop(name)
            await listener.stop()
        problems = {}
        for name, source in wanted.items():
            if name in self._open:
                continue
            try:
                self._open[name] = source, await self._openers[source.way](source, self._folder, self._keep)
                log.info("source %s listens (%s)", name, source.way)
            except XinglinError as error:
                log.error("source %s does not listen: %s", name, error.code)
                problems[name] = str(error)
        return problems

    def status(self) -> dict[str, dict[str, Any]]:
        """Counters by source."""
        return {name: {"way": source.way, **listener.status()} for name, (source, listener) in self._open.items()}

    async def close(self) -> None:
        """Close all."""
        await self.follow(())
