"""Whom a run does not wait for any longer: those who are away, not those who missed one poll while they were busy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from xinglin.hub.ports import RunRow
from xinglin.hub.runs import Coordinator, Line, Patience
from xinglin.secure import Member, Session
from xinglin.stores.hub_database import HubDatabase

pytestmark = pytest.mark.asyncio
NODES = tuple(f"did:xinglin:{letter * 26}" for letter in "abcd")
PATIENCE = Patience()


class Scene:
    """One run that every hospital was asked for and nobody admitted yet; time passes by hand."""

    def __init__(self, store: HubDatabase) -> None:
        self.now, self.present = 1_000_000, set(NODES)
        members = tuple(Member(did, "sha256:" + "0" * 64) for did in NODES)
        row = RunRow("run-1", "open", "did:xinglin:" + "u" * 26, b"", b"", b"")
        store.add_run(row)
        session = Session(plan="sha256:" + "1" * 64, run="run-1", members=members)
        line = Line(lambda _did, _order: None, lambda did: did in self.present)
        names = dict(zip(NODES, "abcd", strict=True))
        self.run = Coordinator(row, session, names, store, line, lambda: self.now, PATIENCE, lambda *_: True)
        self.run.begin()

    async def passes(self, seconds: float, step_ms: int = 500) -> str:
        """So much time with a look at every step; the state then."""
        for _ in range(round(seconds * 1000) // step_ms):
            self.now += step_ms
            await self.run.watch()
        return self.run.state


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    store = HubDatabase.in_folder(tmp_path)
    yield Scene(store)
    store.close()


async def test_hospitals_that_are_long_busy_and_miss_one_poll_are_waited_for(scene: Scene) -> None:
    assert await scene.passes(20) == "deciding"
    scene.present.clear()  # all of them load libraries for their first run, on a machine that others use too
    assert await scene.passes(5) == "deciding"
    scene.present.update(NODES[:1])
    assert await scene.passes(1) == "deciding"
    scene.present.clear()
    assert await scene.passes(14) == "deciding"


async def test_hospitals_that_stay_away_are_not_waited_for(scene: Scene) -> None:
    assert await scene.passes(20) == "deciding"
    scene.present.clear()
    assert await scene.passes(PATIENCE.away_s) == "deciding"
    assert await scene.passes(0.5) == "too_few"


async def test_a_hub_that_stood_still_blames_nobody_for_it(scene: Scene) -> None:
    assert await scene.passes(10) == "deciding"
    scene.present.clear()  # their polls wait in its own queue
    assert await scene.passes(40, step_ms=40_000) == "deciding"
    scene.present.update(NODES)
    assert await scene.passes(1) == "deciding"


async def test_nobody_is_waited_for_without_end(scene: Scene) -> None:
    assert await scene.passes(PATIENCE.decide_s) == "deciding"
    assert await scene.passes(1) == "too_few"
