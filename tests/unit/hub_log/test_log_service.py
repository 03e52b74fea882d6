"""The hub's log: indices, checkpoints, quorum, receipts; witnesses that are away, behind or lied to."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from tests.unit.hub_log.space import QUICK, Space
from tests.unit.witness.kit import ORIGIN, SUBMITTER, LyingLog, entry, leaf

from xinglin.evidence.errors import BadSignature, MissingHash, UnknownLog
from xinglin.evidence.notes import parse_note
from xinglin.evidence.policy import verify_checkpoint
from xinglin.evidence.receipt import verify_receipt
from xinglin.evidence.submission import sign_batch
from xinglin.hub.log import LogService, NotYetCosigned
from xinglin.stores.log_errors import LogClosed, LogCorrupt
from xinglin.stores.log_memory import MemoryLogStore
from xinglin.stores.log_sqlite import SqliteLogStore
from xinglin.stores.replica_memory import MemoryReplicaStore
from xinglin.stores.replica_sqlite import SqliteReplicaStore


async def until(condition: object, timeout_s: float = 5.0) -> None:
    async def poll() -> None:
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.01)

    await asyncio.wait_for(poll(), timeout_s)


async def test_an_entry_gets_a_receipt_that_verifies_offline() -> None:
    space = Space()
    service = await space.start()
    indices = await service.append([leaf(n) for n in range(3)])
    assert indices == range(3)
    verified = verify_receipt(await service.receipt(1), space.policy)
    assert (verified.index, verified.data, verified.fork_protection) == (1, leaf(1), True)
    await service.stop()


async def test_receipts_of_many_callers_at_once() -> None:
    space = Space()
    service = await space.start()

    async def one(number: int) -> None:
        (index,) = await service.append([leaf(number)])
        verified = verify_receipt(await service.receipt(index), space.policy)
        assert (verified.index, verified.data) == (index, leaf(number))

    await asyncio.gather(*(one(n) for n in range(300)))
    await service.stop()


async def test_late_cosignatures_are_added_to_the_published_note() -> None:
    space = Space()
    service = await space.start()
    await service.append([leaf(0)])
    await service.receipt(0)
    await until(lambda: len(verify_checkpoint(space.policy, service.latest()).cosigned_at_s) == 8)
    await service.stop()


async def test_one_away_of_four_is_no_obstacle_and_it_comes_back() -> None:
    space = Space()
    space.members[2].away = True
    service = await space.start()
    await service.append([leaf(n) for n in range(700)])
    verify_receipt(await service.receipt(699), space.policy)
    assert [bool(standing.trouble) for standing in service.witnesses()] == [False, False, True, False]
    space.members[2].away = False
    await until(lambda: space.members[2].witness.state().size == 700)
    await until(lambda: not any(standing.trouble for standing in service.witnesses()))
    await service.stop()


async def test_without_the_regulator_there_is_a_checkpoint_and_no_quorum() -> None:
    space = Space()
    space.members[0].away = True
    service = await space.start()
    await service.append([leaf(0)])
    with pytest.raises(NotYetCosigned, match=r"w0.example.*no route"):
        await service.receipt(0, timeout_s=0.3)
    await until(lambda: service.latest() != "")
    assert service.latest_with_quorum() == ""
    space.members[0].away = False
    verify_receipt(await service.receipt(0), space.policy)
    await service.stop()


async def test_the_heartbeat_renews_cosignatures_of_an_idle_log() -> None:
    space = Space()
    service = await space.start()
    await service.append([leaf(0)])
    await service.receipt(0)
    for member in space.members:
        member.clock.now += 20_000
    before = verify_checkpoint(space.policy, service.latest_with_quorum()).attested_at_s
    await until(lambda: verify_checkpoint(space.policy, service.latest_with_quorum()).attested_at_s >= before + 20)
    await service.stop()


async def test_a_witness_that_lost_its_memory_is_fed_again() -> None:
    space = Space()
    service = await space.start()
    await service.append([leaf(n) for n in range(10)])
    await until(lambda: space.members[1].witness.state().size == 10)
    space.members[1].memory = MemoryReplicaStore(ORIGIN)
    space.members[1].restart()
    await service.append([leaf(10)])
    await until(lambda: space.members[1].witness.state().size == 11)
    await service.stop()


async def test_a_witness_far_behind_catches_up_in_steps_and_fetches_by_itself(tmp_path: Path) -> None:
    space = Space(1)
    (member,) = space.members
    member.memory = SqliteReplicaStore(tmp_path / "w.sqlite", ORIGIN)
    member.restart()
    store = SqliteLogStore(tmp_path / "log.sqlite")
    store.append_batch([b"%d" % n for n in range(40_000)])
    service = await space.start(store)
    await until(lambda: member.witness.state().size == 40_000, 20)
    assert (member.asked, member.pushed) == (3, 0)
    await service.stop()


async def test_a_restarted_log_goes_on_and_its_witnesses_agree(tmp_path: Path) -> None:
    space = Space()
    for run in range(3):
        store = SqliteLogStore(tmp_path / "log.sqlite")
        service = await space.start(store)
        indices = await service.append([leaf(run * 300 + n) for n in range(300)])
        assert indices == range(run * 300, run * 300 + 300)
        verify_receipt(await service.receipt(indices[-1]), space.policy)
        verify_receipt(await service.receipt(0), space.policy)
        await service.stop()
        store.close()
    assert not any(member.witness.forks() for member in space.members)


async def test_a_log_that_lost_signed_entries_refuses_to_start(tmp_path: Path) -> None:
    space = Space()
    store = MemoryLogStore()
    service = await space.start(store)
    await service.append([leaf(n) for n in range(5)])
    await service.receipt(4)
    await service.stop()
    shorter = MemoryLogStore()
    shorter.append_batch(store.entries(0, 4))
    other = MemoryLogStore()
    other.append_batch([*store.entries(0, 4), leaf(99)])
    for damaged in (shorter, other):
        damaged.put_checkpoint(store.get_checkpoint("quorum") or b"", "quorum")
        with pytest.raises(LogCorrupt, match="does not hold"):
            space.service(damaged)


async def test_a_log_put_back_to_an_older_state_is_refused_by_every_witness() -> None:
    space = Space()
    service = await space.start()
    await service.append([leaf(n) for n in range(5)])
    await until(lambda: all(member.witness.state().size == 5 for member in space.members))
    await service.stop()
    older = MemoryLogStore()
    older.append_batch([leaf(0), leaf(1), leaf(77)])
    service = await space.start(older)
    with pytest.raises(NotYetCosigned, match="has cosigned 5 entries"):
        await service.receipt(2, timeout_s=0.5)
    await service.append([leaf(n) for n in range(9)])
    with pytest.raises(NotYetCosigned):
        await service.receipt(3, timeout_s=0.5)
    assert service.latest_with_quorum() == ""
    assert all(member.witness.state().size == 5 for member in space.members)
    await service.stop()


async def test_a_witness_that_answers_with_anothers_key_does_not_count() -> None:
    space = Space()
    service = space.service()
    await service.start()
    for member in space.members:
        service.add_witness(member.name, space.members[0].keys, member.transport)
    await service.append([leaf(0)])
    with pytest.raises(NotYetCosigned, match="lacks a cosignature"):
        await service.receipt(0, timeout_s=0.5)
    await service.stop()


async def test_garbage_from_a_witness_harms_nobody() -> None:
    space = Space()
    answers = iter(
        [(200, b"\xff"), (200, b""), (409, b"x"), (409, b"99999999\n"), (500, b"\xff" * 900), (200, b"x" * 99_999)]
    )

    async def mad(body: bytes, entries: bytes) -> tuple[int, bytes]:
        return next(answers, (200, b"\xe2\x80\x94 nobody AAAAAAAA\n"))

    service = await space.start()
    service.add_witness(space.members[3].name, space.members[3].keys, mad)
    await service.append([leaf(0)])
    verify_receipt(await service.receipt(0), space.policy)
    await service.stop()


async def test_a_batch_is_taken_once_however_often_it_is_sent() -> None:
    space = Space()
    service = await space.start()
    batch = sign_batch([entry(n) for n in range(40)], ORIGIN, SUBMITTER, lambda context, payload: b"good")

    def verify(did: str, context: str, payload: bytes, signature: bytes) -> None:
        if signature != b"good":
            raise BadSignature("no")

    first = await service.submit(batch.to_bytes(), verify)
    again = await asyncio.gather(*(service.submit(batch.to_bytes(), verify) for _ in range(5)))
    assert {(each.first, each.count) for each in (first, *again)} == {(0, 40)}
    assert service.size() == 40
    forged = msgspec.structs.replace(batch, signature=b"bad")
    with pytest.raises(BadSignature):
        await service.submit(forged.to_bytes(), verify)
    assert service.size() == 40
    await service.stop()


async def test_stopping_answers_who_waits_and_refuses_who_comes_after() -> None:
    space = Space()
    service = await space.start()
    waiting = [asyncio.create_task(service.append([leaf(n)])) for n in range(50)]
    await asyncio.sleep(0)
    await service.stop()
    answered = await asyncio.gather(*waiting)
    assert sorted(indices.start for indices in answered) == list(range(50))
    with pytest.raises(LogClosed):
        await service.append([leaf(99)])


async def test_listeners_see_each_quorate_checkpoint() -> None:
    space = Space()
    service = await space.start()
    seen: list[str] = []
    service.on_checkpoint(seen.append)
    await service.append([leaf(0)])
    await service.receipt(0)
    assert verify_checkpoint(space.policy, parse_note(seen[0])).checkpoint.size == 1
    await service.stop()


async def test_an_index_that_is_not_there_is_refused_at_once() -> None:
    service = await Space().start()
    for index in (-1, 0, 7):
        with pytest.raises(MissingHash):
            await service.receipt(index)
    await service.stop()


async def test_a_policy_of_another_log_is_refused() -> None:
    space = Space()
    with pytest.raises(UnknownLog):
        LogService(MemoryLogStore(), LyingLog().signer, space.policy, QUICK)
