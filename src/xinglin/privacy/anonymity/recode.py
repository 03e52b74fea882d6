"""What a class shows in place of its values: a node of the hierarchy, or an interval."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable

import numpy as np

from xinglin.privacy.anonymity.coding import TREE, Coded
from xinglin.privacy.anonymity.hierarchy import TOP
from xinglin.privacy.anonymity.model import Array

_EPOCH = dt.date(1970, 1, 1)


def labels_of(one: Coded, low: Array, high: Array) -> Array:
    """The label of each class whose codes lie in ``low`` … ``high``; None where every value is missing.

    A number's interval is ``34..38``, bounds included, a date's ``2020-01-01/2020-03-31`` (ISO 8601), a
    text's its leaves in order, ``{a, b}``; a single value is itself, everything is ``*``.
    """
    if one.kind == TREE:
        level = (one.first[low] == one.first[high]).sum(axis=1) - 1
        table = np.stack(one.labels)
        return np.asarray(table[level, low])
    pairs, which = np.unique(low.astype(np.int64) * (one.size + 1) + high, return_inverse=True)
    texts = np.empty(len(pairs), dtype=object)
    for at, pair in enumerate(pairs.tolist()):
        texts[at] = _interval(one, *divmod(pair, one.size + 1))
    return texts[which]


def _interval(one: Coded, begin: int, end: int) -> str | None:
    values = one.labels[0]
    if begin == one.missing:
        return None
    if end == one.missing:
        return TOP
    if values.dtype.kind == "O":
        if begin == 0 and end == len(values) - 1 > 0:
            return TOP
        leaves = values[begin : end + 1].tolist()
        return str(leaves[0]) if begin == end else "{" + ", ".join(leaves) + "}"
    low, high = bounds(values[begin].item(), values[end].item(), one.quasi.step)
    if one.quasi.form == "date":
        return _written(low, high, lambda day: str(_EPOCH + dt.timedelta(days=int(day))), "/")
    return _written(
        low, high, lambda number: format(number, ".15g") if isinstance(number, float) else str(number), ".."
    )


def _written(low: float, high: float, write: Callable[[float], str], between: str) -> str:
    return write(low) if low == high else f"{write(low)}{between}{write(high)}"


def bounds(low: float, high: float, step: int) -> tuple[float, float]:
    """An interval rounded outward to multiples of ``step``: whole numbers up to the last before the next.

    >>> bounds(34, 38, 5)
    (30, 39)
    """
    if not step:
        return low, high
    if isinstance(low, int) and isinstance(high, int):
        return low // step * step, high // step * step + step - 1
    return math.floor(low / step) * step, math.ceil(high / step) * step
