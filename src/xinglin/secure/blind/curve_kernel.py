"""Compiled: which 255-bit numbers are u-coordinates of points of Curve25519 (the others lie on its twist).

Imports numba: imported by ``montgomery`` at the first use only. It works on public values and on hashes of items in
variable time, never on a key.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

_MASK = np.uint64(0xFFFFFFFF)
_U0, _U1, _U3, _U7 = np.uint64(0), np.uint64(1), np.uint64(3), np.uint64(7)
_S32, _S63, _S64 = np.uint64(32), np.uint64(63), np.uint64(64)
_P0, _PM, _PT = np.uint64(0xFFFFFFFFFFFFFFED), np.uint64(0xFFFFFFFFFFFFFFFF), np.uint64(0x7FFFFFFFFFFFFFFF)


def _multiply(left: Any, right: Any, wide: Any, out: Any) -> None:
    """``out = left · right`` modulo 2^255 − 19, below 2^256; eight limbs of 32 bits each."""
    for i in range(16):
        wide[i] = _U0
    for i in range(8):
        carry = _U0
        for j in range(8):
            term = wide[i + j] + left[i] * right[j] + carry
            wide[i + j] = term & _MASK
            carry = term >> _S32
        wide[i + 8] = carry
    carry = _U0
    for i in range(8):
        term = wide[i] + np.uint64(38) * wide[i + 8] + carry
        out[i] = term & _MASK
        carry = term >> _S32
    carry = carry * np.uint64(38)
    while carry != _U0:
        for i in range(8):
            term = out[i] + carry
            out[i] = term & _MASK
            carry = term >> _S32
        carry = carry * np.uint64(38)


def _less(a: Any, b: Any) -> Any:
    for i in range(3, -1, -1):
        if a[i] != b[i]:
            return a[i] < b[i]
    return False


def _subtract(a: Any, b: Any) -> None:
    borrow = _U0
    for i in range(4):
        middle = a[i] - b[i]
        under = _U1 if a[i] < b[i] else _U0
        result = middle - borrow
        if middle < borrow:
            under = _U1
        a[i] = result
        borrow = under


def _halve(a: Any) -> Any:
    """Drop the trailing zeros of ``a`` (not zero); how many."""
    count = 0
    while a[0] == _U0:
        a[0], a[1], a[2], a[3] = a[1], a[2], a[3], _U0
        count += 64
    low, zeros = a[0], 0
    while low & _U1 == _U0:
        low >>= _U1
        zeros += 1
    if zeros:
        down, up = np.uint64(zeros), np.uint64(64 - zeros)
        a[0] = (a[0] >> down) | (a[1] << up)
        a[1] = (a[1] >> down) | (a[2] << up)
        a[2] = (a[2] >> down) | (a[3] << up)
        a[3] = a[3] >> down
    return count + zeros


def _symbol(a: Any, n: Any) -> Any:
    """The Jacobi symbol of ``a`` over 2^255 − 19 by the binary algorithm; both are spent."""
    n[0], n[1], n[2], n[3] = _P0, _PM, _PM, _PT
    while not _less(a, n):
        _subtract(a, n)
    sign = 1
    while a[0] | a[1] | a[2] | a[3]:
        if _halve(a) & 1 and (n[0] & _U7 == _U3 or n[0] & _U7 == np.uint64(5)):
            sign = -sign
        if _less(a, n):
            for i in range(4):
                a[i], n[i] = n[i], a[i]
            if a[0] & _U3 == _U3 and n[0] & _U3 == _U3:
                sign = -sign
        _subtract(a, n)
    one = n[0] == _U1 and n[1] | n[2] | n[3] == _U0
    return sign if one else 0


def _on_curve(rows: Any, out: Any) -> None:
    left, right, sum_ = np.empty(8, np.uint64), np.empty(8, np.uint64), np.empty(8, np.uint64)
    wide = np.empty(16, np.uint64)
    a, n = np.empty(4, np.uint64), np.empty(4, np.uint64)
    for row in range(rows.shape[0]):
        if rows[row, 3] > _PT or (
            rows[row, 3] == _PT and rows[row, 2] == _PM and rows[row, 1] == _PM and rows[row, 0] >= _P0
        ):
            out[row] = False  # not canonical
            continue
        for i in range(4):
            left[2 * i], left[2 * i + 1] = rows[row, i] & _MASK, rows[row, i] >> _S32
        carry = np.uint64(486662)
        for i in range(8):  # u + A stays below 2^256
            term = left[i] + carry
            sum_[i], carry = term & _MASK, term >> _S32
        multiply(left, sum_, wide, right)
        carry = _U1
        for i in range(8):
            term = right[i] + carry
            right[i], carry = term & _MASK, term >> _S32
        right[0] += np.uint64(38) * carry
        multiply(left, right, wide, sum_)  # u·(u·(u + A) + 1)
        for i in range(4):
            a[i] = sum_[2 * i] | (sum_[2 * i + 1] << _S32)
        out[row] = symbol(a, n) >= 0


_compiled = numba.njit(cache=True, nogil=True)
multiply: Any = _compiled(_multiply)
_less = _compiled(_less)
_subtract = _compiled(_subtract)
_halve = _compiled(_halve)
symbol: Any = _compiled(_symbol)
on_curve: Any = _compiled(_on_curve)
"""Fills ``out`` (booleans) for rows of four little-endian words: canonical, and on the curve (not on the twist)."""
