"""Which bodies lie in a segment, which are objects of their own, and how those in a segment are compressed."""

from __future__ import annotations

import array
import asyncio
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.stores_raw.kit import RING, files, noise, open_store

from xinglin.intake.errors import RawErased
from xinglin.kernel.errors import LimitExceeded
from xinglin.stores import raw_packing
from xinglin.stores.raw_format import unpack
from xinglin.stores.raw_model import (
    GROUP_BYTES,
    INLINE_BESIDE_BUCKET_BYTES,
    INLINE_BYTES,
    INLINE_ON_FOLDER_BYTES,
    RawSettings,
)
from xinglin.stores.raw_packing import SAMPLED_FROM_BYTES, pack
from xinglin.stores.raw_store import PREPARED_FROM_BYTES, RawFolder, open_raw_reader
from xinglin.testing.raw_contract import digest_of, received


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RawFolder]:
    opened = open_store(tmp_path / "raw", settings=RawSettings())
    yield opened
    assert opened.fsck().findings == ()
    opened.close()


def pixels(count: int) -> bytes:
    """16-bit values around 1,000 with noise, as of a scanner."""
    chance = random.Random(7)
    return array.array("H", (int(chance.gauss(1_000, 12)) for _ in range(count))).tobytes()


def objects(store: RawFolder) -> int:
    return len(list(store._parts.large.place.names()))


def test_the_defaults_and_their_limit() -> None:
    assert RawSettings().inline_limit_bytes == INLINE_ON_FOLDER_BYTES == 1024 * 1024
    beside = RawSettings(objects_url="s3://bucket")
    assert beside.inline_limit_bytes == INLINE_BESIDE_BUCKET_BYTES == 64 * 1024
    assert RawSettings(inline_bytes=0).inline_limit_bytes == 0
    assert RawSettings(inline_bytes=INLINE_BYTES.value).inline_limit_bytes == INLINE_BYTES.value
    with pytest.raises(LimitExceeded):
        RawSettings(inline_bytes=INLINE_BYTES.value + 1)


@pytest.mark.parametrize("size_bytes", [PREPARED_FROM_BYTES, PREPARED_FROM_BYTES + 1, INLINE_ON_FOLDER_BYTES])
async def test_a_body_up_to_the_limit_lies_in_a_segment(store: RawFolder, size_bytes: int) -> None:
    for body in (noise(size_bytes), (b"pixel" * size_bytes)[:size_bytes]):
        kept = await store.keep(received(body))
        assert (kept.digest, kept.size_bytes, kept.known) == (digest_of(body), size_bytes, False)
        assert (await store.keep(received(body))).known
        assert store.keep_all([received(body)])[0].known
        assert store.keep_stream([body[:10], body[10:]], received(b"")).known
        assert store.read(kept.digest) == b"".join(store.read_stream(kept.digest)) == body
    assert objects(store) == 0
    assert (await store.keep(received(noise(INLINE_ON_FOLDER_BYTES + 1)))).size_bytes == INLINE_ON_FOLDER_BYTES + 1
    assert objects(store) == 1


async def test_bodies_brought_at_once_are_kept_once_each(store: RawFolder) -> None:
    bodies = [noise(200_000) for _ in range(6)]
    kept = await asyncio.gather(*(store.keep(received(body)) for body in bodies * 3))
    assert sorted({one.sequence for one in kept}) == [1, 2, 3, 4, 5, 6]
    assert sum(not one.known for one in kept) == 6
    assert store.size() == 6 * 200_000


def test_what_one_write_could_not_hold_goes_into_objects(store: RawFolder) -> None:
    wide = [received(noise(900_000)) for _ in range(GROUP_BYTES.value // 900_000 + 1)]
    kept = store.keep_all([*wide, received(b"small")])
    assert objects(store) == len(wide)
    assert [store.read(one.digest) for one in kept] == [*(one.body for one in wide), b"small"]


def test_a_large_body_among_others_is_erased_and_the_others_stay(store: RawFolder, tmp_path: Path) -> None:
    bodies = [noise(300_000) for _ in range(5)]
    kept = store.keep_all([received(body) for body in bodies])
    store.erase([kept[2].digest])
    with pytest.raises(RawErased):
        store.read(kept[2].digest)
    with pytest.raises(RawErased):
        store.keep_all([received(bodies[2])])
    reader = open_raw_reader(tmp_path / "raw", RING, RawSettings())
    for number in (0, 1, 3, 4):
        assert reader.read(kept[number].digest) == bodies[number]
    reader.close()
    assert sum(map(len, files(tmp_path / "raw" / "segments").values())) < 4 * 300_000 + 10_000


def test_segments_roll_and_an_index_is_made_again_of_them(tmp_path: Path) -> None:
    settings = RawSettings(segment_bytes=1_000_000)
    store = open_store(tmp_path, settings=settings)
    bodies = [noise(400_000) for _ in range(9)]
    kept = [store.keep_all([received(body)])[0] for body in bodies]
    assert len(list((tmp_path / "segments").iterdir())) == 3
    store.close()
    (tmp_path / "index.db").unlink()
    store = open_store(tmp_path, settings=settings)
    assert [store.read(one.digest) for one in kept] == bodies
    assert store.fsck().findings == ()
    store.close()


def test_objects_of_a_store_with_another_limit_are_read(tmp_path: Path) -> None:
    body = noise(500_000)
    store = open_store(tmp_path, settings=RawSettings(inline_bytes=64 * 1024))
    kept = store.keep_all([received(body)])[0]
    store.close()
    store = open_store(tmp_path, settings=RawSettings())
    assert store.read(kept.digest) == body
    assert store.keep_all([received(body)])[0].known
    assert objects(store) == 1
    store.close()


def test_noise_is_coded_and_text_is_searched() -> None:
    image, text = pixels(150_000), b"".join(b"OBX|%d|NM|8480-6^Systolic||%d\r" % (n, n % 90) for n in range(20_000))
    assert raw_packing._is_noise(image)
    assert not raw_packing._is_noise(image[: SAMPLED_FROM_BYTES - 1])
    assert not raw_packing._is_noise(text)
    for body in (image, text, bytes(300_000), b"x" * 200, noise(300_000)):
        packed, smaller = pack(body)
        assert (unpack(packed, len(body)) if smaller else packed) == body
    assert len(pack(image)[0]) < 0.7 * len(image)
    assert len(pack(text)[0]) < 0.2 * len(text)
    assert pack(noise(300_000))[1] is False
