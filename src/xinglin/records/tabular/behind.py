"""Who stands behind the values of a column: persons are counted, never values, so that nobody counts twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from xinglin.records.tabular.rows import Chunk

Codes = npt.NDArray[np.int64]
_PERSON_BITS = 32
_PERSON = (1 << _PERSON_BITS) - 1


class Behind:
    """``counts``: distinct persons of each value of a column."""

    def __init__(self, places: dict[str | None, int], pairs: Codes) -> None:
        """``pairs``: each value's place and person, once; ``places``: of the values."""
        self._places, self._pairs = places, pairs
        times = np.bincount(pairs >> _PERSON_BITS, minlength=len(places)).tolist()
        self.counts = {value: times[at] for value, at in places.items() if value is not None and times[at]}

    def together(self, values: Iterable[str]) -> int:
        """Distinct persons who have any of these values."""
        at = np.array([self._places[value] for value in values], np.int64)
        found = self._pairs[np.isin(self._pairs >> _PERSON_BITS, at)]
        return len(_distinct(found & _PERSON))

    def reached(self, values: Sequence[str], least: int) -> str:
        """The first of ``values`` with which ``least`` distinct persons have it or one before; else the last."""
        rank = np.full(len(self._places), len(values), np.int64)
        rank[[self._places[value] for value in values]] = np.arange(len(values))
        ranks = rank[self._pairs >> _PERSON_BITS]
        seen: set[int] = set()
        for at in np.argsort(ranks, kind="stable").tolist():
            seen.add(int(self._pairs[at]) & _PERSON)
            if len(seen) >= least:
                return values[min(int(ranks[at]), len(values) - 1)]
        return values[-1]


def people(chunks: Sequence[Chunk], column: str) -> list[Codes]:
    """Each row's person (the column that names them) as a number that is the same in every chunk."""
    places: dict[Any, int] = {}
    return [_numbered(chunk, column, places, text=True) for chunk in chunks]


def behind(chunks: Sequence[Chunk], column: str, persons: Sequence[Codes]) -> Behind:
    """Who stands behind the values of a column; ``persons``: of each row, as ``people`` numbers them."""
    places: dict[Any, int] = {}
    pairs = [
        _distinct((_numbered(chunk, column, places) << _PERSON_BITS) | who)
        for chunk, who in zip(chunks, persons, strict=True)
    ]
    return Behind(places, _distinct(np.concatenate(pairs)))


def _numbered(chunk: Chunk, column: str, places: dict[Any, int], *, text: bool = False) -> Codes:
    vector = chunk.vector(column)
    values = map(str, vector.values) if text else vector.values
    ids = np.array([places.setdefault(value, len(places)) for value in values], np.int64)
    return ids[vector.codes] if vector.codes is not None else np.full(chunk.size, ids[0])


def _distinct(codes: Codes) -> Codes:
    """Each number once, ascending; sorting is many times quicker here than the table that ``np.unique`` makes."""
    ordered = np.sort(codes)
    found: Codes = ordered[np.concatenate((ordered[:1] == ordered[:1], ordered[1:] != ordered[:-1]))]
    return found
