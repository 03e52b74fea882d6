"""What a table holds as it is: k, l and t, and the risks, whoever made it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xinglin.privacy.anonymity.anonymising import code_persons
from xinglin.privacy.anonymity.coding import code_values, column_of, rows_of
from xinglin.privacy.anonymity.measures import THRESHOLD, equal_rows, persons_of_classes, risks_of
from xinglin.privacy.anonymity.model import QUASI_COLUMNS, ROWS, SENSITIVE_COLUMNS, Array, Columns, Held, Report


def check(
    columns: Columns,
    quasi: Sequence[str],
    persons: Array | None = None,
    sensitive: Sequence[str] = (),
    population: Array | None = None,
    threshold: float = THRESHOLD,
) -> Report:
    """What classes of rows that are equal in the ``quasi`` columns hold; a missing value equals a missing value.

    ``persons``: the person of each row, else each row is its own. ``sensitive``: columns for which the worst
    class's l (distinct, entropy, and the c at which recursive (c, 2) just fails) and t (equal, and ordered by
    value) are told, in persons. ``population``: how many persons of the population look like each row.
    Raises ``BadColumns``, ``LimitExceeded``.

    Guarantee: counts are exact (``linked_k`` but for one in 2^64); l and t of a sensitive column are those of the
    class that is worst for it.
    """
    rows = rows_of(columns)
    ROWS.check(rows)
    QUASI_COLUMNS.check(len(quasi))
    SENSITIVE_COLUMNS.check(len(sensitive))
    people = code_persons(persons, rows)
    groups, many = equal_rows(_matrix(columns, quasi, rows))
    risks = risks_of(groups, many, people, population, threshold)
    sizes = persons_of_classes(groups, many, people)
    held = {name: _held(column_of(columns, name, rows), groups, sizes, people) for name in sensitive}
    found = rows if people is None else len(np.unique(people))
    return Report(rows, found, many, int(sizes.min(initial=found)), _linked(groups, people, found, sizes), held, risks)


def _linked(groups: Array, people: Array | None, found: int, sizes: Array) -> int:
    """The fewest persons who stand in the very same set of classes."""
    if people is None or not len(groups):
        return int(sizes.min(initial=found))
    many = int(groups.max()) + 1
    pairs = np.unique(people * many + groups)
    begins = np.flatnonzero(np.diff(pairs // many, prepend=-1))
    # A set of classes is told by the sum of odd multiples that look drawn: two sets fall together once in 2^64.
    drawn = (pairs % many + 1).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    drawn = (drawn ^ (drawn >> np.uint64(31))) * np.uint64(0xBF58476D1CE4E5B9)
    drawn = (drawn ^ (drawn >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    drawn ^= drawn >> np.uint64(31)
    return int(np.unique(np.add.reduceat(drawn, begins), return_counts=True)[1].min())


def _matrix(columns: Columns, quasi: Sequence[str], rows: int) -> Array:
    matrix = np.empty((rows, len(quasi)), dtype=np.int32)
    for j, name in enumerate(quasi):
        matrix[:, j] = code_values(column_of(columns, name, rows))[0]
    return matrix


def _held(column: Array, groups: Array, sizes: Array, people: Array | None) -> Held:
    """l and t of the class that is worst for one sensitive column."""
    codes, values, missing = code_values(column)
    size = len(values) + (missing >= 0)
    if not len(codes):
        return Held(0, 0.0, 0.0, 0.0, 0.0)
    if people is not None:
        seen = np.unique(np.column_stack([people, groups, codes]), axis=0)
        groups, codes = seen[:, 1], seen[:, 2]
    pairs, counts = np.unique(groups.astype(np.int64) * size + codes, return_counts=True)
    whole = np.bincount(codes, minlength=size) / len(codes)
    group, code = np.divmod(pairs, size)
    begins = np.flatnonzero(np.diff(group, prepend=-1))
    totals = np.add.reduceat(counts, begins)
    share = counts / np.repeat(totals, np.diff(np.append(begins, len(group))))
    distinct = np.diff(np.append(begins, len(group)))
    top = np.maximum.reduceat(counts, begins)
    shared = (top >= sizes) & (distinct > 1)  # a value that every person of the class shows hides nobody
    entropy = np.exp(-np.add.reduceat(share * np.log(share), begins))
    with np.errstate(divide="ignore"):
        ratio = np.where(totals > top, top / np.maximum(totals - top, 1), np.inf)
    # Equal distance: values the class lacks differ by their whole share, which sums to one minus the shares it has.
    nearer = np.add.reduceat(np.abs(share - whole[code]) - whole[code], begins)
    return Held(
        1 if shared.any() else int(distinct.min()),
        1.0 if shared.any() else float(entropy.min()),
        float(ratio.max()),
        max(0.0, float((nearer.max() + 1.0) / 2.0)),
        _ordered(group, code, share, whole, begins),
    )


def _ordered(group: Array, code: Array, share: Array, whole: Array, begins: Array) -> float:
    """The largest ordered distance, class after class in blocks: sum of |cumulated difference| / (m - 1)."""
    size = len(whole)
    if size < 2:
        return 0.0
    number = np.repeat(np.arange(len(begins)), np.diff(np.append(begins, len(group))))
    ahead, worst = np.cumsum(whole)[:-1], 0.0
    block = max(1, 4_000_000 // size)
    for first in range(0, len(begins), block):
        last = min(first + block, len(begins))
        part = slice(int(begins[first]), int(begins[last]) if last < len(begins) else len(group))
        table = np.zeros((last - first, size))
        table[number[part] - first, code[part]] = share[part]
        moved = np.abs(np.cumsum(table, axis=1)[:, :-1] - ahead).sum(axis=1) / (size - 1)
        worst = max(worst, float(moved.max()))
    return worst
