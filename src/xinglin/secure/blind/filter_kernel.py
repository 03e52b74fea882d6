"""Compiled: setting and counting the bits of filters. Imports numba: imported at the first use only."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

_M1, _M2, _M4 = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333), np.uint64(0x0F0F0F0F0F0F0F0F)
_H01 = np.uint64(0x0101010101010101)


def _count(word: Any) -> Any:
    word = word - ((word >> np.uint64(1)) & _M1)
    word = (word & _M2) + ((word >> np.uint64(2)) & _M2)
    word = (word + (word >> np.uint64(4))) & _M4
    return (word * _H01) >> np.uint64(56)


def _set_bits(tokens: Any, places: Any, used: Any, words: Any) -> None:
    for row in range(tokens.shape[0]):
        for column in range(tokens.shape[1]):
            token = tokens[row, column]
            if token >= 0:
                for at in range(used[column]):
                    place = places[token, at]
                    words[row, place >> 6] |= np.uint64(1) << np.uint64(place & 63)


def _weights(words: Any, out: Any) -> None:
    for row in range(words.shape[0]):
        total = np.uint64(0)
        for at in range(words.shape[1]):
            total += count(words[row, at])
        out[row] = total


def _diffuse(words: Any, chosen: Any, out: Any) -> None:
    for row in range(words.shape[0]):
        for place in range(chosen.shape[0]):
            bit = np.uint64(0)
            for at in range(chosen.shape[1]):
                one = chosen[place, at]
                bit ^= (words[row, one >> 6] >> np.uint64(one & 63)) & np.uint64(1)
            out[row, place >> 6] |= bit << np.uint64(place & 63)


def _alike(
    left: Any, left_weights: Any, right: Any, right_weights: Any, threshold: Any, pairs: Any, scores: Any
) -> Any:
    """Every pair whose Dice similarity reaches ``threshold``; how many there are (more than fit are counted only)."""
    found = 0
    for i in range(left.shape[0]):
        for j in range(right.shape[0]):
            both = left_weights[i] + right_weights[j]
            need = threshold * both * 0.5
            if min(left_weights[i], right_weights[j]) < need:
                continue
            shared = np.uint64(0)
            for at in range(left.shape[1]):
                shared += count(left[i, at] & right[j, at])
            if shared >= need and both > 0:
                if found < pairs.shape[0]:
                    pairs[found, 0], pairs[found, 1] = i, j
                    scores[found] = 2.0 * shared / both
                found += 1
    return found


def _score(left: Any, left_weights: Any, right: Any, right_weights: Any, pairs: Any, scores: Any) -> None:
    for at in range(pairs.shape[0]):
        i, j = pairs[at, 0], pairs[at, 1]
        shared = np.uint64(0)
        for word in range(left.shape[1]):
            shared += count(left[i, word] & right[j, word])
        both = left_weights[i] + right_weights[j]
        scores[at] = 2.0 * shared / both if both > 0 else 0.0


_compiled = numba.njit(cache=True, nogil=True)
count: Any = _compiled(_count)
set_bits: Any = _compiled(_set_bits)
"""(tokens int32 n×c, places uint16 t×k, used int64 c, words uint64 n×w): sets each token's first ``used`` places."""
weights: Any = _compiled(_weights)
"""(words, out float64): bits set in each row."""
diffuse: Any = _compiled(_diffuse)
"""(words, chosen int64 bits×t, out): each bit of ``out`` is the exclusive or of ``t`` chosen bits."""
alike: Any = _compiled(_alike)
score: Any = _compiled(_score)
