"""What every log store must do; each store's test class derives from this one."""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Callable
from typing import Any

import pytest

from xinglin.evidence.ports import AppendGroup
from xinglin.evidence.tiles import TileReader
from xinglin.evidence.tree import CompactRange, root_of
from xinglin.kernel import LimitExceeded
from xinglin.stores.log_errors import LogClosed
from xinglin.stores.log_memory import MemoryLogStore


def slow_root(entries: list[bytes]) -> bytes:
    """RFC 6962 §2.1, word for word."""
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    split = 1 << (len(entries) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + slow_root(entries[:split]) + slow_root(entries[split:])).digest()


class LogStoreContract:
    """Derive, and give a fixture ``open_store``: each call opens the same log anew."""

    @pytest.fixture
    def open_store(self) -> Callable[[], Any]:
        raise NotImplementedError

    def test_empty(self, open_store: Callable[[], Any]) -> None:
        store = open_store()
        assert store.size() == 0
        assert store.frontier() == (0, ())
        assert store.entries(0, 10) == []
        assert store.hashes(0, 0, 256) == []
        assert store.get_checkpoint() is None

    def test_indices_follow_each_other_and_entries_come_back(self, open_store: Callable[[], Any]) -> None:
        store = open_store()
        assert store.append_batch([b"a", b"b"]) == 0
        assert store.append_batch([b"c"]) == 2
        assert store.append_batch([b"", b"\x00\xff" * 9]) == 3
        assert store.size() == 5
        assert store.entries(1, 4) == [b"b", b"c", b""]
        assert store.entries(4, 99) == [b"\x00\xff" * 9]

    def test_tree_equals_the_reference_over_uneven_batches(self, open_store: Callable[[], Any]) -> None:
        store, reference, chance = open_store(), MemoryLogStore(), random.Random(7)
        entries: list[bytes] = []
        while len(entries) < 1_400:
            batch = [chance.randbytes(chance.randrange(1, 40)) for _ in range(chance.randrange(1, 300))]
            assert store.append_batch(batch) == reference.append_batch(batch) == len(entries)
            entries += batch
            size, frontier = store.frontier()
            assert (size, frontier) == reference.frontier()
            assert CompactRange(size, frontier).root() == slow_root(entries)
        for level, start, end in [(0, 0, 256), (0, 256, 512), (0, 1_024, 1_280), (1, 0, 256), (1, 2, 4), (2, 0, 256)]:
            assert store.hashes(level, start, end) == reference.hashes(level, start, end)
        assert root_of(TileReader(store.hashes), 777) == slow_root(entries[:777])
        assert len(store.hashes(1, 0, 256)) == len(entries) // 256

    def test_groups_get_one_transaction_and_own_indices(self, open_store: Callable[[], Any]) -> None:
        store = open_store()
        groups = [AppendGroup((b"a", b"b"), b"k1"), AppendGroup((b"c",)), AppendGroup((b"d",), b"k2")]
        assert store.append_groups(groups) == [0, 2, 3]

    def test_a_known_key_appends_nothing(self, open_store: Callable[[], Any]) -> None:
        store = open_store()
        assert store.append_groups([AppendGroup((b"a", b"b"), b"key")]) == [0]
        again = [AppendGroup((b"x",)), AppendGroup((b"a", b"b"), b"key"), AppendGroup((b"y",), b"other")]
        assert store.append_groups(again) == [2, 0, 3]
        assert store.append_groups([AppendGroup((b"z",), b"two"), AppendGroup((b"z",), b"two")]) == [4, 4]
        assert store.entries(0, 9) == [b"a", b"b", b"x", b"y", b"z"]

    def test_limits_are_refused_before_anything_is_stored(self, open_store: Callable[[], Any]) -> None:
        store = open_store()
        store.append_batch([b"x" * 65_535])
        with pytest.raises(LimitExceeded):
            store.append_batch([b"fine", b"x" * 65_536])
        with pytest.raises(LimitExceeded):
            store.append_batch([b""] * 65_537)
        with pytest.raises(ValueError, match="at least one"):
            store.append_batch([])
        with pytest.raises(ValueError, match="64 bytes"):
            store.append_groups([AppendGroup((b"a",), b"k" * 65)])
        assert store.size() == 1

    def test_checkpoints_are_kept_by_name(self, open_store: Callable[[], Any]) -> None:
        store = open_store()
        store.put_checkpoint(b"one")
        store.put_checkpoint(b"two")
        store.put_checkpoint(b"other", "quorum")
        assert store.get_checkpoint() == b"two"
        assert store.get_checkpoint("quorum") == b"other"
        assert store.get_checkpoint("nothing") is None

    def test_closed_is_closed(self, open_store: Callable[[], Any]) -> None:
        store = open_store()
        store.close()
        for call in (store.size, lambda: store.append_batch([b"a"]), lambda: store.put_checkpoint(b"n")):
            with pytest.raises(LogClosed):
                call()


class DurableLogStoreContract(LogStoreContract):
    """What a store that outlives its process must do besides."""

    def test_everything_is_there_after_reopening(self, open_store: Callable[[], Any]) -> None:
        store = open_store()
        store.append_groups([AppendGroup(tuple(b"%d" % n for n in range(700)), b"key")])
        store.put_checkpoint(b"note")
        before = store.frontier()
        store.close()
        store = open_store()
        assert store.frontier() == before
        assert store.get_checkpoint() == b"note"
        assert store.append_groups([AppendGroup((b"lost answer",), b"key"), AppendGroup((b"new",))]) == [0, 700]
        assert CompactRange(*store.frontier()).root() == slow_root(store.entries(0, 701))

    def test_two_writers_never_share_an_index(self, open_store: Callable[[], Any]) -> None:
        stores, firsts = [open_store(), open_store()], []

        def write(store: Any, letter: bytes) -> None:
            firsts.extend(store.append_batch([letter + b"%d" % n]) for n in range(40))

        threads = [threading.Thread(target=write, args=(s, w)) for s, w in zip(stores, (b"a", b"b"), strict=True)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(firsts) == list(range(80))
        assert CompactRange(*stores[0].frontier()).root() == slow_root(stores[1].entries(0, 80))
