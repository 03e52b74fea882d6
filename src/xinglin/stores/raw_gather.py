"""Many callers, one writer thread, one durable write for all that wait: from any event loop and any thread."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future

import msgspec

from xinglin.intake.errors import NotKept
from xinglin.intake.ports import Kept, Received
from xinglin.kernel.errors import XinglinError
from xinglin.stores.raw_errors import RawClosed
from xinglin.stores.raw_model import GROUP_BYTES, GROUP_ENTRIES, WAITING_BYTES


class Item(msgspec.Struct, frozen=True):
    """One object to keep. ``large``: key id of the published object that holds it already.

    ``digest``: where it is known already, with ``size_bytes`` of the body. ``payload``: the body, ``packed`` or plain,
    as it goes into a record; ``received`` has none then.
    """

    received: Received
    large: int = 0
    digest: bytes = b""
    size_bytes: int = 0
    payload: bytes | None = None
    packed: bool = False


Outcome = list[Kept] | XinglinError


class Unit:
    """Items kept together or not at all, and who waits for them."""

    __slots__ = ("blocked", "future", "items", "loop", "size_bytes")

    def __init__(self, items: Sequence[Item]) -> None:
        self.items = items
        self.size_bytes = sum(len(item.received.body) + len(item.payload or b"") for item in items)
        self.loop: asyncio.AbstractEventLoop | None = None
        self.future: asyncio.Future[list[Kept]] | None = None
        self.blocked: Future[list[Kept]] | None = None


class Gather:
    """Hands what waits to ``commit`` in groups; ``commit`` answers each unit with what was kept or an error."""

    def __init__(self, commit: Callable[[list[Unit]], list[Outcome]]) -> None:
        self._commit = commit
        self._waiting: deque[Unit] = deque()
        self._waiting_bytes = 0
        self._condition = threading.Condition()
        self._asleep = self._closing = False
        self._thread: threading.Thread | None = None

    async def keep(self, unit: Unit) -> list[Kept]:
        """Wait on the present event loop."""
        unit.loop = asyncio.get_running_loop()
        unit.future = unit.loop.create_future()
        self._enter(unit)
        # A caller that gives up cancels its future; the object may be kept all the same, and ``_tell`` passes it over.
        return await unit.future

    def keep_blocking(self, unit: Unit) -> list[Kept]:
        """Wait in this thread."""
        unit.blocked = Future()
        self._enter(unit)
        return unit.blocked.result()

    def close(self) -> None:
        """Answer all that wait, then end the writer thread."""
        with self._condition:
            self._closing = True
            self._condition.notify()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _enter(self, unit: Unit) -> None:
        with self._condition:
            if self._closing:
                raise RawClosed("The raw store is closed.")
            if self._waiting and self._waiting_bytes + unit.size_bytes > WAITING_BYTES.value:
                raise NotKept(
                    "Too much waits to be kept.",
                    why=f"{WAITING_BYTES.name} are limited to {WAITING_BYTES.value}",
                    remedy="Send again, more slowly.",
                )
            self._waiting.append(unit)
            self._waiting_bytes += unit.size_bytes
            if self._asleep:
                self._condition.notify()
            elif self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name="raw-writer", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while batch := self._take():
            try:
                outcomes = self._commit(batch)
            except BaseException as error:
                # A caller must never wait for ever; the next call, even of one that is told now, starts a new thread.
                failure = NotKept("The raw store's writer failed.", why=type(error).__name__, remedy="Send again.")
                with self._condition:
                    told, self._thread = [*batch, *self._waiting], None
                    self._waiting.clear()
                    self._waiting_bytes = 0
                answer(told, [failure] * len(told))
                raise
            answer(batch, outcomes)

    def _take(self) -> list[Unit]:
        """The next group; empty when closing and nothing waits."""
        with self._condition:
            while not self._waiting and not self._closing:
                self._asleep = True
                self._condition.wait()
                self._asleep = False
            batch: list[Unit] = []
            entries = size_bytes = 0
            while self._waiting:
                entries += len(self._waiting[0].items)
                size_bytes += self._waiting[0].size_bytes
                if batch and (entries > GROUP_ENTRIES.value or size_bytes > GROUP_BYTES.value):
                    break
                batch.append(self._waiting.popleft())
                self._waiting_bytes -= batch[-1].size_bytes
            return batch


def answer(units: Sequence[Unit], outcomes: Sequence[Outcome]) -> None:
    """Tell everyone who waits, each event loop once."""
    loops: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[list[Kept]], Outcome]]] = {}
    for unit, outcome in zip(units, outcomes, strict=True):
        if unit.loop is not None and unit.future is not None:
            loops.setdefault(unit.loop, []).append((unit.future, outcome))
        elif unit.blocked is not None:
            if isinstance(outcome, XinglinError):
                unit.blocked.set_exception(outcome)
            else:
                unit.blocked.set_result(outcome)
    for loop, answers in loops.items():
        if not loop.is_closed():
            _tell_later(loop, answers)


def _tell_later(loop: asyncio.AbstractEventLoop, answers: list[tuple[asyncio.Future[list[Kept]], Outcome]]) -> None:
    try:
        loop.call_soon_threadsafe(_tell, answers)
    except RuntimeError:
        return  # the loop is gone, and with it everyone who waited


def _tell(answers: list[tuple[asyncio.Future[list[Kept]], Outcome]]) -> None:
    for future, outcome in answers:
        if future.done():
            continue
        if isinstance(outcome, XinglinError):
            future.set_exception(outcome)
            future.exception()  # retrieved here: a caller that went away is no fault
        else:
            future.set_result(outcome)
