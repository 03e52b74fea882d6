"""Whose folder it is, under which key, and in which version: a wrong answer is a named refusal."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from tests.unit.stores_raw.kit import NEXT, RING, SMALL, files, noise, open_store

from xinglin.intake.errors import RawDamaged
from xinglin.stores.raw_errors import RawBusy, RawClosed, RawForeign, RawTooNew, RawUnavailable, RawWrongKey
from xinglin.stores.raw_model import Kek, KeyRing, RawSettings
from xinglin.stores.raw_store import open_raw_reader, open_raw_store
from xinglin.testing.raw_contract import received


def test_a_key_of_the_same_name_and_other_bytes_is_refused(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    with pytest.raises(RawWrongKey, match="kek-1"):
        open_store(tmp_path, KeyRing(Kek("kek-1", b"9" * 32)))


def test_a_folder_of_another_key_is_refused_by_name(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    with pytest.raises(RawWrongKey, match="kek-1"):
        open_store(tmp_path, KeyRing(Kek("kek-2", b"2" * 32)))
    with pytest.raises(RawWrongKey):
        open_raw_reader(tmp_path, KeyRing(Kek("kek-2", b"2" * 32)))


def test_a_folder_of_another_tenant_is_refused_even_under_the_same_key(tmp_path: Path) -> None:
    open_raw_store(tmp_path, RING, RawSettings(tenant="clinic-a")).close()
    with pytest.raises(RawForeign):
        open_raw_store(tmp_path, RING, RawSettings(tenant="clinic-b"))
    with sqlite3.connect(tmp_path / "keys.db") as connection:
        connection.execute("UPDATE meta SET value = 'clinic-b' WHERE name = 'tenant'")
    with pytest.raises(RawWrongKey):
        open_raw_store(tmp_path, RING, RawSettings(tenant="clinic-b"))


def test_segments_of_another_tenant_are_not_read(tmp_path: Path) -> None:
    """Even when the keys' numbers and the key-encrypting key are the same."""
    kept = []
    for name in ("a", "b"):
        store = open_store(tmp_path / name, settings=RawSettings(tenant=name))
        kept.append(store.keep_all([received(b"patient of " + name.encode())])[0])
        store.close()
    for path in (tmp_path / "a/segments").iterdir():
        assert (tmp_path / "b/segments" / path.name).exists()
        shutil.copy(path, tmp_path / "b/segments")
    store = open_store(tmp_path / "b", settings=RawSettings(tenant="b"))
    with pytest.raises(RawDamaged):
        store.read(kept[1].digest)
    assert {"raw.segment_head", "raw.record_damaged"} <= {finding.code for finding in store.fsck().findings}
    store.close()


def test_wrapped_keys_cannot_be_exchanged(tmp_path: Path) -> None:
    store = open_store(tmp_path, settings=RawSettings(segment_bytes=100))
    first = store.keep_all([received(b"1")])[0]
    second = store.keep_all([received(b"2")])[0]
    store.close()
    with sqlite3.connect(tmp_path / "keys.db") as connection:
        used = [int(path.stem, 16) for path in sorted((tmp_path / "segments").iterdir())]
        wrapped = [connection.execute("SELECT wrapped FROM key WHERE id = ?", (each,)).fetchone()[0] for each in used]
        for each, other in zip(used, reversed(wrapped), strict=True):
            connection.execute("UPDATE key SET wrapped = ? WHERE id = ?", (other, each))
    store = open_store(tmp_path)
    for kept in (first, second):
        with pytest.raises(RawDamaged):
            store.read(kept.digest)
    assert [finding.code for finding in store.fsck().findings].count("raw.key_damaged") == 2
    with pytest.raises(RawDamaged):
        store.erase([first.digest])
    assert store._parts.keys.erasures() == []
    store.close()


def test_rotation_by_handing_in_the_next_key(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    kept = store.keep_all([received(b"old"), received(noise(9_000))])
    reader = open_raw_reader(tmp_path, RING)
    store.close()
    store = open_store(tmp_path, NEXT)
    kept += store.keep_all([received(b"new")])
    assert store._parts.keys.keks() == ["kek-1", "kek-2"]
    count = store.rotate(NEXT)
    assert count >= 3
    assert store.rotate(NEXT) == 0
    kept += store.keep_all([received(b"after"), received(noise(9_001))])
    with pytest.raises(RawWrongKey, match="kek-2"):
        reader.read(kept[0].digest)
    reader.close()
    store.close()
    store = open_store(tmp_path, KeyRing(NEXT.current))
    assert store._parts.keys.keks() == ["kek-2"]
    for each in kept:
        assert len(store.read(each.digest)) == each.size_bytes
    assert store.fsck().findings == ()
    store.close()


def test_a_rotation_without_the_old_key_changes_nothing(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    kept = store.keep_all([received(b"old")])[0]
    before = files(tmp_path)["keys.db"]
    with pytest.raises(RawWrongKey):
        store.rotate(KeyRing(NEXT.current))
    assert files(tmp_path)["keys.db"] == before
    assert store.read(kept.digest) == b"old"
    store.close()


@pytest.mark.parametrize("name", ["keys.db", "index.db"])
def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path, name: str) -> None:
    store = open_store(tmp_path)
    store.keep_all([received(b"1")])
    store.close()
    with sqlite3.connect(tmp_path / name) as connection:
        connection.execute("UPDATE meta SET value = 2 WHERE name = 'schema'")
    for _ in range(2):
        with pytest.raises(RawTooNew, match="newer version"):
            open_store(tmp_path)


def test_a_newer_suite_is_refused(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    with sqlite3.connect(tmp_path / "keys.db") as connection:
        connection.execute("UPDATE meta SET value = 'sm4-gcm/1' WHERE name = 'suite'")
    with pytest.raises(RawTooNew):
        open_store(tmp_path)


def test_one_process_writes(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    with pytest.raises(RawBusy):
        open_store(tmp_path)
    store.close()
    open_store(tmp_path).close()


def test_an_older_copy_of_the_key_table_makes_no_number_twice(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    first = store.keep_all([received(b"first")])[0]
    store.close()
    shutil.copy(tmp_path / "keys.db", tmp_path / "older")
    for number in range(3):
        store = open_store(tmp_path)
        store.keep_all([received(b"%d" % number)])
        store.close()
    shutil.move(tmp_path / "older", tmp_path / "keys.db")
    store = open_store(tmp_path)
    assert store.read(first.digest) == b"first"
    assert [finding.code for finding in store.fsck().findings].count("raw.key_missing") == 3
    kept = store.keep_all([received(b"new")])[0]
    assert store.read(kept.digest) == b"new"
    assert kept.sequence == 5
    store.close()


def test_a_key_has_a_name_and_32_bytes_and_shows_neither_key_nor_credentials() -> None:
    for name, key in (("", b"1" * 32), ("k", b"1" * 31), ("k", b"1" * 33)):
        with pytest.raises(ValueError, match="32 bytes"):
            Kek(name, key)
    assert "111" not in repr(RING)
    assert "hunter2" not in repr(RawSettings(objects_options={"secret_access_key": "hunter2"}))


def test_a_reader_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(RawUnavailable):
        open_raw_reader(tmp_path, RING)


async def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    kept = store.keep_all([received(b"1")])[0]
    store.close()
    for call in (lambda: store.read(kept.digest), lambda: store.keep_all([received(b"2")]), store.count):
        with pytest.raises(RawClosed):
            call()
    for size_bytes in (1, SMALL.inline_bytes + 1):
        with pytest.raises(RawClosed):
            await store.keep(received(b"2" * size_bytes))
