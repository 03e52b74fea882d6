"""The noise has the distribution that it says, at every scale, and one with a scale 30 % off is told apart."""

from __future__ import annotations

import ast
import inspect
from fractions import Fraction
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from tests.unit.privacy.noise.seeded import FITS, NEVER, fit, gaussian_masses, laplace_masses, stream

from xinglin.privacy.noise import choice, counts, exact, linear, model, samplers, shares, words
from xinglin.privacy.noise.errors import BadNoise
from xinglin.privacy.noise.exact import ExactSource, LazyUniform, floor_exp
from xinglin.privacy.noise.samplers import discrete_gaussian, discrete_laplace
from xinglin.privacy.noise.words import SLACK, UNIT_BITS, Words

VARIANCES = [Fraction(1, 2), Fraction(1), Fraction(2), Fraction(7, 3), Fraction(9), Fraction(100), Fraction(12345, 7)]
SCALES = [Fraction(1, 3), Fraction(1), Fraction(7, 3), Fraction(10), Fraction(64)]
DRAWS = 60_000


def reach(deviation: float) -> int:
    return int(9 * deviation) + 4


@pytest.mark.parametrize("variance", VARIANCES, ids=str)
def test_gaussian_noise_fits_and_30_percent_off_does_not(variance: Fraction) -> None:
    drawn = discrete_gaussian(variance, DRAWS, stream(1))
    assert drawn.dtype == np.int64 and len(drawn) == DRAWS
    wide = reach(float(variance) ** 0.5)
    assert fit(drawn, gaussian_masses(float(variance), wide)) > FITS
    for factor in (0.7, 1.3):
        assert fit(drawn, gaussian_masses(float(variance) * factor**2, wide)) < NEVER


@pytest.mark.parametrize("scale", SCALES, ids=str)
def test_laplace_noise_fits_and_30_percent_off_does_not(scale: Fraction) -> None:
    drawn = discrete_laplace(scale, DRAWS, stream(2))
    assert fit(drawn, laplace_masses(float(scale), 40 * int(scale + 1))) > FITS
    for factor in (0.7, 1.3):
        assert fit(drawn, laplace_masses(float(scale) * factor, 40 * int(scale + 1))) < NEVER


@pytest.mark.parametrize("power", [6, 9, 14, 27, 33])
def test_large_scales_fit_too(power: int) -> None:
    variance = Fraction(10**power * 3, 7)
    drawn = discrete_gaussian(variance, 20_000, stream(power)).astype(float)
    deviation = float(variance) ** 0.5
    assert stats.kstest(drawn / deviation, "norm").pvalue > FITS
    assert stats.kstest(drawn / (1.3 * deviation), "norm").pvalue < NEVER
    assert stats.kstest(drawn / (0.7 * deviation), "norm").pvalue < NEVER
    scale = Fraction(10 ** (power // 2))
    drawn = discrete_laplace(scale, 20_000, stream(power)).astype(float)
    assert stats.kstest(drawn / float(scale), "laplace").pvalue > FITS
    assert stats.kstest(drawn / float(scale) / 1.3, "laplace").pvalue < NEVER


def test_low_bits_of_large_noise_are_uniform() -> None:
    """Where floating-point noise shows gaps, whole numbers show none."""
    low = np.array([int(value) & 63 for value in discrete_gaussian(Fraction(10**20), 40_000, stream(3))])
    assert stats.chisquare(np.bincount(low, minlength=64)).pvalue > FITS


@pytest.mark.parametrize(("variance", "kind"), [(Fraction(1 << 108), "i"), (Fraction(1 << 120), "O")])
def test_beyond_64_bits_integers_of_any_size(variance: Fraction, kind: str) -> None:
    drawn = discrete_gaussian(variance, 200, stream(4))
    assert drawn.dtype.kind == kind and len(set(drawn.tolist())) == 200
    assert 0.7 < np.std(drawn.astype(float)) / float(variance) ** 0.5 < 1.3
    wide = discrete_laplace(Fraction(1 << 70), 200, stream(4))
    assert wide.dtype == object and max(abs(value) for value in wide) > 1 << 64
    assert discrete_laplace(Fraction((1 << 60) + 1, 1 << 60), 50, stream(4)).dtype == np.int64


def test_one_at_a_time_is_the_same_distribution() -> None:
    source = ExactSource(stream(5))
    assert fit([source.gaussian(Fraction(5)) for _ in range(3_000)], gaussian_masses(5.0, 30)) > FITS
    assert fit([source.laplace(Fraction(5, 2)) for _ in range(3_000)], laplace_masses(2.5, 60)) > FITS
    assert fit([source.laplace(Fraction(5, 2)) for _ in range(3_000)], laplace_masses(3.25, 60)) < NEVER


def test_ties_of_short_words_are_decided_exactly() -> None:
    """With words of 8 bits one comparison in 256 ties: were a tie decided carelessly, the masses would be off."""
    short = Words(stream(6), bits=8)
    whole = np.concatenate([short.geometric(50_000) for _ in range(8)])
    masses = (1 - np.exp(-1)) * np.exp(-np.arange(40.0))
    seen = np.bincount(whole, minlength=40)[:40]
    often = masses * len(whole) > 8
    assert stats.chisquare(seen[often], masses[often] * seen[often].sum() / masses[often].sum()).pvalue > FITS
    for exponent in (Fraction(0), Fraction(1, 1 << UNIT_BITS), Fraction(1, 3), Fraction(23, 7), Fraction(5)):
        units = int(exponent * (1 << UNIT_BITS))
        lanes = np.full(100_000, units, dtype=np.uint64)
        hits = int(short.accept(lanes, lambda _, held=exponent: held).sum())
        chance = np.exp(-float(exponent))
        assert stats.binomtest(hits, 100_000, chance).pvalue > FITS, exponent


def test_an_exponent_that_is_not_its_units_is_refused() -> None:
    few = Words(stream(7))
    lanes = np.zeros(1 << 17, dtype=np.uint64)
    with pytest.raises(BadNoise, match="units"):
        few.accept(lanes, lambda _: Fraction(SLACK, 1 << UNIT_BITS))


@given(
    st.fractions(min_value=Fraction(1, 2), max_value=10**12, max_denominator=10**6)
    | st.integers(1, 10**33).map(Fraction),
    st.integers(0, 31),
    st.data(),
)
def test_units_are_below_the_exponent_by_less_than_the_slack(
    variance: Fraction, whole: int, data: st.DataObject
) -> None:
    bits = samplers._proposal_bits(variance)
    scale = 1 << bits
    assert scale**2 <= 2 * variance or bits == 0
    assert 2 * scale**2 >= variance
    if bits > samplers.LARGEST_SCALE_BITS:
        return
    places = samplers._Places(variance, bits)
    rest = data.draw(st.integers(0, scale - 1) | st.just(scale - 1))
    size = rest + scale * whole
    (units,) = places.units(np.array([rest], dtype=np.uint64), np.array([size], dtype=np.int64))
    over = places.exponent(rest, size) - Fraction(int(units), 1 << UNIT_BITS)
    assert 0 <= over * (1 << UNIT_BITS) < SLACK


@given(st.integers(1, (1 << 57) - 1), st.data())
def test_quotients_are_below_by_less_than_two_units(bound: int, data: st.DataObject) -> None:
    value = data.draw(st.integers(0, bound - 1))
    (units,) = samplers._quotients(np.array([value], dtype=np.uint64), bound)
    assert 0 <= Fraction(value, bound) * (1 << UNIT_BITS) - int(units) < 2


@given(st.fractions(min_value=0, max_value=80, max_denominator=10**9), st.integers(1, 300))
def test_the_floor_of_an_exponential(exponent: Fraction, bits: int) -> None:
    from decimal import Context, Decimal

    room = Context(prec=400)
    value = room.exp(room.divide(Decimal(-exponent.numerator), Decimal(exponent.denominator)))
    assert floor_exp(exponent, bits) == int(room.multiply(value, Decimal(1 << bits)))


@pytest.mark.parametrize("bits", [8, 16, 32, 64])
def test_tables_are_first_words_of_exponentials(bits: int) -> None:
    coarse, fine, whole = words._tables(bits)
    most = (1 << bits) - 1
    for table, step in ((coarse, Fraction(1, 256)), (fine, Fraction(1, 1 << UNIT_BITS))):
        for place in {0, 1, 2, len(table) - 2, len(table) - 1, *range(0, len(table), 97)}:
            assert int(table[place]) == min(floor_exp(place * step, bits), most)
    assert [int(one) for one in whole] == [floor_exp(Fraction(v), bits) for v in range(1, len(whole) + 1)]
    assert not coarse[-1] and not whole[-1] and len(fine) == 256


def test_a_lazy_uniform_draws_what_it_needs() -> None:
    given_bytes: list[int] = []

    def entropy(count: int) -> bytes:
        given_bytes.append(count)
        return bytes(count)

    assert LazyUniform(ExactSource(entropy), 1, 8).below_exp(Fraction(1)) and not given_bytes
    tied = floor_exp(Fraction(1), 8)
    assert LazyUniform(ExactSource(entropy), tied, 8).below_exp(Fraction(1)) and given_bytes == [8]
    assert not LazyUniform(ExactSource(lambda count: b"\xff" * count), tied, 8).below_exp(Fraction(1))


@pytest.mark.parametrize("bad", [0, -1, Fraction(0), 0.5, True, "1"])
def test_parameters_that_promise_nothing_are_refused(bad: object) -> None:
    for draw in (discrete_gaussian, discrete_laplace):
        with pytest.raises(BadNoise, match="positive Fraction"):
            draw(bad, 1, stream(0))  # type: ignore[arg-type]


def test_sizes_have_a_limit() -> None:
    assert len(discrete_gaussian(Fraction(1), 0, stream(0))) == 0
    for size in (-1, samplers.LARGEST_DRAW + 1):
        with pytest.raises(BadNoise, match="at once"):
            discrete_gaussian(Fraction(1), size, stream(0))


@pytest.mark.parametrize("module", [exact, words, samplers, shares, choice, model, counts], ids=lambda m: m.__name__)
def test_no_floating_point_number_between_input_and_noised_integer(module: ModuleType) -> None:
    tree = ast.parse(inspect.getsource(module))
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, float)]
    assert not names & {"float"}
    assert not attributes & {"float64", "float32", "random", "log", "sqrt", "exp2", "normal", "rint"}
    assert "float" in {node.id for node in ast.walk(ast.parse(inspect.getsource(linear))) if isinstance(node, ast.Name)}
