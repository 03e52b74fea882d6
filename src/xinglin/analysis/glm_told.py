"""A model under a pack that rounds counts: coefficients and errors in steps as wide as the rounding of counts (base b).

One row more, or with another outcome, moves the coefficients by V·x·s: V is the inverse information, x the row, s its
score. Over all rows that the published ranges allow, |x| and |s| are bounded, so coefficient j moves by at most
sⱼ = max|s|·Σₖ|(A·V)ⱼₖ|·rₖ, with rₖ the reach of column k on the fitted scale and A the way back from it. It is told as
a multiple of b·sⱼ, made the next 1, 2 or 5 of a decade. Of ``y ~ 1`` this is the rounding of a count: b ones more move
the logit by b/(n·p·(1 − p)).

A standard error moves by half the share by which the information does: the row's own weight times its leverage, at most
H = Σ|Vⱼₖ|·rⱼ·rₖ, and the weights of all rows, which follow the coefficients: in the mean max|s|·√(H·h), with h the
leverage of a usual row. It is told in steps of b times that share. Deviance, Pearson's χ², likelihood, AIC and the
covariances are left out: with the others they tell n itself (the χ² of ``y ~ 1`` is n).

The bounds are linear in one row, so near: each figure for itself leaves as many counts as the rounding does; several
together can leave fewer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from xinglin.analysis.glm_scaling import Scaling
from xinglin.analysis.packed import told_count
from xinglin.kernel.verdict import Denied, Reason
from xinglin.privacy.packs.model import Pack

LEFT_OUT = ("deviance", "null_deviance", "pearson_chi2", "log_likelihood", "aic", "covariance")
"""Figures of a model that are not told where counts are rounded."""
_REMEDY = "Bound columns more narrowly (LEAST, GREATEST), use fewer terms, or widen the cohort."
WIDEST = 0.5
"""Errors told in steps wider than this share of them say nothing; the model is refused then."""
_WEIGHT = {"binomial": 0.25}
"""The largest weight of a row; of a Poisson one its score's bound."""


def told_model(
    pack: Pack,
    payload: dict[str, Any],
    rows: int,
    scaling: Scaling,
    transform: Sequence[Sequence[float]],
    inverse: Sequence[Sequence[float]],
    reaches: Sequence[float],
    residuals: float | None,
) -> dict[str, Any] | Denied:
    """The payload of a model of ``rows`` as it may be told, or why nothing may.

    ``transform``: from the fitted scale to the columns' own. ``inverse``: of the information on the fitted scale, of
    dispersion 1. ``reaches``: of each column on the fitted scale. ``residuals``: Σ of squares on the fitted scale of a
    family with a dispersion.
    """
    base, size = pack.settings.rounding.base, len(inverse)
    score = scaling.outcome_high - scaling.outcome_low if residuals is not None else max(scaling.outcome_high, 1.0)
    held = sum(abs(inverse[j][k]) * reaches[j] * reaches[k] for j in range(size) for k in range(size))
    scatter = score * score / residuals if residuals else 0.0
    if residuals is not None:
        share = base * (held + scatter) / 2.0
    else:
        usual = min(held, size * inverse[0][0]) if reaches[0] == 1.0 else held
        share = base * (held * _WEIGHT.get(payload["family"], score) + score * math.sqrt(held * usual)) / 2.0
    whole = told_count(pack, rows)
    if not share <= WIDEST or (residuals is not None and not residuals) or whole is None:
        words = f"Rounded as pack {pack.names_of('rounding')} rounds counts, nothing is left of this model."
        return Denied((Reason("privacy.too_coarse", words, _REMEDY),))
    moved = [
        base * score * sum(abs(_cell(transform, inverse, j, k)) * reaches[k] for k in range(size)) for j in range(size)
    ]
    return {
        **payload,
        **dict.fromkeys(LEFT_OUT),
        "coefficients": [stepped(one, step) for one, step in zip(payload["coefficients"], moved, strict=True)],
        "standard_errors": [stepped(one, one * share) for one in payload["standard_errors"]],
        "coefficient_steps": [wide(step) for step in moved],
        "scale": payload["scale"] if residuals is None else stepped(payload["scale"], payload["scale"] * share * 2.0),
        "df_residual": whole - size,
    }


def stepped(value: float, least: float) -> float:
    """The nearest multiple of the next 1, 2 or 5 of a decade from ``least`` on."""
    step = wide(least)
    return round(value / step) * step


def wide(least: float) -> float:
    """The smallest 1, 2 or 5 times a power of ten that is at least ``least`` (above 0).

    >>> wide(0.013), wide(0.5), wide(5.1)
    (0.02, 0.5, 10.0)
    """
    power = int(f"{least:e}".partition("e")[2])  # no logarithm: the same bits on every machine
    found = [float(f"{digit}e{at}") for at in (power - 1, power, power + 1) for digit in (1, 2, 5)]
    return next(one for one in found if one >= least * (1 - 1e-9))


def _cell(left: Sequence[Sequence[float]], right: Sequence[Sequence[float]], j: int, k: int) -> float:
    return math.fsum(left[j][m] * right[m][k] for m in range(len(right)))
