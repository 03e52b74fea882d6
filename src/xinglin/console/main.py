"""The console's process: starts, serves until told to stop, ends."""

from __future__ import annotations

import asyncio
import logging
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from granian.constants import Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from xinglin.console.app import console_app, discovered
from xinglin.console.serving import Console
from xinglin.console.settings import ConsoleSettings
from xinglin.console.wiring import build_console
from xinglin.kernel.verdict import deny
from xinglin.stores.desk import serve_desk
from xinglin.wire.desk import DeskAnswer, DeskCall

log = logging.getLogger("xinglin.console")
THREADS = 48
"""Requests that are answered at one time; live parts have threads of their own."""


async def run_console(folder: Path, settings: ConsoleSettings, stop: asyncio.Event | None = None) -> None:
    """Run until SIGTERM, SIGINT or ``stop``."""
    settings.check()
    console = build_console(folder, settings)
    stop = stop or asyncio.Event()
    # Handlers wait for hub and nodes more than they compute: the default of a few threads would hold everybody up.
    threads = ThreadPoolExecutor(THREADS, thread_name_prefix="console")
    asyncio.get_running_loop().set_default_executor(threads)
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    server = Server(
        console_app(console, discovered()[1]),
        address=settings.address,
        port=settings.port,
        interface=Interfaces.ASGI,
        ssl_cert=Path(settings.tls_cert) if settings.tls_cert else None,
        ssl_key=Path(settings.tls_key) if settings.tls_key else None,
        log_enabled=False,
        http1_settings=HTTP1Settings(max_buffer_size=1024 * 1024),
    )
    desk = await serve_desk(folder, lambda call: _at_desk(console, call, stop))
    serving = asyncio.create_task(server.serve())
    stopping = asyncio.create_task(stop.wait())
    log.info("console serves %s", settings.url)
    await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
    server.stop()
    stopping.cancel()
    await asyncio.wait((serving, stopping), timeout=5)
    desk.close()
    console.streams.close()
    await asyncio.to_thread(console.lines.close)
    console.people.close()
    if serving.done() and not serving.cancelled():
        serving.result()


async def _at_desk(console: Console, call: DeskCall, stop: asyncio.Event) -> DeskAnswer:
    if call.verb == "status":
        seats = [{"id": one.id, "role": one.role, "label": one.label} for one in console.seats.values()]
        return DeskAnswer({"url": console.settings.url, "seats": seats, "streams": console.streams.open})
    if call.verb == "stop":
        stop.set()
        return DeskAnswer({"stopping": True})
    return DeskAnswer(
        None, deny("console.unknown_verb", "The console knows no such verb.", "Known: status, stop.").reasons
    )
