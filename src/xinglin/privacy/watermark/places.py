"""Which cells carry which bit: chosen by a keyed function of the columns that find a row again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray

from xinglin.privacy.watermark.code import derived
from xinglin.privacy.watermark.model import COARSE, Columns, Markable, MarkPlan, Numbers

_BLOCK = 16


class Places(msgspec.Struct, frozen=True):
    """Cells of one column: ``rows``; ``positions`` in the codeword; ``flips`` (a bit is stored inverted); ``dither`` in
    [0, 1) by which the places of numbers are moved, so that marked values do not stand out.
    """

    column: Markable
    rows: NDArray[np.int64]
    positions: NDArray[np.int64]
    flips: NDArray[np.bool_]
    dither: NDArray[np.float64]


def places(columns: Columns, key: bytes, plan: MarkPlan) -> Iterator[Places]:
    """The places in ``columns`` (those of the plan's columns that are there), for each set of keys that is there.

    A row without a value in one of a set's columns is not found by that set.
    """
    taken: dict[str, NDArray[np.bool_]] = {}
    for number, names in enumerate(plan.keys):
        if not {name.removeprefix("~") for name in names} <= columns.keys():
            continue
        drawn, present = _drawn(
            [_key_values(columns, name, plan) for name in names], derived(key, b"places %d" % number)
        )
        chosen = present & (drawn[:, 0] % np.uint64(plan.every) == 0)
        low = drawn[:, 1]
        which = (drawn[:, 0] >> np.uint64(32)) % np.uint64(len(plan.columns))
        for order, column in enumerate(plan.columns):
            if column.column not in columns:
                continue
            free = taken.setdefault(column.column, np.ones(len(low), dtype=bool))
            rows = np.flatnonzero(chosen & (which == np.uint64(order)) & free)
            free[rows] = False
            bits = low[rows]
            yield Places(
                column=column,
                rows=rows,
                positions=(bits % np.uint64(plan.length)).astype(np.int64),
                flips=(bits >> np.uint64(20)) & np.uint64(1) == np.uint64(1),
                dither=(bits >> np.uint64(32)).astype(np.float64) * 2.0**-32,
            )


def _key_values(columns: Columns, name: str, plan: MarkPlan) -> NDArray[np.generic]:
    if not name.startswith("~"):
        return columns[name]
    step = next(one.step for one in plan.columns if isinstance(one, Numbers) and one.column == name[1:])
    return np.asarray(np.floor(np.asarray(columns[name[1:]], dtype=np.float64) / (COARSE * step)))


def _drawn(columns: Sequence[NDArray[np.generic]], key: bytes) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """Two uniform words a row (AES-CBC-MAC of the key columns, a block a column), and where none is missing."""
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305 (chained below)
    count = len(columns[0])
    state = np.zeros((count, 2), dtype="<u8")
    present = np.ones(count, dtype=bool)
    for column in columns:
        words, there = _words(column)
        present &= there
        state ^= words
        state = np.frombuffer(encryptor.update(state.tobytes()), dtype="<u8").reshape(-1, 2).copy()
    return state, present


def _words(column: NDArray[np.generic]) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """Sixteen bytes a value, the same for whole numbers however they are stored; and where there is a value."""
    if column.dtype == object:
        return _of_texts(column)
    out = np.zeros((len(column), 2), dtype="<u8")
    values = np.ascontiguousarray(column, dtype=np.float64)
    out[:, 0] = (values + 0.0).view("<u8")
    out[:, 1] = 1
    return out, ~np.isnan(values)


def _of_texts(column: NDArray[np.generic]) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    import hashlib

    listed = column.tolist()
    known = {value: place for place, value in enumerate(dict.fromkeys(listed))}
    table = np.zeros((len(known), 2), dtype="<u8")
    there = np.zeros(len(known), dtype=bool)
    for value, place in known.items():
        if value is not None:
            there[place] = True
            digest = hashlib.blake2b(str(value).encode("utf-8", "surrogatepass"), digest_size=_BLOCK).digest()
            table[place] = np.frombuffer(digest, dtype="<u8")
    codes = np.fromiter(map(known.__getitem__, listed), dtype=np.int64, count=len(listed))
    return table[codes], there[codes]
