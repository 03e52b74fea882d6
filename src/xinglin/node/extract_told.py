"""How counts and risks of an extract are told: in bands, and rounded so that nothing is said to be too small."""

from __future__ import annotations

from decimal import ROUND_UP, Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xinglin.privacy.anonymity import Anonymised, Report

_BANDS = (10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 50_000, 100_000, 500_000, 1_000_000, 5_000_000)


def band(count: int) -> str:
    """A number of rows or persons as a band.

    >>> band(7), band(303), band(10_000_000)
    ('below 10', '200 to 499', '5000000 or more')
    """
    if count < _BANDS[0]:
        return f"below {_BANDS[0]}"
    low = max(edge for edge in _BANDS if edge <= count)
    if low == _BANDS[-1]:
        return f"{low} or more"
    return f"{low} to {_BANDS[_BANDS.index(low) + 1] - 1}"


def risks_of_extract(anonymous: Anonymised, measured: Report) -> dict[str, tuple[str, str]]:
    """Risks before and after, as exact decimals rounded up."""
    names = ("prosecutor", "journalist", "marketer")
    return {name: (upwards(getattr(anonymous.before, name)), upwards(getattr(measured.risks, name))) for name in names}


def upwards(value: float) -> str:
    """A share as an exact decimal, rounded up: nothing is said to be smaller than it is."""
    return str(Decimal(str(float(value))).quantize(Decimal("0.000001"), ROUND_UP).normalize() + 0)
