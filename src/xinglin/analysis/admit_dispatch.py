"""From a node to its rule: a node without a rule is refused, and a grouped expression is known again."""

from __future__ import annotations

from sqlglot import exp

from xinglin.analysis import admit_values as av
from xinglin.analysis.admit_model import REWRITTEN_CHARACTERS
from xinglin.analysis.admit_scope import Rule, Scope, describe
from xinglin.analysis.admit_values import Value, refuse

__all__ = ["Rule", "condition", "constant_integer", "constant_number", "constant_text", "expression"]


def expression(node: exp.Expression, scope: Scope) -> Value:
    """``node`` as SQL in person scope, with what is known of its value."""
    scope.deeper()
    try:
        rule = scope.rules.get(type(node))
        if rule is None:
            refuse("not_admitted", f"{describe(node)} is not admitted.", "See the list of admitted functions.")
        if scope.group_keys is not None and not isinstance(node, exp.Literal | exp.Column):
            key = _as_group_key(node, scope, rule)
            if key is not None:
                return key
        value = rule(node, scope)
        if len(value.sql) > REWRITTEN_CHARACTERS.value // 4:
            refuse("size", "An expression is too large once rewritten.", "Split it with WITH.")
        return value
    finally:
        scope.depth -= 1


def _as_group_key(node: exp.Expression, scope: Scope, rule: Rule) -> Value | None:
    free = scope.within("GROUP BY", group_keys=None, aggregates=False, windows=False)
    try:
        value = rule(node, free)
    except av.Refused:
        return None
    return value if value.sql in (scope.group_keys or ()) else None


def condition(node: exp.Expression, scope: Scope) -> Value:
    """``node`` as a boolean."""
    value = expression(node, scope)
    if value.kind == "null":
        return value.with_(sql="CAST(NULL AS BOOLEAN)", kind="boolean")
    if value.kind != "boolean":
        refuse("kind", f"A condition is true or false, not a {value.kind}.", "Compare it with something.")
    return value


def constant_text(node: exp.Expression, scope: Scope, place: str) -> str:
    """The text that ``node`` spells out, or refused."""
    value = expression(node, scope)
    if value.kind != "category" or value.role != av.CONSTANT or len(value.levels) != 1:
        refuse("constant", f"{place} takes a text constant.")
    return value.levels[0]


def constant_number(node: exp.Expression, scope: Scope, place: str) -> float:
    """The number that ``node`` spells out, or refused."""
    value = expression(node, scope.within(scope.place, group_keys=None))
    if value.kind != "number" or value.role != av.CONSTANT or len(value.values) != 1:
        refuse("constant", f"{place} takes a number constant.")
    return value.values[0]


def constant_integer(node: exp.Expression, scope: Scope, place: str, low: int, high: int) -> int:
    """The whole number in ``low … high`` that ``node`` spells out, or refused."""
    value = constant_number(node, scope, place)
    if not value.is_integer() or not low <= value <= high:
        refuse("constant", f"{place} takes a whole number from {low} to {high}.")
    return int(value)
