"""The plain clock of a node that pulls nothing, and the durable one that takes over when something is asked for."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from xinglin.feeds.fhir_push import Changed
from xinglin.feeds.jobs import JOBS_FILE, JobError
from xinglin.kernel.instants import system_clock
from xinglin.node.intake import nightly, schedules
from xinglin.node.intake.carrier import Carrier
from xinglin.node.intake.nightly import DRIFT, Nights, Told
from xinglin.node.intake.pullers import Pullers
from xinglin.node.intake.schedules import Schedules
from xinglin.node.intake.sources import read_sources
from xinglin.node.intake.wiring import OpenIntake, open_intake
from xinglin.node.settings import NodeSettings
from xinglin.stores.database_errors import StoreUnavailable
from xinglin.trust.keys import PrivateKeys

LISTENER = '[nightly]\nquality = ""\nreconcile = ""\ndrift = "{}"\n[[source]]\nname = "his"\nmllp = {{ port = 1 }}\n'
DAY_MS = 24 * 3600 * 1000


@pytest.fixture
async def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[OpenIntake]:
    monkeypatch.setattr(schedules, "LOOK_S", 0.05)
    monkeypatch.setattr(schedules, "RETRY_S", (0.05, 0.05))
    found = open_intake(tmp_path, NodeSettings(), PrivateKeys.generate())
    yield found
    found.close()


async def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not await asyncio.to_thread(holds):
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


def of(opened: OpenIntake) -> Schedules:
    (opened.folder / "sources.toml").write_text(LISTENER.format("00:00"))
    # It began a day ago: midnight has come since.
    nights = Nights(opened, lambda: system_clock() - DAY_MS, tries=3)
    return Schedules(opened, Pullers(opened, lambda: None), Carrier(opened.intake), nights)


async def test_a_node_of_listeners_does_its_nights_without_durable_schedules(
    opened: OpenIntake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "xinglin.node.intake")
    tries: list[int] = []

    def away(*_: object) -> Told:
        tries.append(1)
        if len(tries) < 3:
            raise StoreUnavailable("Not now.")
        return Told()

    monkeypatch.setattr(nightly.Nights, "_days", away)
    found = of(opened)
    assert await found.follow(read_sources(opened.folder)) == {}
    await until(lambda: opened.marks.last(DRIFT))
    assert len(tries) == 3 and not (opened.folder / JOBS_FILE).exists()
    status = next(one for one in found.status()["nightly"] if one["job"] == "drift")
    assert status["failed"] == "" and status["ended_at"] and status["at"] == "00:00"
    assert "nightly.failed job=quality.drift part=days code=" in caplog.text
    await asyncio.sleep(0.3)
    assert len(tries) == 3, "once a night"
    assert await found.close()


async def test_a_stop_does_not_wait_for_what_waits(opened: OpenIntake, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = threading.Event()

    def slow(_nights: object, turn: schedules.Turn, _part: str) -> Told:
        begun.set()
        while True:
            turn.check()
            time.sleep(0.01)

    monkeypatch.setattr(nightly.Nights, "_days", slow)
    found = of(opened)
    await found.follow(read_sources(opened.folder))
    await until(begun.is_set)
    assert await found.close()
    assert opened.marks.last(DRIFT) is None, "it is done at the next start"


async def test_what_is_asked_for_by_hand_brings_the_durable_clock(
    opened: OpenIntake, caplog: pytest.LogCaptureFixture
) -> None:
    (opened.folder / "sources.toml").write_text(LISTENER.format("04:30"))
    nights = Nights(opened)
    found = Schedules(opened, Pullers(opened, lambda: None), Carrier(opened.intake), nights)
    await found.follow(read_sources(opened.folder))
    await found.noticed("", Changed())
    assert "fhir.notification_unasked servers=0" in caplog.text
    with pytest.raises(JobError):
        await found.night("tea")
    run = await found.night("drift")
    await until(lambda: next(one for one in found.status()["runs"] if one["id"] == run)["state"] == "done")
    assert found._jobs is not None
    listed = await asyncio.to_thread(found._jobs._dbos.list_schedules)
    kept = {one["schedule_name"]: one["schedule"] for one in listed}
    assert kept[DRIFT] == "30 4 * * *" and "lake.maintain" in kept and "quality.run" not in kept
    assert await found.close()
