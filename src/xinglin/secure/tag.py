"""A linear tag: whoever does not know the roster key cannot alter a total unnoticed.

For secret 24-bit keys a, b per element the tag is (Σ a_i x_i, Σ b_i x_i) as integers (mod 2^128 less the
shift), summed along with the vector. An alteration e ≠ 0 of a total within range keeps both sums with
probability at most 2^-46: for an index with e_i ≠ 0, |e_i| < 2^96, at most two a_i and two b_i of 2^24
fit mod 2^118 (the argument of Wegman and Carter, JCSS 22(3), 1981, over the integers).
Cost: one key stream and four products an element.
"""

from __future__ import annotations

import hmac

import numpy as np
from numpy.typing import NDArray

from xinglin.secure.encoding import TAG_ELEMENTS
from xinglin.secure.prg import CHUNK_WORDS, TAG, Stream, Words, cipher
from xinglin.secure.ring import Shape, limbs

_KEY = np.uint64((1 << 24) - 1)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
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
    stream, source = Stream(), cipher(key)
    first = second = index = 0
    scratch = np.empty(CHUNK_WORDS, dtype=np.int64)
    for words, tops in ((narrow, None), (low[:count], high[:count])):
        for start in range(0, words.size, CHUNK_WORDS):
            here = words[start : start + CHUNK_WORDS]
            keys = stream.chunk(source, TAG, index, here.size)
            pieces = [(0, (here & _LOW).view(np.int64))]
            if tops is None:
                pieces.append((32, here.view(np.int64) >> 32))
            else:
                pieces.append((32, (here >> _HALF).view(np.int64)))
                pieces.append((64, tops[start : start + CHUNK_WORDS].view(np.int64)))
            left, right = (keys & _KEY).view(np.int64), (keys >> np.uint64(40)).view(np.int64)
            first += sum(_dot(left, piece, scratch) << place for place, piece in pieces)
            second += sum(_dot(right, piece, scratch) << place for place, piece in pieces)
            index += 1
    return first, second


def _dot(keys: NDArray[np.int64], piece: NDArray[np.int64], scratch: NDArray[np.int64]) -> int:
    """Σ keys · piece exactly; keys < 2^24, |piece| < 2^32."""
    products = np.multiply(keys, piece, out=scratch[: keys.size])
    whole = keys.size - keys.size % _ROWS
    total = sum(products[whole:].tolist())
    if whole:
        columns = np.add.reduce(products[:whole].reshape(_ROWS, -1), axis=0)
        total += (int((columns >> 32).sum()) << 32) + int((columns & 0xFFFFFFFF).sum())
    return int(total)
