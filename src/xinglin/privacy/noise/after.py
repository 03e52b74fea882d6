"""Post-processing: what may be done with noised numbers without costing anything. Floating point is harmless here.

Nothing in this module sees data; it sees noised numbers and the variance of their noise. Source: Dwork, Roth (2014),
proposition 2.1 (post-processing).
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.privacy.noise.errors import BadNoise
from xinglin.privacy.noise.model import Noised


def not_negative(found: Noised) -> NDArray[Any]:
    """The numbers with what is below 0 told as 0. It biases sums upwards: add up before, not after."""
    values: NDArray[Any] = np.maximum(found.values, 0)
    return values


def noise_width(variance: Fraction, level: float = 0.95) -> int:
    """The least w with P(|noise| ≤ w) ≥ ``level``, for one discrete Gaussian of that variance parameter.

    For sums of shares it is as good: they differ from one by less than the correction that was charged.
    """
    if not 0 < level < 1 or variance <= 0:
        raise BadNoise("A level lies between 0 and 1, and a variance above 0.")
    deviation = math.sqrt(variance)
    if deviation > 1000:
        return math.ceil(deviation * _normal_width(level))
    reach = math.ceil(12 * deviation) + 2
    chances = np.exp(-(np.arange(reach + 1, dtype=np.float64) ** 2) / (2 * float(variance)))
    within = chances[0] + 2 * (np.cumsum(chances) - chances[0])
    return int(np.searchsorted(within / within[-1], level))


def interval(found: Noised, level: float = 0.95) -> tuple[NDArray[Any], NDArray[Any]]:
    """For each number, ends between which the exact one lies with probability ``level``: the noise alone.

    How far the exact number is from that of a wider population is another question, and not in it.
    """
    width = noise_width(found.variance, level)
    return found.values - width, found.values + width


def consistent(parts: Noised, total: Noised) -> tuple[NDArray[np.float64], float]:
    """Parts and their total, made to add up: the least squares of both, weighted by their noise.

    Source: Hay, Rastogi, Miklau, Suciu (2010), §4.
    """
    if len(total.values) != 1 or not len(parts.values):
        raise BadNoise("Parts have one total.")
    values = parts.values.astype(np.float64)
    gap = float(total.values[0]) - float(values.sum())
    of_parts, of_total = float(parts.variance), float(total.variance)
    shift = gap * of_parts / (len(values) * of_parts + of_total)
    return values + shift, float((values + shift).sum())


def _normal_width(level: float) -> float:
    """The z with P(|N(0, 1)| ≤ z) = level, by halving."""
    low, high = 0.0, 40.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if math.erf(middle / math.sqrt(2)) < level else (low, middle)
    return high
