"""Group commit: many callers, one writer thread, one transaction for all that wait.

A caller awaits its index and gets it only once the entry is durable. While the disk is busy with
one transaction, later entries gather for the next, so the rate grows with the number of callers.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from xinglin.evidence.entry import ENTRY_BYTES
from xinglin.evidence.ports import AppendGroup
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.limits import Limit
from xinglin.stores.log_errors import LogClosed, LogUnavailable

TRANSACTION_ENTRIES = Limit("entries in one group commit", 4_096, "entries")
TRANSACTION_BYTES = Limit("bytes in one group commit", 8 * 1024 * 1024, "bytes")
WAITING_ENTRIES = Limit("entries waiting for the log", 200_000, "entries")


class GroupStore(Protocol):
    """What a group commit needs of a log store."""

    def append_groups(self, groups: Sequence[AppendGroup]) -> list[int]:
        """Append all groups durably, or raise and promise nothing."""


class _Waiting:
    __slots__ = ("future", "group", "size_bytes")

    def __init__(self, group: AppendGroup, future: asyncio.Future[int]) -> None:
        self.group, self.future = group, future
        self.size_bytes = sum(map(len, group.entries))


class GroupCommit:
    """Appends to ``store`` from one event loop; every call is answered with a durable index or an error.

    After ``LogFull`` or ``LogUnavailable`` nothing of the failed transaction was promised; the next
    call tries the store again, so the log recovers by itself once there is room.
    ``on_growth(size)`` is called on the event loop after each durable transaction.
    """

    def __init__(self, store: GroupStore, on_growth: Callable[[int], None] | None = None) -> None:
        self._store = store
        self._on_growth = on_growth
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Waiting] = deque()
        self._count = 0
        self._condition = threading.Condition()
        self._asleep = False
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="log-writer", daemon=True)
        self._thread.start()

    async def append(self, entry: bytes) -> int:
        """The durable index of ``entry`` (at most 65,535 bytes)."""
        return await self.append_group(AppendGroup((entry,)))

    async def append_group(self, group: AppendGroup) -> int:
        """The durable index of the group's first entry; the others follow it.

        Raises ``LimitExceeded`` when too many wait, ``LogUnavailable``/``LogFull``, ``LogClosed``.
        """
        for entry in group.entries:
            ENTRY_BYTES.check(len(entry))
        TRANSACTION_ENTRIES.check(len(group.entries))
        waiting = _Waiting(group, self._loop.create_future())
        TRANSACTION_BYTES.check(waiting.size_bytes)
        self._enter(waiting)
        # A caller that gives up must not cancel the future under the writer: the entry may be on its way.
        return await asyncio.shield(waiting.future)

    async def close(self) -> None:
        """Answer all that wait, then end the writer thread."""
        with self._condition:
            self._closing = True
            self._condition.notify()
        await asyncio.to_thread(self._thread.join)

    def _enter(self, waiting: _Waiting) -> None:
        with self._condition:
            if self._closing:
                raise LogClosed("The log is shutting down.", remedy="Send again after its restart.")
            WAITING_ENTRIES.check(self._count + len(waiting.group.entries))
            self._waiting.append(waiting)
            self._count += len(waiting.group.entries)
            if self._asleep:
                self._condition.notify()

    def _work(self) -> None:
        while batch := self._take():
            outcome = self._commit(batch)
            try:
                self._loop.call_soon_threadsafe(self._answer, batch, outcome)
            except RuntimeError:
                return  # the loop is gone, and with it everyone who waited

    def _take(self) -> list[_Waiting]:
        """The next transaction's groups; empty when closing and nothing waits."""
        with self._condition:
            while not self._waiting and not self._closing:
                self._asleep = True
                self._condition.wait()
                self._asleep = False
            return self._fill()

    def _fill(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        entries = size_bytes = 0
        while self._waiting:
            head = self._waiting[0]
            entries += len(head.group.entries)
            size_bytes += head.size_bytes
            if batch and (entries > TRANSACTION_ENTRIES.value or size_bytes > TRANSACTION_BYTES.value):
                break
            batch.append(self._waiting.popleft())
            self._count -= len(head.group.entries)
        return batch

    def _commit(self, batch: list[_Waiting]) -> list[int] | XinglinError:
        try:
            return self._store.append_groups([waiting.group for waiting in batch])
        except XinglinError as error:
            return error
        except Exception as error:  # noqa: BLE001 - a caller must never wait for ever on a writer that died
            return LogUnavailable(
                "The log's writer failed; nothing was promised.", why=f"{type(error).__name__}: {error}"
            )

    def _answer(self, batch: list[_Waiting], outcome: list[int] | XinglinError) -> None:
        if isinstance(outcome, XinglinError):
            for waiting in batch:
                if not waiting.future.done():
                    waiting.future.set_exception(outcome)
                    waiting.future.exception()  # retrieved here: a caller that went away is no fault
            return
        for waiting, first in zip(batch, outcome, strict=True):
            if not waiting.future.done():
                waiting.future.set_result(first)
        if self._on_growth is not None:
            self._on_growth(max(first + len(w.group.entries) for w, first in zip(batch, outcome, strict=True)))


def start_group_commit(store: GroupStore, on_growth: Callable[[int], None] | None = None) -> GroupCommit:
    """A running ``GroupCommit`` on ``store``, answering on the present event loop."""
    return GroupCommit(store, on_growth)
