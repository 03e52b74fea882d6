"""Files are gathered and removed, and whoever pinned a version still reads its rows."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from tests.unit.lake.rows import condition

from xinglin.lake import (
    Lake,
    MaintenancePolicy,
    Snapshot,
    TableMissing,
    checkpoint,
    clean_log,
    compact,
    maintain,
    vacuum,
)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def fill(lake: Lake, first: int, last: int) -> None:
    for batch in range(first, last + 1):
        lake.append_batch(batch, {"condition": condition(batch % 28 + 1, (f"c{batch}", "p", "A"))})


def ids(lake: Lake, snapshot: Snapshot) -> list[str]:
    return sorted(lake.datasets(snapshot)["condition"].to_table().column("id").to_pylist())


def parquet(lake: Lake) -> int:
    return len(list((lake.folder / "condition").glob("*.parquet")))


def test_a_pin_of_before_a_compaction_reads_the_same_rows(lake: Lake) -> None:
    fill(lake, 1, 5)
    pinned = lake.current(["condition"])
    before = ids(lake, pinned)
    fill(lake, 6, 6)
    assert compact(lake, "condition") == 6
    assert lake.statistics("condition").files == 1
    assert lake.statistics("condition").rows == 6
    assert ids(lake, pinned) == before
    assert vacuum(lake, "condition", 0, [pinned])
    assert ids(lake, pinned) == before
    assert len(vacuum(lake, "condition", 0)) == 5
    assert parquet(lake) == 1
    assert ids(lake, lake.current(["condition"])) == sorted([*before, "c6"])


def test_batches_stay_known_after_everything(lake: Lake) -> None:
    fill(lake, 1, 4)
    compact(lake, "condition")
    checkpoint(lake, "condition")
    vacuum(lake, "condition", 0)
    clean_log(lake, "condition", 0)
    fill(lake, 4, 4)
    assert lake.statistics("condition").rows == 4
    fill(lake, 5, 5)
    assert lake.statistics("condition").rows == 5
    fill(lake, 2, 2)
    assert lake.statistics("condition").rows == 5


def test_retention_keeps_recent_versions(lake: Lake) -> None:
    fill(lake, 1, 3)
    compact(lake, "condition")
    assert vacuum(lake, "condition", 24) == ()
    assert lake.open("condition", 0).to_pyarrow_table().num_rows == 1


def test_commits_go_when_no_kept_version_needs_them(lake: Lake) -> None:
    fill(lake, 1, 4)
    checkpoint(lake, "condition")
    fill(lake, 5, 6)
    pinned = lake.current(["condition"])
    rows = ids(lake, pinned)
    fill(lake, 7, 9)
    checkpoint(lake, "condition")
    assert clean_log(lake, "condition", 24) == 0
    assert clean_log(lake, "condition", 0, [pinned]) == 3
    assert ids(lake, pinned) == rows
    assert lake.pin(["condition"], pinned.at) == pinned
    assert clean_log(lake, "condition", 0) == 5
    with pytest.raises(TableMissing):
        lake.datasets(pinned)
    assert lake.statistics("condition").rows == 9
    fill(lake, 10, 10)
    assert lake.statistics("condition").rows == 10


def test_a_policy_maintains_every_table(lake: Lake) -> None:
    fill(lake, 1, 4)
    lake.append_batch(1, {"encounter": condition(1, ("e1", "p", "A"))})
    (first, second) = maintain(lake, MaintenancePolicy(small_files=3, retention_hours=0))
    assert (first.name, first.gathered, first.removed_files) == ("condition", 4, 4)
    assert (second.name, second.gathered, second.removed_files) == ("encounter", 0, 0)
    assert maintain(lake, MaintenancePolicy(small_files=3, retention_hours=0))[0].removed_files == 0


def test_many_commits_leave_few_files(lake: Lake) -> None:
    for start in (1, 11, 21):
        fill(lake, start, start + 9)
        maintain(lake, MaintenancePolicy(small_files=8, retention_hours=0))
    assert parquet(lake) == 1
    assert lake.statistics("condition").rows == 30


def test_a_clock_that_jumps_loses_no_version(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A version that is stamped later than its successor counts as made when the successor was."""
    fill(lake, 1, 3)
    log = lake.folder / "condition" / "_delta_log" / f"{1:020d}.json"
    real = lake.versions("condition")
    log.write_text(log.read_text().replace(f'"timestamp":{real[1][1]}', f'"timestamp":{real[1][1] + 10**9}'))
    now = int(time.time() * 1000)
    assert lake.pin(["condition"], now).tables[0].version == 2
    assert lake.pin(["condition"], real[0][1]).tables[0].version == 0
