"""The linkage unit: it compares filters of two hospitals, and says which records are of one person.

It has no key, no name and no identifier: records are numbered. All pairs are compared (a hundred million in a second
on one core), or, for large sets, those that agree in one of several samples of bits. A record is linked to at most one
other, the best pairs first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.kernel.limits import Limit
from xinglin.secure.blind.errors import BlindError, WrongAnswer

if TYPE_CHECKING:
    from xinglin.secure.blind.filters import Words

PAIRS = Limit("pairs that reach the threshold", 20_000_000, "pairs")
COMPARISONS = Limit("pairs compared one by one", 4 * 10**9, "pairs")


class TooManyPairs(BlindError):
    """More pairs are alike than a linkage of persons has: the threshold is too low, or the filters say too little."""

    code = "secure.blind_pairs"


class Blocking(msgspec.Struct, frozen=True):
    """Compare only pairs that agree in all bits of one of ``tables`` samples of ``bits`` places.

    More tables find more pairs, more bits compare fewer. A filter of the usual plan that differs in one piece agrees
    with the original in a sample of 24 bits with a probability of about one half.
    """

    tables: int = 32
    bits: int = 24
    block_most: int = 2_000

    def __post_init__(self) -> None:
        if not 1 <= self.tables <= 256 or not 4 <= self.bits <= 60:
            raise ValueError("from 1 to 256 tables of 4 to 60 bits")


class Link(msgspec.Struct, frozen=True):
    """One pair: positions at the left and at the right, and the Dice similarity of the filters (0 … 1)."""

    left: int
    right: int
    score: float


def link(left: Words, right: Words, threshold: float, blocking: Blocking | None = None) -> list[Link]:
    """The pairs of records that are of one person, best first; each record in one pair at most.

    ``threshold``: Dice similarity from 0.5 to 1. ``blocking``: see there; ``None`` compares every pair. Raises
    ``TooManyPairs`` and ``LimitExceeded``.
    """
    import numpy as np

    if not 0.5 <= threshold <= 1.0:
        raise ValueError("threshold: from 0.5 to 1")
    if left.shape[1] != right.shape[1]:
        raise WrongAnswer("Filters of two lengths cannot be compared.")
    if not len(left) or not len(right):
        return []
    pairs, scores = _all(left, right, threshold) if blocking is None else _some(left, right, threshold, blocking)
    order = np.lexsort((pairs[:, 1], pairs[:, 0], -scores))
    free_left, free_right = np.ones(len(left), dtype=bool), np.ones(len(right), dtype=bool)
    links = []
    for at in order.tolist():
        i, j = int(pairs[at, 0]), int(pairs[at, 1])
        if free_left[i] and free_right[j]:
            free_left[i] = free_right[j] = False
            links.append(Link(i, j, float(scores[at])))
    return links


def _weights(words: Words) -> Any:
    import numpy as np

    from xinglin.secure.blind import filter_kernel

    out = np.zeros(len(words), dtype=np.float64)
    filter_kernel.weights(words, out)
    return out


def _all(left: Words, right: Words, threshold: float) -> tuple[Any, Any]:
    import numpy as np

    from xinglin.secure.blind import filter_kernel

    COMPARISONS.check(len(left) * len(right))
    room = 4 * (len(left) + len(right))
    while True:
        pairs, scores = np.zeros((room, 2), dtype=np.int64), np.zeros(room)
        found = filter_kernel.alike(left, _weights(left), right, _weights(right), threshold, pairs, scores)
        if found > PAIRS.value:
            raise TooManyPairs(f"{found} pairs are alike.", remedy="Raise the threshold or use more fields.")
        if found <= room:
            return pairs[:found], scores[:found]
        room = found


def _some(left: Words, right: Words, threshold: float, blocking: Blocking) -> tuple[Any, Any]:
    import numpy as np

    from xinglin.secure.blind import filter_kernel

    chosen = np.random.default_rng(20_231_117)  # which bits are compared first is no secret
    candidates = []
    for _ in range(blocking.tables):
        places = chosen.choice(left.shape[1] * 64, blocking.bits, replace=False)
        candidates.append(_meeting(_sample(left, places), _sample(right, places), blocking.block_most, len(right)))
    codes = np.unique(np.concatenate(candidates))
    PAIRS.check(len(codes))
    pairs = np.stack(np.divmod(codes, np.int64(len(right))), axis=1)
    scores = np.zeros(len(pairs))
    filter_kernel.score(left, _weights(left), right, _weights(right), pairs, scores)
    good = scores >= threshold
    return pairs[good], scores[good]


def _sample(words: Words, places: Any) -> Any:
    import numpy as np

    code = np.zeros(len(words), dtype=np.uint64)
    for place in places.tolist():
        code = (code << np.uint64(1)) | ((words[:, place >> 6] >> np.uint64(place & 63)) & np.uint64(1))
    return code


def _meeting(left: Any, right: Any, most: int, width: int) -> Any:
    """Pairs with equal samples, as ``left · width + right``; blocks of more than ``most`` at the right are left out."""
    import numpy as np

    order = np.argsort(right, kind="stable")
    ordered = right[order]
    first, last = np.searchsorted(ordered, left, "left"), np.searchsorted(ordered, left, "right")
    sizes = last - first
    sizes[sizes > most] = 0
    rows = np.repeat(np.arange(len(left), dtype=np.int64), sizes)
    starts = np.repeat(first - np.concatenate([[0], np.cumsum(sizes)[:-1]]), sizes)
    return rows * np.int64(width) + order[starts + np.arange(len(rows))]
