"""Audits of the noise: the guarantee itself, computed or tried on neighbours, and a noise too small is caught."""

from __future__ import annotations

import itertools
import math
import random
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from xinglin.privacy.noise.accounting import RHO_UNITS, choice_epsilon_for, rho_of_choice, rho_of_gaussian
from xinglin.privacy.noise.choice import exponential_choice
from xinglin.privacy.noise.counts import Counts
from xinglin.privacy.noise.model import noised_share, shares_of
from xinglin.privacy.noise.quantiles import Quantile
from xinglin.privacy.noise.samplers import discrete_gaussian, discrete_laplace
from xinglin.privacy.noise.shares import rho_of_shares
from xinglin.privacy.noise.sums import Grid

ORDERS = (1.01, 1.5, 2.0, 4.0)


def masses(variance: float, wide: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    places = np.arange(-wide, wide + 1, dtype=float)
    found = np.exp(-(places**2) / (2 * variance))
    return np.asarray(found / found.sum())


def divergence(order: float, noise: np.ndarray[tuple[int], np.dtype[np.float64]], shift: int) -> float:
    """The Rényi divergence of the noise moved by ``shift`` from the noise, where doubles still hold both."""
    one, other = noise[shift:], noise[:-shift]
    held = (one > 1e-280) & (other > 1e-280)
    return float(np.log(np.sum(np.exp(order * np.log(one[held]) + (1 - order) * np.log(other[held]))))) / (order - 1)


@pytest.mark.parametrize("shift", [1, 2])
@pytest.mark.parametrize("variance", [Fraction(1, 2), Fraction(1), Fraction(5)], ids=str)
def test_rho_of_the_discrete_gaussian_holds_at_every_order(variance: Fraction, shift: int) -> None:
    noise, rho = masses(float(variance), 60), rho_of_gaussian(shift**2, variance) / RHO_UNITS
    found = [divergence(order, noise, shift) / order for order in ORDERS]
    assert max(found) <= rho * (1 + 1e-9)
    assert max(divergence(order, masses(float(variance) * 0.49, 60), shift) / order for order in ORDERS) > rho


@pytest.mark.parametrize("honest", [2, 3, 6])
@pytest.mark.parametrize("variance", [Fraction(1, 4), Fraction(1, 2), Fraction(1), Fraction(3)], ids=str)
def test_what_shares_are_charged_covers_their_sum(variance: Fraction, honest: int) -> None:
    """The sum of discrete Gaussians, by exact convolution: its divergence is at most what was charged."""
    noise = one = masses(float(variance), 40)
    for _ in range(honest - 1):
        noise = np.convolve(noise, one)
    rho = rho_of_shares(1, variance, honest, 1) / RHO_UNITS
    found = [divergence(order, noise, 1) / order for order in ORDERS]
    assert max(found) <= rho * (1 + 1e-9)
    fewer = rho_of_shares(1, variance * 2, honest, 1) / RHO_UNITS
    assert max(found) > fewer, "with half the noise the bound would be broken"


def log_chances(quantile: Quantile, values: tuple[int, ...], epsilon: Fraction) -> list[float]:
    """The exponential mechanism written down: every point of the grid with its own score."""
    grid, part = quantile.grid, quantile.part
    scores = [
        -abs(part.denominator * sum(v < r for v in values) - part.numerator * len(values))
        for r in range(grid.low, grid.high + 1)
    ]
    logs = [float(epsilon) * score / (2 * quantile.sensitivity) for score in scores]
    whole = math.log(sum(math.exp(one) for one in logs))
    return [one - whole for one in logs]


@pytest.mark.parametrize("part", [Fraction(1, 4), Fraction(1, 2), Fraction(9, 10)], ids=str)
def test_a_quantiles_choice_on_all_small_tables_and_their_neighbours(part: Fraction) -> None:
    """Exhaustive: ε, and the bounded range that the smaller rho rests on."""
    quantile, epsilon = Quantile(Grid(Fraction(1), 0, 4), part), Fraction(1)
    most = widest = 0.0
    for size in range(4):
        for values in itertools.combinations_with_replacement(range(5), size):
            before = log_chances(quantile, values, epsilon)
            for one in range(5):
                apart = [a - b for a, b in zip(log_chances(quantile, (*values, one), epsilon), before, strict=True)]
                most, widest = max(most, *map(abs, apart)), max(widest, max(apart) - min(apart))
    assert most <= 1 and 0.4 < widest <= 1 + 1e-12
    assert rho_of_choice(choice_epsilon_for(10**9)) <= 10**9


def test_a_quantile_is_drawn_as_it_is_written_down() -> None:
    quantile, rho = Quantile(Grid(Fraction(1), 0, 9)), 10**11
    epsilon, values = choice_epsilon_for(rho), np.array([1, 1, 4, 8])
    entropy = random.Random(5).randbytes
    drawn = np.bincount([int(quantile.choose(values, rho, entropy)) for _ in range(3_000)], minlength=10)
    chances = np.exp(log_chances(quantile, tuple(values), epsilon))
    assert stats.chisquare(drawn, chances * 3_000).pvalue > 1e-4
    wrong = np.exp(log_chances(quantile, tuple(values), epsilon * 2))
    assert stats.chisquare(drawn, wrong / wrong.sum() * 3_000).pvalue < 1e-9


def test_an_attacker_who_counts_ratios_sees_no_more_than_epsilon() -> None:
    """Laplace noise on neighbours, by trying: every event's ratio is within e^ε; noise 30 % too small is caught."""
    draws, epsilon = 150_000, 0.5

    def worst(scale: Fraction) -> float:
        one = discrete_laplace(scale, draws, random.Random(1).randbytes)
        other = discrete_laplace(scale, draws, random.Random(2).randbytes) + 1
        found = -math.inf
        for threshold in range(-3, 5):
            there, here = int((other >= threshold).sum()), int((one >= threshold).sum())
            low = stats.binomtest(there, draws).proportion_ci(0.9999).low
            high = stats.binomtest(here, draws).proportion_ci(0.9999).high
            found = max(found, math.log(low / high))
        return found

    assert worst(Fraction(2)) <= epsilon
    assert worst(Fraction(14, 10)) > epsilon


def test_colluders_who_take_their_noise_out_leave_what_was_stated() -> None:
    """Five hospitals, two of them subtract their shares from the opened total: the rest is as noisy as was promised."""
    counts, exact = Counts(20_000), np.full(20_000, 9, dtype=np.int64)
    plan = shares_of(counts, 10**10, minimum=5, colluders=2)
    noisy = [noised_share(counts, exact, plan, random.Random(seed).randbytes) for seed in range(5)]
    colluded = [plan.draw(random.Random(seed).randbytes) for seed in (3, 4)]
    left = sum(noisy) - sum(colluded) - 5 * exact  # type: ignore[operator]
    assert left.var() * len(left) >= stats.chi2.ppf(1e-4, len(left) - 1) * 50
    whole = discrete_gaussian(Fraction(50), 20_000, random.Random(9).randbytes)
    assert stats.ks_2samp(left, whole).pvalue > 1e-4
    assert stats.ks_2samp(left * 0.7, whole).pvalue < 1e-12


def test_choosing_never_depends_on_where_scores_begin() -> None:
    """Scores moved by one number are the same choice byte by byte: no low bit of a score is in it."""
    scores = [3, 9, 4, 9, 0]
    for seed in range(20):
        picks = {
            exponential_choice([score + move for score in scores], Fraction(1, 3), 1, random.Random(seed).randbytes)
            for move in (0, 1, 10**15, -7)
        }
        assert len(picks) == 1
