"""Whether a policy may be written or offered at all: every word known, every value in its canonical spelling."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from xinglin.kernel.verdict import Allowed, Denied, Reason, Verdict
from xinglin.terms.policy import (
    CONSTRAINTS,
    LOGIC_DEPTH,
    RULES,
    VALUES,
    Constraint,
    Duty,
    Logical,
    Permission,
    Policy,
    Prohibition,
)
from xinglin.terms.reading import example, reader, shown, spelled
from xinglin.terms.vocabulary import (
    ACTIONS,
    DUTIES,
    LOGIC,
    OPERANDS,
    OPERATORS,
    SET_OPERATORS,
    VERSION,
    Operand,
    nearest,
)


def check_policy(policy: Policy) -> Verdict:
    """Whether every word of the policy is known and every limit kept, with every reason why not.

    Asked when a policy is written, when one is offered, and again by every decision.
    """
    reasons = list(dict.fromkeys(_policy(policy)))
    return Denied(tuple(reasons)) if reasons else Allowed()


def canonical(policy: Policy) -> Policy:
    """The policy with every known value in its canonical spelling and every set sorted; unknown words stay."""
    return replace(
        policy,
        permissions=tuple(
            replace(p, constraints=_canonical(p.constraints), duties=_duties(p.duties)) for p in policy.permissions
        ),
        prohibitions=tuple(replace(p, constraints=_canonical(p.constraints)) for p in policy.prohibitions),
        duties=_duties(policy.duties),
    )


def canonical_constraint(constraint: Constraint) -> Constraint:
    """One constraint in its canonical spelling; what is unknown stays as it is."""
    operand = OPERANDS.get(constraint.operand)
    if operand is None or constraint.operator not in operand.operators:
        return constraint
    values = (constraint.value,) if isinstance(constraint.value, str) else constraint.value
    found = [spelled(operand, value) or value for value in values]
    unit = "" if constraint.unit == operand.unit else constraint.unit
    if constraint.operator in SET_OPERATORS:
        return replace(constraint, value=tuple(sorted(set(found))), unit=unit)
    return replace(constraint, value=found[0] if len(found) == 1 else tuple(found), unit=unit)


def _canonical(parts: Iterable[Constraint | Logical]) -> tuple[Constraint | Logical, ...]:
    return tuple(
        canonical_constraint(part) if isinstance(part, Constraint) else replace(part, parts=_canonical(part.parts))
        for part in parts
    )


def _duties(duties: Iterable[Duty]) -> tuple[Duty, ...]:
    return tuple(replace(duty, constraints=_canonical(duty.constraints)) for duty in duties)


def _policy(policy: Policy) -> Iterator[Reason]:
    if policy.version != VERSION:
        words = f"Version {policy.version} of a policy is not known here."
        yield Reason("terms.version", words, f"Use version {VERSION}, or upgrade.")
    rules = len(policy.permissions) + len(policy.prohibitions) + len(policy.duties)
    if rules > RULES.value:
        yield _malformed(f"A policy has at most {RULES.value} rules; there are {rules}.", "Join rules.")
    for name in [one.action for one in policy.permissions] + [one.action for one in policy.prohibitions]:
        yield from _action("action", name, ACTIONS)
    for duty in (*policy.duties, *(duty for rule in policy.permissions for duty in rule.duties)):
        yield from _action("duty", duty.action, DUTIES)
    for parts in _parts(policy):
        yield from _constraints(parts)


def _parts(policy: Policy) -> Iterator[tuple[Constraint | Logical, ...]]:
    holders: list[Permission | Prohibition | Duty] = [*policy.permissions, *policy.prohibitions, *policy.duties]
    holders += [duty for rule in policy.permissions for duty in rule.duties]
    for holder in holders:
        yield holder.constraints


def _constraints(parts: tuple[Constraint | Logical, ...]) -> Iterator[Reason]:
    if sum(map(_size, parts)) > CONSTRAINTS.value:
        yield _malformed(f"A rule has at most {CONSTRAINTS.value} constraints.", "Split the rule.")
        return
    if any(_depth(part) > LOGIC_DEPTH.value for part in parts):
        yield _malformed(f"Constraints are nested {LOGIC_DEPTH.value} levels deep at most.", "Flatten them.")
        return
    for part in parts:
        yield from _part(part)


def _size(part: Constraint | Logical) -> int:
    """Counted without recursion, so that nothing that is nested too deep is walked by the call stack."""
    count, waiting = 0, [part]
    while waiting and count <= CONSTRAINTS.value:
        one = waiting.pop()
        count += 1
        if isinstance(one, Logical):
            waiting += one.parts
    return count


def _depth(part: Constraint | Logical) -> int:
    deepest, waiting = 0, [(part, 0)]
    while waiting:
        one, depth = waiting.pop()
        if isinstance(one, Logical) and depth <= LOGIC_DEPTH.value:
            depth += 1
            waiting += [(inner, depth) for inner in one.parts]
        deepest = max(deepest, depth)
    return deepest


def _part(part: Constraint | Logical) -> Iterator[Reason]:
    if isinstance(part, Constraint):
        yield from _constraint(part)
        return
    if part.operator not in LOGIC:
        yield _unknown("operator", part.operator, nearest(part.operator, LOGIC), ", ".join(LOGIC))
    if not part.parts:
        yield _malformed("A nested constraint has parts.", "Name them, or leave it out.")
    for inner in part.parts:
        yield from _part(inner)


def _constraint(constraint: Constraint) -> Iterator[Reason]:
    operand = OPERANDS.get(constraint.operand)
    if operand is None:
        yield _unknown("operand", constraint.operand, nearest(constraint.operand, OPERANDS), ", ".join(OPERANDS))
        return
    if constraint.operator not in operand.operators:
        offered = ", ".join(operand.operators)
        if constraint.operator in OPERATORS:
            words = f"'{constraint.operator}' is no operator of {operand.name}."
            yield Reason("terms.operator_unknown", words, f"Use one of: {offered}.")
        else:
            yield _unknown("operator", constraint.operator, nearest(constraint.operator, operand.operators), offered)
        return
    if constraint.unit and constraint.unit not in operand.units:
        offered = ", ".join(operand.units) or "none: leave it out"
        yield _unknown("unit", constraint.unit, nearest(constraint.unit, operand.units), offered)
    elif constraint.unit and constraint.unit == operand.unit:
        yield _malformed(f"{operand.unit} is the unit of {operand.name} anyway.", "Leave the unit out.")
    yield from _values(operand, constraint)


def _values(operand: Operand, constraint: Constraint) -> Iterator[Reason]:
    value = constraint.value
    if (constraint.operator in SET_OPERATORS) != isinstance(value, tuple):
        asked = "a set of values" if constraint.operator in SET_OPERATORS else "one value"
        yield _malformed(f"'{constraint.operator}' of {operand.name} takes {asked}.", f"Write {asked}.")
        return
    values = (value,) if isinstance(value, str) else value
    if not 1 <= len(values) <= VALUES.value:
        yield _malformed(f"A constraint has 1 to {VALUES.value} values.", "Name them.")
        return
    for text in values:
        yield from _value(operand, text)
    if list(values) != sorted(set(values)):
        yield _malformed(f"The values of {operand.name} are sorted, each once.", "Sort them and drop doubles.")


def _value(operand: Operand, text: str) -> Iterator[Reason]:
    spelling = spelled(operand, text)
    if spelling is None:
        like = nearest(text, operand.values) if operand.values else ""
        words = f"'{shown(text)}' is no value of {operand.name}."
        meant = f"Did you mean '{like}'? " if like else ""
        yield Reason("terms.value_unknown", words, f"{meant}Write {example(operand)}.")
    elif spelling != text:
        yield _malformed(f"'{shown(text)}' is not the canonical spelling.", f"Write '{spelling}'.")
    elif operand.kind == "number" and reader(operand)(text) < reader(operand)(operand.least):
        yield Reason(
            "terms.value_unknown", f"{operand.name} is at least {operand.least}.", f"Write {operand.least} or more."
        )


def _action(what: str, name: str, known: Iterable[str]) -> Iterator[Reason]:
    if name not in known:
        yield _unknown(what, name, nearest(name, list(known)), ", ".join(known))


def _unknown(what: str, word: str, like: str, offered: str) -> Reason:
    meant = f"Did you mean '{like}'? " if like else ""
    plain = re.sub(r"[^ -~]", "?", word[:80])
    return Reason(f"terms.{what}_unknown", f"'{plain}' is not a known {what}.", f"{meant}Known: {offered}.")


def _malformed(words: str, remedy: str) -> Reason:
    return Reason("terms.policy_malformed", words, remedy)
