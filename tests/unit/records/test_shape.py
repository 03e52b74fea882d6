"""Mapped rows as Arrow tables: times, numbers, keys, flags; nothing raises for a value."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin.catalogue.canonical_tables import CANONICAL_TABLES
from xinglin.records.model import Mapped
from xinglin.records.moments import day_of, instant_of, moment_of
from xinglin.records.shape import UnknownColumn, arrow_schema, key_columns, shape, shape_parts

GIVEN: dict[str, Any] = {"batch": 7, "recorded_at": 1_000, "source": "his", "message": "ab"}


def rows_of(table: str, columns: tuple[str, ...], *rows: tuple[Any, ...], **given: Any) -> list[dict[str, Any]]:
    return shape(Mapped(table, columns, list(rows)), **{**GIVEN, **given}).to_pylist()


@pytest.mark.parametrize(
    ("text", "milliseconds", "precision", "zone"),
    [
        ("1970", -8 * 3_600_000, "year", ""),
        ("1970-01", -8 * 3_600_000, "month", ""),
        ("1970-01-02", 16 * 3_600_000, "day", ""),
        ("1970-01-01T09", 3_600_000, "hour", ""),
        ("1970-01-01T08:30", 1_800_000, "minute", ""),
        ("1970-01-01T00:00:01Z", 1_000, "second", "+00:00"),
        ("1970-01-01T08:00:01+08:00", 1_000, "second", "+08:00"),
        ("1970-01-01T00:00:00.250Z", 250, "millisecond", "+00:00"),
        ("1970-01-01T08:00:00.250+08:00", 250, "millisecond", "+08:00"),
        ("1970-01-01T00:00:00.2504999-00:00", 250, "millisecond", "-00:00"),
        ("1970-01-01 08:00:01+0800", 1_000, "second", "+08:00"),
        (" 1970-01-01T00:00:60Z ", 60_000, "second", "+00:00"),
    ],
)
def test_a_time_is_its_first_instant(text: str, milliseconds: int, precision: str, zone: str) -> None:
    assert moment_of(text, "+08:00") == (milliseconds, precision, zone)


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "1970-13", "1970-02-30", "1970-01-01T25:00:00Z", "1970-01-01T00:00:61Z", "1970-W01-1T00:00:00+00:00",
        "0000", "197", "1970-1-1", "1970-01-01T00:00:00,25Z", "1970-01-01T00:00:00+99:99", "19700101", "1970-01-01T1",
    ],
)  # fmt: skip
def test_what_is_no_time_is_none(text: str) -> None:
    assert moment_of(text, "+08:00") is None


@given(st.text(max_size=32))
def test_any_text_is_a_time_or_none(text: str) -> None:
    for read in (lambda t: moment_of(t, "Asia/Shanghai"), day_of, instant_of):
        read(text)


@given(
    st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1), timezones=st.just(dt.UTC)),
    st.integers(-14 * 4, 14 * 4).map(lambda quarters: dt.timezone(dt.timedelta(minutes=15 * quarters))),
)
def test_usual_times_are_what_python_says(stamp: dt.datetime, zone: dt.timezone) -> None:
    whole = stamp.replace(microsecond=0)
    expected = int(whole.timestamp()) * 1000
    assert moment_of(whole.astimezone(zone).isoformat(), "Z") == (
        expected,
        "second",
        whole.astimezone(zone).isoformat()[-6:],
    )


def test_an_iana_zone_knows_its_summers() -> None:
    assert moment_of("2024-07-01", "Europe/Berlin")[0] == 1_719_784_800_000  # type: ignore[index]
    assert moment_of("2024-01-01", "Europe/Berlin")[0] == 1_704_063_600_000  # type: ignore[index]


def test_every_table_has_a_schema_with_its_stored_columns() -> None:
    for table in CANONICAL_TABLES:
        schema = arrow_schema(table.name)
        assert schema.names == [column.name for column in table.physical()]
        assert shape_parts(table.name, [], 1, 0).schema == schema
    assert arrow_schema("observation").field("effective").type == pa.timestamp("us", tz="UTC")


def test_a_row_has_its_origin_and_what_it_was_given() -> None:
    columns = ("id", "patient", "encounter", "code", "code_system", "effective", "value_number", "place", "version_at")
    row = ("Observation/1", "Patient/1", None, "8302-2", "http://loinc.org", "2024-03", 1, "entry[3]", 5)
    (made,) = rows_of("observation", columns, row, namespace="h1")
    assert made["id"] == "h1/Observation/1"
    assert made["patient"] == "h1/Patient/1"
    assert made["encounter"] is None
    assert (made["code"], made["code_system"], made["value_number"]) == ("8302-2", "http://loinc.org", 1.0)
    assert (made["effective_precision"], made["effective_zone"]) == ("month", "")
    assert made["effective"] == dt.datetime(2024, 2, 29, 16, tzinfo=dt.UTC)
    assert (made["batch"], made["source"], made["message"], made["place"]) == (7, "his", "ab", "entry[3]")
    assert made["recorded_at"] == dt.datetime(1970, 1, 1, 0, 0, 1, tzinfo=dt.UTC)
    assert made["version_at"] == dt.datetime(1970, 1, 1, 0, 0, 0, 5000, tzinfo=dt.UTC)
    assert made["partial"] is False
    assert made["flags"] is None


def test_references_get_the_namespace_and_nothing_else_does() -> None:
    assert key_columns("observation") == {
        "id", "patient", "specimen", "device", "encounter", "report", "performer",
    }  # fmt: skip
    assert "based_on" in key_columns("supply")
    assert "code" not in key_columns("condition")


@pytest.mark.parametrize(
    ("table", "column", "value", "expected", "flag"),
    [
        ("observation", "value_number", "12.5", 12.5, None),
        ("observation", "value_number", "twelve", None, "shape.bad_number"),
        ("observation", "value_number", float("nan"), None, "shape.bad_number"),
        ("observation", "value_number", True, None, "shape.bad_number"),
        ("observation", "value_number", "1e999", None, "shape.bad_number"),
        ("observation", "component", "3", 3, None),
        ("observation", "component", 3.0, 3, None),
        ("observation", "component", 3.5, None, "shape.bad_number"),
        ("observation", "component", 2**63, None, "shape.bad_number"),
        ("observation", "component", True, None, "shape.bad_number"),
        ("observation", "status", 5, "5", None),
        ("observation", "status", "", None, None),
        ("observation", "status", {"a": 1}, None, "shape.bad_text"),
        ("observation", "status", "\ud800", None, "shape.bad_text"),
        ("observation", "value_boolean", "true", True, None),
        ("observation", "value_boolean", "perhaps", None, "shape.bad_boolean"),
        ("observation", "effective", "yesterday", None, "shape.bad_time"),
        ("observation", "effective", ["2024"], None, "shape.bad_time"),
        ("patient", "birth_date", "1970-06", dt.date(1970, 6, 1), None),
        ("patient", "birth_date", "1970-02-31", None, "shape.bad_time"),
        ("patient", "version_at", "2024-01-01T00:00:00Z", dt.datetime(2024, 1, 1, tzinfo=dt.UTC), None),
        ("patient", "version_at", "soon", None, "shape.bad_time"),
    ],
)
def test_what_cannot_be_read_is_null_and_flagged(
    table: str, column: str, value: Any, expected: Any, flag: str | None
) -> None:
    good, bad = rows_of(table, ("id", column, "flags"), ("A/1", None, "fhir.odd"), ("A/2", value, "fhir.odd"))
    assert bad[column] == expected
    assert bad["flags"] == ("fhir.odd" if flag is None else f"fhir.odd {flag}")
    assert good["flags"] == "fhir.odd"


def test_flags_are_told_once_and_without_values() -> None:
    columns = ("id", "value_number", "range_low", "effective")
    (made,) = rows_of("observation", columns, ("A/1", "secret", "secret", "secret"))
    assert made["flags"] == "shape.bad_number shape.bad_time"


def test_what_is_derived_is_only_where_it_was_not_given() -> None:
    stay = ("2024-01-01T08:00:00+08:00", "2024-01-03T20:00:00+08:00")
    columns = ("id", "started", "ended", "length_days")
    given, own, days, back = rows_of(
        "encounter", columns, ("E/1", *stay, None), ("E/2", *stay, 9), ("E/3", "2024-01-01", stay[1], None),
        ("E/4", stay[1], stay[0], None),
    )  # fmt: skip
    assert [each["length_days"] for each in (given, own, days, back)] == [2.5, 9.0, None, None]
    told, year = rows_of("patient", ("id", "birth_date", "birth_year"), ("P/1", "1970-06", 1969), ("P/2", "1970", None))
    assert [told["birth_year"], year["birth_year"]] == [1969, 1970]
    titres = rows_of("observation", ("id", "value_titre"), ("O/1", "1:64"), ("O/2", "<1：8"), ("O/3", "high"))
    assert [each["value_titre_denominator"] for each in titres] == [64.0, 8.0, None]


def test_parts_of_many_objects_keep_their_order_and_origin() -> None:
    from xinglin.records.shape import _Origin

    one, two = _Origin("a", "", "m1", "+08:00"), _Origin("a", "n", "m2", "+00:00")
    parts = [
        (Mapped("death", ("id", "patient", "died_at"), [("P/1", "P/1", "2024")]), one),
        (Mapped("death", ("id", "status"), [("P/2", "final"), ("P/3", "final")]), one),
        (Mapped("death", ("id", "patient", "died_at"), [("P/4", "P/4", "2024")]), two),
    ]
    made = shape_parts("death", parts, 1, 0).to_pylist()
    assert [(row["id"], row["message"], row["status"]) for row in made] == [
        ("P/1", "m1", None), ("P/2", "m1", "final"), ("P/3", "m1", "final"), ("n/P/4", "m2", None),
    ]  # fmt: skip
    assert made[0]["died_at"] == made[3]["died_at"] - dt.timedelta(hours=8)


def test_each_row_may_have_a_message_of_its_own() -> None:
    made = rows_of("death", ("id",), ("P/1",), ("P/2",), message=["m1", "m2"])
    assert [row["message"] for row in made] == ["m1", "m2"]


def test_a_column_that_the_table_does_not_have_is_refused() -> None:
    with pytest.raises(UnknownColumn):
        rows_of("death", ("id", "colour"), ("P/1", "red"))
    with pytest.raises(UnknownColumn):
        arrow_schema("weather")
    assert rows_of("location", ("id", "patient"), ("L/1", "P/1"))[0]["id"] == "L/1"
