"""Choices have their probabilities, far and near, weighted and not; a parameter 30 % off is told apart."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from scipy import stats
from tests.unit.privacy.noise.seeded import FITS, NEVER, stream

from xinglin.privacy.noise.choice import LARGEST_SCORE, exponential_choice, permute_and_flip
from xinglin.privacy.noise.errors import BadNoise

SCORES, WEIGHTS = [0, -3, 10, 7, -200, 9, -5000], [5, 0, 1, 3, 1000, 2, 10**9]


def p_value(seen: list[int], weights: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    counts = np.bincount(seen, minlength=len(weights)).astype(float)
    expected = weights / weights.sum() * len(seen)
    often = expected > 5
    counts, expected = (
        np.append(counts[often], counts[~often].sum()),
        np.append(expected[often], expected[~often].sum()),
    )
    if expected[-1] < 1e-6:
        assert not counts[-1]
        counts, expected = counts[:-1], expected[:-1] * len(seen) / expected[:-1].sum()
    return float(stats.chisquare(counts, expected).pvalue)


@pytest.mark.parametrize("epsilon", [Fraction(1, 2), Fraction(1, 20), Fraction(4)], ids=str)
def test_the_exponential_mechanism(epsilon: Fraction) -> None:
    entropy, n = stream(1), 3_000
    seen = [exponential_choice(SCORES, epsilon, 2, entropy, WEIGHTS) for _ in range(n)]

    def masses(factor: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.array(WEIGHTS) * np.exp(np.array(SCORES) * float(epsilon) * factor / 4 - 20)

    assert p_value(seen, masses(1.0)) > FITS
    assert max(p_value(seen, masses(0.7)), p_value(seen, masses(1.3))) < FITS**2


def test_permute_and_flip() -> None:
    """Against its closed form for two candidates: the worse one wins with probability e^(−x) / 2."""
    entropy, n = stream(2), 6_000
    worse = sum(permute_and_flip([10, 7], Fraction(1, 2), 1, entropy) for _ in range(n))
    assert stats.binomtest(worse, n, np.exp(-0.75) / 2).pvalue > FITS
    assert stats.binomtest(worse, n, np.exp(-0.75 * 0.7) / 2).pvalue < NEVER
    plain = sum(exponential_choice([10, 7], Fraction(1, 2), 1, entropy) for _ in range(2_000)) / 2_000
    assert worse / n < plain


def test_many_candidates_far_apart_take_no_longer_than_they_have_to() -> None:
    scores = -np.arange(500_000, dtype=np.int64) * 1000
    assert exponential_choice(scores, Fraction(1, 10**6), 1, stream(3)) < 500_000
    assert exponential_choice([-LARGEST_SCORE + 1, LARGEST_SCORE - 1], Fraction(1), 1, stream(3)) == 1
    assert exponential_choice([5], Fraction(1), 1, stream(3)) == 0


@pytest.mark.parametrize(
    ("scores", "weights"),
    [
        ([], None),
        ([1, 2], [1]),
        ([1], [0]),
        ([1, 2], [1, -1]),
        ([LARGEST_SCORE], None),
        ([1 << 70], None),
        ([0.5], None),
    ],
)
def test_what_cannot_be_chosen_from(scores: list[int], weights: list[int] | None) -> None:
    with pytest.raises(BadNoise):
        exponential_choice(scores, Fraction(1), 1, stream(0), weights)


def test_parameters_are_checked() -> None:
    for epsilon, sensitivity in ((Fraction(0), 1), (Fraction(1), 0), (0.5, 1)):
        for choose in (exponential_choice, permute_and_flip):
            with pytest.raises(BadNoise):
                choose([1, 2], epsilon, sensitivity, stream(0))  # type: ignore[arg-type]
