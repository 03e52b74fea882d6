"""Rounding of counts as a step function: which counts read the same, and from where on a count may be shown.

A threshold that falls inside a step gives its counts away: hiding up to 5 and rounding to 5 leaves a shown "5"
that can only be 6 or 7. So a count is shown from the first step on that begins at or above the threshold.

Source: OpenSAFELY documentation, outputs/sdc, "Redacting counts less than or equal to 7" and "Midpoint 6
rounding" (read 2026-11); German Portal for Medical Research Data (FDPG), feasibility counts.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.privacy.packs.model import Rounding, Settings

Counts = NDArray[np.int64]

_WHOLE = 1e-3
"""So near to a whole number a sum is taken for it: sums are added in fixed point."""


def rounded(rounding: Rounding, counts: Any) -> Counts:
    """The counts (whole, not negative) as they are told.

    >>> rounded(Rounding("midpoint", 6), [0, 1, 6, 7, 13]).tolist()
    [0, 3, 3, 9, 15]
    >>> rounded(Rounding("up", 10), [0, 9, 10, 27]).tolist()
    [10, 10, 20, 30]
    """
    x: Counts = np.array(counts, dtype=np.int64)
    b = rounding.base
    if rounding.kind == "nearest":
        x = (2 * x + b) // (2 * b) * b
    elif rounding.kind == "midpoint":
        x = -(-x // b) * b - (b // 2) * (x != 0)
    elif rounding.kind == "up":
        x = x - x % b + b
    return x


def begins_step(rounding: Rounding, count: int) -> bool:
    """Whether ``count`` is the smallest one that is told as it is."""
    if count <= 0:
        return True
    below, here = rounded(rounding, [count - 1, count]).tolist()
    return bool(below != here)


def rounded_sum(rounding: Rounding, amount: float) -> int:
    """A sum (not negative) to which each row adds 0 to 1, as a count of so many rows is told.

    Guarantee: what reads the same spans as much as the counts that do, and whole amounts read as counts do.

    >>> rounded_sum(Rounding("nearest", 5), 42.4), rounded_sum(Rounding("nearest", 5), 42.6)
    (40, 45)
    """
    b, x = rounding.base, round(amount) if abs(amount - round(amount)) < _WHOLE else amount
    if rounding.kind == "nearest":
        return math.floor((2 * x + b) / (2 * b)) * b
    if rounding.kind == "midpoint":
        return math.ceil(x / b) * b - (b // 2 if x > 0 else 0)
    if rounding.kind == "up":
        return math.floor(x / b) * b + b
    return round(x)


def step_start(rounding: Rounding, count: int) -> int:
    """The smallest count that is told like ``count`` (not negative).

    >>> step_start(Rounding("nearest", 5), 45), step_start(Rounding("midpoint", 6), 9)
    (43, 7)
    """
    b = rounding.base
    if rounding.kind == "nearest":
        return max((2 * count + b) // (2 * b) * b - b // 2, 0)
    if rounding.kind == "midpoint":
        return (count - 1) // b * b + 1 if count else 0
    return count - count % b


def merges(coarse: Rounding, fine: Rounding) -> bool:
    """Whether every step of ``coarse`` is made of whole steps of ``fine``: then it tells nothing that ``fine`` hides.

    Of one kind, to a multiple of the base; to the nearest multiple an odd one, since steps are cut half way.

    >>> merges(Rounding("nearest", 15), Rounding("nearest", 5)), merges(Rounding("nearest", 10), Rounding("nearest", 5))
    (True, False)
    >>> merges(Rounding("up", 20), Rounding("up", 10)), merges(Rounding("up", 98), Rounding("nearest", 5))
    (True, False)
    """
    if fine.kind == "none":
        return True
    times, rest = divmod(coarse.base, fine.base)
    return coarse.kind == fine.kind and not rest and (coarse.kind != "nearest" or times % 2 == 1)


def shown_from(settings: Settings) -> int:
    """The smallest count above nought that may be shown: ``min_cell``, moved up to where a step begins.

    >>> shown_from(Settings(min_cell=6, small="hide", rounding=Rounding("nearest", 5)))
    8
    """
    count = settings.min_cell
    while not begins_step(settings.rounding, count):
        count += 1
    return count


def told_counts(settings: Settings, counts: Any) -> Counts:
    """The counts after threshold, zeros and rounding; -1 is hidden."""
    x = np.asarray(counts, dtype=np.int64)
    told = rounded(settings.rounding, x)
    small = (x > 0) & (x < shown_from(settings))
    if settings.small == "hide":
        told[small] = -1
    elif settings.small == "zero":
        told[small] = 0
    if settings.zeros == "hide":
        told[x == 0] = -1
    elif settings.rounding.kind != "up":
        told[x == 0] = 0
    return told
