"""Whether the persons of a class hold the rules, compiled: as ``reference.holds``, in the same order of sums.

Importing this module loads the compiler.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_jit = njit(cache=True, nogil=True)


@_jit
def _count_side(rows, persons, shown, begin, end, cut, inside, seen, stamp):  # type: ignore[no-untyped-def]
    """Persons on one side of a cut, and how many of them show each sensitive value; rows where no key is given."""
    j, low, high = cut
    keyed = len(persons) > 0
    found, latest = 0, -1
    for row in range(begin, end):
        if j >= 0 and (low <= rows[row, j] <= high) != inside:
            continue
        person = persons[row] if keyed else row
        if person != latest:
            found += 1
            latest = person
        for s in range(shown.shape[1]):
            code = shown[row, s]
            if not keyed or stamp[s, code] != found:
                stamp[s, code] = found
                seen[s, code] += 1
    return found


@_jit
def _diverse(seen, found, size, rule, cl, logs):  # type: ignore[no-untyped-def]
    """Whether the values that a class shows are l-diverse; rule: (kind, l), kinds as ``rulebook`` numbers them."""
    distinct, total, entropy = 0, 0, 0
    for code in range(size):
        if seen[code] > 0:
            distinct += 1
            total += seen[code]
        if seen[code] == found:
            return False
    kind, least = rule
    if distinct < least:
        return False
    if kind == 1:
        for code in range(size):
            entropy += logs[seen[code]]
        # logs are rounded to the nearest: half a unit each is allowed for.
        return logs[total] - entropy + distinct + 1 >= total * cl[0]
    if kind == 2:
        ordered = np.sort(seen[:size])
        tail = 0
        for at in range(size - least + 1):
            tail += ordered[at]
        return ordered[size - 1] * cl[1] < cl[0] * tail
    return True


@_jit
def _close(seen, size, whole, limit, distance, tree):  # type: ignore[no-untyped-def]
    """Whether a class's values lie within ``limit`` of the whole table's; distances as ``rulebook`` numbers them."""
    mine, all_ = 0, 0
    for code in range(size):
        mine += seen[code]
        all_ += whole[code]
    moved = 0.0
    if distance == 0:
        for code in range(size):
            moved += float(abs(seen[code] * all_ - whole[code] * mine))
        return moved <= limit * 2.0 * float(mine) * float(all_)
    if distance == 1:
        ahead = 0
        for code in range(size - 1):
            ahead += seen[code] * all_ - whole[code] * mine
            moved += float(abs(ahead))
        return moved <= limit * float(max(size - 1, 1)) * float(mine) * float(all_)
    at = 0
    while at < len(tree):
        parent, up, down = tree[at, 0], 0.0, 0.0
        height = float(tree[at, 3]) / float(tree[at, 4])
        while at < len(tree) and tree[at, 0] == parent:
            extra = 0
            for code in range(tree[at, 1], tree[at, 2] + 1):
                extra += seen[code] * all_ - whole[code] * mine
            if extra > 0:
                up += float(extra)
            else:
                down -= float(extra)
            at += 1
        moved += height * min(up, down)
    return moved <= limit * float(mine) * float(all_)


@_jit
def holds(rows, persons, shown, begin, end, cut, inside, book, seen, stamp):  # type: ignore[no-untyped-def]
    """Whether one side of a cut holds every rule."""
    k, sizes, kinds, c, limits, distances, wholes, begins, trees, logs = book
    seen[:] = 0
    stamp[:] = 0
    found = _count_side(rows, persons, shown, begin, end, cut, inside, seen, stamp)
    if found < k:
        return False
    for s in range(shown.shape[1]):
        rule = (kinds[s, 0], kinds[s, 1])
        if kinds[s, 1] > 0 and not _diverse(seen[s], found, sizes[s], rule, c[s], logs):
            return False
        tree = trees[begins[s] : begins[s + 1]]
        if limits[s] >= 0 and not _close(seen[s], sizes[s], wholes[s], limits[s], distances[s], tree):
            return False
    return True
