"""Descriptions tell what many persons share, and nothing rarer; grades come with a reason."""

from __future__ import annotations

import math

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin.catalogue import DataSetDescription, canonical_table, check_data_set
from xinglin.catalogue.canonical import PhysicalColumn
from xinglin.catalogue.canonical_levels import FIXED_LEVELS, FIXED_RANGES
from xinglin.catalogue.canonical_tables import CANONICAL_TABLES
from xinglin.catalogue.describe import MIN_PERSONS, describe_canonical, describe_column, outward
from xinglin.catalogue.grading import suggest_grade
from xinglin.catalogue.profile import PERSONS_PROFILED, ColumnProfile, LevelCount, TableProfile
from xinglin.lake.profiling import profile_relation

DID = "did:xinglin:" + "a" * 26


def test_every_fixed_level_and_range_is_of_a_canonical_column() -> None:
    known = {(table.name, part.name) for table in CANONICAL_TABLES for part in table.physical()}
    assert {*FIXED_LEVELS, *FIXED_RANGES} <= known


@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9))
def test_a_range_goes_outward_and_never_inward(one: float, other: float) -> None:
    low, high = sorted((one, other))
    bottom, top = outward(low, high)
    assert bottom <= low * (1 - 1e-12) or bottom <= low
    assert top * (1 + 1e-9) >= high
    assert bottom < top


def test_two_extremes_of_one_magnitude_are_told_alike() -> None:
    assert outward(3, 137.2) == outward(1, 199.9) == (0, 200)


@pytest.mark.parametrize(
    ("column", "found"),
    [
        (ColumnProfile("phone", "text", 100, 90, 90), "identifier"),
        (ColumnProfile("患者姓名", "text", 100, 90, 40), "identifier"),
        (ColumnProfile("patient_nbr", "integer", 100, 90, 40), "identifier"),
        (ColumnProfile("remark", "text", 100, 90, 40, longest=200), "free_text"),
        (ColumnProfile("genotype", "text", 100, 90, 3), "genome"),
        (ColumnProfile("出生日期", "date", 100, 90, 80), "quasi_identifier"),
        (ColumnProfile("x", "text", 100, 90, 95), "identifier"),
        (ColumnProfile("x", "text", 5, 5, 5, levels=(LevelCount("13800138000", 1),)), "identifier"),
        (
            ColumnProfile("diag_1", "text", 100, 90, 9, levels=(LevelCount("250", 80), LevelCount("E11", 2))),
            "rare_codes",
        ),
        (ColumnProfile("time_in_hospital", "integer", 100, 90, 14), "plain"),
        (ColumnProfile("gender", "text", 100, 90, 2, levels=(LevelCount("F", 50), LevelCount("M", 40))), "plain"),
    ],
    ids=lambda value: value.name if isinstance(value, ColumnProfile) else value,
)
def test_a_grade_has_a_reason(column: ColumnProfile, found: str) -> None:
    suggested = suggest_grade(TableProfile("t", 100, 90, (column,)), column)
    assert suggested.found == found
    assert suggested.why
    assert (suggested.role == "data") == (found in ("genome", "rare_codes", "plain"))


def test_a_level_of_nine_persons_is_not_published_and_one_of_ten_is() -> None:
    levels = (LevelCount("common", 50), LevelCount("ten", MIN_PERSONS), LevelCount("nine", MIN_PERSONS - 1))
    described = describe_column(ColumnProfile("kind", "text", 69, 69, 3, levels=levels))
    assert described is not None
    assert described.levels == ("common", "ten")


def _numbers(values: dict[str, list[float]], sql: str = "DOUBLE") -> ColumnProfile:
    """The profile of a column ``x`` of these persons."""
    engine = duckdb.connect()
    engine.execute(f"CREATE TABLE t (patient VARCHAR, x {sql})")
    rows = [[person, value] for person, told in values.items() for value in told]
    engine.executemany("INSERT INTO t VALUES (?, ?)", rows)
    column = PhysicalColumn("x", "number" if sql == "DOUBLE" else "integer", "x")
    profile = profile_relation(lambda text: engine.execute(text).fetchall(), "t", "t", [column], "patient")
    return profile.columns[0]


def _range(column: ColumnProfile, min_persons: int = MIN_PERSONS) -> tuple[float | None, float | None] | None:
    described = describe_column(column, min_persons=min_persons)
    return None if described is None else (described.low, described.high)


MANY = {f"p{number}": [100.0 + number] for number in range(40)}


def test_the_extreme_of_nine_persons_is_in_no_range_and_that_of_ten_is() -> None:
    nine = {f"x{number}": [5_000.0 + number, -300.0] for number in range(MIN_PERSONS - 1)}
    assert _range(_numbers(MANY)) == (0, 200)
    assert _range(_numbers(MANY | nine)) == (0, 200)
    ten = nine | {"x9": [5_009.0, -300.0]}
    assert _range(_numbers(MANY | ten)) == (-500, 5_000)


def test_many_rows_of_one_person_are_one_person() -> None:
    assert _range(_numbers(MANY | {"rich": [1e9 + number for number in range(100)]})) == (0, 200)
    assert _range(_numbers({"a": [1.0] * 50, "b": [9.0] * 50})) is None
    assert _range(_numbers(MANY | {"": [7e7]} | {"inf": [math.inf], "nan": [math.nan]})) == (0, 200)


def test_a_range_of_exactly_so_many_persons_holds_what_most_of_them_have() -> None:
    just = dict(list(MANY.items())[:MIN_PERSONS])
    assert _range(_numbers(just)) == (0, 200)
    assert _range(_numbers(dict(list(just.items())[1:]))) is None
    assert _range(_numbers(just), min_persons=MIN_PERSONS + 1) is None
    assert _range(_numbers(MANY, "BIGINT")) == (0, 200)


def test_a_larger_cell_than_was_profiled_is_refused() -> None:
    numbers = {f"p{number}": [float(number)] for number in range(PERSONS_PROFILED + 5)}
    assert _range(_numbers(numbers), PERSONS_PROFILED) is not None
    assert _range(_numbers(numbers), PERSONS_PROFILED + 1) is None


@given(st.data())
def test_whatever_one_person_has_beyond_the_ends_the_range_is_the_same(data: st.DataObject) -> None:
    lowest = sorted(data.draw(st.lists(st.floats(-1e6, 1e6), min_size=MIN_PERSONS, max_size=30)))
    highest = sorted((one + data.draw(st.floats(0, 1e6)) for one in lowest), reverse=True)

    def told(first: float, last: float) -> tuple[float | None, float | None] | None:
        low, high = (first, *lowest[1:]), (last, *highest[1:])
        return _range(ColumnProfile("x", "number", 99, len(low), 99, low[0], high[0], lowest=low, highest=high))

    expected = told(lowest[0], highest[0])
    assert told(-1e300, 1e300) == expected
    assert expected is not None and expected[0] is not None and expected[1] is not None
    ends = sorted((lowest[MIN_PERSONS - 1], highest[MIN_PERSONS - 1]))
    assert expected[0] <= ends[0] + 1e-9 * abs(ends[0]) and ends[1] <= expected[1] * (1 + 1e-9) + 1e-9


def test_a_canonical_table_is_described_from_its_rows() -> None:
    table = canonical_table("observation")
    assert table is not None
    types = {"text": "VARCHAR", "integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN", "date": "DATE"}
    types["instant"] = "TIMESTAMP"
    engine = duckdb.connect()
    columns = ", ".join(f'"{part.name}" {types[part.holds]}' for part in table.physical())
    engine.execute(f"CREATE TABLE observation ({columns})")
    engine.execute(
        """INSERT INTO observation BY NAME SELECT 'o' || i AS id, 'p' || (i % 40) AS patient, 'final' AS status,
        'free text about somebody ' || i AS note, CASE WHEN i % 41 = 0 THEN 'rare' ELSE '8480-6' END AS code,
        'http://loinc.org' AS code_system,
        'SBP ' || i AS code_source, 100 + i AS value_number FROM range(80) t(i)"""
    )
    profile = profile_relation(
        lambda sql: engine.execute(sql).fetchall(), "observation", "observation", table.physical(), "patient"
    )
    assert (profile.rows, profile.persons) == (80, 40)
    described = describe_canonical(table, profile)
    assert described is not None
    by_name = {column.name: column for column in described.columns}
    assert by_name["code"].levels == ("8480-6",)
    assert (by_name["value_number"].low, by_name["value_number"].high) == (0, 200)
    assert by_name["patient"].role == "person"
    assert not {"id", "note", "code_source", "code_source_text", "message", "method"} & by_name.keys()
    assert check_data_set(DataSetDescription("d", DID, "D", (described,)))


def test_a_table_of_too_few_persons_or_of_nobody_is_not_described() -> None:
    table, places = canonical_table("observation"), canonical_table("location")
    assert table is not None and places is not None
    assert describe_canonical(table, TableProfile("observation", 90, MIN_PERSONS - 1, ())) is None
    assert describe_canonical(places, TableProfile("location", 90, 90, ())) is None
