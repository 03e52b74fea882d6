"""Aggregates and window functions; both see the rows of one person only."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from xinglin.analysis import admit_values as av
from xinglin.analysis.admit_dispatch import (
    Rule,
    condition,
    constant_integer,
    constant_number,
    expression,
)
from xinglin.analysis.admit_scope import Scope, describe, only
from xinglin.analysis.admit_values import Value, refuse

Core = Callable[[exp.Expression, Scope], Value]
_FRAME_ROWS = 1_000


def _argument(node: exp.Expression, scope: Scope) -> Value:
    """The argument of an aggregate: free of groups, aggregates and windows."""
    value = expression(node, scope.within("an aggregate", group_keys=None, aggregates=False, windows=False))
    if value.kind == "null":
        refuse("kind", "An aggregate of NULL alone says nothing.")
    return value.with_(bare=False)


def _count(node: exp.Expression, scope: Scope) -> Value:
    only(node, "this", "expressions")
    facts: dict[str, object] = {
        "role": av.CHOSEN, "integer": True, "low": 0.0, "high": None, "degree": 1, "filtered": False,
        "stepped": False, "values": (),
    }  # fmt: skip
    inner = node.this
    if node.args.get("expressions"):
        refuse("not_admitted", "count takes one argument.")
    if inner is None or isinstance(inner, exp.Star):
        return Value("count(*)", "number").with_(**facts)
    if isinstance(inner, exp.Distinct):
        only(inner, "expressions")
        if len(inner.expressions) != 1:
            refuse("not_admitted", "count(DISTINCT …) takes one argument.")
        value = _argument(inner.expressions[0], scope)
        return av.merged(f"count(DISTINCT {value.sql})", "number", (value,)).with_(**facts)
    value = _argument(inner, scope)
    return av.merged(f"count({value.sql})", "number", (value,)).with_(**facts)


def _count_if(node: exp.Expression, scope: Scope) -> Value:
    only(node, "this")
    test = condition(node.this, scope.within("an aggregate", group_keys=None, aggregates=False, windows=False))
    facts = av.merged(f"count_if({test.sql})", "number", (test,), role=av.CHOSEN, integer=True)
    return facts.with_(low=0.0, high=None, degree=1)


def _sum(node: exp.Expression, scope: Scope) -> Value:
    only(node, "this")
    inner, word = node.this, ""
    if isinstance(inner, exp.Distinct):
        only(inner, "expressions")
        inner, word = inner.expressions[0], "DISTINCT "
    value = av.need_number(_argument(inner, scope), "sum")
    low = 0.0 if value.low is not None and value.low >= 0 else None
    stepped = value.role == av.PLAIN
    return value.with_(sql=f"sum({word}{value.sql})", low=low, high=None, values=(), stepped=stepped)


def _mean(name: str) -> Core:
    def rule(node: exp.Expression, scope: Scope) -> Value:
        only(node, "this")
        value = av.need_number(_argument(node.this, scope), name)
        return value.with_(sql=f"{name}({value.sql})", values=(), integer=False)

    return rule


def _quantile(node: exp.Expression, scope: Scope) -> Value:
    only(node, "this", "expression")
    value = av.need_number(_argument(node.this, scope), "quantile_cont")
    at = constant_number(node.expression, scope, "quantile_cont")
    if not 0 <= at <= 1:
        refuse("constant", "A quantile lies between 0 and 1.")
    return value.with_(sql=f"quantile_cont({value.sql}, {at!r})", values=(), integer=False)


def _end(name: str) -> Core:
    def rule(node: exp.Expression, scope: Scope) -> Value:
        only(node, "this")
        value = _argument(node.this, scope)
        if value.kind not in ("number", "date", "category", "boolean"):
            refuse("kind", f"{name} does not take a {value.kind}.")
        if value.kind == "boolean":
            value = av.need_number(value, name)
        return value.with_(sql=f"{name}({value.sql})")

    return rule


def _spread(name: str, squared: bool) -> Core:
    def rule(node: exp.Expression, scope: Scope) -> Value:
        only(node, "this")
        value = av.need_number(_argument(node.this, scope), name)
        width = None if value.low is None or value.high is None else value.high - value.low
        high = width * width if squared and width is not None else width
        stepped = value.role == av.PLAIN
        return value.with_(
            sql=f"{name}({value.sql})", low=0.0, high=high, values=(), integer=False, stepped=stepped, filtered=True
        )

    return rule


def _logical(name: str) -> Core:
    def rule(node: exp.Expression, scope: Scope) -> Value:
        only(node, "this")
        value = _argument(node.this, scope)
        if value.kind != "boolean":
            refuse("kind", f"{name} takes a boolean.")
        return value.with_(sql=f"{name}({value.sql})")

    return rule


def _at_extreme(name: str) -> Core:
    def rule(node: exp.Expression, scope: Scope) -> Value:
        only(node, "this", "expression")
        value, by = _argument(node.this, scope), _argument(node.expression, scope)
        if "key" in (value.kind, by.kind):
            refuse("identifier_predicate", f"{name} does not take a key.")
        facts = av.merged(f"{name}({value.sql}, {by.sql})", value.kind, (value, by))
        return facts.with_(
            low=value.low, high=value.high, levels=value.levels, values=value.values, integer=value.integer,
            role=value.role, stepped=value.stepped, degree=value.degree,
        )  # fmt: skip

    return rule


_CORES: dict[type[exp.Expression], Core] = {
    exp.Count: _count,
    exp.CountIf: _count_if,
    exp.Sum: _sum,
    exp.Avg: _mean("avg"),
    exp.Median: _mean("median"),
    exp.PercentileCont: _quantile,
    exp.Min: _end("min"),
    exp.Max: _end("max"),
    exp.Stddev: _spread("stddev_samp", False),
    exp.StddevSamp: _spread("stddev_samp", False),
    exp.StddevPop: _spread("stddev_pop", False),
    exp.Variance: _spread("var_samp", True),
    exp.VariancePop: _spread("var_pop", True),
    exp.LogicalOr: _logical("bool_or"),
    exp.LogicalAnd: _logical("bool_and"),
    exp.ArgMax: _at_extreme("arg_max"),
    exp.ArgMin: _at_extreme("arg_min"),
}


def _core(node: exp.Expression, scope: Scope) -> Value:
    """An aggregate, with FILTER where given, not yet cast."""
    if isinstance(node, exp.Filter):
        only(node, "this", "expression")
        value = _core(node.this, scope)
        inner = scope.within("FILTER", group_keys=None, aggregates=False, windows=False)
        test = condition(node.expression.this, inner)
        facts = av.merged("", value.kind, (value, test))
        counted = isinstance(node.this, exp.Count | exp.CountIf)
        return value.with_(
            sql=f"{value.sql} FILTER (WHERE {test.sql})", sources=facts.sources, grade=facts.grade,
            filtered=not counted,
        )  # fmt: skip
    rule = _CORES.get(type(node))
    if rule is None:
        refuse("not_admitted", f"{describe(node)} is not admitted here.")
    return rule(node, scope)


def _finished(value: Value, over: str = "") -> Value:
    """The aggregate or window as an ordinary value: numbers are finite doubles."""
    sql = value.sql + over
    if value.kind == "number":
        sql = av.finite(f"CAST({sql} AS DOUBLE)")
    role = av.CHOSEN if value.role == av.CONSTANT else value.role
    return value.with_(sql=sql, layered=True, bare=False, role=role)


def _aggregate(node: exp.Expression, scope: Scope) -> Value:
    if not scope.aggregates:
        refuse("aggregate", f"An aggregate does not stand in {scope.place}.", "Aggregate in a subquery first.")
    return _finished(_core(node, scope))


def _window(node: exp.Expression, scope: Scope) -> Value:
    only(node, "this", "partition_by", "order", "spec")
    if not scope.windows:
        refuse("window", f"A window function does not stand in {scope.place}.", "Compute it in a subquery first.")
    inner = scope.within("a window", windows=False)
    value = _window_core(node.this, inner)
    partition = [expression(part, inner) for part in node.args.get("partition_by") or []]
    order = node.args.get("order")
    ordered = [_ordered(part, inner) for part in order.expressions] if order is not None else []
    text = "PARTITION BY " + ", ".join([scope.person, *(p.sql for p in partition)])
    if ordered:
        text += " ORDER BY " + ", ".join(sql for sql, _ in ordered)
    text += _frame(node.args.get("spec"), scope)
    facts = av.merged("", value.kind, [value, *partition, *(v for _, v in ordered)])
    value = value.with_(sources=facts.sources, grade=facts.grade)
    return _finished(value, f" OVER ({text})")


def _ordered(node: exp.Expression, scope: Scope) -> tuple[str, Value]:
    only(node, "this", "desc", "nulls_first")
    value = expression(node.this, scope)
    way = "DESC" if node.args.get("desc") else "ASC"
    nulls = "FIRST" if node.args.get("nulls_first") else "LAST"
    return f"{value.sql} {way} NULLS {nulls}", value


def _window_core(node: exp.Expression, scope: Scope) -> Value:
    if isinstance(node, exp.IgnoreNulls):
        only(node, "this")
        return _shifting(node.this, scope, " IGNORE NULLS")
    if type(node) in _RANKS:
        only(node)
        name, low, high, whole = _RANKS[type(node)]
        return Value(f"{name}()", "number", low, high, integer=whole, role=av.CHOSEN)
    if isinstance(node, exp.Ntile):
        only(node, "this")
        parts = constant_integer(node.this, scope, "ntile", 1, 100)
        return Value(f"ntile({parts})", "number", 1.0, float(parts), integer=True, role=av.CHOSEN)
    if isinstance(node, exp.Lag | exp.Lead | exp.FirstValue | exp.LastValue):
        return _shifting(node, scope, "")
    return _core_over_groups(node, scope)


def _core_over_groups(node: exp.Expression, scope: Scope) -> Value:
    if scope.group_keys is not None:
        refuse("window", "A window over groups is written with a subquery.", "Group in a subquery first.")
    return _core(node, scope)


def _shifting(node: exp.Expression, scope: Scope, nulls: str) -> Value:
    names: dict[type[exp.Expression], str] = {
        exp.Lag: "lag", exp.Lead: "lead", exp.FirstValue: "first_value", exp.LastValue: "last_value",
    }  # fmt: skip
    name = names.get(type(node))
    if name is None:
        refuse("not_admitted", f"{describe(node)} is not admitted here.")
    only(node, "this", "offset")
    value = expression(node.this, scope)
    if value.kind in ("null", "key"):
        refuse("kind", f"{name} does not take a {value.kind}.")
    offset = ""
    if name in ("lag", "lead"):
        steps = 1
        if node.args.get("offset") is not None:
            steps = constant_integer(node.args["offset"], scope, name, 0, _FRAME_ROWS)
        offset = f", {steps}"
    return value.with_(sql=f"{name}({value.sql}{offset}{nulls})", bare=False, filtered=True)


def _frame(spec: exp.Expression | None, scope: Scope) -> str:
    if spec is None:
        return ""
    only(spec, "kind", "start", "start_side", "end", "end_side")
    kind = str(spec.args.get("kind") or "").upper()
    if kind not in ("ROWS", "RANGE"):
        refuse("not_admitted", "A window frame counts ROWS, or is a RANGE without distances.")
    start = _bound(spec.args.get("start"), spec.args.get("start_side"), kind, scope)
    end = _bound(spec.args.get("end") or "CURRENT ROW", spec.args.get("end_side"), kind, scope)
    return f" {kind} BETWEEN {start} AND {end}"


def _bound(edge: object, side: object, kind: str, scope: Scope) -> str:
    if edge == "CURRENT ROW":
        return "CURRENT ROW"
    way = str(side or "").upper()
    if way not in ("PRECEDING", "FOLLOWING"):
        refuse("not_admitted", "A window frame begins and ends PRECEDING, FOLLOWING or at the CURRENT ROW.")
    if edge == "UNBOUNDED":
        return f"UNBOUNDED {way}"
    if kind != "ROWS" or not isinstance(edge, exp.Expression):
        refuse("not_admitted", "A window frame counts ROWS by whole numbers.")
    return f"{constant_integer(edge, scope, 'A window frame', 0, _FRAME_ROWS)} {way}"


_RANKS: dict[type[exp.Expression], tuple[str, float, float | None, bool]] = {
    exp.RowNumber: ("row_number", 1.0, None, True),
    exp.Rank: ("rank", 1.0, None, True),
    exp.DenseRank: ("dense_rank", 1.0, None, True),
    exp.PercentRank: ("percent_rank", 0.0, 1.0, False),
    exp.CumeDist: ("cume_dist", 0.0, 1.0, False),
}

AGGREGATE_RULES: dict[type[exp.Expression], Rule] = {
    **dict.fromkeys((*_CORES, exp.Filter), _aggregate),
    exp.Window: _window,
}
