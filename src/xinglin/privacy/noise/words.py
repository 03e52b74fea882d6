"""Exact random decisions for many at once: 32-bit words against tables, and more bits only where a word ties.

A uniform real is compared with a probability by its first word. The word decides unless it equals the first word
of the probability (one in 2^32); then ``LazyUniform`` draws on. So decisions are exact and hardly ever slow.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache

import numpy as np
from numpy.typing import NDArray

from xinglin.privacy.noise.errors import BadNoise
from xinglin.privacy.noise.exact import Entropy, ExactSource, LazyUniform, floor_exp

Exponents = Callable[[int], Fraction]
"""The exact exponent of one lane."""
Unsigned = NDArray[np.uint64]
Booleans = NDArray[np.bool_]

UNIT_BITS = 16
"""Exponents come as whole units of 2^-16, from below."""
SLACK = 4
"""By how many units an exponent may be larger than its whole units say."""
_STEP_BITS = 8
_GUARD_BITS = 256
_TYPES = {8: "<u1", 16: "<u2", 32: "<u4", 64: "<u8"}


class Words:
    """Uniform words and decisions out of one source of bytes; ``bits`` a word, fewer only to test the ties."""

    def __init__(self, entropy: Entropy, bits: int = 32) -> None:
        self._entropy, self._bits = entropy, bits
        self.source = ExactSource(entropy)
        self._coarse, self._fine, self._whole = _tables(bits)

    def draw(self, count: int, bits: int) -> NDArray[np.unsignedinteger]:
        """So many uniform words of 8, 16, 32 or 64 bits."""
        return np.frombuffer(self._entropy(count * bits // 8), dtype=_TYPES[bits])

    def below(self, bound: int, count: int) -> Unsigned:
        """Uniform integers in [0, bound), for bound ≤ 2^63: about ``count`` of them, or down to half."""
        width = (bound - 1).bit_length()
        size = next(size for size in _TYPES if size >= width)
        drawn = self.draw(count, size).astype(np.uint64)
        if width < size:
            drawn &= np.uint64((1 << width) - 1)
        return drawn if bound == 1 << width else drawn[drawn < bound]

    def signs(self, count: int) -> Booleans:
        """Fair coins."""
        return (self.draw(count, 8) & np.uint8(1)).astype(bool)

    def accept(self, units: Unsigned, exact: Exponents) -> Booleans:
        """For each lane True with probability exp(−exponent).

        The exponent of lane i is ``exact(i)``, at least ``units[i]`` · 2^-16 and less than ``SLACK`` · 2^-16 above it:
        the three factors exp(−coarse), exp(−fine) and exp(−rest) are decided one after the other.
        """
        coarse = units >> np.uint64(_STEP_BITS)
        found = self._decide(self._coarse, coarse, Fraction(1, 1 << _STEP_BITS), np.ones(len(units), bool))
        fine = units & np.uint64((1 << _STEP_BITS) - 1)
        found = self._decide(self._fine, fine, Fraction(1, 1 << UNIT_BITS), found)
        for lane in np.flatnonzero(found & (self.draw(len(units), UNIT_BITS) < SLACK)):
            # Given that a uniform real fell below SLACK units, it is below `rest` with chance rest / SLACK units.
            rest = exact(int(lane)) - Fraction(int(units[lane]), 1 << UNIT_BITS)
            if not 0 <= rest * (1 << UNIT_BITS) < SLACK:
                raise BadNoise("An exponent is not what its units say.", why="the program is wrong; nothing was drawn")
            if self.source.coin(rest * (1 << UNIT_BITS) / SLACK):
                found[lane] = self.source.coin_exp_after(rest, 2)
        return found

    def _decide(
        self, table: NDArray[np.unsignedinteger], steps: Unsigned, step: Fraction, before: Booleans
    ) -> Booleans:
        drawn = self.draw(len(steps), self._bits)
        bounds = table[np.minimum(steps, np.uint64(len(table) - 1)).astype(np.int64)]
        found = (drawn < bounds) & before
        for lane in np.flatnonzero((drawn == bounds) & before):
            real = LazyUniform(self.source, int(drawn[lane]), self._bits)
            found[lane] = real.below_exp(int(steps[lane]) * step)
        return found

    def geometric(self, count: int) -> NDArray[np.int64]:
        """V with probability (1 − 1/e)·e^−V: how many v ≥ 1 there are with a uniform real below e^−v."""
        drawn = self.draw(count, self._bits)
        found = len(self._whole) - np.searchsorted(self._whole[::-1], drawn, side="right").astype(np.int64)
        for lane in np.flatnonzero(self._whole[np.minimum(found, len(self._whole) - 1)] == drawn):
            real = LazyUniform(self.source, int(drawn[lane]), self._bits)
            while real.below_exp(Fraction(int(found[lane]) + 1)):
                found[lane] += 1
        return found


@cache
def _tables(bits: int) -> tuple[NDArray[np.unsignedinteger], ...]:
    """First words of exp(−h/2^8), of exp(−l/2^16), and of exp(−v) for v ≥ 1; the last of the first and third is 0."""
    coarse = _powers(Fraction(1, 1 << _STEP_BITS), bits, None)
    fine = _powers(Fraction(1, 1 << UNIT_BITS), bits, 1 << _STEP_BITS)
    whole = [floor_exp(Fraction(v), bits) for v in range(1, len(coarse) // (1 << _STEP_BITS) + 2)]
    return tuple(np.array(table, dtype=_TYPES[bits]) for table in (coarse, fine, whole))


def _powers(step: Fraction, bits: int, count: int | None) -> list[int]:
    """⌊2^bits·exp(−i·step)⌋ for i = 0, 1, … (``count`` of them, or until it is 0), by exact interval products.

    The first, 2^bits, does not fit a word: it is one less, and a word that ties with it is decided by more bits.
    """
    factor, lower, error = floor_exp(step, _GUARD_BITS), 1 << _GUARD_BITS, 0
    found: list[int] = []
    while count is None or len(found) < count:
        low, high = lower >> (_GUARD_BITS - bits), (lower + error) >> (_GUARD_BITS - bits)
        found.append(min(low if low == high else floor_exp(len(found) * step, bits), (1 << bits) - 1))
        if count is None and not found[-1]:
            break
        lower, error = lower * factor >> _GUARD_BITS, error + 3
    return found
