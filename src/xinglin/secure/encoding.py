"""Numbers as ring elements: fixed point from published bounds, whole numbers exactly.

A part's elements each lie within ±``bound`` at every hospital. With n hospitals the sum lies within
±n · bound, and the scale is chosen so that this cannot wrap: nothing a permitted value does can. Whole
numbers have scale 1. Other numbers get the finest scale that fits: 128-bit elements (relative to n · bound
finer than 2^-90) unless the part is long and 64-bit elements keep a step of at most 2^-40.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from xinglin.kernel.canonical import canonical_digest
from xinglin.secure.errors import ValueRefused
from xinglin.secure.limits import PARTS
from xinglin.secure.prg import CHUNK_WORDS, Words
from xinglin.secure.ring import Shape, limbs

Floats = NDArray[np.float64]

TAG_ELEMENTS = 2
"""Wide elements at the end of each vector that carry the integrity tag."""

WIDE_BITS = 96
"""A wide total is below 2^95 in size, so that the tag's 2^24-fold of any difference of two fits its ring."""

NARROW_BITS = 60
"""A narrow total is below 2^59 in size."""

_WIDE_UP_TO = 1 << 16
_STEP_BITS = 40
_EXACT = 2.0**53
_LARGEST_SCALE = 900
_LARGEST_BOUND = 1e270


class Part(msgspec.Struct, frozen=True):
    """``length`` elements within ±``bound`` at each hospital; ``integer`` ones are summed exactly."""

    name: str
    length: int
    bound: float
    integer: bool = False


class _Slot(msgspec.Struct, frozen=True):
    part: Part
    wide: bool
    scale_bits: int
    start: int
    place: int


class FixedPoint(msgspec.Struct, frozen=True):
    """How a float vector becomes ring elements, and back.

    ``hospitals`` is the roster's size n; every node must build the same one (``digest`` is signed).
    Raises ``ValueRefused`` on a bound that is negative, beyond 1e270, or beyond 2^53 for whole numbers.

    >>> coder = FixedPoint((Part("n", 1, 1000, True), Part("sum", 1, 1e6)), hospitals=3)
    >>> coder.decode(coder.encode(np.array([7.0, 0.1])))
    array([7. , 0.1])
    """

    parts: tuple[Part, ...]
    hospitals: int

    def __post_init__(self) -> None:
        PARTS.check(len(self.parts))
        for part in self.parts:
            if not (0 <= part.bound <= _LARGEST_BOUND and part.length >= 0):
                raise ValueRefused(f"The bound of '{part.name}' is not a number from 0 to {_LARGEST_BOUND:g}.")
            if part.integer and part.bound > _EXACT:
                raise ValueRefused(
                    f"The bound of '{part.name}' is beyond 2^53.",
                    why="Larger whole numbers are not exact as floats.",
                    remedy="Publish a smaller bound, or do not ask for exact whole numbers.",
                )

    @property
    def shape(self) -> Shape:
        """Elements of each width, the tag's two among the wide ones."""
        wide = sum(part.length for part in self.parts if self._is_wide(part))
        return Shape(self.length - wide, wide + TAG_ELEMENTS)

    @property
    def length(self) -> int:
        """Floats in and out."""
        return sum(part.length for part in self.parts)

    @property
    def digest(self) -> str:
        """What every node signs, so that all encode alike."""
        layout = [[part.length, float(part.bound), part.integer] for part in self.parts]
        return canonical_digest({"version": 1, "hospitals": self.hospitals, "parts": layout})

    def encode(self, values: Floats) -> Words:
        """Signed ring elements (two's complement, not yet shifted, tag empty) of ``values`` (``length`` floats).

        Raises ``ValueRefused`` naming the part for a value that is not finite, beyond its bound, or not
        whole where it must be.
        """
        if values.shape != (self.length,):
            raise ValueRefused(f"The vector has shape {values.shape}; {self.length} values are expected.")
        shape = self.shape
        vector = shape.zeros()
        narrow, low, high = limbs(vector, shape)
        scratch = np.empty(min(CHUNK_WORDS, max(self.length, 1)), dtype=np.float64)
        for slot in self._slots():
            for start in range(0, slot.part.length, CHUNK_WORDS):
                stop = min(start + CHUNK_WORDS, slot.part.length)
                given = np.asarray(values[slot.start + start : slot.start + stop], dtype=np.float64)
                scaled = _scaled(given, slot, scratch[: given.size])
                here = slice(slot.place + start, slot.place + stop)
                if slot.wide:
                    _split(scaled, low[here], high[here])
                else:
                    narrow.view("<i8")[here] = scaled
        return vector

    def decode(self, vector: Words) -> Floats:
        """The floats of signed elements: whole numbers exactly, others to the nearest but one ulp."""
        narrow, low, high = limbs(vector, self.shape)
        out = np.empty(self.length, dtype=np.float64)
        for slot in self._slots():
            here = slice(slot.place, slot.place + slot.part.length)
            target = out[slot.start : slot.start + slot.part.length]
            target[...] = _joined(low[here], high[here]) if slot.wide else narrow.view("<i8")[here]
            if slot.scale_bits:
                target *= 2.0**-slot.scale_bits
        return out

    def in_range(self, vector: Words) -> bool:
        """Whether every element of an opened total (tag apart) is small enough to be one."""
        narrow, low, high = limbs(vector, self.shape)
        del low
        tops = high[: high.size - TAG_ELEMENTS].view("<i8")
        limit, top = 1 << (NARROW_BITS - 1), 1 << (WIDE_BITS - 65)
        signed = narrow.view("<i8")
        fits = not signed.size or bool(signed.max() < limit and signed.min() >= -limit)
        return fits and (not tops.size or bool(tops.max() < top and tops.min() >= -top))

    def _is_wide(self, part: Part) -> bool:
        bits = self._narrow_scale(part)
        if part.integer:
            return bits < 0
        return part.length <= _WIDE_UP_TO or bits < _STEP_BITS

    def _narrow_scale(self, part: Part) -> int:
        # The narrow ring also holds the shift that keeps the pad whole.
        room = min(NARROW_BITS, 64 - self.hospitals.bit_length())
        return min(room - 1 - _size_bits(part.bound * self.hospitals), _LARGEST_SCALE)

    def _slots(self) -> Sequence[_Slot]:
        slots, start, places = [], 0, [0, 0]
        for part in self.parts:
            wide = self._is_wide(part)
            bits = WIDE_BITS - 1 - _size_bits(part.bound * self.hospitals) if wide else self._narrow_scale(part)
            slots.append(_Slot(part, wide, 0 if part.integer else min(bits, _LARGEST_SCALE), start, places[wide]))
            start += part.length
            places[wide] += part.length
        return slots


def _size_bits(largest: float) -> int:
    """b with largest (and one unit of rounding a hospital) below 2^b."""
    return math.frexp(largest)[1] + 1 if largest else 1


def _scaled(given: Floats, slot: _Slot, out: Floats) -> Floats:
    part = slot.part
    # A NaN makes both comparisons false, so it is refused here too.
    if not (given.max() <= part.bound and given.min() >= -part.bound):
        raise ValueRefused(
            f"A value of '{part.name}' is not finite or lies beyond ±{part.bound:g}.",
            why="Such a sum could wrap around and be wrong unnoticed.",
            remedy="Clip the values to the published range, or publish a wider one.",
        )
    whole = np.rint(np.multiply(given, 2.0**slot.scale_bits, out=out), out=out)
    if part.integer and not np.array_equal(whole, given):
        raise ValueRefused(f"A value of '{part.name}' is not a whole number.", remedy="Send counts as whole numbers.")
    return whole


def _split(scaled: Floats, low: Words, high: Words) -> None:
    size = np.abs(scaled)
    top = np.floor(size * 2.0**-64)
    low[...] = (size - top * 2.0**64).astype(np.uint64)
    high[...] = top.astype(np.uint64)
    below = scaled < 0
    np.negative(low, out=low, where=below)
    np.invert(high, out=high, where=below)
    high += below & (low == 0)


def _joined(low: Words, high: Words) -> Floats:
    below = high.view("<i8") < 0
    size_low = np.where(below, ~low + np.uint64(1), low)
    size_high = np.where(below, ~high + (size_low == 0), high)
    size = size_high.astype(np.float64) * 2.0**64 + size_low.astype(np.float64)
    return np.where(below, -size, size)
