"""One more than each limit is a refusal, and what was refused is not kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.unit.stores_raw.kit import SMALL, open_store

from xinglin.intake.errors import NotKept
from xinglin.intake.ports import Received
from xinglin.kernel.errors import LimitExceeded, MalformedMessage
from xinglin.stores import raw_gather, raw_reader, raw_store
from xinglin.stores.raw_model import AFTER_ENTRIES, GROUP_BYTES, GROUP_ENTRIES, LABEL_BYTES, WORD_BYTES
from xinglin.stores.raw_segments import segment_ids
from xinglin.stores.raw_store import RawFolder
from xinglin.testing.raw_contract import digest_of, received


@pytest.fixture
def store(tmp_path: Path):  # type: ignore[no-untyped-def]
    opened = open_store(tmp_path)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("most", "more"),
    [
        (received(b"1", "é" * (LABEL_BYTES.value // 2)), received(b"2", "é" * (LABEL_BYTES.value // 2) + "x")),
        (Received(b"1", "s" * WORD_BYTES.value, "t", 0), Received(b"2", "s" * (WORD_BYTES.value + 1), "t", 0)),
        (Received(b"1", "s", "t" * WORD_BYTES.value, 0), Received(b"2", "s", "t" * (WORD_BYTES.value + 1), 0)),
    ],
)
async def test_words_have_a_length(store: RawFolder, most: Received, more: Received) -> None:
    assert (await store.keep(most)).label == most.label
    with pytest.raises(LimitExceeded):
        await store.keep(more)
    with pytest.raises(LimitExceeded):
        store.keep_all([received(b"x"), more])
    with pytest.raises(LimitExceeded):
        store.keep_stream([b"x"], replace(more, body=b""))
    assert store.count() == 1


async def test_a_label_that_is_no_text_is_refused(store: RawFolder) -> None:
    with pytest.raises(MalformedMessage):
        await store.keep(received(b"x", b"\xd5\xc5.pdf".decode("utf-8", "surrogateescape")))


def test_one_write_holds_so_many_objects_and_bytes(store: RawFolder) -> None:
    many = [received(b"%d" % n) for n in range(GROUP_ENTRIES.value + 1)]
    assert len(store.keep_all(many[:-1])) == GROUP_ENTRIES.value
    with pytest.raises(LimitExceeded):
        store.keep_all(many)
    wide = [received(b"%d" % n + bytes(SMALL.inline_bytes - 8)) for n in range(GROUP_BYTES.value // 4_000)]
    with pytest.raises(LimitExceeded):
        store.keep_all(wide)
    assert store.count() == GROUP_ENTRIES.value


def test_pages_have_a_length(store: RawFolder) -> None:
    calls: tuple[Callable[[int], object], ...] = (lambda n: store.after(0, n), lambda n: store.expire(0, n))
    for call in calls:
        call(AFTER_ENTRIES.value)
        with pytest.raises(LimitExceeded):
            call(AFTER_ENTRIES.value + 1)


def test_an_object_read_at_once_has_a_length(store: RawFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_reader, "WHOLE_BYTES", replace(raw_reader.WHOLE_BYTES, value=9_000))
    for size_bytes in (9_000, 9_001):
        store.keep_all([received(bytes(size_bytes))])
    assert len(store.read(digest_of(bytes(9_000)))) == 9_000
    with pytest.raises(LimitExceeded):
        store.read(digest_of(bytes(9_001)))
    assert len(b"".join(store.read_stream(digest_of(bytes(9_001))))) == 9_001


async def test_an_object_has_a_length(store: RawFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_store, "OBJECT_BYTES", replace(raw_store.OBJECT_BYTES, value=9_000))
    await store.keep(received(bytes(9_000)))
    with pytest.raises(LimitExceeded):
        await store.keep(received(bytes(9_001)))


@pytest.mark.parametrize("size_bytes", [3_000, 9_000])
async def test_more_than_may_wait_is_not_kept(
    store: RawFolder, monkeypatch: pytest.MonkeyPatch, size_bytes: int
) -> None:
    for module in (raw_gather, raw_store):
        monkeypatch.setattr(module, "WAITING_BYTES", replace(raw_gather.WAITING_BYTES, value=30_000))
    with store._writer.lock:  # nothing is written meanwhile
        tasks = [asyncio.create_task(store.keep(received(b"%d" % n + bytes(size_bytes)))) for n in range(40)]
        async with asyncio.timeout(20):
            while sum(task.done() for task in tasks) < 20:
                await asyncio.sleep(0.01)
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    refused = [each for each in outcomes if isinstance(each, NotKept)]
    assert 20 <= len(refused) < 40
    assert store.count() == 40 - len(refused)
    await store.keep(received(b"again"))


async def test_a_caller_that_gives_up_disturbs_nobody(store: RawFolder) -> None:
    with store._writer.lock:
        tasks = [asyncio.create_task(store.keep(received(b"%d" % n))) for n in range(5)]
        await asyncio.sleep(0.05)
        tasks[2].cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(each, asyncio.CancelledError) for each in outcomes] == [False, False, True, False, False]
    assert store.count() == 5


async def test_a_writer_that_fails_answers_everybody_and_comes_back(
    store: RawFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(units: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("threading.excepthook", lambda told: None)
    whole = store._gather._commit
    store._gather._commit = broken  # type: ignore[assignment]
    outcomes = await asyncio.gather(*(store.keep(received(b"%d" % n)) for n in range(9)), return_exceptions=True)
    assert all(isinstance(each, NotKept) for each in outcomes)
    store._gather._commit = whole
    assert (await store.keep(received(b"again"))).sequence == 1


def test_a_segment_ends_by_size_and_by_age(tmp_path: Path) -> None:
    from tests.unit.stores_raw.kit import RING

    from xinglin.stores.raw_model import RawSettings
    from xinglin.stores.raw_store import open_raw_store

    now = 0
    settings = RawSettings(segment_bytes=700, segment_age_s=60)
    store = open_raw_store(tmp_path, RING, settings, lambda: now)
    counts = []
    for number, instant in enumerate((0, 1, 59_999, 60_000, 60_001, 50_000, -20_000, 1, 1, 1)):
        now = instant  # also a clock that jumps back
        store.keep_all([received(b"%d" % number)])
        counts.append(len(segment_ids(tmp_path / "segments")))
    assert counts == [1, 1, 1, 2, 2, 2, 3, 3, 3, 3]
    for number in range(6):
        store.keep_all([received(b"more %d" % number)])
    assert len(segment_ids(tmp_path / "segments")) > 3
    assert store.fsck().findings == ()
    store.close()
