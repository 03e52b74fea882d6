"""The intake's process: listens and pulls as ``sources.toml`` says, carries what came, answers at its own desk.

It is a child of the node, or runs by itself (``xinglin intake run``); it holds the raw store of the folder, and
never talks to the hub: the node posts what it wrote down for the log.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from xinglin.intake.model import SourceVersion
from xinglin.intake.ports import Kept, Received
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import system_clock
from xinglin.node.intake.carrier import Carrier
from xinglin.node.intake.dicom_listener import ImagingWays
from xinglin.node.intake.folders import folder_opener
from xinglin.node.intake.listeners import Listeners, Opener, open_mllp
from xinglin.node.intake.nightly import Nights
from xinglin.node.intake.pullers import Pullers
from xinglin.node.intake.schedules import Schedules
from xinglin.node.intake.series import count_series
from xinglin.node.intake.sources import SourceFile, read_sources
from xinglin.node.intake.verbs import answer_at_desk
from xinglin.node.intake.wiring import OpenIntake, open_intake
from xinglin.node.joining import open_node_keys
from xinglin.node.settings import NodeSettings
from xinglin.stores.desk import serve_desk
from xinglin.wire.desk import DeskAnswer, DeskCall

log = logging.getLogger("xinglin.node.intake")

DESK_FOLDER = "intake"
"""Sub-folder of the node's folder whose socket is the intake's desk."""
OPENERS: dict[str, Opener] = {"mllp": open_mllp}
"""Ways in that need nothing but ``keep``; ``IntakeProcess`` adds those that read or write otherwise."""


async def run_intake(
    folder: Path, settings: NodeSettings, passphrase: str = "", *, parent: Callable[[], Awaitable[None]] | None = None
) -> None:
    """Run until SIGTERM, SIGINT, or until ``parent`` returns; listeners drain, and the batch in hand is committed."""
    (folder / DESK_FOLDER).mkdir(mode=0o700, exist_ok=True)
    opened = open_intake(folder, settings, open_node_keys(folder, passphrase))
    process = IntakeProcess(opened, Path(settings.ca_file) if settings.ca_file else None)
    stop, ended = process.stopping, False
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    watching = asyncio.create_task(_watch(parent, stop)) if parent is not None else None
    try:
        desk = await serve_desk(folder / DESK_FOLDER, process.answer)
        try:
            await process.begin()
            await stop.wait()
        finally:
            desk.close()
            ended = await process.end()
    finally:
        if watching is not None:
            watching.cancel()
        opened.close()
    if not ended:
        log.warning("what was still being asked of a server was cut off; it goes on at the next start")
        logging.shutdown()
        os._exit(0)  # a thread that waits for a server would hold the process; everything kept is durable


async def _watch(parent: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
    await parent()
    stop.set()


class IntakeProcess:
    """Listeners in the event loop, one carrier in a thread, and the verbs of the desk."""

    def __init__(self, opened: OpenIntake, ca_file: Path | None = None) -> None:
        self.opened = opened
        self.stopping = asyncio.Event()
        self._carrier = Carrier(opened.intake)
        self.ca_file = ca_file
        pullers = Pullers(opened, self._carrier.wake, ca_file=ca_file)
        self.schedules = Schedules(opened, pullers, self._carrier, Nights(opened, ca_file=ca_file))
        images = ImagingWays(opened.raw, self.schedules.noticed)
        openers = {**OPENERS, "dicom": images.open_dicom, "web": images.open_web}
        series = partial(count_series, opened.folder, opened.raw)
        openers["folder"] = folder_opener(opened.raw, self._carrier.wake, series)
        self._listeners = Listeners(opened.folder, self._keep, openers)

    async def begin(self) -> None:
        """Register the sources, open the listeners, start carrying."""
        await self.reload()
        self._carrier.start()

    async def end(self) -> bool:
        """Close the listeners, stop what is pulled, let the batch in hand end; whether all of it did in time."""
        await self._listeners.close()
        pulled = await self.schedules.close()
        return await asyncio.to_thread(self._carrier.stop) and pulled

    async def answer(self, call: DeskCall) -> DeskAnswer:
        """One of ``verbs.VERBS``; anything else is refused with the list."""
        return await answer_at_desk(self, call)

    @property
    def turn(self) -> threading.Lock:
        """Held by whoever carries objects or changes files of the lake."""
        return self._carrier.turn

    async def _keep(self, received: Received) -> Kept:
        kept = await self.opened.raw.keep(received)
        self._carrier.wake()
        return kept

    async def reload(self) -> dict[str, str]:
        """Read ``sources.toml`` again and make everything as it says; problems by source."""
        sources = read_sources(self.opened.folder)
        registered = await asyncio.to_thread(register, self.opened, sources)
        problems = {name: found for name, found in registered.items() if isinstance(found, str)}
        problems |= await self._listeners.follow(one for one in sources if one.name not in problems)
        problems |= await self.schedules.follow(one for one in sources if one.name not in problems)
        self._carrier.wake()
        return problems

    def status(self) -> dict[str, Any]:
        """How the intake stands: counts and names, nothing of a record."""
        opened = self.opened
        return {
            **msgspec.to_builtins(opened.accounts.status(opened.raw.count())),
            "failing": self._carrier.failing,
            "listeners": self._listeners.status(),
            "sources": [one.source.name for one in opened.ledger.sources()],
            **self.schedules.status(),
        }


def register(opened: OpenIntake, sources: Iterable[SourceFile]) -> dict[str, SourceVersion | str]:
    """Register every source with the ledger; what went wrong, or the version, by name."""
    found: dict[str, SourceVersion | str] = {}
    for one in sources:
        try:
            found[one.name] = opened.ledger.register(one.source(opened.folder), system_clock())
        except XinglinError as error:
            found[one.name] = str(error)
    return found
