"""Any bytes at a witness's door: an answer with a status, never an exception, never a cosignature."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.witness.kit import ORIGIN, Clock, LyingLog, cosigners, leaf

from xinglin.evidence.errors import MalformedBundle
from xinglin.evidence.replica import check_fork, pack_entries, unpack_entries
from xinglin.evidence.witnessing import Answer, Witness, format_request
from xinglin.stores.replica_memory import MemoryReplicaStore

LOG = LyingLog().add(*(leaf(n) for n in range(20)))
SIGNERS = cosigners()


def fresh(size: int = 0) -> Witness:
    witness = Witness(LOG.followed, SIGNERS, MemoryReplicaStore(ORIGIN), Clock())
    if size:
        assert witness.add_checkpoint(LOG.request(0, size), LOG.store.entries(0, size)).status == 200
    return witness


@given(st.binary(max_size=400))
def test_any_bytes(body: bytes) -> None:
    answer = fresh().examine(body)
    assert isinstance(answer, Answer)
    assert answer.status in (400, 403, 404)


@given(st.data())
@settings(max_examples=150)
def test_one_changed_byte(data: st.DataObject) -> None:
    body = bytearray(LOG.request(9))
    at = data.draw(st.integers(0, len(body) - 1))
    body[at] ^= data.draw(st.integers(1, 255))
    witness = fresh(9)
    answer = witness.add_checkpoint(bytes(body), LOG.store.entries(9, 20))
    assert answer.status != 200
    assert witness.state().size == 9
    for fork in witness.forks():
        check_fork(fork, LOG.followed)


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 20), st.lists(st.sampled_from(range(20)), max_size=20))
@settings(max_examples=150)
def test_only_the_right_entries_are_cosigned(held: int, old: int, size: int, picked: list[int]) -> None:
    """Whatever is claimed and handed over: 200 only for the true continuation of what was cosigned."""
    witness = fresh(held)
    entries = [LOG.store.entries(0, 20)[at] for at in picked]
    proof = LOG.proof(old, size) if old <= size else ()
    answer = witness.add_checkpoint(format_request(old, proof, LOG.note(size)), entries)
    right = old == held and size >= held and entries[: size - held] == LOG.store.entries(held, size)
    assert (answer.status == 200) == ((right and len(entries) == max(size - held, 0)) or (right and size == held))
    assert witness.state().size == (size if answer.status == 200 else held)
    assert witness.forks() == []


@given(st.lists(st.binary(max_size=300), max_size=30))
def test_packed_entries_come_back(entries: list[bytes]) -> None:
    assert unpack_entries(pack_entries(entries)) == tuple(entries)


@given(st.binary(max_size=300))
def test_any_packed_bytes(data: bytes) -> None:
    try:
        assert pack_entries(unpack_entries(data)) == data
    except MalformedBundle:
        with pytest.raises(MalformedBundle):
            unpack_entries(data)
