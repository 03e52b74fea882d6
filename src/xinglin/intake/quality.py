"""Quality as the intake sees it: the port that flags a batch, and alarms.

An alarm is for the hospital's own people: it may name a local code or a source's key, and never leaves the node.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

AlarmKind = Literal[
    "missing", "surplus", "new_code", "new_unit", "frequency", "volume", "empty_column", "silent", "check_failed"
]


class Alarm(msgspec.Struct, frozen=True):
    """Something that a person should look at. ``about``: the table, or table and column, or the check that began to
    fail. ``day``: at the source; ``source`` is empty where an alarm is about no single one.

    ``words`` and ``words_zh`` say it whole; ``score``: how far out it is, in the alarm's own measure.
    """

    kind: AlarmKind
    source: str
    day: str
    about: str
    words: str
    words_zh: str
    score: float = 0.0

    def __repr__(self) -> str:
        """Without the words: they may name what a source wrote."""
        return f"Alarm({self.kind!r}, {self.source!r}, {self.day!r}, {self.about!r})"


class BatchQuality:
    """Port ``intake.Quality``: the cheap checks, on whole columns; flags are added and no row is taken away."""

    def check(self, batch: int, tables: Mapping[str, Any]) -> dict[str, Any]:
        """See the port."""
        from xinglin.lake.quality_flags import flag_tables

        return flag_tables(tables)
