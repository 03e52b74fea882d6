"""The raw store killed at each of its steps: nothing acknowledged is lost or doubled, nothing erased is left."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.faults import raw_child
from tests.faults.raw_child import NEXT, RING, SETTINGS, received

from xinglin.intake.errors import RawErased, RawMissing
from xinglin.stores.raw_errors import RawWrongKey
from xinglin.stores.raw_model import KeyRing
from xinglin.stores.raw_store import RawFolder, open_raw_store

ROOT = Path(__file__).resolve().parent.parent.parent


def child(folder: Path, work: str, stop: int) -> tuple[dict[str, int], bool, list[str]]:
    """What it acknowledged, whether it came to its end, and the steps that it reached."""
    command = [sys.executable, raw_child.__file__, str(folder), work, str(stop)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, capture_output=True, env=environment, timeout=60, check=False)
    lines = [line.split() for line in done.stdout.splitlines()]
    acknowledged = {words[1].decode(): int(words[2]) for words in lines if words[0] == b"kept"}
    ended = [b"done"] in lines
    assert ended or done.returncode == -9, done.stderr.decode()
    return acknowledged, ended, done.stderr.decode().split()


def reopened(folder: Path, ring: KeyRing = RING) -> RawFolder:
    return open_raw_store(folder, ring, SETTINGS, lambda: 6_000)


def stored(folder: Path) -> list[tuple[str, int]]:
    """A store with forty objects in several segments, some of them large."""
    store = reopened(folder)
    for start in range(0, 40, 4):
        store.keep_all([received(number) for number in range(start, start + 4)])
    listed = [(kept.digest, kept.sequence) for kept in store.after(0, 100)]
    store.close()
    return listed


def whole(store: RawFolder) -> dict[str, int]:
    """Digest and number of everything that is kept, all of it read."""
    listed = store.after(0, 1_000)
    for kept in listed:
        assert len(store.read(kept.digest)) == kept.size_bytes
    numbers = [kept.sequence for kept in listed]
    assert len({kept.digest for kept in listed}) == len(listed) == store.count()
    assert numbers == sorted(set(numbers))
    return {kept.digest: kept.sequence for kept in listed}


@pytest.mark.slow
def test_killed_at_each_step_of_keeping(tmp_path: Path) -> None:
    names: set[str] = set()
    stop = 1
    while True:
        folder = tmp_path / str(stop)
        acknowledged, ended, steps = child(folder, "keep", stop)
        store = reopened(folder)
        assert acknowledged.items() <= whole(store).items(), steps
        assert store.fsck(repair=True).clean
        assert store.fsck().findings == ()
        # Whoever got no answer sends again; everything is there once.
        for number in range(40):
            kept = store.keep_all([received(number)])[0]
            assert acknowledged.get(kept.digest, kept.sequence) == kept.sequence
        assert len(whole(store)) == 40
        assert store.fsck().findings == ()
        store.close()
        names.update(steps)
        if ended:
            break
        stop += 1
    assert {"key-made", "rolled", "written", "synced", "indexed", "object-written", "object-published"} <= names


@pytest.mark.slow
def test_killed_at_each_step_of_an_erasure(tmp_path: Path) -> None:
    listed = stored(tmp_path / "whole")
    names: set[str] = set()
    stop = 1
    while True:
        folder = tmp_path / str(stop)
        shutil.copytree(tmp_path / "whole", folder)
        _, ended, steps = child(folder, "erase", stop)
        store = reopened(folder)
        gone = {digest for digest, number in listed if number % 5 == 0 or number % 7 == 4}
        if "journalled" in steps:
            for digest in gone:
                with pytest.raises(RawErased):
                    store.read(digest)
            assert whole(store) == {digest: number for digest, number in listed if digest not in gone}
            assert not any(path.suffix == ".obj" for path in folder.rglob("*"))
        else:
            assert whole(store) == dict(listed)
        assert store.fsck(repair=True).clean
        assert store.fsck().findings == ()
        assert store.keep_all([received(99)])[0].sequence == 41
        store.close()
        names.update(steps)
        if ended:
            break
        stop += 1
    erasing = {"journalled", "replacement-planned", "replacement-written", "replacement-synced", "reindexed"}
    assert erasing | {"shredded", "removed", "object-shredded", "object-removed", "forgotten"} <= names


def test_killed_at_each_step_of_a_rotation(tmp_path: Path) -> None:
    listed = stored(tmp_path / "whole")
    for stop in (1, 2, 0):
        folder = tmp_path / str(stop)
        shutil.copytree(tmp_path / "whole", folder)
        _, ended, steps = child(folder, "rotate", stop)
        assert ended == (not stop)
        store = reopened(folder, NEXT)
        assert whole(store) == dict(listed)
        store.rotate(NEXT)
        store.close()
        store = reopened(folder, KeyRing(NEXT.current))
        assert whole(store) == dict(listed)
        assert store.fsck().findings == ()
        store.close()
        with pytest.raises(RawWrongKey, match="kek-2"):
            reopened(folder, RING)
        assert steps


@pytest.mark.parametrize("cut", [1, 15, 16, 30, 100, 120])
def test_a_torn_last_record_is_cut_off(tmp_path: Path, cut: int) -> None:
    """As after a power cut: the index lost its last transaction, and the segment its last bytes."""
    folder = tmp_path / "raw"
    store = reopened(folder)
    first = store.keep_all([received(0)])[0]
    store.close()
    shutil.copy(folder / "index.db", tmp_path)
    store = reopened(folder)
    second, third = store.keep_all([received(1), received(2)])
    store.close()
    shutil.copy(tmp_path / "index.db", folder)
    newest = max((folder / "segments").iterdir())
    os.truncate(newest, newest.stat().st_size - cut)
    store = reopened(folder)
    assert [finding.code for finding in store.findings] == ["raw.torn_end"]
    assert whole(store) == {first.digest: 1, second.digest: 2}
    with pytest.raises(RawMissing):
        store.read(third.digest)
    assert store.fsck().findings == ()
    assert store.keep_all([received(2)])[0].sequence == 3
    store.close()


def test_a_segment_that_was_never_begun_is_removed(tmp_path: Path) -> None:
    store = reopened(tmp_path)
    store.keep_all([received(0)])
    store.close()
    (tmp_path / "segments" / f"{999:016x}.seg").write_bytes(b"XLRAW")
    (tmp_path / "segments" / f"{998:016x}.tmp").write_bytes(b"XLRAW")
    store = reopened(tmp_path)
    assert store.findings == ()
    assert store.fsck().findings == ()
    assert len(list((tmp_path / "segments").iterdir())) == 1
    store.close()
