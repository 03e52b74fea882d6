"""Policies as sentences, in the reader's language: one for each rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from xinglin.terms.policy import Constraint, Duty, Logical, Permission, Policy, Prohibition
from xinglin.terms.reading import shown
from xinglin.terms.vocabulary import ACTIONS, DUTIES, OPERANDS, OPERATORS, SET_OPERATORS
from xinglin.terms.wording import constraint_text

if TYPE_CHECKING:
    from xinglin.words import Words

_JOINING = {"all": " 且 ", "sequence": " 且 ", "any": " 或 ", "one": " 或（仅其一） "}
_VALUES = {"purpose": "purpose", "recipientClass": "recipient-class", "outputType": "output-type", "grade": "grade"}


class Sentence(msgspec.Struct, frozen=True):
    """A rule in words: its kind (``permission``, ``prohibition``, ``duty``), its name as findings call it."""

    kind: str
    name: str
    words: str


def sentences(policy: Policy, words: Words) -> tuple[Sentence, ...]:
    """Every rule of a policy in words, permissions first."""
    found = [
        Sentence("permission", f"permission {at}", permission_sentence(one, words))
        for at, one in enumerate(policy.permissions)
    ]
    found += [
        Sentence("prohibition", f"prohibition {at}", prohibition_sentence(one, words))
        for at, one in enumerate(policy.prohibitions)
    ]
    found += [Sentence("duty", f"duty {at}", duty_sentence(one, words)) for at, one in enumerate(policy.duties)]
    return tuple(found)


def permission_sentence(rule: Permission, words: Words) -> str:
    """Who may do what, where, and what is owed for it."""
    limits = _limits(rule.constraints, words)
    owed = [_duty(one, words) for one in rule.duties]
    if words.language == "zh":
        said = f"允许：{_action(rule.action, words)}"
        said += f"，条件为{limits}" if limits else "，不附条件"
        return said + (f"；须{'，须'.join(owed)}" if owed else "") + "。"
    said = f"Allowed: to {_action(rule.action, words)}" + (f", where {limits}" if limits else "")
    return said + (f"; owed for it: {', '.join(owed)}" if owed else "") + "."


def prohibition_sentence(rule: Prohibition, words: Words) -> str:
    """What is refused, and where."""
    limits = _limits(rule.constraints, words)
    if words.language == "zh":
        return f"禁止：{_action(rule.action, words)}" + (f"，当{limits}时" if limits else "，任何情况下") + "。"
    return f"Refused: to {_action(rule.action, words)}" + (f", where {limits}" if limits else ", always") + "."


def duty_sentence(rule: Duty, words: Words) -> str:
    """What is owed whatever is used."""
    if words.language == "zh":
        return f"无论如何使用，都须{_duty(rule, words)}。"
    return f"Whatever is used: {_duty(rule, words)}."


def constraint_sentence(part: Constraint | Logical, words: Words) -> str:
    """One constraint in words."""
    if words.language != "zh":
        return constraint_text(part)
    if isinstance(part, Logical):
        return (
            "（" + _JOINING.get(part.operator, " ? ").join(constraint_sentence(one, words) for one in part.parts) + "）"
        )
    operand = OPERANDS.get(part.operand)
    operator = OPERATORS.get(part.operator, ("", part.operator))[1]
    unit = part.unit or (operand.unit if operand else "")
    named = operand.words_zh if operand else part.operand[:80]
    colon = "：" if part.operator in SET_OPERATORS else ""
    return f"{named}{operator}{colon}{_value(part, words)}" + (f" {unit}" if unit else "")


def _limits(parts: tuple[Constraint | Logical, ...], words: Words) -> str:
    joined = "，且" if words.language == "zh" else " and "
    return joined.join(constraint_sentence(one, words) for one in parts)


def _action(name: str, words: Words) -> str:
    found = ACTIONS.get(name)
    if found is None:
        return name[:80]
    return found.words_zh if words.language == "zh" else found.words


def _duty(rule: Duty, words: Words) -> str:
    found = DUTIES.get(rule.action)
    named = rule.action[:80] if found is None else found.words_zh if words.language == "zh" else found.words
    limits = _limits(rule.constraints, words)
    if not limits:
        return named
    return f"{named}（{limits}）" if words.language == "zh" else f"{named} ({limits})"


def _value(part: Constraint, words: Words) -> str:
    group = _VALUES.get(part.operand)
    if group is None:
        return shown(part.value)
    values = (part.value,) if isinstance(part.value, str) else part.value
    return "、".join(words.term(f"{group}.{one}") for one in values)
