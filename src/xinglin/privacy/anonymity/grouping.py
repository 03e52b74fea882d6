"""Equal rows found in one pass, compiled. Importing this module loads the compiler."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def group_rows(rows):  # type: ignore[no-untyped-def]
    """Groups of equal rows of whole numbers: (group of each row, in order of first appearance; first row of each)."""
    many, columns = rows.shape
    room = 16
    while room < 2 * many:
        room *= 2
    slots = np.full(room, -1, dtype=np.int32)
    groups = np.empty(many, dtype=np.int32)
    firsts = np.empty(many, dtype=np.int32)
    found = 0
    for row in range(many):
        mixed = np.uint64(1469598103934665603)
        for j in range(columns):
            mixed = (mixed ^ np.uint64(rows[row, j])) * np.uint64(0x9E3779B97F4A7C15)
            mixed ^= mixed >> np.uint64(29)
        slot = np.int64(mixed & np.uint64(room - 1))
        while True:
            known = slots[slot]
            if known < 0:
                slots[slot], firsts[found], groups[row] = found, row, found
                found += 1
                break
            same = True
            for j in range(columns):
                if rows[firsts[known], j] != rows[row, j]:
                    same = False
                    break
            if same:
                groups[row] = known
                break
            slot = (slot + 1) & (room - 1)
    return groups, firsts[:found].copy()
