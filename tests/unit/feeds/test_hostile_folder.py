"""A drop folder into which somebody puts what is no file: nothing outside is read, moved or written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.unit.feeds.test_folder import Hour, Store, dropped

from xinglin.feeds.folder import CLAIMED, FAILED, FolderError
from xinglin.intake.errors import RawErased

SECRET = "the node's own key"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    place = tmp_path / "node"
    place.mkdir()
    (place / "node.key").write_text(SECRET)
    return place


@pytest.mark.parametrize("name", [CLAIMED, FAILED, "processed"])
def test_a_link_in_place_of_its_own_folders_is_not_followed(tmp_path: Path, outside: Path, name: str) -> None:
    (tmp_path / "drop").mkdir()
    store, clock = Store(), Hour()
    drop = dropped(tmp_path / "drop", store, clock)
    (tmp_path / "drop" / name).rmdir()
    (tmp_path / "drop" / name).symlink_to(outside)
    with pytest.raises(FolderError):
        drop.look()
    with pytest.raises(FolderError):
        dropped(tmp_path / "drop", store, clock)
    assert not store.taken and (outside / "node.key").read_text() == SECRET
    (tmp_path / "drop" / name).unlink()
    assert drop.look() == [] and (tmp_path / "drop" / name).is_dir()


@pytest.mark.parametrize("what", ["link", "pipe"])
def test_a_file_that_becomes_something_else_after_the_look(tmp_path: Path, outside: Path, what: str) -> None:
    store, clock = Store(), Hour()
    drop = dropped(tmp_path / "drop", store, clock)
    lab = tmp_path / "drop" / "lab.csv"
    lab.write_text("a,b\n")
    drop.look()
    clock.now += 6_000
    claim = drop._claim

    def swapped(path: Path) -> Path | None:
        path.unlink()
        if what == "link":
            path.symlink_to(outside / "node.key")
        else:
            os.mkfifo(path)
        return claim(path)

    drop._claim = swapped  # type: ignore[method-assign]
    (handled,) = drop.look()
    assert handled.why and handled.kept is None
    assert not store.taken and SECRET.encode() not in store.bodies.values()


def test_the_reason_of_a_failure_is_not_written_through_a_link(tmp_path: Path, outside: Path) -> None:
    store, clock = Store(), Hour()
    drop = dropped(tmp_path / "drop", store, clock)
    day = tmp_path / "drop" / FAILED / "2024-03-01"
    day.mkdir()
    (day / "lab.csv.why").symlink_to(outside / "node.key")
    (tmp_path / "drop" / "lab.csv").write_text("a,b\n")
    store.failing = RawErased("These bytes were erased.")
    drop.look()
    clock.now += 6_000
    drop.look()
    assert (outside / "node.key").read_text() == SECRET
    assert (day / "lab.csv").exists() and len(list(day.glob("*.why"))) == 2
