"""A study's view as admission reads it: typed, within its published range, person code beside."""

from __future__ import annotations

import math

from xinglin.analysis import admit_values as av
from xinglin.analysis.admit_fan_out import of_view
from xinglin.analysis.admit_model import GRADES, KINDS, ViewColumn, ViewSchema
from xinglin.analysis.admit_scope import PERSON, Query
from xinglin.analysis.admit_values import Value, quote_text

_DAY_LIMIT = 2_900_000.0
"""Dates beyond about the year 9900 are read as missing, so that moving a date cannot fail."""


def base_query(name: str, schema: ViewSchema) -> Query:
    """The view's columns as ``k0 …``; what lies outside the published domain is NULL. Identifiers are left out."""
    columns = [column for column in schema.columns if not column.identifier]
    listed = "".join(f', {_clipped(column)} AS "k{i}"' for i, column in enumerate(columns))
    relation = quoted(schema.relation or name)
    sql = f"SELECT {PERSON}{listed} FROM {relation} WHERE {PERSON} IS NOT NULL"  # noqa: S608 (quoted names of the node's own schema)
    withheld = frozenset(column.name.lower() for column in schema.columns if column.identifier)
    described = tuple((c.name, _value(name, c)) for c in columns)
    return Query(sql, described, frozenset(), GRADES[0], 1, withheld, of_view(name))


def quoted(identifier: str) -> str:
    """A quoted identifier."""
    return '"' + identifier.replace('"', '""') + '"'


def _clipped(column: ViewColumn) -> str:
    source = quoted(column.name)
    if column.kind == "number":
        number = av.finite(f"TRY_CAST({source} AS DOUBLE)")
        low = -1e30 if column.low is None else column.low
        high = 1e30 if column.high is None else column.high
        return f"CASE WHEN TRY_CAST({source} AS DOUBLE) BETWEEN {low!r} AND {high!r} THEN {number} END"
    if column.kind == "date":
        return _clipped_date(column, source)
    if column.kind == "boolean":
        return f"TRY_CAST({source} AS BOOLEAN)"
    text = f"CAST({source} AS VARCHAR)"
    if column.kind == "category" and column.levels:
        return f"CASE WHEN {text} IN ({', '.join(quote_text(level) for level in column.levels)}) THEN {text} END"
    return text


def _clipped_date(column: ViewColumn, source: str) -> str:
    low = -_DAY_LIMIT / 4 if column.low is None else column.low
    high = _DAY_LIMIT if column.high is None else column.high + 1
    stamp = f"TRY_CAST({source} AS TIMESTAMP)"
    epoch = f"date_diff('second', CAST('1970-01-01' AS TIMESTAMP), {stamp}) / 86400.0"
    return f"CASE WHEN isfinite({stamp}) THEN CASE WHEN {epoch} >= {low!r} AND {epoch} < {high!r} THEN {stamp} END END"


def _value(view: str, column: ViewColumn) -> Value:
    if column.kind not in KINDS or column.grade not in GRADES:
        raise ValueError(f"column {column.name!r}: kind and grade come from {KINDS} and {GRADES}")
    whole = column.integer and column.kind == "number"
    binary = whole and column.low is not None and column.high is not None and column.high - column.low <= 1
    chosen = column.chosen or binary or column.kind in ("category", "boolean", "key")
    values = column.values
    if binary and not values and column.low is not None and column.high is not None:
        values = tuple(sorted({float(math.ceil(column.low)), float(math.floor(column.high))}))
    low = None if column.low is None else float(column.low)
    high = None if column.high is None else float(column.high)
    return Value(
        "", column.kind, low, high, column.levels, values, whole,
        av.CHOSEN if chosen else av.PLAIN, bare=not (chosen or column.stepped),
        filtered=column.filtered, stepped=column.stepped, grade=column.grade,
        sources=frozenset({f"{view}.{column.name}"}),
    )  # fmt: skip
