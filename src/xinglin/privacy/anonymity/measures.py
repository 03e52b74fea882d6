"""What a table of classes risks and what making it cost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xinglin.privacy.anonymity.coding import TREE, Coded
from xinglin.privacy.anonymity.errors import BadColumns
from xinglin.privacy.anonymity.model import Array, Loss, Risks
from xinglin.privacy.anonymity.mondrian import Classes

THRESHOLD = 0.2
"""Above it a row counts as at risk: one of fewer than five."""


def persons_of_classes(classes: Array, many: int, persons: Array | None) -> Array:
    """How many persons stand in each class 0 … ``many``-1."""
    if persons is None:
        return np.bincount(classes, minlength=many)
    pairs = np.unique(persons.astype(np.int64) * max(many, 1) + classes)
    return np.bincount(pairs % max(many, 1), minlength=many)


def equal_rows(matrix: Array, compiled: bool = True) -> tuple[Array, int]:
    """Groups of rows of codes that are equal in every column: (group of each row, how many groups)."""
    if compiled:
        from xinglin.privacy.anonymity.grouping import group_rows

        groups, firsts = group_rows(matrix)
        return groups, len(firsts)
    _, groups = np.unique(matrix, axis=0, return_inverse=True)
    return groups.ravel(), int(groups.max(initial=-1)) + 1


def risks_of(
    classes: Array,
    many: int,
    persons: Array | None = None,
    population: Array | None = None,
    threshold: float = THRESHOLD,
) -> Risks:
    """Re-identification risks of rows in ``classes`` (0 … ``many``-1).

    ``persons``: int64 code of the person of each row. ``population``: how many persons of the population
    look like each row (at least as many as in the table). Raises ``BadColumns``.
    """
    if not len(classes):
        return Risks(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, threshold, 0.0)
    sizes = persons_of_classes(classes, many, persons)
    rows = np.bincount(classes, minlength=many)
    # Rows by the size of their class, in whole numbers: the sums below do not depend on the order of classes.
    by_size = np.bincount(sizes, weights=rows)
    found = np.flatnonzero(by_size)
    share = by_size[found] / len(classes)
    worst, mean = 1.0 / float(found[0]), float((share / found).sum())
    journalist, journalist_mean = worst, mean
    if population is not None:
        if len(population) != len(classes) or (population < sizes[classes]).any():
            raise BadColumns(
                "Population counts that are smaller than the table's own, or not one a row.",
                why="Everybody in the table belongs to the population.",
                remedy="Count the population by the same columns, the table's persons included.",
            )
        journalist, journalist_mean = 1.0 / float(population.min()), float(np.sort(1.0 / population).mean())
    return Risks(
        worst,
        mean,
        journalist,
        journalist_mean,
        journalist_mean,
        float(share[1.0 / found > threshold].sum()),
        threshold,
        float(share[found == 1].sum()),
    )


def shares_of(one: Coded, low: Array, high: Array) -> tuple[Array, Array]:
    """(granularity, certainty penalty) of groups whose codes lie in ``low`` … ``high``; 0 … 1 each."""
    if one.kind == TREE:
        level = (one.first[low] == one.first[high]).sum(axis=1) - 1
        wide = (one.last[low, level] - one.first[low, level]).astype(np.float64)
        return wide / max(one.size - 1, 1), np.where(wide > 0, (wide + 1) / one.size, 0.0)
    scale = float(one.place.max(initial=1)) or 1.0
    wide = (one.place[high] - one.place[low]) / scale
    if one.missing >= 0:
        wide = np.where((high == one.missing) & (low < high), 1.0, np.where(low == high, 0.0, wide))
    return wide, wide


def loss_of(coded: Sequence[Coded], classes: Classes, rows: int, k: int) -> Loss:
    """What recoding the classes cost a table of ``rows``."""
    sizes = np.diff(np.append(classes.starts, len(classes.order)))
    gone = rows - len(classes.order)
    by_column, penalties = {}, []
    for j, one in enumerate(coded):
        granularity, penalty = shares_of(one, classes.low[:, j], classes.high[:, j])
        by_column[one.name] = (float((sizes * granularity).sum()) + gone) / rows
        penalties.append((float((sizes * penalty).sum()) + gone) / rows)
    columns = max(len(coded), 1)
    return Loss(
        sum(by_column.values()) / columns,
        by_column,
        sum(penalties) / columns,
        len(classes.order) / max(len(sizes), 1) / k,
        int((sizes.astype(np.int64) ** 2).sum()) + gone * rows,
        gone / rows,
    )
