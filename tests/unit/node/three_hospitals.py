"""Three hospitals at a hub that is handed to the test, each with its sample published."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from xinglin.sample import data_set, descriptions, generate_space
from xinglin.testing.asker import publish
from xinglin.testing.hostile_hub import HostileHub


@asynccontextmanager
async def three_hospitals(folder: Path) -> AsyncIterator[HostileHub]:
    """The hub, with nodes ``a``, ``b`` and ``c`` in this process."""
    async with HostileHub(folder, names=("a", "b", "c")) as space:
        for hospital, sample in zip(space.hospitals.values(), generate_space(), strict=False):
            publish(hospital, data_set(sample.profile, hospital.did, descriptions()))
        yield space
