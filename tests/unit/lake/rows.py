"""Small tables for tests of the lake."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa

from xinglin.catalogue.canonical import SYSTEM_COLUMNS

INSTANT = pa.timestamp("ms", tz="UTC")


def stamps(day: int, count: int) -> pa.Array:
    return pa.array([dt.datetime(2024, 1, day, tzinfo=dt.UTC)] * count, INSTANT)


def condition(batch: int, *rows: tuple[str, str | None, str]) -> pa.Table:
    """Whole versions ``(id, patient, code)`` of one batch; its number is the day of January 2024, too."""
    count = len(rows)
    columns = {column.name: pa.nulls(count, pa.string()) for column in SYSTEM_COLUMNS}
    columns |= {
        "id": pa.array([row[0] for row in rows], pa.string()),
        "patient": pa.array([row[1] for row in rows], pa.string()),
        "version_at": stamps(batch, count),
        "recorded_at": stamps(batch, count),
        "partial": pa.array([False] * count, pa.bool_()),
        "batch": pa.array([batch] * count, pa.int64()),
        "message": pa.array([f"digest-{batch}-{row[0]}" for row in rows], pa.string()),
        "place": pa.array(["x"] * count, pa.string()),
        "code": pa.array([row[2] for row in rows], pa.string()),
    }
    return pa.table(columns)


def link(day: int, *pairs: tuple[str, str | None]) -> pa.Table:
    """Rows of ``person_link``: ``(patient, person)``."""
    count = len(pairs)
    return pa.table(
        {
            "patient": pa.array([pair[0] for pair in pairs], pa.string()),
            "person": pa.array([pair[1] for pair in pairs], pa.string()),
            "version_at": stamps(day, count),
            "recorded_at": stamps(day, count),
            "reason": pa.array(["hospital"] * count, pa.string()),
        }
    )
