"""Local codes without a standard one, the most frequent first, and candidates proposed for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.records.terminology.local import Decision, LocalCode, LocalKey
from xinglin.records.terminology.suggestions import LocalItem, NameIndex
from xinglin.records.terminology.translating import concept_columns

LISTED = Limit("unmapped codes of a column", 10_000, "codes")
SURE = 0.5
"""A candidate below this score is not proposed."""

Ask = Callable[[str], Iterable[Sequence[Any]]]
"""Runs a SELECT over current views of the canonical tables (DuckDB) and gives its rows."""


class Unmapped(msgspec.Struct, frozen=True):
    """A local code that rows have without a standard code; ``unit`` and ``median`` of its values, where it has any."""

    key: LocalKey
    text: str
    seen: int
    unit: str = ""
    median: float | None = None

    def __repr__(self) -> str:
        """Without texts."""
        return f"Unmapped({self.key!r}, {self.seen})"

    def item(self) -> LocalItem:
        """As candidates are looked for."""
        return LocalItem("" if self.key.code == self.text else self.key.code, self.text, self.unit, self.median)


def unmapped_sql(table: str, column: str, limit: int = 1_000, *, texts: bool = False) -> str:
    """The SELECT behind ``unmapped``; ``texts``: rows with a text and no code as well.

    >>> "WHERE code IS NULL AND code_source IS NOT NULL" in unmapped_sql("condition", "code")
    True
    """
    if column not in concept_columns(table):
        raise ValueError(f"{table}.{column} is no concept column")
    LISTED.check(limit)
    code = f"coalesce({column}_source, {column}_source_text)" if texts else f"{column}_source"
    measured = (table, column) == ("observation", "code")
    extra = "mode(value_unit_source), median(value_number)" if measured else "NULL, NULL"
    return (  # names are those of the canonical tables
        f"SELECT coalesce(source, ''), coalesce({column}_source_system, ''), {code}, "  # noqa: S608
        f"mode({column}_source_text), count(*) AS seen, {extra} FROM {table} "
        f"WHERE {column} IS NULL AND {code} IS NOT NULL GROUP BY 1, 2, 3 ORDER BY seen DESC, 3 LIMIT {limit}"
    )


def unmapped(ask: Ask, tables: Iterable[str], *, limit: int = 1_000, texts: bool = False) -> tuple[Unmapped, ...]:
    """Unmapped codes of every concept column of ``tables``, most frequent first."""
    found = []
    for table in tables:
        for column in concept_columns(table):
            for source, system, code, text, seen, unit, median in ask(unmapped_sql(table, column, limit, texts=texts)):
                key = LocalKey(source, f"{table}.{column}", system, str(code))
                middle = None if median is None else float(median)
                found.append(Unmapped(key, text or str(code), int(seen), unit or "", middle))
    found.sort(key=lambda one: (-one.seen, one.key))
    return tuple(found[:limit])


def undecided(found: Iterable[Unmapped], known: Iterable[LocalCode]) -> tuple[Unmapped, ...]:
    """Those that nobody accepted or rejected a mapping of (their rows may be older than the decision)."""
    settled = {one.key for one in known if one.state != "proposed"}
    return tuple(one for one in found if one.key not in settled)


def propose(found: Iterable[Unmapped], index: NameIndex, by: str, at: Instant) -> tuple[Decision, ...]:
    """For each code the best candidate as a proposal; one without a candidate waits without a target."""
    return tuple(_proposal(one, index, by, at) for one in found)


def _proposal(one: Unmapped, index: NameIndex, by: str, at: Instant) -> Decision:
    best = next(iter(index.suggest(one.item(), 1)), None)
    if best is None or best.score < SURE:
        return Decision(one.key, "propose", by, at, text=one.text, seen=one.seen)
    note = f"score {best.score:.2f}"
    return Decision(
        one.key, "propose", by, at, best.code, best.system, best.display, "equivalent", note, one.text, one.seen
    )
