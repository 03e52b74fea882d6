"""Families of the generalised linear model: what one hospital adds up at given coefficients.

Everything here runs on rows, inside ``local``; nothing here runs in ``update``.
Source: McCullagh and Nelder, Generalized Linear Models (1989), chapter 2.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np

from xinglin.analysis.table import Floats

ETA_LIMIT = 700.0
"""Largest linear predictor in magnitude: beyond it the exponential leaves the doubles."""
ROOM = 1024.0
"""How far beyond the outcome's range a fitted mean may stray on the way, as a factor."""
RATIO_LIMIT = 2.0**16
"""Largest outcome over fitted mean in a Gamma model: a step that leads beyond it was too long."""
MEAN_LIMIT = 2.0**12
"""Largest fitted mean under the inverse link, as a multiple of the pooled mean."""
PEARSON_LIMIT = 2.0**30
"""Largest Pearson contribution of one row that is added up; a sum this large is not reported."""
EXTREME = 1e-5
"""A fitted probability, or a mean, this close to its border counts as extreme (a sign of separation)."""


class Rows(msgspec.Struct, frozen=True, eq=False):
    """One hospital's rows at given coefficients, each of shape (rows,).

    ``score``: ∂ℓ/∂η. ``observed``: −∂²ℓ/∂η². ``expected``: its expectation (the same for a canonical
    link). ``deviance``, ``pearson``: contributions. ``likelihood_a``, ``likelihood_b``: what the log
    likelihood needs. ``extreme``: rows at the border of the family's means.
    """

    score: Floats
    observed: Floats
    expected: Floats
    deviance: Floats
    pearson: Floats
    likelihood_a: Floats
    likelihood_b: Floats
    extreme: int


class Bounds(msgspec.Struct, frozen=True):
    """The largest magnitude of a row's score, weight and other contributions."""

    score: float
    weight: float
    other: float


class Family(msgspec.Struct, frozen=True):
    """A family with its link. ``canonical``: observed and expected information agree.

    ``rows(eta, y)`` gives the contributions, or ``None`` where a mean has left the range that sums can
    hold. ``unit(y, mean)`` is the deviance of one row at a mean. ``bounds(low, high)`` follows from the
    outcome's range after scaling; ``least`` is the smallest outcome allowed, ``most`` the largest.
    """

    name: str
    link: str
    canonical: bool
    rows: Callable[[Floats, Floats, float, float], Rows | None]
    unit: Callable[[Floats, float], Floats]
    bounds: Callable[[float, float], Bounds]
    dispersion: bool
    above: float = -np.inf
    most: float = np.inf


def log_gamma(values: Floats) -> Floats:
    """The logarithm of the gamma function for values of at least 1, to 1e-14 relative.

    Source: Stirling's series (NIST DLMF 5.11.1) after a shift by 12.
    """
    near, far = np.ones_like(values), np.ones_like(values)
    for k in range(6):
        near *= values + k
        far *= values + 6 + k
    x = values + 12.0
    inverse = 1.0 / x
    square = inverse * inverse
    series = inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square * (1 / 1680 - square / 1188))))
    answer: Floats = (x - 0.5) * np.log(x) - x + 0.5 * np.log(2 * np.pi) + series - np.log(near) - np.log(far)
    return answer


def _gaussian(eta: Floats, y: Floats, low: float, high: float) -> Rows | None:
    residual = y - eta
    limit = ROOM * max(abs(low), abs(high), 1.0)
    if residual.size and not np.abs(residual).max() <= limit:
        return None
    ones, square = np.ones_like(eta), residual * residual
    return Rows(residual, ones, ones, square, square, square, np.zeros_like(eta), 0)


def _gaussian_bounds(low: float, high: float) -> Bounds:
    limit = ROOM * max(abs(low), abs(high), 1.0)
    return Bounds(limit, 1.0, limit * limit)


def _binomial(eta: Floats, y: Floats, low: float, high: float) -> Rows | None:
    if eta.size and not np.abs(eta).max() <= ETA_LIMIT:
        return None
    small = np.exp(-np.abs(eta))
    lower = small / (1.0 + small)
    positive = eta >= 0
    weight = lower / (1.0 + small)
    # log(1 + e^eta) without overflow; for an outcome of 0 or 1 the deviance is −2ℓ.
    likelihood = y * eta - (np.maximum(eta, 0.0) + np.log1p(small))
    saturated = _entropy(y)
    # 1 − mean and mean are both taken from the small tail, so that neither loses its digits.
    score = np.where(positive, (y - 1.0) + lower, y - lower)
    with np.errstate(divide="ignore", over="ignore"):
        pearson = np.minimum(score * score / weight, PEARSON_LIMIT)
    extreme = int(np.count_nonzero(lower < EXTREME))
    return Rows(score, weight, weight, 2.0 * (saturated - likelihood), pearson, likelihood, np.zeros_like(eta), extreme)


def _entropy(y: Floats) -> Floats:
    inside = (y > 0) & (y < 1)
    answer = np.zeros_like(y)
    answer[inside] = y[inside] * np.log(y[inside]) + (1 - y[inside]) * np.log1p(-y[inside])
    return answer


def _binomial_unit(y: Floats, mean: float) -> Floats:
    if not 0 < mean < 1:
        return np.zeros_like(y)
    answer: Floats = 2.0 * (_entropy(y) - y * np.log(mean) - (1.0 - y) * np.log1p(-mean))
    return answer


def _binomial_bounds(low: float, high: float) -> Bounds:
    return Bounds(1.0, 0.25, PEARSON_LIMIT)


def _poisson(eta: Floats, y: Floats, low: float, high: float) -> Rows | None:
    if eta.size and not (eta.max() <= np.log(ROOM * (high + 1.0)) and eta.min() >= -ETA_LIMIT):
        return None
    mean = np.exp(eta)
    score = y - mean
    pearson = np.minimum(score * score / mean, PEARSON_LIMIT)
    return Rows(
        score,
        mean,
        mean,
        2.0 * (_times_log(y) - y * eta - score),
        pearson,
        y * eta - mean - log_gamma(y + 1.0),
        np.zeros_like(eta),
        int(np.count_nonzero(mean < EXTREME)),
    )


def _times_log(y: Floats) -> Floats:
    positive = y > 0
    answer = np.zeros_like(y)
    answer[positive] = y[positive] * np.log(y[positive])
    return answer


def _poisson_unit(y: Floats, mean: float) -> Floats:
    if mean <= 0:
        return np.zeros_like(y)
    answer: Floats = 2.0 * (_times_log(y) - y * np.log(mean) - (y - mean))
    return answer


def _poisson_bounds(low: float, high: float) -> Bounds:
    most = ROOM * (high + 1.0)
    return Bounds(most, most, max(PEARSON_LIMIT, 4 * (ETA_LIMIT + 50.0) * (high + 1.0) + 4 * most))


def _gamma_log(eta: Floats, y: Floats, low: float, high: float) -> Rows | None:
    if eta.size and not np.abs(eta).max() <= ETA_LIMIT:
        return None
    return _gamma_rows(np.exp(eta), y, "log")


def _gamma_inverse(eta: Floats, y: Floats, low: float, high: float) -> Rows | None:
    if eta.size and not (eta.min() >= 1.0 / MEAN_LIMIT and eta.max() <= MEAN_LIMIT / low):
        return None
    return _gamma_rows(1.0 / eta, y, "inverse")


def _gamma_rows(mean: Floats, y: Floats, link: str) -> Rows | None:
    ratio = y / mean
    if ratio.size and not ratio.max() <= RATIO_LIMIT:
        return None
    residual = ratio - 1.0
    log_ratio = np.log(ratio)
    if link == "log":
        score, observed, expected = residual, ratio, np.ones_like(ratio)
    else:
        score, observed, expected = mean - y, mean * mean, mean * mean
    return Rows(score, observed, expected, 2.0 * (residual - log_ratio), residual * residual, log_ratio, ratio, 0)


def _gamma_unit(y: Floats, mean: float) -> Floats:
    answer: Floats = 2.0 * (-np.log(y / mean) + (y - mean) / mean)
    return answer


def _gamma_log_bounds(low: float, high: float) -> Bounds:
    return Bounds(RATIO_LIMIT, RATIO_LIMIT, RATIO_LIMIT * RATIO_LIMIT)


def _gamma_inverse_bounds(low: float, high: float) -> Bounds:
    return Bounds(MEAN_LIMIT + high, MEAN_LIMIT * MEAN_LIMIT, RATIO_LIMIT * RATIO_LIMIT)


def _square_unit(y: Floats, mean: float) -> Floats:
    return (y - mean) * (y - mean)


FAMILIES = {
    ("gaussian", "identity"): Family(
        "gaussian", "identity", True, _gaussian, _square_unit, _gaussian_bounds, dispersion=True
    ),
    ("binomial", "logit"): Family(
        "binomial", "logit", True, _binomial, _binomial_unit, _binomial_bounds, dispersion=False, above=0.0, most=1.0
    ),
    ("poisson", "log"): Family(
        "poisson", "log", True, _poisson, _poisson_unit, _poisson_bounds, dispersion=False, above=0.0
    ),
    ("gamma", "log"): Family(
        "gamma", "log", False, _gamma_log, _gamma_unit, _gamma_log_bounds, dispersion=True, above=0.0
    ),
    ("gamma", "inverse"): Family(
        "gamma", "inverse", True, _gamma_inverse, _gamma_unit, _gamma_inverse_bounds, dispersion=True, above=0.0
    ),
}
"""By (family, link); the first link of a family is its default."""
