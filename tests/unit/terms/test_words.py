"""Grades, purposes, thresholds and agreed terms: closed lists, and what may not be written."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.unit.terms.uses import NOW, PLAN, REQUEST, TERMS, did

from xinglin.kernel.canonical import canonical_bytes
from xinglin.kernel.codec import decode_json
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.verdict import Denied
from xinglin.terms.agreed import CohortView, Peer, check_agreed
from xinglin.terms.grades import GRADES, OPERATIONS, REQUIRED, REQUIREMENTS, highest, required
from xinglin.terms.purposes import PURPOSES, check_purpose, covers
from xinglin.terms.request import Plan, UseRequest, check_plan, check_request
from xinglin.terms.thresholds import DisclosureRules, at_least_as_strict, strictest


def test_higher_grades_require_at_least_as_much() -> None:
    for operation in OPERATIONS:
        found = [REQUIRED.get((grade, operation)) for grade in GRADES]
        for low, high in itertools.pairwise(found):
            if low and high and operation != "read":
                assert set(low) <= set(high)


def test_only_known_words_are_required() -> None:
    assert {name for needs in REQUIRED.values() for name in needs} == set(REQUIREMENTS)


@pytest.mark.parametrize(
    "pair", [("L3", "extract"), ("L1", "training"), ("L4", "read"), ("", ""), ("l2", "statistics")]
)
def test_pairs_that_are_not_offered(pair: tuple[str, str]) -> None:
    assert isinstance(required(*pair), Denied)


def test_highest() -> None:
    assert highest(["L1", "L2"]) == "L2"
    assert highest([]) is None
    assert highest(["L3", "L4"]) is None, "an unknown grade is not below a known one"


def test_purposes_narrow_and_never_widen() -> None:
    assert covers(["general-research"], "ancestry-research")
    assert not covers(["health-research"], "ancestry-research")
    assert not covers(["disease-research/MONDO:0005010"], "disease-research/MONDO:0005011")
    assert not covers(["disease-research/MONDO:0005010"], "health-research")
    assert not covers(["advertising"], "advertising")
    assert not covers([], "education")


@pytest.mark.parametrize(
    "text",
    ["", "health-research/MONDO:0005010", "disease-research", "disease-research/", "disease-research/flu", "GRU"],
)
def test_purposes_that_are_none(text: str) -> None:
    assert not check_purpose(text)
    assert not covers(list(PURPOSES), text)


@given(st.text(max_size=30))
def test_no_unknown_purpose_is_covered(text: str) -> None:
    if text not in PURPOSES:
        assert not covers([text, *PURPOSES], text)


rules = st.builds(
    DisclosureRules,
    min_cell=st.integers(1, 30),
    min_hospitals=st.integers(1, 6),
    min_dof=st.integers(1, 30),
    max_params_share=st.sampled_from([0.1, 1 / 3, 1.0]),
    max_person_share=st.sampled_from([0.1, 0.5, 1.0]),
    publish_zeros=st.booleans(),
    exact_answers_cap=st.integers(0, 300),
)


@given(rules, rules)
def test_the_strictest_satisfies_both(one: DisclosureRules, two: DisclosureRules) -> None:
    both = strictest([one, two])
    assert at_least_as_strict(both, one) and at_least_as_strict(both, two)
    assert at_least_as_strict(one, two) == (
        replace(strictest([one, two]), exact_answers_cap=one.exact_answers_cap) == one
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"grade": "L5"},
        {"cohort": ()},
        {"cohort": (CohortView("a b", "SELECT 1"),)},
        {"cohort": (CohortView("a", " "),)},
        {"cohort": (CohortView("a", "SELECT 1"), CohortView("a", "SELECT 2"))},
        {"variables": ()},
        {"variables": ("age",)},
        {"variables": ("heart.sex", "heart.age")},
        {"purposes": ()},
        {"purposes": ("no-such",)},
        {"purposes": ("advertising",)},
        {"operations": ()},
        {"operations": ("sell",)},
        {"operations": ("read",)},
        {"grade": "L3", "operations": ("extract",)},
        {"expires": NOW - 10**9},
        {"not_before": -1},
        {"allowance": 0},
        {"allowance": 10_001},
        {"recipients": ()},
        {"recipients": ("somebody",)},
        {"recipients": (did("a"), did("a"))},
        {"peers": (Peer(did("a"), "no digest"),)},
        {"peers": TERMS.peers[::-1]},
    ],
)
def test_terms_that_may_not_be_written(changes: dict[str, Any]) -> None:
    assert check_agreed(TERMS)
    assert not check_agreed(replace(TERMS, **changes))


def test_plan_and_request_keep_their_digest_over_the_wire() -> None:
    assert decode_json(canonical_bytes(PLAN), Plan).digest() == PLAN.digest()
    assert decode_json(canonical_bytes(REQUEST), UseRequest).digest() == REQUEST.digest()


def test_unknown_fields_are_refused() -> None:
    for value, kind in ((PLAN, Plan), (REQUEST, UseRequest)):
        builtins = {**msgspec.to_builtins(value), "also": 1}
        with pytest.raises(MalformedMessage):
            decode_json(canonical_bytes(builtins), kind)


@pytest.mark.parametrize(
    "roster", [(), (did("b"), did("a")) if did("a") < did("b") else (did("a"), did("b")), (did("a"),) * 2, ("x",)]
)
def test_rosters_that_are_none(roster: tuple[str, ...]) -> None:
    assert not check_plan(replace(PLAN, roster=roster, agreements=dict.fromkeys(roster, PLAN.digest())))
    assert not check_request(replace(REQUEST, nodes=roster))
