"""The hub's stores, held to one suite; and what its database alone must do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import text
from tests.unit.stores.hub_suite import ALICE, MESSAGE, RUN, HubStoreSuite

from xinglin.hub.ports import HubStore
from xinglin.stores.hub_database import FORGET_EVERY_MS, HubDatabase
from xinglin.testing import MemoryHubStore


class TestMemory(HubStoreSuite):
    def make(self) -> HubStore:
        return MemoryHubStore()


@pytest.fixture
def open_hub(urls: Callable[[], Any]) -> Iterator[Callable[..., HubDatabase]]:
    opened: list[HubDatabase] = []

    def open_one(url: Any = None) -> HubDatabase:
        opened.append(HubDatabase(url or urls(), accept_loss=True))
        return opened[-1]

    yield open_one
    for database in opened:
        database.close()


class TestDatabase(HubStoreSuite):
    @pytest.fixture(autouse=True)
    def _use(self, open_hub: Callable[..., HubDatabase]) -> None:
        self.open_hub = open_hub

    def make(self) -> HubStore:
        return self.open_hub()


def test_a_restarted_hub_finds_everything(urls: Any, open_hub: Callable[..., HubDatabase]) -> None:
    url = urls()
    first = open_hub(url)
    first.add_invite("d", "provider", 100)
    first.use_invite("d", ALICE, 0)
    first.add_run(RUN)
    first.add_message("run-a", MESSAGE)
    assert first.remember("jti", 1000, 0)
    first.close()
    again = open_hub(url)
    assert again.use_invite("d", ALICE, 0) is None
    assert again.open_runs() == (RUN,) and again.messages("run-a") == (MESSAGE,)
    assert not again.remember("jti", 1000, 1000)


def test_old_one_time_values_are_swept_and_young_ones_stay(open_hub: Callable[..., HubDatabase]) -> None:
    database = open_hub()
    count = text("SELECT count(*) AS found FROM seen")
    start = FORGET_EVERY_MS
    for number in range(50):
        assert database.remember(f"k{number}", start + number, start)
    now = start + FORGET_EVERY_MS
    assert database.remember("young", now + 1, now)
    assert database._quick.rows(count) == [{"found": 1}]
    assert not database.remember("young", now + 9, now + 1)


def test_a_key_past_its_time_is_new_again_before_any_sweep(open_hub: Callable[..., HubDatabase]) -> None:
    database = open_hub()
    start = FORGET_EVERY_MS
    assert database.remember("a", start + 5, start)
    assert database.remember("a", start + 90, start + 6)
    assert not database.remember("a", start + 90, start + 90)
