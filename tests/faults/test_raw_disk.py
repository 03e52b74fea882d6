"""The raw store on disks that are full or failing: not kept is said, and nothing is half kept."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.unit.stores_raw.kit import noise, open_store

from xinglin.intake.errors import NotKept
from xinglin.intake.ports import Kept
from xinglin.stores.raw_errors import RawUnavailable
from xinglin.stores.raw_keys import KeyTable
from xinglin.stores.raw_model import RawSettings
from xinglin.stores.raw_store import RawFolder
from xinglin.testing.raw_contract import received


@pytest.fixture
def file_limit() -> Iterator[object]:
    """``limit(bytes)``: no file of this process grows beyond that (None: as before)."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(size_bytes: int | None) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before[0] if size_bytes is None else size_bytes, before[1]))

    yield limit
    limit(None)


def check_whole(store: RawFolder, kept: list[Kept]) -> None:
    """Everything acknowledged is there under its number, and nothing twice."""
    numbers = {each.digest: each.sequence for each in store.after(0, 10_000)}
    assert {each.digest: each.sequence for each in kept}.items() <= numbers.items()
    for each in kept:
        store.read(each.digest)
    assert len(numbers) == store.count()


async def keep_many(store: RawFolder, count: int, size_bytes: int) -> tuple[list[Kept], int]:
    outcomes = await asyncio.gather(
        *(store.keep(received(noise(size_bytes))) for _ in range(count)), return_exceptions=True
    )
    kept = [each for each in outcomes if isinstance(each, Kept)]
    assert all(isinstance(each, Kept | NotKept) for each in outcomes), outcomes
    return kept, count - len(kept)


async def test_what_could_not_be_discarded_is_found_before_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(tmp_path / "raw")
    body = noise(200_000)
    first = await store.keep(received(body))

    def away(*_: object) -> None:
        raise RawUnavailable("The table of keys does not answer.")

    with monkeypatch.context() as patched:
        patched.setattr(KeyTable, "destroy", away)
        again = await store.keep(received(body))  # a second object of the same bytes, needed by nobody
    assert again.known and again.sequence == first.sequence
    assert [finding.code for finding in store.fsck().findings] == ["raw.orphan_object"]
    assert all(finding.repaired for finding in store.fsck(repair=True).findings)
    assert store.fsck().findings == ()
    check_whole(store, [first])
    store.close()


@pytest.mark.parametrize("size_bytes", [3_000, 200_000])
async def test_a_full_disk_is_told_and_the_store_goes_on_when_there_is_room(
    small_disk: Callable[[int], Path], size_bytes: int
) -> None:
    disk = small_disk(4)
    store = open_store(disk / "raw")
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(1_500_000))
    kept, refused = [], 0
    for _ in range(30):
        more, failed = await keep_many(store, 60 if size_bytes < 4_000 else 4, size_bytes)
        kept += more
        refused += failed
    assert kept
    assert refused > len(kept)
    check_whole(store, kept)
    ballast.unlink()
    again, refused = await keep_many(store, 5, 500)
    assert (len(again), refused) == (5, 0)
    check_whole(store, kept + again)
    assert not [finding for finding in store.fsck(repair=True).findings if not finding.repaired]
    store.close()
    store = open_store(disk / "raw")
    assert store.findings == ()
    check_whole(store, kept + again)
    assert store.fsck().findings == ()
    store.close()


async def test_a_file_that_may_not_grow(tmp_path: Path, file_limit) -> None:  # type: ignore[no-untyped-def]
    store = open_store(tmp_path / "raw")
    kept, _ = await keep_many(store, 20, 1_000)
    file_limit(60_000)
    refused = 0
    for _ in range(20):
        more, failed = await keep_many(store, 10, 1_000)
        kept += more
        refused += failed
    assert refused
    file_limit(None)
    more, failed = await keep_many(store, 10, 1_000)
    assert not failed
    check_whole(store, kept + more)
    store.close()
    store = open_store(tmp_path / "raw")
    assert store.findings == ()
    check_whole(store, kept + more)
    store.close()


@pytest.mark.parametrize("where", ["written", "synced", "rolled", "object-written", "object-published"])
async def test_a_disk_that_fails_once(tmp_path: Path, where: str) -> None:
    """EIO: after it the file is not trusted, and a new segment begins."""
    failing = False

    def step(name: str) -> None:
        if failing and name == where:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    store = open_store(tmp_path / "raw", settings=RawSettings(inline_bytes=4_096, segment_bytes=500), step=step)
    kept, _ = await keep_many(store, 5, 1_000)
    failing = True
    for size_bytes in (1_000, 9_000):
        more, failed = await keep_many(store, 6, size_bytes)
        kept += more
        assert failed == 6 or (where.startswith("object") and size_bytes == 1_000)
    failing = False
    more, failed = await keep_many(store, 6, 1_000)
    assert not failed
    check_whole(store, kept + more)
    assert [each.sequence for each in store.after(0, 99)] == list(range(1, len(kept + more) + 1))
    assert store.fsck(repair=True).clean
    assert store.fsck().findings == ()
    store.close()
    store = open_store(tmp_path / "raw")
    check_whole(store, kept + more)
    store.close()


async def test_what_cannot_be_withdrawn_may_be_found_and_is_not_doubled(tmp_path: Path) -> None:
    """A write that failed, on a file that cannot be cut back: its records come up at the next opening."""
    failing = False

    def step(name: str) -> None:
        if failing and name == "synced":
            monkey.setattr(os, "ftruncate", broken)
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def broken(descriptor: int, size: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with pytest.MonkeyPatch.context() as monkey:
        store = open_store(tmp_path / "raw", step=step)
        first = await store.keep(received(b"first"))
        failing = True
        with pytest.raises(NotKept):
            await store.keep(received(b"second"))
        failing = False
    again = await store.keep(received(b"second"))
    assert (first.sequence, again.sequence, again.known) == (1, 3, False)
    store.close()
    store = open_store(tmp_path / "raw")
    assert [(each.sequence, each.digest) for each in store.after(0, 9)] == [(1, first.digest), (3, again.digest)]
    # The other record of the same object goes with it.
    store.erase([again.digest])
    assert b"".join(path.read_bytes() for path in (tmp_path / "raw/segments").iterdir())
    assert [each.sequence for each in store.after(0, 9)] == [1]
    assert store.fsck().findings == ()
    assert len(list((tmp_path / "raw/segments").iterdir())) == 1
    store.close()
