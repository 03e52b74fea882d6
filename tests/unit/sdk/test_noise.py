"""Noise as an analyst asks for it: exact amounts, blocks, what a result tells, and the same question asked again."""

from __future__ import annotations

from fractions import Fraction

import pytest
from tests.unit.sdk.fake_hub import FakeHub

from xinglin.kernel.verdict import Reason
from xinglin.privacy.noise import to_epsilon
from xinglin.sdk.again import answered_before
from xinglin.sdk.data import Data
from xinglin.sdk.errors import Refused
from xinglin.sdk.noise import least_hospitals, noise_block, told_noise, worded
from xinglin.sdk.study import Study
from xinglin.terms.thresholds import DisclosureRules

RULES = DisclosureRules()
SQL = "SELECT age, sex, disease FROM cardiac"


@pytest.fixture
def data(study: Study) -> Data:
    return study.sql(SQL)


def test_an_epsilon_becomes_the_largest_rho_that_is_not_more() -> None:
    block = noise_block({"epsilon": "0.5"}, 4, RULES)
    delta = Fraction(1, 10**6)
    assert to_epsilon(block["rho_units"], delta) <= 0.5 < to_epsilon(block["rho_units"] + 1, delta)
    assert (block["minimum"], block["colluders"], block["delta"]) == (3, 1, "1/1000000")
    assert noise_block({"rho": "0.005", "minimum": 4}, 4, RULES)["rho_units"] == 5 * 10**9
    assert [least_hospitals(n, 1, RULES) for n in (3, 4, 5, 10)] == [3, 3, 4, 6]


@pytest.mark.parametrize(
    "words", [{}, {"epsilon": 0.5}, {"epsilon": "1", "rho": "1"}, {"epsilon": "-1"}, {"epsilon": "1", "sigma": "2"}]
)
def test_amounts_that_are_not_exact_are_refused(words: dict[str, object]) -> None:
    with pytest.raises(Refused):
        noise_block(words, 4, RULES)


def test_statistics_without_a_form_are_refused_by_name() -> None:
    assert worded("describe", {"columns": ["age"]}, 4, RULES) == ("describe", {"columns": ["age"]})
    assert worded("describe", {"columns": ["age"], "epsilon": "1"}, 4, RULES)[0] == "dp_describe"
    for name, params in (("glm", {"epsilon": "1"}), ("count", {}), ("ttest", {"rho": "1"})):
        with pytest.raises(Refused):
            worded(name, params, 4, RULES)


def test_a_result_tells_what_it_cost() -> None:
    block = {"rho_units": 5 * 10**9, "delta": "1/1000000", "minimum": 3, "colluders": 1, "shares": 4}
    told = told_noise({"noise": block})
    assert told is not None and told.rho == "0.005" and 0.42 < float(told.epsilon) < 0.44
    assert "post-processing" in str(told) and told_noise({"counts": []}) is None


def test_a_refusal_that_names_an_earlier_answer_leads_to_it_only_where_it_was_this_question(
    hub: FakeHub, data: Data
) -> None:
    run = data.ask("histogram", column="age", epsilon="0.5")
    again = data.plan("histogram", column="age", epsilon="0.5", as_of=run.plan.as_of + 1)
    other = data.plan("histogram", column="age", epsilon="0.6", as_of=run.plan.as_of + 1)
    said = (Reason("privacy.answered_before", f"A: This very question was answered by {run.id}.", ""),)
    space = data.study.space
    found = answered_before(space, again, said)
    assert found is not None and found.id == run.id
    assert answered_before(space, other, said) is None
    assert answered_before(space, again, (Reason("other", said[0].words, ""),)) is None
