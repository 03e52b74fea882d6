"""Arithmetic that gives the same bits on every machine: only + − × ÷ and square root, in a fixed order.

Every node runs ``update`` itself and signs the state it gets, so two processors must agree to the last
bit. IEEE 754 rounds these five operations exactly; BLAS reorders sums and ``exp`` differs between maths
libraries, so neither is used here. Logarithms and the like go through ``decimal``, whose results are
correctly rounded to the stated digits.
"""

from __future__ import annotations

import decimal
import math
from collections.abc import Sequence

Vector = Sequence[float]
Matrix = Sequence[Sequence[float]]

_CONTEXT = decimal.Context(prec=40, Emax=999_999, Emin=-999_999)
_STIRLING = ((1, 12), (-1, 360), (1, 1260), (-1, 1680), (1, 1188), (-691, 360360), (1, 156), (-3617, 122400))
_HALF_LOG_TWO_PI = decimal.Decimal("0.9189385332046727417803297364056176398614")


def total(values: Vector) -> float:
    """The sum, correctly rounded whatever the order."""
    return math.fsum(values)


def dot(left: Vector, right: Vector) -> float:
    """The inner product: products rounded one by one, their sum correctly rounded."""
    return math.fsum(a * b for a, b in zip(left, right, strict=True))


def log(value: float) -> float:
    """The natural logarithm of a positive finite number."""
    return float(_CONTEXT.ln(decimal.Decimal(value)))


def exp(value: float) -> float:
    """The exponential; infinite where the result has no double."""
    return float(_CONTEXT.exp(decimal.Decimal(value)))


def log_gamma(value: float) -> float:
    """The logarithm of the gamma function of a positive finite number.

    Source: Stirling's series (NIST DLMF 5.11.1) after shifting the argument to 30 or more.
    """
    if not (value > 0 and math.isfinite(value)):
        raise ValueError("log_gamma takes a positive finite number")
    with decimal.localcontext(_CONTEXT):
        x = decimal.Decimal(value)
        shift = decimal.Decimal(1)
        while x < 30:
            shift *= x
            x += 1
        series = (x - decimal.Decimal("0.5")) * x.ln() - x + _HALF_LOG_TWO_PI
        power = x
        for numerator, denominator in _STIRLING:
            series += decimal.Decimal(numerator) / (denominator * power)
            power *= x * x
        return float(series - shift.ln())


def roof(value: float) -> float:
    """The smallest power of two that is at least ``value`` (above zero)."""
    fraction, exponent = math.frexp(value)
    return math.ldexp(1.0, exponent - (fraction == 0.5))


def symmetric(packed: Vector, size: int) -> list[list[float]]:
    """The full symmetric matrix of an upper triangle packed row by row (length size·(size+1)/2)."""
    full = [[0.0] * size for _ in range(size)]
    position = 0
    for i in range(size):
        for j in range(i, size):
            full[i][j] = full[j][i] = float(packed[position])
            position += 1
    return full


def cholesky(matrix: Matrix, tolerance: float) -> list[list[float]] | int:
    """The lower triangle L with L·Lᵀ = matrix, or the index of the first column that is not independent.

    A pivot that is at most ``tolerance`` times its own diagonal entry (or not above zero, or not
    finite) means that the column is a combination of those before it.
    """
    size = len(matrix)
    lower = [[0.0] * size for _ in range(size)]
    for j in range(size):
        pivot = math.fsum([matrix[j][j], *(-v * v for v in lower[j][:j])])
        if not (math.isfinite(pivot) and pivot > 0 and pivot > tolerance * matrix[j][j]):
            return j
        lower[j][j] = math.sqrt(pivot)
        for i in range(j + 1, size):
            products = (-a * b for a, b in zip(lower[i][:j], lower[j][:j], strict=True))
            lower[i][j] = math.fsum([matrix[i][j], *products]) / lower[j][j]
    return lower


def solve(lower: Matrix, right: Vector) -> list[float]:
    """x with L·Lᵀ·x = right, by forward and back substitution."""
    size = len(lower)
    forward: list[float] = []
    for i in range(size):
        forward.append(math.fsum([right[i], *(-lower[i][k] * forward[k] for k in range(i))]) / lower[i][i])
    answer = [0.0] * size
    for i in reversed(range(size)):
        rest = (-lower[k][i] * answer[k] for k in range(i + 1, size))
        answer[i] = math.fsum([forward[i], *rest]) / lower[i][i]
    return answer


def inverse(lower: Matrix) -> list[list[float]]:
    """The inverse of L·Lᵀ, symmetric to the last bit."""
    size = len(lower)
    rows = [solve(lower, [1.0 if i == j else 0.0 for i in range(size)]) for j in range(size)]
    return [[rows[i][j] if i <= j else rows[j][i] for j in range(size)] for i in range(size)]


def sandwich(transform: Matrix, middle: Matrix) -> list[list[float]]:
    """T·M·Tᵀ for a symmetric M, symmetric to the last bit."""
    product = [[dot(row, column) for column in zip(*middle, strict=True)] for row in transform]
    full = [[dot(row, other) for other in transform] for row in product]
    return [[full[i][j] if i <= j else full[j][i] for j in range(len(full))] for i in range(len(full))]
