"""Whether a numeric column stands on enough persons to be averaged.

A mean, a covariance or a coefficient can hide one person's value: the column that is constant for all
but one, or whose spread is the work of a few. Two rules, both on additive counts of persons:

*Mode rule.* Values are hashed into buckets. For every bucket the persons with some value outside it
must be none or at least ``min_cell``: otherwise nearly everyone has one and the same value, and the
mean gives away the others'. Two independent hashes, so that a collision hides nothing twice.

*Dominance rule.* A person's contribution is Σ (x − mean)² over that person's rows. Persons are counted,
and contributions added, by the binary logarithm of the contribution. Taken from the largest down, fewer
than ``min_cell`` persons must not carry ``SPREAD_SHARE`` of the whole (the (n, k) rule of statistical
disclosure control, Hundepool et al. 2012, §4.2.2, on centred contributions).

Both are defences against named attacks, not proofs: only noise proves.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from xinglin.analysis.arithmetic import total
from xinglin.analysis.table import Codes, Floats
from xinglin.kernel.verdict import Allowed, Verdict, deny
from xinglin.terms.thresholds import DisclosureRules

SPREAD_SHARE = 0.9
"""The part of a column's spread that fewer than ``min_cell`` persons may not carry."""

BUCKETS = 64
_MULTIPLIERS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F)
_BINS = 128
_LOWEST_EXPONENT = -79
_NO_SPREAD = 1e-24
OUTSIDE = BUCKETS * len(_MULTIPLIERS)
"""Counts of the mode rule, a column."""
PROFILE = _BINS
"""Bins of the dominance rule, a column: persons, and as many sums."""


class People(msgspec.Struct, frozen=True, eq=False):
    """Whose each row is: ``place`` numbers the persons present 0 … ``count`` − 1, ``rows`` counts theirs.

    ``alone``: every person has one row, so that rows are persons.
    """

    place: Codes
    rows: Floats
    count: int
    alone: bool

    @classmethod
    def of(cls, persons: Codes) -> People:
        """From the persons' codes of some rows, shape (rows,)."""
        counted = np.bincount(persons)
        someone = counted > 0
        rows = counted[someone].astype(np.float64)
        place = (np.cumsum(someone) - 1)[persons]
        return cls(place, rows, len(rows), len(rows) == len(persons))

    def sums(self, values: Floats) -> Floats:
        """Σ of the values of each person."""
        if self.alone:
            return values
        return np.bincount(self.place, weights=values, minlength=self.count).astype(np.float64, copy=False)


def outside_counts(values: Floats, people: People) -> Floats:
    """Persons with a value outside each bucket, shape (OUTSIDE,); the two hashes one after the other."""
    if not values.size:
        return np.zeros(OUTSIDE)
    bits = (values + 0.0).view(np.uint64)
    folded = bits ^ (bits >> np.uint64(32))
    counts = []
    for multiplier in _MULTIPLIERS:
        mixed = folded * np.uint64(multiplier)
        mixed ^= mixed >> np.uint64(29)
        mixed *= np.uint64(_MULTIPLIERS[0])
        bucket = (mixed >> np.uint64(58)).astype(np.int64)
        if not people.alone:
            bucket = _shared(bucket.astype(np.float64), people)
        counts.append(float(people.count) - np.bincount(bucket, minlength=BUCKETS))
    return np.concatenate(counts)


def _shared(bucket: Floats, people: People) -> Codes:
    """The bucket of every person whose rows all lie in one.

    They do exactly when n·Σb² = (Σb)²: whole numbers far below 2^53, so without rounding.
    """
    sums, squares = people.sums(bucket), people.sums(bucket * bucket)
    alike = people.rows * squares == sums * sums
    found: Codes = (sums[alike] / people.rows[alike]).astype(np.int64)
    return found


def spread_profile(centred: Floats, people: People) -> tuple[Floats, Floats]:
    """(persons, Σ contributions) by bin of the contribution's binary logarithm, shape (PROFILE,) each."""
    if not centred.size:
        return np.zeros(_BINS), np.zeros(_BINS)
    contributions = people.sums(centred * centred)
    exponents = (contributions.view(np.int64) >> 52) - 1022  # as frexp gives them
    bins = np.clip(exponents - _LOWEST_EXPONENT, 0, _BINS - 1)
    counted = np.bincount(bins, minlength=_BINS).astype(np.float64)
    return counted, np.bincount(bins, weights=contributions, minlength=_BINS).astype(np.float64)


def check_support(
    rules: DisclosureRules, name: str, outside: Sequence[float], persons: Sequence[float], sums: Sequence[float]
) -> Verdict:
    """The two rules on one column's pooled counts. The refusal names the column and no count."""
    hashes = [outside[i : i + BUCKETS] for i in range(0, len(outside), BUCKETS)]
    spread = total(sums)
    hidden = all(0 in counts for counts in hashes) and spread > _NO_SPREAD * max(1.0, total(persons))
    if hidden or any(0 < count < rules.min_cell for count in outside):
        return deny(
            "analysis.nearly_constant",
            f"All but fewer than {rules.min_cell} persons have one and the same value of {name!r}.",
            f"Leave {name!r} out, or widen the cohort.",
        )
    if _share_of_few(persons, sums, rules.min_cell) > SPREAD_SHARE and spread > 0:
        return deny(
            "analysis.dominance",
            f"Fewer than {rules.min_cell} persons make nearly all of the spread of {name!r}.",
            f"Bound {name!r} in the query (LEAST, GREATEST), take its logarithm, or widen the cohort.",
        )
    return Allowed()


def _share_of_few(persons: Sequence[float], sums: Sequence[float], enough: int) -> float:
    """The part of the sum that the topmost whole bins with fewer than ``enough`` persons hold."""
    counted, held = 0.0, []
    for count, amount in zip(reversed(persons), reversed(sums), strict=True):
        counted += count
        if counted >= enough:
            break
        held.append(amount)
    spread = total(sums)
    return total(held) / spread if spread > 0 else 0.0
