"""Reasons and constraints in words for a person, each with what would have to change."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from xinglin.kernel.verdict import Reason
from xinglin.terms.constraints import Leaf, Values
from xinglin.terms.policy import Constraint, Duty, Logical, Permission, Prohibition
from xinglin.terms.reading import shown
from xinglin.terms.supplied import NOBODY
from xinglin.terms.vocabulary import ACTIONS, OPERANDS, OPERATORS

_JOINING = {"all": " and ", "sequence": " and ", "any": " or ", "one": " or else "}
_CAPITAL = re.compile(r"(?<=[a-z])([A-Z])")


@lru_cache(maxsize=512)
def slug(name: str) -> str:
    """A short name as a part of a reason's code.

    >>> slug("kAnonymity")
    'k_anonymity'
    """
    return _CAPITAL.sub(r"_\1", name).lower()


@lru_cache(maxsize=4096)
def constraint_text(part: Constraint | Logical) -> str:
    """A constraint in words.

    >>> constraint_text(Constraint("count", "lteq", "5"))
    'the number of uses, this one included is at most 5 uses'
    """
    if isinstance(part, Logical):
        return "(" + _JOINING.get(part.operator, " ? ").join(sorted(map(constraint_text, part.parts))) + ")"
    operand = OPERANDS.get(part.operand)
    operator = OPERATORS.get(part.operator, (part.operator, ""))[0]
    unit = part.unit or (operand.unit if operand else "")
    named = operand.words if operand else part.operand[:80]
    return f"{named} {operator} {shown(part.value)}" + (f" {unit}" if unit else "")


def constraint_key(part: Constraint | Logical) -> str:
    """A constraint in one line that a program can compare."""
    if isinstance(part, Logical):
        return f"{part.operator}({'; '.join(sorted(map(constraint_key, part.parts)))})"
    value = part.value if isinstance(part.value, str) else ",".join(part.value)
    return " ".join(filter(None, (part.operand, part.operator, value, part.unit)))


def duty_text(duty: Duty) -> str:
    """A duty as a condition names it: ``delete``, ``delete elapsedTime lteq P180D``."""
    keys = sorted(map(constraint_key, duty.constraints))
    return f"{duty.action} {'; '.join(keys)}" if keys else duty.action


def not_known(leaf: Leaf, values: Values) -> Reason:
    """Why an unknown or unreadable fact is in the way."""
    operand = leaf.operand
    unread = leaf.asked(values) not in (None, ())
    words = f"It cannot be read: {operand.words}." if unread else f"It is not known: {operand.words}."
    needed = constraint_text(leaf.constraint)
    remedy = NOBODY.get(operand.name, f"Make it known; the terms ask that {needed}.")
    return Reason(f"terms.unknown_{slug(operand.name)}", words, remedy)


def not_met(leaf: Leaf, values: Values) -> Reason:
    """Why a known fact is in the way."""
    operand = leaf.operand
    needed = constraint_text(leaf.constraint)
    words = f"{_sentence(operand.words)} is {shown(leaf.asked(values))}; the terms ask that {needed}."
    return Reason(f"terms.not_met_{slug(operand.name)}", words, operand.remedy)


def prohibited(rule: Permission | Prohibition) -> list[Reason]:
    """That a prohibition applies."""
    words = f"Prohibited: to {ACTIONS[rule.action].words}{_where(rule.constraints)}."
    return [Reason(f"terms.prohibited_{slug(rule.action)}", words, _escape(rule.constraints))]


def not_ruled_out(rule: Permission | Prohibition, open_: Iterable[str]) -> list[Reason]:
    """That a prohibition may apply, and what would have to be known."""
    words = f"It may be prohibited: to {ACTIONS[rule.action].words}{_where(rule.constraints)}."
    remedy = f"Make known or narrow: {'; '.join(open_)}."
    return [Reason(f"terms.not_ruled_out_{slug(rule.action)}", words, remedy)]


def _where(constraints: tuple[Constraint | Logical, ...]) -> str:
    return " where " + " and ".join(sorted(map(constraint_text, constraints))) if constraints else ""


def _escape(constraints: tuple[Constraint | Logical, ...]) -> str:
    if not constraints:
        return "It is never allowed under these terms."
    return "Change what is asked so that this no longer holds, or have the prohibition lifted."


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]
