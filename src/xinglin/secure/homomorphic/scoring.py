"""Logistic scores on encrypted patients: columns in, one encrypted score a patient out.

Each column of a table is one cipher (a number a patient), so a weight multiplies a whole column at once; the logistic
curve is replaced by the polynomial of degree three that is nearest to it for typical scores. The hub sees weights and
ciphers; the key holder sees scores; neither sees the other's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from xinglin.secure.homomorphic.errors import UnsafeParameters
from xinglin.secure.homomorphic.model import COLUMNS

if TYPE_CHECKING:
    from xinglin.secure.homomorphic.ports import Numbers, Scheme

DEGREE = 3
RANGE = 4.0
GREATEST_ERROR = 0.04
"""Greatest distance from the logistic function for scores within ``RANGE``; outside of it the polynomial is wrong."""


class LogisticModel(msgspec.Struct, frozen=True):
    """``weights``: one for each column, on the columns' scale; ``intercept``: added to their sum."""

    weights: tuple[float, ...]
    intercept: float = 0.0

    def plain(self, columns: Sequence[Numbers]) -> Numbers:
        """The reference: the logistic function on numbers in the clear."""
        import numpy as np

        linear = sum(weight * column for weight, column in zip(self.weights, columns, strict=True)) + self.intercept
        result: Numbers = 1.0 / (1.0 + np.exp(-np.asarray(linear)))
        return result


def polynomial(intercept: float) -> tuple[float, ...]:
    """Coefficients, from degree 0 on, of the cubic nearest to the logistic function on ±``RANGE``, at z + intercept.

    Nearest in the sense of least squares on 2,001 equidistant points.
    """
    import numpy as np

    points = np.linspace(-RANGE, RANGE, 2_001)
    basis = np.stack([points, points**3], axis=1)
    (one, three), *_ = np.linalg.lstsq(basis, 1.0 / (1.0 + np.exp(-points)) - 0.5, rcond=None)
    shifted = np.polynomial.Polynomial([0.5, one, 0.0, three])(np.polynomial.Polynomial([intercept, 1.0]))
    return tuple(float(number) for number in shifted.coef)


def score(scheme: Scheme, public: bytes, model: LogisticModel, columns: Sequence[bytes]) -> bytes:
    """The cipher of every patient's score, within ``GREATEST_ERROR`` of the logistic function where |z| ≤ ``RANGE``.

    ``columns``: one cipher for each weight, all of the same patients in the same order.
    """
    COLUMNS.check(len(columns))
    if len(columns) != len(model.weights) or not columns:
        raise UnsafeParameters("A score takes one column for each weight.")
    if scheme.parameters.depth < DEGREE + 1:
        raise UnsafeParameters("These parameters do not carry a weight and a cubic.", remedy="Use SCORES.")
    return scheme.score(public, columns, model.weights, polynomial(model.intercept))
