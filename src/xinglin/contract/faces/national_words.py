"""Rules in the codes of TC609-6-2025-14 and -15: operators 01 to 12, actions and operands, from our policies and back.

The code tables are as implementations of the texts quote them: 04 and 09 are both *isPartOf*, 08 and 12 both *neq*
there. Written are 09 and 12, which every reader takes alike. What the codes cannot say is a named ``Loss``, never a
silent one. Reading fails closed: a permission with a constraint that is not understood is no permission, a prohibition
with one holds without it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from xinglin.contract.faces.carried import Loss
from xinglin.terms.policy import Constraint, Duty, Logical, Permission, Policy, Prohibition
from xinglin.terms.vocabulary import OPERANDS, SET_OPERATORS
from xinglin.terms.writing import canonical

OPERATORS = {
    "01": "eq",
    "02": "gt",
    "03": "gteq",
    "04": "isPartOf",
    "05": "isA",
    "06": "isAllOf",
    "07": "isAnyOf",
    "08": "neq",
    "09": "isPartOf",
    "10": "lt",
    "11": "lteq",
    "12": "neq",
}
"""Code to operator of ODRL."""
OPERATOR_CODES = {operator: code for code, operator in OPERATORS.items()}
"""Operator to the code that is written: of two, the later."""

OPERANDS_ZH = {
    "空间范围": "place",
    "时间范围": "dateTime",
    "使用次数": "count",
    "使用目的": "purpose",
    "接收方": "recipient",
}
"""Operand of the text to ours."""
_OPERAND_WORDS = {ours: theirs for theirs, ours in OPERANDS_ZH.items()}

ACTIONS_ZH = {
    "读取": "read",
    "授权使用": "use",
    "转换": "derive",
    "匿名化": "anonymise",
    "脱敏": "mask",
    "出售": "sell",
}
"""Action of the text to ODRL's; 脱敏 is the text's own."""
_WRITTEN = {"read": "读取", "use": "授权使用", "anonymise": "匿名化", "commercialise": "出售"}
_READ = {"读取": "read", "授权使用": "use", "匿名化": "anonymise", "出售": "commercialise"}
_WIDER = {"statistics": "转换", "training": "转换"}
"""Actions that the text has a wider word for: what is more is a loss."""

RuleKind = Literal["permission", "prohibition", "obligation"]


class NationalConstraint(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """``operand``: a word of ``OPERANDS_ZH``; ``operator``: a code of ``OPERATORS``."""

    operand: str
    operator: str
    value: str | tuple[str, ...]


class NationalRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A permission, prohibition or obligation, bound to the nodes that carry it out."""

    kind: RuleKind
    action: str
    constraints: tuple[NationalConstraint, ...] = ()
    execution_nodes: tuple[str, ...] = ()


def to_national(policy: Policy, nodes: tuple[str, ...]) -> tuple[tuple[NationalRule, ...], tuple[Loss, ...]]:
    """The rules of a policy in the codes, and everything that these could not say."""
    rules: list[NationalRule] = []
    losses: list[Loss] = []
    groups: tuple[tuple[RuleKind, Iterable[Permission | Prohibition | Duty]], ...] = (
        ("permission", policy.permissions),
        ("prohibition", policy.prohibitions),
        ("obligation", policy.duties),
    )
    for kind, group in groups:
        for number, rule in enumerate(group, 1):
            where = f"{kind} {number}"
            written = _write(kind, rule, nodes, where, losses)
            if written is not None:
                rules.append(written)
            if isinstance(rule, Permission):
                losses += [
                    Loss(where, f"Its duty '{duty.action}' binds this permission alone.") for duty in rule.duties
                ]
    return tuple(rules), tuple(losses)


def from_national(rules: Iterable[NationalRule]) -> tuple[Policy, tuple[Loss, ...]]:
    """The policy that rules in the codes state, and everything that was not understood."""
    losses: list[Loss] = []
    permissions, prohibitions, duties = [], [], []
    for number, rule in enumerate(rules, 1):
        where = f"{rule.kind} {number}"
        action = _READ.get(rule.action)
        constraints, whole = _read(rule, where, losses)
        if action is None or (action == "anonymise") != (rule.kind == "obligation"):
            losses.append(
                Loss(where, f"The action '{rule.action[:20]}' has no word here, so that the rule is left out.")
            )
        elif rule.kind == "prohibition":
            prohibitions.append(Prohibition(action, constraints if whole else ()))
        elif not whole:
            losses.append(Loss(where, "It is left out, since not all of it is understood."))
        elif rule.kind == "permission":
            permissions.append(Permission(action, constraints))
        else:
            duties.append(Duty(action, constraints))
    return canonical(Policy(tuple(permissions), tuple(prohibitions), tuple(duties))), tuple(losses)


def _write(
    kind: RuleKind, rule: Permission | Prohibition | Duty, nodes: tuple[str, ...], where: str, losses: list[Loss]
) -> NationalRule | None:
    action = _WRITTEN.get(rule.action)
    if action is None:
        action = _WIDER.get(rule.action) if kind == "permission" else None
        if action is None:
            losses.append(Loss(where, f"The action '{rule.action}' has no word there."))
            return None
        losses.append(Loss(where, f"'{rule.action}' is written as the wider {action}."))
    constraints = [one for part in rule.constraints for one in _constraint(part, where, losses)]
    if kind == "prohibition" and len(constraints) != len(rule.constraints):
        constraints = []  # a prohibition that lost a condition would prohibit less: it prohibits always
        losses.append(Loss(where, "It is written without its conditions, and so prohibits more."))
    return NationalRule(kind, action, tuple(constraints), nodes)


def _constraint(part: Constraint | Logical, where: str, losses: list[Loss]) -> list[NationalConstraint]:
    if isinstance(part, Logical):
        if part.operator in ("all", "sequence"):
            return [one for inner in part.parts for one in _constraint(inner, where, losses)]
        losses.append(Loss(where, f"'{part.operator}' of several conditions has no word there."))
        return []
    operand, code = _OPERAND_WORDS.get(part.operand), OPERATOR_CODES.get(part.operator)
    if operand is None or code is None:
        what = f"operator '{part.operator}'" if operand else f"operand '{part.operand}'"
        losses.append(Loss(where, f"The {what} has no word there."))
        return []
    if part.unit and part.unit != OPERANDS[part.operand].unit:
        losses.append(Loss(where, f"The unit '{part.unit}' has no word there."))
        return []
    return [NationalConstraint(operand, code, part.value)]


def _read(rule: NationalRule, where: str, losses: list[Loss]) -> tuple[tuple[Constraint, ...], bool]:
    """The constraints that are understood, and whether all are."""
    found = []
    for one in rule.constraints:
        operand, operator = OPERANDS_ZH.get(one.operand), OPERATORS.get(one.operator)
        if operand is None or operator is None or operator not in OPERANDS[operand].operators:
            losses.append(Loss(where, f"'{one.operand[:20]} {one.operator[:4]}' is not understood."))
            continue
        if one.operator in ("04", "08"):
            losses.append(Loss(where, f"Code {one.operator} is read as {operator}, and by some as another."))
        values = (one.value,) if isinstance(one.value, str) else one.value
        if operator in SET_OPERATORS:
            found.append(Constraint(operand, operator, tuple(sorted(set(values)))))
        elif len(values) == 1:
            found.append(Constraint(operand, operator, values[0]))
        else:
            losses.append(Loss(where, f"'{one.operand} {one.operator}' takes one value."))
    return tuple(found), len(found) == len(rule.constraints)
