"""Exact discrete noise for whole vectors: integers from first to last, rejection, no floating-point number.

The proposals and the acceptance are those of Canonne, Kamath, Steinke (2020), algorithms 2 and 3. What is new is
how an acceptance with probability exp(−γ) is decided for many lanes at once when γ does not fit 64 bits: γ is taken
from below in units of 2^-16 by integer arithmetic with a proved error, and the small rest is decided exactly, with
integers of any size, in the one lane of 16,384 that needs it (``words.Words.accept``).
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import floor, isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.privacy.noise.errors import BadNoise
from xinglin.privacy.noise.exact import Entropy, ExactSource, checked
from xinglin.privacy.noise.words import UNIT_BITS, Unsigned, Words

Drawn = NDArray[Any]
"""int64; or Python's integers in an array of objects where the scale is large enough that 64 bits might not do."""

LARGEST_SCALE_BITS = 56
"""Scales of more bits are drawn one at a time, in integers of any size."""
LARGEST_DRAW = 1 << 26
"""Values drawn at once: what a vector of a study may hold."""
_LANES_AT_ONCE = 1 << 17
_FAR = 31
_MOST_WHOLE = 62


def discrete_laplace(scale: Fraction, size: int, entropy: Entropy) -> Drawn:
    """``size`` independent integers Y with probability ∝ exp(−|Y| / scale), scale > 0 in units of one.

    Guarantee (domain: integers; metric: absolute difference Δ₁): x + Y is (Δ₁/scale)-differentially private, purely.
    Raises ``BadNoise`` for a scale that is no positive Fraction, or a size that is negative or too large.
    Source: Canonne, Kamath, Steinke (2020), algorithm 2; Ghosh, Roughgarden, Sundararajan (2012).
    """
    scale, size = checked(scale, "The scale"), _size(size)
    if scale.numerator.bit_length() > LARGEST_SCALE_BITS:
        large = scale >= 1 << LARGEST_SCALE_BITS
        return _one_by_one(ExactSource(entropy).laplace, scale, size, large)
    words, top, bottom = Words(entropy), scale.numerator, scale.denominator
    return _gather(size, 22, lambda lanes: _laplace_lanes(words, top, bottom, lanes))


def discrete_gaussian(variance: Fraction, size: int, entropy: Entropy) -> Drawn:
    """``size`` independent integers Y with probability ∝ exp(−Y² / (2·variance)), variance > 0 (a parameter: the true
    variance is never larger, and equals it to 10^-6 from 1 on).

    Guarantee (domain: integer vectors; metric: Euclidean distance Δ₂): x + Y is Δ₂²/(2·variance)-zCDP.
    Raises ``BadNoise`` for a variance that is no positive Fraction, or a size that is negative or too large.
    Source: Canonne, Kamath, Steinke (2020), algorithm 3 and theorem 4.
    """
    variance, size = checked(variance, "The variance"), _size(size)
    bits = _proposal_bits(variance)
    if bits > LARGEST_SCALE_BITS or variance < Fraction(1, 2):
        return _one_by_one(ExactSource(entropy).gaussian, variance, size, bits > LARGEST_SCALE_BITS)
    words, places = Words(entropy), _Places(variance, bits)
    return _gather(size, 26, lambda lanes: _gaussian_lanes(words, places, lanes))


def _size(size: int) -> int:
    if not 0 <= size <= LARGEST_DRAW:
        raise BadNoise(f"From 0 to {LARGEST_DRAW} values can be drawn at once.", remedy="Draw in parts.")
    return size


def _one_by_one(draw: Callable[[Fraction], int], parameter: Fraction, size: int, large: bool) -> Drawn:
    found = np.empty(size, dtype=object)
    found[:] = [draw(parameter) for _ in range(size)]
    return found if large else _narrow(found)


def _narrow(values: Drawn) -> Drawn:
    fits = all(abs(value) < 1 << 62 for value in values)
    return values.astype(np.int64) if fits else values


def _gather(size: int, lanes_for_ten: int, propose: Callable[[int], Drawn]) -> Drawn:
    """Values of rounds of proposals, in order, until there are enough: which are taken depends on none of them."""
    parts: list[Drawn] = [np.empty(0, dtype=np.int64)]
    missing = size
    while missing > 0:
        part = propose(min(_LANES_AT_ONCE, missing * lanes_for_ten // 10 + 64))[:missing]
        parts.append(part)
        missing -= len(part)
    return np.concatenate(parts)


def _laplace_lanes(words: Words, top: int, bottom: int, lanes: int) -> Drawn:
    rest = words.below(top, lanes)
    kept = rest[words.accept(_quotients(rest, top), lambda lane: Fraction(int(rest[lane]), top))]
    whole = words.geometric(len(kept))
    size: Drawn = kept.astype(np.int64)
    if whole.max(initial=0) > _MOST_WHOLE:
        size = size.astype(object)
    size = (size + whole * top) // bottom
    return _signed(words, size)


def _signed(words: Words, size: Drawn) -> Drawn:
    negative = words.signs(len(size))
    found: Drawn = np.where(negative, -size, size)[(size != 0) | ~negative]
    return found


def _quotients(values: Unsigned, bound: int) -> Unsigned:
    """values / bound in whole units from below, less than two units below; for values < bound < 2^57."""
    shift = max(0, bound.bit_length() - 46)
    if not shift:
        return (values << np.uint64(UNIT_BITS)) // np.uint64(bound)
    return ((values >> np.uint64(shift)) << np.uint64(UNIT_BITS)) // np.uint64((bound >> shift) + 1)


def _proposal_bits(variance: Fraction) -> int:
    """The least k with 2^k ≥ σ/√2: then σ/2^k lies in [1/√2, √2] for every σ ≥ 1/√2."""
    whole = -(-variance.numerator // (2 * variance.denominator))
    return ((whole - 1).bit_length() + 1) // 2


class _Places:
    """Fixed-point constants for γ = (|Y| − σ²/t)² / (2σ²) with t = 2^k, from below.

    With D ≤ |d|·2^(26−k) for d = |Y| − σ²/t (at most 2 less) and M = ⌊2^(31+k)/(σ√2)⌋, which lies in [2^30, 2^31]:
    Z = ⌊D·M / 2^33⌋ ≤ 2^24·|d|/(σ√2), and less than it by at most 2·2^31/2^33 + 2^31/2^33 + 1 = 1.75. As
    |d|/(σ√2) ≤ 32 for |Y| < 32·t, the units ⌊Z²/2^32⌋ are less than 2^16·γ by at most 2·32·1.75/2^8 + 1 < 1.5.
    With u/t, which is less than one unit off, that stays below ``SLACK``. D < 2^31 and M ≤ 2^31: no product
    passes 2^62.
    """

    def __init__(self, variance: Fraction, bits: int) -> None:
        self.variance, self.bits = variance, bits
        self.shift = 26 - bits
        centre = variance / (1 << bits)
        self.centre = floor(centre * (1 << self.shift) if self.shift >= 0 else centre / (1 << -self.shift))
        power = 2 * (31 + bits) - 1
        self.factor = isqrt((variance.denominator << power) // variance.numerator)

    def units(self, rest: Unsigned, size: Drawn) -> Unsigned:
        """Whole units of rest/t + γ from below, for 0 ≤ size < 32·t."""
        placed = size << self.shift if self.shift >= 0 else size >> -self.shift
        distance = np.maximum(np.abs(placed - self.centre) - 1, 0).astype(np.uint64)
        root = (distance * np.uint64(self.factor)) >> np.uint64(33)
        move = UNIT_BITS - self.bits
        first = rest << np.uint64(move) if move >= 0 else rest >> np.uint64(-move)
        units: Unsigned = ((root * root) >> np.uint64(32)) + first
        return units

    def exponent(self, rest: int, size: int) -> Fraction:
        """rest/t + γ."""
        scale = 1 << self.bits
        return Fraction(rest, scale) + (size - self.variance / scale) ** 2 / (2 * self.variance)


def _gaussian_lanes(words: Words, places: _Places, lanes: int) -> Drawn:
    """Proposals rest + t·whole of the discrete Laplace of scale t, accepted for both at once: exp(−rest/t − γ)."""
    rest, whole = words.below(1 << places.bits, lanes), words.geometric(lanes)
    far = np.flatnonzero(whole > _FAR)
    size: Drawn = rest.astype(np.int64) + (np.minimum(whole, _FAR) << places.bits)
    kept = words.accept(places.units(rest, size), lambda lane: places.exponent(int(rest[lane]), int(size[lane])))
    if len(far):
        size = size.astype(object)
        for lane in far:
            size[lane] = int(rest[lane]) + (int(whole[lane]) << places.bits)
            kept[lane] = words.source.coin_exp(places.exponent(int(rest[lane]), size[lane]))
        size = _narrow(size)
    return _signed(words, size[kept])
