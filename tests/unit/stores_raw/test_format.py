"""Bytes on the disk: what was moved, repeated, exchanged, cut or is of a newer version is not taken for another."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterable

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from tests.unit.stores_raw.kit import noise

from xinglin.intake.errors import RawDamaged
from xinglin.kernel.errors import LimitExceeded
from xinglin.stores import raw_format
from xinglin.stores.raw_errors import RawTooNew
from xinglin.stores.raw_format import (
    HEAD_BYTES,
    OBJECT_HEAD_BYTES,
    OBJECT_MAGIC,
    SEGMENT_MAGIC,
    Description,
    Gap,
    ObjectOpener,
    Record,
    Sealer,
    check_head,
    head,
    rechunk,
    seal_object,
)
from xinglin.stores.raw_model import CHUNK_BYTES

CIPHER, STORE = AESGCM(b"k" * 32), b"s" * 16


def about(sequence: int, body: bytes) -> Description:
    digest = hashlib.sha256(body).digest()
    return Description(sequence, digest, "his", "text/plain", 5, "inpatient", "label", len(body))


def segment(count: int, sealer: Sealer | None = None) -> list[bytes]:
    sealer = sealer or Sealer(CIPHER, STORE, 7)
    return [sealer.seal(n, about(n, b"%d" % n), b"%d" % n, b"%012d" % n) for n in range(count)]


def scan(data: bytes) -> list[Record | Gap]:
    return list(Sealer(CIPHER, STORE, 7).scan(data, 0))


def test_records_are_found_in_order_and_a_damaged_one_is_a_gap() -> None:
    records = segment(5)
    assert [one.body() for one in scan(b"".join(records)) if isinstance(one, Record)] == [b"0", b"1", b"2", b"3", b"4"]
    for position in range(len(records[2])):
        changed = bytearray(records[2])
        changed[position] ^= 0x40
        found = scan(b"".join([*records[:2], changed, *records[3:]]))
        assert [one.ordinal for one in found if isinstance(one, Record)] == [0, 1, 3, 4]
        gaps = [one for one in found if isinstance(one, Gap)]
        assert gaps == [Gap(sum(map(len, records[:2])), sum(map(len, records[:3])), last=False)]


@pytest.mark.parametrize("position", range(1, 100, 7))
def test_a_torn_end_is_the_last_gap(position: int) -> None:
    records = segment(3)
    found = scan(b"".join(records)[:-position])
    assert [one.ordinal for one in found if isinstance(one, Record)] == [0, 1]
    assert isinstance(found[-1], Gap)
    assert found[-1].last


def test_a_record_of_another_segment_or_store_is_none() -> None:
    for sealer in (Sealer(CIPHER, STORE, 8), Sealer(CIPHER, b"t" * 16, 7), Sealer(AESGCM(b"l" * 32), STORE, 7)):
        assert all(isinstance(one, Gap) for one in scan(b"".join(segment(3, sealer))))


def test_an_ordinal_cannot_be_changed() -> None:
    record = bytearray(segment(1)[0])
    record[8:12] = struct.pack(">I", 3)
    record[12:16] = struct.pack(">I", zlib.crc32(bytes(record[:12])))
    assert isinstance(scan(bytes(record))[0], Gap)


def test_a_newer_head_is_refused_and_a_damaged_one_is_damaged() -> None:
    whole = head(SEGMENT_MAGIC, 7, STORE)
    check_head(whole, SEGMENT_MAGIC, 7, STORE)
    for position in range(HEAD_BYTES):
        changed = bytearray(whole)
        changed[position] ^= 1
        with pytest.raises(RawDamaged):
            check_head(bytes(changed), SEGMENT_MAGIC, 7, STORE)
    newer = whole[:8] + b"\0\2" + whole[10:-4]
    other = whole[:10] + b"sm4-gcm/1".ljust(16, b"\0") + whole[26:-4]
    for changed in (newer, other):
        with pytest.raises(RawTooNew):
            check_head(changed + struct.pack(">I", zlib.crc32(changed)), SEGMENT_MAGIC, 7, STORE)
    for magic, key_id, store in ((OBJECT_MAGIC, 7, STORE), (SEGMENT_MAGIC, 8, STORE), (SEGMENT_MAGIC, 7, b"t" * 16)):
        with pytest.raises(RawDamaged):
            check_head(whole, magic, key_id, store)


def sealed(body: bytes, key_id: int = 9) -> list[bytes]:
    """Head and frames of an object."""
    return list(seal_object([body], CIPHER, key_id, STORE, lambda digest, size: about(0, body)))


def opened(pieces: Iterable[bytes], key_id: int = 9) -> bytes:
    return b"".join(ObjectOpener(CIPHER, key_id, STORE).chunks(pieces))


@pytest.mark.parametrize("size_bytes", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
def test_objects_of_any_length(size_bytes: int) -> None:
    for body in (noise(size_bytes), bytes(size_bytes)):
        data = b"".join(sealed(body))
        assert opened([data]) == body
        assert opened(rechunk([data], 1_000)) == body
    assert len(data) < 1_000 + size_bytes // 100


def test_an_object_cut_at_a_frame_or_anywhere_is_damaged() -> None:
    frames = sealed(noise(2 * CHUNK_BYTES + 5))
    assert len(frames) == 5
    for count in range(len(frames)):
        with pytest.raises(RawDamaged):
            opened(frames[:count])
    for cut in (1, 3, 5, 20):
        with pytest.raises(RawDamaged):
            opened([b"".join(frames)[:-cut]])
    with pytest.raises(RawDamaged):
        opened([*frames, b"\0"])


def test_frames_cannot_be_exchanged_repeated_or_left_out() -> None:
    first, *frames = sealed(noise(3 * CHUNK_BYTES))
    one, two, three, last = frames
    wrong = ([two, one, three, last], [one, one, two, three, last], [one, three, last], [last], [one, two, last, three])
    for order in wrong:
        with pytest.raises(RawDamaged):
            opened([first, *order])
    other_first, *_ = sealed(noise(3 * CHUNK_BYTES))
    with pytest.raises(RawDamaged):
        opened([other_first, *frames])
    with pytest.raises(RawDamaged):
        opened([first, *frames], key_id=10)


def test_a_chunk_size_is_bound() -> None:
    first, *frames = sealed(b"abc")
    changed = bytearray(first)
    changed[HEAD_BYTES] ^= 0xFF
    assert len(first) == OBJECT_HEAD_BYTES
    with pytest.raises(RawDamaged):
        opened([bytes(changed), *frames])


def test_an_object_longer_than_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from msgspec.structs import replace

    monkeypatch.setattr(raw_format, "OBJECT_BYTES", replace(raw_format.OBJECT_BYTES, value=3_000))
    assert opened(sealed(bytes(3_000))) == bytes(3_000)
    with pytest.raises(LimitExceeded):
        sealed(bytes(3_001))
