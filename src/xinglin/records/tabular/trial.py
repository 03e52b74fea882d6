"""A mapping tried on a file: how many rows of each table, a few of them, and what cannot be read."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from xinglin.records.model import Mapped, ReadContext, Unread
from xinglin.records.tabular.reader import TabularReader

_EXAMPLES = 20


class TriedTable(msgspec.Struct, frozen=True):
    """Rows that a mapping would make of one table; ``sample`` holds values, for the hospital's own eyes."""

    table: str
    rows: int
    columns: tuple[str, ...]
    sample: tuple[tuple[Any, ...], ...]


class Trial(msgspec.Struct, frozen=True):
    """What a mapping makes of a file. ``flags`` and ``codes``: how often each; ``examples``: the first unread."""

    received: int
    accepted: int
    unread: int
    ignored: int
    tables: tuple[TriedTable, ...]
    flags: dict[str, int]
    codes: dict[str, int]
    why_ignored: dict[str, int]
    examples: tuple[Unread, ...]


def try_mapping(mapping: str, body: bytes, zone: str = "+08:00", sample: int = 3) -> Trial:
    """Follow a mapping (TOML text) through a file without keeping anything; raises what the reader raises."""
    counts: Counter[str] = Counter()
    flags: Counter[str] = Counter()
    codes: Counter[str] = Counter()
    ignored: Counter[str] = Counter()
    shown: dict[tuple[str, tuple[str, ...]], list[tuple[Any, ...]]] = {}
    examples: list[Unread] = []
    received = accepted = 0
    for read in TabularReader().read(body, ReadContext("trial", 0, zone=zone, mapping=mapping)):
        received += read.received
        accepted += read.accepted
        ignored.update(read.ignored)
        codes.update(one.code for one in read.unread)
        examples += read.unread[: _EXAMPLES - len(examples)]
        for mapped in read.mapped:
            counts[mapped.table] += len(mapped.rows)
            flags.update(_flags(mapped))
            kept = shown.setdefault((mapped.table, mapped.columns), [])
            kept += mapped.rows[: sample - len(kept)]
    tables = tuple(TriedTable(name, counts[name], columns, tuple(rows)) for (name, columns), rows in shown.items())
    total = sum(codes.values()), sum(ignored.values())
    found = dict(flags.most_common()), dict(codes.most_common()), dict(ignored)
    return Trial(received, accepted, *total, tables, *found, tuple(examples))


def _flags(mapped: Mapped) -> Counter[str]:
    place = mapped.columns.index("flags")
    return Counter(flag for row in mapped.rows if row[place] for flag in row[place].split(" "))
