"""Dates in a study's SQL: every date is a TIMESTAMP; published ranges are days since 1970-01-01."""

from __future__ import annotations

import math
from datetime import datetime

from sqlglot import exp

from xinglin.analysis import admit_values as av
from xinglin.analysis.admit_dispatch import Rule, constant_integer, constant_number, constant_text, expression
from xinglin.analysis.admit_scope import Scope, only
from xinglin.analysis.admit_values import Value, refuse

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  (the engine's TIMESTAMP has no zone)
_UNIT_DAYS = {
    "year": (365.0, 366.0),
    "quarter": (90.0, 92.0),
    "month": (28.0, 31.0),
    "week": (7.0, 7.0),
    "day": (1.0, 1.0),
    "hour": (1 / 24, 1 / 24),
    "minute": (1 / 1440, 1 / 1440),
}
_PART_RANGES = {
    "year": (1.0, 9999.0),
    "quarter": (1.0, 4.0),
    "month": (1.0, 12.0),
    "week": (1.0, 53.0),
    "day": (1.0, 31.0),
    "hour": (0.0, 23.0),
    "dow": (0.0, 6.0),
    "isodow": (1.0, 7.0),
}
_EVEN = ("day", "hour", "minute")
_SHIFT = 1_000_000


def as_date(value: Value) -> Value:
    """``value`` as a date: a date, NULL, or a text constant that spells one."""
    if value.kind == "date":
        return value
    if value.kind == "null":
        return value.with_(sql="CAST(NULL AS TIMESTAMP)", kind="date")
    if value.kind == "category" and value.role == av.CONSTANT and len(value.levels) == 1:
        return _constant_date(value.levels[0])
    raise av.refusal("kind", f"A date is needed here, not a {value.kind}.", "Write DATE '2024-01-31'.")


def _constant_date(text: str) -> Value:
    try:
        stamp = datetime.fromisoformat(text)
    except ValueError:
        refuse("literal", "A date constant is not an ISO 8601 date or time.", "Write DATE '2024-01-31'.")
    if stamp.tzinfo is not None or stamp.year < 1000:
        refuse("literal", "A date constant carries no zone and lies after the year 999.")
    days = (stamp - _EPOCH).total_seconds() / 86_400
    sql = f"CAST('{stamp.isoformat(sep=' ')}' AS TIMESTAMP)"
    return Value(sql, "date", math.floor(days), math.floor(days), role=av.CONSTANT, degree=0)


def shifted(value: Value, interval: exp.Expression, scope: Scope, op: str) -> Value:
    """A date plus or minus a constant interval."""
    only(interval, "this", "unit")
    unit = _unit(interval.args.get("unit"))
    amount_node = interval.this
    if isinstance(amount_node, exp.Literal):
        try:
            amount = float(str(amount_node.this))
        except ValueError:
            refuse("literal", "An interval is a whole number and a unit.")
    else:
        amount = constant_number(amount_node, scope, "An interval")
    if not amount.is_integer() or abs(amount) > _SHIFT:
        refuse("constant", f"An interval is a whole number up to {_SHIFT}.")
    return _moved(as_date(value), int(amount) if op == "+" else -int(amount), unit)


def _moved(date: Value, amount: int, unit: str) -> Value:
    short, long = _UNIT_DAYS[unit]
    ends = sorted((amount * short, amount * long))
    low = None if date.low is None else math.floor(date.low + ends[0])
    high = None if date.high is None else math.ceil(date.high + ends[1])
    interval = f"to_{unit}s(CAST({amount} AS BIGINT))" if unit in ("hour", "minute") else ""
    interval = interval or f"to_{unit}s(CAST({amount} AS INTEGER))"
    sql = f"({date.sql} + {interval})"
    # Moved by other than whole days, a date falls on the other side of a midnight or of a month's end: a step.
    stepped = date.stepped or (date.role == av.PLAIN and unit not in ("day", "week"))
    return date.with_(sql=sql if date.layered else f"TRY({sql})", low=low, high=high, bare=False, stepped=stepped)


def date_arithmetic(op: str, a: Value, b: Value) -> Value:
    """``date - date`` in whole days, or a date moved by a constant number of days."""
    if op == "-" and a.kind == "date" and b.kind != "number":
        return difference("day", as_date(b), a)
    date, number = (a, b) if a.kind == "date" else (b, a)
    if date.kind != "date" or number.kind != "number" or (op == "-" and date is b):
        refuse("kind", f"'{op}' does not take a {a.kind} and a {b.kind}.", "Use date_diff or an INTERVAL.")
    if number.role != av.CONSTANT or not number.values or not number.values[0].is_integer():
        refuse("constant", "A date moves by a constant number of days.", "Use date_diff to compare two dates.")
    if abs(number.values[0]) > _SHIFT:
        refuse("constant", f"A date moves by at most {_SHIFT} days.")
    amount = int(number.values[0])
    return _moved(date, amount if op == "+" else -amount, "day")


def difference(unit: str, start: Value, end: Value) -> Value:
    """The number of ``unit`` boundaries from ``start`` to ``end``; refused where a choice meets a column."""
    if av.CHOSEN in (start.role, end.role) and av.PLAIN in (start.role, end.role):
        refuse("hidden_value", "A date that depends on a condition is compared with a column.", "Filter with WHERE.")
    if (start.stepped or end.stepped) and start.role == end.role == av.PLAIN:
        refuse("hidden_value", "A truncated date is compared with another column.", "Truncate last.")
    low, high = _difference_range(unit, start, end)
    sql = f"CAST(date_diff('{unit}', {start.sql}, {end.sql}) AS DOUBLE)"
    value = av.merged(sql, "number", (start, end), low=low, high=high, integer=True)
    return value.with_(stepped=value.stepped or (unit not in _EVEN and value.role == av.PLAIN))


def _difference_range(unit: str, start: Value, end: Value) -> tuple[float | None, float | None]:
    if start.low is None or start.high is None or end.low is None or end.high is None:
        return None, None
    first, last = end.low - start.high, end.high - start.low
    if unit == "day":
        return first, last
    short, long = _UNIT_DAYS[unit]
    low = math.floor((first - 1) / (short if first < 1 else long)) - 1
    high = math.ceil((last + 1) / (long if last < -1 else short)) + 1
    return float(max(low, 0) if first >= 0 else low), float(min(high, 0) if last <= 0 else high)


def _unit(node: exp.Expression | None) -> str:
    name = (node.name if node is not None else "day").lower().rstrip("s")
    if name not in _UNIT_DAYS:
        refuse("constant", f"Units are {', '.join(_UNIT_DAYS)}.")
    return name


def _date_diff(node: exp.Expression, scope: Scope) -> Value:
    only(node, "this", "expression", "unit")
    end, start = expression(node.this, scope), expression(node.expression, scope)
    return difference(_unit(node.args.get("unit")), as_date(start), as_date(end))


def _part(name: str) -> Rule:
    def rule(node: exp.Expression, scope: Scope) -> Value:
        only(node, "this")
        return _part_of(name, as_date(expression(node.this, scope)))

    return rule


def _part_of(name: str, date: Value) -> Value:
    low, high = _PART_RANGES[name]
    if name == "year":
        low = low if date.low is None else float(1970 + math.floor((date.low - 3) / 365.2425))
        high = high if date.high is None else float(1970 + math.ceil((date.high + 3) / 365.2425))
    sql = f"CAST(date_part('{name}', {date.sql}) AS DOUBLE)"
    facts = av.merged(sql, "number", (date,), low=low, high=high, integer=True)
    return facts.with_(stepped=date.role == av.PLAIN)


def _extract(node: exp.Expression, scope: Scope) -> Value:
    only(node, "this", "expression")
    name = node.this.name.lower()
    if name not in _PART_RANGES:
        refuse("constant", f"Parts of a date are {', '.join(_PART_RANGES)}.")
    return _part_of(name, as_date(expression(node.expression, scope)))


def _trunc(node: exp.Expression, scope: Scope) -> Value:
    only(node, "this", "unit")
    unit = _unit(node.args.get("unit"))
    date = as_date(expression(node.this, scope))
    low = None if date.low is None else date.low - math.ceil(_UNIT_DAYS[unit][1])
    return av.merged(f"date_trunc('{unit}', {date.sql})", "date", (date,), low=low, high=date.high).with_(
        stepped=date.role == av.PLAIN and unit not in _EVEN
    )


def _make_date(node: exp.Expression, scope: Scope) -> Value:
    only(node, "year", "month", "day")
    limits = {"year": (1000, 9999), "month": (1, 12), "day": (1, 31)}
    parts = [constant_integer(node.args[k], scope, "make_date", *span) for k, span in limits.items()]
    return _constant_date(f"{parts[0]:04d}-{parts[1]:02d}-{parts[2]:02d}")


def _anonymous(node: exp.Expression, scope: Scope) -> Value:
    name, parts = str(node.this).lower(), node.args.get("expressions") or []
    if name == "date_part" and len(parts) == 2:
        part = constant_text(parts[0], scope, "date_part").lower()
        if part not in _PART_RANGES:
            refuse("constant", f"Parts of a date are {', '.join(_PART_RANGES)}.")
        return _part_of(part, as_date(expression(parts[1], scope)))
    raise av.refusal(
        "not_admitted", f"The function {name[:40]!r} is not admitted.", "See the list of admitted functions."
    )


DATE_RULES: dict[type[exp.Expression], Rule] = {
    exp.DateDiff: _date_diff,
    exp.Year: _part("year"),
    exp.Quarter: _part("quarter"),
    exp.Month: _part("month"),
    exp.Week: _part("week"),
    exp.Day: _part("day"),
    exp.Hour: _part("hour"),
    exp.DayOfWeek: _part("dow"),
    exp.DayOfWeekIso: _part("isodow"),
    exp.Extract: _extract,
    exp.DateTrunc: _trunc,
    exp.TimestampTrunc: _trunc,
    exp.DateFromParts: _make_date,
    exp.Anonymous: _anonymous,
}
