"""A drop folder: complete files only, each once, also when a watcher dies."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from xinglin.feeds import folder as module
from xinglin.feeds.folder import DropFolder
from xinglin.intake.errors import NotKept, RawErased
from xinglin.intake.ports import Kept, Received
from xinglin.kernel.limits import Limit


class Store:
    """Keeps in memory; ``failing`` is raised instead."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}
        self.taken: list[Received] = []
        self.streamed = 0
        self.failing: Exception | None = None

    def keep_all(self, received: Sequence[Received]) -> list[Kept]:
        if self.failing:
            raise self.failing
        self.taken += received
        return [self._kept(one, one.body) for one in received]

    def keep_stream(self, chunks: Iterable[bytes], described: Received) -> Kept:
        self.streamed += 1
        self.taken.append(described)
        return self._kept(described, b"".join(chunks))

    def _kept(self, one: Received, body: bytes) -> Kept:
        digest = hashlib.sha256(body).hexdigest()
        known = digest in self.bodies
        self.bodies[digest] = body
        about = (one.source, one.media_type, one.received_at, one.retention, one.label)
        return Kept(digest, len(self.bodies), len(body), known, *about)


class Hour:
    def __init__(self) -> None:
        self.now = 1_709_251_200_000

    def __call__(self) -> int:
        return self.now


def dropped(path: Path, store: Store, clock: Hour, **given: object) -> DropFolder:
    return DropFolder(path, "his", store, stable_s=5, clock=clock, **given)  # type: ignore[arg-type]


def settled(drop: DropFolder, clock: Hour) -> list[str]:
    drop.look()
    clock.now += 5_000
    return [one.name for one in drop.look()]


def test_a_file_is_taken_when_it_stopped_growing(tmp_path: Path) -> None:
    store, clock = Store(), Hour()
    drop = dropped(tmp_path, store, clock)
    (tmp_path / "a.csv").write_bytes(b"id\n1")
    assert drop.look() == []
    clock.now += 4_000
    (tmp_path / "a.csv").write_bytes(b"id\n1\n2")
    assert drop.look() == []
    clock.now += 4_999
    assert drop.look() == []
    clock.now += 1
    assert [one.name for one in drop.look()] == ["a.csv"]
    assert drop.look() == []
    assert store.taken[0].media_type == "text/csv" and store.taken[0].label == "a.csv"
    assert (tmp_path / "processed/2024-03-01/a.csv").read_bytes() == b"id\n1\n2"


def test_unfinished_hidden_foreign_and_linked_files_are_left_alone(tmp_path: Path) -> None:
    store, clock = Store(), Hour()
    drop = dropped(tmp_path, store, clock)
    for name in ("a.csv.part", ".b.csv", "c.exe", "d.csv.tmp", "e.xlsx"):
        (tmp_path / name).write_bytes(b"x")
    os.symlink("/etc/hostname", tmp_path / "f.csv")
    os.mkfifo(tmp_path / "g.csv")
    assert settled(dropped(tmp_path, store, clock, patterns=("*.csv*",)), clock) == []
    assert settled(drop, clock) == ["e.xlsx"]


def test_sub_folders_keep_their_names_and_the_same_name_gets_a_number(tmp_path: Path) -> None:
    store, clock = Store(), Hour()
    drop = dropped(tmp_path, store, clock)
    for body in (b"1", b"2"):
        (tmp_path / "lab").mkdir(exist_ok=True)
        (tmp_path / "lab/a.csv").write_bytes(body)
        assert settled(drop, clock) == ["lab/a.csv"]
    done = sorted(str(path.relative_to(tmp_path)) for path in (tmp_path / "processed").rglob("*.csv"))
    assert done == ["processed/2024-03-01/lab/a.2.csv", "processed/2024-03-01/lab/a.csv"]


def test_what_a_dead_watcher_claimed_is_handed_over_again(tmp_path: Path) -> None:
    store, clock = Store(), Hour()
    dropped(tmp_path, store, clock)
    (tmp_path / "claimed/a.csv").write_bytes(b"x")
    assert [one.name for one in dropped(tmp_path, store, clock).look()] == ["a.csv"]
    assert not list((tmp_path / "claimed").iterdir())


def test_a_full_store_leaves_the_file_claimed_and_a_refusal_moves_it(tmp_path: Path) -> None:
    store, clock = Store(), Hour()
    drop = dropped(tmp_path, store, clock)
    (tmp_path / "a.csv").write_bytes(b"x")
    store.failing = NotKept("The disk is full.")
    assert settled(drop, clock) == ["a.csv"]
    assert (tmp_path / "claimed/a.csv").is_file()
    store.failing = RawErased("It was erased.")
    assert drop.look()[0].why == "It was erased."
    assert (tmp_path / "failed/2024-03-01/a.csv").is_file()
    assert "intake.raw_erased" in (tmp_path / "failed/2024-03-01/a.csv.why").read_text()


def test_of_two_watchers_one_gets_the_file(tmp_path: Path) -> None:
    store, clock = Store(), Hour()
    one, other = dropped(tmp_path, store, clock), dropped(tmp_path, store, clock)
    (tmp_path / "a.csv").write_bytes(b"x")
    one.look(), other.look()
    clock.now += 5_000
    assert len(one.look()) + len(other.look()) == 1


def test_a_large_file_is_streamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SMALL_BYTES", Limit("small", 10, "bytes"))
    store, clock = Store(), Hour()
    drop = dropped(tmp_path, store, clock)
    (tmp_path / "a.csv").write_bytes(b"x" * 10)
    (tmp_path / "b.csv").write_bytes(b"y" * 11)
    assert settled(drop, clock) == ["a.csv", "b.csv"]
    assert store.streamed == 1
    assert b"y" * 11 in store.bodies.values()
    monkeypatch.setattr(module, "FILE_BYTES", Limit("file", 20, "bytes"))
    (tmp_path / "c.csv").write_bytes(b"z" * 21)
    settled(drop, clock)
    assert (tmp_path / "failed/2024-03-01/c.csv").is_file()
