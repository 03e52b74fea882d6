"""Times as columns: the quick way says of each text what ``moment_of`` says, or leaves it to it."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.records.columns import Marks, moments
from xinglin.records.moments import moment_of

TEXTS = st.one_of(
    st.datetimes().flatmap(
        lambda at: st.sampled_from(["Z", "+08:00", "-11:30", "+14:59", "+25:00", "+08:75", "+0800", ""]).map(
            lambda zone: f"{at.replace(microsecond=0).isoformat()}{zone}"
        )
    ),
    st.from_regex(r"\A\d{4}-[0-3]\d-[0-4]\dT[0-3]\d:[0-7]\d:[0-7]\d(\.\d{3})?(Z|[+-]\d\d:\d\d)\Z"),
    st.dates().map(str),
    st.text(max_size=30),
)


def said(texts: list[str | None]) -> tuple[list[Any], set[int]]:
    marks = Marks()
    at, precision, zone = moments(texts, "+08:00", marks)
    found = []
    for one in zip(at.cast(pa.int64()).to_pylist(), precision.to_pylist(), zone.to_pylist(), strict=True):
        found.append(None if one[0] is None else (one[0] // 1000, one[1], one[2]))
    return found, set(marks.by_row)


@settings(deadline=None)  # the first one loads pyarrow
@given(st.lists(TEXTS, max_size=4))
def test_a_column_says_what_each_of_its_texts_says(texts: list[str]) -> None:
    given_, marked = said([*texts])
    expected = [moment_of(text, "+08:00") if text else None for text in texts]
    assert given_ == expected
    assert marked == {row for row, text in enumerate(texts) if text and expected[row] is None}


@pytest.mark.parametrize(
    "text",
    [
        "2020-01-01T00:00:00Z",
        "2020-01-01T00:00:00.250+08:00",
        "1600-01-01T00:00:00-11:30",
        "0001-01-01T00:00:00+05:00",
        "2020-01-01T23:59:60Z",
        "2020-02-30T00:00:00Z",
        "2020-01-01T24:00:00Z",
        "2020-01-01T00:00:00+08:75",
        "２０２０-01-01T00:00:00Z",
        "2020-01-01T00:00:00Z\n",
    ],
)
def test_one_text_is_the_same_alone_and_among_others(text: str) -> None:
    expected = moment_of(text, "+08:00")
    assert said([text])[0] == [expected]
    assert said([text, None, "2019"])[0] == [expected, None, moment_of("2019", "+08:00")]
