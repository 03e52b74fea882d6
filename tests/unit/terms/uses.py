"""One use that is allowed, for tests to spoil: the decision table's use of L2 for statistics, but without a policy."""

from __future__ import annotations

from msgspec import UNSET
from msgspec.structs import replace

from xinglin.terms.facts import Facts, TouchedColumn
from xinglin.terms.request import Plan, UseRequest
from xinglin.testing.decision_table import (
    AGREEMENTS,
    ASKER,
    HOSPITALS,
    HOUR_MS,
    INSTITUTE,
    KEYS,
    NODE,
    NOW,
    OTHERS,
    allowed_use,
    approval_of,
    named_did,
    named_digest,
)

__all__ = (
    "AGREEMENTS", "FACTS", "HOSPITALS", "HOUR", "INSTITUTE", "KEYS", "NODE", "NOW", "OTHERS", "PLAN", "REQUEST",
    "RESEARCHER", "TERMS", "did", "digest", "on_l3", "with_agreement", "with_plan", "with_terms",
)  # fmt: skip

HOUR, RESEARCHER = HOUR_MS, ASKER
did, digest = named_did, named_digest
REQUEST, PLAN, _all = allowed_use("L2", "statistics")
assert _all.agreement is not None
TERMS = replace(_all.agreement.terms, policy=UNSET)
FACTS = replace(
    _all,
    agreement=replace(_all.agreement, terms=TERMS),
    protections=frozenset({"evidence", "secure_sum", "differencing_guard", "disclosure_pack"}),
    approval=None,
    assessment_expires=None,
    place=None,
    uses_so_far=None,
    output_types=None,
)
"""What an agreement without a policy asks for, and no more."""


def with_plan(**changes: object) -> tuple[UseRequest, Plan]:
    """Another plan, with a request that was signed for it."""
    plan = replace(PLAN, **changes)
    return replace(REQUEST, plan=plan.digest(), study=plan.study, nodes=plan.roster), plan


def with_terms(**changes: object) -> Facts:
    """The facts under other agreed terms."""
    assert FACTS.agreement is not None
    return replace(FACTS, agreement=replace(FACTS.agreement, terms=replace(TERMS, **changes)))


def with_agreement(**changes: object) -> Facts:
    """The facts under another agreement."""
    assert FACTS.agreement is not None
    return replace(FACTS, agreement=replace(FACTS.agreement, **changes))


def on_l3(**changes: object) -> Facts:
    """Facts under which a use of L3 data is allowed: approval, assessment, protected computation."""
    terms = replace(TERMS, grade="L3")
    assert FACTS.agreement is not None
    approval = approval_of(terms)
    facts = replace(
        FACTS,
        agreement=replace(FACTS.agreement, terms=terms),
        touched=(TouchedColumn("heart", "age", "L3"),),
        protections=FACTS.protections | {"protected_computation"},
        approval=approval,
        assessment_expires=NOW + HOUR,
    )
    return replace(facts, **changes)
