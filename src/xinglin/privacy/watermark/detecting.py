"""Who leaked: the bits that a leaked part still carries, scored against every codeword that was given out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xinglin.privacy.watermark.carriers import read
from xinglin.privacy.watermark.code import biases, innocent_bound, scores
from xinglin.privacy.watermark.marking import check_key
from xinglin.privacy.watermark.model import Columns, Detection, Found, MarkPlan, Recipient
from xinglin.privacy.watermark.places import places

ACCUSE = 1e-6
"""The probability, at most, that a detection names anyone innocent at all."""


def detect(
    columns: Columns, key: bytes, plan: MarkPlan, registry: Sequence[Recipient], accuse: float = ACCUSE
) -> Detection:
    """Who of ``registry`` is in the leaked ``columns`` (any of the table's rows and columns, in any order).

    Named is who scores so high that an innocent would with a probability of at most ``accuse``, all of the registry
    and both signs together (a leaker may have inverted what carries the bits).

    Guarantee: whatever the data are and whatever colluders did, the probability that anyone innocent is named is at
    most ``accuse``: an innocent's bits are independent of the data (exact Chernoff bound, a union over the registry).
    """
    check_key(key)
    weights, cells, carried = evidence_of(columns, key, plan)
    return judged(weights, cells, carried, key, plan, registry, accuse)


def evidence_of(columns: Columns, key: bytes, plan: MarkPlan) -> tuple[NDArray[np.float64], int, int]:
    """What the cells say of each position, in [-1, 1]; how many cells and positions spoke."""
    sums = np.zeros(plan.length)
    spoke = np.zeros(plan.length, dtype=bool)
    cells = 0
    for there in places(columns, key, plan):
        said = read(columns[there.column.column][there.rows], there)
        sums += np.bincount(there.positions, weights=said, minlength=plan.length)
        heard = there.positions[said != 0]
        spoke[heard] = True
        cells += len(heard)
    # Several cells of one position agree or not; many that agree are no more than one sure bit.
    return np.tanh(sums / 2), cells, int(spoke.sum())


def judged(
    weights: NDArray[np.float64],
    cells: int,
    carried: int,
    key: bytes,
    plan: MarkPlan,
    registry: Sequence[Recipient],
    accuse: float,
) -> Detection:
    """The detection from what was read."""
    norm = float(np.sqrt(np.dot(weights, weights)))
    if norm == 0 or not registry:
        return Detection((), cells, carried, len(registry), 0.0)
    probabilities = biases(key, plan.length, plan.colluders)
    found = scores(weights, probabilities, key, [one.digest() for one in registry])
    accused = []
    for place in np.argsort(-np.abs(found), kind="stable"):
        score = float(found[place])
        bound = 2 * len(registry) * innocent_bound(abs(score), weights if score > 0 else -weights, probabilities)
        if bound > accuse:
            break
        accused.append(Found(registry[place], score / norm, bound))
    return Detection(tuple(accused), cells, carried, len(registry), float(np.abs(found).max()) / norm)
