"""The intake's process: listens and pulls as ``sources.toml`` says, carries what came, answers at its own desk.

It is a child of the node, or runs by itself (``xinglin intake run``); it holds the raw store of the folder, and
never talks to the hub: the node posts what it wrote down for the log.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from xinglin.intake.model import SourceVersion
from xinglin.intake.ports import Kept, Received
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import system_clock
from xinglin.kernel.verdict import Reason, deny
from xinglin.node.intake.carrier import Carrier
from xinglin.node.intake.listeners import Listeners, Opener, open_mllp
from xinglin.node.intake.loading import load
from xinglin.node.intake.sources import SourceFile, read_sources
from xinglin.node.intake.wiring import OpenIntake, open_intake
from xinglin.node.joining import open_node_keys
from xinglin.node.settings import NodeSettings
from xinglin.stores.desk import serve_desk
from xinglin.wire.desk import DeskAnswer, DeskCall

log = logging.getLogger("xinglin.node.intake")

DESK_FOLDER = "intake"
"""Sub-folder of the node's folder whose socket is the intake's desk."""
VERBS = ("status", "reload", "load", "held", "replay", "stop")
OPENERS: dict[str, Opener] = {"mllp": open_mllp}


async def run_intake(folder: Path, settings: NodeSettings, passphrase: str = "") -> None:
    """Run until SIGTERM or SIGINT; listeners drain, and the batch in hand is committed."""
    opened = open_intake(folder, settings, open_node_keys(folder, passphrase))
    process = IntakeProcess(opened)
    stop = process.stopping
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    (folder / DESK_FOLDER).mkdir(mode=0o700, exist_ok=True)
    desk = await serve_desk(folder / DESK_FOLDER, process.answer)
    try:
        await process.begin()
        await stop.wait()
    finally:
        desk.close()
        await process.end()
        opened.close()


class IntakeProcess:
    """Listeners in the event loop, one carrier in a thread, and the verbs of the desk."""

    def __init__(self, opened: OpenIntake) -> None:
        self.opened = opened
        self.stopping = asyncio.Event()
        self._carrier = Carrier(opened.intake)
        self._listeners = Listeners(opened.folder, self._keep, OPENERS)

    async def begin(self) -> None:
        """Register the sources, open the listeners, start carrying."""
        await self._reload()
        self._carrier.start()

    async def end(self) -> None:
        """Close the listeners, and let the batch in hand end."""
        await self._listeners.close()
        await asyncio.to_thread(self._carrier.stop)

    async def answer(self, call: DeskCall) -> DeskAnswer:
        """One of ``VERBS``; anything else is refused with the list."""
        try:
            return await self._answer(call)
        except XinglinError as error:
            return DeskAnswer(None, (Reason(error.code, error.what, error.remedy),))

    async def _answer(self, call: DeskCall) -> DeskAnswer:
        if call.verb == "status":
            return DeskAnswer(await asyncio.to_thread(self._status))
        if call.verb == "reload":
            return DeskAnswer({"problems": await self._reload()})
        if call.verb == "load":
            return DeskAnswer(await asyncio.to_thread(self._load, call.arguments))
        if call.verb == "held":
            after = int(call.arguments.get("after", "0"))
            return DeskAnswer(msgspec.to_builtins(self.opened.accounts.held(after)))
        if call.verb == "replay":
            return DeskAnswer(await asyncio.to_thread(self._replay, call.arguments))
        if call.verb == "stop":
            self.stopping.set()
            return DeskAnswer({"stopping": True})
        words = f"The intake knows no verb {call.verb!r}."
        return DeskAnswer(None, deny("node.unknown_verb", words, f"Known: {', '.join(VERBS)}.").reasons)

    async def _keep(self, received: Received) -> Kept:
        kept = await self.opened.raw.keep(received)
        self._carrier.wake()
        return kept

    async def _reload(self) -> dict[str, str]:
        sources = read_sources(self.opened.folder)
        registered = await asyncio.to_thread(register, self.opened, sources)
        problems = {name: found for name, found in registered.items() if isinstance(found, str)}
        return problems | await self._listeners.follow(one for one in sources if one.name not in problems)

    def _status(self) -> dict[str, Any]:
        opened = self.opened
        return {
            **msgspec.to_builtins(opened.accounts.status(opened.raw.count())),
            "failing": self._carrier.failing,
            "listeners": self._listeners.status(),
            "sources": [one.source.name for one in opened.ledger.sources()],
        }

    def _load(self, arguments: dict[str, str]) -> Any:
        source = next((one for one in read_sources(self.opened.folder) if one.name == arguments.get("source")), None)
        if source is None:
            raise XinglinError("There is no such source.", remedy="See sources.toml.")
        files = [Path(one) for one in msgspec.json.decode(arguments.get("files", "[]"), type=list[str])]
        with self._carrier.turn:
            return msgspec.to_builtins(load(self.opened, source.source(self.opened.folder), files))

    def _replay(self, arguments: dict[str, str]) -> Any:
        ledger, after, count = self.opened.ledger, 0, 0
        source, code = arguments.get("source", ""), arguments.get("code", "")
        with self._carrier.turn:
            while held := ledger.held_objects(after, 1000, source=source, code=code):
                batches = self.opened.intake.read_again(held)
                count, after = count + sum(one.plan.tally.accepted for one in batches), held[-1]
        return {"accepted": count, "held": self.opened.accounts.held_codes()}


def register(opened: OpenIntake, sources: Iterable[SourceFile]) -> dict[str, SourceVersion | str]:
    """Register every source with the ledger; what went wrong, or the version, by name."""
    found: dict[str, SourceVersion | str] = {}
    for one in sources:
        try:
            found[one.name] = opened.ledger.register(one.source(opened.folder), system_clock())
        except XinglinError as error:
            found[one.name] = str(error)
    return found
