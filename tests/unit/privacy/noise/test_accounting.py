"""Costs in whole units, rounded up; the conversion beside dp-accounting, never below the truth."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.privacy.noise.accounting import (
    LARGEST_RHO_UNITS,
    RHO_UNIT,
    RHO_UNITS,
    choice_epsilon_for,
    epsilon_of_gaussian,
    pure_epsilon_for,
    rho_for_epsilon,
    rho_of_choice,
    rho_of_gaussian,
    rho_of_pure,
    to_delta,
    to_epsilon,
    variance_for,
)
from xinglin.privacy.noise.errors import BadNoise

DELTA = Fraction(1, 10**6)
DELTAS = st.fractions(min_value=Fraction(1, 10**12), max_value=Fraction(1, 2), max_denominator=10**12)
RHOS = st.integers(1, 10**14)


def test_costs_are_rounded_up_to_a_unit() -> None:
    assert rho_of_gaussian(1, 50) == 10**10 and RHO_UNIT * RHO_UNITS == 1
    assert rho_of_gaussian(1, 3) == 166666666667
    assert rho_of_gaussian(1, 10**30) == 1
    assert rho_of_pure(Fraction(1, 10)) == 5 * 10**9 and rho_of_choice(Fraction(1, 10)) == 1_250_000_000
    assert variance_for(1, 10**10) == 50
    for wrong in (0, -1, 1.0, True, LARGEST_RHO_UNITS + 1):
        with pytest.raises(BadNoise):
            variance_for(1, wrong)  # type: ignore[arg-type]
    with pytest.raises(BadNoise):
        rho_of_gaussian(1, Fraction(1, 10**6))


@pytest.mark.parametrize("releases", [1, 20, 1000])
def test_never_below_the_composed_discrete_gaussian(releases: int) -> None:
    """The privacy loss distribution of the discrete Gaussian itself, composed: the truth from above and below."""
    pld = pytest.importorskip("dp_accounting.pld.privacy_loss_distribution")
    variance = Fraction(10 * releases)
    loss = pld.from_discrete_gaussian_mechanism(
        float(variance) ** 0.5, sensitivity=1, value_discretization_interval=1e-3, use_connect_dots=True
    ).self_compose(releases)
    ours = to_epsilon(releases * rho_of_gaussian(1, variance), DELTA)
    truth = loss.get_epsilon_for_delta(float(DELTA))
    assert truth <= ours <= 1.12 * truth
    assert epsilon_of_gaussian(releases * rho_of_gaussian(1, variance), DELTA) == pytest.approx(truth, rel=1e-2)


def test_as_sharp_as_the_renyi_accountant_and_sharper_than_the_simple_rule() -> None:
    """1000 releases of deviation 100: rho is 0.05; simple conversion 1.712, Rényi orders 1.472, the floor 1.368."""
    accounting = pytest.importorskip("dp_accounting")
    accountant = accounting.rdp.RdpAccountant([1 + step / 100 for step in range(1, 6000)])
    accountant.compose(accounting.GaussianDpEvent(100.0), 1000)
    ours = to_epsilon(5 * 10**10, DELTA)
    simple = 0.05 + 2 * math.sqrt(0.05 * math.log(10**6))
    assert ours == pytest.approx(accountant.get_epsilon(1e-6), rel=1e-4) and ours == pytest.approx(1.472, abs=1e-3)
    assert epsilon_of_gaussian(5 * 10**10, DELTA) == pytest.approx(1.368, abs=1e-3)
    assert ours < simple


def brute(rho: float, delta: float) -> float:
    """The least over very many orders."""
    found = math.inf
    for step in range(-1000, 1600):
        over = math.exp(step / 100)
        found = min(
            found, rho * (1 + over) + (-math.log(delta) - over * math.log1p(1 / over) - math.log1p(over)) / over
        )
    return max(0.0, found)


@settings(max_examples=20)
@given(st.integers(10**6, 10**13), st.integers(2, 12))
def test_the_best_order_is_found(rho_units: int, digits: int) -> None:
    ours = to_epsilon(rho_units, Fraction(1, 10**digits))
    least = brute(rho_units / RHO_UNITS, 10.0**-digits)
    assert ours <= least * (1 + 1e-9) + 1e-9 and ours >= least * (1 - 1e-4)


@settings(max_examples=50)
@given(RHOS, RHOS, DELTAS)
def test_more_rho_is_never_less_epsilon(one: int, other: int, delta: Fraction) -> None:
    low, high = sorted((one, other))
    assert to_epsilon(low, delta) <= to_epsilon(high, delta) * (1 + 1e-9) + 1e-12


@settings(max_examples=50)
@given(RHOS, DELTAS, DELTAS)
def test_less_delta_is_never_less_epsilon(rho: int, one: Fraction, other: Fraction) -> None:
    low, high = sorted((one, other))
    assert to_epsilon(rho, low) >= to_epsilon(rho, high) * (1 - 1e-9) - 1e-12


@settings(max_examples=50)
@given(RHOS, DELTAS)
def test_never_below_the_gaussian_that_has_this_rho(rho: int, delta: Fraction) -> None:
    assert to_epsilon(rho, delta) >= epsilon_of_gaussian(rho, delta) * (1 - 1e-9) - 1e-12


@settings(max_examples=15)
@given(st.fractions(min_value=Fraction(1, 1000), max_value=20, max_denominator=1000), st.integers(3, 12))
def test_the_inverse_is_the_most_that_fits(epsilon: Fraction, digits: int) -> None:
    delta = Fraction(1, 10**digits)
    units = rho_for_epsilon(epsilon, delta)
    assert units > 0 and to_epsilon(units, delta) <= float(epsilon) < to_epsilon(units + 1 + units // 10**6, delta)
    assert to_delta(units, epsilon) <= float(delta) * (1 + 1e-6)


@given(st.integers(10**4, 10**13))
def test_inverses_of_costs_never_cost_more(units: int) -> None:
    assert rho_of_choice(choice_epsilon_for(units)) <= units
    assert rho_of_pure(pure_epsilon_for(units)) <= units
    assert rho_of_gaussian(7, variance_for(7, units)) == units


@given(st.lists(st.tuples(st.integers(1, 1000), st.integers(1, 10**6)), min_size=1, max_size=8))
def test_what_is_added_up_is_never_less_than_what_was_spent(releases: list[tuple[int, int]]) -> None:
    exact = sum((Fraction(squared, 2 * variance) for squared, variance in releases), Fraction(0))
    charged = sum(rho_of_gaussian(squared, variance) for squared, variance in releases)
    assert exact <= charged * RHO_UNIT < exact + len(releases) * RHO_UNIT


def test_edges() -> None:
    assert to_epsilon(0, DELTA) == 0.0 == to_delta(0, Fraction(1))
    assert to_delta(LARGEST_RHO_UNITS, Fraction(1)) == 1.0
    for delta in (Fraction(0), Fraction(1), 1e-6, Fraction(2)):
        with pytest.raises(BadNoise):
            to_epsilon(1, delta)  # type: ignore[arg-type]
    with pytest.raises(BadNoise, match="nobody"):
        rho_for_epsilon(Fraction(10**7), DELTA)
    assert rho_for_epsilon(Fraction(1), DELTA) == pytest.approx(24355970359, rel=1e-6)
