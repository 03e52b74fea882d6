"""A file added to a table: its statistics never leave a row out, and are those that the engine would have written."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.lake import new_file
from xinglin.lake.batches import INTAKE, append_once

WHEN = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)


def table(ids: list[str | None], batch: int = 1) -> pa.Table:
    stamps = pa.array([WHEN] * len(ids), pa.timestamp("us", tz="UTC"))
    return pa.table(
        {
            "id": pa.array(ids, pa.string()),
            "version_at": stamps,
            "partial": [False] * len(ids),
            "batch": [batch] * len(ids),
        }
    )


def stats(folder: Path, version: int) -> dict[str, Any]:
    for line in (folder / "_delta_log" / f"{version:020}.json").read_text("utf-8").splitlines():
        if "add" in (action := json.loads(line)):
            found: dict[str, Any] = json.loads(action["add"]["stats"])
            return found
    raise LookupError(version)


def test_the_second_file_says_what_the_first_one_said(tmp_path: Path) -> None:
    folder = tmp_path / "t"
    append_once(folder, "t", table(["a", "b", None]), 1, INTAKE)
    append_once(folder, "t", table(["a", "b", None], batch=1), 2, INTAKE)
    engines, ours = stats(folder, 0), stats(folder, 1)
    for one in (engines, ours):
        for side in ("minValues", "maxValues"):
            told = one[side].pop("version_at")
            assert datetime.fromisoformat(told) == WHEN
    assert engines == ours
    assert DeltaTable(str(folder)).to_pyarrow_table().num_rows == 6


def test_no_row_and_no_value_are_told_so() -> None:
    said = json.loads(new_file.statistics(table([None, None])))
    assert said["nullCount"]["id"] == 2
    assert "id" not in said["minValues"]


@settings(deadline=None)
@given(st.lists(st.text(max_size=90), min_size=1, max_size=6))
def test_every_text_lies_between_the_least_and_the_greatest(ids: list[str]) -> None:
    texts = [one for one in ids if one.isprintable()] or ["x"]
    said = json.loads(new_file.statistics(table([*texts])))
    assert all(said["minValues"]["id"].encode() <= one.encode() for one in texts)
    assert all(one.encode() <= said["maxValues"]["id"].encode() for one in texts if "id" in said["maxValues"])


def test_only_the_first_columns_are_told() -> None:
    wide = pa.table({f"c{number}": [number] for number in range(new_file.STATISTICS_COLUMNS + 3)})
    assert len(json.loads(new_file.statistics(wide))["minValues"]) == new_file.STATISTICS_COLUMNS
