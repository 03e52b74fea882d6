"""Differential privacy by exact integer mechanisms: samplers, mechanisms, and the budget that they spend.

*mechanisms* (``Counts``, ``Sums``, ``Means``, ``Products``, ``Quantile``) say what one person can move; *samplers*
draw noise (``discrete_gaussian``, ``discrete_laplace``), *choice* picks one of many, *accounting* counts what a
release costs in units of ``RHO_UNIT`` and shows it as (ε, δ), *shares* splits noise over hospitals, *budget* holds the
rules of the ledger, *after* is post-processing, and *refused* says what there is not. Between an exact input and a
noised integer there is no floating-point number; what comes after is named post-processing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "Counts": "counts",
    "crossed": "counts",
    "LinearFit": "linear",
    "Products": "linear",
    "Mechanism": "model",
    "Noised": "model",
    "noised": "model",
    "noised_share": "model",
    "noised_total": "model",
    "shares_of": "model",
    "Quantile": "quantiles",
    "refuse": "refused",
    "Grid": "sums",
    "Means": "sums",
    "Sums": "sums",
    "RHO_UNIT": "accounting",
    "choice_epsilon_for": "accounting",
    "epsilon_of_gaussian": "accounting",
    "pure_epsilon_for": "accounting",
    "rho_for_epsilon": "accounting",
    "rho_of_choice": "accounting",
    "rho_of_gaussian": "accounting",
    "rho_of_pure": "accounting",
    "to_delta": "accounting",
    "to_epsilon": "accounting",
    "variance_for": "accounting",
    "exponential_choice": "choice",
    "permute_and_flip": "choice",
    "BadNoise": "errors",
    "NoiseRefused": "errors",
    "ExactSource": "exact",
    "discrete_gaussian": "samplers",
    "discrete_laplace": "samplers",
    "SharePlan": "shares",
    "rho_of_shares": "shares",
    "share_plan": "shares",
    "share_variance": "shares",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
