"""The meter: whole numbers in, exact noise, never more than the budget, whatever is asked."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.privacy import noise
from xinglin.privacy.noise import rho_of_gaussian
from xinglin.privacy.synthesis import Meter, Overspent, TooLittleBudget, meter
from xinglin.privacy.synthesis.meter import LEAST_RHO_UNITS
from xinglin.privacy.synthesis.rounds import Rounds, candidates, run_aim, run_mst


def seeded(seed: int):
    return np.random.default_rng(seed).bytes


ASKS = st.lists(st.tuples(st.booleans(), st.integers(-5, 4_000_000)), max_size=12)


@given(st.integers(LEAST_RHO_UNITS, 10_000_000), ASKS, st.integers(1, 5))
def test_what_is_spent_never_passes_the_budget(rho_units: int, asks, rows: int) -> None:
    found = Meter(rho_units, seeded(0), rows)
    for choosing, units in asks:
        before = found.left
        try:
            if choosing:
                found.choose("which", [3, 1, 2], 1, units)
            else:
                found.measure("what", np.zeros(2, dtype=np.int64), units)
        except (Overspent, noise.BadNoise):
            assert found.left == before, "what was refused costs nothing, for nothing was looked at"
        assert 0 <= found.left <= before
        assert sum(one.rho_units for one in found.spends) + found.left == rho_units


@settings(max_examples=40)
@given(
    st.integers(LEAST_RHO_UNITS, 10**10),
    st.lists(st.integers(1, 6), min_size=1, max_size=5),
    st.integers(0, 40),
    st.booleans(),
)
def test_both_methods_stay_within_any_budget(rho_units: int, sizes: list[int], rows: int, tree: bool) -> None:
    random = np.random.default_rng(rows)
    codes = np.stack([random.integers(0, size, rows) for size in sizes], axis=1).astype(np.int32)
    found = Meter(rho_units, seeded(1))
    rounds = Rounds(codes, sizes, found)
    try:
        (run_mst if tree else run_aim)(rounds)
    except (Overspent, noise.BadNoise, TooLittleBudget):
        assert rho_units < 10**7, "only next to nothing is too little"
    assert found.left >= 0 and sum(one.rho_units for one in found.spends) <= rho_units


def test_a_table_s_noise_is_discrete_and_as_large_as_its_part_says() -> None:
    found = Meter(10**12, seeded(2), rows_per_person=3)
    counts = np.full(20_000, 7, dtype=np.int64)
    noisy, variance = found.measure("what", counts, 10**10)
    assert noisy.dtype == np.int64 and variance == 9 / (2 * 0.01)
    assert rho_of_gaussian(9, Fraction(variance)) == 10**10 == found.spends[0].rho_units
    told = (noisy - 7).var()
    assert abs(told / variance - 1) < 0.05, "a scale 30 % off would fail"


def test_all_noise_comes_from_the_exact_samplers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the exact noise the model sees the very counts: nothing else adds any, and nothing else looks."""
    asked: list[str] = []

    def no_noise(variance, size, entropy):
        assert isinstance(variance, Fraction) and isinstance(size, int)
        asked.append("table")
        return np.zeros(size, dtype=np.int64)

    def the_best(scores, epsilon, sensitivity, entropy):
        assert isinstance(epsilon, Fraction) and isinstance(sensitivity, int)
        assert all(type(score) is int for score in scores)
        asked.append("choice")
        return int(np.argmax(scores))

    monkeypatch.setattr(meter, "discrete_gaussian", no_noise)
    monkeypatch.setattr(meter, "exponential_choice", the_best)
    random = np.random.default_rng(5)
    codes = random.integers(0, 3, (200, 4)).astype(np.int32)
    for method in (run_aim, run_mst):
        asked.clear()
        found = Meter(10**10, seeded(6))
        rounds = Rounds(codes, (3, 3, 3, 3), found)
        method(rounds)
        assert len(asked) == len(found.spends) and set(asked) == {"table", "choice"}
        for one in rounds.measured:
            assert (one.counts == rounds._count(one.attributes)).all()


def test_only_whole_numbers_are_measured() -> None:
    with pytest.raises(Overspent, match="whole numbers"):
        Meter(10**9, seeded(7)).measure("what", np.zeros(3), 10**6)  # type: ignore[arg-type]
    for units in (0, True, 0.5, LEAST_RHO_UNITS - 1):
        with pytest.raises(TooLittleBudget):
            Meter(units, seeded(7))  # type: ignore[arg-type]


@given(st.lists(st.integers(0, 2), min_size=3, max_size=30), st.integers(0, 2**32))
def test_a_score_moves_by_one_at_most_when_a_row_comes(values: list[int], seed: int) -> None:
    random = np.random.default_rng(seed)
    codes = random.integers(0, 3, (len(values), 3)).astype(np.int32)
    for asked in candidates(3):
        expected = random.normal(3, 5, [3] * len(asked))
        more = Rounds(codes, (3, 3, 3), Meter(10**9, seeded(8))).distance(asked, expected)
        less = Rounds(codes[1:], (3, 3, 3), Meter(10**9, seeded(8))).distance(asked, expected)
        assert abs(more - less) <= 1


def test_candidates_are_pairs_and_triples_until_there_are_too_many() -> None:
    assert candidates(1) == {} and candidates(2) == {(0, 1): 1}
    assert len(candidates(9)) == 36 + 84
    assert len(candidates(60)) == 60 * 59 // 2
    assert set(candidates(60, [(0, 1), (1, 2), (3, 4), (5,)])) - set(candidates(60)) == {(0, 1, 2)}
    weights = candidates(5)
    assert weights[0, 1, 2] > weights[0, 1] > 0
