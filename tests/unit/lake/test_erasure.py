"""A person is erased: no byte of any file, and nothing that a file decodes to, names them afterwards."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.unit.lake.rows import condition, link

from xinglin.kernel.errors import LimitExceeded
from xinglin.lake import (
    Lake,
    TableMissing,
    checkpoint,
    compact,
    erase_person,
    find_person,
    lineage_of,
    materialise,
    read_current,
)

ERIN, ERINS_OTHER, FRANK = "Patient/ERIN-7315", "Patient/OTHER-9921", "Patient/FRANK-1"
SECRETS = ("ERIN-7315", "OTHER-9921", "Asthma-of-Erin", "c-erin")


def patients(batch: int) -> pa.Table:
    rows = condition(batch, (ERIN, ERIN, ""), (ERINS_OTHER, ERINS_OTHER, ""), (FRANK, FRANK, ""))
    return rows.drop_columns(["code"]).append_column("replaced_by", pa.array([None, ERIN, ERINS_OTHER], pa.string()))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Erin has two records, rows before and after a correction, a row without her key, and is in two products."""
    lake = Lake(tmp_path / "lake")
    first = condition(1, ("c-erin-1", ERIN, "Asthma-of-Erin"), ("c-frank", FRANK, "Gout"))
    lake.append_batch(1, {"condition": first, "patient": patients(1)})
    second = condition(2, ("c-erin-2", ERINS_OTHER, "Asthma-of-Erin"), ("c-erin-1", None, "Asthma-of-Erin"))
    lake.append_batch(2, {"condition": second})
    lake.append_batch(1, {"person_link": link(2, (ERINS_OTHER, ERIN), (FRANK, FRANK))}, app_id="xinglin.patients")
    lake.append_batch(1, {"organization": condition(1, ("o1", None, "Ward")).drop_columns(["patient"])})
    select = "SELECT patient, min(code) AS code, count(*) AS n FROM condition GROUP BY patient"
    materialise(lake, "burden", select, ["condition"])
    materialise(lake, "texts", "SELECT code, count(*) AS n FROM condition GROUP BY code", ["condition"])
    lake.append("registry", pa.table({"who": [ERIN, FRANK], "x": [1, 2]}))
    return lake


def texts(lake: Lake) -> Iterator[tuple[Path, bytes]]:
    """Every file's bytes, its name, and what Parquet decodes to (values and statistics)."""
    for path in (p for p in lake.folder.rglob("*") if p.is_file()):
        yield path, path.read_bytes() + str(path).encode()
        if path.suffix == ".parquet":
            file = pq.ParquetFile(path)
            groups = [file.metadata.row_group(i).to_dict() for i in range(file.metadata.num_row_groups)]
            yield path, (str(file.read().to_pylist()) + str(groups)).encode()


def traces(lake: Lake) -> set[str]:
    return {
        f"{secret}: {path.relative_to(lake.folder)}"
        for path, text in texts(lake)
        for secret in SECRETS
        if secret.encode() in text
    }


def test_the_scan_sees_what_is_there(lake: Lake) -> None:
    assert {trace.split(":")[0] for trace in traces(lake)} == set(SECRETS)


@pytest.mark.parametrize("before", ["as written", "compacted", "with checkpoints"])
def test_nothing_of_an_erased_person_is_left(lake: Lake, before: str) -> None:
    if before == "compacted":
        compact(lake, "condition")
    if before == "with checkpoints":
        for name in lake.names():
            checkpoint(lake, name)
    pinned = lake.current(["condition"])
    columns = {"registry": "who"}
    foreseen = find_person(lake, [ERIN], columns)
    assert foreseen.rows == {"burden": 1, "condition": 3, "patient": 2, "person_link": 1, "registry": 1}
    assert foreseen.cells == {"patient.replaced_by": 1}
    assert set(foreseen.messages) >= {"digest-1-c-erin-1", "digest-2-c-erin-2", "digest-2-c-erin-1"}
    assert foreseen.shared == ()
    assert foreseen.remade == ("burden", "texts")
    assert traces(lake)
    assert erase_person(lake, [ERIN], columns) == foreseen
    assert traces(lake) == set()
    with pytest.raises(TableMissing):
        lake.datasets(pinned)
    with read_current(lake, lake.current(["condition", "patient", "burden", "registry", "texts"])) as session:
        assert session.run("SELECT id FROM condition").to_pylist() == [{"id": "c-frank"}]
        assert session.run("SELECT id, replaced_by FROM patient").to_pylist() == [{"id": FRANK, "replaced_by": None}]
        assert session.run("SELECT patient, n FROM burden").to_pylist() == [{"patient": FRANK, "n": 1}]
        assert session.run("SELECT code FROM texts").to_pylist() == [{"code": "Gout"}]
        assert session.run("SELECT who FROM registry").to_pylist() == [{"who": FRANK}]
    assert lineage_of(lake, "burden") is not None
    again = erase_person(lake, [ERIN], columns)
    assert (again.rows, again.cells, again.messages) == ({}, {}, ())


def test_tables_go_on_after_an_erasure(lake: Lake) -> None:
    organization = lake.current(["organization"])
    erase_person(lake, [ERIN], {"registry": "who"})
    assert lake.datasets(organization)["organization"].count_rows() == 1
    assert lake.append_batch(2, {"condition": condition(2, ("c-erin-2", ERINS_OTHER, "again"))})
    assert lake.statistics("condition").rows == 1
    lake.append_batch(3, {"condition": condition(3, ("c-frank", FRANK, "Gout, chronic"))})
    assert lake.pin(["condition"], int(time.time() * 1000) + 1000).tables[0].name == "condition"
    assert lake.statistics("condition").rows == 2


def test_a_message_of_several_persons_is_told_apart(lake: Lake) -> None:
    rows = condition(3, ("c-erin-3", ERIN, "A"), ("c-frank-3", FRANK, "B"))
    same = pa.array(["digest-of-both"] * 2)
    lake.append_batch(3, {"condition": rows.set_column(rows.schema.get_field_index("message"), "message", same)})
    found = find_person(lake, [ERIN])
    assert found.shared == ("digest-of-both",)
    assert "digest-of-both" in found.messages


def test_a_record_that_was_unlinked_stays(lake: Lake) -> None:
    lake.append_batch(2, {"person_link": link(5, (ERINS_OTHER, None))}, app_id="xinglin.patients")
    erase_person(lake, [ERIN], {"registry": "who"})
    with read_current(lake, lake.current(["condition"])) as session:
        found = session.run("SELECT id FROM condition ORDER BY id").to_pylist()
    assert [row["id"] for row in found] == ["c-erin-2", "c-frank"]


def test_a_key_that_is_linked_elsewhere_is_no_person(lake: Lake) -> None:
    assert find_person(lake, [ERINS_OTHER]).rows.get("condition") is None


@pytest.mark.parametrize("key", ["x' OR '1'='1", 'x" OR "a"="a', "\\", "%"])
def test_keys_are_texts_and_never_conditions(lake: Lake, key: str) -> None:
    assert erase_person(lake, [key]).rows == {}
    assert lake.statistics("condition").rows == 4


def test_one_person_more_than_the_limit_is_refused(lake: Lake) -> None:
    with pytest.raises(LimitExceeded):
        erase_person(lake, [f"p{number}" for number in range(1001)])
