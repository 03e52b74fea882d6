"""Writes beside the loop: in order, together, told only once they are kept, and never waited for without end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from xinglin.connector.writing import TOGETHER, Writer
from xinglin.stores.connector_memory import MemoryConnectorStore
from xinglin.stores.database_errors import StoreFull
from xinglin.wire.dsp.ports import Change, NoteRow, ProcessRow, Step

ROW = ProcessRow("p-1", "negotiation", "provider", "did:alice", "REQUESTED")


class SlowDisk(MemoryConnectorStore):
    """Writes as long as ``free`` is not set; ``broken`` is raised instead."""

    waits = True

    def __init__(self) -> None:
        super().__init__()
        self.free, self.batches, self.threads = threading.Event(), [], set()
        self.broken: Exception | None = None

    def apply(self, changes: Sequence[Change]) -> list[bool]:
        assert self.free.wait(10)
        self.threads.add(threading.get_ident())
        self.batches.append(len(changes))
        if self.broken is not None:
            raise self.broken
        return super().apply(changes)


async def test_the_loop_goes_on_while_a_disk_is_slow_and_what_waits_is_one_transaction() -> None:
    store = SlowDisk()
    writer = Writer(store)
    asked = [asyncio.create_task(writer.add_note(NoteRow("k", f"s-{n}", n, b""))) for n in range(TOGETHER + 2)]
    for _ in range(50):
        await asyncio.sleep(0)  # the loop runs
    assert not any(one.done() for one in asked)
    store.free.set()
    await asyncio.gather(*asked)
    assert [one.subject for one in store.notes(1_000)] == [f"s-{n}" for n in range(TOGETHER + 2)]
    assert sum(store.batches) == TOGETHER + 2 and len(store.batches) <= 3
    assert threading.get_ident() not in store.threads


async def test_what_follows_a_write_is_done_though_nobody_waits_any_more() -> None:
    store, told = SlowDisk(), []
    writer = Writer(store)
    asked = asyncio.create_task(writer.add(Step(ROW), lambda: told.append("kept")))
    await asyncio.sleep(0)
    asked.cancel()
    store.free.set()
    await writer.finish()
    assert told == ["kept"] and store.process("p-1") == ROW
    assert not await writer.add(Step(ROW), lambda: told.append("again"))
    assert told == ["kept"]


async def test_a_full_disk_is_told_to_everybody_and_the_next_write_is_tried() -> None:
    store, told = SlowDisk(), []
    store.free.set()
    store.broken, writer = StoreFull("The disk is full."), Writer(store)
    asked = [writer.add(Step(ROW), lambda: told.append("kept")) for _ in range(3)]
    failed = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(one, StoreFull) for one in failed) and not told
    store.broken = None
    assert await writer.add(Step(ROW))


async def test_a_defect_leaves_nobody_waiting() -> None:
    store = SlowDisk()
    store.free.set()
    store.broken, writer = ZeroDivisionError(), Writer(store)
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(writer.add(Step(ROW)), 5)
    await writer.finish()
    store.broken = None
    assert await writer.add(Step(ROW))
