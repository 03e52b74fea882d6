"""A seeded stream of bytes, and tests of goodness of fit that a scale 30 % off has to fail."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import stats

FITS = 1e-4
"""A right distribution has a smaller p-value once in 10,000 seeds."""
NEVER = 1e-12
"""A wrong one has to have a smaller one."""


def stream(seed: int) -> Callable[[int], bytes]:
    """Bytes as the operating system would give them, but the same each time."""
    return random.Random(seed).randbytes


def gaussian_masses(variance: float, reach: int) -> np.ndarray[Any, Any]:
    """P(−reach) … P(reach) of the discrete Gaussian."""
    places = np.arange(-reach, reach + 1, dtype=float)
    masses = np.exp(-(places**2) / (2 * variance))
    return np.asarray(masses / masses.sum())


def laplace_masses(scale: float, reach: int) -> np.ndarray[Any, Any]:
    """P(−reach) … P(reach) of the discrete Laplace."""
    ratio = np.exp(-1 / scale)
    return np.asarray((1 - ratio) / (1 + ratio) * ratio ** np.abs(np.arange(-reach, reach + 1, dtype=float)))


def fit(drawn: Sequence[Any] | np.ndarray[Any, Any], masses: np.ndarray[Any, Any]) -> float:
    """The p-value of Pearson's test that draws are of these masses (−reach … reach), rare places taken together."""
    values, reach = np.asarray(drawn).astype(np.int64), len(masses) // 2
    seen = np.bincount(np.clip(values, -reach - 1, reach + 1) + reach + 1, minlength=2 * reach + 3).astype(float)
    rest = max(0.0, 1 - masses.sum())
    expected = np.concatenate(([rest / 2], masses, [rest / 2])) * len(values)
    often = expected >= 8
    seen = np.append(seen[often], seen[~often].sum())
    expected = np.append(expected[often], expected[~often].sum())
    if expected[-1] < 1e-3:
        assert seen[-1] == 0 or expected[-1] > 1e-9, "a draw where there is no mass"
        seen, expected = seen[:-1], expected[:-1] * seen[:-1].sum() / expected[:-1].sum()
    return float(stats.chisquare(seen, expected * seen.sum() / expected.sum()).pvalue)
