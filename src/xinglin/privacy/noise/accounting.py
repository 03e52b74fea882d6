"""What a release costs: zero-concentrated differential privacy in whole units of 10^-12, rounded up; shown as (ε, δ).

Rho adds up over releases, whatever was chosen in the light of earlier ones, and integers add up exactly.
Sources: Bun, Steinke, "Concentrated Differential Privacy" (2016), lemma 1.7 (composition) and proposition 1.4;
Canonne, Kamath, Steinke, "The Discrete Gaussian for Differential Privacy" (2020), theorem 4 (noise), proposition 12
and corollary 13 (conversion); Cesar, Rogers, "Bounding, Concentrating, and Truncating" (2021), lemma 3.4 (choice).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

from xinglin.privacy.noise.errors import BadNoise
from xinglin.privacy.noise.exact import checked

RHO_UNIT = Fraction(1, 10**12)
"""One unit of rho; a ledger holds whole units."""
RHO_UNITS = 10**12
"""Units in a rho of one."""
LARGEST_RHO_UNITS = 10**15
"""A rho of a thousand protects nobody: what is larger is refused."""
_SLIP = 1e-13
_STEPS = 200


def rho_of_gaussian(sensitivity_sq: Fraction | int, variance: Fraction | int) -> int:
    """Units of rho of discrete Gaussian noise: Δ₂² / (2·variance), rounded up.

    ``sensitivity_sq``: the square of the Euclidean distance that one person's data can move the vector by.
    """
    return _up(checked(sensitivity_sq, "The sensitivity") / (2 * checked(variance, "The variance")))


def rho_of_pure(epsilon: Fraction | int) -> int:
    """Units of rho of a purely ε-differentially private release, discrete Laplace noise say: ε²/2, rounded up."""
    return _up(checked(epsilon, "ε") ** 2 / 2)


def rho_of_choice(epsilon: Fraction | int) -> int:
    """Units of rho of an exponential mechanism of parameter ε: ε²/8, rounded up, since its range is bounded."""
    return _up(checked(epsilon, "ε") ** 2 / 8)


def variance_for(sensitivity_sq: Fraction | int, rho_units: int) -> Fraction:
    """The variance of discrete Gaussian noise that costs exactly so many units."""
    return checked(sensitivity_sq, "The sensitivity") / (2 * _units(rho_units) * RHO_UNIT)


def choice_epsilon_for(rho_units: int) -> Fraction:
    """The largest ε in 2^-40 whose exponential mechanism costs at most so many units."""
    return _root_below(8 * _units(rho_units))


def pure_epsilon_for(rho_units: int) -> Fraction:
    """The largest ε in 2^-40 whose pure release costs at most so many units."""
    return _root_below(2 * _units(rho_units))


def to_epsilon(rho_units: int, delta: Fraction) -> float:
    """The ε of (ε, δ) that rho implies for whatever mechanism, by the best order α; rounded up.

    ``delta`` in (0, 1). Guarantee: rho-zCDP implies (ε, δ)-differential privacy for every order; so the search can
    only be wasteful, never wrong, and the last bits are rounded up. Source: Canonne, Kamath, Steinke (2020),
    proposition 12: ε = αρ + (log(1/δ) + (α−1)·log(1−1/α) − log α) / (α−1).
    """
    if _units(rho_units, least=0) == 0:
        return 0.0
    rho, depth = rho_units / RHO_UNITS, _depth(delta)

    def bound(spread: float) -> float:
        over = math.exp(spread)
        terms = (depth, -over * math.log1p(1 / over), -math.log1p(over))
        found = rho * (1 + over) + math.fsum(terms) / over
        return found + _SLIP * (rho * (1 + over) + math.fsum(map(abs, terms)) / over)

    best = _lowest(bound, 0.5 * math.log(depth / rho + 1e-300))
    return max(0.0, math.nextafter(bound(best), math.inf))


def to_delta(rho_units: int, epsilon: Fraction) -> float:
    """The δ of (ε, δ) that rho implies, by the best order; rounded up, at most 1. Source: as for ``to_epsilon``."""
    if _units(rho_units, least=0) == 0:
        return 0.0
    rho, wide = rho_units / RHO_UNITS, float(checked(epsilon, "ε"))

    def bound(spread: float) -> float:
        over = math.exp(spread)
        terms = (over * rho * (1 + over), -over * wide, -over * math.log1p(1 / over), -math.log1p(over))
        return math.fsum(terms) + _SLIP * math.fsum(map(abs, terms))

    guess = (wide - rho) / (2 * rho)
    best = _lowest(bound, math.log(guess) if guess > 0 else 0.0)
    return min(1.0, math.exp(min(0.0, bound(best))) * (1 + 1e-12))


def rho_for_epsilon(epsilon: Fraction, delta: Fraction) -> int:
    """The most units whose ``to_epsilon`` does not pass ε; rounded down, 0 where not one unit fits."""
    wanted = checked(epsilon, "ε")
    low, high = 0, 1
    while Fraction(to_epsilon(high, delta)) <= wanted:
        low, high = high, 2 * high
        if high > LARGEST_RHO_UNITS:
            raise BadNoise("Such an ε protects nobody.", remedy="Choose a smaller one; below 10 is usual.")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if Fraction(to_epsilon(middle, delta)) <= wanted else (low, middle)
    return low


def epsilon_of_gaussian(rho_units: int, delta: Fraction) -> float:
    """The ε of (ε, δ) if all of rho were one continuous Gaussian's: a floor to compare with, not a promise.

    No conversion from rho can be below it, since the Gaussian has this rho exactly. Source: Balle, Wang, "Improving
    the Gaussian Mechanism for Differential Privacy" (2018), theorem 8.
    """
    if _units(rho_units, least=0) == 0:
        return 0.0
    mean, wanted = math.sqrt(2 * rho_units / RHO_UNITS), math.exp(-_depth(delta))

    def over(epsilon_: float) -> bool:
        first = math.erfc((epsilon_ / mean - mean / 2) / math.sqrt(2)) / 2
        second = math.erfc((epsilon_ / mean + mean / 2) / math.sqrt(2)) / 2
        return first - math.exp(min(epsilon_, 700.0)) * second > wanted

    low, high = 0.0, max(1e-12, to_epsilon(rho_units, delta))
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if over(middle) else (low, middle)
    return high


def _units(rho_units: int, least: int = 1) -> int:
    if not isinstance(rho_units, int) or isinstance(rho_units, bool) or not least <= rho_units <= LARGEST_RHO_UNITS:
        raise BadNoise(f"Rho is counted in {least} to {LARGEST_RHO_UNITS} whole units of 10^-12.")
    return rho_units


def _up(rho: Fraction) -> int:
    return _units(math.ceil(rho * RHO_UNITS))


def _root_below(units: int) -> Fraction:
    """√(units · 10^-12), rounded down to 2^-40."""
    found = Fraction(math.isqrt((units << 80) // RHO_UNITS), 1 << 40)
    if not found:
        raise BadNoise("So little rho buys no release.", remedy="Spend more on it.")
    return found


def _depth(delta: Fraction) -> float:
    """log(1/δ), rounded up."""
    delta = checked(delta, "δ")
    if delta >= 1:
        raise BadNoise("δ must be below 1.", remedy="At most one in the number of persons is usual.")
    found = math.log(delta.denominator) - math.log(delta.numerator)
    return (found if found > 1e-6 else -math.log1p(float(delta - 1))) * (1 + 1e-15) + 1e-18


def _lowest(bound: Callable[[float], float], start: float) -> float:
    """A point near the lowest value, by golden section around ``start``; any point is valid, so none is wrong."""
    golden = (math.sqrt(5) - 1) / 2
    low, high = start - 12.0, min(start + 12.0, 650.0)
    first, second = high - golden * (high - low), low + golden * (high - low)
    at_first, at_second = bound(first), bound(second)
    while high - low > 1e-9:
        if at_first <= at_second:
            high, second, at_second = second, first, at_first
            first = high - golden * (high - low)
            at_first = bound(first)
        else:
            low, first, at_first = first, second, at_second
            second = low + golden * (high - low)
            at_second = bound(second)
    return (low + high) / 2
