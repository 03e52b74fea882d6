"""Policies as ODRL 2.2 in the JSON of the Dataspace Protocol 2025-1, which is also JSON-LD; out and in without loss.

Written: short spellings under our context (``context.jsonld``, the second entry of ``@context``), or absolute ones;
numbers, instants and durations as ``{"@value", "@type"}``. Read: short, ``odrl:`` and absolute spellings, compacted or
expanded. What a policy here cannot hold (refinements, remedies, rules with parties of their own) is refused and never
dropped; unknown words are kept as they are, for ``check_policy`` to refuse.

Sources: ODRL Information Model 2.2 (W3C, 2018-02-15); Dataspace Protocol 2025-1, contract-schema.json.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from xinglin.terms.errors import TermsError
from xinglin.terms.odrl_words import (
    ACTION_IRI,
    CONTEXT_IRI,
    DSP_CONTEXT_IRI,
    PROFILE_IRI,
    XSD,
    action_named,
    local,
    operand_named,
    operator_named,
    purpose_iri,
    unit_named,
)
from xinglin.terms.policy import LOGIC_DEPTH, Constraint, Duty, Logical, Permission, Policy, Prohibition
from xinglin.terms.vocabulary import ACTIONS, DUTIES, LOGIC, OPERANDS, SET_OPERATORS, TERMS, VERSION
from xinglin.terms.writing import canonical

Spelling = Literal["short", "absolute"]
PolicyKind = Literal["Offer", "Agreement", "Set"]
CONTEXTS = (DSP_CONTEXT_IRI, CONTEXT_IRI)
"""The ``@context`` of a message that carries a policy."""

_LOGIC_BACK = {spelled: name for name, spelled in LOGIC.items()}
_POLICY_KEYS = {"@context", "@id", "uid", "@type", "profile", "target", "assigner", "assignee", "timestamp", "conflict"}
_RULES = {"permission", "prohibition", "obligation"}
_DATATYPES = {"instant": "dateTime", "duration": "duration", "flag": "boolean"}


class NotThisOdrl(TermsError):
    """A document that is no policy of this form, or that says what a policy here cannot hold."""

    code = "terms.odrl"


class OdrlDocument(msgspec.Struct, frozen=True):
    """A policy with what stands around it: its kind, its name, its parties. Empty where it is not said."""

    policy: Policy
    kind: str
    id: str
    target: str = ""
    assigner: str = ""
    assignee: str = ""
    timestamp: str = ""
    profiles: tuple[str, ...] = ()


def to_odrl(
    policy: Policy,
    kind: PolicyKind,
    id_: str,
    target: str | None = None,
    assigner: str | None = None,
    assignee: str | None = None,
    timestamp: str | None = None,
    *,
    spelling: Spelling = "short",
) -> dict[str, Any]:
    """The policy as an ODRL object for a message (which bears ``CONTEXTS``); raises ``NotThisOdrl`` without a rule.

    An offer of a catalogue has no ``target``; one in a message, and an agreement, have one.
    """
    if not policy.permissions and not policy.prohibitions:
        raise NotThisOdrl("A policy without permission and prohibition is none.", remedy="Write a permission.")
    document: dict[str, Any] = {"@type": kind, "@id": id_, "profile": PROFILE_IRI}
    around = {"target": target, "assigner": assigner, "assignee": assignee, "timestamp": timestamp}
    document |= {key: value for key, value in around.items() if value is not None}
    write = _Writer(spelling)
    rules = {
        "permission": [write.permission(one) for one in policy.permissions],
        "prohibition": [write.rule(one, ACTIONS) for one in policy.prohibitions],
        "obligation": [write.rule(one, DUTIES) for one in policy.duties],
    }
    return document | {key: found for key, found in rules.items() if found}


def from_odrl(document: Any) -> Policy:
    """The policy of an ODRL object, in its canonical spelling; raises ``NotThisOdrl``."""
    return read_odrl(document).policy


def read_odrl(document: Any) -> OdrlDocument:
    """The policy with what stands around it; raises ``NotThisOdrl``. Unknown words and profiles are kept unjudged."""
    document = _only(document, "policy")
    found = _fields(document, _POLICY_KEYS | _RULES, "policy")
    kind = local(_text(found.get("@type", "Set"), "type"))
    if kind not in ("Offer", "Agreement", "Set", "Policy"):
        raise NotThisOdrl(f"'{kind[:40]}' is no policy.", remedy="Write an Offer, an Agreement or a Set.")
    conflict = local(_text(found.get("conflict", "prohibit"), "conflict"))
    if conflict != "prohibit":
        raise NotThisOdrl("Here a prohibition always wins.", remedy='Leave "conflict" out, or write "prohibit".')
    read = _Reader(_text(found.get("target", ""), "target"))
    policy = Policy(
        permissions=tuple(read.permission(one) for one in _list(found.get("permission"))),
        prohibitions=tuple(Prohibition(*read.rule(one, ACTIONS)) for one in _list(found.get("prohibition"))),
        duties=tuple(Duty(*read.rule(one, DUTIES)) for one in _list(found.get("obligation"))),
        version=VERSION,
    )
    return OdrlDocument(
        policy=canonical(policy),
        kind=kind,
        id=_text(found.get("@id", found.get("uid", "")), "id"),
        target=read.target,
        assigner=_text(found.get("assigner", ""), "assigner"),
        assignee=_text(found.get("assignee", ""), "assignee"),
        timestamp=_text(found.get("timestamp", ""), "timestamp"),
        profiles=tuple(_text(one, "profile") for one in _list(found.get("profile"))),
    )


class _Writer:
    def __init__(self, spelling: Spelling) -> None:
        self._short = spelling == "short"

    def permission(self, rule: Permission) -> dict[str, Any]:
        written = self.rule(rule, ACTIONS)
        if rule.duties:
            written["duty"] = [self.rule(duty, DUTIES) for duty in rule.duties]
        return written

    def rule(self, rule: Permission | Prohibition | Duty, known: Iterable[str]) -> dict[str, Any]:
        written: dict[str, Any] = {"action": self._action(rule.action, known)}
        if rule.constraints:
            written["constraint"] = [self.part(part) for part in rule.constraints]
        return written

    def _action(self, name: str, known: Iterable[str]) -> str:
        if name not in known:
            return name
        return local(ACTION_IRI[name]) if self._short else ACTION_IRI[name]

    def part(self, part: Constraint | Logical) -> dict[str, Any]:
        if isinstance(part, Logical):
            key = LOGIC.get(part.operator)
            if key is None:
                raise NotThisOdrl(f"'{part.operator[:40]}' is no operator of ODRL.", remedy="Check the policy first.")
            return {key: [self.part(inner) for inner in part.parts]}
        operand = OPERANDS.get(part.operand)
        name = part.operand if operand is None else operand.local if self._short else operand.iri
        # The protocol's schema lists operators by their short names only.
        written = {"leftOperand": name, "operator": part.operator, "rightOperand": self._value(part)}
        if part.unit:
            written["unit"] = part.unit if self._short else f"{TERMS}unit/{part.unit}"
        return written

    def _value(self, part: Constraint) -> Any:
        operand = OPERANDS.get(part.operand)
        kind = operand.kind if operand is not None else ""
        if isinstance(part.value, str):
            return self._one(kind, part.value)
        if len(part.value) == 1 and kind and part.operator in SET_OPERATORS:
            return self._one(kind, part.value[0])
        return [self._one(kind, text) for text in part.value]

    def _one(self, kind: str, text: str) -> Any:
        if kind == "purpose" and not self._short:
            return {"@id": purpose_iri(text)}
        datatype = _DATATYPES.get(kind) or ("decimal" if "." in text else "integer")
        if kind not in (*_DATATYPES, "number"):
            return text
        return {"@value": text, "@type": f"xsd:{datatype}" if self._short else XSD + datatype}


class _Reader:
    def __init__(self, target: str) -> None:
        self.target = target

    def permission(self, document: Any) -> Permission:
        fields = _only(document, "permission")
        duties = [one for key in fields for one in _list(fields[key]) if local(key) == "duty"]
        rest = {key: value for key, value in fields.items() if local(key) != "duty"}
        return Permission(*self.rule(rest, ACTIONS), tuple(Duty(*self.rule(one, DUTIES)) for one in duties))

    def rule(self, document: Any, known: Iterable[str]) -> tuple[str, tuple[Constraint | Logical, ...]]:
        keys = {"@type", "@id", "uid", "action", "constraint", "target"}
        found = _fields(_only(document, "rule"), keys, "rule")
        if "target" in found and _text(found["target"], "target") != self.target:
            raise NotThisOdrl(
                "A rule is about another target than its policy.", remedy="Write a policy for each target."
            )
        if "action" not in found:
            raise NotThisOdrl("A rule names its action.", remedy="Name one.")
        action = action_named(_text(found["action"], "action"), known)
        return action, tuple(self._part(one, 0) for one in _list(found.get("constraint")))

    def _part(self, document: Any, depth: int) -> Constraint | Logical:
        LOGIC_DEPTH.check(depth)
        keys = {"@type", "@id", "uid", "leftOperand", "operator", "rightOperand", "unit", "dataType", *_LOGIC_BACK}
        found = _fields(_only(document, "constraint"), keys, "constraint")
        logic = [key for key in found if key in _LOGIC_BACK]
        if logic:
            if len(logic) > 1 or "leftOperand" in found:
                raise NotThisOdrl("A nested constraint has one operator.", remedy="Write and, or, xone or andSequence.")
            parts = tuple(self._part(one, depth + 1) for one in _list(found[logic[0]]))
            return Logical(_LOGIC_BACK[logic[0]], parts)
        if not {"leftOperand", "operator", "rightOperand"} <= set(found):
            raise NotThisOdrl("A constraint has leftOperand, operator and rightOperand.", remedy="Write all three.")
        operand = operand_named(_text(found["leftOperand"], "leftOperand"))
        operator = operator_named(_text(found["operator"], "operator"))
        unit = unit_named(_text(found.get("unit", ""), "unit"))
        return Constraint(operand, operator, _values(found["rightOperand"], operand, operator), unit)


def _values(value: Any, operand: str, operator: str) -> str | tuple[str, ...]:
    items = _list(value)
    texts = [_scalar(item) for item in items]
    known = OPERANDS.get(operand)
    if known is not None and known.kind == "purpose":
        from xinglin.terms.purposes import read_purpose

        texts = [read_purpose(text) or text for text in texts]
    if known is not None and operator in known.operators:
        return tuple(texts) if operator in SET_OPERATORS or len(texts) != 1 else texts[0]
    return texts[0] if len(texts) == 1 and not isinstance(value, list) else tuple(texts)


def _scalar(item: Any) -> str:
    """One value as text: a text, a whole number, a typed value or a name; a float was never exact."""
    if isinstance(item, dict):
        if set(item) == {"@id"}:
            return _text(item["@id"], "value")
        if "@value" in item and set(item) <= {"@value", "@type", "@language"}:
            return _scalar(item["@value"])
        raise NotThisOdrl("A value is a text, a typed value or a name.", remedy='Write {"@value", "@type"}.')
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, int):
        return str(item)
    if not isinstance(item, str):
        raise NotThisOdrl("A number is written as a text.", remedy='Write {"@value": "0.5", "@type": "xsd:decimal"}.')
    return item


def _fields(document: dict[str, Any], known: set[str], what: str) -> dict[str, Any]:
    """The object by the short names of its keys; an unknown key is refused, for it would be lost."""
    found: dict[str, Any] = {}
    for key, value in document.items():
        name = key if key.startswith("@") else local(key)
        if name not in known:
            words = f"A {what} here has no '{name[:40]}'."
            raise NotThisOdrl(words, remedy="Leave it out, or say it by a constraint.")
        if name in found:
            raise NotThisOdrl(f"A {what} says '{name}' twice.", remedy="Say it once.")
        found[name] = value
    return found


def _only(document: Any, what: str) -> dict[str, Any]:
    items = _list(document)
    if len(items) != 1 or not isinstance(items[0], dict):
        raise NotThisOdrl(f"A {what} is one object.", remedy="See ODRL 2.2, or the protocol's schema.")
    return items[0]


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    items = value if isinstance(value, list) else [value]
    if len(items) == 1 and isinstance(items[0], dict) and set(items[0]) in ({"@list"}, {"@set"}):
        items = _list(next(iter(items[0].values())))
    return items


def _text(value: Any, what: str) -> str:
    items = _list(value)
    item = items[0] if len(items) == 1 else None
    if isinstance(item, dict) and set(item) <= {"@id", "@value", "@type"} and len(set(item) & {"@id", "@value"}) == 1:
        item = item.get("@id", item.get("@value"))
    if not isinstance(item, str):
        raise NotThisOdrl(f"The {what} is one text.", remedy="Write a name.")
    return item
