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

    ``low`` and ``high``: smallest and largest number (dates and instants: days since 1970). ``levels``: the most
    frequent texts by persons, at most ``LEVELS_PROFILED``. ``longest``: characters of the longest text.
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


class TableProfile(msgspec.Struct, frozen=True):
    """A table, or a current view of one: its rows, its distinct persons, its columns."""

    name: str
    rows: int
    persons: int
    columns: tuple[ColumnProfile, ...]

    def column(self, name: str) -> ColumnProfile | None:
        """The column of that name, or ``None``."""
        return next((column for column in self.columns if column.name == name), None)


LEVELS_PROFILED = 1_000
"""As many levels as a description may list (``checks.LEVELS``)."""
