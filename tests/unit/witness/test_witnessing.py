"""The witness's decisions: what it cosigns, and everything it must refuse."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.unit.witness.kit import ORIGIN, Clock, LyingLog, cosigners, entry, leaf

from xinglin.evidence.attending import attend
from xinglin.evidence.cosignature import check_signature
from xinglin.evidence.entry import Entry
from xinglin.evidence.errors import BadProof, BadSignature
from xinglin.evidence.notes import NoteSignature, parse_note, verify_note
from xinglin.evidence.replica import Fork, check_fork, pack_entries, unpack_entries
from xinglin.evidence.witnessing import Acceptance, Answer, Demand, Witness, format_request
from xinglin.kernel import Denied
from xinglin.stores.log_errors import LogCorrupt
from xinglin.stores.replica_memory import MemoryReplicaStore
from xinglin.stores.replica_sqlite import SqliteReplicaStore


@pytest.fixture(params=["memory", "sqlite"])
def memory(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    if request.param == "memory":
        return MemoryReplicaStore(ORIGIN)
    return SqliteReplicaStore(tmp_path / "replica.sqlite", ORIGIN)


@pytest.fixture
def log() -> LyingLog:
    return LyingLog().add(*(leaf(n) for n in range(5)))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def signers() -> tuple[Any, ...]:
    return cosigners()


@pytest.fixture
def witness(log: LyingLog, memory: Any, clock: Clock, signers: tuple[Any, ...]) -> Witness:
    return Witness(log.followed, signers, memory, clock, merge_delay_ms=1_000, admit=_admit)


def _admit(batch: bytes) -> Sequence[Entry]:
    if not batch.isdigit():
        raise BadSignature("The batch is not signed.")
    return [entry(int(batch))]


def bring(witness: Witness, log: LyingLog, old: int, size: int | None = None) -> Answer:
    return witness.add_checkpoint(
        log.request(old, size), log.store.entries(old, log.store.size() if size is None else size)
    )


def test_a_first_checkpoint_is_cosigned_with_both_keys(witness: Witness, log: LyingLog, signers: Any) -> None:
    answer = bring(witness, log, 0)
    assert (answer.status, answer.content_type) == (200, "text/plain; charset=utf-8")
    note = parse_note(log.note() + answer.body.decode())
    assert verify_note(note, [s.key for s in signers], check_signature) == tuple(s.key for s in signers)
    assert witness.state().size == 5
    assert witness.checkpoint() == log.note()


def test_growth_by_steps_and_a_heartbeat_of_the_same_size(witness: Witness, log: LyingLog, clock: Clock) -> None:
    first = bring(witness, log, 0, 3)
    second = bring(witness, log, 3)
    clock.now += 10_000
    again = bring(witness, log, 5)
    assert [first.status, second.status, again.status] == [200] * 3
    assert second.body != again.body  # a new time stands in it


def test_malformed_requests_are_400(witness: Witness, log: LyingLog) -> None:
    good = log.request(0)
    hashes = b"".join(hashlib.sha256(b"%d" % n).hexdigest()[:43].encode() + b"=\n" for n in range(64))
    for body in (
        b"",
        b"\xff\xfe",
        good.replace(b"old 0", b"old 00"),
        good.replace(b"old 0", b"old -1"),
        good.replace(b"old 0", b"old"),
        good.replace(b"\n\n", b"\nnot base64!\n\n", 1),
        good.replace(b"\n\n", b"\nAAAA\n\n", 1),
        b"old 0\n" + hashes + b"\n" + log.note().encode(),
        b"old 0\n\nnot a note\n",
        format_request(6, (), log.note()),
        good + b"x" * 1_000_000,
    ):
        assert witness.add_checkpoint(body, []).status == 400, body[:60]


def test_an_unknown_log_is_404_and_an_unsigned_one_403(witness: Witness, log: LyingLog) -> None:
    elsewhere = log.request(0).replace(ORIGIN.encode(), b"other.example")
    assert witness.add_checkpoint(elsewhere, []).status == 404
    stranger = LyingLog().add(*log.store.entries(0, 5))
    assert witness.add_checkpoint(stranger.request(0), log.store.entries(0, 5)).status == 403
    signature = log.note().split(" ")[-1]
    forged = log.request(0).replace(
        signature.encode(), signature.replace(signature[20], "A" if signature[20] != "A" else "B", 1).encode()
    )
    assert witness.add_checkpoint(forged, []).status == 403


def test_another_old_size_is_409_and_names_the_right_one(witness: Witness, log: LyingLog) -> None:
    bring(witness, log, 0, 3)
    answer = bring(witness, log, 2)
    assert (answer.status, answer.body, answer.content_type) == (409, b"3\n", "text/x.tlog.size")
    assert bring(witness, log, 3).status == 200


def test_a_wrong_proof_is_422(witness: Witness, log: LyingLog) -> None:
    bring(witness, log, 0, 3)
    proof = log.proof(3)
    for wrong in ((), proof[:-1], (*proof, proof[0]), (b"\x00" * 32, *proof[1:]), tuple(reversed(proof))):
        answer = witness.add_checkpoint(format_request(3, wrong, log.note()), log.store.entries(3, 5))
        assert answer.status == 422
    assert witness.state().size == 3


def test_from_nothing_the_proof_must_be_empty(witness: Witness, log: LyingLog) -> None:
    body = format_request(0, (b"\x00" * 32,), log.note())
    assert witness.add_checkpoint(body, log.store.entries(0, 5)).status == 422


@pytest.mark.parametrize("spoil", ["dropped", "changed", "reordered", "added", "none"])
def test_other_entries_than_the_checkpoints_are_refused(witness: Witness, log: LyingLog, spoil: str) -> None:
    entries = log.store.entries(0, 5)
    spoiled = {
        "dropped": entries[:2] + entries[3:],
        "changed": [*entries[:4], leaf(99)],
        "reordered": [entries[1], entries[0], *entries[2:]],
        "added": [*entries, leaf(5)],
        "none": [],
    }[spoil]
    answer = witness.add_checkpoint(log.request(0), spoiled)
    assert answer.status == 422
    assert witness.state().size == 0
    assert not witness.state().cosigning
    assert bring(witness, log, 0).status == 200
    assert witness.state().cosigning


def test_a_fork_of_the_same_size_is_refused_and_proved(witness: Witness, log: LyingLog) -> None:
    bring(witness, log, 0)
    other = log.fork().add(*(leaf(n) for n in range(4)), leaf(77))
    assert witness.add_checkpoint(format_request(5, (), other.note()), []).status == 422
    (fork,) = witness.forks()
    check_fork(fork, log.followed)
    assert bring(witness, log, 5).status == 403  # a log that forked is trusted no more
    assert "forked" in witness.state().why


def test_a_smaller_fork_is_proved_by_the_kept_entries(witness: Witness, log: LyingLog) -> None:
    bring(witness, log, 0)
    other = log.fork().add(leaf(0), leaf(1), leaf(78))
    assert witness.add_checkpoint(format_request(5, (), other.note()), []).status == 400
    (fork,) = witness.forks()
    assert fork.proof
    check_fork(fork, log.followed)


def test_an_honest_old_checkpoint_is_no_fork(witness: Witness, log: LyingLog) -> None:
    bring(witness, log, 0)
    for size in range(5):
        assert witness.add_checkpoint(format_request(5, (), log.note(size)), []).status == 400
    assert witness.forks() == []


async def test_a_larger_fork_is_proved_by_reading_the_other_tree(witness: Witness, log: LyingLog) -> None:
    bring(witness, log, 0)
    other = log.fork().add(*(leaf(n) for n in range(4)), leaf(77), leaf(5), leaf(6))
    answer = await attend(witness, other.request(5), pack_entries(other.store.entries(5, 7)), other.fetch)
    assert answer.status == 422
    (fork,) = witness.forks()
    check_fork(fork, log.followed)


async def test_a_larger_fork_whose_tree_is_not_served_is_refused_without_proof(witness: Witness, log: LyingLog) -> None:
    bring(witness, log, 0)
    other = log.fork().add(*(leaf(n) for n in range(4)), leaf(77), leaf(5))
    assert (await attend(witness, other.request(5), b"", log.fetch)).status == 422
    assert witness.forks() == []
    assert not witness.state().cosigning


def test_no_fork_can_be_made_up_against_an_honest_log(log: LyingLog) -> None:
    mine, older, stranger = log.note(), log.note(3), LyingLog().add(leaf(1))
    lie = hashlib.sha256(b"lie").digest()
    for fork in (
        Fork(mine, mine),
        Fork(mine, older),
        Fork(mine, older, lie, log.proof(3)),
        Fork(mine, older, lie, ()),
        Fork(mine, stranger.note()),
        Fork(mine, older.replace("\n3\n", "\n4\n")),
    ):
        with pytest.raises((BadProof, BadSignature)):
            check_fork(fork, log.followed)


async def test_attend_takes_pushed_entries_and_fetches_the_rest(witness: Witness, log: LyingLog) -> None:
    asked: list[tuple[int, int]] = []

    async def fetch(start: int, end: int) -> list[bytes]:
        asked.append((start, end))
        return log.store.entries(start, end)

    pushed = pack_entries(log.store.entries(0, 3))
    assert (await attend(witness, log.request(0), pushed, fetch)).status == 200
    assert asked == [(3, 5)]


async def test_attend_refuses_half_an_entry_and_survives_a_log_that_is_away(witness: Witness, log: LyingLog) -> None:
    async def away(start: int, end: int) -> list[bytes]:
        raise ConnectionError("no route")

    assert (await attend(witness, log.request(0), b"\x00\x09half", log.fetch)).status == 422
    assert (await attend(witness, log.request(0), b"", away)).status == 503
    assert (await attend(witness, log.request(0), b"", log.fetch)).status == 200


def test_packed_entries_come_back() -> None:
    assert unpack_entries(pack_entries([b"", b"a" * 65_535, b"b"])) == (b"", b"a" * 65_535, b"b")


def test_a_step_is_bounded(witness: Witness, log: LyingLog) -> None:
    log.add(*(b"%d" % n for n in range(16_380)))
    assert log.store.size() == 16_385
    assert bring(witness, log, 0).status == 413
    assert bring(witness, log, 0, 16_384).status == 200
    assert bring(witness, log, 16_384).status == 200


def test_a_withheld_submission_stops_cosigning_until_it_is_in_the_log(
    witness: Witness, log: LyingLog, clock: Clock
) -> None:
    bring(witness, log, 0)
    accepted = witness.submit(b"42")
    assert accepted == Acceptance(0, 1, clock.now + 1_000)
    clock.now += 999
    assert bring(witness, log, 5).status == 200
    clock.now += 1
    refused = bring(witness, log, 5)
    assert refused.status == 503
    assert "1 accepted submissions are not in the log" in refused.body.decode()
    assert not witness.state().cosigning
    log.add(leaf(41))
    assert bring(witness, log, 5).status == 503  # growing without it does not help
    assert witness.state().size == 5
    log.add(leaf(42))
    assert bring(witness, log, 5).status == 200
    assert witness.state().cosigning
    assert witness.pending() == []


def test_a_submission_that_is_in_the_log_waits_for_nothing(witness: Witness, log: LyingLog, clock: Clock) -> None:
    bring(witness, log, 0)
    assert witness.submit(b"3") == Acceptance(1, 0, clock.now + 1_000)
    clock.now += 9_999
    assert bring(witness, log, 5).status == 200


def test_handing_in_again_does_not_move_the_deadline(witness: Witness, log: LyingLog, clock: Clock) -> None:
    witness.submit(b"42")
    clock.now += 900
    witness.submit(b"42")
    clock.now += 100
    assert bring(witness, log, 0).status == 503


def test_a_batch_is_kept_once_and_forgotten_when_all_of_it_is_in_the_log(
    log: LyingLog, memory: Any, clock: Clock, signers: Any
) -> None:
    def admit(batch: bytes) -> list[Entry]:
        return [entry(int(number)) for number in batch.split()]

    witness = Witness(log.followed, signers, memory, clock, admit=admit)
    assert witness.submit(b"3 41 42") == Acceptance(0, 3, clock.now + 60_000)
    witness.submit(b"3 41 42")
    assert witness.waiting_batches() == [b"3 41 42"]
    bring(witness, log, 0)
    log.add(leaf(41))
    bring(witness, log, 5)
    assert witness.waiting_batches() == [b"3 41 42"]
    log.add(leaf(42))
    bring(witness, log, 6)
    assert (witness.waiting_batches(), witness.pending()) == ([], [])
    witness.submit(b"3 41")
    assert witness.waiting_batches() == []


def test_submissions_are_limited(witness: Witness) -> None:
    for number in range(256):
        assert isinstance(witness.submit(b"%d" % (1_000 + number)), Acceptance)
    for refused in (witness.submit(b"5000"), witness.submit(b"1" * 1_048_577)):
        assert isinstance(refused, Denied)
    assert len(witness.pending()) == 256


def test_strange_signature_lines_are_not_kept(witness: Witness, log: LyingLog) -> None:
    bring(witness, log, 0)
    other = log.fork().add(*(leaf(n) for n in range(4)), leaf(77))
    for number in range(20):
        strange = NoteSignature("stranger", number, b"signature").to_line()
        witness.add_checkpoint(format_request(5, (), log.note() + strange), [])
        witness.add_checkpoint(format_request(5, (), other.note() + strange), [])
    assert witness.checkpoint() == log.note()
    assert len(witness.forks()) == 1


async def test_a_garbled_proof_of_an_honest_checkpoint_reads_no_whole_tree(witness: Witness, log: LyingLog) -> None:
    bring(witness, log, 0, 3)
    asked: list[tuple[int, int]] = []

    async def fetch(start: int, end: int) -> list[bytes]:
        asked.append((start, end))
        return log.store.entries(start, end)

    answer = await attend(witness, format_request(3, (b"\x00" * 32,), log.note()), b"", fetch)
    assert (answer.status, asked, witness.forks()) == (422, [(3, 5)], [])


def test_what_the_log_would_refuse_is_not_accepted(witness: Witness, log: LyingLog, clock: Clock) -> None:
    refused = witness.submit(b"unsigned")
    assert isinstance(refused, Denied)
    assert refused.codes == ("evidence.signature",)
    clock.now += 9_999
    assert bring(witness, log, 0).status == 200


def test_a_restarted_witness_remembers(tmp_path: Path, log: LyingLog, clock: Clock, signers: Any) -> None:
    def start() -> tuple[Witness, SqliteReplicaStore]:
        store = SqliteReplicaStore(tmp_path / "w.sqlite", ORIGIN)
        return Witness(log.followed, signers, store, clock, merge_delay_ms=1_000, admit=_admit), store

    witness, store = start()
    bring(witness, log, 0, 4)
    witness.submit(b"42")
    store.close()
    witness, store = start()
    assert (witness.state().size, witness.state().waiting) == (4, 1)
    assert witness.add_checkpoint(log.request(0), log.store.entries(0, 5)).body == b"4\n"
    other = log.fork().add(leaf(0), leaf(1), leaf(2), leaf(79))
    assert witness.add_checkpoint(format_request(4, (), other.note()), []).status == 422
    store.close()
    witness, store = start()
    assert bring(witness, log, 4).status == 403
    store.close()


def test_two_processes_on_one_file_do_not_roll_back(tmp_path: Path, log: LyingLog, clock: Clock, signers: Any) -> None:
    stores = [SqliteReplicaStore(tmp_path / "w.sqlite", ORIGIN) for _ in range(2)]
    one, two = (Witness(log.followed, signers, store, clock) for store in stores)
    stale = two._memory.replica()
    assert bring(one, log, 0).status == 200
    two._memory.replica = lambda: stale  # type: ignore[method-assign]
    with pytest.raises(LogCorrupt):
        bring(two, log, 0, 3)
    assert one.state().size == 5


def test_a_file_of_another_log_is_refused(tmp_path: Path) -> None:
    SqliteReplicaStore(tmp_path / "w.sqlite", ORIGIN).close()
    with pytest.raises(LogCorrupt):
        SqliteReplicaStore(tmp_path / "w.sqlite", "other.example")


class Counting:
    """A toy contract: the state is how many entries of kind request there were."""

    def start(self) -> int:
        return 0

    def apply(self, state: int, first: int, entries: Sequence[bytes]) -> int:
        return state + sum(b'"kind":"request"' in each for each in entries)

    def root(self, state: int) -> str:
        return f"sha256:{hashlib.sha256(b'%d' % state).hexdigest()}"


def state_leaf(count: int) -> bytes:
    return leaf(500 + count, "state", body={"root": Counting().root(count)})


@pytest.fixture
def executing(log: LyingLog, clock: Clock, signers: Any) -> Callable[[Any], Witness]:
    return lambda memory: Witness(log.followed, signers, memory, clock, execution=Counting())


def test_an_executing_witness_cosigns_only_its_own_state(
    executing: Callable[[Any], Witness], memory: Any, log: LyingLog
) -> None:
    witness = executing(memory)
    log.add(state_leaf(5), leaf(5), state_leaf(6))
    assert bring(witness, log, 0, 6).status == 200
    assert bring(executing(memory), log, 6).status == 200  # replays what it kept after a restart
    log.add(leaf(6), leaf(7), state_leaf(9))
    again = executing(memory)
    answer = bring(again, log, 8)
    assert answer.status == 422
    assert "state leaf at index 10" in answer.body.decode()
    assert again.state().size == 8
    assert bring(again, log, 8, 10).status == 200  # up to the lie


def test_a_state_leaf_without_a_root_is_refused(
    executing: Callable[[Any], Witness], memory: Any, log: LyingLog
) -> None:
    log.add(leaf(5, "state", body={"no": "root"}))
    assert bring(executing(memory), log, 0).status == 422


def test_examine_names_what_is_needed(witness: Witness, log: LyingLog) -> None:
    assert witness.examine(log.request(0)) == Demand(0, 5)
    bring(witness, log, 0)
    assert witness.examine(log.request(5)) == Demand(5, 5)


def test_a_witness_without_keys_is_refused(log: LyingLog, memory: Any, clock: Clock) -> None:
    with pytest.raises(ValueError, match="at least one key"):
        Witness(log.followed, (), memory, clock)
