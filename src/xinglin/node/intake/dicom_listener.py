"""Opens DICOM listeners and the web door of sources, which share one index and one counter of series."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from xinglin.feeds.dicom_counting import SeriesCounter
from xinglin.feeds.dicom_listener import DicomListener
from xinglin.feeds.dicom_stow import Storing
from xinglin.feeds.dicom_web import DicomDoor
from xinglin.feeds.fhir_push import Changed, Subscription, SubscriptionDoor
from xinglin.intake.ports import RawStore
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import system_clock
from xinglin.node.intake.listeners import LOOPBACK, CannotListen, Keep, Listener, tls_context
from xinglin.node.intake.series import INDEX_FILE
from xinglin.node.intake.sources import SourceFile
from xinglin.stores.dicom_index import DicomIndex, open_dicom_index

log = logging.getLogger("xinglin.node.intake")
FOLLOW_S = 2.0
DICOM_WEB, FHIR = "/dicom-web", "/fhir"
Noticing = Callable[[str, Changed], Awaitable[None]]


class ImagingWays:
    """The openers of ``dicom`` and ``web``. ``raw``: what is read back and counted. ``noticed``: told the source whose
    server is to be asked, and what a FHIR notification named and did not carry.

    While one of them is open, a task looks every ``FOLLOW_S`` seconds for instances that came in any way, also as
    files, and writes the summaries of series that are quiet.
    """

    def __init__(self, raw: RawStore, noticed: Noticing | None = None) -> None:
        self._raw, self._users, self._noticed = raw, 0, noticed
        self._index: DicomIndex | None = None
        self._counter: SeriesCounter | None = None
        self._task: asyncio.Task[None] | None = None

    async def open_dicom(self, source: SourceFile, folder: Path, keep: Keep) -> Listener:
        """Open the DICOM listener of ``source``; raises ``CannotListen``."""
        way = source.dicom
        if way is None:
            raise CannotListen(f"The source '{source.name}' is no DICOM listener.")
        tls = tls_context(folder, way.tls) if way.tls else None
        counter = self._begin(folder)
        try:
            listener = DicomListener(
                keep,
                source=source.name,
                peers=way.peers or LOOPBACK,
                title=way.title,
                callers=way.callers,
                mirror=way.mirror,
                retention=source.retention,
                charset=source.charset,
                noticed=counter.prepare,
            )
            port = await listener.start(way.host, way.port, tls)
        except OSError as error:
            await self.release()
            raise _taken(source.name, way.port, error) from error
        except XinglinError:
            await self.release()
            raise
        return _Dicom(listener, self, port)

    async def open_web(self, source: SourceFile, folder: Path, keep: Keep) -> Listener:
        """Open the web door of ``source``: ``/dicom-web``, and FHIR notifications at ``/fhir``."""
        way = source.web
        if way is None:
            raise CannotListen(f"The source '{source.name}' is no web listener.")
        if way.tls is None and way.host not in ("127.0.0.1", "::1", "localhost"):
            remedy = "Give 'tls', or listen at 127.0.0.1 behind a proxy that has it."
            raise CannotListen(f"The web door of '{source.name}' would show its token to the network.", remedy=remedy)
        if way.tls is not None:
            tls_context(folder, way.tls)
        secret = _secret(folder, way.secret_file)
        counter = self._begin(folder)
        try:
            storing = Storing(
                keep, source=source.name, retention=source.retention, charset=source.charset, noticed=counter.notice
            )
            dicom = DicomDoor(storing, self._raw, counter, prefix=DICOM_WEB, secret=secret)
            filters = way.subscription.filters if way.subscription is not None else ()
            subscription = Subscription(FHIR, source.name, secret, source.retention, filters)
            fhir = SubscriptionDoor([subscription], keep, system_clock, changed=self._asking(way.server))
            door = _Door(_Doors(dicom, fhir), source, folder, self)
            await door.start()
        except OSError as error:
            await self.release()
            raise _taken(source.name, way.port, error) from error
        except XinglinError:
            await self.release()
            raise
        return door

    async def release(self) -> None:
        """One user less; with the last one the counter ends, and the index is closed."""
        self._users -= 1
        if self._users or self._index is None or self._counter is None or self._task is None:
            return
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        with contextlib.suppress(XinglinError):
            await asyncio.to_thread(self._counter.follow)
        self._index.close()
        self._index = self._counter = self._task = None

    def _asking(self, server: str) -> Callable[[str, Changed], Awaitable[None]] | None:
        noticed = self._noticed
        if noticed is None:
            return None

        async def changed(_listener: str, what: Changed) -> None:
            await noticed(server, what)

        return changed

    def _begin(self, folder: Path) -> SeriesCounter:
        if self._counter is None:
            self._index = open_dicom_index(folder / INDEX_FILE)
            self._counter = SeriesCounter(self._index, self._raw)
            self._task = asyncio.create_task(_follow(self._counter))
        self._users += 1
        return self._counter


async def _follow(counter: SeriesCounter) -> None:
    failing = False
    while True:
        await asyncio.sleep(FOLLOW_S)
        try:
            await asyncio.shield(asyncio.to_thread(_look, counter))
            failing = False
        except XinglinError as error:
            if not failing:
                log.warning("dicom.not_counted reason=%s", error.code)
            failing = True


def _look(counter: SeriesCounter) -> None:
    counter.follow()
    counter.summarise()


class _Dicom:
    """A DICOM listener as ``Listener``."""

    def __init__(self, listener: DicomListener, ways: ImagingWays, port: int) -> None:
        self._listener, self._ways, self._port = listener, ways, port

    async def stop(self) -> None:
        await self._listener.stop()
        await self._ways.release()

    def status(self) -> dict[str, Any]:
        return {"port": self._port, **msgspec.to_builtins(self._listener.status())}


class _Doors:
    """One ASGI application of two doors, by path."""

    def __init__(self, dicom: DicomDoor, fhir: SubscriptionDoor) -> None:
        self._dicom, self._fhir = dicom, fhir
        self.requests = 0

    def counts(self) -> dict[str, int]:
        """Of filtered subscriptions: what was taken, and how much of it no filter asks for."""
        door = self._fhir
        if not door.notifications:
            return {}
        return {"notifications": door.notifications, "resources": door.resources, "outside": door.outside}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        self.requests += 1
        below = scope.get("path", "") == FHIR or scope.get("path", "").startswith(FHIR + "/")
        await (self._fhir if below else self._dicom)(scope, receive, send)


class _Door:
    """A served application as ``Listener``."""

    def __init__(self, doors: _Doors, source: SourceFile, folder: Path, ways: ImagingWays) -> None:
        self._doors, self._source, self._folder, self._ways = doors, source, folder, ways
        self._server: Any = None
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Serve; ``OSError`` where the port is taken."""
        from granian.constants import Interfaces
        from granian.server.embed import Server

        way = self._source.web
        if way is None:
            return
        probe = await asyncio.start_server(lambda _reader, writer: writer.close(), way.host, way.port)
        probe.close()
        await probe.wait_closed()
        tls: dict[str, Any] = {}
        if way.tls is not None:
            tls = {"ssl_cert": self._folder / way.tls.certificate, "ssl_key": self._folder / way.tls.key}
            if way.tls.clients:
                tls |= {"ssl_ca": self._folder / way.tls.clients, "ssl_client_verify": True}
        self._server = Server(
            self._doors, address=way.host, port=way.port, interface=Interfaces.ASGI, log_enabled=False, **tls
        )
        self._serving = asyncio.create_task(self._server.serve())

    async def stop(self) -> None:
        if self._server is not None and self._serving is not None:
            self._server.stop()
            await asyncio.wait((self._serving,), timeout=5)
        await self._ways.release()

    def status(self) -> dict[str, Any]:
        way = self._source.web
        return {"port": way.port if way else 0, "requests": self._doors.requests, **self._doors.counts()}


def _secret(folder: Path, name: str) -> str:
    try:
        return (folder / name).read_text(encoding="utf-8").split("\n", 1)[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        remedy = "Put a random text of 32 characters or more there: openssl rand -hex 32"
        raise CannotListen("The secret of a web door cannot be read.", remedy=remedy) from error


def _taken(name: str, port: int, error: OSError) -> CannotListen:
    return CannotListen(
        f"Port {port} of '{name}' cannot be opened ({error.strerror or type(error).__name__}).",
        remedy="Choose another port in sources.toml, or end what holds it.",
    )
