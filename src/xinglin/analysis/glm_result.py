"""The released result of a model: back from the standardised scale, in closed form."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec

from xinglin.analysis import arithmetic as exact
from xinglin.analysis.algorithm import Guard, Result
from xinglin.analysis.families import PEARSON_LIMIT
from xinglin.analysis.glm_scaling import Scaling
from xinglin.analysis.glm_told import told_model
from xinglin.analysis.missing import counts_payload
from xinglin.kernel.verdict import Denied
from xinglin.privacy.packs.model import Pack
from xinglin.terms.thresholds import DisclosureRules


class Fit(msgspec.Struct, frozen=True):
    """A converged model on the standardised scale; ``sums`` as the families add them up."""

    formula: str
    family: str
    link: str
    dispersion: bool
    intercept: bool
    coefficients: tuple[float, ...]
    covariance: list[list[float]]
    scaling: Scaling
    sums: tuple[float, ...]
    null_deviance: float
    log_outcome: float
    guard: Guard
    empty_cells: tuple[str, ...]
    steps: int


def payload_of(fit: Fit, rules: DisclosureRules) -> Result:
    """Coefficients, standard errors, covariance, deviance, log likelihood and AIC as plain values."""
    size, rows = len(fit.coefficients), fit.guard.rows_used
    deviance, pearson = fit.sums[0], fit.sums[1]
    unit = fit.scaling.outcome_scale if fit.family == "gaussian" else 1.0
    dispersion = pearson / (rows - size) if fit.dispersion else 1.0
    coefficients, covariance = _back(fit, dispersion)
    likelihood = _log_likelihood(fit, dispersion)
    payload: dict[str, Any] = {
        "formula": fit.formula,
        "family": fit.family,
        "link": fit.link,
        "terms": [column.label for column in fit.scaling.columns],
        "coefficients": coefficients,
        "standard_errors": [math.sqrt(row[j]) for j, row in enumerate(covariance)],
        "covariance": covariance,
        "scale": dispersion * unit * unit,
        "deviance": deviance * unit * unit,
        "null_deviance": fit.null_deviance * unit * unit,
        "pearson_chi2": pearson * unit * unit if fit.dispersion or pearson < PEARSON_LIMIT else None,
        "log_likelihood": likelihood,
        "aic": None if likelihood is None else -2.0 * likelihood + 2.0 * size,
        "df_model": size - int(fit.intercept),
        "df_residual": rows - size,
        "steps": fit.steps,
        "empty_cells": list(fit.empty_cells),
        **counts_payload(fit.guard, rules),
    }
    return Result("glm", payload)


def told_payload(pack: Pack, fit: Fit, payload: dict[str, Any], reaches: Sequence[float]) -> dict[str, Any] | Denied:
    """What a pack that rounds counts lets a model tell. ``reaches``: of each column on the fitted scale."""
    residuals = fit.sums[1] if fit.dispersion else None
    rows, transform = fit.guard.rows_used, _transform(fit)
    return told_model(pack, payload, rows, fit.scaling, transform, fit.covariance, reaches, residuals)


def _transform(fit: Fit) -> list[list[float]]:
    """From coefficients on the standardised scale to those of the columns' own units."""
    size, scaling = len(fit.coefficients), fit.scaling
    unit = scaling.outcome_scale
    factor = {"identity": unit, "inverse": 1.0 / unit}.get(fit.link, 1.0)
    transform = [[factor / scaling.scale[i] if i == j else 0.0 for j in range(size)] for i in range(size)]
    if fit.intercept:
        for j in range(1, size):
            transform[0][j] = -factor * scaling.shift[j] / scaling.scale[j]
    return transform


def _back(fit: Fit, dispersion: float) -> tuple[list[float], list[list[float]]]:
    """Coefficients and covariance in the columns' own units."""
    scaling, transform = fit.scaling, _transform(fit)
    unit = scaling.outcome_scale
    coefficients = [exact.dot(row, fit.coefficients) for row in transform]
    if fit.intercept and fit.link == "identity":
        coefficients[0] += scaling.outcome_shift
    if fit.family == "gamma" and fit.link == "log":
        coefficients[0] += exact.log(unit)  # unit is 1 without an intercept
    middle = [[value * dispersion for value in row] for row in fit.covariance]
    return coefficients, exact.sandwich(transform, middle)


def _log_likelihood(fit: Fit, dispersion: float) -> float | None:
    """As statsmodels: concentrated for Gaussian, at the Pearson scale for Gamma; ``None`` for a perfect fit."""
    rows = float(fit.guard.rows_used)
    if fit.family in ("binomial", "poisson"):
        return fit.sums[2]
    if fit.sums[0] <= 0 or dispersion <= 0:
        return None
    if fit.family == "gaussian":
        unit, half = fit.scaling.outcome_scale, rows / 2.0
        return -exact.log(fit.sums[0] * unit * unit) * half - (1.0 + exact.log(math.pi / half)) * half
    weight = 1.0 / dispersion
    log_ratio, ratio = fit.sums[2], fit.sums[3]
    inner = weight * (rows * exact.log(weight) + log_ratio - ratio)
    return inner - rows * exact.log_gamma(weight) - fit.log_outcome
