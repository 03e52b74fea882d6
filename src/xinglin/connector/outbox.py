"""Outgoing messages: sent until acknowledged, with back-off; what is owed lies in the store and survives a crash."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Protocol
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

import msgspec

from xinglin.connector.model import Patience
from xinglin.connector.writing import Writer
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Clock
from xinglin.wire.dsp.errors import Unreachable
from xinglin.wire.dsp.ports import Answer, ConnectorStore, OwedRow, Present, Sender

log = logging.getLogger("xinglin.connector")

SENDS_AT_ONCE = 256
SENDS_TO_ONE = 16
"""Messages under way to one host: one that hangs holds up nobody else, and few connections are quick to choose from."""
PASSING = frozenset((401, 404, 408, 409, 425, 429))
"""Statuses below 500 that may be others the next time."""
BRIEF = frozenset((401, 404))
"""Of these the statuses that are tried for a short time only."""


class Hears(Protocol):
    """Is told what became of a message."""

    async def delivered(self, owed: OwedRow, answer: Answer) -> None:
        """The counterparty took it."""

    async def refused(self, owed: OwedRow, answer: Answer | None) -> None:
        """The counterparty refused it, or (None) nobody answered for too long."""


class Outbox:
    """Sends each owed message at its instant; one attempt a process at a time, many processes at once."""

    def __init__(
        self, store: ConnectorStore, sender: Sender, present: Present, clock: Clock, patience: Patience
    ) -> None:
        self._store, self._sender, self._present = store, sender, present
        self.writer = Writer(store)
        self._clock, self._patience = clock, patience
        self._hears: Hears | None = None
        self._tried: set[str] = set()
        self._flying: dict[str, asyncio.Event] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(SENDS_AT_ONCE)
        self._rooms: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._open = True

    def start(self, hears: Hears) -> None:
        """Take up what is owed since before; any of it may have been sent already."""
        self._hears = hears
        for owed in self._store.all_owed():
            self._tried.add(owed.pid)
            self._schedule(owed)

    def put(self, owed: OwedRow | None) -> None:
        """A message that the store holds now is sent at its instant."""
        if owed is not None:
            self._tried.discard(owed.pid)
            self._schedule(owed)

    def may_have_arrived(self, owed: OwedRow) -> bool:
        """Whether the counterparty may have this message already."""
        return owed.attempts > 0 or owed.pid in self._tried

    async def settled(self, pid: str) -> None:
        """Wait, for a limited time, until no attempt of this process is under way."""
        flying = self._flying.get(pid)
        if flying is not None:
            try:
                await asyncio.wait_for(flying.wait(), self._patience.settle_ms / 1000)
            except TimeoutError:
                return

    async def stop(self) -> None:
        """Stop; what was not acknowledged stays owed."""
        self._open = False
        for timer in self._timers.values():
            timer.cancel()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5)
        await self.writer.finish()

    def _schedule(self, owed: OwedRow) -> None:
        if not self._open:
            return
        earlier = self._timers.pop(owed.pid, None)
        if earlier is not None:
            earlier.cancel()
        delay_s = max(owed.next_at - self._clock(), 0) / 1000
        self._timers[owed.pid] = asyncio.get_running_loop().call_later(delay_s, self._begin, owed)

    def _begin(self, owed: OwedRow) -> None:
        self._timers.pop(owed.pid, None)
        task = asyncio.get_running_loop().create_task(self._attempt(owed))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("sending failed: %s", type(task.exception()).__name__, exc_info=task.exception())

    async def _attempt(self, owed: OwedRow) -> None:
        before = self._flying.get(owed.pid)
        if before is not None:
            await before.wait()
        flying = self._flying[owed.pid] = asyncio.Event()
        try:
            async with self._room_for(owed), self._room:
                answer = await self._send(owed)
            await self._heard(owed, answer)
        except XinglinError as error:
            # Such as a full disk: the message is owed still, and its acknowledgement is asked for again.
            log.error("%s %s: %s", owed.kind, owed.pid, error.what)
            self._schedule(msgspec.structs.replace(owed, next_at=self._clock() + self._patience.most_ms))
        finally:
            if self._flying.get(owed.pid) is flying:
                del self._flying[owed.pid]
            flying.set()

    def _room_for(self, owed: OwedRow) -> asyncio.Semaphore:
        host = urlsplit(owed.url).netloc
        found = self._rooms.get(host)
        if found is None:
            found = self._rooms[host] = asyncio.Semaphore(SENDS_TO_ONE)
        return found

    async def _send(self, owed: OwedRow) -> Answer | None:
        row, current = self._store.process(owed.pid), self._store.owed(owed.pid)
        if row is None or current is None or current.body != owed.body:
            return Answer(0)
        self._tried.add(owed.pid)
        try:
            authorization = await self._present(row.participant, owed.url)
            return await self._sender.post(owed.url, owed.body, authorization)
        except Unreachable as error:
            log.info("%s %s: '%s' cannot be sent now: %s", owed.kind, owed.pid, owed.event, error.what)
            return None

    async def _heard(self, owed: OwedRow, answer: Answer | None) -> None:
        if self._hears is None or (answer is not None and answer.status == 0):
            return
        if answer is not None and 200 <= answer.status < 300:
            await self._hears.delivered(owed, answer)
        elif answer is None or answer.status in PASSING or answer.status >= 500:
            await self._again(owed, answer)
        else:
            await self._hears.refused(owed, answer)

    async def _again(self, owed: OwedRow, answer: Answer | None) -> None:
        now, patience = self._clock(), self._patience
        if answer is not None:
            log.info("%s %s: '%s' was answered %d", owed.kind, owed.pid, owed.event, answer.status)
        brief = answer is not None and answer.status in BRIEF
        if now - owed.since >= (patience.unknown_ms if brief else patience.give_up_ms):
            if self._hears is not None:
                await self._hears.refused(owed, answer)
            return
        wait_ms = min(patience.first_ms * 2 ** min(owed.attempts, 20), patience.most_ms)
        wait_ms = int(wait_ms * random.uniform(0.75, 1.25))  # noqa: S311 (spreads load, keeps no secret)
        asked_ms = int(answer.retry_after_s * 1000) if answer is not None else 0
        wait_ms = min(max(wait_ms, asked_ms), patience.most_ms)
        later = msgspec.structs.replace(owed, attempts=owed.attempts + 1, next_at=now + wait_ms)
        await self.writer.postpone(later)
        self._schedule(later)
