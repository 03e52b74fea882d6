"""An agreement's policy is judged with the rest; agreements without one decide, and are named, as ever."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace
from tests.unit.terms.uses import FACTS, HOUR, NOW, PLAN, REQUEST, TERMS, digest, with_terms

from xinglin.contract.agreement import Agreement, check_agreement
from xinglin.kernel.canonical import canonical_bytes, canonical_digest
from xinglin.kernel.codec import decode_json
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.verdict import Allowed, Denied
from xinglin.terms.agreed import check_agreed
from xinglin.terms.decide import decide
from xinglin.terms.facts import Facts
from xinglin.terms.policy import Constraint, Duty, Permission, Policy, Prohibition
from xinglin.terms.policy_facts import algorithm_digest, asked_of, elapsed

GRANT = Permission("statistics", (Constraint("purpose", "isAnyOf", ("health-research",)),), (Duty("acknowledge"),))
KNOWN: Facts = replace(
    FACTS,
    place="CN-SH",
    network="10.1.2.3",
    environment="node",
    uses_so_far=2,
    agreement_start=NOW - 48 * HOUR,
    population=("adults",),
    ethics_approvals=("approval-1",),
    consent_basis="consent",
    assessments=("iso-27001",),
    law_packs=("pipl",),
    disclosure_packs=("sacro",),
    recipient_classes=("university",),
    output_types=("model", "statistic"),
    algorithm_names=("glm", algorithm_digest(PLAN)),
    k_anonymity=10,
    privacy_budget="0.5",
    onward_transfer=False,
)


def under(policy: Policy, facts: Facts = KNOWN) -> Facts:
    """The facts, with this policy in the agreement."""
    assert facts.agreement is not None
    return replace(facts, agreement=replace(facts.agreement, terms=replace(TERMS, policy=policy)))


def test_the_policy_is_judged_with_the_rest_and_its_duties_are_conditions() -> None:
    before = decide(REQUEST, PLAN, FACTS)
    assert isinstance(before, Allowed)
    assert decide(REQUEST, PLAN, under(Policy((GRANT,)))) == Allowed((*before.conditions, "duty:acknowledge"))
    none = decide(REQUEST, PLAN, under(Policy((replace(GRANT, action="training"),))))
    assert isinstance(none, Denied)
    assert none.codes == ("terms.action_not_permitted",)


NAMED = [
    (Constraint("recipient", "isAnyOf", REQUEST.recipients), "recipient"),
    (Constraint("recipientClass", "isAnyOf", ("university",)), "recipient_classes"),
    (Constraint("place", "isPartOf", ("CN",)), "place"),
    (Constraint("network", "isPartOf", ("10.0.0.0/8",)), "network"),
    (Constraint("dateTime", "lt", "2100-01-01T00:00:00Z"), "now"),
    (Constraint("openingHours", "isAnyOf", ("Mo-Su 00:00-24:00 Z",)), "now"),
    (Constraint("elapsedTime", "lteq", "P2D"), "agreement_start"),
    (Constraint("count", "lteq", "3"), "uses_so_far"),
    (Constraint("study", "eq", PLAN.study), "study"),
    (Constraint("population", "isAnyOf", ("adults",)), "population"),
    (Constraint("variable", "isPartOf", ("heart.*",)), "touched"),
    (Constraint("operation", "eq", "statistics"), "operation"),
    (Constraint("outputType", "isNoneOf", ("records",)), "output_types"),
    (Constraint("kAnonymity", "gteq", "10"), "k_anonymity"),
    (Constraint("minimumCell", "gteq", "10"), "plan"),
    (Constraint("privacyBudget", "lteq", "0.5"), "privacy_budget"),
    (Constraint("algorithm", "eq", algorithm_digest(PLAN)), "algorithm_names"),
    (Constraint("environment", "eq", "node"), "environment"),
    (Constraint("ethicsApproval", "isAnyOf", ("approval-1",)), "ethics_approvals"),
    (Constraint("consentBasis", "eq", "consent"), "consent_basis"),
    (Constraint("securityAssessment", "isAnyOf", ("iso-27001",)), "assessments"),
    (Constraint("onwardTransfer", "eq", "false"), "onward_transfer"),
    (Constraint("grade", "lteq", "L2"), "touched"),
    (Constraint("lawPack", "isAllOf", ("pipl",)), "law_packs"),
    (Constraint("disclosurePack", "isAllOf", ("sacro",)), "disclosure_packs"),
]


@pytest.mark.parametrize(("constraint", "fact"), NAMED)
def test_every_operand_has_its_fact_and_an_unknown_one_denies(constraint: Constraint, fact: str) -> None:
    policy = Policy((Permission("use", (constraint,)),))
    assert decide(REQUEST, PLAN, under(policy)) == decide(REQUEST, PLAN, under(Policy((Permission("use"),))))
    prohibited = decide(REQUEST, PLAN, under(Policy((GRANT,), (Prohibition("use", (constraint,)),))))
    assert isinstance(prohibited, Denied)
    assert prohibited.codes == ("terms.prohibited_use",)
    if getattr(Facts(now=NOW, node=""), fact, "") is None and fact != "touched":
        for each, code in (
            (policy, "terms.unknown_"),
            (Policy((GRANT,), (Prohibition("use", (constraint,)),)), "terms.not_"),
        ):
            unknown = decide(REQUEST, PLAN, under(each, replace(KNOWN, **{fact: None})))
            assert isinstance(unknown, Denied)
            assert all(one.startswith(code) for one in unknown.codes)


def test_the_use_that_is_asked_counts() -> None:
    assert asked_of(REQUEST, PLAN, KNOWN).values["count"] == "3"
    assert elapsed(NOW, NOW - 1) is None
    assert elapsed(NOW, NOW + 1999) == "PT1S"


def test_an_unknown_word_in_a_policy_is_refused_when_written_and_when_decided() -> None:
    odd = Policy((replace(GRANT, constraints=(Constraint("purpos", "eq", "education"),)),))
    written = check_agreed(replace(TERMS, policy=odd))
    assert isinstance(written, Denied)
    assert written.codes == ("terms.operand_unknown",)
    decided = decide(REQUEST, PLAN, under(odd))
    assert isinstance(decided, Denied)
    assert decided.codes == ("terms.operand_unknown",)


AGREEMENT = Agreement(
    "did:xinglin:" + "a" * 26, digest("a"), "did:xinglin:" + "b" * 26, digest("b"), "study", "heart", TERMS, NOW
)


def test_an_agreement_of_version_1_keeps_its_bytes_and_its_name() -> None:
    assert b'"policy"' not in canonical_bytes(AGREEMENT)
    assert canonical_digest(TERMS) == canonical_digest(msgspec.to_builtins(TERMS))
    assert TERMS.version == 1
    again = decode_json(canonical_bytes(AGREEMENT), Agreement)
    assert again == AGREEMENT
    assert again.digest() == AGREEMENT.digest()
    assert decide(REQUEST, PLAN, with_terms()) == decide(REQUEST, PLAN, FACTS)


def test_an_agreement_of_version_2_has_a_policy_and_opens_again() -> None:
    terms = replace(TERMS, policy=Policy((GRANT,)))
    second = replace(AGREEMENT, terms=terms, version=terms.version)
    assert second.version == 2
    assert decode_json(canonical_bytes(second), Agreement) == second
    for wrong in (replace(second, version=1), replace(AGREEMENT, version=2), replace(second, version=3)):
        verdict = check_agreement(wrong)
        assert isinstance(verdict, Denied)
        assert any("ersion" in reason.words for reason in verdict.reasons)
    for right in (second, AGREEMENT):
        verdict = check_agreement(right)
        words = [reason.words for reason in verdict.reasons] if isinstance(verdict, Denied) else []
        assert not any("ersion" in one for one in words)


def test_a_null_policy_is_not_read() -> None:
    payload = canonical_bytes(AGREEMENT).replace(b'"rules":', b'"policy":null,"rules":')
    with pytest.raises(MalformedMessage):
        decode_json(payload, Agreement)
