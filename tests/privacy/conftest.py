"""A hostile hub with four real nodes and generated data, once a module; a fresh one where a test ruins it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from xinglin.testing.asker import Asker, furnish
from xinglin.testing.hostile_hub import Hospital, HostileHub
from xinglin.wire.channel import Report

COLUMNS = ("age", "sex", "trestbps", "thalach", "exang", "disease")
COHORT = {"cardiac": f"SELECT {', '.join(COLUMNS)} FROM cardiac"}
VARIABLES = [f"cardiac.{name}" for name in COLUMNS]
SQL = "SELECT age, sex, trestbps, disease FROM cardiac"
GLM = {"formula": "disease ~ age + sex + trestbps", "family": "binomial"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def space(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[HostileHub]:
    """Four hospitals that publish the generated tables; the hub is honest between tests."""
    async with HostileHub(tmp_path_factory.mktemp("hostile")) as hub:
        furnish(hub)
        yield hub


@pytest_asyncio.fixture(loop_scope="module")
async def hub(space: HostileHub) -> AsyncIterator[HostileHub]:
    """The module's hub; what a test turned is turned back, and what it left open is ended."""
    for one in space.hospitals.values():
        one.channel.sent.clear()
    space.bytes_seen.clear()
    yield space
    space.honest()
    space.beating = True
    for one in space.hospitals.values():
        one.clock.off_ms = 0
    for coordinator in space.runs.values():
        await coordinator.cancel()
    space.runs.clear()
    await space.checkpoint()
    async with asyncio.timeout(20):
        while any(one.node.runs.open for one in space.hospitals.values()):
            await asyncio.sleep(0.02)


@pytest_asyncio.fixture(loop_scope="module")
async def asker(hub: HostileHub, request: pytest.FixtureRequest) -> Asker:
    """A researcher with agreements of her own at all four hospitals."""
    one = Asker(hub, "study-" + request.node.name.replace("[", ".").replace("]", "")[-80:])
    await one.agree(COHORT, VARIABLES)
    return one


@pytest.fixture
def fresh(tmp_path: Path) -> Callable[..., HostileHub]:
    """Makes a space of its own for a test that ruins its log; nothing is published there."""
    return lambda **how: HostileHub(tmp_path / "fresh", **how)


def said(hub: HostileHub, kind: type[Report]) -> dict[str, list[Report]]:
    """Hospital name to its reports of one kind."""
    return {name: one.channel.of(kind) for name, one in hub.hospitals.items()}


async def until(condition: Callable[[], object], timeout_s: float = 20.0) -> None:
    """Wait for something that happens in this event loop."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.01)


async def quiet(hospital: Hospital, run: str) -> None:
    """Wait until the node works on ``run`` no more."""
    await until(lambda: run not in hospital.node.runs.open)
