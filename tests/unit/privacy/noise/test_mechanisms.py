"""Mechanisms: what one person moves is at most what is said, by trying; noised at one place and in shares; refusals."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from tests.unit.privacy.noise.seeded import FITS, fit, gaussian_masses, stream

from xinglin.privacy.noise import after, refused
from xinglin.privacy.noise.accounting import RHO_UNITS, rho_of_gaussian
from xinglin.privacy.noise.choice import exponential_choice, permute_and_flip
from xinglin.privacy.noise.counts import MOST_CELLS, Counts, crossed
from xinglin.privacy.noise.errors import BadNoise, NoiseRefused
from xinglin.privacy.noise.linear import HALF_UNITS, Products
from xinglin.privacy.noise.model import (
    LARGEST_SUM,
    Mechanism,
    Noised,
    noised,
    noised_share,
    noised_total,
    shares_of,
)
from xinglin.privacy.noise.quantiles import Quantile
from xinglin.privacy.noise.samplers import discrete_gaussian, discrete_laplace
from xinglin.privacy.noise.shares import SharePlan
from xinglin.privacy.noise.sums import MOST_UNITS, Grid, Means, Sums

GRID = Grid(Fraction(1, 10), -300, 500)
MECHANISMS: list[Mechanism] = [Counts(7, 3), Sums(GRID, 3), Means(GRID, 3), Products(2)]


def moved(exact: object, units: np.ndarray, places: np.ndarray) -> Fraction:  # type: ignore[type-arg]
    """The square of how far the sum moves where the last row is taken out."""
    with_all, without = exact(units, places), exact(units[:-1], places[:-1])  # type: ignore[operator]
    return Fraction(int(((with_all - without) ** 2).sum()))


@given(st.lists(st.tuples(st.integers(-(10**6), 10**6), st.integers(-1, 2)), min_size=1, max_size=20))
def test_one_person_moves_sums_and_means_no_further(rows: list[tuple[int, int]]) -> None:
    units, _ = GRID.place(np.array([row[0] for row in rows]))
    places = np.array([row[1] for row in rows])
    for mechanism in (Sums(GRID, 3), Means(GRID, 3)):
        assert moved(mechanism.exact, units, places) <= mechanism.sensitivity_sq
        whole = mechanism.exact(units, places)
        half = len(units) // 2
        parts = mechanism.exact(units[:half], places[:half]) + mechanism.exact(units[half:], places[half:])
        assert (whole == parts).all(), "the vectors of parts add up"


def test_the_bounds_are_reached() -> None:
    """A bound that is never reached would be noise for nothing."""
    for mechanism in (Sums(GRID), Means(GRID)):
        most = max(moved(mechanism.exact, np.array([5, end]), np.array([0, 0])) for end in (GRID.low, GRID.high))
        assert most == mechanism.sensitivity_sq
    rows = np.full((1, 3), HALF_UNITS)
    assert (Products(2).exact(rows) ** 2).sum() == Products(2).sensitivity_sq


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(-1, 6)), max_size=30), st.integers(1, 4))
def test_one_person_moves_counts_no_further(rows: list[tuple[int, int]], most: int) -> None:
    counts = Counts(7, most)
    persons, places = np.array([r[0] for r in rows], dtype=np.int64), np.array([r[1] for r in rows], dtype=np.int64)
    whole = counts.exact(places, persons)
    for person in range(5):
        without = counts.exact(places[persons != person], persons[persons != person])
        assert ((whole - without) ** 2).sum() <= counts.sensitivity_sq
        mine = {r[1] for r in rows if r[0] == person and r[1] >= 0}
        assert (whole - without).sum() == min(most, len(mine))


@settings(max_examples=30)
@given(st.lists(st.lists(st.integers(-5000, 5000), min_size=3, max_size=3), min_size=1, max_size=6))
def test_one_person_moves_products_no_further(rows: list[list[int]]) -> None:
    products, units = Products(2), np.array(rows)
    apart = products.exact(units) - products.exact(units[:-1].reshape(-1, 3))
    assert int((apart**2).sum()) <= products.sensitivity_sq


@given(st.lists(st.integers(-300, 500), min_size=1, max_size=12), st.integers(-300, 500), st.sampled_from([2, 4, 10]))
def test_one_person_moves_scores_of_a_quantile_no_further(values: list[int], one: int, parts: int) -> None:
    for over in range(1, parts):
        quantile = Quantile(GRID, Fraction(over, parts))
        above, below = quantile.part.numerator, quantile.part.denominator

        def score(held: list[int], r: int, up: int = above, down: int = below) -> int:
            return -abs(down * sum(v < r for v in held) - up * len(held))

        moves = {abs(score([*values, one], r) - score(values, r)) for r in range(-300, 501, 37)}
        assert max(moves) <= quantile.sensitivity


@pytest.mark.parametrize("mechanism", MECHANISMS, ids=lambda m: type(m).__name__)
def test_noise_at_one_place_and_in_shares(mechanism: Mechanism) -> None:
    rho = RHO_UNITS // 10
    total = np.arange(mechanism.length, dtype=np.int64)
    found = noised(mechanism, total, rho, stream(1))
    assert found.rho_units == rho == rho_of_gaussian(mechanism.sensitivity_sq, found.variance)
    assert np.abs(found.values - total).max() < 6 * float(found.variance) ** 0.5 and (found.values != total).any()
    plan = shares_of(mechanism, rho, minimum=3, colluders=1)
    summed = sum(noised_share(mechanism, total, plan, stream(seed)) for seed in range(4))
    assert isinstance(summed, np.ndarray)
    opened = noised_total(summed, plan, contributors=4)
    assert opened.variance == plan.variance * 4 >= 2 * found.variance and opened.rho_units <= rho
    with pytest.raises(BadNoise, match="planned"):
        noised_total(summed, plan, contributors=1)
    with pytest.raises(BadNoise, match="another"):
        noised_share(Counts(mechanism.length + 1), np.zeros(mechanism.length + 1, dtype=np.int64), plan, stream(0))


def test_noised_counts_have_the_distribution() -> None:
    counts = Counts(20_000)
    found = noised(counts, np.full(20_000, 12, dtype=np.int64), 5 * 10**9, stream(3))
    assert found.variance == 100 and fit(found.values - 12, gaussian_masses(100.0, 90)) > FITS


def test_only_whole_numbers_of_the_right_length_are_noised() -> None:
    for wrong in (np.zeros(7), np.zeros(6, dtype=np.int64), np.full(7, LARGEST_SUM), np.zeros((7, 1), dtype=np.int64)):
        with pytest.raises(BadNoise):
            noised(Counts(7), wrong, 1, stream(0))
    large = noised(Counts(1), np.array([LARGEST_SUM - 1]), 1, stream(9))
    assert large.variance == Fraction(RHO_UNITS, 2)


def test_noise_of_any_size_does_not_wrap() -> None:
    wide = Sums(Grid(Fraction(1), -MOST_UNITS, MOST_UNITS))
    found = noised(wide, np.array([5]), 1, stream(4))
    plan_variance = found.variance
    assert plan_variance == Fraction(MOST_UNITS**2 * RHO_UNITS, 2)
    huge = Noised(np.array([2**61 - 1]), Fraction(1), 1)
    assert after.interval(huge)[1][0] > 0


def test_limits() -> None:
    for make in (
        lambda: Counts(0),
        lambda: Counts(MOST_CELLS + 1),
        lambda: Counts(3, 4),
        lambda: Grid(Fraction(0), 0, 1),
        lambda: Grid(Fraction(1), 1, 1),
        lambda: Grid(Fraction(1), 0, MOST_UNITS + 1),
        lambda: Products(0),
        lambda: Products(65),
        lambda: Quantile(GRID, Fraction(1)),
        lambda: Counts(2).exact(np.array([2])),
        lambda: Counts(3, 2).exact(np.array([2])),
        lambda: Sums(GRID).exact(np.array([1]), np.array([1])),
        lambda: crossed((2,), (np.array([2]),)),
        lambda: crossed((), ()),
        lambda: Products(2).exact(np.zeros((1, 3))),  # type: ignore[arg-type]
    ):
        with pytest.raises(BadNoise):
            make()


def test_cells_of_several_columns() -> None:
    places = crossed((2, 3), (np.array([0, 1, -1, 1]), np.array([2, 0, 1, -1])))
    assert places.tolist() == [2, 3, -1, -1]
    assert Counts(6).exact(places).tolist() == [0, 0, 1, 1, 0, 0]


def test_values_on_the_grid() -> None:
    units, there = GRID.place(np.array([-1e300, 0.04, 0.06, np.nan, 1e300, np.inf]))
    assert units.tolist() == [-300, 0, 1, 500, 500] and there.tolist() == [True, True, True, False, True, True]
    assert GRID.place(np.array([-400, 7]))[0].tolist() == [-300, 7]


def test_means_and_their_reading() -> None:
    means, units = Means(GRID, 2), np.array([100, 200, 300])
    exact = means.exact(units, np.array([0, 0, 1]))
    assert means.read(Noised(exact, Fraction(1), 1)).tolist() == [15.0, 30.0]
    assert np.isnan(means.read(Noised(np.zeros(4), Fraction(1), 1))).all()


def test_a_quantile_is_near_where_it_should_be() -> None:
    values = np.random.default_rng(1).normal(10, 5, 4_000)
    units, _ = GRID.place(values)
    for part in (Fraction(1, 10), Fraction(1, 2), Fraction(9, 10)):
        chosen = float(Quantile(GRID, part).choose(units, 10**9, stream(5)))
        assert abs((values < chosen).mean() - float(part)) < 0.05
    nobody = {Quantile(GRID).choose(np.zeros(0, dtype=np.int64), 10**9, stream(seed)) for seed in range(5)}
    assert len(nobody) == 5, "of nobody, any point of the grid"


def test_a_linear_model_says_its_errors() -> None:
    products, truth = Products(2), np.array([0.1, 0.3, -0.2])
    generator, missed = np.random.default_rng(2), 0
    for seed in range(60):
        x = generator.uniform(-1, 1, (4_000, 2))
        y = truth[0] + x @ truth[1:] + generator.normal(0, 0.1, 4_000)
        units = np.rint(np.column_stack((x, y)) * HALF_UNITS).astype(np.int64)
        found = products.fit(noised(products, products.exact(units), 5 * 10**9, stream(seed)))
        missed += int((np.abs(found.coefficients - truth) > 1.96 * found.errors).sum())
    assert stats.binomtest(missed, 180, 0.05).pvalue > 1e-3 and found.ridge == 0
    alone = products.fit(noised(products, products.exact(units[:3]), 10**6, stream(1)))
    assert alone.ridge > 0 and np.isfinite(alone.coefficients).all()


@pytest.mark.parametrize("mechanism", sorted(refused.REASONS))
def test_what_is_refused_says_why_and_what_there_is(mechanism: str) -> None:
    with pytest.raises(NoiseRefused) as told:
        refused.refuse(mechanism)
    assert told.value.why and told.value.remedy and told.value.code == "privacy.noise_refused"


STATED = (Counts, Sums, Means, Products, Quantile, SharePlan, discrete_gaussian, discrete_laplace, exponential_choice)


@pytest.mark.parametrize("mechanism", [*STATED, permute_and_flip], ids=lambda one: one.__name__)
def test_each_mechanism_states_domain_metric_guarantee_and_source(mechanism: object) -> None:
    words = (mechanism.__doc__ or "").lower()
    assert all(one in words for one in ("domain", "metric", "guarantee", "source:"))


def test_intervals_hold_the_noise() -> None:
    for variance in (Fraction(1, 4), Fraction(100), Fraction(10**8)):
        width = after.noise_width(variance, 0.9)
        masses = gaussian_masses(float(variance), 80_000)
        inside = masses[80_000 - width : 80_000 + width + 1].sum()
        assert inside + 1e-4 >= 0.9 and masses[80_000 - width + 1 : 80_000 + width].sum() < 0.9 + 1e-4
    with pytest.raises(BadNoise):
        after.noise_width(Fraction(1), 1.0)


def test_post_processing_is_named() -> None:
    found = Noised(np.array([-3, 4, 9]), Fraction(9), 5)
    assert after.not_negative(found).tolist() == [0, 4, 9]
    parts, total = after.consistent(found, Noised(np.array([16]), Fraction(9), 5))
    assert parts.sum() == pytest.approx(total) and parts.tolist() == [-1.5, 5.5, 10.5]
    with pytest.raises(BadNoise):
        after.consistent(found, found)
