"""What a plan says of its noise: exact, bounded, and refused in words where it is not."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.terms.uses import FACTS, PLAN, REQUEST

from xinglin.kernel.verdict import Allowed, Denied
from xinglin.terms.decide import decide
from xinglin.terms.errors import TermsError
from xinglin.terms.noise_asked import RHO_MOST, check_noise, colluders_of, exact, fewest_of, noise_of
from xinglin.terms.request import check_plan

GOOD = {"rho_units": 10**9, "minimum": 3, "colluders": 1, "delta": "1/1000000"}


def codes(**changes: Any) -> set[str]:
    return {one.code for one in check_noise("dp_count", {"noise": GOOD | changes}, 5)}


def test_a_good_block_passes_and_sets_up_the_secure_sum() -> None:
    assert not codes() and not codes(minimum=5, colluders=3) and not codes(rho_units=RHO_MOST.value)
    params = {"noise": GOOD | {"minimum": 4, "colluders": 2}}
    assert (fewest_of("dp_count", params, 3), colluders_of("dp_count", params)) == (4, 2)
    assert (fewest_of("describe", {}, 5), colluders_of("describe", {})) == (5, 1)
    assert noise_of("describe", {"noise": 5}) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"rho_units": RHO_MOST.value + 1},
        {"rho_units": 999_999},
        {"rho_units": -1},
        {"rho_units": 1e9},
        {"rho_units": "1000000000"},
        {"rho_units": True},
        {"minimum": 2},
        {"minimum": 6},
        {"colluders": 0},
        {"colluders": 2},
        {"minimum": 5, "colluders": 4},
        {"delta": "0"},
        {"delta": "1/999"},
        {"delta": "1e-6"},
        {"delta": 0.5},
        {"delta": "1/0"},
        {"epsilon": "1"},
    ],
)
def test_what_is_out_of_bounds_or_no_exact_number_is_refused(changes: dict[str, Any]) -> None:
    assert codes(**changes) == {"terms.noise"}


def test_a_newer_version_is_refused() -> None:
    assert codes(version=2) == {"terms.version"}


def test_without_its_block_a_plan_with_noise_is_malformed() -> None:
    plan = replace(PLAN, algorithm="dp_count", params={})
    verdict = check_plan(plan)
    assert isinstance(verdict, Denied) and "terms.noise" in verdict.codes


def test_exact_text_is_exact() -> None:
    assert exact("0.1") == Fraction(1, 10) and exact("3/10") == Fraction(3, 10)
    for text in ("", "-1", "1e3", "nan", "1/0", "0.1.2", "1" * 19, "\u0661"):
        with pytest.raises(TermsError):
            exact(text)


def test_noised_answers_take_no_exact_answer_and_exact_ones_say_that_there_is_noise() -> None:
    used_up = replace(FACTS, allowance_left=0, answers_left=0)
    denied = decide(REQUEST, PLAN, used_up)
    assert isinstance(denied, Denied) and set(denied.codes) == {"terms.no_allowance", "terms.no_answers"}
    assert all("epsilon" in one.remedy for one in denied.reasons)
    assert isinstance(decide(REQUEST, PLAN, replace(used_up, noised=True)), Allowed)
