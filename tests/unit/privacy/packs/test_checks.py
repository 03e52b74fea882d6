"""Models, curves, percentiles, extremes, texts, categories, files; and the votes of people."""

from __future__ import annotations

from fractions import Fraction

import pytest

from xinglin.kernel.states import IllegalMove
from xinglin.kernel.verdict import Denied
from xinglin.privacy.packs import (
    BadRelease,
    ModelFacts,
    OpenedVote,
    OutputReview,
    SealedVote,
    check_format,
    check_levels,
    check_model,
    check_neighbours,
    check_quantile,
    check_subset,
    check_text,
    open_review,
    protect_curve,
    shipped,
    strictest_pack,
    told_extreme,
    vote_commitment,
)


def test_acro_refuses_a_model_with_nine_degrees_of_freedom() -> None:
    fine = ModelFacts(persons=100, parameters=3, dof=10)
    assert check_model(shipped("sacro"), fine)
    refused = check_model(shipped("sacro"), ModelFacts(persons=100, parameters=3, dof=9))
    assert isinstance(refused, Denied) and "pack sacro" in refused.reasons[0].words


def test_datashield_glm_a_third_of_the_observations() -> None:
    """nfilter.glm 0.33: parameters over observations."""
    assert check_model(shipped("datashield"), ModelFacts(persons=100, parameters=33, dof=67))
    assert check_model(shipped("datashield"), ModelFacts(persons=100, parameters=34, dof=66)).codes == (  # type: ignore[union-attr]
        "privacy.max_params_share",
    )


def test_a_model_is_refused_for_every_reason() -> None:
    facts = ModelFacts(
        persons=20,
        parameters=8,
        dof=5,
        leverage=0.9,
        levels={"sex=f": 12, "site=b": 3},
        patterns={f"p{i}": 3 for i in range(8)},
    )
    refused = check_model(shipped("xinglin"), facts)
    assert isinstance(refused, Denied)
    assert refused.codes == (
        "privacy.min_dof",
        "privacy.max_params_share",
        "privacy.max_leverage",
        "privacy.min_level",
        "privacy.min_cell",
    )
    assert "site=b" in refused.reasons[3].words and "sex=f" not in refused.reasons[3].words
    assert not any(" 3 " in reason.words for reason in refused.reasons), "no count is told"


def test_leverage_that_nobody_computed_is_refused_where_it_is_limited() -> None:
    facts = ModelFacts(persons=100, parameters=2, dof=98)
    assert not check_model(shipped("xinglin"), facts)
    assert check_model(shipped("ehds"), facts)


def test_a_curve_tells_steps_of_ten_and_ends_where_few_are_at_risk() -> None:
    times = list(range(1, 21))
    at_risk = [100 - 4 * i for i in range(20)] + []
    at_risk = [risk if risk > 24 else 9 for risk in at_risk]
    curve = protect_curve(shipped("sacro"), times, at_risk, [4] * 19 + [0])
    assert curve.times == (3, 6, 9, 12, 15, 18)
    assert all(count >= 10 for count in curve.events) and all(risk >= 10 for risk in curve.at_risk)
    assert curve.survival[0] == 1 - Fraction(12, 100)
    rebuilt = Fraction(1)
    for risk, count, told in zip(curve.at_risk, curve.events, curve.survival, strict=True):
        rebuilt *= 1 - Fraction(count, risk)
        assert told == rebuilt, "survival says nothing that the told numbers do not"
    assert protect_curve(shipped("sacro"), [1], [9], [9]).times == ()
    for wrong in (([2, 1], [20, 20], [1, 1]), ([1], [20], [21]), ([1], [20], [])):
        with pytest.raises(BadRelease):
            protect_curve(shipped("sacro"), *wrong)


def test_percentiles_have_persons_on_either_side() -> None:
    assert check_quantile(shipped("xinglin"), 100, 0.9)
    assert not check_quantile(shipped("xinglin"), 99, 0.9)
    assert not check_quantile(shipped("xinglin"), 99, 0.1)
    assert check_quantile(shipped("datashield"), 3, 0.5)
    with pytest.raises(BadRelease):
        check_quantile(shipped("xinglin"), 10, 1.5)


def test_extremes_are_hidden_averaged_or_shown() -> None:
    ages = [float(age) for age in range(20, 104)]
    assert told_extreme(shipped("opensafely"), ages, largest=True) is None, "the oldest patient is 103"
    assert told_extreme(shipped("bundesbank"), ages, largest=True) == 101, "of the five largest"
    assert told_extreme(shipped("bundesbank"), ages, largest=False) == 22
    assert told_extreme(shipped("bundesbank"), ages[:4], largest=True) is None
    assert told_extreme(shipped("bundesbank"), [1000.0, 1, 1, 1, 1, 1, 1], largest=True) is None, "two dominate"
    assert told_extreme(shipped("ehds"), ages, largest=True) == 103


def test_texts_categories_cohorts_and_files() -> None:
    shield = shipped("datashield")
    assert check_text(shield, "x" * 80) and not check_text(shield, "x" * 81)
    assert check_text(shield, "x" * 20, name=True) and not check_text(shield, "x" * 21, name=True)
    assert check_text(shipped("sacro"), "x" * 10_000)
    assert check_levels(shield, 40, 1000) and not check_levels(shield, 41, 1000) and not check_levels(shield, 40, 100)
    assert check_subset(shield, 3) and not check_subset(shield, 2)
    assert check_neighbours(shield, 3) and not check_neighbours(shield, 2)
    assert not check_format(shipped("sacro"), "figures/Age.SVG") and check_format(shipped("sacro"), "age.png")
    assert check_format(shipped("opensafely"), "age.svg"), "svg is allowed there"
    both = strictest_pack([shipped("sacro"), shield])
    refused = check_text(both, "x" * 81)
    assert "datashield" in refused.reasons[0].words  # type: ignore[union-attr]


def votes(choices: str) -> list[OpenedVote]:
    words = {"r": "release", "c": "change", "x": "refuse"}
    return [OpenedVote(f"did:{i}", words[c], bytes([i]) * 32) for i, c in enumerate(choices)]


def reviewed(choices: str) -> OutputReview:
    review = open_review(shipped("opensafely"), "sha256:out", excluded=("did:asker",))
    assert review is not None
    for vote in votes(choices):
        sealed = review.seal(SealedVote(vote.reviewer, vote_commitment(review.output, vote)))
        assert isinstance(sealed, OutputReview)
        review = sealed
    for vote in votes(choices):
        opened = review.open(vote)
        assert isinstance(opened, OutputReview)
        review = opened
    return review


@pytest.mark.parametrize(
    ("choices", "state"), [("rr", "released"), ("xx", "refused"), ("cx", "refused"), ("rx", "split"), ("cr", "split")]
)
def test_two_blind_votes(choices: str, state: str) -> None:
    assert reviewed(choices).state == state


def test_a_split_is_settled_by_somebody_else() -> None:
    split = reviewed("rx")
    third = OpenedVote("did:9", "release", bytes(32))
    assert split.settle(third).state == "released"  # type: ignore[union-attr]
    assert split.settle(OpenedVote("did:9", "change", bytes(32))).state == "refused"  # type: ignore[union-attr]
    for voted in (OpenedVote("did:0", "release", bytes(32)), OpenedVote("did:asker", "release", bytes(32))):
        assert isinstance(split.settle(voted), Denied)
    with pytest.raises(IllegalMove):
        reviewed("rr").withdraw()
    assert split.withdraw().state == "withdrawn"


def test_nobody_votes_twice_for_another_or_knowing_the_other_vote() -> None:
    review = open_review(shipped("opensafely"), "sha256:out", excluded=("did:asker",))
    assert review is not None and open_review(shipped("sacro"), "sha256:out", ()) is None
    one, two = votes("rr")
    first = review.seal(SealedVote(one.reviewer, vote_commitment(review.output, one)))
    assert isinstance(first, OutputReview)
    assert isinstance(first.open(one), Denied), "nothing is opened while a vote is out"
    assert isinstance(first.seal(SealedVote(one.reviewer, "again")), Denied)
    assert isinstance(first.seal(SealedVote("did:asker", "x")), Denied)
    full = first.seal(SealedVote(two.reviewer, vote_commitment(review.output, two)))
    assert isinstance(full, OutputReview) and isinstance(full.seal(SealedVote("did:7", "x")), Denied)
    changed = OpenedVote(two.reviewer, "refuse", two.salt)
    stolen = OpenedVote(one.reviewer, two.choice, two.salt)
    assert isinstance(full.open(changed), Denied) and isinstance(full.open(stolen), Denied)
    once = full.open(two)
    assert isinstance(once, OutputReview) and isinstance(once.open(two), Denied)
