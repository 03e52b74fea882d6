"""A node's process: one line out, everything else in its folder; drains on SIGTERM and resumes at the next start."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Coroutine
from functools import partial
from pathlib import Path

from xinglin.kernel.errors import XinglinError
from xinglin.kernel.limits import Limit
from xinglin.node.channel import Channel
from xinglin.node.connector_held import NodeHeld
from xinglin.node.connector_life import NodeDsp
from xinglin.node.desk import answer_at_desk
from xinglin.node.intake.child import IntakeChild
from xinglin.node.intake.posting import IntakeEvidence, keep_posting
from xinglin.node.listings import Listings
from xinglin.node.looks_keeper import LookKeeper
from xinglin.node.looks_store import open_look_book
from xinglin.node.settings import NodeSettings
from xinglin.node.wiring import Node, build_node, connect_channel, lines_to_hub
from xinglin.stores.desk import serve_desk
from xinglin.trust.errors import UnknownParticipant
from xinglin.wire.channel import (
    AgreementOrder,
    ApprovalOrder,
    CheckpointOrder,
    CosignOrder,
    LogTicket,
    Order,
    PaperOrder,
    RunEnd,
    RunOrder,
    RunRelay,
    RunReleases,
)
from xinglin.wire.extracts import ExtractOrder, ExtractStop
from xinglin.wire.held_offers import HeldOrder

log = logging.getLogger("xinglin.node")
EARLY_ORDERS = Limit("orders that wait for the log", 256, "orders")


async def run_node(folder: Path, settings: NodeSettings, passphrase: str = "") -> None:
    """Run until SIGTERM or SIGINT."""
    node = build_node(folder, settings, passphrase)
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    dispatch = Dispatch(node)
    channel = Channel(
        lines_to_hub(node), node.keys, node.clock, dispatch.take, lambda: node.view.size, dispatch.new_hub,
        lambda: node.runs.unfinished,
    )  # fmt: skip
    connect_channel(node, channel)
    node.view.on_trusted.append(dispatch.trusted)
    dsp = NodeDsp(node, channel)
    dispatch.held = dsp.held
    others = partial(answer_at_desk, node, channel, stop=stop)
    desk = await serve_desk(folder, lambda call: dsp.desk.answer_at_desk(call, others))
    dsp.start()
    talking = asyncio.create_task(channel.run())
    stopping = asyncio.create_task(stop.wait())
    posting = asyncio.create_task(keep_posting(folder, IntakeEvidence(node.keys.did, node.evidence)))
    book = open_look_book(folder, settings)
    every_ms = round(settings.looks_page_s * 1000)
    keeper = LookKeeper(node.keys.did, folder, book, node.database, node.view, node.evidence, node.clock, every_ms)
    keeping = asyncio.create_task(keeper.keep())
    keeping.add_done_callback(partial(_told, what="nobody keeps the book of looks any more"))
    child = IntakeChild(folder, passphrase)
    looking = asyncio.create_task(node.overdue.keep_looking())
    looking.add_done_callback(partial(_told, what="nobody looks for missed dates any more"))
    feeding = asyncio.create_task(child.run()) if settings.intake == "auto" else None
    channel.report(Listings(folder, node.tables, node.house).publication())
    node.desk.budgets.tell(node.tables.published)
    node.evidence.resubmit(node.agreements.withheld())
    await asyncio.wait((talking, stopping), return_when=asyncio.FIRST_COMPLETED)
    if feeding is not None:
        await child.stop()
        await asyncio.wait((feeding,), timeout=5)
    await dsp.stop()
    await node.runs.drain(settings.drain_s)
    await node.extracts.drain()
    await channel.drain(settings.drain_s)
    for task in (talking, stopping, posting, looking, keeping):
        task.cancel()
    await asyncio.wait((talking, stopping, posting, looking, keeping), timeout=5)
    book.close()
    desk.close()
    await node.desk.engine.close()
    await node.extract_engine.close()
    await node.client.aclose()
    node.database.close()
    node.desk.budgets.close()
    node.documents.close()
    node.terms.close()
    node.overdue.close()
    node.extracts.store.close()
    node.papers.close()
    node.memory.close()
    if not stop.is_set():
        talking.result()


def _told(task: asyncio.Task[None], what: str) -> None:
    """A defect that ends something that should never end is not quiet."""
    if not task.cancelled() and task.exception() is not None:
        log.error(what, exc_info=task.exception())


class Dispatch:
    """Hands each order to who is responsible for it; never raises for what an order says."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._tasks: set[asyncio.Task[None]] = set()
        self._resumed = False
        self._early: list[Order] = []
        self.held: NodeHeld | None = None

    def take(self, order: Order) -> None:
        """One order of the hub. What somebody signed whom the trusted log does not name yet waits for the log."""
        try:
            self._take(order)
        except UnknownParticipant:
            if len(self._early) < EARLY_ORDERS.value:
                self._early.append(order)
        except XinglinError as error:
            log.warning("order %s not taken: %s", type(order).__name__, error.code)

    def new_hub(self) -> None:
        """The hub was started anew: tell it again what it may have lost."""
        self._node.evidence.resubmit(self._node.agreements.withheld())
        self._node.breaches.resend()
        self._node.desk.budgets.tell(self._node.tables.published)
        try:
            told = Listings(self._node.folder, self._node.tables, self._node.house).publication()
            self._node.outbox.told(told)
        except XinglinError as error:
            log.warning("the hub is not told what is published: %s", error.code)

    def trusted(self) -> None:
        """A checkpoint is trusted: what waited for the log is looked at again, and at first what a stop left open."""
        early, self._early = self._early, []
        for order in early:
            self.take(order)
        if not self._resumed:
            self._resumed = True
            self._node.runs.resume()
            self._node.extracts.resume()
            self._start(self._node.agreements.finish_countersigning(self._node.tables.published))
            self._node.breaches.resend()
            lost = self._node.evidence.lost()
            if lost:
                log.error("the log no longer holds what receipts %s prove: tell the regulator", lost[:10])

    def _take(self, order: Order) -> None:
        node = self._node
        if self._took_use(order):
            return
        if isinstance(order, CosignOrder):
            self._start(self._cosign(order))
        elif isinstance(order, CheckpointOrder):
            self._start(node.view.take_checkpoint(order.note))
        elif isinstance(order, LogTicket):
            node.evidence.take_ticket(order)
        elif isinstance(order, HeldOrder):
            if self.held is not None:
                self.held.take(order)
        elif isinstance(order, ApprovalOrder):
            node.approvals.given(order)
        elif isinstance(order, PaperOrder):
            node.breaches.given(order)
        elif isinstance(order, AgreementOrder):
            offered = node.agreements.offered(order)
            if offered:
                self._start(self._answer(offered))

    def _took_use(self, order: Order) -> bool:
        """Whether it was an order about a use of data: a run or an extract."""
        if isinstance(order, RunRelay | RunReleases | RunEnd):
            self._node.runs.fed(order)
        elif isinstance(order, RunOrder):
            self._node.runs.ordered(order)
        elif isinstance(order, ExtractOrder):
            if self._node.view.age_ms is None:
                raise UnknownParticipant("The log is not followed yet: nobody is known.")
            self._node.extracts.ordered(order)
        elif isinstance(order, ExtractStop):
            self._node.extracts.stopped(order)
        else:
            return False
        return True

    async def _answer(self, agreement_id: str) -> None:
        if not await self._node.feasibility.take(agreement_id):
            await self._node.autopilot.take(agreement_id)

    async def _cosign(self, order: CosignOrder) -> None:
        channel = self._node.outbox.channel
        if channel is not None:
            channel.report(await self._node.view.cosign(order))

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("an order failed: %s", type(task.exception()).__name__)
