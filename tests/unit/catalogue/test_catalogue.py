"""Descriptions that may be published, and what of them a study can reach."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.unit.terms.uses import TERMS, did

from xinglin.catalogue.checks import check_data_set
from xinglin.catalogue.model import ColumnDescription, DataSetDescription, TableDescription
from xinglin.catalogue.views import StudyView, study_view
from xinglin.kernel.canonical import canonical_bytes
from xinglin.kernel.codec import decode_json
from xinglin.kernel.verdict import Denied

AGE = ColumnDescription("age", "integer", unit="a", low=0, high=120)
SEX = ColumnDescription("sex", "category", levels=("F", "M"))
NUM = ColumnDescription("num", "integer", low=0, high=4)
HEART = TableDescription(
    "heart",
    (
        ColumnDescription("pid", "text", role="person"),
        ColumnDescription("phone", "text", role="identifier"),
        AGE,
        SEX,
        NUM,
        ColumnDescription("remark", "text"),
        ColumnDescription("variant", "category", levels=("a", "b"), grade="L3"),
        ColumnDescription("seen", "date"),
    ),
    patient_key="pid",
)
SET = DataSetDescription("heart", did("north"), "Heart disease", (HEART,))


def view(*variables: str, grade: str = "L2") -> StudyView | Denied:
    return study_view(SET, replace(TERMS, grade=grade, variables=tuple(sorted(variables))))


def test_a_good_description_is_named_by_its_digest() -> None:
    assert check_data_set(SET)
    assert decode_json(canonical_bytes(SET), DataSetDescription).digest() == SET.digest()
    assert replace(SET, title="Other").digest() != SET.digest()


def test_only_what_is_listed_is_exposed() -> None:
    seen = view("heart.age", "heart.num")
    assert isinstance(seen, StudyView)
    table = seen.table("heart")
    assert table is not None
    assert [column.name for column in table.columns] == ["age", "num"]
    assert table.patient_key == "pid" and "pid" not in table.grades
    assert seen.grade == "L2" and seen.table("other") is None


@pytest.mark.parametrize(
    "variable", ["heart.pid", "heart.phone", "heart.remark", "heart.variant", "heart.zip", "x.age"]
)
def test_what_is_never_exposed(variable: str) -> None:
    assert isinstance(view("heart.age", variable), Denied)


def test_a_raised_grade_is_exposed_under_an_agreement_that_covers_it() -> None:
    seen = view("heart.age", "heart.variant", grade="L3")
    assert isinstance(seen, StudyView)
    assert seen.grade == "L3" and seen.tables[0].grades == {"age": "L2", "variant": "L3"}


def test_every_refused_variable_is_named() -> None:
    refused = view("heart.phone", "heart.pid", "heart.zip")
    assert isinstance(refused, Denied)
    assert len(refused.reasons) >= 3 and all(reason.remedy for reason in refused.reasons)
    assert isinstance(study_view(SET, replace(TERMS, variables=())), Denied)


@given(
    st.sets(st.sampled_from([f"heart.{c.name}" for c in HEART.columns]), min_size=1),
    st.sampled_from(["L1", "L2", "L3"]),
)
def test_no_view_ever_holds_a_person(variables: set[str], grade: str) -> None:
    seen = view(*variables, grade=grade)
    if isinstance(seen, StudyView):
        columns = [column for table in seen.tables for column in table.columns]
        assert all(column.role == "data" and column.kind != "text" for column in columns)
        assert {f"heart.{column.name}" for column in columns} == variables
        assert all(g <= grade for table in seen.tables for g in table.grades.values())


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"provider": "us"},
        {"title": ""},
        {"title": "a\x00b"},
        {"grade": "L7"},
        {"grade": "L3"},
        {"tables": ()},
        {"tables": (HEART, replace(HEART, name="HEART"))},
        {"version": 2},
    ],
)
def test_data_sets_that_are_none(changes: dict[str, Any]) -> None:
    assert not check_data_set(replace(SET, **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "__person"},
        {"name": "a b"},
        {"name": "x" * 64},
        {"grade": ""},
        {"grade": "L1"},
        {"patient_key": "age"},
        {"columns": ()},
        {"columns": (AGE,)},
        {"columns": (HEART.columns[0], replace(HEART.columns[0], name="pid2"))},
        {"columns": (HEART.columns[0], AGE, replace(AGE, name="AGE"))},
        {"words": "x" * 1001},
    ],
)
def test_tables_that_are_none(changes: dict[str, Any]) -> None:
    assert not check_data_set(replace(SET, tables=(replace(HEART, **changes),)))


@pytest.mark.parametrize(
    "column",
    [
        replace(AGE, low=None),
        replace(AGE, high=float("inf")),
        replace(AGE, low=120.0),
        replace(AGE, high=120.5),
        replace(AGE, levels=("a",)),
        replace(AGE, kind="float"),
        replace(AGE, role="owner"),
        replace(AGE, grade="L1"),
        replace(AGE, grade="high"),
        replace(AGE, name="__person"),
        replace(AGE, name="select *"),
        replace(SEX, levels=()),
        replace(SEX, levels=("F", "F")),
        replace(SEX, levels=("F", "")),
        replace(SEX, levels=tuple(str(i) for i in range(1001))),
        replace(SEX, low=0.0),
    ],
)
def test_columns_that_are_none(column: ColumnDescription) -> None:
    table = replace(HEART, columns=(HEART.columns[0], column))
    assert not check_data_set(replace(SET, tables=(table,)))
    assert check_data_set(replace(SET, tables=(replace(HEART, columns=(HEART.columns[0], AGE, SEX)),)))
