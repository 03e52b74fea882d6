"""Studies read current views of canonical tables: superseded rows are gone, linked records are one person."""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path

import pyarrow as pa
import pytest
from tests.unit.engine.conftest import SALT

from xinglin.analysis.algorithm import AlgorithmSpec
from xinglin.analysis.table import Column
from xinglin.catalogue.canonical import SYSTEM_COLUMNS
from xinglin.catalogue.model import ColumnDescription
from xinglin.catalogue.views import ExposedTable
from xinglin.lake import Lake, person_code
from xinglin.node import engine_messages as em
from xinglin.node.engine_child import Child
from xinglin.node.engine_session import Session
from xinglin.privacy.disclosure import DisclosureRules

INSTANT = pa.timestamp("ms", tz="UTC")
EXPOSED = ExposedTable(
    "condition", (ColumnDescription("onset_age", "integer", low=0, high=120),), "patient", {"onset_age": "L2"}
)
AGE = Column("onset_age", "number", 0.0, 120.0, integer=True)


def at(day: int) -> dt.datetime:
    return dt.datetime(2024, 1, day, tzinfo=dt.UTC)


def facts(batch: int, *rows: tuple[str, str | None, int, bool, str | None, int | None]) -> pa.Table:
    """Rows of ``(id, patient, day, partial, verification status, age)``."""
    names = [column.name for column in SYSTEM_COLUMNS]
    empty = {name: pa.nulls(len(rows), pa.string()) for name in names}
    ids, patients, days, partial, status, ages = zip(*rows, strict=True)
    return pa.table(
        empty
        | {
            "id": pa.array(ids),
            "patient": pa.array(patients, pa.string()),
            "version_at": pa.array([at(day) for day in days], INSTANT),
            "recorded_at": pa.array([at(batch)] * len(rows), INSTANT),
            "partial": pa.array(partial),
            "batch": pa.array([batch] * len(rows), pa.int64()),
            "verification_status": pa.array(status, pa.string()),
            "onset_age": pa.array(ages, pa.int64()),
        }
    )


def link(patient: str, person: str | None, day: int) -> pa.Table:
    stamps = {name: pa.array([at(day)], INSTANT) for name in ("version_at", "recorded_at")}
    names = {
        "patient": pa.array([patient]),
        "person": pa.array([person], pa.string()),
        "reason": pa.array(["hospital"]),
    }
    return pa.table(names | stamps)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path / "lake")
    first = [("c1", "p", 1, False, None, 40), ("c2", "q", 1, False, None, 50), ("c3", "r", 1, False, None, 60)]
    lake.append_batch(1, {"condition": facts(1, *first)})
    later = [("c1", "p", 2, False, None, 41), ("c2", None, 2, True, None, 51), ("c3", "r", 2, False, "refuted", 60)]
    lake.append_batch(2, {"condition": facts(2, *later)})
    return lake


def read(lake: Lake, instant: int | None = None) -> dict[int, list[int]]:
    """Ages by person's code, as a study's query would see them."""
    stamp = instant if instant is not None else int(time.time() * 1000) + 1000
    pinned = Child().answer(em.Pin(str(lake.folder), ("condition",), stamp))
    assert isinstance(pinned, em.Pinned)
    load = em.Load("run", str(lake.folder), pinned.snapshot, (EXPOSED,), (), "SELECT onset_age FROM condition", SALT)
    session = Session.load(load)
    assert isinstance(session, Session), session
    spec = AlgorithmSpec("describe", {"columns": ["onset_age"]})
    session.start(em.Start("run", spec, (AGE,), DisclosureRules(), 1000))
    assert session._table is not None
    found: dict[int, list[int]] = {}
    for code, age in zip(session._codes.view("int64"), session._table.columns["onset_age"], strict=True):
        found.setdefault(int(code), []).append(int(age))
    session.close()
    return {code: sorted(ages) for code, ages in found.items()}


def test_a_study_sees_the_facts_that_hold(lake: Lake) -> None:
    assert read(lake) == {person_code("p", SALT): [41], person_code("q", SALT): [51]}


def test_linked_records_are_one_person_from_the_instant_of_the_link(lake: Lake) -> None:
    before = lake.current(["condition"]).at
    time.sleep(0.02)
    lake.append_batch(1, {"person_link": link("q", "p", 3)}, app_id="xinglin.patients")
    linked = lake.current(["person_link"]).at
    assert read(lake) == {person_code("p", SALT): [41, 51]}
    assert read(lake, before) == {person_code("p", SALT): [41], person_code("q", SALT): [51]}
    time.sleep(0.02)
    lake.append_batch(2, {"person_link": link("q", None, 4)}, app_id="xinglin.patients")
    assert len(read(lake)) == 2
    assert len(read(lake, linked)) == 1


def test_links_are_pinned_with_canonical_tables_alone(lake: Lake) -> None:
    lake.append_batch(1, {"person_link": link("q", "p", 3)}, app_id="xinglin.patients")
    lake.append("plain", pa.table({"patient": ["q"], "onset_age": [1]}))
    now = int(time.time() * 1000) + 1000
    assert [table.name for table in lake.pin_current(["condition"], now).tables] == ["condition", "person_link"]
    assert [table.name for table in lake.pin_current(["plain"], now).tables] == ["plain"]
