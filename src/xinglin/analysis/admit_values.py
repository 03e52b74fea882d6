"""What admission knows about an expression, and the interval rules that carry published ranges through it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

import msgspec

from xinglin.analysis.admit_model import GRADES, KNOWN_LEVELS, KNOWN_VALUES
from xinglin.kernel.verdict import Reason

CONSTANT, PLAIN, CHOSEN = "constant", "plain", "chosen"
_CONDITION = 1_000.0
"""A divisor's published range may span at most this ratio: 1/(age - 97 + tiny) would be a hidden predicate."""
_GRAIN, _FAR, _EXACT = 2.0**32, 1e9, 2.0**53
"""A sum is at most this many times larger than the range of what is added, or it rounds it: (age + 9e17) - 9e17."""
DEGREE = 4
"""Columns multiplied in one value: a product of many differences is a hidden predicate."""


class Refused(Exception):
    """Carries the reasons up to ``admit``, which turns them into ``Denied``."""

    def __init__(self, reasons: tuple[Reason, ...]) -> None:
        super().__init__(reasons[0].code)
        self.reasons = reasons


def refusal(code: str, words: str, remedy: str = "") -> Refused:
    """A ``Refused`` of one reason, to raise; ``code`` is below ``sql.``."""
    return Refused((Reason(f"sql.{code}", words, remedy),))


def refuse(code: str, words: str, remedy: str = "") -> NoReturn:
    """Raise ``refusal`` of the same arguments."""
    raise refusal(code, words, remedy)


class Value(msgspec.Struct, frozen=True):
    """An expression already written as SQL, with everything known about it.

    ``role``: *constant*; *plain* (computed from columns without a choice); *chosen* (a constant picked by a
    predicate). ``bare``: a column as published. ``filtered``: a predicate can make it NULL. ``stepped``:
    its shape can single out a narrow range, so it meets no other column. ``degree``: columns multiplied.
    ``layered``: holds an aggregate or a window (DuckDB's TRY takes neither).
    """

    sql: str
    kind: str
    low: float | None = None
    high: float | None = None
    levels: tuple[str, ...] = ()
    values: tuple[float, ...] = ()
    integer: bool = False
    role: str = PLAIN
    bare: bool = False
    filtered: bool = False
    stepped: bool = False
    layered: bool = False
    degree: int = 1
    grade: str = "L1"
    sources: frozenset[str] = frozenset()

    @property
    def bounded(self) -> bool:
        """Whether both ends of the range are known."""
        return self.low is not None and self.high is not None

    def with_(self, **changes: Any) -> Value:
        """This value with other facts."""
        return msgspec.structs.replace(self, **changes)


def highest(grades: Iterable[str]) -> str:
    """The highest of the grades (``L1`` of none)."""
    return max(grades, key=GRADES.index, default=GRADES[0])


def number(value: float) -> Value:
    """A numeric constant."""
    text = f"CAST({value!r} AS DOUBLE)" if value >= 0 else f"(-CAST({-value!r} AS DOUBLE))"
    return Value(text, "number", value, value, values=(value,), integer=value.is_integer(), role=CONSTANT, degree=0)


def quote_text(text: str) -> str:
    """A text literal."""
    return "'" + text.replace("'", "''") + "'"


def null() -> Value:
    """The NULL constant; it fits every kind."""
    return Value("NULL", "null", role=CONSTANT, filtered=True, degree=0)


def merged(sql: str, kind: str, parts: Iterable[Value], **facts: Any) -> Value:
    """A value computed from ``parts``: lineage, grade and dependences are joined, ``facts`` added."""
    known = list(parts)
    base: dict[str, Any] = {
        "filtered": any(p.filtered for p in known),
        "stepped": any(p.stepped for p in known),
        "layered": any(p.layered for p in known),
        "degree": max((p.degree for p in known), default=0),
        "grade": highest(p.grade for p in known),
        "sources": frozenset().union(*(p.sources for p in known)),
        "role": _joint_role(known),
    }
    return Value(sql, kind, **{**base, **facts})


def _joint_role(parts: list[Value]) -> str:
    roles = {p.role for p in parts}
    if PLAIN in roles:
        return PLAIN
    return CHOSEN if CHOSEN in roles else CONSTANT


def truth(sql: str, parts: Iterable[Value]) -> Value:
    """A boolean computed from ``parts``: always a choice, unless all are constant."""
    known = list(parts)
    role = CONSTANT if known and all(p.role == CONSTANT and not p.filtered for p in known) else CHOSEN
    return merged(sql, "boolean", known, role=role, stepped=False, filtered=False, degree=1)


def need_number(value: Value, place: str) -> Value:
    """``value`` as a number; a boolean counts as 0 or 1."""
    if value.kind == "null":
        return value.with_(sql="CAST(NULL AS DOUBLE)", kind="number", low=0.0, high=0.0, integer=True)
    if value.kind == "boolean":
        return value.with_(
            sql=f"CAST({value.sql} AS DOUBLE)", kind="number", low=0.0, high=1.0, values=(0.0, 1.0), integer=True,
            levels=(),
        )  # fmt: skip
    if value.kind != "number":
        refuse("kind", f"{place} takes a number, not a {value.kind}.", "Turn it into a number first.")
    return value


def finite(sql: str) -> str:
    """``sql`` (DOUBLE) with NaN and infinities as NULL, without writing it twice."""
    for bad in ("nan", "infinity", "-infinity"):
        sql = f"NULLIF({sql}, CAST('{bad}' AS DOUBLE))"
    return sql


def widened(low: float | None, high: float | None, exact: bool) -> tuple[float | None, float | None]:
    """The range with rounding allowed for; unknown when an end is not finite."""
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return None, None
    if exact:
        return low, high
    return math.nextafter(low, -math.inf), math.nextafter(high, math.inf)


def values_of(a: Value, b: Value, rule: Callable[[float, float], float | None]) -> tuple[float, ...]:
    """What two chosen numbers can give together, or () when not listed or too many."""
    if not a.values or not b.values or len(a.values) * len(b.values) > KNOWN_VALUES.value**2:
        return ()
    results = {r for x in a.values for y in b.values if (r := rule(x, y)) is not None}
    short = len(results) <= KNOWN_VALUES.value and all(math.isfinite(r) for r in results)
    return tuple(sorted(results)) if short else ()


def arithmetic(op: str, a: Value, b: Value) -> Value:
    """``a op b`` for ``+ - * /`` on numbers, under the rule that a choice meets no other column."""
    a, b = need_number(a, f"'{op}'"), need_number(b, f"'{op}'")
    _check_meeting(op, a, b)
    rule = _RULES[op]
    low, high = _range(op, a, b)
    if op in "+-":
        _check_grain(op, a, b, low, high)
    integer = op != "/" and a.integer and b.integer
    sql = f"({a.sql} / NULLIF({b.sql}, CAST(0 AS DOUBLE)))" if op == "/" else f"({a.sql} {op} {b.sql})"
    value = merged(finite(sql) if op in "*/" and low is None else sql, "number", (a, b))
    return value.with_(low=low, high=high, integer=integer, values=values_of(a, b, rule), degree=_degree(op, a, b))


def _check_meeting(op: str, a: Value, b: Value) -> None:
    if op == "/" and b.role == PLAIN and not well_conditioned(b.low, b.high):
        refuse(
            "hidden_value",
            "A divisor has a range that comes near zero, or none.",
            "Divide only by columns whose published range stays away from zero.",
        )
    if CONSTANT in (a.role, b.role) or a.role == b.role == CHOSEN:
        return
    if CHOSEN in (a.role, b.role):
        refuse(
            "hidden_value",
            f"'{op}' combines a value that depends on a condition with another column.",
            "Filter with WHERE, or give the condition as a column of its own.",
        )
    if a.stepped or b.stepped:
        refuse(
            "hidden_value",
            f"'{op}' combines a clipped, rounded or otherwise stepped value with another column.",
            "Combine the columns first and round last.",
        )
    if op in "*/" and not (a.bounded and b.bounded):
        refuse("unbounded", f"'{op}' combines columns of which one has no known range.", "Use columns with a range.")


def _check_grain(op: str, a: Value, b: Value, low: float | None, high: float | None) -> None:
    """Doubles keep 53 bits: what is added to something far larger becomes a step, and a step is a hidden predicate."""
    if a.role == b.role == CONSTANT:
        return
    size = None if low is None or high is None else max(abs(low), abs(high))
    if a.integer and b.integer and size is not None and size < _EXACT:
        return
    if size is not None:
        widths = [v.high - v.low for v in (a, b) if v.low is not None and v.high is not None and v.high > v.low]
        lost = bool(widths) and size > _GRAIN * min(widths)
    else:
        ends = [abs(end) for v in (a, b) for end in (v.low, v.high) if end is not None]
        lost = any(end > _FAR for end in ends) or any(v.role == PLAIN and not (v.bounded or v.bare) for v in (a, b))
    if lost:
        refuse(
            "hidden_value",
            f"'{op}' adds numbers of such different size that the smaller one is rounded.",
            "Add numbers of like size, or bound a column first: LEAST(GREATEST(x, low), high).",
        )


def well_conditioned(low: float | None, high: float | None) -> bool:
    """Whether a range keeps its sign and spans at most a ratio of 1,000."""
    if low is None or high is None or low <= 0 <= high:
        return False
    small, large = sorted((abs(low), abs(high)))
    return large / small <= _CONDITION


def _degree(op: str, a: Value, b: Value) -> int:
    degree = a.degree + b.degree if op in "*/" else max(a.degree, b.degree)
    if degree > DEGREE and PLAIN in (a.role, b.role):
        refuse("hidden_value", f"A value multiplies more than {DEGREE} columns.", "Use a lower degree.")
    return degree


def _quotient(x: float, y: float) -> float | None:
    return None if y == 0 else x / y


_RULES: dict[str, Callable[[float, float], float | None]] = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "/": _quotient,
}


def _range(op: str, a: Value, b: Value) -> tuple[float | None, float | None]:
    if a.low is None or a.high is None or b.low is None or b.high is None:
        return None, None
    if op == "/" and b.low <= 0 <= b.high:
        return None, None
    ends = [r for x in (a.low, a.high) for y in (b.low, b.high) if (r := _RULES[op](x, y)) is not None]
    exact = op != "/" and a.integer and b.integer and max(map(abs, ends)) < 2**53
    return widened(min(ends), max(ends), exact)


def few(value: Value) -> Value:
    """A stepped number that takes few whole values counts as chosen among them."""
    if not value.stepped or not value.integer or value.low is None or value.high is None:
        return value
    if value.high - value.low >= KNOWN_VALUES.value:
        return value
    values = tuple(float(v) for v in range(math.ceil(value.low), math.floor(value.high) + 1))
    return value.with_(role=CHOSEN, stepped=False, values=values, degree=1)


def negated(a: Value) -> Value:
    """``-a``."""
    a = need_number(a, "'-'")
    low = None if a.high is None else -a.high
    high = None if a.low is None else -a.low
    return a.with_(sql=f"(-{a.sql})", low=low, high=high, values=tuple(sorted(-v for v in a.values)), bare=False)


def picked(sql: str, branches: list[Value], conditions: list[Value], *, null_possible: bool) -> Value:
    """A value picked among ``branches`` by ``conditions`` (CASE, IF): constants, categories, or one column.

    A number or date that changes between a column and something else is refused: it could hide one
    person's value in a mean. ``null_possible``: the pick may also be NULL.
    """
    kind = joint_kind(branches)
    real = [b for b in branches if b.kind != "null"]
    facts = merged(sql, kind, [*branches, *conditions])
    null_possible = null_possible or len(real) < len(branches)
    if kind in ("category", "boolean"):
        return facts.with_(role=CHOSEN, levels=joint_levels(real), degree=1, stepped=False, filtered=null_possible)
    if all(b.role != PLAIN for b in real):
        return _chosen_number(facts, real, null_possible)
    if len({b.sql for b in real}) > 1:
        refuse(
            "hidden_value",
            "A condition chooses between a column and something else.",
            "Let the other branch be NULL, or filter with WHERE.",
        )
    one = real[0]
    return facts.with_(
        role=PLAIN, low=one.low, high=one.high, integer=one.integer, stepped=one.stepped, degree=one.degree,
        filtered=True, values=(),
    )  # fmt: skip


def _chosen_number(facts: Value, real: list[Value], null_possible: bool) -> Value:
    values = tuple(sorted({v for b in real for v in b.values})) if all(b.values for b in real) else ()
    if len(values) > KNOWN_VALUES.value:
        values = ()
    low, high = hull(real)
    return facts.with_(
        role=CHOSEN, low=low, high=high, values=values, integer=all(b.integer for b in real), degree=1,
        stepped=False, filtered=null_possible,
    )  # fmt: skip


def hull(values: list[Value]) -> tuple[float | None, float | None]:
    """The range that covers all of ``values``."""
    lows, highs = [v.low for v in values], [v.high for v in values]
    known_lows, known_highs = [x for x in lows if x is not None], [x for x in highs if x is not None]
    if not values or len(known_lows) < len(lows) or len(known_highs) < len(highs):
        return None, None
    return min(known_lows), max(known_highs)


def joint_kind(values: list[Value]) -> str:
    """The one kind of ``values`` (NULL fits any), or refused."""
    kinds = {v.kind for v in values} - {"null"}
    if not kinds:
        refuse("kind", "A value is NULL in every branch.", "Give it a value.")
    if len(kinds) > 1:
        refuse("kind", f"Branches differ in kind: {', '.join(sorted(kinds))}.", "Use one kind.")
    return kinds.pop()


def joint_levels(values: list[Value]) -> tuple[str, ...]:
    """All levels together; () when one is unknown or there are too many."""
    if any(v.kind == "category" and not v.levels for v in values):
        return ()
    levels = tuple(sorted({level for v in values for level in v.levels}))
    return levels if len(levels) <= KNOWN_LEVELS.value else ()
