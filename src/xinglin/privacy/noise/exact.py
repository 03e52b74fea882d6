"""One exact draw at a time, in integers of any size: the reference, and the way out where 64 bits are too few.

Source: Canonne, Kamath, Steinke, "The Discrete Gaussian for Differential Privacy" (2020), algorithms 1–3.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from functools import lru_cache
from math import isqrt

from xinglin.privacy.noise.errors import BadNoise

Entropy = Callable[[int], bytes]
"""So many independent, uniform bytes: ``os.urandom``, or a test's seeded stream."""
_MORE_BITS = 64


class ExactSource:
    """Exact random choices from uniform bytes; every probability is a ``Fraction`` or e to a ``Fraction``.

    Guarantee: the distributions are the stated ones, with no rounding anywhere, if the bytes are uniform and
    independent. Not constant in time: how long a draw takes depends on what is drawn.
    """

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy

    def bits(self, count: int) -> int:
        """A uniform integer of ``count`` bits."""
        size = (count + 7) // 8
        return int.from_bytes(self._entropy(size), "little") >> (8 * size - count)

    def below(self, bound: int) -> int:
        """A uniform integer in [0, bound)."""
        if bound < 1:
            raise BadNoise("There is no integer below the bound.")
        count = (bound - 1).bit_length()
        while True:
            drawn = self.bits(count)
            if drawn < bound:
                return drawn

    def coin(self, chance: Fraction) -> bool:
        """True with probability ``chance`` in [0, 1]."""
        return self.below(chance.denominator) < chance.numerator

    def coin_exp(self, exponent: Fraction) -> bool:
        """True with probability exp(−exponent), for exponent ≥ 0. Source: algorithm 1."""
        whole, rest = divmod(exponent, 1)
        return all(self._coin_exp_small(Fraction(1)) for _ in range(whole)) and self._coin_exp_small(rest)

    def _coin_exp_small(self, exponent: Fraction) -> bool:
        return self.coin_exp_after(exponent, 1)

    def coin_exp_after(self, exponent: Fraction, round_: int) -> bool:
        """Algorithm 1 for exponents in [0, 1], from its coin number ``round_`` on."""
        while self.coin(exponent / round_):
            round_ += 1
        return round_ % 2 == 1

    def laplace(self, scale: Fraction) -> int:
        """Y with probability ∝ exp(−|Y| / scale). Source: algorithm 2."""
        top, bottom = scale.numerator, scale.denominator
        while True:
            rest = self.below(top)
            if not self._coin_exp_small(Fraction(rest, top)):
                continue
            whole = 0
            while self._coin_exp_small(Fraction(1)):
                whole += 1
            size, negative = (rest + top * whole) // bottom, self.bits(1)
            if size or not negative:
                return -size if negative else size

    def gaussian(self, variance: Fraction) -> int:
        """Y with probability ∝ exp(−Y² / (2·variance)). Source: algorithm 3."""
        scale = isqrt(variance.numerator // variance.denominator) + 1
        while True:
            drawn = self.laplace(Fraction(scale))
            if self.coin_exp((abs(drawn) - variance / scale) ** 2 / (2 * variance)):
                return drawn


class LazyUniform:
    """A uniform real in [0, 1) of which only as many bits are drawn as a comparison needs."""

    def __init__(self, source: ExactSource, prefix: int = 0, bits: int = 0) -> None:
        self._source, self._prefix, self._bits = source, prefix, bits

    def below_exp(self, exponent: Fraction) -> bool:
        """Whether it is below exp(−exponent), for exponent ≥ 0."""
        while True:
            bound = floor_exp(exponent, self._bits)
            if self._prefix != bound:
                return self._prefix < bound
            self._prefix = self._prefix << _MORE_BITS | self._source.bits(_MORE_BITS)
            self._bits += _MORE_BITS


@lru_cache(maxsize=4096)
def floor_exp(exponent: Fraction, bits: int) -> int:
    """⌊2^bits · exp(−exponent)⌋, for exponent ≥ 0, exactly.

    ``decimal`` rounds its exponential correctly; the precision is raised until the bounds of both roundings
    (of the quotient and of the exponential) have the same floor.
    """
    if not exponent:
        return 1 << bits
    if exponent > bits:
        return 0
    digits = bits * 302 // 1000 + 30
    while True:
        room = Context(prec=digits, rounding=ROUND_FLOOR)
        quotient = room.divide(Decimal(-exponent.numerator), Decimal(exponent.denominator))
        value = room.multiply(room.exp(quotient), Decimal(1 << bits))
        # Relative errors: of the quotient (times the exponent), of the exponential, of the product.
        slip = room.multiply(value, room.scaleb(Decimal(int(exponent) + 4), 1 - digits))
        low, high = int(room.subtract(value, slip)), int(room.add(value, slip))
        if low == high and value > slip:
            return low
        if value + slip < 1:
            return 0
        digits *= 2


def checked(value: Fraction | int, what: str) -> Fraction:
    """A positive ``Fraction``; floats are refused, since they are seldom what was meant. ``BadNoise``."""
    if isinstance(value, bool) or not isinstance(value, Fraction | int) or value <= 0:
        raise BadNoise(f"{what} must be a positive Fraction.", remedy="Use Fraction(numerator, denominator).")
    return Fraction(value)
