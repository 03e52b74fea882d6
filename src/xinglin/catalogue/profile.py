"""What a table holds, counted inside the hospital: the ground for its description. Never leaves as it is."""

from __future__ import annotations

import msgspec

from xinglin.catalogue.canonical import Physical


class LevelCount(msgspec.Struct, frozen=True):
    """A value and how many persons have it."""

    value: str
    persons: int


class ColumnProfile(msgspec.Struct, frozen=True):
    """One column. ``filled``: rows with a value; ``persons``: distinct persons behind them; ``distinct``: values.

    ``low`` and ``high``: smallest and largest number (dates and instants: days since 1970): one person's, perhaps.
    ``levels``: the most frequent texts by persons, at most ``LEVELS_PROFILED``. ``longest``: characters of the longest
    text. ``lowest``: of a number, each person's smallest, from the smallest up, at most ``PERSONS_PROFILED``;
    ``highest``: each person's largest, from the largest down.
    """

    name: str
    holds: Physical
    filled: int
    persons: int
    distinct: int
    low: float | None = None
    high: float | None = None
    levels: tuple[LevelCount, ...] = ()
    longest: int = 0
    lowest: tuple[float, ...] = ()
    highest: tuple[float, ...] = ()

    def reached(self, min_persons: int) -> tuple[float, float] | None:
        """The numbers that ``min_persons`` persons reach at either end: no fewer lie at or beyond them.

        ``None`` where there are not so many, or more are asked for than were profiled.

        >>> ColumnProfile("x", "number", 4, 3, 4, lowest=(1.0, 2.0, 5.0), highest=(900.0, 7.0, 6.0)).reached(2)
        (2.0, 7.0)
        """
        at = max(min_persons, 1) - 1
        if at >= len(self.lowest) or at >= len(self.highest):
            return None
        # Where few persons have a number at all, the two ends may have passed each other.
        low, high = self.lowest[at], self.highest[at]
        return (low, high) if low <= high else (high, low)


class TableProfile(msgspec.Struct, frozen=True):
    """A table, or a current view of one: its rows, its distinct persons, its columns."""

    name: str
    rows: int
    persons: int
    columns: tuple[ColumnProfile, ...]

    def column(self, name: str) -> ColumnProfile | None:
        """The column of that name, or ``None``."""
        return next((column for column in self.columns if column.name == name), None)


PERSONS_PROFILED = 1_000
"""So many persons' own smallest and largest numbers are known: no cell of a description is larger."""
LEVELS_PROFILED = 1_000
"""As many levels as a description may list (``checks.LEVELS``)."""
