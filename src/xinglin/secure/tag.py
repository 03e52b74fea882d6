"""A linear tag: whoever does not know the roster key cannot alter a total unnoticed.

For secret 24-bit keys a, b per element the tag is (Σ a_i x_i, Σ b_i x_i) as integers (mod 2^128 less the
shift), summed along with the vector. An alteration e ≠ 0 of a total within range keeps both sums with
probability at most 2^-46: for an index with e_i ≠ 0, |e_i| < 2^96, at most two a_i and two b_i of 2^24
fit mod 2^118 (the argument of Wegman and Carter, JCSS 22(3), 1981, over the integers).
Cost: one key stream and four products an element.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from xinglin.secure.encoding import TAG_ELEMENTS
from xinglin.secure.prg import CHUNK_WORDS, TAG, Stream, Words, cipher
from xinglin.secure.ring import Shape, limbs

Signed = NDArray[np.int64]

_KEY = np.uint64((1 << 24) - 1)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_RIGHT = np.uint64(40)
_ROWS = 64
"""Products are below 2^56 in size: 64 of them are added within 64 bits."""

_FULL = (1 << 64) - 1


def write(vector: Words, shape: Shape, key: bytes) -> None:
    """Put the tag of ``vector`` (signed elements) into its last wide elements."""
    _, low, high = limbs(vector, shape)
    for place, total in zip((-2, -1), _sums(vector, shape, key), strict=True):
        low[place] = np.uint64(total & _FULL)
        high[place] = np.uint64((total >> 64) & _FULL)


def holds(vector: Words, shape: Shape, key: bytes, shift_bits: int) -> bool:
    """Whether the tag in an opened total is that of its elements (compared in constant time)."""
    _, low, high = limbs(vector, shape)
    modulus = 1 << (128 - shift_bits)
    expected, given = b"", b""
    for place, total in zip((-2, -1), _sums(vector, shape, key), strict=True):
        expected += (total % modulus).to_bytes(16, "little")
        given += ((int(low[place]) | int(high[place]) << 64) % modulus).to_bytes(16, "little")
    return hmac.compare_digest(expected, given)


def _sums(vector: Words, shape: Shape, key: bytes) -> tuple[int, int]:
    narrow, low, high = limbs(vector, shape)
    count = shape.wide - TAG_ELEMENTS
    stream, source, scratch = Stream(), cipher(key), _Scratch()
    first = second = index = 0
    for words, tops in ((narrow, None), (low[:count], high[:count])):
        for start in range(0, words.size, CHUNK_WORDS):
            here = words[start : start + CHUNK_WORDS]
            keys = stream.chunk(source, TAG, index, here.size)
            left = np.bitwise_and(keys, _KEY, out=scratch.left[: here.size]).view(np.int64)
            right = np.right_shift(keys, _RIGHT, out=keys).view(np.int64)
            for place, piece in _pieces(here, None if tops is None else tops[start : start + CHUNK_WORDS], scratch):
                first += _dot(left, piece, scratch) << place
                second += _dot(right, piece, scratch) << place
            index += 1
    return first, second


class _Scratch:
    """Buffers that stay in cache."""

    def __init__(self) -> None:
        self.left, self.piece = (np.empty(CHUNK_WORDS, dtype=np.uint64) for _ in range(2))
        self.products = np.empty(CHUNK_WORDS, dtype=np.int64)


def _pieces(here: Words, tops: Words | None, scratch: _Scratch) -> Iterator[tuple[int, Signed]]:
    """Signed pieces of 32 bits and their places; each is valid until the next."""
    piece = scratch.piece[: here.size]
    yield 0, np.bitwise_and(here, _LOW, out=piece).view(np.int64)
    if tops is None:
        yield 32, np.right_shift(here.view(np.int64), np.int64(32), out=piece.view(np.int64))
    else:
        yield 32, np.right_shift(here, _HALF, out=piece).view(np.int64)
        yield 64, tops.view(np.int64)


def _dot(keys: Signed, piece: Signed, scratch: _Scratch) -> int:
    """Σ keys · piece exactly; keys < 2^24, |piece| < 2^32."""
    products = np.multiply(keys, piece, out=scratch.products[: keys.size])
    whole = keys.size - keys.size % _ROWS
    total = sum(products[whole:].tolist())
    if whole:
        columns = np.add.reduce(products[:whole].reshape(_ROWS, -1), axis=0)
        total += (int((columns >> 32).sum()) << 32) + int((columns & 0xFFFFFFFF).sum())
    return int(total)
