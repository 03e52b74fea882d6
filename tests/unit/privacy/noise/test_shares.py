"""Noise in shares: the lemma where it can be computed, enough noise of the honest survivors, costs rounded up."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from tests.unit.privacy.noise.seeded import FITS, NEVER, fit, gaussian_masses, stream

from xinglin.privacy.noise.accounting import RHO_UNITS, rho_of_gaussian
from xinglin.privacy.noise.errors import BadNoise
from xinglin.privacy.noise.samplers import discrete_gaussian
from xinglin.privacy.noise.shares import _tau, rho_of_shares, share_plan, share_variance


@pytest.mark.parametrize("honest", [1, 2, 3, 5])
@pytest.mark.parametrize("variance", [Fraction(1, 4), Fraction(1, 2), Fraction(1), Fraction(3)], ids=str)
def test_the_lemma(variance: Fraction, honest: int) -> None:
    """|log P[S = y] − log P[G = y]| ≤ τ/2, in exact convolutions, as far as doubles tell."""
    wide = 40
    one = gaussian_masses(float(variance), wide)
    summed = one
    for _ in range(honest - 1):
        summed = np.convolve(summed, one)
    whole = gaussian_masses(float(variance) * honest, len(summed) // 2)
    middle = len(summed) // 2
    near = slice(middle - int(6 * math.sqrt(float(variance) * honest)), middle + 1)
    apart = float(np.abs(np.log(summed[near]) - np.log(whole[near])).max())
    assert apart <= float(_tau(variance, honest)) / 2 + 1e-12


@given(st.integers(2, 60), st.integers(0, 10), st.integers(1, 10**9), st.integers(0, 30))
def test_honest_survivors_have_at_least_the_stated_variance(m: int, c: int, total: int, more: int) -> None:
    """Whoever drops out down to m, and whichever c of the rest collude."""
    if c >= m:
        with pytest.raises(BadNoise):
            share_variance(Fraction(total), m, c)
        return
    one = share_variance(Fraction(total), m, c)
    present = m + more
    assert one * (present - c) >= total and one * (m - c) == total


def test_the_sum_of_the_honest_shares_as_drawn() -> None:
    """Five contributors stay, two of them collude: the three others' noise is what was stated, not 30 % less."""
    plan = share_plan(1, 10**10, 5, 2, 40_000)
    assert plan.honest == 3 and plan.stated_variance >= 50 and plan.rho_units <= 10**10
    summed = sum(plan.draw(stream(seed)) for seed in range(3))
    assert isinstance(summed, np.ndarray)
    assert fit(summed, gaussian_masses(float(plan.stated_variance), 64)) > FITS
    assert fit(summed, gaussian_masses(float(plan.stated_variance) * 1.69, 90)) < NEVER
    assert fit(summed, gaussian_masses(float(plan.stated_variance) * 0.49, 50)) < NEVER
    # At least the stated variance, by a test that noise of 0.97 of it would fail.
    assert summed.var() * len(summed) >= stats.chi2.ppf(1e-4, len(summed) - 1) * 50
    assert 0.97 * 50 * len(summed) < stats.chi2.ppf(1e-2, len(summed) - 1) * 50


def test_one_share_is_a_discrete_gaussian_and_costs_nothing_more() -> None:
    for variance in (Fraction(1, 4), Fraction(7), Fraction(10**6)):
        assert rho_of_shares(1, variance, 1, 10**6) == rho_of_gaussian(1, variance)


@given(
    st.integers(1, 100),
    st.fractions(min_value=Fraction(1, 4), max_value=100, max_denominator=100),
    st.integers(1, 200),
    st.integers(1, 10**6),
)
def test_shares_never_cost_less_than_one_gaussian(squared: int, variance: Fraction, honest: int, length: int) -> None:
    ours = rho_of_shares(squared, variance, honest, length)
    assert ours >= rho_of_gaussian(squared, variance * honest)
    tau = 10 * sum(math.exp(-2 * math.pi**2 * float(variance) * k / (k + 1)) for k in range(1, honest))
    rho = (math.sqrt(squared / float(variance * honest)) + math.sqrt(length) * tau) ** 2 / 2
    # From the 64th term on all are counted as the 64th: at most a little dearer.
    assert rho * (1 - 1e-9) <= ours / RHO_UNITS <= rho * 1.6 + 2e-12


@given(st.integers(1, 1000), st.integers(10**6, 10**12), st.integers(1, 50), st.integers(0, 10), st.integers(1, 10**5))
def test_a_plan_costs_what_was_allowed(squared: int, rho: int, honest: int, colluders: int, length: int) -> None:
    plan = share_plan(squared, rho, honest + colluders, colluders, length)
    assert plan.rho_units <= rho and plan.honest == honest
    assert plan.rho_units == rho_of_shares(squared, plan.variance, honest, length)
    assert plan.stated_variance * 2 * rho >= squared * RHO_UNITS


def test_what_promises_nothing_is_refused() -> None:
    for minimum, colluders in ((0, 0), (3, 3), (3, -1), (10_001, 0)):
        with pytest.raises(BadNoise, match="more contributors"):
            share_variance(Fraction(1), minimum, colluders)
    with pytest.raises(BadNoise, match="promise nothing"):
        rho_of_shares(1, Fraction(1, 5), 3, 1)
    with pytest.raises(BadNoise, match="promise nothing"):
        rho_of_shares(1, Fraction(1), 3, 0)


def test_noise_of_a_share_that_is_30_percent_short_is_seen() -> None:
    short = sum(discrete_gaussian(Fraction(50, 3) * Fraction(49, 100), 5_000, stream(seed)) for seed in range(3))
    assert isinstance(short, np.ndarray)
    assert short.var() * len(short) < stats.chi2.ppf(1e-9, len(short) - 1) * 50
