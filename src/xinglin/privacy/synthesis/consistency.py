"""Noisy marginals made to agree wherever they overlap, before a model is fitted to them.

Each shared subset gets the mean of what every marginal says of it, weighted by the inverse of its noise; each
marginal then moves evenly onto that mean, smaller subsets first, so that a later step leaves the earlier ones as
they are. Source: Qardaji, Yang and Li 2014, PriView, section 4.4. Post-processing: it reads noisy counts only.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from xinglin.privacy.synthesis.inference import Array, gather, spread
from xinglin.privacy.synthesis.tree import Attributes


def agree(
    sets: Sequence[Attributes], counts: Sequence[NDArray[np.int64]], variances: Sequence[float]
) -> tuple[float, list[Array]]:
    """The total that all marginals agree on, at least 1, and each marginal moved so that they agree.

    ``variances``: of the noise in a cell of each. No cell is held above 0: that is the model's work.
    """
    tables = [np.asarray(one, dtype=np.float64) for one in counts]
    total = 1.0
    for shared in _shared(sets):
        inside = set(shared)
        holders = [i for i, attributes in enumerate(sets) if inside <= set(attributes)]
        sums = [gather(tables[i], sets[i], shared) for i in holders]
        folds = [tables[i].size / max(sums[0].size, 1) for i in holders]
        weights = np.array([1.0 / (variances[i] * fold) for i, fold in zip(holders, folds, strict=True)])
        mean = sum((w * s for w, s in zip(weights / weights.sum(), sums, strict=True)), np.zeros_like(sums[0]))
        if not shared:
            total = max(float(mean), 1.0)
            mean = np.asarray(total)
        for i, found, fold in zip(holders, sums, folds, strict=True):
            tables[i] = tables[i] + spread((mean - found) / fold, shared, sets[i])
    return total, tables


def _shared(sets: Sequence[Attributes]) -> list[Attributes]:
    """Every subset that two marginals share, the empty one first, then by size."""
    found: set[Attributes] = {()}
    seen: set[Attributes] = set()
    for attributes in sets:
        for width in range(1, len(attributes) + 1):
            for part in combinations(attributes, width):
                (found if part in seen else seen).add(part)
    return sorted(found, key=lambda part: (len(part), part))
