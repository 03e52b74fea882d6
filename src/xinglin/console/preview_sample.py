"""A sample of an answer: the statistic itself on made-up rows, so that its shape and its hidden entries are seen."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.kernel.errors import XinglinError

if TYPE_CHECKING:
    from xinglin.analysis.algorithm import Algorithm, Result
    from xinglin.analysis.table import Table

_ROWS_SHOWN, _COLUMNS_SHOWN = 8, 10


class Sample(msgspec.Struct, frozen=True):
    """An answer on made-up rows: ``None`` is what the rules hide. ``size_bytes``: of the whole answer, about.

    ``all_rows``: lines of the whole answer; ``rows`` are the first of them.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]
    all_rows: int
    hidden: int
    size_bytes: int
    persons: int


def sample_of(built: Algorithm, hospitals: int, persons: int) -> Sample | None:
    """The answer of ``built`` on rows of made-up ``persons``; None where there is none on such rows.

    The rows are a function of published domains alone, the same each time.
    """
    found = _answered(built, hospitals, persons)
    if found is None:
        return None
    from xinglin.analysis.render import rows_of

    rows = rows_of(found)
    names = tuple(rows[0])[:_COLUMNS_SHOWN] if rows else ()
    shown = tuple(tuple(_text(row.get(name)) for name in names) for row in rows[:_ROWS_SHOWN])
    hidden = sum(value is None for row in rows for value in row.values())
    return Sample(names, shown, len(rows), hidden, len(msgspec.json.encode(found)), persons)


def _answered(built: Algorithm, hospitals: int, persons: int) -> Result | None:
    from xinglin.analysis.algorithm import Result, State
    from xinglin.analysis.noisy import Noisy

    try:
        table = _made_up(built, persons)
        state = built.initial_state()
        while True:
            vector = built.local(table, state)
            if isinstance(built, Noisy):
                vector = built.noised(vector, _Stream(b"noise"))
            following: Any = built.update(state, vector.tolist(), hospitals)
            if not isinstance(following, State):
                return following if isinstance(following, Result) else None
            state = following
    except XinglinError:
        return None  # made-up rows can have no answer where real ones do


def _made_up(built: Algorithm, persons: int) -> Table:
    import numpy as np

    from xinglin.analysis.table import Table, column_of
    from xinglin.catalogue.model import ColumnDescription
    from xinglin.privacy.synthesis import twin

    domain = tuple(column_of(built.domain, name) for name in built.columns)
    described = [
        ColumnDescription(
            one.name, "integer" if one.integer else one.kind, low=one.low, high=one.high, levels=one.levels
        )
        for one in domain
    ]  # fmt: skip
    drawn = twin(described, persons, _Stream(b"rows"))
    columns: dict[str, Any] = {}
    for one in domain:
        values = drawn[one.name]
        if one.kind == "category":
            place = {level: at for at, level in enumerate(one.levels)}
            columns[one.name] = np.asarray([place.get(value, -1) for value in values.tolist()], dtype=np.int64)
        else:
            columns[one.name] = np.asarray(values, dtype=np.float64)
    return Table.of(domain, columns, np.arange(persons))


class _Stream:
    """Bytes that are the same each time: made-up rows need no chance, and a page that is drawn anew should not move."""

    def __init__(self, name: bytes) -> None:
        self._name, self._at = name, 0

    def __call__(self, count: int) -> bytes:
        self._at += 1
        return hashlib.shake_256(b"xinglin:preview\0" + self._name + self._at.to_bytes(8, "big")).digest(count)


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return f"{value:.4g}" if isinstance(value, float) else str(value)
