"""What a column of a sample is like: how full, how many different values, which patterns they fit."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from xinglin.kernel.limits import Limit
from xinglin.records.tabular.patterns import BOOLEAN_PAIRS, shares
from xinglin.records.tabular.rows import Chunk

SAMPLE_ROWS = Limit("rows of a sample", 500_000, "rows")
_TRIED = 400
_FIT = 0.9


class Profile(msgspec.Struct, frozen=True):
    """A column of a sample. For the hospital's own eyes: ``top`` quotes values.

    ``rows``: all; ``filled``: with a value; ``distinct``: different values; ``top``: the most frequent and their
    counts; ``patterns``: share of the filled rows that fit each; ``longest``: characters of the longest value.
    """

    name: str
    rows: int
    filled: int
    distinct: int
    top: tuple[tuple[str, int], ...]
    patterns: dict[str, float]
    longest: int
    low: float | None = None
    high: float | None = None

    @property
    def unique(self) -> bool:
        """Whether every row has a value of its own."""
        return self.rows > 0 and self.distinct == self.rows

    @property
    def repeats(self) -> float:
        """Rows a value, on average."""
        return self.filled / self.distinct if self.distinct else 0.0

    def fits(self, pattern: str, share: float = _FIT) -> bool:
        """Whether so many of the values fit a pattern."""
        return self.patterns.get(pattern, 0.0) >= share

    @property
    def boolean(self) -> bool:
        """Whether the values are a yes and a no."""
        words = {value.casefold() for value, _ in self.top}
        return 0 < self.distinct <= 2 and any(words <= pair for pair in BOOLEAN_PAIRS) and len(words) > 1


def profile(chunks: Sequence[Chunk], name: str) -> Profile:
    """The profile of one column over the chunks."""
    counts: dict[str, int] = {}
    rows = 0
    for chunk in chunks:
        vector = chunk.vector(name)
        rows += chunk.size
        if vector.codes is None:
            continue
        times = np.bincount(vector.codes, minlength=len(vector.values)).tolist()
        for value, count in zip(vector.values, times, strict=True):
            if value is not None and count:
                counts[value] = counts.get(value, 0) + count
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    step = max(1, len(ranked) // _TRIED)
    patterns = shares(ranked[: _TRIED // 2] + ranked[_TRIED // 2 :: step])
    longest = max(map(len, counts), default=0)
    low, high = _range(ranked) if patterns.get("number", 0) >= _FIT else (None, None)
    return Profile(name, rows, sum(counts.values()), len(counts), tuple(ranked[:1_200]), patterns, longest, low, high)


def _range(ranked: Sequence[tuple[str, int]]) -> tuple[float | None, float | None]:
    from xinglin.records.tabular.values import to_number

    numbers = [number for value, _ in ranked if (number := to_number(value)[0]) is not None]
    return (min(numbers), max(numbers)) if numbers else (None, None)
