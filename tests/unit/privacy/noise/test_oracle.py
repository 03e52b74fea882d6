"""OpenDP as the oracle: both draw the same distributions, and both count the same costs."""

from __future__ import annotations

import os
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from scipy import stats
from tests.unit.privacy.noise.seeded import FITS, NEVER, stream

from xinglin.privacy.noise.accounting import RHO_UNITS, rho_of_gaussian, rho_of_pure, to_epsilon
from xinglin.privacy.noise.samplers import discrete_gaussian, discrete_laplace

DRAWS = 12_000


@pytest.fixture(scope="module")
def opendp() -> Any:
    # OpenDP turns backtraces on where nothing is set, and is then ten times slower.
    os.environ["RUST_BACKTRACE"] = "0"
    found = pytest.importorskip("opendp.prelude")
    found.enable_features("contrib")
    return found


def alike(ours: Any, theirs: Any) -> float:
    """The p-value of a test that two samples of whole numbers are of one distribution; rare values taken together."""
    values = np.clip(np.concatenate((ours, theirs)).astype(int), -200, 200) + 200
    table = np.stack((np.bincount(values[: len(ours)], minlength=401), np.bincount(values[len(ours) :], minlength=401)))
    often = table.sum(axis=0) >= 20
    table = np.column_stack((table[:, often], table[:, ~often].sum(axis=1)))
    return float(stats.chi2_contingency(table[:, table.sum(axis=0) > 0]).pvalue)


@pytest.mark.parametrize("deviation", [1.5, 12.0])
def test_gaussian_draws_are_alike(opendp: Any, deviation: float) -> None:
    space = opendp.vector_domain(opendp.atom_domain(T=int)), opendp.l2_distance(T=float)
    theirs = opendp.m.make_gaussian(*space, scale=deviation)([0] * DRAWS)
    variance = Fraction(deviation) ** 2
    assert alike(discrete_gaussian(variance, DRAWS, stream(1)), theirs) > FITS / 100
    for factor in (Fraction(7, 10), Fraction(13, 10)):
        assert alike(discrete_gaussian(variance * factor**2, DRAWS, stream(1)), theirs) < NEVER


def test_laplace_draws_are_alike(opendp: Any) -> None:
    space = opendp.vector_domain(opendp.atom_domain(T=int)), opendp.l1_distance(T=int)
    theirs = opendp.m.make_laplace(*space, scale=5.0)([0] * DRAWS)
    assert alike(discrete_laplace(Fraction(5), DRAWS, stream(2)), theirs) > FITS / 100
    for factor in (Fraction(7, 10), Fraction(13, 10)):
        assert alike(discrete_laplace(5 * factor, DRAWS, stream(2)), theirs) < NEVER


@pytest.mark.parametrize("deviation", [1.0, 3.0, 10.0])
def test_costs_are_the_same(opendp: Any, deviation: float) -> None:
    space = opendp.vector_domain(opendp.atom_domain(T=int)), opendp.l2_distance(T=float)
    theirs = opendp.m.make_gaussian(*space, scale=deviation).map(1.0)
    assert theirs <= rho_of_gaussian(1, Fraction(deviation) ** 2) / RHO_UNITS <= theirs * (1 + 1e-9) + 1e-12
    single = opendp.atom_domain(T=int), opendp.absolute_distance(T=float)
    curve = opendp.c.make_zCDP_to_approxDP(opendp.m.make_gaussian(*single, scale=deviation)).map(1.0)
    ours = to_epsilon(rho_of_gaussian(1, Fraction(deviation) ** 2), Fraction(1, 10**6))
    assert ours == pytest.approx(curve.epsilon(delta=1e-6), rel=1e-6)
    pure = opendp.m.make_laplace(opendp.atom_domain(T=int), opendp.absolute_distance(T=int), scale=deviation).map(1)
    assert rho_of_pure(1 / Fraction(deviation)) / RHO_UNITS == pytest.approx(pure**2 / 2, rel=1e-9)
