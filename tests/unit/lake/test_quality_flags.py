"""Flags of a batch: added to rows, never a row taken; cheap."""

from __future__ import annotations

import time
from typing import Any

import pyarrow as pa
from tests.slowness import slowness
from tests.unit.lake.clinic import rates, shaped, visits

from xinglin.lake.quality_flags import flag_rows, flag_tables


def flags(table: str, *rows: dict[str, Any]) -> list[str | None]:
    found = flag_rows(table, shaped(table, rows))
    return found.column("flags").to_pylist()


def test_sound_rows_are_left_alone() -> None:
    table = shaped("observation", rates())
    assert flag_rows("observation", table) is table


def test_faults_become_flags_and_rows_stay() -> None:
    sound, fast, soon = rates(3)
    fast["value_number"], soon["effective"] = 720.0, "2024-12-01T08:00:00+08:00"
    assert flags("observation", sound, fast, soon) == [None, "quality.range", "quality.future"]


def test_flags_stand_behind_those_that_are_there() -> None:
    row = {**rates(1)[0], "value_number": -1.0, "effective": "2031", "flags": "fhir.required_binding"}
    assert flags("observation", row) == ["fhir.required_binding quality.future quality.range"]


def test_orders_and_signs() -> None:
    late = {**visits(1)[0], "ended": "2023-09-30T09:00:00+08:00"}
    assert flags("encounter", visits(2)[1], late) == [None, "quality.order"]
    dose = {"id": "m", "patient": "p", "code": "x", "dose_number": -2.0}
    assert flags("medication", dose) == ["quality.negative"]
    swapped = {**rates(1)[0], "range_low": 9.0, "range_high": 3.0}
    assert flags("observation", swapped) == ["quality.order"]


def test_units_count() -> None:
    warm = {**rates(1)[0], "code": "8310-5", "value_unit": "[degF]", "value_number": 98.6}
    assert flags("observation", warm, {**warm, "value_unit": "Cel"}, {**warm, "value_unit": None}) == [
        None,
        "quality.range",
        None,
    ]


def test_other_tables_pass_through() -> None:
    own = pa.table({"x": [1]})
    assert flag_tables({"product": own})["product"] is own


def test_a_row_costs_less_than_two_microseconds() -> None:
    rows = [{**row, "id": f"{row['id']}-{n}"} for n in range(500) for row in rates()]
    rows[7]["value_number"] = rows[90]["value_number"] = 720.0
    table = shaped("observation", rows)
    flag_rows("observation", table)
    taken = []
    for _ in range(5):
        start = time.process_time()
        found = flag_rows("observation", table)
        taken.append((time.process_time() - start) / table.num_rows)
    assert found.num_rows == table.num_rows
    assert found.column("flags").null_count == table.num_rows - 2
    assert min(taken) < 2e-6 * slowness(), f"{min(taken) * 1e6:.2f} µs a row"
