"""What every replay store promises; the in-memory one is the reference."""

from __future__ import annotations

import threading

import pytest

from xinglin.kernel import Limit, LimitExceeded
from xinglin.trust import InMemoryReplayStore, ReplayStore


class ReplayStoreContract:
    """Inherit and give ``store``: the promises of the ``ReplayStore`` port."""

    @pytest.fixture
    def store(self) -> ReplayStore:
        raise NotImplementedError

    def test_a_key_is_new_once(self, store: ReplayStore) -> None:
        assert store.remember("a", 1000, 0)
        assert not store.remember("a", 1000, 0)
        assert not store.remember("a", 9000, 1)
        assert store.remember("b", 1000, 0)

    def test_a_key_is_kept_through_its_last_instant(self, store: ReplayStore) -> None:
        assert store.remember("a", 1000, 0)
        assert not store.remember("a", 2000, 1000)
        assert store.remember("b", 2000, 1001)

    def test_of_many_callers_one_hears_true(self, store: ReplayStore) -> None:
        heard: list[bool] = []
        gate = threading.Barrier(8)

        def call() -> None:
            gate.wait()
            heard.append(store.remember("a", 1000, 0))

        callers = [threading.Thread(target=call) for _ in range(8)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        assert sorted(heard) == [False] * 7 + [True]


class TestInMemory(ReplayStoreContract):
    @pytest.fixture
    def store(self) -> ReplayStore:
        return InMemoryReplayStore()

    def test_full_it_refuses_and_forgets_nothing(self) -> None:
        store = InMemoryReplayStore(Limit("ids", 2, "ids"))
        assert store.remember("a", 1000, 0)
        assert store.remember("b", 1000, 0)
        with pytest.raises(LimitExceeded):
            store.remember("c", 1000, 500)
        assert not store.remember("a", 1000, 500)
        assert store.remember("c", 3000, 1001)
        assert store.remember("a", 3000, 1001)
