"""The witness's process: serves until told to stop; whatever it cosigned is on its disk."""

from __future__ import annotations

import asyncio
import logging
import signal
from pathlib import Path

import httpx
from granian.constants import Interfaces
from granian.server.embed import Server

from xinglin.kernel.errors import XinglinError
from xinglin.kernel.limits import JSON_BYTES
from xinglin.stores.http_answers import UnfitAnswer, await_answer
from xinglin.stores.log_fetch import check_url
from xinglin.witness.settings import WitnessSettings
from xinglin.witness.wiring import WitnessParts, build_witness

log = logging.getLogger("xinglin.witness")


async def run_witness(
    folder: Path, settings: WitnessSettings, passphrase: str = "", stop: asyncio.Event | None = None
) -> None:
    """Run until SIGTERM, SIGINT or ``stop``."""
    parts = build_witness(folder, settings, passphrase)
    stop = stop or asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    server = _server(parts, folder, settings)
    serving = asyncio.create_task(server.serve())
    forwarding = asyncio.create_task(_forward(parts, settings.forward_s))
    stopping = asyncio.create_task(stop.wait())
    log.info("witness follows %s", parts.witness.log.origin)
    await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
    server.stop()
    await asyncio.wait((serving,), timeout=10)
    forwarding.cancel()
    stopping.cancel()
    await asyncio.gather(forwarding, stopping, return_exceptions=True)
    await parts.client.aclose()
    parts.store.close()
    parts.ledger.close()
    if serving.done():
        serving.result()


async def _forward(parts: WitnessParts, pause_s: float) -> None:
    """Hand accepted submissions to the log until they are in it: a batch that comes twice is appended once."""
    while True:
        await asyncio.sleep(pause_s)
        try:
            await forward_once(parts)
        except XinglinError as error:
            log.warning("submissions wait: %s", error.code)


async def forward_once(parts: WitnessParts) -> int:
    """One attempt for each batch that waits; how many the log took."""
    taken = 0
    for batch in await asyncio.to_thread(parts.witness.waiting_batches):
        try:
            asked = parts.client.build_request("POST", f"{parts.hub_url}/submit", content=batch)
            answer = await await_answer(parts.client, asked, JSON_BYTES)
        except (httpx.HTTPError, UnfitAnswer) as error:
            log.warning("the log takes no submissions: %s", type(error).__name__)
            return taken
        taken += answer.status == 200
        if answer.status != 200:
            log.warning("the log refused a submission: %d", answer.status)
    return taken


def _server(parts: WitnessParts, folder: Path, settings: WitnessSettings) -> Server:
    scheme = "http" if settings.plain_http else "https"
    check_url(f"{scheme}://{settings.address}:{settings.port}", plain_loopback=settings.plain_http)
    certificate = None if settings.plain_http else folder / "tls.crt"
    key = None if settings.plain_http else folder / "tls.key"
    return Server(
        parts.app,
        address=settings.address,
        port=settings.port,
        interface=Interfaces.ASGI,
        ssl_cert=certificate,
        ssl_key=key,
        log_enabled=False,
    )
