"""A workspace's process: fetches what is sealed to it, and serves its enrolled clients until told to stop."""

from __future__ import annotations

import asyncio
import logging
import signal
from pathlib import Path

from granian.constants import Interfaces
from granian.server.embed import Server

from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Clock, system_clock
from xinglin.sdk.account import open_account
from xinglin.sdk.workspace.clients import Clients
from xinglin.sdk.workspace.exports import Exports
from xinglin.sdk.workspace.keeper import Keeper
from xinglin.sdk.workspace.routes import Door, build_app
from xinglin.sdk.workspace.settings import WorkspaceSettings
from xinglin.sdk.workspace.tokens import Tokens
from xinglin.stores.log_fetch import check_url

log = logging.getLogger("xinglin.workspace")


async def run_workspace(
    folder: Path, settings: WorkspaceSettings, passphrase: str = "", clock: Clock = system_clock
) -> None:
    """Run until SIGTERM or SIGINT."""
    keeper = Keeper(open_account(folder, passphrase), proxy=settings.proxy or None)
    serving_keeper = Keeper(open_account(folder, passphrase))  # reads files beside the one that fetches
    tokens = Tokens(Clients(folder), f"{settings.url}/token", clock)
    door = Door(settings.url, serving_keeper, tokens, Exports(serving_keeper, settings.url, clock))
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    server = _server(door, folder, settings)
    serving = asyncio.create_task(server.serve())
    fetching = asyncio.create_task(_fetch_always(keeper, settings.fetch_s))
    stopping = asyncio.create_task(stop.wait())
    log.info("workspace serves %s", settings.url)
    await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
    server.stop()  # type: ignore[no-untyped-call]
    fetching.cancel()
    stopping.cancel()
    await asyncio.wait((serving,), timeout=10)
    await asyncio.gather(fetching, stopping, return_exceptions=True)
    keeper.close()
    serving_keeper.close()
    if serving.done():
        serving.result()


async def _fetch_always(keeper: Keeper, pause_s: float) -> None:
    while True:
        try:
            for view in await asyncio.to_thread(keeper.waiting):
                kept = await asyncio.to_thread(keeper.fetch, view.run_id)
                log.info("extract %s was fetched and verified", kept.run_id)
        except XinglinError as error:
            log.warning("fetching waits: %s", error.code)
        await asyncio.sleep(pause_s)


def _server(door: Door, folder: Path, settings: WorkspaceSettings) -> Server:
    check_url(settings.url, plain_loopback=settings.plain_http)
    return Server(
        build_app(door),
        address=settings.address,
        port=settings.port,
        interface=Interfaces.ASGI,
        ssl_cert=None if settings.plain_http else folder / "tls.crt",
        ssl_key=None if settings.plain_http else folder / "tls.key",
        log_enabled=False,
    )
