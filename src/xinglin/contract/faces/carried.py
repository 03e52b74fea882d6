"""The agreement inside a face: carried whole, held to the digest that the face names."""

from __future__ import annotations

from typing import Any

import msgspec

from xinglin.contract.agreement import Agreement, check_agreement
from xinglin.contract.errors import NotThisFace
from xinglin.kernel.canonical import canonical_bytes
from xinglin.kernel.codec import decode_json
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.verdict import Denied
from xinglin.terms.policy import Constraint, Logical, Permission, Policy, Prohibition
from xinglin.terms.policy_facts import instant_value
from xinglin.terms.vocabulary import includes
from xinglin.terms.writing import canonical


class Loss(msgspec.Struct, frozen=True):
    """What a vocabulary cannot say: where it stood, and what that was."""

    where: str
    words: str


def carry(agreement: Agreement) -> dict[str, Any]:
    """The agreement as plain JSON values."""
    return decode_json(canonical_bytes(agreement), dict[str, Any])


def carried(value: Any, digest: str) -> Agreement:
    """The agreement that a face carries, once it has the digest that the face names; ``NotThisFace`` otherwise."""
    try:
        agreement = decode_json(canonical_bytes(value), Agreement)
    except XinglinError as error:
        raise NotThisFace("The face carries no agreement.", why=error.what) from error
    if agreement.digest() != digest:
        raise NotThisFace("The agreement inside is not the one that the face names.")
    verdict = check_agreement(agreement)
    if isinstance(verdict, Denied):
        raise NotThisFace("The agreement inside cannot be made.", why=verdict.reasons[0].words)
    return agreement


def policy_of(agreement: Agreement) -> Policy:
    """Everything of the agreement's terms that the vocabulary of policies can say, its own policy included.

    One permission for each agreed operation (and each permission of the policy that covers it), under every limit of
    the terms; what the policy prohibits and owes is kept.
    """
    terms = agreement.terms
    own = terms.policy if isinstance(terms.policy, Policy) else None
    limits = _limits(agreement)
    permissions: list[Permission] = []
    for operation in terms.operations:
        if own is None:
            permissions.append(Permission(operation, limits))
            continue
        permissions += [
            Permission(operation, (*limits, *rule.constraints), rule.duties)
            for rule in own.permissions
            if includes(rule.action, operation)
        ]
    prohibitions = [*(own.prohibitions if own is not None else ())]
    if Prohibition("reidentify") not in prohibitions:
        prohibitions.append(Prohibition("reidentify"))
    return canonical(Policy(tuple(permissions), tuple(prohibitions), own.duties if own is not None else ()))


def _limits(agreement: Agreement) -> tuple[Constraint | Logical, ...]:
    terms = agreement.terms
    return (
        Constraint("study", "eq", agreement.study),
        Constraint("purpose", "isAnyOf", tuple(sorted(terms.purposes))),
        Constraint("recipient", "isPartOf", tuple(sorted(terms.recipients))),
        Constraint("variable", "isPartOf", tuple(sorted(terms.variables))),
        Constraint("dateTime", "gteq", instant_value(terms.not_before) or ""),
        Constraint("dateTime", "lt", instant_value(terms.expires) or ""),
        Constraint("count", "lteq", str(terms.allowance)),
        Constraint("minimumCell", "gteq", str(terms.rules.min_cell)),
        Constraint("grade", "lteq", terms.grade),
    )
