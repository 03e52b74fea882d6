"""A Gaussian linear model out of noised sums of products, where the persons lie in one place or in several."""

from __future__ import annotations

from fractions import Fraction

import msgspec
import numpy as np
from numpy.typing import NDArray

from xinglin.privacy.noise.errors import BadNoise
from xinglin.privacy.noise.model import Noised, Whole

MOST_COLUMNS = 64
HALF_UNITS = 1 << 10
"""Units of half a column's range: products of two stay below 2^20, and their sums over 2^40 persons fit."""
Floats = NDArray[np.float64]


class LinearFit(msgspec.Struct, frozen=True, eq=False):
    """Post-processing: coefficients with intercept first, for columns scaled to −1 … 1 of their ranges.

    ``errors``: standard errors that hold the spread of the persons *and* the noise. ``ridge``: how many persons'
    worth was added to the diagonal because the noised sums were not those of any table; 0 where none had to be.
    """

    coefficients: Floats
    errors: Floats
    persons: float
    ridge: float


class Products(msgspec.Struct, frozen=True):
    """Σ u·uᵀ over persons, u = (1, x₁, …, x_p, y) with every entry on −1 … 1 in 2^-10, upper triangle by rows.

    Domain: tables of persons with one row each, every column clipped to its published range. Metric: one person there
    or not there. Guarantee: each of the (p+2)(p+3)/2 products moves by 2^20 units at most, so Δ₂² is that many times
    2^40; noise of variance v costs Δ₂²/(2v) of rho. Everything the model says follows from these sums alone.
    Source: Vu, Slavkovic (2009); Dwork, Talwar, Thakurta, Zhang (2014), "Analyze Gauss", algorithm 1.
    """

    columns: int

    def __post_init__(self) -> None:
        if not 1 <= self.columns <= MOST_COLUMNS:
            raise BadNoise(f"A model has 1 to {MOST_COLUMNS} columns beside the outcome.")

    @property
    def size(self) -> int:
        """Entries of u: the intercept, the columns, the outcome."""
        return self.columns + 2

    @property
    def length(self) -> int:
        """Products of the upper triangle."""
        return self.size * (self.size + 1) // 2

    @property
    def sensitivity_sq(self) -> Fraction:
        """Every product moves by the square of ``HALF_UNITS`` at most."""
        return Fraction(self.length * HALF_UNITS**4)

    def exact(self, units: Whole) -> Whole:
        """Sums of products of ``units`` (persons × columns and outcome), whole numbers −2^10 … 2^10."""
        if units.dtype.kind != "i" or units.ndim != 2 or units.shape[1] != self.size - 1:
            raise BadNoise("A model is given whole numbers, one row a person.")
        whole = np.clip(units, -HALF_UNITS, HALF_UNITS).astype(np.int64)
        full = np.column_stack((np.full(len(whole), HALF_UNITS, dtype=np.int64), whole))
        return (full.T @ full)[np.triu_indices(self.size)]

    def fit(self, found: Noised) -> LinearFit:
        """Post-processing: least squares from the noised sums, floating point from here on; ``BadNoise`` on none.

        With noise E in XᵀX and e in Xᵀy, β moves by (XᵀX)⁻¹(e − Eβ), to first order; its variance is added to that of
        the residuals. Source: Ferrando, Wang, Sheldon (2022), §3; ridge: Wang (2018), "Revisiting differentially
        private linear regression", algorithm 2 (AdaSSP), with the largest eigenvalue of a noise matrix, 2σ√d.
        """
        if not np.isfinite(found.values.astype(np.float64)).all() or len(found.values) != self.length:
            raise BadNoise("These are not the sums of this model.")
        moments = np.zeros((self.size, self.size))
        moments[np.triu_indices(self.size)] = found.values.astype(np.float64) / HALF_UNITS**2
        moments = moments + np.triu(moments, 1).T
        deviation = float(found.variance) ** 0.5 / HALF_UNITS**2
        inner, outer, squares = moments[:-1, :-1], moments[:-1, -1], moments[-1, -1]
        bound = 2 * deviation * len(inner) ** 0.5
        least = float(np.linalg.eigvalsh(inner)[0])
        ridge = max(0.0, bound - least)
        inverse = np.linalg.inv(inner + max(ridge, 1e-9) * np.eye(len(inner)))
        beta = inverse @ outer
        persons = max(float(moments[0, 0]), len(inner) + 1.0)
        left = float(squares - 2 * beta @ outer + beta @ inner @ beta) / (persons - len(inner))
        spread = max(left, 0.0) * inverse + inverse @ _noise(beta, deviation) @ inverse
        return LinearFit(beta, np.sqrt(np.maximum(np.diag(spread), 0.0)), persons, ridge)


def _noise(beta: Floats, deviation: float) -> Floats:
    """The covariance of e − Eβ for a symmetric E: entries above the diagonal are one noise in two places."""
    return deviation**2 * ((1 + float(beta @ beta)) * np.eye(len(beta)) + np.outer(beta, beta) - np.diag(beta**2))
