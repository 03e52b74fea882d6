"""One use that is allowed, for tests to spoil: request, plan and facts that fit together."""

from __future__ import annotations

import base64
import hashlib

from msgspec.structs import replace

from xinglin.terms.agreed import AgreedTerms, CohortView, Peer
from xinglin.terms.facts import AgreementFacts, ApprovalFacts, Facts, TouchedColumn
from xinglin.terms.request import Plan, UseRequest
from xinglin.terms.thresholds import DisclosureRules

NOW = 1_760_000_000_000
HOUR = 3_600_000


def did(name: str) -> str:
    """A well-spelled DID for ``name``."""
    digest = hashlib.sha256(name.encode()).digest()[:16]
    return "did:xinglin:" + base64.b32encode(digest).decode().rstrip("=").lower()


def digest(name: str) -> str:
    """A well-spelled digest for ``name``."""
    return "sha256:" + hashlib.sha256(name.encode()).hexdigest()


HOSPITALS = tuple(sorted(did(name) for name in ("north", "south", "east", "west")))
NODE, *OTHERS = HOSPITALS
RESEARCHER, INSTITUTE = did("researcher"), did("institute")
KEYS = {one: digest("keys of " + one) for one in HOSPITALS}
AGREEMENTS = {one: digest("agreement of " + one) for one in HOSPITALS}

TERMS = AgreedTerms(
    grade="L2",
    cohort=(CohortView("cohort", "SELECT age, sex, num FROM heart"),),
    variables=("heart.age", "heart.num", "heart.sex"),
    purposes=("health-research",),
    operations=("statistics",),
    not_before=NOW - HOUR,
    expires=NOW + 100 * HOUR,
    allowance=20,
    recipients=(RESEARCHER,),
    peers=tuple(Peer(one, KEYS[one]) for one in OTHERS),
    rules=DisclosureRules(),
)
PLAN = Plan(
    study="heart-study",
    data_set="heart",
    sql="SELECT age, num > 0 AS disease FROM cohort",
    algorithm="glm",
    params={"formula": "disease ~ age", "family": "binomial"},
    roster=HOSPITALS,
    as_of=NOW - HOUR,
    agreements=AGREEMENTS,
    rules=DisclosureRules(),
)
REQUEST = UseRequest(
    plan=PLAN.digest(),
    requester=RESEARCHER,
    study=PLAN.study,
    purpose="health-research",
    operation="statistics",
    nonce="nonce-0123456789abcdef",
    issued=NOW - 1000,
    expires=NOW + HOUR,
    recipients=(RESEARCHER,),
    nodes=HOSPITALS,
)
FACTS = Facts(
    now=NOW,
    node=NODE,
    signer=RESEARCHER,
    key_status="active",
    institution=INSTITUTE,
    authorised=True,
    nonce_seen=False,
    agreement=AgreementFacts(
        digest=AGREEMENTS[NODE],
        state="active",
        provider=NODE,
        consumer=INSTITUTE,
        study=PLAN.study,
        data_set="heart",
        terms=TERMS,
    ),
    roster_keys=KEYS,
    touched=(TouchedColumn("heart", "age", "L2"), TouchedColumn("heart", "num", "L2")),
    algorithm_operation="statistics",
    allowance_left=20,
    answers_left=200,
    checkpoint_age_ms=500,
    protections=frozenset({"evidence", "secure_sum", "differencing_guard", "disclosure_pack"}),
)


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
    approval = ApprovalFacts(PLAN.study, terms.cohort_digest, terms.variables_digest, NOW + HOUR)
    facts = replace(
        FACTS,
        agreement=replace(FACTS.agreement, terms=terms),
        touched=(TouchedColumn("heart", "age", "L3"),),
        protections=FACTS.protections | {"protected_computation"},
        approval=approval,
        assessment_expires=NOW + HOUR,
    )
    return replace(facts, **changes)
