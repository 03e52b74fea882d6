"""The L1 pack: what a plan must be for its release to be open to anyone."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.unit.terms.uses import FACTS, PLAN, REQUEST

from xinglin.kernel.verdict import Allowed, Denied
from xinglin.terms.decide import decide
from xinglin.terms.grading import release_grade
from xinglin.terms.noise_asked import is_noisy
from xinglin.terms.open_release import L1_ALGORITHMS, L1_PACK, L1_RULES, open_rules
from xinglin.terms.request import PLAN_PACKS, Plan, check_plan
from xinglin.terms.thresholds import DisclosureRules, at_least_as_strict


def opened(**changes: object) -> Plan:
    return replace(PLAN, **{"packs": PLAN_PACKS, "rules": open_rules(PLAN.rules), "algorithm": "histogram"} | changes)


def test_a_table_under_the_packs_rules_is_l1() -> None:
    for algorithm in L1_ALGORITHMS:
        params = {"noise": {"rho_units": 10**9}} if is_noisy(algorithm) else PLAN.params
        plan = opened(algorithm=algorithm, params=params)
        assert isinstance(check_plan(plan), Allowed) and release_grade(plan.packs, "L2") == "L1"
    assert release_grade(PLAN.packs, "L2") == "L2"


@pytest.mark.parametrize(
    "changes",
    [
        {"algorithm": "glm"},
        {"algorithm": "quantiles"},
        {"rules": DisclosureRules()},
        {"rules": replace(L1_RULES, min_cell=L1_RULES.min_cell - 1)},
        {"rules": replace(L1_RULES, max_person_share=0.26)},
        {"rules": replace(L1_RULES, min_hospitals=2)},
        {"packs": (L1_PACK, L1_PACK)},
    ],
)
def test_what_does_not_pass_the_pack_is_refused_by_every_hospital_before_a_row_is_read(
    changes: dict[str, object],
) -> None:
    plan = opened(**changes)
    assert isinstance(check_plan(plan), Denied)
    verdict = decide(replace(REQUEST, plan=plan.digest()), plan, FACTS)
    assert isinstance(verdict, Denied) and {"terms.not_open", "terms.pack_unknown"} & set(verdict.codes)


def test_the_packs_rules_tighten_and_never_loosen() -> None:
    for rules in (DisclosureRules(), DisclosureRules(min_cell=50, min_hospitals=5, exact_answers_cap=3)):
        found = open_rules(rules)
        assert at_least_as_strict(found, rules) and at_least_as_strict(found, L1_RULES)
        assert found.exact_answers_cap == rules.exact_answers_cap


def test_the_pack_alone_is_no_plan() -> None:
    plan = opened(packs=(L1_PACK,))
    verdict = decide(replace(REQUEST, plan=plan.digest()), plan, FACTS)
    assert isinstance(verdict, Denied) and "terms.no_disclosure" in verdict.codes
