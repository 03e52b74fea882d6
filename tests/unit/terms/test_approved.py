"""An ethics approval covers what the committee saw: these data, no other use, and nobody else."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.terms.uses import FACTS, INSTITUTE, PLAN, REQUEST, RESEARCHER, TERMS, did, digest

from xinglin.kernel.verdict import Denied, Reason
from xinglin.terms.approved import approval_covers
from xinglin.terms.decide import decide
from xinglin.terms.facts import AgreementFacts
from xinglin.terms.request import UseRequest
from xinglin.testing.decision_table import approval_of

APPROVED = approval_of(TERMS)
STRANGER, COLLEAGUE = did("stranger"), did("colleague")
assert FACTS.agreement is not None
HELD: AgreementFacts = FACTS.agreement


def codes(
    approval: Any = APPROVED, held: AgreementFacts = HELD, request: UseRequest | None = REQUEST
) -> tuple[str, ...]:
    verdict = approval_covers(approval, held, request)
    if isinstance(verdict, Denied):
        assert all(reason.words and reason.remedy for reason in verdict.reasons)
        return verdict.codes
    return ()


def agreed(**changes: Any) -> AgreementFacts:
    return replace(HELD, terms=replace(TERMS, **changes))


def test_what_was_approved_is_covered_with_a_request_and_without() -> None:
    assert (HELD.consumer, REQUEST.requester) == (INSTITUTE, RESEARCHER)
    assert codes() == () and codes(request=None) == ()
    assert codes(replace(APPROVED, data_sets=("another", "heart"))) == ()


@pytest.mark.parametrize(
    ("held", "code"),
    [
        (replace(HELD, study="study-of-others"), "access.other_study"),
        (replace(HELD, data_set="another"), "access.other_data_set"),
        (agreed(cohort=(replace(TERMS.cohort[0], select="SELECT age, sex, num FROM heart WHERE TRUE"),)), "cohort"),
        (agreed(variables=TERMS.variables[1:]), "access.other_variables"),
        (agreed(operations=("extract",)), "access.other_operation"),
        (agreed(operations=("extract", "statistics")), "access.other_operation"),
        (agreed(purposes=("education",)), "access.other_purpose"),
        (agreed(purposes=("education", "health-research")), "access.other_purpose"),
        (agreed(purposes=("general-research",)), "access.other_purpose"),
        (agreed(purposes=("nobody-knows-it",)), "access.other_purpose"),
        (replace(HELD, consumer=STRANGER), "access.other_people"),
    ],
)
def test_an_agreement_that_goes_beyond_it_is_not_covered(held: AgreementFacts, code: str) -> None:
    code = code if "." in code else f"access.other_{code}"
    assert codes(held=held) == codes(held=held, request=None) == (code,)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (replace(REQUEST, study="study-of-others"), "access.other_study"),
        (replace(REQUEST, operation="training"), "access.other_operation"),
        (replace(REQUEST, purpose="education"), "access.other_purpose"),
        (replace(REQUEST, requester=COLLEAGUE), "access.other_people"),  # of the same institution, but not named
    ],
)
def test_a_request_beyond_it_is_not_covered_whatever_the_agreement_says(request_: UseRequest, code: str) -> None:
    assert codes(request=request_) == (code,)


def test_a_narrower_purpose_and_another_member_of_the_team_are_covered() -> None:
    heart = "disease-research/MONDO:0005267"
    narrow, asked = agreed(purposes=(heart,)), replace(REQUEST, purpose=heart)
    assert codes(held=narrow, request=asked) == ()
    other = replace(APPROVED, purposes=("disease-research/MONDO:0004992",))
    assert codes(other, narrow, asked) == ("access.other_purpose",)
    team = replace(APPROVED, people=(*APPROVED.people, COLLEAGUE))
    assert codes(team, request=replace(REQUEST, requester=COLLEAGUE)) == ()
    assert codes(team, replace(HELD, consumer=COLLEAGUE), replace(REQUEST, requester=COLLEAGUE)) == ()


def test_every_fault_is_told_at_once_and_an_empty_approval_covers_nothing() -> None:
    nothing = replace(
        APPROVED, study="", data_sets=(), cohort_digest=digest("none"), variables_digest="", purposes=(),
        operations=(), people=(),
    )  # fmt: skip
    parts = ("study", "data_set", "cohort", "variables", "operation", "purpose", "people")
    assert codes(nothing) == tuple(f"access.other_{part}" for part in parts)


def test_what_is_not_approved_hides_no_other_reason() -> None:
    facts = replace(
        FACTS, unapproved=(Reason("access.other_people", "The approval was given to others."),), touched=None
    )  # fmt: skip
    verdict = decide(REQUEST, PLAN, facts)
    assert isinstance(verdict, Denied) and verdict.codes == ("terms.columns_unknown", "access.other_people")
