"""Admitted scalar functions; each writes SQL that gives NULL where it would fail."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from sqlglot import exp

from xinglin.analysis import admit_values as av
from xinglin.analysis.admit_dates import as_date
from xinglin.analysis.admit_dispatch import Rule, constant_integer, constant_number, constant_text, expression
from xinglin.analysis.admit_model import KNOWN_LEVELS, KNOWN_VALUES
from xinglin.analysis.admit_scope import Scope, only
from xinglin.analysis.admit_values import Value, refuse

_PATTERN_CHARACTERS, _WILDCARDS, _SPAN = 100, 8, 12.0
_DECIMALS = 6
_CLAMP = re.compile(r"(CASE WHEN NOT \(.*\) THEN )?(greatest|least)\(")


def _one_number(node: exp.Expression, scope: Scope, name: str) -> Value:
    value = av.need_number(expression(node.this, scope), name)
    if value.stepped:
        refuse(
            "hidden_value",
            f"{name} takes a clipped or rounded value: together they can single out a narrow range.",
            "Apply one of the two.",
        )
    return value


def _mapped(value: Value, sql: str, rule: Callable[[float], float], **facts: object) -> Value:
    """A number computed from one number by a monotone or otherwise known ``rule``."""
    values = tuple(sorted({y for x in value.values if (y := _safe(rule, x)) is not None}))
    return value.with_(sql=sql, values=values, bare=False, **facts)


def _safe(rule: Callable[[float], float], x: float | None) -> float | None:
    if x is None:
        return None
    try:
        y = rule(x)
    except (ValueError, OverflowError, ZeroDivisionError):
        return None
    return None if isinstance(y, complex) or not math.isfinite(y) else float(y)


def _smooth(value: Value, sql: str, rule: Callable[[float], float], admissible: bool) -> Value:
    """A smooth function: the range follows where ``admissible``, else it must be declared and meets no column."""
    points: list[float | None] = [value.low, value.high] if admissible else []
    if value.role != av.PLAIN and value.values:
        points = list(value.values)
    ends = [_safe(rule, point) for point in points]
    known = [y for y in ends if y is not None]
    plain = value.role == av.PLAIN
    if not known or (admissible and len(known) < len(ends)):
        return _mapped(value, sql, rule, low=None, high=None, integer=False, stepped=plain, degree=value.degree)
    low, high = av.widened(min(known), max(known), exact=False)
    degree = value.degree + ((max(1, value.degree) if rule is math.exp else 1) if plain else 0)
    if degree > av.DEGREE:
        refuse("hidden_value", "A function of a function of a column singles out a narrow range.", "Apply one of them.")
    return _mapped(value, sql, rule, low=low, high=high, integer=False, degree=degree)


def _positive(value: Value) -> bool:
    return value.low is not None and value.high is not None and value.low > 0 and value.high / value.low <= 1e6


def _logarithm(value: Value, base: float | None) -> Value:
    inner = f"ln(NULLIF(greatest({value.sql}, CAST(0 AS DOUBLE)), CAST(0 AS DOUBLE)))"
    if base is None:
        return _smooth(value, av.finite(inner), math.log, _positive(value))
    sql = av.finite(f"({inner} / CAST({math.log(base)!r} AS DOUBLE))")
    return _smooth(value, sql, lambda x: math.log(x) / math.log(base), _positive(value))


def _ln(node: exp.Expression, scope: Scope) -> Value:
    only(node, "this")
    return _logarithm(_one_number(node, scope, "ln"), None)


def _log(node: exp.Expression, scope: Scope) -> Value:
    only(node, "this", "expression")
    if node.args.get("expression") is None:
        return _logarithm(_one_number(node, scope, "log"), 10.0)
    base = constant_number(node.this, scope, "The base of log")
    if not 1 < base <= 1000:
        refuse("constant", "The base of log lies above 1 and up to 1000.")
    return _logarithm(_one_number(exp.Paren(this=node.expression), scope, "log"), base)


def _sqrt(node: exp.Expression, scope: Scope) -> Value:
    only(node, "this")
    value = _one_number(node, scope, "sqrt")
    return _smooth(value, av.finite(f"sqrt({value.sql})"), math.sqrt, value.low is not None and value.low >= 0)


def _exp(node: exp.Expression, scope: Scope) -> Value:
    only(node, "this")
    value = _one_number(node, scope, "exp")
    gentle = value.low is not None and value.high is not None and value.high - value.low <= _SPAN
    if value.role == av.PLAIN and not gentle:
        refuse("hidden_value", f"exp takes a range at most {_SPAN:g} wide.", "Scale the column first.")
    return _smooth(value, av.finite(f"exp({value.sql})"), math.exp, gentle)


def _pow(node: exp.Expression, scope: Scope) -> Value:
    only(node, "this", "expression")
    value = _one_number(node, scope, "power")
    power = constant_number(node.expression, scope, "power")
    if abs(power) > 4:
        refuse("constant", "power takes an exponent from -4 to 4.")
    sql = av.finite(f"pow({value.sql}, CAST({power!r} AS DOUBLE))")
    if power.is_integer() and power >= 1 and value.low is not None and value.low < 0:
        whole = av.arithmetic("*", value, value)
        for _ in range(int(power) - 2):
            whole = av.arithmetic("*", whole, value)
        return (whole if power > 1 else value).with_(sql=sql, bare=False)
    fine = value.low is not None and value.low >= 0 if power > 0 else av.well_conditioned(value.low, value.high)
    if value.role == av.PLAIN and (value.degree * max(1, abs(power)) > 4 or (power < 0 and not fine)):
        refuse("hidden_value", "power singles out a narrow range here.", "Use a lower power, or a range without zero.")
    result = _smooth(value, sql, lambda x: x**power, fine and value.low is not None and value.low >= 0)
    if result.bounded:
        return result.with_(degree=math.ceil(value.degree * max(1, abs(power))))
    return result


def _abs(node: exp.Expression, scope: Scope) -> Value:
    only(node, "this")
    value = _one_number(node, scope, "abs")
    sql, low, high = f"abs({value.sql})", value.low, value.high
    crosses = low is None or high is None or low < 0 < high
    if low is not None and high is not None:
        high = max(abs(low), abs(high))
        low = 0.0 if crosses else min(abs(low), abs(value.high or 0.0))
    return _mapped(value, sql, abs, low=low, high=high, stepped=crosses and value.role == av.PLAIN)


def _stepping(name: str, rule: Callable[[float], float]) -> Rule:
    def build(node: exp.Expression, scope: Scope) -> Value:
        only(node, "this")
        value = _one_number(node, scope, name)
        ends = [_safe(rule, value.low), _safe(rule, value.high)]
        stepped = value.role == av.PLAIN
        sql = f"{name}({value.sql})"
        return av.few(_mapped(value, sql, rule, low=ends[0], high=ends[1], integer=True, stepped=stepped))

    return build


def _round(node: exp.Expression, scope: Scope) -> Value:
    only(node, "this", "decimals")
    value = _one_number(node, scope, "round")
    decimals = 0
    if node.args.get("decimals") is not None:
        decimals = constant_integer(node.args["decimals"], scope, "round", -_DECIMALS, _DECIMALS)
    half = 0.5 * 10.0**-decimals
    low = None if value.low is None else value.low - half
    high = None if value.high is None else value.high + half
    if decimals == 0 and low is not None and high is not None:
        low, high = float(math.floor(low)), float(math.ceil(high))
    sql = f"round({value.sql}, {decimals})"
    integer, stepped = value.integer or decimals <= 0, value.role == av.PLAIN
    return av.few(value.with_(sql=sql, low=low, high=high, values=(), integer=integer, stepped=stepped, bare=False))


def _sign(node: exp.Expression, scope: Scope) -> Value:
    only(node, "this")
    value = _one_number(node, scope, "sign")
    sql = f"CAST(sign({value.sql}) AS DOUBLE)"
    return value.with_(
        sql=sql, low=-1.0, high=1.0, values=(-1.0, 0.0, 1.0), integer=True, role=av.CHOSEN, bare=False, degree=1
    )


def _extreme(name: str) -> Rule:
    def rule(node: exp.Expression, scope: Scope) -> Value:
        only(node, "this", "expressions", "ignore_nulls")
        parts = [expression(part, scope) for part in [node.this, *(node.args.get("expressions") or [])]]
        dated = any(p.kind == "date" for p in parts)
        parts = [as_date(p) if dated else av.need_number(p, name) for p in parts]
        plain = any(p.role == av.PLAIN for p in parts)
        if plain:
            _check_clamp(name, parts)
        low, high = _extreme_range(name, parts)
        values = tuple(sorted({v for p in parts for v in p.values})) if all(p.values for p in parts) else ()
        sql = f"{name}({', '.join(p.sql for p in parts)})"
        missing = _missing(parts)
        sql = f"CASE WHEN NOT ({missing}) THEN {sql} END" if missing else sql
        facts = av.merged(sql, "date" if dated else "number", parts)
        whole = all(p.integer for p in parts)
        few = values if not plain and len(values) <= KNOWN_VALUES.value else ()
        return facts.with_(low=low, high=high, values=few, integer=whole, stepped=plain)

    return rule


def _missing(parts: list[Value]) -> str:
    """When an extreme is missing, which greatest and least, skipping NULL, do not see; "" where they do.

    A value that a condition made missing stays missing. So does what constants bound, where no column has a value:
    persons without one are not persons at the bound.
    """
    gone = [f"{p.sql} IS NULL" for p in parts if p.filtered]
    columns = [p for p in parts if p.role != av.CONSTANT]
    if 0 < len(columns) < len(parts) and not gone:
        gone = [" AND ".join(f"{p.sql} IS NULL" for p in columns)]
    return " OR ".join(gone)


def _extreme_range(name: str, parts: list[Value]) -> tuple[float | None, float | None]:
    """The range of an extreme that skips NULL: only constants are sure to be among what is compared."""
    lows, highs = [p.low for p in parts if p.low is not None], [p.high for p in parts if p.high is not None]
    low = min(lows) if len(lows) == len(parts) else None
    high = max(highs) if len(highs) == len(parts) else None
    sure = [p for p in parts if p.role == av.CONSTANT and len(p.values) == 1 and not p.filtered]
    if name == "greatest":
        return max((p.low for p in sure if p.low is not None), default=low), high
    return low, min((p.high for p in sure if p.high is not None), default=high)


def _check_clamp(name: str, parts: list[Value]) -> None:
    """One column may be bounded by constants, on both sides; columns may be compared only as published."""
    columns = [p for p in parts if p.role != av.CONSTANT]
    if any(p.role == av.CHOSEN for p in columns):
        refuse("hidden_value", f"{name} mixes a column with a value that depends on a condition.")
    if len(columns) > 1 and not all(p.bare and not p.filtered and not p.stepped for p in columns):
        refuse("hidden_value", f"{name} mixes columns of which one is computed, or depends on a condition.")
    one = columns[0]
    clamped = _CLAMP.match(one.sql) is not None
    if one.stepped and one.bounded and not clamped:
        refuse("hidden_value", f"{name} takes a stepped value: together they can single out a narrow range.")


def _text(node: exp.Expression, scope: Scope, place: str) -> Value:
    value = expression(node, scope)
    if value.kind == "null":
        return value.with_(sql="CAST(NULL AS VARCHAR)", kind="category")
    if value.kind != "category":
        refuse("kind", f"{place} takes a category, not a {value.kind}.")
    return value


def _text_map(name: str, rule: Callable[[str], str]) -> Rule:
    def build(node: exp.Expression, scope: Scope) -> Value:
        only(node, "this")
        value = _text(node.this, scope, name)
        return value.with_(sql=f"{name}({value.sql})", levels=_levels(value, rule), bare=False)

    return build


def _levels(value: Value, rule: Callable[[str], str]) -> tuple[str, ...]:
    if not all(level.isascii() for level in value.levels):
        return ()
    return tuple(sorted({rule(level) for level in value.levels}))


def _side(name: str, rule: Callable[[str, int], str]) -> Rule:
    def build(node: exp.Expression, scope: Scope) -> Value:
        only(node, "this", "expression")
        value = _text(node.this, scope, name)
        count = constant_integer(node.expression, scope, name, 1, 100)
        levels = _levels(value, lambda level: rule(level, count))
        return value.with_(sql=f"{name}({value.sql}, {count})", levels=levels, bare=False)

    return build


def _substring(node: exp.Expression, scope: Scope) -> Value:
    only(node, "this", "start", "length")
    value = _text(node.this, scope, "substring")
    start = constant_integer(node.args["start"], scope, "substring", 1, 100)
    length = constant_integer(node.args["length"], scope, "substring", 1, 100) if node.args.get("length") else 100
    levels = _levels(value, lambda level: level[start - 1 : start - 1 + length])
    return value.with_(sql=f"substring({value.sql}, {start}, {length})", levels=levels, bare=False)


def _length(node: exp.Expression, scope: Scope) -> Value:
    only(node, "this")
    value = _text(node.this, scope, "length")
    facts = av.merged(f"CAST(length({value.sql}) AS DOUBLE)", "number", (value,), role=av.CHOSEN, integer=True)
    return facts.with_(low=0.0, high=None, filtered=False, degree=1)


def _joined(node: exp.Expression, scope: Scope) -> Value:
    if isinstance(node, exp.Concat):
        only(node, "expressions")
        nodes = node.args["expressions"]
    else:
        only(node, "this", "expression")
        nodes = [node.this, node.expression]
    parts = [_text(part, scope, "||") for part in nodes]
    levels = [""]
    for part in parts:
        if not part.levels or len(levels) * len(part.levels) > KNOWN_LEVELS.value:
            refuse("size", "Texts are joined only where all their levels are published and few.", "Use two columns.")
        levels = [before + level for before in levels for level in part.levels]
    sql = "(" + " || ".join(p.sql for p in parts) + ")"
    return av.merged(sql, "category", parts, levels=tuple(sorted(set(levels))))


def _like(op: str) -> Rule:
    def rule(node: exp.Expression, scope: Scope) -> Value:
        only(node, "this", "expression")
        value = _text(node.this, scope, op)
        pattern = constant_text(node.expression, scope, op)
        if len(pattern) > _PATTERN_CHARACTERS or pattern.count("%") > _WILDCARDS:
            refuse("pattern", f"A pattern has at most {_PATTERN_CHARACTERS} characters and {_WILDCARDS} '%'.")
        return av.truth(f"({value.sql} {op} {av.quote_text(pattern)})", (value,))

    return rule


def _regexp(node: exp.Expression, scope: Scope) -> Value:
    only(node, "this", "expression")
    value = _text(node.this, scope, "regexp_matches")
    pattern = constant_text(node.expression, scope, "regexp_matches")
    if len(pattern) > _PATTERN_CHARACTERS or re.search(r"[*+?}]\)?[*+?{]|\{\d{3,}|\)\s*[*+{]|\(\?|\\\d", pattern):
        refuse("pattern", "A regular expression is short and repeats no repetition and no group.")
    try:
        re.compile(pattern)
    except (re.error, OverflowError):
        refuse("pattern", "The regular expression is not one.")
    name = "regexp_full_match" if isinstance(node, exp.RegexpFullMatch) else "regexp_matches"
    sql = f"{name}({value.sql}, {av.quote_text(pattern)})"
    return av.truth(sql if value.layered else f"TRY({sql})", (value,))


def _affix(name: str) -> Rule:
    def rule(node: exp.Expression, scope: Scope) -> Value:
        only(node, "this", "expression")
        value = _text(node.this, scope, name)
        return av.truth(f"{name}({value.sql}, {av.quote_text(constant_text(node.expression, scope, name))})", (value,))

    return rule


def _cast(node: exp.Expression, scope: Scope) -> Value:
    only(node, "this", "to")
    only(node.args["to"], "this", "expressions", "nested")
    value, target = expression(node.this, scope), _TARGETS.get(node.args["to"].this)
    if target == "date":
        return _cast_date(node, value)
    if target is None or value.kind in ("key", "date"):
        refuse("not_admitted", f"A {value.kind} is not cast to this type.", "Cast to DOUBLE, INTEGER, DATE or BOOLEAN.")
    if target == "category" and value.kind == "category":
        return value
    if target == "boolean" and value.kind in ("boolean", "number"):
        return value if value.kind == "boolean" else av.truth(f"({value.sql} <> CAST(0 AS DOUBLE))", (value,))
    if target in ("number", "integer") and value.kind in ("number", "boolean", "null"):
        cast = av.need_number(value, "CAST")
        if target == "number" or cast.integer:
            return cast
        return _round(exp.Round(this=node.this), scope)
    if target == "number" and value.kind == "category":
        sql = av.finite(f"TRY_CAST({value.sql} AS DOUBLE)")
        return av.merged(sql, "number", (value,), role=av.PLAIN, stepped=True, filtered=True, degree=1)
    raise av.refusal("not_admitted", f"A {value.kind} is not cast to a {target}.", "Use CASE.")


def _cast_date(node: exp.Expression, value: Value) -> Value:
    date = as_date(value)
    if node.args["to"].this == exp.DataType.Type.DATE:
        return date.with_(sql=f"date_trunc('day', {date.sql})", bare=False)
    return date


_TYPE = exp.DataType.Type
_TARGETS = {
    _TYPE.DOUBLE: "number", _TYPE.FLOAT: "number", _TYPE.DECIMAL: "number",
    _TYPE.INT: "integer", _TYPE.BIGINT: "integer", _TYPE.SMALLINT: "integer", _TYPE.TINYINT: "integer",
    _TYPE.BOOLEAN: "boolean", _TYPE.TEXT: "category", _TYPE.VARCHAR: "category",
    _TYPE.DATE: "date", _TYPE.TIMESTAMP: "date",
}  # fmt: skip

FUNCTION_RULES: dict[type[exp.Expression], Rule] = {
    exp.Ln: _ln, exp.Log: _log, exp.Sqrt: _sqrt, exp.Exp: _exp, exp.Pow: _pow, exp.Abs: _abs,
    exp.Ceil: _stepping("ceil", math.ceil), exp.Floor: _stepping("floor", math.floor),
    exp.Round: _round, exp.Sign: _sign,
    exp.Greatest: _extreme("greatest"), exp.Least: _extreme("least"),
    exp.Lower: _text_map("lower", str.lower), exp.Upper: _text_map("upper", str.upper),
    exp.Trim: _text_map("trim", lambda text: text.strip(" ")),
    exp.Left: _side("left", lambda text, n: text[:n]), exp.Right: _side("right", lambda text, n: text[-n:]),
    exp.Substring: _substring, exp.Length: _length, exp.Concat: _joined, exp.DPipe: _joined,
    exp.Like: _like("LIKE"), exp.ILike: _like("ILIKE"),
    exp.RegexpLike: _regexp, exp.RegexpFullMatch: _regexp,
    exp.StartsWith: _affix("starts_with"), exp.EndsWith: _affix("ends_with"), exp.Contains: _affix("contains"),
    exp.Cast: _cast, exp.TryCast: _cast,
}  # fmt: skip
