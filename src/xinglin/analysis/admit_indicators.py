"""Columns that a predicate chose: a release on them counts the persons behind each value.

Such a number (a CASE of constants, a count, a flag cast to 0 and 1) is a cell in disguise: its mean tells
how many persons have it. The counts ride with the difference counts, compared with a release that never
was: pooled, nobody or at least the minimum.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from xinglin.analysis.admit import OutputColumn
from xinglin.kernel.limits import Limit
from xinglin.privacy.differencing import NEW_ONLY, DifferenceSlot, ReleasedCell

INDICATORS = Limit("indicator counts a run", 4_096, "counts")
NO_RELEASE = ReleasedCell("", "")


def indicator_slots(columns: Iterable[OutputColumn], used: Collection[str]) -> tuple[DifferenceSlot, ...]:
    """The counts that a release over the ``used`` columns owes, in the columns' order.

    A slot's cell is ``?column=value``, or ``?column`` (persons whose number is not 0) where the values are
    not listed. Categories and booleans have none: an algorithm counts their levels as cells itself.
    """
    cells: list[str] = []
    for column in columns:
        if column.kind == "number" and column.chosen and column.name in used:
            cells += [f"?{column.name}={value!r}" for value in column.values] or [f"?{column.name}"]
    INDICATORS.check(len(cells))
    return tuple(DifferenceSlot(NO_RELEASE, cell, NEW_ONLY) for cell in cells)
