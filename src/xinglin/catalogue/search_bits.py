"""Sets of entries as bits of one integer, and scores as planes of such bits.

Entry n is bit n. An intersection or a count over 100,000 entries is one operation on 12 kB. Scores are added without
looking at an entry: plane p holds those whose score has bit p, and a sum is the adder of a processor, on whole sets.
Rare words are kept as lists of entries and become bits when they are asked for.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator

WEIGHT_BITS = 3
"""A word weighs 1 to 7 in an entry."""
DENSE = 512
"""One entry of so many has it: bits are kept."""


class Posting:
    """The entries that a word is in, each with its weight (1 to 7)."""

    __slots__ = ("_planes", "entries", "weights")

    def __init__(self) -> None:
        self.entries: array[int] = array("L")
        self.weights = bytearray()
        self._planes: tuple[int, ...] | None = None

    def put(self, entry: int, weight: int) -> None:
        """Set the weight of an entry; 0 takes it out."""
        self._planes = None
        if weight and (not self.entries or entry > self.entries[-1]):
            self.entries.append(entry)
            self.weights.append(weight)
            return
        at = bisect_left(self.entries, entry)
        there = at < len(self.entries) and self.entries[at] == entry
        if there and not weight:
            del self.entries[at], self.weights[at]
        elif there:
            self.weights[at] = weight
        elif weight:
            self.entries.insert(at, entry)
            self.weights.insert(at, weight)

    def planes(self) -> tuple[int, ...]:
        """Plane by plane, the least first; long postings keep theirs."""
        if self._planes is not None:
            return self._planes
        if not self.entries:
            return (0,) * WEIGHT_BITS
        size = self.entries[-1] // 8 + 1
        rows = [bytearray(size) for _ in range(WEIGHT_BITS)]
        for entry, weight in zip(self.entries, self.weights, strict=True):
            at, bit = entry >> 3, 1 << (entry & 7)
            for plane in range(WEIGHT_BITS):
                if weight >> plane & 1:
                    rows[plane][at] |= bit
        planes = tuple(int.from_bytes(row, "little") for row in rows)
        if len(self.entries) * 16 > size:
            self._planes = planes
        return planes


class Members:
    """The entries that share something."""

    __slots__ = ("_bits", "entries")

    def __init__(self) -> None:
        self.entries: array[int] = array("L")
        self._bits: int | None = None

    def put(self, entry: int, *, there: bool) -> None:
        """Take an entry in or out; again changes nothing."""
        self._bits = None
        if there and (not self.entries or entry > self.entries[-1]):
            self.entries.append(entry)
            return
        at = bisect_left(self.entries, entry)
        found = at < len(self.entries) and self.entries[at] == entry
        if there and not found:
            self.entries.insert(at, entry)
        elif found and not there:
            del self.entries[at]

    @property
    def dense(self) -> bool:
        """Whether there are so many that bits are the smaller form."""
        return len(self.entries) * DENSE > (self.entries[-1] if self.entries else 0)

    def within(self, flat: bytes) -> int:
        """How many of these entries are in a set that is given as bytes."""
        end = len(flat) << 3
        return sum(flat[entry >> 3] >> (entry & 7) & 1 for entry in self.entries if entry < end)

    def bits(self) -> int:
        """As bits; dense ones keep theirs."""
        if self._bits is not None:
            return self._bits
        if not self.entries:
            return 0
        row = bytearray(self.entries[-1] // 8 + 1)
        for entry in self.entries:
            row[entry >> 3] |= 1 << (entry & 7)
        found = int.from_bytes(row, "little")
        if self.dense:
            self._bits = found
        return found


def flat(bits: int) -> bytes:
    """A set as bytes, for looking up single entries."""
    return bits.to_bytes(bits.bit_length() // 8 + 1, "little")


def members(bits: int, *, most: int | None = None) -> Iterator[int]:
    """The entries of a set in order, at most ``most``.

    >>> list(members(0b10110))
    [1, 2, 4]
    """
    if most is None and bits.bit_count() > 64:
        data = bits.to_bytes((bits.bit_length() + 7) // 8, "little")
        yield from (at * 8 + bit for at, byte in enumerate(data) if byte for bit in range(8) if byte >> bit & 1)
        return
    left = bits.bit_count() if most is None else most
    while bits and left > 0:
        low = bits & -bits
        yield low.bit_length() - 1
        bits ^= low
        left -= 1


def add(total: list[int], planes: tuple[int, ...], shift: int = 0) -> None:
    """Add ``planes`` times 2 ** ``shift`` to ``total``, in place.

    >>> total = [0b01, 0b00]
    >>> add(total, (0b11,))
    >>> [bin(plane) for plane in total]
    ['0b10', '0b1']
    """
    carry = 0
    for at in range(shift, max(len(total), shift + len(planes)) + 1):
        given = planes[at - shift] if at - shift < len(planes) else 0
        if not given and not carry and at >= shift + len(planes):
            return
        while at >= len(total):
            total.append(0)
        now = total[at]
        total[at] = now ^ given ^ carry
        carry = (now & given) | (carry & (now ^ given))


def best_first(total: list[int], among: int) -> Iterator[tuple[int, int]]:
    """(score, set of the entries that have it), highest score first; nothing is empty.

    >>> list(best_first([0b01, 0b10], 0b111))
    [(2, 2), (1, 1), (0, 4)]
    """
    waiting = [(len(total) - 1, 0, among)]
    while waiting:
        plane, score, group = waiting.pop()
        if not group:
            continue
        if plane < 0:
            yield score, group
            continue
        upper = group & total[plane]
        waiting.append((plane - 1, score, group ^ upper))
        waiting.append((plane - 1, score + (1 << plane), upper))
