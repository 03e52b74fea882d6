"""What a use asks of a policy, from the request, the plan and the node's own facts; nothing from asker or hub."""

from __future__ import annotations

import msgspec

from xinglin.kernel.canonical import canonical_digest
from xinglin.kernel.instants import Instant, to_text
from xinglin.kernel.verdict import Allowed, Verdict
from xinglin.terms.constraints import Value
from xinglin.terms.evaluate import Asked, compile_policy
from xinglin.terms.facts import Facts
from xinglin.terms.grades import highest
from xinglin.terms.request import Plan, UseRequest
from xinglin.terms.values import duration_text


def judge_policy(request: UseRequest, plan: Plan, facts: Facts) -> Verdict:
    """The verdict of the agreement's policy; an agreement without one (version 1) adds nothing."""
    held = facts.agreement
    if held is None or isinstance(held.terms.policy, msgspec.UnsetType):
        return Allowed()
    return compile_policy(held.terms.policy, facts.diseases).judge(asked_of(request, plan, facts))


def asked_of(request: UseRequest, plan: Plan, facts: Facts) -> Asked:
    """The use as a policy sees it: by operand, unknown facts left out."""
    grade = highest(column.grade for column in facts.touched or ())
    values: dict[str, Value] = {
        "purpose": request.purpose,
        "recipient": request.recipients,
        "recipientClass": facts.recipient_classes,
        "place": facts.place,
        "network": facts.network,
        "dateTime": instant_value(facts.now),
        "elapsedTime": elapsed(facts.agreement_start, facts.now),
        "count": None if facts.uses_so_far is None else str(facts.uses_so_far + 1),
        "study": plan.study,
        "population": facts.population,
        "variable": None if facts.touched is None else tuple(sorted({column.variable for column in facts.touched})),
        "operation": request.operation,
        "outputType": facts.output_types,
        "kAnonymity": None if facts.k_anonymity is None else str(facts.k_anonymity),
        "minimumCell": str(plan.min_cell),
        "privacyBudget": facts.privacy_budget,
        "algorithm": facts.algorithm_names,
        "environment": facts.environment,
        "ethicsApproval": facts.ethics_approvals,
        "consentBasis": facts.consent_basis,
        "securityAssessment": facts.assessments,
        "onwardTransfer": None if facts.onward_transfer is None else str(facts.onward_transfer).lower(),
        "grade": grade,
        "lawPack": facts.law_packs,
        "disclosurePack": facts.disclosure_packs,
    }
    return Asked(request.operation, {name: value for name, value in values.items() if value is not None})


def algorithm_digest(plan: Plan) -> str:
    """The digest by which an algorithm with its parameters is agreed: of ``{"algorithm", "params"}``."""
    return canonical_digest({"algorithm": plan.algorithm, "params": plan.params})


def instant_value(instant: Instant) -> str | None:
    """An instant as a fact; ``None`` for one that no calendar holds."""
    try:
        return to_text(instant)
    except (OverflowError, ValueError, OSError):
        return None


def elapsed(start: Instant | None, now: Instant) -> str | None:
    """Whole seconds since ``start`` as a duration; unknown before it began."""
    return None if start is None or now < start else duration_text((now - start) // 1000)
