"""The node's own reading, and products that say what they were made of."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pyarrow as pa
import pytest
from tests.unit.lake.rows import condition, link

from xinglin.lake import Lake, NotAProduct, QueryFailed, lineage_of, materialise, read_current

SELECT = "SELECT patient, count(*) AS conditions FROM condition GROUP BY patient"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path / "lake")
    lake.append_batch(1, {"condition": condition(1, ("c1", "p", "A"), ("c2", "q", "B"), ("c3", "r", "C"))})
    lake.append_batch(2, {"condition": condition(2, ("c3", "r", "D"))})
    lake.append_batch(1, {"person_link": link(1, ("q", "p"))}, app_id="xinglin.patients")
    return lake


def product(lake: Lake, name: str) -> dict[str, int]:
    rows = lake.open(name).to_pyarrow_table().to_pylist()
    return {row["patient"]: row["conditions"] for row in rows}


def test_reading_gives_current_views_and_stored_rows(lake: Lake) -> None:
    with read_current(lake, lake.current(["condition", "person_link"])) as session:
        found = session.run("SELECT id, patient, patient_record, code FROM condition").to_pylist()
        assert [tuple(row.values()) for row in found] == [
            ("c1", "p", "p", "A"),
            ("c2", "p", "q", "B"),
            ("c3", "r", "r", "D"),
        ]
        assert session.run("SELECT count(*) AS n FROM rows_condition").column("n").to_pylist() == [4]


def test_what_was_known_at_an_instant(lake: Lake) -> None:
    then = int(dt.datetime(2024, 1, 1, 12, tzinfo=dt.UTC).timestamp() * 1000)
    with read_current(lake, lake.current(["condition"]), as_of_recorded=then) as session:
        assert session.run("SELECT code FROM condition").column("code").to_pylist() == ["A", "B", "C"]


def test_reading_reads_its_files_and_no_others(lake: Lake, tmp_path: Path) -> None:
    lake.append("other", pa.table({"x": [1]}))
    (other,) = (tmp_path / "lake" / "other").glob("*.parquet")
    with read_current(lake, lake.current(["condition"])) as session:
        for attack in (f"SELECT * FROM read_parquet('{other}')", "SELECT * FROM read_text('/etc/passwd')"):
            with pytest.raises(QueryFailed):
                session.run(attack)


def test_columns_that_no_file_has_yet_are_null(lake: Lake) -> None:
    nothing = condition(3).append_column("severity", pa.array([], pa.string()))
    lake.append_batch(3, {"condition": nothing})
    with read_current(lake, lake.current(["condition"])) as session:
        assert session.run("SELECT DISTINCT severity FROM condition").to_pylist() == [{"severity": None}]


def test_a_product_is_a_version_with_its_lineage(lake: Lake) -> None:
    assert materialise(lake, "burden", SELECT, ["condition"]) == 0
    assert product(lake, "burden") == {"p": 2, "r": 1}
    before = lake.current(["burden"])
    lake.append_batch(3, {"condition": condition(3, ("c4", "r", "E"))})
    version = materialise(lake, "burden", SELECT, ["condition"])
    assert product(lake, "burden") == {"p": 2, "r": 2}
    assert lake.datasets(before)["burden"].count_rows() == 2
    lineage = lineage_of(lake, "burden")
    assert lineage is not None
    assert [(source.name, source.version) for source in lineage.sources] == [("condition", 2), ("person_link", 0)]
    told = [h for h in lake.open("burden").history() if h["version"] == version]
    assert json.loads(told[0]["xinglin.lineage"])["select_digest"] == lineage.select_digest


def test_a_product_may_change_its_columns(lake: Lake) -> None:
    materialise(lake, "burden", SELECT, ["condition"])
    materialise(lake, "burden", "SELECT count(*) AS all_conditions FROM condition", ["condition"])
    assert lake.open("burden").to_pyarrow_table().to_pylist() == [{"all_conditions": 3}]


@pytest.mark.parametrize("name", ["condition", "person_link", "observation", "plain"])
def test_other_tables_are_not_replaced(lake: Lake, name: str) -> None:
    lake.append("plain", pa.table({"x": [1]}))
    with pytest.raises(NotAProduct):
        materialise(lake, name, SELECT, ["condition"])


def test_a_select_that_fails_leaves_the_product_as_it_was(lake: Lake) -> None:
    materialise(lake, "burden", SELECT, ["condition"])
    with pytest.raises(QueryFailed):
        materialise(lake, "burden", "SELECT nothing FROM condition", ["condition"])
    assert product(lake, "burden") == {"p": 2, "r": 1}
