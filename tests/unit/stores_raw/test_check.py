"""The check finds what was done to the files, and the repair mends what can be."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.stores_raw.kit import noise, open_store

from xinglin.intake.errors import RawDamaged, RawErased
from xinglin.intake.ports import Kept
from xinglin.stores.raw_model import RawSettings
from xinglin.testing.raw_contract import received

TINY = RawSettings(inline_bytes=4_096, segment_bytes=1_500)


@pytest.fixture
def stored(tmp_path: Path) -> tuple[Path, list[Kept]]:
    """Thirty objects in several segments, the tenth and twentieth of them large."""
    folder = tmp_path / "raw"
    store = open_store(folder, settings=TINY)
    kept = []
    for number in range(1, 31):
        body = noise(5_000) if number % 10 == 0 else b"object %d " % number + noise(200)
        kept += store.keep_all([received(body, f"label {number}")])
    store.close()
    return folder, kept


def sql(statement: str, *values: object) -> Callable[[Path], None]:
    def work(folder: Path) -> None:
        with sqlite3.connect(folder / "index.db") as connection:
            assert connection.execute(statement, values).rowcount

    return work


def remove_index(folder: Path) -> None:
    (folder / "index.db").unlink()


def spoil_index(folder: Path) -> None:
    data = bytearray((folder / "index.db").read_bytes())
    data[4_096 * 2 : 4_096 * 4] = b"\xa5" * 8_192
    (folder / "index.db").write_bytes(bytes(data))


def no_database(folder: Path) -> None:
    (folder / "index.db").write_bytes(b"no database at all" * 500)


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (sql("DELETE FROM object WHERE sequence BETWEEN 3 AND 12"), "raw.not_indexed"),
        (sql("UPDATE object SET offset = offset + 1 WHERE sequence = 4"), "raw.index_wrong"),
        (sql("UPDATE object SET source = 'else' WHERE sequence = 4"), "raw.index_wrong"),
        (sql("UPDATE object SET received_at = 5 WHERE sequence = 30"), "raw.index_wrong"),
        (sql("UPDATE object SET sealed = zeroblob(60) WHERE sequence = 7"), "raw.index_wrong"),
        (sql("UPDATE object SET mark = zeroblob(32) WHERE sequence = 7"), "raw.not_indexed"),
        (sql("UPDATE object SET sequence = 777 WHERE sequence = 7"), "raw.index_wrong"),
        (sql("UPDATE object SET segment = 999 WHERE sequence = 10"), "raw.segment_missing"),
        (sql("UPDATE object SET large = 0 WHERE sequence = 10"), "raw.orphan_object"),
        (sql("UPDATE meta SET value = 5 WHERE name = 'count'"), "raw.index_damaged"),
        (sql("DELETE FROM segment"), ""),
        (remove_index, ""),
        (no_database, ""),
        (spoil_index, ""),
    ],
)
def test_an_index_is_mended_from_the_segments(
    stored: tuple[Path, list[Kept]], damage: Callable[[Path], None], code: str
) -> None:
    folder, kept = stored
    damage(folder)
    store = open_store(folder)
    found = store.fsck().findings
    assert code in {finding.code for finding in found} or not code
    assert not any(finding.repaired for finding in found)
    store.fsck(repair=True)
    assert store.fsck().findings == ()
    assert [(each.digest, each.label) for each in store.after(0, 99)] == [(each.digest, each.label) for each in kept]
    assert store.count() == 30
    assert all(len(store.read(each.digest)) == each.size_bytes for each in kept)
    assert store.keep_all([received(b"next")])[0].sequence > 30
    store.close()


def segments(folder: Path) -> list[Path]:
    return sorted((folder / "segments").iterdir())


def objects(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.obj"))


def flip(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 4
    path.write_bytes(bytes(data))


def key_gone(path: Path) -> None:
    with sqlite3.connect(path.parents[1] / "keys.db") as connection:
        connection.execute("DELETE FROM key WHERE id = ?", (int(path.stem, 16),))


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lambda folder: flip(segments(folder)[1], 200), "raw.record_damaged"),
        (lambda folder: flip(segments(folder)[1], 20), "raw.segment_head"),
        (lambda folder: segments(folder)[1].unlink(), "raw.segment_missing"),
        (lambda folder: segments(folder)[1].write_bytes(segments(folder)[1].read_bytes()[:-30]), "raw.segment_cut"),
        (lambda folder: key_gone(segments(folder)[1]), "raw.key_missing"),
        (lambda folder: flip(objects(folder)[0], 2_000), "raw.object_damaged"),
        (lambda folder: objects(folder)[0].unlink(), "raw.object_missing"),
        (lambda folder: shutil.copy(objects(folder)[0], objects(folder)[1]), "raw.object_damaged"),
    ],
)
def test_what_cannot_be_mended_is_told_and_stays_told(
    stored: tuple[Path, list[Kept]], damage: Callable[[Path], None], code: str
) -> None:
    folder, kept = stored
    damage(folder)
    for repair in (False, True, False):
        store = open_store(folder)
        report = store.fsck(repair)
        assert code in {finding.code for finding in report.findings}
        assert not report.clean
        lost = 0
        for each in kept:
            try:
                assert len(store.read(each.digest)) == each.size_bytes
            except RawDamaged:
                lost += 1
        # A head is not needed for reading, and a large object is read without its record.
        assert lost or code in ("raw.segment_head", "raw.segment_cut")
        assert lost < 25
        store.close()


def test_bytes_after_a_segment_and_files_of_nobody(stored: tuple[Path, list[Kept]]) -> None:
    folder, _ = stored
    store = open_store(folder)
    with segments(folder)[0].open("ab") as file:
        file.write(b"noise")
    (objects(folder)[0].parent / "0000000000000123.tmp").write_bytes(b"half")
    (objects(folder)[0].parent / f"{900:016x}.obj").write_bytes(b"no key")
    numbered = objects(folder)[0].parent / segments(folder)[0].with_suffix(".obj").name
    numbered.write_bytes(b"a segment's number")
    (objects(folder)[0].parent / "hello.obj").write_bytes(b"hello")
    codes = [finding.code for finding in store.fsck().findings]
    assert sorted(codes) == ["raw.leftover", "raw.leftover", "raw.leftover", "raw.orphan_object", "raw.torn_end"]
    store.fsck(repair=True)
    store.close()
    (objects(folder)[0].parent / "hello.obj").unlink()
    numbered.unlink()
    store = open_store(folder)
    assert store.fsck().findings == ()
    store.close()


def test_an_orphan_object_is_kept_unless_it_is_known_or_erased(stored: tuple[Path, list[Kept]]) -> None:
    """As after a crash between an object's file and its record."""
    folder, _ = stored
    store = open_store(folder)
    bodies = [noise(5_000) for _ in range(3)]
    with pytest.MonkeyPatch.context() as monkey:
        monkey.setattr(store, "_settle", lambda items: [])
        for body in bodies:
            with pytest.raises(IndexError):
                store.keep_stream([body], received(b"", "orphan"))
    store.close()
    store = open_store(folder)
    known = store.keep_all([received(bodies[1])])[0]
    lost = store.keep_all([received(bodies[2])])[0]
    store.erase([lost.digest])
    assert [finding.code for finding in store.fsck().findings] == ["raw.orphan_object"] * 3
    assert store.fsck(repair=True).clean
    assert store.fsck().findings == ()
    assert [each.sequence for each in store.after(30, 9)] == [known.sequence, known.sequence + 2]
    assert store.read(store.after(known.sequence, 1)[0].digest) == bodies[0]
    with pytest.raises(RawErased):
        store.read(lost.digest)
    store.close()


def test_keys_of_nothing_are_destroyed(stored: tuple[Path, list[Kept]]) -> None:
    folder, kept = stored
    store = open_store(folder)
    store._parts.keys.take()
    store._parts.keys._reserve.clear()  # as a process that was killed leaves it
    codes = {finding.code for finding in store.fsck(repair=True).findings}
    assert codes == {"raw.spare_key"}
    assert store.fsck().findings == ()
    assert all(store.read(each.digest) for each in kept)
    store.close()


async def test_a_check_beside_running_keeps_finds_nothing(tmp_path: Path) -> None:
    import asyncio

    store = open_store(tmp_path, settings=TINY)
    ended = False

    async def busy() -> None:
        while not ended:
            await asyncio.gather(*(store.keep(received(noise(size))) for size in (100, 200, 5_000)))

    task = asyncio.create_task(busy())
    for checks in range(500):
        report = await asyncio.to_thread(store.fsck, bool(checks % 2))
        assert report.findings == ()
        if checks >= 10 and report.records > 10 and report.objects > 3:
            break
    ended = True
    await task
    assert report.records > 10
    assert report.objects > 3
    store.close()


def test_a_damaged_end_is_not_taken_for_a_torn_one(stored: tuple[Path, list[Kept]]) -> None:
    """Without an index the end of an older segment that cannot be read is damage, and stays to be restored."""
    folder, _ = stored
    (folder / "index.db").unlink()
    path = segments(folder)[1]
    flip(path, path.stat().st_size - 20)
    before = path.read_bytes()
    for _ in range(2):
        store = open_store(folder)
        assert "raw.record_damaged" in {finding.code for finding in store.fsck().findings}
        assert path.read_bytes() == before
        store.close()
