"""One value: dates in the forms of hospitals, numbers, results, ranges, check digits."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin.records.tabular.dates import to_date, to_time
from xinglin.records.tabular.patterns import identity_number, loinc, shares
from xinglin.records.tabular.values import Result, to_integer, to_number, to_range, to_result

MODULES = "assemble csv_sheets dates describe encoding guess known_codes mapping patterns sheets values vectors"


@pytest.mark.parametrize("module", MODULES.split())
def test_examples_of_the_docstrings(module: str) -> None:
    assert doctest.testmod(import_module(f"xinglin.records.tabular.{module}")).failed == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("2024-03-01", "2024-03-01"),
        ("2024/3/1", "2024-03-01"),
        ("2024.03.01", "2024-03-01"),
        ("20240301", "2024-03-01"),
        ("2024年3月1日", "2024-03-01"),
        ("2024年3月", "2024-03"),
        ("2024-03", "2024-03"),
        ("202403", "2024-03"),
        ("2024", "2024"),
        ("2024-03-01 08:05", "2024-03-01T08:05:00"),
        ("2024-03-01T08:05:30.25Z", "2024-03-01T08:05:30.250Z"),
        ("2024-03-01 08:05:30+0800", "2024-03-01T08:05:30+08:00"),
        ("20240301080530", "2024-03-01T08:05:30"),
        ("202403010805", "2024-03-01T08:05:00"),
        ("20240301 08:05:30", "2024-03-01T08:05:30"),
        ("2024年3月1日 8时5分30秒", "2024-03-01T08:05:30"),
        ("2024年3月1日8时5分", "2024-03-01T08:05:00"),
        ("25/12/2024", "2024-12-25"),
        ("12/25/2024 1:05 PM", "2024-12-25T13:05:00"),
        ("5/5/2024", "2024-05-05"),
        ("01-MAR-24", "2024-03-01"),
        ("01-3月 -24", "2024-03-01"),
        ("2024-03-01 0:00:00.000", "2024-03-01T00:00:00"),
    ],
)
def test_dates_of_hospitals(text: str, told: str) -> None:
    assert to_time(text) == (told, "")


@pytest.mark.parametrize(
    "text",
    [
        "2024-02-30",
        "20241301",
        "0000-00-00",
        "yesterday",
        "2024-03-01 25:00",
        "2024-03-01 x",
        "1.5",
        "01-XYZ-24",
        "2024-00",
    ],
)
def test_what_is_no_date_is_said(text: str) -> None:
    assert to_time(text) == (None, "bad_date")


def test_day_and_month_are_never_guessed() -> None:
    assert to_date("03/04/2024") == (None, "ambiguous_date")
    assert to_date("03/04/2024", ("%d/%m/%Y",)) == ("2024-04-03", "")
    assert to_time("0304", ("%Y", "%m%y")) == ("0304", "")


@given(st.datetimes())
def test_an_iso_time_comes_back(stamp: object) -> None:
    text = stamp.isoformat(timespec="seconds")  # type: ignore[attr-defined]
    assert to_time(text) == (text, "")
    assert to_time(text.replace("T", " ").replace("-", "/")) == (text, "")


@given(st.text())
def test_no_text_breaks_a_conversion(text: str) -> None:
    for convert in (to_time, to_number, to_integer, to_result, to_range, identity_number, loinc):
        convert(text)
    shares([(text, 1)])


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_comes_back(number: float) -> None:
    assert to_number(repr(number)) == (number, "")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("5.6", Result(5.6)),
        ("<0.5", Result(0.5, "<")),
        ("≥10", Result(10.0, ">=")),
        ("12.3↑", Result(12.3, interpretation="H")),
        ("3.1 ↓↓", Result(3.1, interpretation="LL")),
        ("1:64", Result(titre="1:64", titre_denominator=64.0)),
        (">1：320", Result(titre=">1:320", titre_denominator=320.0)),
        ("阳性(+)", Result(text="阳性(+)")),
        ("5.6 mmol/L", Result(5.6, unit="mmol/L")),
        ("1,234", Result(1234.0)),
        ("2-3/HP", Result(text="2-3/HP")),
        ("++", Result(text="++")),
        ("未检出", Result(text="未检出")),
        ("1.2.3", Result(text="1.2.3")),
        ("见备注", Result(text="见备注")),
        ("3个", Result(text="3个")),
    ],
)
def test_laboratory_results(text: str, told: Result) -> None:
    assert to_result(text) == told


def test_reference_ranges() -> None:
    assert to_range("3.5--9.5")[:2] == (3.5, 9.5)
    assert to_range("≥60")[:2] == (60.0, None)
    assert to_range("9-3")[:2] == (None, None)
    assert to_range("男:3-5 女:2-4")[:2] == (None, None)
