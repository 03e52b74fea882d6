"""How a cell carries a bit: numbers by dithered quantisation, codes by the choice of a pair, lists by their order.

Source: B. Chen, G. Wornell, Quantization index modulation (IEEE Transactions on Information Theory 2001).
"""

from __future__ import annotations

import hashlib
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.privacy.watermark.model import Codes, Numbers, Orders
from xinglin.privacy.watermark.places import Places

Bits = NDArray[np.bool_]
Floats = NDArray[np.float64]
_NEAR = 0.25
"""A number this near to its place, in steps, stays as it is."""


def write(values: NDArray[Any], there: Places, bits: Bits) -> NDArray[Any]:
    """The cells of ``there.rows`` with their bits written; a cell that cannot carry one stays as it is."""
    column, told = there.column, bits ^ there.flips
    if isinstance(column, Numbers):
        return _write_numbers(values, column, there.dither, told)
    if isinstance(column, Codes):
        return _write_codes(values, column, told)
    return _write_orders(values, column, told)


def read(values: NDArray[Any], there: Places) -> Floats:
    """What the cells say: towards 1 for a set bit, towards -1 for none, 0 where a cell says nothing."""
    column = there.column
    if isinstance(column, Numbers):
        found = np.cos(np.pi * (np.asarray(values, dtype=np.float64) / column.step - 2 * there.dither))
        said = np.where(np.isnan(found), 0.0, -found)
    elif isinstance(column, Codes):
        said = _read_codes(values, column)
    else:
        said = _read_orders(values, column)
    return np.where(there.flips, -said, said)


def _write_numbers(values: NDArray[Any], column: Numbers, dither: Floats, bits: Bits) -> NDArray[Any]:
    """The nearest place of the bit's kind: even multiples of the step for 0, odd ones for 1, moved by the dither."""
    plain = np.asarray(values, dtype=np.float64)
    scaled = plain / column.step - 2 * dither - bits
    nearest = 2 * np.rint(scaled / 2)
    far = np.abs(scaled - nearest) > _NEAR
    target = np.round((nearest + bits + 2 * dither) * column.step, column.decimals)
    fits = far & (target >= column.low) & (target <= column.high) & ~np.isnan(plain)
    return np.where(fits, target, plain).astype(values.dtype, copy=False)


def _write_codes(values: NDArray[Any], column: Codes, bits: Bits) -> NDArray[Any]:
    pairs = {code: pair for pair in column.pairs for code in pair}
    found = [
        pairs[value][bit] if value in pairs else value for value, bit in zip(values, bits.astype(int), strict=True)
    ]
    return _objects(found)


def _read_codes(values: NDArray[Any], column: Codes) -> Floats:
    said = {code: float(2 * place - 1) for pair in column.pairs for place, code in enumerate(pair)}
    return np.asarray([said.get(value, 0.0) for value in values], dtype=np.float64)


def _write_orders(values: NDArray[Any], column: Orders, bits: Bits) -> NDArray[Any]:
    out = []
    for value, bit in zip(values, bits, strict=True):
        parts = value.split(column.separator) if isinstance(value, str) else []
        if len(set(parts)) < 2:
            out.append(value)
            continue
        out.append(column.separator.join(sorted(parts, key=_rank, reverse=bool(bit))))
    return _objects(out)


def _read_orders(values: NDArray[Any], column: Orders) -> Floats:
    said = np.zeros(len(values))
    for place, value in enumerate(values):
        ranks = [_rank(part) for part in value.split(column.separator)] if isinstance(value, str) else []
        if len(set(ranks)) < 2:
            continue
        steps = [(late > early) - (late < early) for early, late in pairwise(ranks)]
        said[place] = -sum(steps) / len(steps)
    return said


def _rank(part: str) -> bytes:
    """An order that has nothing to do with what the parts mean."""
    return hashlib.blake2b(part.strip().encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _objects(found: list[Any]) -> NDArray[Any]:
    out = np.empty(len(found), dtype=object)
    out[:] = found
    return out
