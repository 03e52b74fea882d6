"""A connector put together, its application, and its life: start, serve, stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Awaitable, Callable

from granian.constants import Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server
from litestar import Litestar, Response, Router
from litestar.exceptions import HTTPException

from xinglin.connector.data_routes import data_route
from xinglin.connector.desk import Desk
from xinglin.connector.doorway import HttpRequest, answer
from xinglin.connector.model import World
from xinglin.connector.outbox import Outbox
from xinglin.connector.routes import dsp_routers
from xinglin.connector.trigger_routes import trigger_router
from xinglin.kernel.errors import XinglinError
from xinglin.wire.dsp.messages import MESSAGE_SIZE
from xinglin.wire.dsp.ports import Evidence, Sender

log = logging.getLogger("xinglin.connector")

NOTES_EVERY_S = 1.0
CHORES_EVERY = 30
"""Rounds of handing notes over between two of the chores: what else is tried again from time to time."""


class Connector:
    """One connector; ``routers`` may be served inside another process, ``app`` is one of its own."""

    def __init__(self, world: World, sender: Sender, evidence: Evidence) -> None:
        self.world = world
        self.outbox = Outbox(world.store, sender, world.present, world.clock, world.settings.patience)
        self.desk = Desk(world, self.outbox, sender)
        self._evidence = evidence
        self._noting: asyncio.Task[None] | None = None
        self.chores: list[Callable[[], Awaitable[object]]] = []

    def routers(self) -> list[Router]:
        """The protocol's endpoints, the data door, and in the conformance profile the triggers."""
        settings = self.world.settings
        routers = [*dsp_routers(self.desk), Router(settings.base, route_handlers=[data_route(self.desk)])]
        return [*routers, trigger_router(self.desk)] if settings.triggers else routers

    def mounted(self, *others: Router) -> Router:
        """``routers``, and ``others`` beside them, for another application: with our limit of size and our errors."""
        return Router(
            "/",
            route_handlers=[*self.routers(), *others],
            exception_handlers={HTTPException: _on_http_error, XinglinError: _on_error, Exception: _on_defect},
            request_max_body_size=MESSAGE_SIZE.value,
        )

    def app(self) -> Litestar:
        """An application that serves nothing else."""
        return Litestar(
            self.routers(),
            exception_handlers={HTTPException: _on_http_error, XinglinError: _on_error, Exception: _on_defect},
            openapi_config=None,
            logging_config=None,
            request_max_body_size=MESSAGE_SIZE.value,
        )

    def start(self) -> None:
        """Take up what was owed, to counterparties and to the log. Needs a running loop."""
        self.outbox.start(self.desk)
        self._noting = asyncio.get_running_loop().create_task(self._note())

    async def stop(self) -> None:
        """Stop sending; what is owed stays in the store."""
        await self.outbox.stop()
        await self._stop_noting()
        await self.hand_over()

    async def _stop_noting(self) -> None:
        if self._noting is not None:
            self._noting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._noting

    async def hand_over(self) -> int:
        """Give the log what is kept for it; how many notes it took."""
        taken = 0
        while notes := self.world.store.notes():
            for note in notes:
                await self._evidence(note)
                await self.outbox.writer.drop_note(note.number)
                taken += 1
        return taken

    async def _note(self) -> None:
        rounds = 0
        while True:
            try:
                await self.hand_over()
                if rounds % CHORES_EVERY == 0:
                    for chore in self.chores:
                        await chore()
            except XinglinError as error:
                log.warning("evidence waits: %s", error.what)
            rounds += 1
            await asyncio.sleep(NOTES_EVERY_S)


async def serve(connector: Connector, address: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    server = Server(
        connector.app(),
        address=address,
        port=port,
        interface=Interfaces.ASGI,
        log_enabled=False,
        http1_settings=HTTP1Settings(max_buffer_size=1024 * 1024),
    )
    connector.start()
    serving = asyncio.create_task(server.serve())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
    server.stop()
    for task in (serving, stopping):
        task.cancel()
    await asyncio.wait((serving, stopping), timeout=5)
    await connector.stop()
    if not stop.is_set():
        serving.result()


def _on_error(_request: HttpRequest, error: XinglinError) -> Response[bytes]:
    return answer({"code": error.code, "reason": [str(error)]}, 400)


def _on_defect(_request: HttpRequest, error: Exception) -> Response[bytes]:
    """What nobody foresaw: told to the log by its kind and place, to the caller not at all."""
    log.error("a request ended in %s", type(error).__name__, exc_info=error)
    return answer({"code": "dsp.defect"}, 500)


def _on_http_error(_request: HttpRequest, error: HTTPException) -> Response[bytes]:
    """What the framework refuses by itself: an unknown path, a method, a body that is too long."""
    done = answer({"code": f"dsp.http_{error.status_code}"}, error.status_code)
    done.headers.update(error.headers or {})
    return done
