"""Batches: each table once, whatever was cut off; columns grow at the end; plain Delta for other readers."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from xinglin.lake import BatchOutOfOrder, ColumnsRefused, ForeignTable, Lake, erase_person
from xinglin.lake.errors import BadTableName


def facts(batch: int, *ids: str, **extra: object) -> pa.Table:
    at = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    columns: dict[str, object] = {
        "id": list(ids),
        "version_at": pa.array([at] * len(ids), pa.timestamp("ms", tz="UTC")),
        "batch": pa.array([batch] * len(ids), pa.int64()),
    }
    return pa.table(columns | extra)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def ids(lake: Lake, name: str) -> list[str]:
    return sorted(lake.open(name).to_pyarrow_table().column("id").to_pylist())


def test_a_batch_given_again_is_in_once(lake: Lake) -> None:
    batch = {"encounter": facts(1, "e1"), "observation": facts(1, "o1", "o2")}
    first = lake.append_batch(1, batch)
    assert first == {"encounter": 0, "observation": 0}
    assert lake.append_batch(1, batch) == first
    assert ids(lake, "observation") == ["o1", "o2"]


def test_a_batch_cut_off_between_tables_is_completed(lake: Lake) -> None:
    batch = {"encounter": facts(7, "e1"), "observation": facts(7, "o1")}
    lake.append_batch(7, {"encounter": batch["encounter"]})
    lake.append_batch(7, batch)
    assert (ids(lake, "encounter"), ids(lake, "observation")) == (["e1"], ["o1"])


def test_an_older_batch_is_known_by_its_rows_or_refused(lake: Lake) -> None:
    lake.append_batch(1, {"encounter": facts(1, "e1")})
    lake.append_batch(3, {"encounter": facts(3, "e3")})
    assert lake.append_batch(1, {"encounter": facts(1, "e1")}) == {"encounter": 1}
    with pytest.raises(BatchOutOfOrder):
        lake.append_batch(2, {"encounter": facts(2, "e2")})
    assert ids(lake, "encounter") == ["e1", "e3"]


def test_applications_count_for_themselves(lake: Lake) -> None:
    lake.append_batch(5, {"person_link": facts(5, "a")})
    lake.append_batch(1, {"person_link": facts(1, "b")}, app_id="xinglin.patients")
    assert ids(lake, "person_link") == ["a", "b"]


def test_columns_are_added_at_the_end(lake: Lake) -> None:
    lake.append_batch(1, {"encounter": facts(1, "e1")})
    lake.append_batch(2, {"encounter": facts(2, "e2", ward=["A"])})
    lake.append_batch(3, {"encounter": facts(3, "e3")})  # a program of before, still running
    table = lake.open("encounter").to_pyarrow_table()
    assert table.column_names == ["id", "version_at", "batch", "ward"]
    assert sorted(zip(*(table.column(c).to_pylist() for c in ("id", "ward")), strict=True)) == [
        ("e1", None),
        ("e2", "A"),
        ("e3", None),
    ]


@pytest.mark.parametrize(
    "rows",
    [
        facts(2, "e2").rename_columns(["id", "version_at", "lot"]),
        facts(2, "e2").select(["version_at", "id", "batch"]),
        facts(2, "e2").set_column(2, "batch", pa.array(["2"])),
        facts(2, "e2").append_column("seen", pa.array([dt.datetime(2024, 1, 1)])),
    ],
    ids=["another name", "another order", "another type", "an instant without zone"],
)
def test_other_columns_are_refused(lake: Lake, rows: pa.Table) -> None:
    lake.append_batch(1, {"encounter": facts(1, "e1")})
    with pytest.raises(ColumnsRefused):
        lake.append_batch(2, {"encounter": rows})
    assert ids(lake, "encounter") == ["e1"]


def test_a_batch_is_written_again_in_one_commit(lake: Lake) -> None:
    lake.append_batch(1, {"encounter": facts(1, "e1", "e2")})
    lake.append_batch(2, {"encounter": facts(2, "e3")})
    assert lake.rewrite_batch(1, {"encounter": facts(1, "e1", "e4")}) == {"encounter": 2}
    assert ids(lake, "encounter") == ["e1", "e3", "e4"]
    assert lake.append_batch(2, {"encounter": facts(2, "e3")}) == {"encounter": 2}


def test_the_tables_are_plain_delta_for_other_readers(lake: Lake) -> None:
    """Spark 3.5 with Delta 3 reads and writes reader version 1 and writer version 2 without any feature."""
    lake.append_batch(1, {"encounter": facts(1, "e1")})
    lake.append_batch(2, {"encounter": facts(2, "e2", ward=["A"])})
    lake.rewrite_batch(2, {"encounter": facts(2, "e2", ward=["B"])})
    protocol = lake.open("encounter").protocol()
    assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2)
    assert not protocol.reader_features and not protocol.writer_features


def test_links_out_of_the_folder_are_refused(lake: Lake, tmp_path: Path) -> None:
    other = Lake(tmp_path / "other")
    other.append_batch(1, {"encounter": facts(1, "theirs")})
    lake.append_batch(1, {"observation": facts(1, "o1")})
    os.symlink(other.folder / "encounter", lake.folder / "encounter")
    assert lake.names() == ("observation",)
    for use in (lambda: lake.open("encounter"), lambda: lake.append_batch(2, {"encounter": facts(2, "x")})):
        with pytest.raises(BadTableName):
            use()
    assert ids(other, "encounter") == ["theirs"]


def test_a_log_that_names_files_elsewhere_is_refused(lake: Lake) -> None:
    lake.append_batch(1, {"encounter": facts(1, "e1")})
    log = lake.folder / "encounter" / "_delta_log" / f"{0:020d}.json"
    log.write_text(log.read_text().replace('"path":"part', '"path":"../other/part'))
    with pytest.raises(ForeignTable):
        lake.current(["encounter"])


@pytest.mark.parametrize("feature", ["deletionVectors", "columnMapping", "v2Checkpoint"])
def test_features_of_other_writers_are_refused(lake: Lake, feature: str) -> None:
    lake.append_batch(1, {"encounter": facts(1, "e1")})
    log = lake.folder / "encounter" / "_delta_log" / f"{0:020d}.json"
    features = (
        f'"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["{feature}"],"writerFeatures":["{feature}"]'
    )
    log.write_text(log.read_text().replace('"minReaderVersion":1,"minWriterVersion":2', features))
    for use in (lambda: lake.current(["encounter"]), lambda: lake.append_batch(2, {"encounter": facts(2, "x")})):
        with pytest.raises(ForeignTable) as refused:
            use()
        assert feature in str(refused.value)


def test_writers_in_several_places_see_each_other(lake: Lake) -> None:
    other = Lake(lake.folder)
    for batch in range(1, 30):
        (lake if batch % 3 else other).append_batch(batch, {"encounter": facts(batch, f"e{batch:02d}")})
        lake.append_batch(batch, {"encounter": facts(batch, f"e{batch:02d}")})
    assert len(ids(lake, "encounter")) == 29


def test_a_log_that_was_cut_short_is_not_continued_from_before(lake: Lake) -> None:
    for batch in (1, 2):
        lake.append_batch(batch, {"encounter": facts(batch, f"e{batch}")})
    erase_person(Lake(lake.folder), ["e1"], {"encounter": "id"})
    newest = lake.open("encounter").version()
    assert lake.append_batch(3, {"encounter": facts(3, "e3")}) == {"encounter": newest + 1}
    assert ids(lake, "encounter") == ["e2", "e3"]


def test_a_table_that_was_made_anew_is_opened_anew(lake: Lake) -> None:
    lake.append_batch(1, {"encounter": facts(1, "e1")})
    shutil.rmtree(lake.folder / "encounter")
    lake.append_batch(1, {"encounter": facts(1, "e2")})
    assert ids(lake, "encounter") == ["e2"]
