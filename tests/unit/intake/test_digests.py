"""Digests of rows that stand column by column: what they are of, written out, and that they stay the same for ever."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import pytest

from xinglin.intake.digests import RowDigests
from xinglin.records.model import Mapped, Turned, is_empty, turned
from xinglin.records.shape import shape_parts

KEY = bytes(range(32))
COLUMNS = ("id", "patient", "value_number", "place", "flags", "version_at")
GOLDEN = "faa566d3308e50f46b9cdf81c54c980a12bed74d6116d3779f77e172cf4b2f7f"
ROWS: list[tuple[Any, ...]] = [
    ("Observation/1", "Patient/1", 5, "entry[0]", None, None),
    ("Observation/2", "Patient/1", 5.0, "entry[1]", "shape.bad_time", 1_700_000_000_000),
    ("Observation/3", "Patient/2", True, "entry[2]", "", 0),
    ("Observation/4#1", None, {"odd": ["值", None]}, "", None, None),
]


def fact(row: tuple[Any, ...]) -> bytes:
    name = b"lab\x00observation" + f"\x00{row[0]}\x00{row[5] or 0}".encode()
    return hashlib.blake2b(name, digest_size=16, key=KEY, person=b"xinglin.fact").digest()


def content(row: tuple[Any, ...]) -> bytes:
    told = "\x00".join(COLUMNS).encode() + msgspec.msgpack.encode([*row[:3], *row[4:]])
    return hashlib.blake2b(told, digest_size=16, key=KEY, person=b"xinglin.content").digest()


@pytest.mark.parametrize("rows", [ROWS, ROWS[:1], ROWS[:1] * 3, ROWS[1:2]])
def test_each_row_has_the_digests_of_its_fact_and_of_what_it_says(rows: list[tuple[Any, ...]]) -> None:
    digests, given = RowDigests(KEY, "lab", "observation", COLUMNS), turned(Mapped("observation", COLUMNS, rows))
    assert digests.facts(given.values, given.count) == b"".join(map(fact, rows))
    assert digests.contents(given.values, given.count) == b"".join(map(content, rows))
    assert [digests.fact(row) for row in rows] == [fact(row) for row in rows]


def test_digests_stay_what_ledgers_hold() -> None:
    digests, given = RowDigests(KEY, "lab", "observation", COLUMNS), turned(Mapped("observation", COLUMNS, ROWS))
    told = digests.facts(given.values, given.count) + digests.contents(given.values, given.count)
    told += b"".join(map(digests.name, given.column("id")))
    assert hashlib.sha256(told).hexdigest() == GOLDEN


def test_a_whole_number_and_a_fraction_of_the_same_value_differ() -> None:
    whole, fraction = ROWS[0], (*ROWS[0][:2], 5.0, *ROWS[0][3:])
    assert content(whole) != content(fraction)


def test_rows_turned_to_columns_and_back_are_the_same() -> None:
    mapped = Mapped("observation", COLUMNS, ROWS, (("value_number", "number"),))
    columns = turned(mapped)
    assert columns.mapped() == mapped
    assert columns.column("patient") == ("Patient/1", "Patient/1", "Patient/2", None)
    assert columns.only([True, False, False, True]).mapped().rows == [ROWS[0], ROWS[3]]
    assert columns.only([False] * 4).count == 0
    empty = turned(Mapped("observation", COLUMNS, []))
    assert empty == Turned("observation", COLUMNS, ((),) * 6, 0)
    assert empty.mapped().rows == []
    with pytest.raises(ValueError, match="not in tuple"):
        columns.column("other")


def test_a_column_of_falsehoods_is_not_empty() -> None:
    assert is_empty([None, None])
    assert not any(map(is_empty, ([None, 0], [False], [""], [None, "x"])))


def test_rows_and_columns_are_shaped_alike() -> None:
    from xinglin.intake.preparing import Origin

    origin = Origin("lab", "his", "ab" * 32, 1_700_000_000_000, "+08:00")
    names = ("id", "patient", "effective", "value_number", "place", "flags", "version_at")
    rows: list[tuple[Any, ...]] = [
        (f"Observation/{n}", "Patient/1", "2024-01-0" + str(n % 12), str(n), f"entry[{n}]", None, None)
        for n in range(600)
    ]
    mapped = Mapped("observation", names, rows)
    by_row = shape_parts("observation", [(mapped, origin)], 1, 0)
    halves = [turned(Mapped("observation", names, part)) for part in (rows[:250], rows[250:])]
    assert shape_parts("observation", [(half, origin) for half in halves], 1, 0).equals(by_row)
    assert by_row.column("flags").null_count < 600  # days that are none are flagged alike
