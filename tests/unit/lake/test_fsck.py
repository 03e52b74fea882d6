"""What lies about in a lake is found by kind; what nobody reads is removed; what is missing is said."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.unit.lake.rows import condition

from xinglin.lake import Lake, check_lake, compact, erase_person, repair_lake, vacuum

LEDGER = {1: {"condition": 2, "encounter": 1}, 2: {"condition": 1}}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path / "lake")
    first = {"condition": condition(1, ("c1", "p", "A"), ("c2", "q", "B")), "encounter": condition(1, ("e1", "p", "x"))}
    lake.append_batch(1, first)
    lake.append_batch(2, {"condition": condition(2, ("c3", "p", "C"))})
    return lake


def kinds(lake: Lake, ledger: dict[int, dict[str, int]] | None = None) -> list[tuple[str, str]]:
    return [(finding.table, finding.kind) for finding in check_lake(lake, LEDGER if ledger is None else ledger)]


def file_of(lake: Lake, batch: int) -> Path:
    (path,) = [p for p in lake.path("condition").glob("*.parquet") if f"digest-{batch}-".encode() in p.read_bytes()]
    return path


def test_a_whole_lake_has_no_findings(lake: Lake) -> None:
    assert kinds(lake) == []
    compact(lake, "condition")
    assert kinds(lake) == []
    vacuum(lake, "condition", 0)
    assert kinds(lake) == []


def test_leftovers_of_a_crash_are_removed(lake: Lake) -> None:
    folder = lake.path("condition")
    (folder / "part-00000-of-nobody.zstd.parquet").write_bytes(b"half a file")
    (folder / "_delta_log" / "_commit_0b5c.json.tmp").write_bytes(b"{")
    findings = check_lake(lake, LEDGER)
    assert [finding.kind for finding in findings] == ["orphan_file", "unfinished_commit"]
    assert repair_lake(lake, findings) == findings
    assert kinds(lake) == []
    assert lake.statistics("condition").rows == 3


def test_repair_removes_no_file_of_a_version(lake: Lake) -> None:
    import msgspec

    from xinglin.lake import Finding

    name = file_of(lake, 1).name
    false = [Finding("condition", "orphan_file", name), Finding("condition", "orphan_file", "../encounter/x")]
    false += [msgspec.structs.replace(false[0], what="../../outside")]
    (lake.folder.parent / "outside").write_text("x")
    assert repair_lake(lake, false) == []
    assert kinds(lake) == []
    assert (lake.folder.parent / "outside").exists()


@pytest.mark.parametrize(
    ("damage", "kind"), [("gone", "missing_file"), ("cut", "damaged_file"), ("bent", "damaged_file")]
)
def test_lost_rows_are_named_and_written_again(lake: Lake, damage: str, kind: str) -> None:
    path = file_of(lake, 1)
    whole = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(whole[:-9] if damage == "cut" else whole[:-8] + b"\0" * 8)
    assert kinds(lake) == sorted([("condition", kind), ("condition", "missing_batch")])
    findings = check_lake(lake, LEDGER)
    assert repair_lake(lake, findings) == []
    assert repair_lake(lake, findings, drop_lost=True) == [finding for finding in findings if finding.kind == kind]
    assert kinds(lake) == [("condition", "missing_batch")]
    lake.rewrite_batch(1, {"condition": condition(1, ("c1", "p", "A"), ("c2", "q", "B"))})
    assert kinds(lake) == []
    assert lake.open("condition").to_pyarrow_table().num_rows == 3


def test_batches_are_compared_with_the_ledger(lake: Lake) -> None:
    other = {1: {"condition": 3, "encounter": 1}, 3: {"condition": 4}}
    found = [(f.kind, f.what, f.expected, f.found) for f in check_lake(lake, other)]
    assert found == [("lost_rows", "1", 3, 2), ("missing_batch", "3", 4, 0), ("unknown_batch", "2", 0, 1)]
    assert kinds(lake, {1: {"condition": 1, "encounter": 1}, 2: {"condition": 1}}) == [("condition", "doubled_rows")]
    assert check_lake(lake) == []


def test_erased_rows_are_not_missed(lake: Lake) -> None:
    erased = erase_person(lake, ["p"])
    assert erased.batches == {1: {"condition": 1, "encounter": 1}, 2: {"condition": 1}}
    assert len(check_lake(lake, LEDGER)) == 3
    assert check_lake(lake, LEDGER, erased=erased.batches) == []


def test_logs_with_gaps_and_nonsense_are_unreadable(lake: Lake) -> None:
    log = lake.path("condition") / "_delta_log"
    (log / f"{0:020d}.json").write_text("{nonsense")
    assert ("condition", "unreadable_table") in kinds(lake)
    assert ("encounter", "unreadable_table") not in kinds(lake)


def test_strangers_are_named(lake: Lake, tmp_path: Path) -> None:
    os.symlink("/etc", lake.folder / "death")
    (lake.folder / "notes.txt").write_text("x")
    (lake.folder / "report").mkdir()
    os.symlink("/etc/passwd", lake.path("encounter") / "part-0.parquet")
    found = [(finding.kind, finding.what) for finding in check_lake(lake, LEDGER)]
    assert sorted(found) == [
        ("strange_entry", "death"),
        ("strange_entry", "notes.txt"),
        ("strange_entry", "part-0.parquet"),
    ]
