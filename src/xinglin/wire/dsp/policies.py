"""ODRL policies as the protocol's messages carry them: their shape is checked, their content stays as it came.

Source: Dataspace Protocol 2025-1, ``negotiation/contract-schema.json``. What a rule *means* is for the room ``terms``.
"""

from __future__ import annotations

import re
from typing import Any

from xinglin.kernel.canonical import canonical_digest
from xinglin.kernel.limits import Limit
from xinglin.wire.dsp.errors import BadMessage

RULES = Limit("rules of a policy", 256, "rules")
CONSTRAINTS = Limit("constraints of a policy", 1_024, "constraints")
TEXT = Limit("length of an id or an operand", 1_024, "characters")
DEPTH = Limit("depth of nested constraints", 8, "levels")
RULE_KINDS = ("permission", "prohibition", "obligation")
OPERATORS = frozenset(["eq", "gt", "gteq", "lteq", "lt", "neq", "term-lteq", "hasPart", "isPartOf"]) | frozenset(
    ["isA", "isAllOf", "isAnyOf", "isNoneOf"]
)
LOGIC = ("and", "andSequence", "or", "xone")
_DATE = r"-?([1-9][0-9]{3,}|0[0-9]{3})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_TIME = r"(([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?|24:00:00(\.0+)?)"
_ZONE = r"(Z|[+-]((0[0-9]|1[0-3]):[0-5][0-9]|14:00))?"
_STAMP = re.compile(f"{_DATE}T{_TIME}{_ZONE}")

Document = dict[str, Any]


def check_offer(offer: Document, *, target: bool = False) -> None:
    """The shape of an Offer in a message; with ``target`` it must name its data set. Raises ``BadMessage``."""
    _check_policy(offer, "Offer")
    if (target or "target" in offer) and not _is_text(offer.get("target")):
        raise BadMessage("The offer's 'target' is not the id of a data set.")


def check_agreement(agreement: Document) -> None:
    """The shape of an Agreement. Raises ``BadMessage``."""
    _check_policy(agreement, "Agreement")
    for name in ("target", "assigner", "assignee"):
        if not _is_text(agreement.get(name)):
            raise BadMessage(f"The agreement has no '{name}'.")
    stamp = agreement.get("timestamp")
    if stamp is not None and not (isinstance(stamp, str) and _STAMP.search(stamp)):
        raise BadMessage("The agreement's 'timestamp' is no xsd:dateTime.")


def rules_of(policy: Document) -> Document:
    """The rules alone, in one spelling: without ids, parties or target; an empty ``constraint`` is left out."""
    kept = {kind: [_plain(rule) for rule in policy[kind]] for kind in RULE_KINDS if policy.get(kind)}
    if policy.get("profile"):
        kept["profile"] = policy["profile"]
    return kept


def rules_digest(policy: Document) -> str:
    """Equal for two policies exactly when their rules are the same, whatever their order."""
    rules = rules_of(policy)
    return canonical_digest(
        {kind: sorted(canonical_digest(one) for one in found) for kind, found in rules.items() if kind != "profile"}
        | {"profile": rules.get("profile", "")}
    )


def agreement_of(offer: Document, *, id_: str, assigner: str, assignee: str, timestamp: str) -> Document:
    """The Agreement that an offer becomes: its rules, unchanged, between these parties."""
    return {
        "@type": "Agreement",
        "@id": id_,
        "target": offer["target"],
        "assigner": assigner,
        "assignee": assignee,
        "timestamp": timestamp,
        **rules_of(offer),
    }


def _check_policy(policy: Document, kind: str) -> None:
    if policy.get("@type") != kind:
        raise BadMessage(f"The policy's '@type' is not '{kind}'.")
    if not _is_text(policy.get("@id")):
        raise BadMessage("The policy has no '@id'.")
    if "permission" not in policy and "prohibition" not in policy:
        raise BadMessage("The policy has neither 'permission' nor 'prohibition'.")
    profile = policy.get("profile", "")
    if not (isinstance(profile, str) or (isinstance(profile, list) and all(isinstance(one, str) for one in profile))):
        raise BadMessage("The policy's 'profile' is neither a text nor an array of texts.")
    left = [CONSTRAINTS.value]
    for name in RULE_KINDS:
        if name in policy:
            _check_rules(name, policy[name], left)


def _check_rules(name: str, rules: Any, left: list[int]) -> None:
    if not isinstance(rules, list) or not rules:
        raise BadMessage(f"'{name}' is not an array of at least one rule.")
    if len(rules) > RULES.value:
        raise BadMessage(f"'{name}' has more than {RULES.value} rules.")
    for rule in rules:
        if not isinstance(rule, dict) or not isinstance(rule.get("action"), str):
            raise BadMessage(f"A rule of '{name}' has no 'action' that is a text.")
        _check_constraints(rule.get("constraint", []), 1, left)


def _check_constraints(constraints: Any, depth: int, left: list[int]) -> None:
    if not isinstance(constraints, list):
        raise BadMessage("'constraint' is not an array.")
    if depth > DEPTH.value:
        raise BadMessage(f"Constraints are nested deeper than {DEPTH.value} levels.")
    for one in constraints:
        left[0] -= 1
        if left[0] < 0:
            raise BadMessage(f"The policy has more than {CONSTRAINTS.value} constraints.")
        if not isinstance(one, dict):
            raise BadMessage("A constraint is not an object.")
        logic = [name for name in LOGIC if name in one]
        if len(logic) == 1 and not {"leftOperand", "operator", "rightOperand"} <= one.keys():
            _check_constraints(one[logic[0]], depth + 1, left)
        elif logic:
            raise BadMessage("A constraint is logical and atomic at once, or of two logics.")
        else:
            _check_atom(one)


def _check_atom(one: Document) -> None:
    if not _is_text(one.get("leftOperand")):
        raise BadMessage("A constraint has no 'leftOperand' that is a text.")
    if one.get("operator") not in OPERATORS:
        raise BadMessage("A constraint's 'operator' is none of the protocol's.")
    if not isinstance(one.get("rightOperand"), str | dict | list):
        raise BadMessage("A constraint's 'rightOperand' is no text, object or array.", remedy="Write numbers as texts.")


def _plain(rule: Any) -> Any:
    if isinstance(rule, dict):
        return {name: _plain(value) for name, value in rule.items() if not (name == "constraint" and value == [])}
    return [_plain(one) for one in rule] if isinstance(rule, list) else rule


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= TEXT.value and value.isprintable()
