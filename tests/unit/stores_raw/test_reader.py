"""A process that only reads, beside the one that writes."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from tests.unit.stores_raw.kit import RING, SMALL, files, noise, open_store

from xinglin.intake.errors import RawDamaged, RawMissing
from xinglin.stores.raw_store import open_raw_reader
from xinglin.testing.raw_contract import digest_of, received


def test_a_reader_sees_what_was_acknowledged_and_writes_nothing(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.keep_all([received(b"1")])
    reader = open_raw_reader(tmp_path, RING, SMALL)
    before = files(tmp_path)
    for body in (b"2", noise(9_000)):
        assert reader.find(digest_of(body)) is None
        with pytest.raises(RawMissing):
            reader.read(digest_of(body))
    assert {name: data for name, data in files(tmp_path).items() if "-shm" not in name} == {
        name: data for name, data in before.items() if "-shm" not in name
    }
    for number, body in enumerate((b"2", noise(9_000)), 2):
        store.keep_all([received(body)])
        assert reader.read(digest_of(body)) == body
        assert reader.after(number - 1, 9)[0].digest == digest_of(body)
    assert (reader.count(), reader.size()) == (3, 9_002)
    reader.close()
    store.close()


def test_a_reader_follows_an_index_that_was_made_anew(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.keep_all([received(b"1")])
    reader = open_raw_reader(tmp_path, RING, SMALL)
    with sqlite3.connect(tmp_path / "index.db") as connection:
        connection.execute("UPDATE meta SET value = 77 WHERE name = 'count'")
    assert reader.count() == 77
    assert store.fsck(repair=True).clean
    kept = store.keep_all([received(b"2")])[0]
    assert reader.count() == 2
    assert reader.read(kept.digest) == b"2"
    reader.close()
    store.close()


def test_an_altered_row_is_not_listed(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.keep_all([received(b"%d" % n, "label") for n in range(3)])
    with sqlite3.connect(tmp_path / "index.db") as connection:
        connection.execute("UPDATE object SET source = 'lis' WHERE sequence = 2")
    with pytest.raises(RawDamaged, match="2"):
        store.after(0, 9)
    assert store.after(2, 9)[0].sequence == 3
    store.fsck(repair=True)
    assert [kept.source for kept in store.after(0, 9)] == ["his"] * 3
    store.close()


def test_nothing_readable_lies_on_the_disk(tmp_path: Path) -> None:
    """Not the text, not the label, not the digest, not a mark of another store."""
    store = open_store(tmp_path / "a")
    body = b"Dong Feng, 42, pneumonia"
    kept = store.keep_all([received(body, "label of Dong Feng"), received(body + noise(9_000), "another label")])
    other = open_store(tmp_path / "b")
    mark = other._parts.keys.mark(bytes.fromhex(kept[0].digest))
    assert mark != store._parts.keys.mark(bytes.fromhex(kept[0].digest))
    other.close()
    for _ in range(2):
        for name, data in files(tmp_path / "a").items():
            for needle in (b"Dong Feng", b"label", bytes.fromhex(kept[0].digest), kept[0].digest.encode(), mark):
                assert needle not in data, name
        store.close()
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "a").rglob("*"))


def test_what_is_shown_of_values_names_no_patient() -> None:
    one = received(b"Dong Feng", "label of Dong Feng")
    assert "Dong" not in repr(one)
