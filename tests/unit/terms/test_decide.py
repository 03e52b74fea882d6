"""Every path to "no", each with its near miss; whatever is changed or unknown, nothing slips through."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.unit.terms.uses import (
    AGREEMENTS,
    FACTS,
    HOSPITALS,
    HOUR,
    INSTITUTE,
    KEYS,
    NODE,
    NOW,
    OTHERS,
    PLAN,
    REQUEST,
    RESEARCHER,
    TERMS,
    did,
    digest,
    on_l3,
    with_agreement,
    with_plan,
    with_terms,
)

from xinglin.kernel.verdict import Allowed, Denied
from xinglin.terms.decide import decide
from xinglin.terms.facts import ApprovalFacts, Facts, TouchedColumn
from xinglin.terms.request import Plan, UseRequest
from xinglin.terms.thresholds import DisclosureRules


def codes(request: UseRequest = REQUEST, plan: Plan = PLAN, facts: Facts = FACTS) -> tuple[str, ...]:
    verdict = decide(request, plan, facts)
    if isinstance(verdict, Denied):
        assert all(reason.words and reason.remedy for reason in verdict.reasons), "each reason says what would help"
        return verdict.codes
    return ()


def test_the_use_is_allowed_with_its_conditions() -> None:
    verdict = decide(REQUEST, PLAN, FACTS)
    assert isinstance(verdict, Allowed)
    assert verdict.conditions[:2] == ("grade=L2", "min_cell=10")
    assert {"secure_sum", "differencing_guard", "disclosure_pack", "evidence"} <= set(verdict.conditions)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"plan": digest("another plan")}, "terms.other_plan"),
        ({"requester": did("somebody")}, "terms.not_signed"),
        ({"study": "another-study"}, "terms.other_study"),
        ({"purpose": "education"}, "terms.purpose_not_agreed"),
        ({"purpose": "general-research"}, "terms.purpose_not_agreed"),
        ({"purpose": "no-such-purpose"}, "terms.purpose_unknown"),
        ({"purpose": "advertising"}, "terms.purpose_prohibited"),
        ({"operation": "training"}, "terms.operation_not_agreed"),
        ({"operation": "sell"}, "terms.not_offered"),
        ({"nonce": "short"}, "terms.malformed"),
        ({"nonce": "x" * 65}, "terms.malformed"),
        ({"expires": NOW}, "terms.expired"),
        ({"expires": NOW - 1000}, "terms.malformed"),
        ({"issued": NOW + 60_001, "expires": NOW + HOUR}, "terms.from_the_future"),
        ({"issued": NOW - HOUR, "expires": NOW - HOUR + 24 * HOUR + 1}, "terms.malformed"),
        ({"recipients": (did("stranger"),)}, "terms.recipient_not_agreed"),
        ({"recipients": ()}, "terms.malformed"),
        ({"nodes": HOSPITALS[:3]}, "terms.other_roster"),
        ({"version": 2}, "terms.version"),
    ],
)
def test_a_spoiled_request(changes: dict[str, Any], code: str) -> None:
    assert code in codes(replace(REQUEST, **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"purpose": "disease-research/MONDO:0005010"},
        {"expires": NOW + 1},
        {"issued": NOW + 60_000},
        {"issued": NOW - 1, "expires": NOW - 1 + 24 * HOUR},
        {"nonce": "x" * 16},
    ],
)
def test_near_misses_of_the_request_pass(changes: dict[str, Any]) -> None:
    assert codes(replace(REQUEST, **changes)) == ()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"study": "another-study"}, "terms.study_not_agreed"),
        ({"data_set": "another-set"}, "terms.data_set_not_agreed"),
        ({"sql": " "}, "terms.malformed"),
        ({"sql": "x" * 20_001}, "terms.malformed"),
        ({"params": {"a": float("nan")}}, "terms.malformed"),
        ({"params": {"a": "x" * 65_536}}, "terms.malformed"),
        ({"algorithm": ""}, "terms.malformed"),
        ({"agreements": {**AGREEMENTS, NODE: digest("other")}}, "terms.other_agreement"),
        ({"agreements": {NODE: AGREEMENTS[NODE]}}, "terms.malformed"),
        ({"rules": DisclosureRules(min_cell=9)}, "terms.rules_too_loose"),
        ({"rules": DisclosureRules(min_hospitals=2)}, "terms.rules_too_loose"),
        ({"rules": DisclosureRules(min_dof=9)}, "terms.rules_too_loose"),
        ({"rules": DisclosureRules(max_params_share=0.5)}, "terms.rules_too_loose"),
        ({"rules": DisclosureRules(max_person_share=0.6)}, "terms.rules_too_loose"),
        ({"rules": DisclosureRules(publish_zeros=True)}, "terms.rules_too_loose"),
        ({"rules": DisclosureRules(min_hospitals=5)}, "terms.few_hospitals"),
        ({"packs": ()}, "terms.no_disclosure"),
        ({"packs": ("disclosure/1", "other/1")}, "terms.pack_unknown"),
        ({"rounds": 0}, "terms.malformed"),
        ({"rounds": 201}, "terms.malformed"),
        ({"as_of": NOW + 1}, "terms.future_snapshot"),
        ({"as_of": -1}, "terms.malformed"),
        ({"version": 2}, "terms.version"),
    ],
)
def test_a_spoiled_plan(changes: dict[str, Any], code: str) -> None:
    plan = replace(PLAN, **changes)
    try:
        request = replace(REQUEST, plan=plan.digest(), study=plan.study)
    except Exception:
        request = REQUEST
    assert code in codes(request, plan)


def test_the_plan_may_be_stricter_than_agreed() -> None:
    request, plan = with_plan(rules=DisclosureRules(min_cell=20, min_dof=30, max_params_share=0.1, min_hospitals=4))
    assert codes(request, plan) == ()


def test_a_plan_that_was_not_signed() -> None:
    assert codes(REQUEST, replace(PLAN, sql="SELECT 1")) == ("terms.other_plan",)


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        (replace(FACTS, signer=""), "terms.not_signed"),
        (replace(FACTS, signer=INSTITUTE), "terms.not_signed"),
        (replace(FACTS, key_status="revoked"), "terms.key"),
        (replace(FACTS, key_status="unknown"), "terms.key"),
        (replace(FACTS, institution=did("elsewhere")), "terms.other_consumer"),
        (replace(FACTS, authorised=False), "terms.requires_authorised_institution"),
        (replace(FACTS, nonce_seen=True), "terms.replayed"),
        (replace(FACTS, agreement=None), "terms.no_agreement"),
        (replace(FACTS, node=OTHERS[0]), "terms.other_provider"),
        (replace(FACTS, node=did("not in the roster")), "terms.not_asked"),
        (replace(FACTS, touched=None), "terms.columns_unknown"),
        (replace(FACTS, touched=()), "terms.columns_unknown"),
        (replace(FACTS, touched=(TouchedColumn("heart", "zip", "L2"),)), "terms.column_not_agreed"),
        (replace(FACTS, touched=(TouchedColumn("other", "age", "L2"),)), "terms.column_not_agreed"),
        (replace(FACTS, touched=(TouchedColumn("heart", "age", "L3"),)), "terms.grade_not_agreed"),
        (replace(FACTS, touched=(TouchedColumn("heart", "age", "L9"),)), "terms.grade_unknown"),
        (replace(FACTS, touched=(TouchedColumn("heart", "age", ""),)), "terms.grade_unknown"),
        (replace(FACTS, algorithm_operation=None), "terms.algorithm_unknown"),
        (replace(FACTS, algorithm_operation="training"), "terms.other_operation"),
        (replace(FACTS, allowance_left=0), "terms.no_allowance"),
        (replace(FACTS, answers_left=0), "terms.no_answers"),
        (replace(FACTS, checkpoint_age_ms=30_001), "terms.stale_checkpoint"),
        (replace(FACTS, checkpoint_age_ms=None), "terms.stale_checkpoint"),
        (replace(FACTS, checkpoint_age_ms=-1), "terms.stale_checkpoint"),
        (replace(FACTS, roster_keys={}), "terms.peer_keys"),
        (replace(FACTS, roster_keys={**KEYS, OTHERS[0]: digest("substituted")}), "terms.peer_keys"),
        (replace(FACTS, now=NOW + 2 * HOUR), "terms.expired"),
        (with_terms(not_before=NOW + 1), "terms.not_yet"),
        (with_terms(expires=NOW), "terms.agreement_expired"),
        (with_terms(purposes=("education",)), "terms.purpose_not_agreed"),
        (with_terms(operations=()), "terms.operation_not_agreed"),
        (with_terms(recipients=()), "terms.recipient_not_agreed"),
        (with_terms(variables=("heart.age",)), "terms.column_not_agreed"),
        (with_terms(peers=TERMS.peers[:2]), "terms.peer_not_agreed"),
        (with_terms(peers=TERMS.peers[:1]), "terms.few_hospitals"),
        (with_terms(rules=DisclosureRules(min_cell=11)), "terms.rules_too_loose"),
        (with_terms(grade="L1"), "terms.grade_not_agreed"),
        (with_agreement(state="countersigned"), "terms.agreement_not_active"),
        (with_agreement(state="suspended"), "terms.agreement_not_active"),
        (with_agreement(digest=digest("amended")), "terms.other_agreement"),
        (with_agreement(consumer=did("elsewhere")), "terms.other_consumer"),
        (with_agreement(study="other"), "terms.study_not_agreed"),
        (with_agreement(data_set="other"), "terms.data_set_not_agreed"),
    ],
)
def test_spoiled_facts(facts: Facts, code: str) -> None:
    assert code in codes(facts=facts)


def test_near_misses_of_the_facts_pass() -> None:
    assert codes(facts=replace(FACTS, checkpoint_age_ms=30_000)) == ()
    assert codes(facts=replace(FACTS, allowance_left=1, answers_left=1)) == ()
    assert codes(facts=with_agreement(consumer=RESEARCHER)) == ()
    assert codes(facts=replace(FACTS, revoked=frozenset({digest("something else"), "another-study"}))) == ()


@pytest.mark.parametrize("missing", ["evidence", "secure_sum", "differencing_guard", "disclosure_pack"])
def test_what_the_grade_requires_is_carried_out(missing: str) -> None:
    assert codes(facts=replace(FACTS, protections=FACTS.protections - {missing})) == (f"terms.requires_{missing}",)


@pytest.mark.parametrize(
    "revoked",
    [
        RESEARCHER,
        INSTITUTE,
        NODE,
        OTHERS[0],
        PLAN.study,
        PLAN.digest(),
        REQUEST.digest(),
        AGREEMENTS[NODE],
        AGREEMENTS[OTHERS[0]],
    ],
)
def test_anything_revoked_that_it_rests_on(revoked: str) -> None:
    assert codes(facts=replace(FACTS, revoked=frozenset({revoked}))) == ("terms.revoked",)


def test_l3_needs_all_that_l2_needs_and_more() -> None:
    assert codes(facts=on_l3()) == ()
    approval = on_l3().approval
    assert approval is not None
    spoiled: list[tuple[dict[str, Any], str]] = [
        ({"approval": None}, "ethics_approval"),
        ({"approval": replace(approval, study="another")}, "ethics_approval"),
        ({"approval": replace(approval, cohort_digest=digest("wider"))}, "ethics_approval"),
        ({"approval": replace(approval, variables_digest=digest("more"))}, "ethics_approval"),
        ({"approval": replace(approval, expires=NOW)}, "ethics_approval"),
        ({"approval": replace(approval, data_sets=("another",))}, "ethics_approval"),
        ({"approval": replace(approval, operations=("training",))}, "ethics_approval"),
        ({"approval": replace(approval, purposes=("education",))}, "ethics_approval"),
        ({"approval": replace(approval, people=(RESEARCHER,))}, "ethics_approval"),
        ({"approval": replace(approval, people=(INSTITUTE,))}, "ethics_approval"),
        ({"assessment_expires": None}, "security_assessment"),
        ({"assessment_expires": NOW}, "security_assessment"),
        ({"protections": FACTS.protections}, "protected_computation"),
    ]
    for changes, missing in spoiled:
        assert codes(facts=on_l3(**changes)) == (f"terms.requires_{missing}",)
    assert isinstance(approval, ApprovalFacts)


def test_one_l3_column_makes_the_use_l3() -> None:
    mixed = (TouchedColumn("heart", "age", "L2"), TouchedColumn("heart", "num", "L3"))
    assert codes(facts=on_l3(touched=mixed)) == ()
    assert "terms.requires_ethics_approval" in codes(facts=on_l3(touched=mixed, approval=None))


def test_every_reason_is_given() -> None:
    facts = replace(FACTS, signer="", nonce_seen=True, agreement=None, checkpoint_age_ms=None, touched=None)
    assert set(codes(replace(REQUEST, purpose="advertising", expires=NOW - 500), facts=facts)) >= {
        "terms.not_signed",
        "terms.replayed",
        "terms.expired",
        "terms.no_agreement",
        "terms.columns_unknown",
        "terms.stale_checkpoint",
    }


def test_what_is_not_known_is_denied() -> None:
    verdict = decide(REQUEST, PLAN, Facts(now=NOW, node=NODE))
    assert isinstance(verdict, Denied)
    assert len(verdict.codes) >= 7


other = st.one_of(
    st.text(max_size=40), st.integers(-(2**53), 2**53), st.none(), st.lists(st.text(max_size=5)).map(tuple)
)


@given(st.sampled_from(UseRequest.__struct_fields__), st.text(max_size=60))
def test_any_other_text_in_any_field_of_the_request_is_denied(field: str, text: str) -> None:
    """Except what is harmless by itself: a fresh nonce, or a narrower purpose."""
    present = getattr(REQUEST, field)
    value: Any = text
    if isinstance(present, tuple):
        value = (text,)
    elif isinstance(present, int):
        value = len(text) + 2 if field == "version" else -len(text)
    if value == present or field in ("nonce", "issued"):
        return
    assert not decide(replace(REQUEST, **{field: value}), PLAN, FACTS)


@given(st.sampled_from(sorted(msgspec.to_builtins(PLAN))), st.text(max_size=60))
def test_any_change_of_the_plan_needs_another_signature(field: str, text: str) -> None:
    builtins = msgspec.to_builtins(PLAN)
    present = builtins[field]
    if isinstance(present, str):
        builtins[field] = present + text if text else "x"
    elif isinstance(present, int):
        builtins[field] = present + 1 + len(text)
    elif isinstance(present, dict):
        builtins[field] = {**present, "extra": text} if field == "params" else {}
        if field == "rules":
            builtins[field] = {**present, "min_cell": 11 + len(text)}
    else:
        builtins[field] = []
    assert "terms.other_plan" in codes(plan=msgspec.convert(builtins, Plan)) or not decide(
        REQUEST, msgspec.convert(builtins, Plan), FACTS
    )


@given(
    st.sets(
        st.sampled_from(["signer", "agreement", "nonce_seen", "authorised", "touched", "protections", "answers_left"])
    )
)
def test_spoiling_more_never_allows(spoiled: set[str]) -> None:
    blank = Facts(now=NOW, node=NODE)
    verdict = decide(REQUEST, PLAN, replace(FACTS, **{name: getattr(blank, name) for name in spoiled}))
    assert bool(verdict) == (not spoiled)
