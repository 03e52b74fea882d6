"""Columns in which few persons may stand out: a release on them counts the persons who do.

A number that a predicate chose (a CASE of constants, a count, a flag cast to 0 and 1) is a cell in disguise:
its mean tells how many persons have it. A clipped number is one too where nearly all lie at one end.
The counts ride with the difference counts, compared with a release that never
was: pooled, nobody or at least the minimum.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from xinglin.analysis.admit_model import OutputColumn
from xinglin.kernel.limits import Limit
from xinglin.privacy.differencing import NEW_ONLY, DifferenceSlot, ReleasedCell

INDICATORS = Limit("indicator counts a run", 4_096, "counts")
NO_RELEASE = ReleasedCell("", "")


def indicator_slots(columns: Iterable[OutputColumn], used: Collection[str]) -> tuple[DifferenceSlot, ...]:
    """The counts that a release over the ``used`` columns owes, in the columns' order.

    A slot's cell is ``?column=value``; or, where the values are not listed, ``?column`` (not 0) or
    ``?column:side:low:high`` with the persons *above* the low end, *below* the high end or *inside* both.
    Categories and booleans have none: an algorithm counts their levels as cells itself.
    """
    cells: list[str] = []
    for column in columns:
        if column.kind == "number" and column.name in used:
            cells += _cells(column)
    INDICATORS.check(len(cells))
    return tuple(DifferenceSlot(NO_RELEASE, cell, NEW_ONLY) for cell in cells)


def _cells(column: OutputColumn) -> list[str]:
    if not (column.chosen or column.stepped):
        return []
    if column.chosen and column.values:
        return [f"?{column.name}={value!r}" for value in column.values]
    if not column.bounded:
        return [f"?{column.name}"]
    sides = ("above", "below") if column.chosen else ("above", "below", "inside")
    return [f"?{column.name}:{side}:{column.low!r}:{column.high!r}" for side in sides]
