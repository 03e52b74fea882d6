"""Means, variances and covariances under a pack that rounds counts: made of sums that are rounded as counts are.

With z on −1 … 1 over a column's published range, three sums take an amount from 0 to 1 of each row: Σ(1 + z)/2, Σz²
and, of two columns, Σ(1 + z·z′)/2. Of a boolean they are counts: of the ones, of all rows, of the rows where two agree.
Each is rounded as the pack rounds a count (base b), and so is the number of rows n. Whatever is told is made of these
alone, so no figure, nor all of them together, says more than the rounded sums do.

What follows. A column of two values at the ends of its range (a boolean, 0 and 2 in a range of 0 to 2) tells its
rounded ones and rows and nothing else: every true count that its rounding leaves stays possible, with every such n. A
mean is told in steps of b/n of the published range (b·(high − low)/n), which is below its standard error from
n > (b·(high − low)/sd)² on. More digits would give the counts back: a mean of c ones among n rows has few solutions.
"""

from __future__ import annotations

import msgspec

from xinglin.privacy.packs.model import Pack
from xinglin.privacy.packs.rounding import rounded, rounded_sum


class ToldSums(msgspec.Struct, frozen=True):
    """``rows`` as they are told; mean and variance of z (population) made of rounded sums, the variance above zero.

    ``variance`` is ``None`` where the rounding leaves no spread.
    """

    rows: int
    mean: float
    variance: float | None


def told_sums(pack: Pack, rows: int, total: float, squares: float) -> ToldSums | None:
    """Of ``rows`` with Σz = ``total`` and Σz² = ``squares``; ``None`` where the rounding leaves no row."""
    rounding = pack.settings.rounding
    whole = int(rounded(rounding, [rows])[0])
    if not whole:
        return None
    mean = 2.0 * rounded_sum(rounding, (_inside(total, -rows, rows) + rows) / 2.0) / whole - 1.0
    spread = rounded_sum(rounding, _inside(squares, 0.0, rows)) / whole - mean * mean
    return ToldSums(whole, mean, spread if spread > _NOTHING else None)


def told_product(pack: Pack, rows: int, products: float, one: ToldSums, other: ToldSums) -> float:
    """Covariance of two z of ``rows`` with Σz·z′ = ``products``, and what is told of each."""
    rounding = pack.settings.rounding
    alike = rounded_sum(rounding, (_inside(products, -rows, rows) + rows) / 2.0)
    return 2.0 * alike / one.rows - 1.0 - one.mean * other.mean


_NOTHING = 1e-12
"""A variance of z at most this is none."""


def _inside(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)
