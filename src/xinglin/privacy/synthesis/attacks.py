"""What synthetic rows give away of the rows they were made from, always held against rows they were not made from.

A raw distance says nothing: on coarse data most synthetic rows equal some real row, of whichever half. So each figure
here is a comparison of training rows with hold-out rows, of equal numbers.
"""

from __future__ import annotations

from itertools import combinations

import msgspec
import numpy as np
from numpy.typing import NDArray

from xinglin.privacy.synthesis.boosting import auc
from xinglin.privacy.synthesis.draw import Codes
from xinglin.privacy.synthesis.inference import Array

MAX_ATTACKED = 1_000
MAX_REFERENCE = 5_000
MAX_PAIRS = 200
FALSE_ALARMS = 0.01
_CHUNK = 100


class Exposure(msgspec.Struct, frozen=True):
    """What was tried. 0.5 is chance for the shares and areas; equal shares are chance for the matches.

    ``closer_to_train``: share of synthetic rows nearer to a training row than to any hold-out row, ties half.
    ``matches_train``, ``matches_holdout``: share of synthetic rows that equal a row there, of equally many.
    ``membership_by_distance``, ``membership_by_density``: AUC of telling training rows from hold-out rows by the
    nearest synthetic row, and by how often synthetic rows have the row's pairs of values beside what other real rows
    have. ``caught``: the larger share of training rows that these find at 1 % false alarms. ``attacked``: rows tried.
    """

    closer_to_train: float
    matches_train: float
    matches_holdout: float
    membership_by_distance: float
    membership_by_density: float
    caught: float
    attacked: int

    @property
    def chance_error(self) -> float:
        """Two standard errors of an area or a share, were all by chance."""
        return float(2.0 * np.sqrt(1.0 / (6.0 * max(self.attacked, 1)) + 0.02 / max(self.attacked, 1)))


def expose(train: Codes, holdout: Codes, synthetic: Codes, scale: Array, random: np.random.Generator) -> Exposure:
    """Every attack; level numbers with the same columns. ``scale``: of a difference of 1 in a column, 0 for texts."""
    count = min(len(train), len(holdout))
    ours, theirs = _some(train, count, random), _some(holdout, count, random)
    tried = _some(synthetic, MAX_ATTACKED, random)
    near, far = (nearest(tried, _some(one, MAX_REFERENCE, random), scale) for one in (ours, theirs))
    closer = float(np.mean((near < far) + 0.5 * (near == far))) if len(tried) and count else 0.5
    matches = [_matches(synthetic, one) for one in (ours, theirs)]
    # The attacker knows half of the hold-out; the other half are the ones who are not members.
    known, outside = theirs[: count // 2], theirs[count // 2 :]
    outside = _some(outside, MAX_ATTACKED, random)
    inside = _some(ours, len(outside), random)
    asked = np.concatenate([inside, outside])
    truth = np.repeat([1, 0], [len(inside), len(outside)])
    by_distance = -nearest(asked, _some(synthetic, MAX_REFERENCE, random), scale)
    by_density = density_ratio(asked, synthetic, known, random)
    return Exposure(
        closer,
        matches[0],
        matches[1],
        auc(by_distance, truth),
        auc(by_density, truth),
        max(_caught(by_distance, truth), _caught(by_density, truth)),
        len(inside),
    )


def nearest(asked: Codes, others: Codes, scale: Array) -> Array:
    """Distance of each row to the nearest of ``others``: 1 a text that differs, the scaled difference of numbers."""
    found = np.full(len(asked), np.inf)
    if not len(others):
        return found
    for start in range(0, len(asked), _CHUNK):
        part = asked[start : start + _CHUNK]
        distance = np.zeros((len(part), len(others)), dtype=np.float32)
        for place in range(asked.shape[1]):
            gap = part[:, place, None] - others[None, :, place]
            distance += np.abs(gap) * np.float32(scale[place]) if scale[place] else gap != 0
        found[start : start + _CHUNK] = distance.min(axis=1)
    return found


def density_ratio(asked: Codes, synthetic: Codes, known: Codes, random: np.random.Generator) -> Array:
    """Mean log ratio, over pairs of columns, of how often synthetic and known real rows have the row's values."""
    pairs = list(combinations(range(asked.shape[1]), 2)) or [(0, 0)]
    chosen = [pairs[i] for i in random.permutation(len(pairs))[:MAX_PAIRS]]
    total = np.zeros(len(asked))
    for one, other in chosen:
        width = 1 + max((int(codes[:, other].max()) for codes in (asked, synthetic, known) if len(codes)), default=0)
        cells = [codes[:, one].astype(np.int64) * width + codes[:, other] for codes in (asked, synthetic, known)]
        size = 1 + max((int(cell.max()) for cell in cells if len(cell)), default=0)
        made, real = (np.bincount(cell, minlength=size) + 1.0 for cell in cells[1:])
        total += np.log((made / made.sum())[cells[0]] / (real / real.sum())[cells[0]])
    return total / len(chosen)


def _matches(synthetic: Codes, real: Codes) -> float:
    """Share of synthetic rows that equal a real one."""
    if not len(synthetic) or not len(real):
        return 0.0
    rows = np.ascontiguousarray(np.concatenate([synthetic, real]).astype(np.int32))
    kind = np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))
    numbers = np.unique(rows.view(kind).ravel(), return_inverse=True)[1]
    return float(np.isin(numbers[: len(synthetic)], numbers[len(synthetic) :]).mean())


def _caught(scores: Array, truth: NDArray[np.int64]) -> float:
    """Share of class 1 above the score that 1 % of class 0 pass."""
    ones, zeros = scores[truth == 1], scores[truth == 0]
    if not len(ones) or not len(zeros):
        return 0.0
    bar = np.sort(zeros)[-max(1, int(len(zeros) * FALSE_ALARMS))]
    return float((ones > bar).mean())


def _some(codes: Codes, most: int, random: np.random.Generator) -> Codes:
    """At most so many of the rows, by lot."""
    return codes if len(codes) <= most else codes[random.permutation(len(codes))[:most]]
