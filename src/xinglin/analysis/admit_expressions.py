"""Expressions: one rule a node; a node without a rule is refused."""

from __future__ import annotations

import math

from sqlglot import exp

from xinglin.analysis import admit_values as av
from xinglin.analysis.admit_dates import as_date, date_arithmetic, shifted
from xinglin.analysis.admit_dispatch import Rule, condition, expression
from xinglin.analysis.admit_model import LIST_ITEMS, LITERAL_CHARACTERS
from xinglin.analysis.admit_scope import Scope, checked_name, only
from xinglin.analysis.admit_values import Value, refuse


def _column(node: exp.Expression, scope: Scope) -> Value:
    only(node, "this", "table")
    if isinstance(node.args["this"], exp.Star):
        refuse("not_admitted", "'*' stands only alone in SELECT or in count(*).")
    value = scope.find(node)
    if value is None:
        name = checked_name(node.args["this"])
        alias = scope.aliases.get(name.lower()) if node.args.get("table") is None else None
        if alias is None and scope.withholds(name):
            refuse("identifier_predicate", f"Column {name!r} identifies a person and is not handed to a study.")
        if alias is None:
            refuse("unknown_column", f"No column {name!r} is in the views of this study.", "See study.views().")
        return expression(alias, scope.within(scope.place, aliases={}))
    if scope.group_keys is not None and value.sql not in scope.group_keys:
        refuse(
            "not_grouped",
            f"Column {checked_name(node.args['this'])!r} is neither grouped nor aggregated.",
            "Add it to GROUP BY or aggregate it.",
        )
    return value


def _literal(node: exp.Expression, scope: Scope) -> Value:
    text = str(node.args["this"])
    if len(text) > LITERAL_CHARACTERS.value:
        refuse("literal", f"A literal is longer than {LITERAL_CHARACTERS.value} characters.")
    if node.args.get("is_string"):
        return text_constant(text)
    try:
        value = float(text)
    except ValueError:
        refuse("literal", "A number is not written as one.")
    if not math.isfinite(value):
        refuse("literal", "A number is beyond the range of a double.")
    return av.number(value)


def text_constant(text: str) -> Value:
    """A text constant; control characters are refused."""
    if not text.isprintable():
        refuse("literal", "A text holds control characters.")
    return Value(av.quote_text(text), "category", levels=(text,), role=av.CONSTANT, degree=0)


def _null(node: exp.Expression, scope: Scope) -> Value:
    return av.null()


def _boolean(node: exp.Expression, scope: Scope) -> Value:
    return Value("TRUE" if node.args["this"] else "FALSE", "boolean", role=av.CONSTANT, degree=0)


def _paren(node: exp.Expression, scope: Scope) -> Value:
    only(node, "this")
    return expression(node.this, scope)


def _neg(node: exp.Expression, scope: Scope) -> Value:
    only(node, "this")
    return av.negated(expression(node.this, scope))


def _arithmetic(op: str) -> Rule:
    def rule(node: exp.Expression, scope: Scope) -> Value:
        only(node, "this", "expression")
        left, right = node.this, node.expression
        if op in "+-" and isinstance(right, exp.Interval):
            return shifted(expression(left, scope), right, scope, op)
        if op == "+" and isinstance(left, exp.Interval):
            return shifted(expression(right, scope), left, scope, op)
        a, b = expression(left, scope), expression(right, scope)
        if op in "+-" and "date" in (a.kind, b.kind):
            return date_arithmetic(op, a, b)
        return av.arithmetic(op, a, b)

    return rule


def comparable(a: Value, b: Value, op: str) -> tuple[Value, Value]:
    """Both sides as one kind; a text constant becomes a date beside a date; keys meet only keys."""
    if "date" in (a.kind, b.kind):
        return as_date(a), as_date(b)
    if "key" in (a.kind, b.kind):
        if a.kind != b.kind or op not in ("=", "<>") or av.CONSTANT in (a.role, b.role):
            refuse("identifier_predicate", "A key is compared only with another key, for equality.")
        return a, b
    if "null" in (a.kind, b.kind):
        return a, b
    if a.kind == "category" or b.kind == "category":
        if a.kind != b.kind:
            refuse("kind", f"A {a.kind} is compared with a {b.kind}.", "Compare like with like.")
        return a, b
    return (a, b) if a.kind == b.kind else (av.need_number(a, f"'{op}'"), av.need_number(b, f"'{op}'"))


def _comparison(op: str) -> Rule:
    def rule(node: exp.Expression, scope: Scope) -> Value:
        only(node, "this", "expression")
        a, b = comparable(expression(node.this, scope), expression(node.expression, scope), op)
        return av.truth(f"({a.sql} {op} {b.sql})", (a, b))

    return rule


def _logic(op: str) -> Rule:
    def rule(node: exp.Expression, scope: Scope) -> Value:
        parts = [condition(part, scope) for part in flattened(node, scope)]
        return av.truth("(" + f" {op} ".join(p.sql for p in parts) + ")", parts)

    return rule


def flattened(node: exp.Expression, scope: Scope) -> list[exp.Expression]:
    """The operands of a chain of one connective, so that a long chain is not a deep one."""
    kind, parts, waiting = type(node), [], [node]
    while waiting:
        top = waiting.pop()
        if type(top) is kind:
            only(top, "this", "expression")
            waiting += [top.expression, top.this]
        else:
            parts.append(top)
    return parts


def _not(node: exp.Expression, scope: Scope) -> Value:
    only(node, "this")
    a = condition(node.this, scope)
    return av.truth(f"(NOT {a.sql})", (a,))


def _between(node: exp.Expression, scope: Scope) -> Value:
    only(node, "this", "low", "high")
    value = expression(node.this, scope)
    a, low = comparable(value, expression(node.args["low"], scope), "BETWEEN")
    _, high = comparable(value, expression(node.args["high"], scope), "BETWEEN")
    return av.truth(f"({a.sql} BETWEEN {low.sql} AND {high.sql})", (a, low, high))


def _in(node: exp.Expression, scope: Scope) -> Value:
    only(node, "this", "expressions")
    items = node.args.get("expressions") or []
    if not items or len(items) > LIST_ITEMS.value:
        refuse("list", f"IN takes 1 to {LIST_ITEMS.value} constants.", "Join a view instead of listing values.")
    a, values = expression(node.this, scope), []
    for item in items:
        a, b = comparable(a, expression(item, scope), "=")
        if b.role != av.CONSTANT:
            refuse("list", "IN takes constants.", "Write the comparisons with OR.")
        values.append(b)
    return av.truth(f"({a.sql} IN ({', '.join(v.sql for v in values)}))", (a, *values))


def _is(node: exp.Expression, scope: Scope) -> Value:
    only(node, "this", "expression")
    a, right = expression(node.this, scope), node.expression
    if isinstance(right, exp.Null):
        return av.truth(f"({a.sql} IS NULL)", (a,))
    if isinstance(right, exp.Boolean) and a.kind == "boolean":
        return av.truth(f"({a.sql} IS {'TRUE' if right.this else 'FALSE'})", (a,))
    raise av.refusal("not_admitted", "IS takes NULL, TRUE or FALSE.")


def _case(node: exp.Expression, scope: Scope) -> Value:
    only(node, "this", "ifs", "default")
    subject = expression(node.this, scope) if node.args.get("this") is not None else None
    conditions, branches = [], []
    for arm in node.args["ifs"]:
        only(arm, "this", "true")
        if subject is None:
            conditions.append(condition(arm.this, scope))
        else:
            a, b = comparable(subject, expression(arm.this, scope), "=")
            conditions.append(av.truth(f"({a.sql} = {b.sql})", (a, b)))
        branches.append(expression(arm.args["true"], scope))
    default = node.args.get("default")
    last = expression(default, scope) if default is not None else av.null()
    return _cased(conditions, branches, last)


def _if(node: exp.Expression, scope: Scope) -> Value:
    only(node, "this", "true", "false")
    test, yes = condition(node.this, scope), expression(node.args["true"], scope)
    no = node.args.get("false")
    return _cased([test], [yes], expression(no, scope) if no is not None else av.null())


def _cased(conditions: list[Value], branches: list[Value], last: Value) -> Value:
    branches, last = _one_kind([*branches, last])
    arms = " ".join(f"WHEN {c.sql} THEN {b.sql}" for c, b in zip(conditions, branches, strict=True))
    sql = f"CASE {arms} ELSE {last.sql} END"
    return av.picked(sql, [*branches, last], conditions, null_possible=last.kind == "null")


def _one_kind(values: list[Value]) -> tuple[list[Value], Value]:
    if any(v.kind == "date" for v in values):
        values = [v if v.kind == "null" else as_date(v) for v in values]
    if {v.kind for v in values} - {"null"} == {"number", "boolean"}:
        values = [v if v.kind == "null" else av.need_number(v, "CASE") for v in values]
    return values[:-1], values[-1]


def _coalesce(node: exp.Expression, scope: Scope) -> Value:
    only(node, "this", "expressions")
    parts = [expression(part, scope) for part in [node.this, *(node.args.get("expressions") or [])]]
    before, last = _one_kind(parts)
    parts = [*before, last]
    sql = f"COALESCE({', '.join(p.sql for p in parts)})"
    kind, real = av.joint_kind(parts), [p for p in parts if p.kind != "null"]
    if kind in ("number", "date") and any(p.role == av.PLAIN for p in real):
        if any((p.role == av.PLAIN and (not p.bare or p.filtered)) or p.role == av.CHOSEN for p in real):
            refuse(
                "hidden_value",
                "A missing value that a condition can cause is filled in.",
                "Fill only columns as published, and filter with WHERE.",
            )
        low, high = av.hull(real)
        whole = all(p.integer for p in real)
        return av.merged(sql, kind, real, low=low, high=high, integer=whole, filtered=False)
    value = av.picked(sql, parts, [], null_possible=False)
    return value.with_(filtered=all(p.filtered for p in real))


def _nullif(node: exp.Expression, scope: Scope) -> Value:
    only(node, "this", "expression")
    a, b = comparable(expression(node.this, scope), expression(node.expression, scope), "=")
    if b.role != av.CONSTANT or a.kind == "null":
        refuse("constant", "NULLIF takes a column and a constant.")
    return a.with_(sql=f"NULLIF({a.sql}, {b.sql})", bare=False, filtered=True)


OPERATOR_RULES: dict[type[exp.Expression], Rule] = {
    exp.Column: _column,
    exp.Literal: _literal,
    exp.Null: _null,
    exp.Boolean: _boolean,
    exp.Paren: _paren,
    exp.Neg: _neg,
    exp.Add: _arithmetic("+"),
    exp.Sub: _arithmetic("-"),
    exp.Mul: _arithmetic("*"),
    exp.Div: _arithmetic("/"),
    exp.EQ: _comparison("="),
    exp.NEQ: _comparison("<>"),
    exp.GT: _comparison(">"),
    exp.GTE: _comparison(">="),
    exp.LT: _comparison("<"),
    exp.LTE: _comparison("<="),
    exp.And: _logic("AND"),
    exp.Or: _logic("OR"),
    exp.Not: _not,
    exp.Between: _between,
    exp.In: _in,
    exp.Is: _is,
    exp.Case: _case,
    exp.If: _if,
    exp.Coalesce: _coalesce,
    exp.Nullif: _nullif,
}
