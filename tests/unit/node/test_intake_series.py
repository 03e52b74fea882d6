"""Images that came as files get the count of their series, without any listener."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from xinglin.node.intake.folders import folder_opener
from xinglin.node.intake.loading import load
from xinglin.node.intake.series import count_series
from xinglin.node.intake.sources import Files, Folder, SourceFile
from xinglin.node.intake.wiring import OpenIntake, open_intake
from xinglin.node.settings import NodeSettings
from xinglin.sample import generate_space
from xinglin.sample.dicom import SLICES, instances
from xinglin.trust.keys import PrivateKeys

PERSONS = 3


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[OpenIntake]:
    folder = tmp_path / "node"
    folder.mkdir()
    found = open_intake(folder, NodeSettings(), PrivateKeys.generate())
    yield found
    found.close()


@pytest.fixture(scope="module")
def images() -> tuple[bytes, ...]:
    """Generated instances, ``SLICES`` a series."""
    return tuple(instances(generate_space(5)[0], count=PERSONS, side=8))


def written(folder: Path, images: tuple[bytes, ...]) -> list[Path]:
    folder.mkdir(exist_ok=True)
    paths = [folder / f"i{number}.dcm" for number in range(len(images))]
    for path, body in zip(paths, images, strict=True):
        path.write_bytes(body)
    return paths


def counted(opened: OpenIntake) -> dict[str, int | None]:
    """Instances by series, as current views have them."""
    from xinglin.lake.reading import read_current

    lake = opened.lake
    snapshot = lake.pin_current(["imaging"], lake.versions("imaging")[-1][1])
    with read_current(lake, snapshot) as session:
        return {row["id"]: row["instances"] for row in session.run("SELECT id, instances FROM imaging").to_pylist()}


def test_a_load_counts_its_series(opened: OpenIntake, images: tuple[bytes, ...], tmp_path: Path) -> None:
    source = SourceFile("scans", files=Files()).source(opened.folder)
    files = written(tmp_path / "in", images)
    load(opened, source, files[:1])
    assert list(counted(opened).values()) == [1]
    loaded = load(opened, source, files)
    assert (loaded.known, loaded.files) == (1, len(images))
    assert len(counted(opened)) == PERSONS and set(counted(opened).values()) == {SLICES}
    before = opened.raw.count()
    assert not load(opened, source, files).rows and opened.raw.count() == before, "the same files say nothing new"


async def test_a_drop_folder_counts_its_series_when_it_is_quiet(
    opened: OpenIntake, images: tuple[bytes, ...], tmp_path: Path
) -> None:
    place = tmp_path / "drop"
    written(place, images)
    source = SourceFile("scans", folder=Folder(str(place), every_s=0.05))
    opened.ledger.register(source.source(opened.folder), 1)
    opener = folder_opener(opened.raw, lambda: None, partial(count_series, opened.folder, opened.raw))

    async def keep(_received: object) -> None:
        raise AssertionError("a folder keeps by itself")

    watch = await opener(source, opened.folder, keep)  # type: ignore[arg-type]
    end = time.monotonic() + 30
    while opened.raw.count() < len(images) + PERSONS and time.monotonic() < end:
        await asyncio.sleep(0.05)
    await watch.stop()
    await asyncio.to_thread(opened.intake.drain)
    assert len(counted(opened)) == PERSONS and set(counted(opened).values()) == {SLICES}
