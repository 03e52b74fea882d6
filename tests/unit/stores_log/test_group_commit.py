"""Group commit: who is answered, with what, and what happens when the store fails."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from xinglin.evidence.ports import AppendGroup
from xinglin.kernel import LimitExceeded
from xinglin.stores.group_commit import TRANSACTION_ENTRIES, WAITING_ENTRIES, GroupCommit
from xinglin.stores.log_errors import LogClosed, LogFull, LogUnavailable
from xinglin.stores.log_memory import MemoryLogStore


class Gate(MemoryLogStore):
    """A store that waits for the test, and fails when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.open = threading.Event()
        self.open.set()
        self.failure: Exception | None = None
        self.calls: list[int] = []
        self.entered = threading.Event()

    def append_groups(self, groups: Sequence[AppendGroup]) -> list[int]:
        self.entered.set()
        self.open.wait(60)
        self.calls.append(sum(len(group.entries) for group in groups))
        if self.failure is not None:
            raise self.failure
        return super().append_groups(groups)


async def test_callers_that_wait_share_one_transaction() -> None:
    store = Gate()
    commit = GroupCommit(store)
    store.open.clear()
    first = asyncio.create_task(commit.append(b"first"))
    await asyncio.to_thread(store.entered.wait, 60)
    others = [asyncio.create_task(commit.append(b"%d" % n)) for n in range(500)]
    await asyncio.sleep(0.05)
    store.open.set()
    assert await first == 0
    assert await asyncio.gather(*others) == list(range(1, 501))
    assert store.calls == [1, 500]
    await commit.close()


async def test_a_group_stays_together() -> None:
    store = MemoryLogStore()
    commit = GroupCommit(store)
    groups = [AppendGroup(tuple(b"%d-%d" % (n, k) for k in range(n + 1))) for n in range(40)]
    firsts = await asyncio.gather(*(commit.append_group(group) for group in groups))
    for first, group in zip(firsts, groups, strict=True):
        assert tuple(store.entries(first, first + len(group.entries))) == group.entries
    await commit.close()


async def test_a_failure_reaches_everyone_of_that_transaction_and_nobody_after() -> None:
    store = Gate()
    commit = GroupCommit(store)
    store.failure = LogFull("no room")
    outcomes = await asyncio.gather(*(commit.append(b"%d" % n) for n in range(50)), return_exceptions=True)
    assert all(isinstance(outcome, LogFull) for outcome in outcomes)
    store.failure = None
    assert await commit.append(b"room") == 0
    await commit.close()


async def test_a_writer_that_meets_a_bug_leaves_nobody_waiting() -> None:
    store = Gate()
    commit = GroupCommit(store)
    store.failure = RuntimeError("a bug")
    with pytest.raises(LogUnavailable, match="a bug"):
        await commit.append(b"x")
    store.failure = None
    assert await commit.append(b"y") == 0
    await commit.close()


async def test_a_caller_that_gives_up_disturbs_nobody() -> None:
    store = Gate()
    commit = GroupCommit(store)
    store.open.clear()
    impatient = asyncio.create_task(commit.append(b"impatient"))
    patient = asyncio.create_task(commit.append(b"patient"))
    await asyncio.to_thread(store.entered.wait, 60)
    impatient.cancel()
    store.open.set()
    assert await patient == 1  # the other entry was on its way and is in the log
    with pytest.raises(asyncio.CancelledError):
        await impatient
    assert store.entries(0, 2) == [b"impatient", b"patient"]
    await commit.close()


async def test_limits_are_refused_before_anything_waits() -> None:
    commit = GroupCommit(MemoryLogStore())
    with pytest.raises(LimitExceeded, match="log entry"):
        await commit.append(b"x" * 65_536)
    with pytest.raises(LimitExceeded, match="one group commit"):
        await commit.append_group(AppendGroup((b"x",) * (TRANSACTION_ENTRIES.value + 1)))
    with pytest.raises(LimitExceeded, match="bytes"):
        await commit.append_group(AppendGroup((b"x" * 65_000,) * 200))
    await commit.close()


async def test_too_many_waiting_are_refused_and_the_rest_is_served() -> None:
    store = Gate()
    commit = GroupCommit(store)
    store.open.clear()
    group = AppendGroup((b"x",) * 4_000)
    count = WAITING_ENTRIES.value // 4_000
    tasks = [asyncio.create_task(commit.append_group(group)) for _ in range(count + 2)]
    await asyncio.sleep(0.1)
    with pytest.raises(LimitExceeded, match="waiting"):
        await commit.append_group(group)
    store.open.set()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    served = [first for first in done if isinstance(first, int)]
    assert sorted(served) == [4_000 * n for n in range(len(served))]
    assert len(served) >= count
    await commit.close()


async def test_closing_answers_who_waits_and_refuses_the_next() -> None:
    store = Gate()
    commit = GroupCommit(store)
    store.open.clear()
    waiting = [asyncio.create_task(commit.append(b"%d" % n)) for n in range(20)]
    await asyncio.sleep(0.02)
    closing = asyncio.create_task(commit.close())
    await asyncio.sleep(0.02)
    with pytest.raises(LogClosed):
        await commit.append(b"late")
    store.open.set()
    await closing
    assert await asyncio.gather(*waiting) == list(range(20))
