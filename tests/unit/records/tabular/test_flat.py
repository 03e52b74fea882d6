"""Workbooks, Parquet and lines of JSON give what the same CSV would."""

from __future__ import annotations

import datetime as dt
import io
from decimal import Decimal
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.unit.records.tabular.conftest import HEAD, PATIENTS

from xinglin.records.errors import Unreadable

Reading = Any
VISITS = (
    HEAD
    + """
[[table]]
into = "encounter"
id = "Encounter/{visit}"
patient = "Patient/{id}"
[table.columns]
started = { column = "started" }
length_days = { column = "days" }
"""
)


def workbook(*sheets: tuple[str, list[list[Any]], list[str]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows, merged in sheets:
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
        for cells in merged:
            sheet.merge_cells(cells)
    held = io.BytesIO()
    book.save(held)
    return held.getvalue()


def test_a_workbook_with_dates_numbers_and_several_sheets(reading: Reading) -> None:
    rows = [
        ["visit", "id", "started", "days"],
        [1.0, 7, dt.datetime(2024, 3, 1, 8, 5), 2.5],
        [2, 8, dt.date(2024, 3, 2), 3],
    ]
    body = workbook(("Visits", rows, []), ("Other", [["a"], [1]], []))
    mapping = VISITS.replace("[[table]]", '[source]\nsheets = ["Vis*"]\n[[table]]')
    found, _ = reading(mapping, body)
    shown = [(row["id"], row["patient"], row["started"], row["length_days"]) for row in found["encounter"]]
    assert shown == [
        ("Encounter/1", "Patient/7", "2024-03-01T08:05:00", 2.5),
        ("Encounter/2", "Patient/8", "2024-03-02", 3.0),
    ]


def test_a_title_and_a_header_of_two_rows_with_merged_cells(reading: Reading) -> None:
    rows = [
        ["Report of March", None, None],
        ["id", "person", None],
        [None, "name", "sex"],
        [1, "Ann", "F"],
        [2, "Bob", "M"],
    ]
    found, _ = reading(PATIENTS, workbook(("S", rows, ["A1:C1", "A2:A3", "B2:C2"])))
    assert [(row["id"], row["name"], row["place"]) for row in found["patient"]] == [
        ("Patient/1", "Ann", "S line 4"),
        ("Patient/2", "Bob", "S line 5"),
    ]


def test_parquet_of_typed_columns(reading: Reading) -> None:
    table = pa.table(
        {
            "visit": pa.array([1, 2], pa.int64()),
            "id": pa.array(["a", "b"]).dictionary_encode(),
            "started": pa.array([dt.datetime(2024, 3, 1, 8), None], pa.timestamp("us")),
            "days": pa.array([Decimal("2.50"), None], pa.decimal128(8, 2)),
        }
    )
    held = io.BytesIO()
    pq.write_table(table, held)
    found, _ = reading(VISITS, held.getvalue())
    shown = [(row["id"], row["patient"], row["started"], row["length_days"]) for row in found["encounter"]]
    assert shown == [("Encounter/1", "Patient/a", "2024-03-01T08:00:00", 2.5), ("Encounter/2", "Patient/b", None, None)]
    with pytest.raises(Unreadable):
        reading(VISITS, held.getvalue()[:200] + b"PAR1")


def test_lines_of_json_keep_their_digits_and_bad_lines_are_unread(reading: Reading) -> None:
    body = b'{"id": 1, "name": 1.10}\n\nnot json\n{"id": 2, "name": "B", "more": true}\n[1]\n{"id": 3}\n'
    found, reads = reading(PATIENTS, body)
    assert [row["name"] for row in found["patient"]] == ["1.10", "B", None]
    assert {one.place for read in reads for one in read.unread} == {"line 3", "line 5"}
