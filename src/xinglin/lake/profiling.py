"""Counts a table for its description: one pass a kind of question, inside the hospital."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from xinglin.catalogue.canonical import PhysicalColumn
from xinglin.catalogue.profile import LEVELS_PROFILED, PERSONS_PROFILED, ColumnProfile, LevelCount, TableProfile

Ask = Callable[[str], list[tuple[Any, ...]]]
"""Runs one of this module's SELECTs over the hospital's own tables, and gives its rows."""
_NUMERIC = {"integer": "CAST({0} AS DOUBLE)", "number": "{0}", "date": "epoch({0}) / 86400.0"}
_NUMERIC["instant"] = _NUMERIC["date"]


@contextmanager
def counted(rows: Any, name: str) -> Iterator[Ask]:
    """Rows (an Arrow reader or table) read once, and asked as ``name`` until the end."""
    import duckdb

    # Rows go to no file of the engine's own: they would lie there in clear, wherever the process was started.
    engine = duckdb.connect(":memory:", config={"temp_directory": ""})
    try:
        engine.register("incoming", rows)
        engine.execute(f"CREATE TABLE {_quoted(name)} AS SELECT * FROM incoming")  # noqa: S608 (a quoted name)
        yield lambda sql: engine.execute(sql).fetchall()
    finally:
        engine.close()


def profile_relation(
    ask: Ask, relation: str, name: str, columns: Sequence[PhysicalColumn], person: str
) -> TableProfile:
    """The profile of ``relation`` (a name that ``ask`` knows); ``person`` is its patient key.

    Rows without a person count as rows and stand behind nobody.
    """
    key, source = _quoted(person), _quoted(relation)
    asked = [column for column in columns if column.name != person]
    counts = ["count(*)", f"count(DISTINCT {key})", *(f"count({_quoted(column.name)})" for column in asked)]
    rows, persons, *filled = _one(ask, counts, source)
    found = []
    for column, number in zip(asked, filled, strict=True):
        # Most columns of a canonical table are empty at one hospital: nothing more is asked of those.
        behind, distinct, low, high, longest = _one(ask, _counts(column, key), source) if number else _EMPTY
        levels = _levels(ask, source, column, key) if column.holds == "text" and number else ()
        ends = _ends(ask, source, column, key) if column.holds in ("integer", "number") and number else ((), ())
        low, high, longest = _real(low), _real(high), longest or 0
        found.append(
            ColumnProfile(column.name, column.holds, number, behind, distinct, low, high, levels, longest, *ends)
        )
    return TableProfile(name, rows, persons, tuple(found))


_EMPTY = (0, 0, None, None, None)


def _one(ask: Ask, parts: Sequence[str], source: str) -> tuple[Any, ...]:
    named = ", ".join(f"{part} AS c{at}" for at, part in enumerate(parts))
    return ask(f"SELECT {named} FROM {source}")[0]  # noqa: S608 (quoted names of the node)


def _counts(column: PhysicalColumn, key: str) -> list[str]:
    own = _quoted(column.name)
    parts = [
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


def _ends(ask: Ask, source: str, column: PhysicalColumn, key: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The smallest of each person's smallest numbers, and the largest of their largest."""
    own = _quoted(column.name)
    value = _NUMERIC[column.holds].format(own)
    finite = f"isfinite({own})" if column.holds == "number" else f"{own} IS NOT NULL"

    def ranked(chosen: str, order: str) -> tuple[float, ...]:
        rows = ask(
            f"SELECT {chosen}({value}) AS own FROM {source} WHERE {finite} AND {key} IS NOT NULL "  # noqa: S608
            f"GROUP BY {key} ORDER BY own {order} LIMIT {PERSONS_PROFILED}"
        )
        return tuple(float(row[0]) for row in rows)

    return ranked("min", "ASC"), ranked("max", "DESC")


def _levels(ask: Ask, source: str, column: PhysicalColumn, key: str) -> tuple[LevelCount, ...]:
    own = _quoted(column.name)
    rows = ask(
        f"SELECT {own} AS level, count(DISTINCT {key}) AS persons FROM {source} WHERE {own} IS NOT NULL "  # noqa: S608
        f"GROUP BY {own} ORDER BY persons DESC, level LIMIT {LEVELS_PROFILED}"
    )
    counts = [LevelCount(str(level), int(persons)) for level, persons in rows]
    return tuple(sorted(counts, key=lambda one: (-one.persons, one.value)))


def _real(value: Any) -> float | None:
    return None if value is None else float(value)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
