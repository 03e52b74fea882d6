"""An HTTP listener inside the hospital: FHIR notifications, and images by DICOMweb where that is installed.

A FHIR server's subscription posts to ``/fhir/NAME``, with the source's secret in ``X-Subscription-Secret`` or as a
bearer token. Without TLS the listener takes the loopback alone.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import secrets
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from xinglin.feeds.fhir_push import SECRET_CHARACTERS, Subscription, SubscriptionDoor
from xinglin.kernel.instants import system_clock
from xinglin.node.intake.listeners import CannotListen, Keep, Listener
from xinglin.node.intake.pullers import first_line
from xinglin.node.intake.sources import SourceFile, Web
from xinglin.stores.tls import write_private

log = logging.getLogger("xinglin.node.intake")
Door = Callable[[Any, Any, Any], Awaitable[None]]
_STARTS_S, _BUFFER_BYTES = 10.0, 1024 * 1024


class WebListener:
    """A server of one source's doors as a ``Listener``; what each answers is counted by its status."""

    def __init__(self, doors: dict[str, Door], way: Web, folder: Path) -> None:
        self._doors, self._way, self._folder = doors, way, folder
        self._counts: dict[str, int] = {}
        self._server: Any = None
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Serve; raises ``CannotListen`` where the port is not free."""
        from granian.constants import Interfaces
        from granian.http import HTTP1Settings
        from granian.server.embed import Server

        way = self._way
        _check_free(way)
        tls: dict[str, Any] = {}
        if way.tls is not None:
            tls = {"ssl_cert": self._folder / way.tls.certificate, "ssl_key": self._folder / way.tls.key}
            if way.tls.clients:
                tls |= {"ssl_ca": self._folder / way.tls.clients, "ssl_client_verify": True}
        self._server = Server(
            self._serve, address=way.host, port=way.port, interface=Interfaces.ASGI, log_enabled=False,
            http1_settings=HTTP1Settings(max_buffer_size=_BUFFER_BYTES), **tls,
        )  # fmt: skip
        self._serving = asyncio.create_task(self._server.serve())
        end = asyncio.get_running_loop().time() + _STARTS_S
        while not _answers(way):
            if self._serving.done() or asyncio.get_running_loop().time() > end:
                raise CannotListen(
                    f"Port {way.port} is not served.", remedy="Check the port, and certificate and key of 'tls'."
                )
            await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """See ``Listener``."""
        if self._serving is not None:
            self._server.stop()
            await asyncio.wait((self._serving,), timeout=5)

    def status(self) -> dict[str, Any]:
        """See ``Listener``."""
        return {"port": self._way.port, "answers": dict(sorted(self._counts.items()))}

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        door = next((door for prefix, door in self._doors.items() if _behind(scope["path"], prefix)), _not_found)

        async def counted(message: Any) -> None:
            if message["type"] == "http.response.start":
                status = str(message["status"])
                self._counts[status] = self._counts.get(status, 0) + 1
            await send(message)

        await door(scope, receive, counted)


async def open_web(source: SourceFile, folder: Path, keep: Keep) -> Listener:
    """Open the HTTP listener of ``source``; raises ``CannotListen`` or ``CannotPull`` (its secret)."""
    way = source.web
    if way is None:
        raise CannotListen(f"The source '{source.name}' is no HTTP listener.")
    if way.tls is None and not _is_loopback(way.host):
        remedy = "Give 'tls' a certificate and a key, or listen on 127.0.0.1 behind the hospital's own proxy."
        raise CannotListen(f"'{source.name}' would take records over plain HTTP.", remedy=remedy)
    secret = await asyncio.to_thread(first_line, folder / way.secret_file)
    path = f"/fhir/{source.name}"
    subscription = Subscription(path, source.name, secret, source.retention)
    listener = WebListener({path: SubscriptionDoor((subscription,), keep, system_clock)}, way, folder)
    await listener.start()
    return listener


def make_secret(folder: Path, way: Web) -> bool:
    """Draw the secret of a listener into its file (mode 600), unless there is one; whether it was drawn."""
    path = folder / way.secret_file
    if path.exists():
        return False
    write_private(path, (secrets.token_urlsafe(2 * SECRET_CHARACTERS) + "\n").encode())
    return True


async def _not_found(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


def _behind(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(prefix + "/")


def _check_free(way: Web) -> None:
    family = socket.AF_INET6 if ":" in way.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((way.host, way.port))
        except OSError as error:
            raise CannotListen(
                f"Port {way.port} cannot be opened ({error.strerror or type(error).__name__}).",
                remedy="Choose another port in sources.toml, or end what holds it.",
            ) from error


def _answers(way: Web) -> bool:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(way.host, way.host)  # noqa: S104 (compared, not bound)
    try:
        socket.create_connection((host, way.port), 0.2).close()
    except OSError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
