"""After an erasure no byte of the folder says anything of what was erased: no text, no key, no name."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from pathlib import Path

import pytest
from tests.unit.stores_raw.kit import NEXT, RING, files, noise, open_store

from xinglin.intake.errors import RawDamaged, RawErased, RawMissing
from xinglin.stores.raw_model import KeyRing, RawSettings
from xinglin.stores.raw_store import RawFolder, open_raw_reader
from xinglin.testing.raw_contract import digest_of, received

PLAIN = b"PID|1||QING-DYNASTY-0042||Dong^Feng"


def keys_of(folder: Path) -> dict[int, bytes]:
    """Wrapped data keys by number."""
    with sqlite3.connect(folder / "keys.db") as connection:
        return dict(connection.execute("SELECT id, wrapped FROM key WHERE kind = 'data'"))


def assert_nowhere(folder: Path, needles: dict[str, bytes]) -> None:
    for name, data in files(folder).items():
        for what, needle in needles.items():
            assert needle not in data, f"{what} stands in {name}"


def data_keys(store: RawFolder, monkeypatch: pytest.MonkeyPatch) -> dict[int, bytes]:
    """The data keys in clear, as the store unwraps them."""
    table = store._parts.keys
    return {number: table._unwrap(number, "data") for number in keys_of(store._parts.folder)}


@pytest.mark.parametrize("size_bytes", [0, 9_000])
def test_no_byte_of_text_key_or_name_is_left(tmp_path: Path, size_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "raw"
    store = open_store(folder)
    body = PLAIN + noise(size_bytes)
    others = [store.keep_all([received(b"other %d" % n, f"label {n}")])[0] for n in range(20)]
    kept = store.keep_all([received(body, "Dong Feng.pdf")])[0]
    plain, wrapped = data_keys(store, monkeypatch), keys_of(folder)
    mark = store._parts.keys.mark(hashlib.sha256(body).digest())
    assert any(mark in data for data in files(folder).values())
    store.erase([kept.digest])
    gone = set(wrapped) - set(keys_of(folder))
    assert gone
    needles = {"text": PLAIN, "label": b"Dong Feng", "digest": bytes.fromhex(kept.digest)}
    needles |= {"digest in text": kept.digest.encode()}
    needles |= {f"wrapped key {number}": wrapped[number] for number in gone}
    needles |= {f"half of wrapped key {number}": wrapped[number][12:44] for number in gone}
    needles |= {f"data key {number}": plain[number] for number in gone}
    assert_nowhere(folder, needles)
    assert not list((folder / "objects").rglob("*.obj")) or not size_bytes
    store.close()
    assert_nowhere(folder, needles)
    # The mark stands as a tombstone, and only there.
    assert [name for name, data in files(folder).items() if mark in data] == ["keys.db"]
    store = open_store(folder)
    assert [each.digest for each in store.after(0, 99)] == [each.digest for each in others]
    assert store.fsck().findings == ()
    store.close()


def test_a_copy_of_the_files_made_before_cannot_be_read_with_the_keys_of_today(tmp_path: Path) -> None:
    folder, copy = tmp_path / "raw", tmp_path / "copy"
    store = open_store(folder)
    small, large = store.keep_all([received(PLAIN), received(noise(9_000))])
    store.close()
    shutil.copytree(folder, copy)
    store = open_store(folder)
    store.erase([small.digest, large.digest])
    store.close()
    for name in ("keys.db", "keys.db-wal"):
        (copy / name).unlink(missing_ok=True)
    shutil.copy(folder / "keys.db", copy)
    restored = open_store(copy)
    for kept in (small, large):
        with pytest.raises(RawErased):
            restored.read(kept.digest)
    (copy / "index.db").unlink()
    restored.close()
    codes = {finding.code for finding in open_store(copy).findings}
    assert codes == {"raw.segment_closed"}


def test_an_old_copy_of_the_key_table_is_useless_after_a_rotation(tmp_path: Path) -> None:
    """It still opens what was erased while the old key-encrypting key is there: that is why one rotates."""
    folder, copy = tmp_path / "raw", tmp_path / "copy"
    store = open_store(folder)
    kept = store.keep_all([received(PLAIN)])[0]
    store.close()
    shutil.copytree(folder, copy)
    before = keys_of(folder)
    store = open_store(folder, NEXT)
    store.erase([kept.digest])
    store.rotate(NEXT)
    store.close()
    assert_nowhere(folder, {f"key {number}": wrapped for number, wrapped in before.items()})
    old = open_store(copy)
    assert old.read(kept.digest) == PLAIN
    old.close()
    with pytest.raises(Exception, match="kek-1"):
        open_store(copy, KeyRing(NEXT.current))


def test_a_segment_that_comes_back_with_its_key_is_erased_again(tmp_path: Path) -> None:
    """Only the segments are put back, and the old key table's line with them: the tombstone still holds."""
    folder, copy = tmp_path / "raw", tmp_path / "copy"
    store = open_store(folder)
    kept, other = store.keep_all([received(PLAIN), received(b"other")])
    store.close()
    shutil.copytree(folder, copy)
    store = open_store(folder)
    store.erase([kept.digest])
    store.close()
    with sqlite3.connect(folder / "keys.db") as connection:
        rows = sqlite3.connect(copy / "keys.db").execute("SELECT * FROM key WHERE kind = 'data'").fetchall()
        connection.executemany("INSERT OR IGNORE INTO key VALUES (?, ?, ?, ?)", rows)
    for path in (copy / "segments").iterdir():
        shutil.copy(path, folder / "segments")
    store = open_store(folder)
    assert "raw.erased_record" in {finding.code for finding in store.findings}
    with pytest.raises(RawErased):
        store.read(kept.digest)
    assert store.read(other.digest) == b"other"
    assert store.fsck(repair=True).clean
    assert store.fsck().findings == ()
    store.close()
    assert_nowhere(folder, {"wrapped key": keys_of(copy)[rows[0][0]]})


def test_damage_beside_the_erased_is_told_for_ever(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    kept = store.keep_all([received(b"object %d" % n) for n in range(5)])
    place = store._parts.index.find([store._parts.keys.mark(bytes.fromhex(kept[2].digest))])
    entry = next(iter(place.values()))
    path = store._parts.path(entry.segment)
    data = bytearray(path.read_bytes())
    data[entry.offset + 40] ^= 1
    path.write_bytes(bytes(data))
    store.erase([kept[0].digest])
    with pytest.raises(RawDamaged):
        store.read(kept[2].digest)
    assert store.read(kept[3].digest) == b"object 3"
    findings = store.fsck().findings
    assert ("raw.lost", "3") in {(finding.code, finding.place) for finding in findings}
    store.close()


def test_erasing_does_not_stop_keeping_or_reading(tmp_path: Path) -> None:
    store = open_store(tmp_path, settings=RawSettings(segment_bytes=3_000))
    kept = store.keep_all([received(b"%d" % n * 50) for n in range(50)])
    during = []

    def busy(name: str) -> None:
        during.append(store.keep_all([received(b"during " + os.urandom(8))])[0].digest)
        assert store.read(kept[1].digest) == b"1" * 50
        assert len(store.after(0, 1_000)) >= 49

    store._step = busy
    store.erase([kept[0].digest])
    assert len(during) > 4
    assert all(store.find(digest) for digest in during)
    assert store.fsck().findings == ()
    store.close()


def test_a_reader_of_another_process_sees_an_erasure_at_once(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    kept, other = store.keep_all([received(PLAIN), received(b"other")])
    reader = open_raw_reader(tmp_path, RING)
    assert reader.read(kept.digest) == PLAIN
    store.erase([kept.digest])
    with pytest.raises(RawErased):
        reader.read(kept.digest)
    assert [each.digest for each in reader.after(0, 9)] == [other.digest]
    assert reader.read(other.digest) == b"other"
    with pytest.raises(RawMissing):
        reader.read(digest_of(b"never"))
    reader.close()
    store.close()
