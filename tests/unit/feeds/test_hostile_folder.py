"""A drop folder into which somebody puts what is no file: nothing outside is read, moved or written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.feeds.test_folder import Hour, Store, dropped

from xinglin.feeds.folder import CLAIMED, FAILED, FolderError
from xinglin.intake.errors import RawErased

SECRET = "the node's own key"
ROOT = Path(__file__).parents[3]


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


_WATCHER = """
import ctypes, os, sys
if os.geteuid() == 0:  # without CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH root minds permissions too
    for capability in (1, 2):
        assert ctypes.CDLL(None).prctl(24, capability, 0, 0, 0) == 0
os.execv(sys.executable, [sys.executable, "-c", sys.argv[1], *sys.argv[2:]])
"""
_LOOKS = """
import json, sys
from pathlib import Path
from tests.unit.feeds.test_folder import Hour, Store
from xinglin.feeds.folder import DropFolder
clock = Hour()
drop = DropFolder(Path(sys.argv[1]), "his", Store(), stable_s=5, clock=clock)
drop.look()
clock.now += 60_000
print(json.dumps([[one.name, one.why] for one in drop.look()]))
"""


def test_a_file_that_may_not_be_read_stops_no_other(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"x")
    (tmp_path / "a.csv").chmod(0)
    (tmp_path / "b.csv").write_bytes(b"y")
    command = [sys.executable, "-c", _WATCHER, _LOOKS, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [["a.csv", "It could not be opened (Permission denied)."], ["b.csv", ""]]
    (why,) = tmp_path.glob("failed/*/*.why")
    assert "Permission denied" in why.read_text() and not list((tmp_path / "claimed").iterdir())
