"""Noise in shares: each hospital adds some, and whoever stays honest and present has added enough.

A run with at least m contributors of which up to c may collude (tell their shares to whoever looks at the total)
has each contributor add discrete Gaussian noise of variance V/(m − c). Then the noise that nobody knows is the sum
of at least k = m − c independent shares. What the others add on top is independent of it: post-processing.

A sum of discrete Gaussians is not one, but nearly. Lemma (Kairouz, Liu, Steinke, "The Distributed Discrete Gaussian
Mechanism for Federated Learning with Secure Aggregation", 2021, section on sums of discrete Gaussians; the tests hold
it against exact convolutions): for k shares of variance s ≥ 1/4 each, the sum S and the discrete Gaussian G of
variance k·s satisfy

    max_y |log P[S = y] − log P[G = y]| ≤ τ/2,   τ = 10 · Σ_{i=1}^{k−1} exp(−2π²·s·i/(i + 1)).

Then S costs ρ = ½·(Δ₂/√(k·s) + √d·τ)² on vectors of length d (their proposition 14, last term). Proof from the
lemma: per coordinate S and G are τ/2-close both ways in max-divergence, hence (τ/2)²/2-zCDP apart, and d·τ²/8 over
d independent coordinates; x + S to x + G to x' + G to x' + S is a chain of √(d·τ²/8), Δ₂/√(2ks), √(d·τ²/8), and
square roots of rho add along a chain (Bun, Steinke 2016, lemma 5.2): √ρ = (Δ₂/√(ks) + √d·τ)/√2.

What is charged is an upper bound of that, in rational arithmetic, rounded up to a whole unit.
"""

from __future__ import annotations

import math
from fractions import Fraction

import msgspec

from xinglin.privacy.noise.accounting import RHO_UNITS, variance_for
from xinglin.privacy.noise.errors import BadNoise
from xinglin.privacy.noise.exact import Entropy, checked, floor_exp
from xinglin.privacy.noise.samplers import Drawn, discrete_gaussian

LEAST_SHARE_VARIANCE = Fraction(1, 4)
"""Below it the lemma says nothing."""
MOST_CONTRIBUTORS = 10_000
_PI_SQUARED_BELOW = Fraction(98696044, 10**7)
_BITS = 128
_FINER = 64
_STEP = Fraction(1, 1 << 36)


class SharePlan(msgspec.Struct, frozen=True):
    """How noise is shared: ``variance`` of each contributor's share, per coordinate; ``honest`` = m − c shares count.

    Guarantee (domain: integer vectors of ``length``; metric: Euclidean, Δ₂² = ``sensitivity_sq``; persons): the
    total with the shares of all contributors that stayed, at least m, is ``rho_units``·10^-12-zCDP towards the hub,
    the reader and up to c contributors together. Not protected: a contributor's own vector from itself; anything
    if fewer than m stayed (the run must end), or more than c collude. Source: Kairouz, Liu, Steinke (2021); see the
    module for the lemma and the proof.
    """

    sensitivity_sq: Fraction
    variance: Fraction
    honest: int
    length: int
    rho_units: int

    @property
    def stated_variance(self) -> Fraction:
        """The variance that the honest shares add up to, per coordinate: what an interval reckons with."""
        return self.variance * self.honest

    def draw(self, entropy: Entropy) -> Drawn:
        """One contributor's share."""
        return discrete_gaussian(self.variance, self.length, entropy)


def share_variance(total: Fraction, minimum: int, colluders: int) -> Fraction:
    """The variance of one share: total / (m − c), for m contributors at least and c colluders at most. ``BadNoise``."""
    return checked(total, "The variance") / _honest(minimum, colluders)


def rho_of_shares(sensitivity_sq: Fraction | int, variance: Fraction | int, honest: int, length: int) -> int:
    """Units of rho of ``honest`` shares of ``variance`` each on a vector of ``length``, rounded up; see the module."""
    squared, share = checked(sensitivity_sq, "The sensitivity"), checked(variance, "The variance")
    if share < LEAST_SHARE_VARIANCE or not 1 <= honest <= MOST_CONTRIBUTORS or length < 1:
        raise BadNoise(
            "Such shares promise nothing.",
            why=f"a share's variance is at least {LEAST_SHARE_VARIANCE}, contributors 1 to {MOST_CONTRIBUTORS}",
            remedy="Spend less rho, or use finer units.",
        )
    ratio, tau = squared / (share * honest), _tau(share, honest)
    rho = (ratio + 2 * _root_above(ratio * length) * tau + length * tau * tau) / 2
    return math.ceil(rho * RHO_UNITS)


def share_plan(sensitivity_sq: Fraction | int, rho_units: int, minimum: int, colluders: int, length: int) -> SharePlan:
    """The least noisy plan (to one part in 2^36) that costs at most ``rho_units`` on a vector of ``length``.

    ``BadNoise`` where not even shares of many times the plain variance would do, or m − c is not positive.
    """
    squared, honest = checked(sensitivity_sq, "The sensitivity"), _honest(minimum, colluders)
    plain = max(variance_for(squared, rho_units) / honest, LEAST_SHARE_VARIANCE)

    def cost(factor: Fraction) -> int:
        return rho_of_shares(squared, plain * factor, honest, length)

    low, high = Fraction(1), Fraction(1)
    while cost(high) > rho_units:
        low, high = high, high * (2 if high > 1 else 1 + _STEP)
        if high > 1 << 20:
            raise BadNoise("No shares cost so little.", remedy="Spend more rho, or ask for fewer numbers.")
    while high - low > _STEP:
        middle = (low + high) / 2
        low, high = (middle, high) if cost(middle) > rho_units else (low, middle)
    return SharePlan(squared, plain * high, honest, length, cost(high))


def _honest(minimum: int, colluders: int) -> int:
    if not 0 <= colluders < minimum <= MOST_CONTRIBUTORS:
        raise BadNoise(
            "There must be more contributors than colluders.",
            remedy=f"From 1 to {MOST_CONTRIBUTORS} contributors, and fewer colluders.",
        )
    return minimum - colluders


def _tau(share: Fraction, honest: int) -> Fraction:
    """An upper bound of τ. The terms fall with i, and from 2^6 on are all counted as the 2^6th."""
    total = 0
    for place in range(1, min(honest, _FINER)):
        total += floor_exp(2 * _PI_SQUARED_BELOW * share * Fraction(place, place + 1), _BITS) + 1
    if honest > _FINER:
        last = floor_exp(2 * _PI_SQUARED_BELOW * share * Fraction(_FINER, _FINER + 1), _BITS) + 1
        total += (honest - _FINER) * last
    return Fraction(10 * total, 1 << _BITS)


def _root_above(value: Fraction) -> Fraction:
    """√value, rounded up to 2^-64."""
    return Fraction(math.isqrt((value.numerator << 128) // value.denominator) + 1, 1 << 64)
