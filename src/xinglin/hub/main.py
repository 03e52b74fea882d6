"""The hub's process: starts, serves until told to stop, drains, ends."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from pathlib import Path

from granian.constants import Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from xinglin.hub.desk import answer_at_desk
from xinglin.hub.founding import OWN_FILE
from xinglin.hub.settings import HubSettings
from xinglin.hub.wiring import HubParts, build_hub, connect_parts
from xinglin.kernel.codec import decode_json
from xinglin.stores.desk import serve_desk
from xinglin.trust.leaves import KeyRegistration

log = logging.getLogger("xinglin.hub")


async def run_hub(folder: Path, settings: HubSettings, passphrase: str = "") -> None:
    """Run until SIGTERM or SIGINT; what was acknowledged is durable whenever it ends."""
    parts = build_hub(folder, settings, passphrase)
    hub = parts.hub
    connect_parts(parts)
    await hub.log.start()
    await _register_founders(parts, folder)
    hub.members.catch_up()
    await hub.runs.restore()
    hub.access.every()
    hub.catalogue.warm()  # applications are screened by what it shows: nobody waits for it later
    keep_what_was_read()
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    server = Server(
        parts.app,
        address=settings.address,
        port=settings.port,
        interface=Interfaces.ASGI,
        ssl_cert=folder / "tls.crt",
        ssl_key=folder / "tls.key",
        log_enabled=False,
        http1_settings=HTTP1Settings(max_buffer_size=1024 * 1024),
    )
    if parts.connector is not None:
        parts.connector.connector.start()
    desk = await serve_desk(folder, lambda call: answer_at_desk(hub, call, stop, parts.connector))
    serving = asyncio.create_task(server.serve())
    watching = asyncio.create_task(hub.runs.watch())
    federating = asyncio.create_task(hub.federation.watch())
    lapsing = asyncio.create_task(hub.reviews.watch())
    relaying = asyncio.create_task(hub.extracts.watch() if hub.extracts else stop.wait())
    stopping = asyncio.create_task(stop.wait())
    log.info("hub serves %s", hub.space.hub_url)
    await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
    await _close(parts, server, (serving, watching, lapsing, federating, relaying, stopping), settings.drain_s)
    desk.close()
    if not stop.is_set():
        serving.result()


def keep_what_was_read() -> None:
    """Take what a start has read out of the collector's rounds: it stays, and each round would walk through all of it.

    Such a round holds every answer up: 0.2 s beside a log of a million entries.
    """
    gc.collect()
    gc.freeze()


async def _close(parts: HubParts, server: Server, tasks: tuple[asyncio.Task[object], ...], drain_s: float) -> None:
    for _ in range(int(drain_s * 10)):
        if not parts.hub.runs.busy:
            break
        await asyncio.sleep(0.1)
    server.stop()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=5)
    if parts.connector is not None:
        await parts.connector.close()
    await parts.hub.log.stop()
    await parts.witness_client.aclose()
    parts.database.close()
    parts.access_database.close()
    parts.papers.close()
    parts.contracts.close()
    parts.products.close()
    parts.blind.close()
    parts.extracts.close()
    await parts.hub.federation.close()
    parts.log_store.close()


async def _register_founders(parts: HubParts, folder: Path) -> None:
    """The first two leaves: operator and regulator, put there once."""
    if parts.hub.log.size():
        return
    own = decode_json((folder / OWN_FILE).read_bytes(), KeyRegistration)
    for registration in (own, parts.regulator):
        await parts.hub.members.record_registration(registration)
