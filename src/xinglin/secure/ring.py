"""Vectors that are only ever added: 64-bit elements (ring 2^64) and 128-bit ones (ring 2^128).

A vector of ``narrow`` + 2 · ``wide`` words is laid out as narrow words, then the low limbs, then the high
limbs of the wide elements. All work runs chunk by chunk in place: a chunk of the vector stays in cache
while every mask is added to it, and no temporary is as long as the vector.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor

import msgspec
import numpy as np

from xinglin.secure.limits import WORDS
from xinglin.secure.prg import CHUNK_WORDS, NARROW, WIDE, Stream, Words, cipher

_WIDE_CHUNK = CHUNK_WORDS // 2
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)

Mask = tuple[bytes, bool]
"""A stream key, and whether its stream is added (or taken away)."""


class Shape(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """How many elements of each width a vector has; one more word than the limit is refused."""

    narrow: int
    wide: int

    def __post_init__(self) -> None:
        if self.narrow < 0 or self.wide < 0:
            raise ValueError("a shape counts from zero")
        WORDS.check(self.words)

    @property
    def words(self) -> int:
        """64-bit words in all."""
        return self.narrow + 2 * self.wide

    def zeros(self) -> Words:
        """The zero vector of this shape."""
        return np.zeros(self.words, dtype="<u8")


class _Chunk(msgspec.Struct, frozen=True):
    lane: int
    index: int
    start: int
    stop: int


def chunks(shape: Shape) -> Iterator[_Chunk]:
    """The vector's chunks: element ranges of one width."""
    for index, start in enumerate(range(0, shape.narrow, CHUNK_WORDS)):
        yield _Chunk(NARROW, index, start, min(start + CHUNK_WORDS, shape.narrow))
    for index, start in enumerate(range(0, shape.wide, _WIDE_CHUNK)):
        yield _Chunk(WIDE, index, start, min(start + _WIDE_CHUNK, shape.wide))


def limbs(vector: Words, shape: Shape) -> tuple[Words, Words, Words]:
    """Views of the narrow words, the low limbs and the high limbs."""
    middle = shape.narrow + shape.wide
    return vector[: shape.narrow], vector[shape.narrow : middle], vector[middle : shape.words]


def add(vector: Words, other: Words, shape: Shape) -> None:
    """``vector += other`` in both rings, in place."""
    narrow, low, high = limbs(vector, shape)
    more, more_low, more_high = limbs(other, shape)
    narrow += more
    _add_wide(low, high, more_low, more_high)


def apply(
    vector: Words, shape: Shape, masks: Sequence[Mask], executor: Executor | None = None, workers: int = 1
) -> None:
    """Add to (or take from) ``vector`` in place the stream of every mask.

    With an executor, ``workers`` of its threads each take their part of the chunks: AES and numpy work
    outside the interpreter's lock.
    """
    todo = list(chunks(shape))
    if executor is None or workers < 2 or len(todo) < 2:
        _apply_chunks(vector, shape, masks, todo)
        return
    jobs = [executor.submit(_apply_chunks, vector, shape, masks, todo[part::workers]) for part in range(workers)]
    for job in jobs:
        job.result()


def take_pad(vector: Words, shape: Shape, key: bytes, times: int) -> None:
    """Take ``times`` · stream(``key``) from ``vector`` in place (``times`` < 2^32)."""
    stream, source, factor = Stream(), cipher(key), np.uint64(times)
    narrow, low, high = limbs(vector, shape)
    for part in chunks(shape):
        count = part.stop - part.start
        if part.lane == NARROW:
            words = stream.chunk(source, NARROW, part.index, count)
            words *= factor
            narrow[part.start : part.stop] -= words
        else:
            words = stream.chunk(source, WIDE, part.index, 2 * count)
            product_low, product_high = _times(words[:count], words[count:], factor)
            _take_wide(low[part.start : part.stop], high[part.start : part.stop], product_low, product_high)


def shift_left(vector: Words, shape: Shape, bits: int) -> None:
    """Multiply every element by 2^``bits`` (0 < bits < 64), in place."""
    left, right = np.uint64(bits), np.uint64(64 - bits)

    def move(narrow: Words, low: Words, high: Words) -> None:
        narrow <<= left
        high <<= left
        high |= low >> right
        low <<= left

    _by_chunk(vector, shape, move)


def shift_right(vector: Words, shape: Shape, bits: int) -> bool:
    """Divide every element, taken as signed, by 2^``bits`` in place; False when one was no multiple."""
    right, left = np.uint64(bits), np.uint64(64 - bits)
    lost = np.uint64((1 << bits) - 1)
    seen = np.uint64(0)

    def move(narrow: Words, low: Words, high: Words) -> None:
        nonlocal seen
        for words in (narrow, low):
            if words.size:
                seen |= np.bitwise_or.reduce(words) & lost
        narrow.view("<i8")[...] >>= np.int64(bits)
        low >>= right
        low |= high << left
        high.view("<i8")[...] >>= np.int64(bits)

    _by_chunk(vector, shape, move)
    return bool(seen == 0)


def _by_chunk(vector: Words, shape: Shape, work: Callable[[Words, Words, Words], None]) -> None:
    narrow, low, high = limbs(vector, shape)
    empty = vector[:0]
    for part in chunks(shape):
        here = slice(part.start, part.stop)
        if part.lane == NARROW:
            work(narrow[here], empty, empty)
        else:
            work(empty, low[here], high[here])


def _apply_chunks(vector: Words, shape: Shape, masks: Sequence[Mask], todo: Sequence[_Chunk]) -> None:
    stream = Stream()
    sources = [(cipher(key), adding) for key, adding in masks]
    narrow, low, high = limbs(vector, shape)
    for part in todo:
        here, count = slice(part.start, part.stop), part.stop - part.start
        if part.lane == NARROW:
            target = narrow[here]
            for source, adding in sources:
                words = stream.chunk(source, NARROW, part.index, count)
                (np.add if adding else np.subtract)(target, words, out=target)
        else:
            for source, adding in sources:
                words = stream.chunk(source, WIDE, part.index, 2 * count)
                (_add_wide if adding else _take_wide)(low[here], high[here], words[:count], words[count:])


def _add_wide(low: Words, high: Words, more_low: Words, more_high: Words) -> None:
    low += more_low
    high += low < more_low
    high += more_high


def _take_wide(low: Words, high: Words, less_low: Words, less_high: Words) -> None:
    high -= low < less_low
    low -= less_low
    high -= less_high


def _times(low: Words, high: Words, factor: np.uint64) -> tuple[Words, Words]:
    """(high, low) · factor mod 2^128, by halves of the low limb."""
    bottom = (low & _LOW) * factor
    top = (low >> _HALF) * factor + (bottom >> _HALF)
    return (top << _HALF) | (bottom & _LOW), high * factor + (top >> _HALF)


def from_bytes(data: bytes | memoryview) -> Words:
    """The vector in little-endian ``data`` (a read-only view)."""
    return np.frombuffer(data, dtype="<u8")
