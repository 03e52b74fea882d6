"""Counts a table for its description: one pass a kind of question, inside the hospital."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from xinglin.catalogue.canonical import PhysicalColumn
from xinglin.catalogue.profile import LEVELS_PROFILED, ColumnProfile, LevelCount, TableProfile

if TYPE_CHECKING:
    import duckdb

_NUMERIC = {"integer": "CAST({0} AS DOUBLE)", "number": "{0}", "date": "epoch({0}) / 86400.0"}
_NUMERIC["instant"] = _NUMERIC["date"]


def profile_relation(
    engine: duckdb.DuckDBPyConnection, relation: str, name: str, columns: Sequence[PhysicalColumn], person: str
) -> TableProfile:
    """The profile of ``relation`` (a name in ``engine``); ``person`` is its patient key.

    Rows without a person count as rows and stand behind nobody.
    """
    key, source = _quoted(person), _quoted(relation)
    asked = [column for column in columns if column.name != person]
    parts = ["count(*)", f"count(DISTINCT {key})"]
    for column in asked:
        parts += _counts(column, key)
    values: list[Any] = list(engine.execute(f"SELECT {', '.join(parts)} FROM {source}").fetchone() or ())  # noqa: S608
    rows, persons = int(values[0]), int(values[1])
    found = []
    for at, column in enumerate(asked):
        filled, behind, distinct, low, high, longest = values[2 + 6 * at : 8 + 6 * at]
        levels = _levels(engine, source, column, key) if column.holds == "text" and filled else ()
        found.append(
            ColumnProfile(
                column.name,
                column.holds,
                int(filled),
                int(behind),
                int(distinct),
                _real(low),
                _real(high),
                levels,
                int(longest or 0),
            )
        )
    return TableProfile(name, rows, persons, tuple(found))


def _counts(column: PhysicalColumn, key: str) -> list[str]:
    own = _quoted(column.name)
    parts = [
        f"count({own})",
        f"count(DISTINCT {key}) FILTER (WHERE {own} IS NOT NULL)",
        f"approx_count_distinct({own})",
    ]
    number = _NUMERIC.get(column.holds)
    if number is None:
        length = f"max(length({own}))" if column.holds == "text" else "NULL"
        return [*parts, "NULL", "NULL", length]
    value = number.format(own)
    finite = f"FILTER (WHERE isfinite({own}))" if column.holds == "number" else ""
    return [*parts, f"min({value}) {finite}", f"max({value}) {finite}", "NULL"]


def _levels(engine: duckdb.DuckDBPyConnection, source: str, column: PhysicalColumn, key: str) -> tuple[LevelCount, ...]:
    own = _quoted(column.name)
    rows = engine.execute(
        f"SELECT {own}, count(DISTINCT {key}) AS persons FROM {source} WHERE {own} IS NOT NULL "  # noqa: S608
        f"GROUP BY {own} ORDER BY persons DESC, {own} LIMIT {LEVELS_PROFILED}"
    ).fetchall()
    return tuple(LevelCount(str(value), int(persons)) for value, persons in rows)


def _real(value: Any) -> float | None:
    return None if value is None else float(value)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
