"""When one constraint implies another, or excludes it: sound, and silent (``False``) where it cannot tell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from xinglin.terms.constraints import Leaf, compile_part, fact_name
from xinglin.terms.policy import Constraint, Duty, Logical
from xinglin.terms.purposes import NO_DISEASES, Diseases
from xinglin.terms.reading import reader
from xinglin.terms.vocabulary import OPERANDS, Operand

_LISTED = ("eq", "isAnyOf", "isPartOf", "isA")
_ORDERED = ("number", "instant", "duration", "grade")
_MONOTONE = ("eq", "isAnyOf", "isAllOf", "hasPart")
Part = Constraint | Logical


def implies(parts: Iterable[Part], wanted: Part, diseases: Diseases = NO_DISEASES) -> bool:
    """Whether whatever satisfies all of ``parts`` surely satisfies ``wanted``.

    >>> implies([Constraint("count", "lteq", "5")], Constraint("count", "lt", "10"))
    True
    """
    given = _flat(parts)
    if wanted in given:
        return True
    if isinstance(wanted, Logical):
        if wanted.operator in ("all", "sequence"):
            return all(implies(given, part, diseases) for part in wanted.parts)
        if wanted.operator == "any" and any(implies(given, part, diseases) for part in wanted.parts):
            return True
    return any(_one_implies(part, wanted, diseases) for part in given)


def excludes(parts: Iterable[Part], other: Iterable[Part], diseases: Diseases = NO_DISEASES) -> bool:
    """Whether nothing can satisfy all of ``parts`` and all of ``other``.

    >>> excludes([Constraint("count", "lteq", "5")], [Constraint("count", "gt", "5")])
    True
    """
    together = [part for part in _flat([*parts, *other]) if isinstance(part, Constraint)]
    for position, one in enumerate(together):
        if any(_opposed(one, two, diseases) for two in together[position + 1 :]):
            return True
    return False


def same_or_more(duties: Iterable[Duty], wanted: Iterable[Duty]) -> bool:
    """Whether every wanted duty is among ``duties``, as strict or stricter."""
    owed = list(duties)
    return all(
        any(one.action == duty.action and all(implies(one.constraints, c) for c in duty.constraints) for one in owed)
        for duty in wanted
    )


def _flat(parts: Iterable[Part]) -> list[Part]:
    found: list[Part] = []
    for part in parts:
        if isinstance(part, Logical) and part.operator in ("all", "sequence"):
            found += _flat(part.parts)
        found.append(part)
    return found


def _one_implies(part: Part, wanted: Part, diseases: Diseases) -> bool:
    if isinstance(part, Logical):
        inner = part.parts
        return part.operator == "any" and bool(inner) and all(implies([one], wanted, diseases) for one in inner)
    if isinstance(wanted, Logical) or fact_name(part) != fact_name(wanted):
        return False
    operand = OPERANDS.get(part.operand)
    if operand is None or {part.operator, wanted.operator} - set(operand.operators):
        return False
    if operand.kind == "window":
        return _hours_imply(part, wanted)
    if part.operator in _LISTED and (not operand.held or wanted.operator in _MONOTONE):
        return _each_holds(operand, part, wanted, diseases)
    if operand.kind in _ORDERED:
        return _range_implies(operand, part, wanted)
    return _sets_imply(part, wanted)


def _texts(part: Constraint) -> tuple[str, ...]:
    return (part.value,) if isinstance(part.value, str) else part.value


def _each_holds(operand: Operand, part: Constraint, wanted: Constraint, diseases: Diseases) -> bool:
    """What lies in one of the values satisfies what each of them satisfies; for all of a set only where it is one."""
    if wanted.operator in ("isAllOf", "hasPart") and not operand.held:
        return False
    leaf = compile_part(wanted, diseases)
    return all(leaf.test({fact_name(part): text}) is True for text in _texts(part))


def _range_implies(operand: Operand, part: Constraint, wanted: Constraint) -> bool:
    read = reader(operand)
    mine, theirs = read(_texts(part)[0]), read(_texts(wanted)[0])
    if mine is None or theirs is None:
        return False
    below, above = ("lt", "lteq"), ("gt", "gteq")
    if part.operator in below and wanted.operator in below:
        return bool(mine < theirs or (mine == theirs and (part.operator == "lt" or wanted.operator == "lteq")))
    if part.operator in above and wanted.operator in above:
        return bool(mine > theirs or (mine == theirs and (part.operator == "gt" or wanted.operator == "gteq")))
    if wanted.operator == "neq":
        if part.operator in below:
            return bool(mine < theirs or (mine == theirs and part.operator == "lt"))
        if part.operator in above:
            return bool(mine > theirs or (mine == theirs and part.operator == "gt"))
    return False


def _hours_imply(part: Constraint, wanted: Constraint) -> bool:
    """Each of the windows lies in one of the wanted; outside of more is outside of fewer."""
    if part.operator in ("neq", "isNoneOf"):
        return wanted.operator in ("neq", "isNoneOf") and set(_texts(wanted)) <= set(_texts(part))
    if wanted.operator in ("neq", "isNoneOf"):
        return False
    read = reader(OPERANDS[part.operand])
    agreed = [read(text) for text in _texts(wanted)]
    return all(any(read(text).within(one) for one in agreed) for text in _texts(part))


def _sets_imply(part: Constraint, wanted: Constraint) -> bool:
    mine, theirs = set(_texts(part)), set(_texts(wanted))
    if part.operator in ("neq", "isNoneOf") and wanted.operator in ("neq", "isNoneOf"):
        return theirs <= mine
    every = ("isAllOf", "hasPart")
    if part.operator in every and wanted.operator in every:
        return theirs <= mine
    return (
        part.operator in every
        and OPERANDS[part.operand].held
        and wanted.operator in ("eq", "isAnyOf")
        and bool(theirs & mine)
    )


def _opposed(one: Constraint, two: Constraint, diseases: Diseases) -> bool:
    """Whether two constraints on the same fact cannot both hold."""
    operand = OPERANDS.get(one.operand)
    if operand is None or operand.held or fact_name(one) != fact_name(two) or operand.kind == "window":
        return False
    for listed, other in ((one, two), (two, one)):
        if operand.kind in _ORDERED and listed.operator == "eq":
            return _none_holds(listed, other, diseases)
        if listed.operator in _LISTED and other.operator in (*_LISTED, "neq", "isNoneOf"):
            return _none_holds(listed, other, diseases)
    if operand.kind in _ORDERED:
        return _apart(operand, one, two)
    return False


def _none_holds(listed: Constraint, other: Constraint, diseases: Diseases) -> bool:
    leaf = compile_part(other, diseases)
    return isinstance(leaf, Leaf) and all(leaf.test({leaf.fact: text}) is False for text in _texts(listed))


def _apart(operand: Operand, one: Constraint, two: Constraint) -> bool:
    lower, upper = (one, two) if one.operator in ("gt", "gteq") else (two, one)
    if lower.operator not in ("gt", "gteq") or upper.operator not in ("lt", "lteq"):
        return False
    read = reader(operand)
    least, most = read(_texts(lower)[0]), read(_texts(upper)[0])
    if least is None or most is None:
        return False
    strict = lower.operator == "gt" or upper.operator == "lt"
    return bool(least > most or (least == most and strict))


def follows(given: Sequence[Part], wanted: Sequence[Part], diseases: Diseases = NO_DISEASES) -> bool:
    """Whether all of ``wanted`` follow from ``given``."""
    return all(implies(given, part, diseases) for part in wanted)
