"""The scale on which a model is fitted: pooled moments, shifts, and how large a sum can be."""

from __future__ import annotations

import math

import msgspec

from xinglin.analysis.arithmetic import log, roof
from xinglin.analysis.design import Design, DesignColumn, Piece
from xinglin.analysis.families import Bounds, Family

CONSTANT = 1e-14
"""A variance at most this, on a range of −1 to 1, means that a column does not vary."""


_FAR = 1.2
"""Room beyond √rows standard deviations, for the rounding of a small variance."""


class Moments(msgspec.Struct, frozen=True):
    """Pooled mean, standard deviation and root mean square of a piece, in its own unit."""

    mean: float
    deviation: float
    size: float


class Scaling(msgspec.Struct, frozen=True):
    """Design columns with their shift and scale, and those of the outcome: z = (c − shift) / scale.

    ``rows`` and ``largest`` bound the pooled rows and every |z|; they, and the bounds of the family, are
    powers of two, since the digest of a layout is seen by the hub and should tell it next to nothing.
    """

    columns: tuple[DesignColumn, ...]
    shift: tuple[float, ...]
    scale: tuple[float, ...]
    rows: float
    largest: float
    outcome_shift: float
    outcome_scale: float
    outcome_low: float
    outcome_high: float
    null_mean: float | None
    bounds: Bounds


def frame(piece: Piece) -> tuple[float, float]:
    """(middle, half width) of a piece's interval; the half width is above zero."""
    middle = piece.low / 2 + piece.high / 2
    return middle, (piece.high / 2 - piece.low / 2) or abs(middle) or 1.0


def moments_of(piece: Piece, first: float, second: float) -> tuple[Moments, bool]:
    """Moments from the mean and mean square on −1 … 1, and whether the piece varies at all."""
    middle, half = frame(piece)
    variance = second - first * first
    square = middle * middle + 2 * middle * half * first + half * half * second
    varies = variance > CONSTANT
    deviation = half * math.sqrt(variance) if varies else half
    size = math.sqrt(square) if square > 0 else half
    return Moments(middle + half * first, deviation, size), varies


def reach(piece: Piece, shift: float, scale: float) -> float:
    """The largest magnitude that a standardised piece can have, with a millionth to spare."""
    room = 1e-6 * max(abs(piece.low), abs(piece.high), scale)
    return (max(abs(piece.low - shift), abs(piece.high - shift)) + room) / scale


def scaling_of(
    design: Design,
    family: Family,
    columns: tuple[DesignColumn, ...],
    moments: tuple[Moments, ...],
    outcome: Moments,
    rows: int,
) -> Scaling:
    """The scaling that pooled moments give; the same bits on every node.

    Numeric columns are centred when an intercept can take the shift back and no level multiplies them.
    A Gaussian outcome is standardised, a Gamma outcome divided by its mean, others are left alone.
    No value lies further from its mean than √rows standard deviations, whatever range was published.
    """
    shift, scale = [0.0] * len(columns), [1.0] * len(columns)
    largest, farthest = 1.0, _FAR * math.sqrt(rows)
    for j, column in enumerate(columns):
        if column.piece >= 0:
            known = moments[column.piece]
            centred = design.centred and not column.levels
            shift[j] = known.mean if centred else 0.0
            scale[j] = known.deviation if centred else known.size
            largest = max(largest, min(farthest, reach(design.pieces[column.piece], shift[j], scale[j])))
    outcome_shift, outcome_scale = _outcome_frame(design, family, outcome)
    low, high = _outcome_range(design.response, family)
    high = min(high, outcome.mean + farthest * outcome.deviation)
    low = low if family.above == 0 else max(low, outcome.mean - farthest * outcome.deviation)
    low, high = (low - outcome_shift) / outcome_scale, (high - outcome_shift) / outcome_scale
    known_bounds = family.bounds(low, high)
    return Scaling(
        columns=columns,
        shift=tuple(shift),
        scale=tuple(scale),
        rows=roof(rows),
        largest=roof(largest),
        outcome_shift=outcome_shift,
        outcome_scale=outcome_scale,
        outcome_low=low,
        outcome_high=high,
        null_mean=_null_mean(family, (outcome.mean - outcome_shift) / outcome_scale),
        bounds=Bounds(roof(known_bounds.score), roof(known_bounds.weight), roof(known_bounds.other)),
    )


def link(name: str, mean: float) -> float:
    """The linear predictor of a mean, the same bits on every machine."""
    if name == "log":
        return log(mean)
    if name == "logit":
        return log(mean / (1.0 - mean))
    return 1.0 / mean if name == "inverse" else mean


def _outcome_frame(design: Design, family: Family, outcome: Moments) -> tuple[float, float]:
    if family.name == "gaussian":
        return (outcome.mean, outcome.deviation) if design.centred else (0.0, outcome.size)
    return (0.0, outcome.mean) if family.name == "gamma" and design.centred else (0.0, 1.0)


def _outcome_range(piece: Piece, family: Family) -> tuple[float, float]:
    room = 1e-6 * max(abs(piece.low), abs(piece.high))
    low = piece.low * (1 - 1e-6) if family.above == 0 else piece.low - room
    return low, piece.high + room


def _null_mean(family: Family, mean: float) -> float | None:
    if family.name != "gaussian" and (mean <= 0 or (family.name == "binomial" and mean >= 1)):
        return None
    return mean
