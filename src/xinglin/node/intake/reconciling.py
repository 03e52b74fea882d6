"""A day at a source against the same day here: the source's own count, the lake's, and why they differ."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

import msgspec

from xinglin.intake.reconcile import HereCount, SourceCount, mentioned, reconcile, table_of
from xinglin.kernel.errors import MalformedMessage
from xinglin.node.intake.pullers import CannotPull, sql_source
from xinglin.node.intake.sources import SourceFile, read_sources
from xinglin.node.intake.wiring import OpenIntake
from xinglin.records.moments import zone_of

HELD = 10_000


class Wanted(msgspec.Struct, frozen=True):
    """What to reconcile. ``day``: ``2024-03-01`` at the hospital. ``kind``: ``admission``, ``result``, … ``column``: of
    the source's table, whose day is counted there; ``count``: said by a person instead. ``keys``: the source's own.
    """

    source: str
    day: str
    kind: str
    column: str = ""
    count: int | None = None
    keys: tuple[str, ...] = ()


def reconciled(opened: OpenIntake, wanted: Wanted) -> dict[str, Any]:
    """Both counts, a sentence in English and Chinese, what is missing. Raises ``CannotPull`` or ``UnknownCount``."""
    from xinglin.lake.quality_days import keyed_day

    day = _day(wanted.day)
    source = next((one for one in read_sources(opened.folder) if one.name == wanted.source), None)
    if source is None:
        raise CannotPull(f"There is no source '{wanted.source[:80]}'.", remedy="See sources.toml.")
    table, moment = table_of(wanted.kind)
    theirs = SourceCount(source.name, wanted.day, wanted.kind, _theirs(opened, source, wanted, day), wanted.keys)
    minutes = _minutes(source.zone, day)
    found = keyed_day(opened.lake, source.name, table, moment, wanted.day, wanted.keys, minutes)
    here = HereCount(source.name, wanted.day, wanted.kind, found.count, found.keys, found.other_days, found.taken_back)
    lost = [key for key in wanted.keys if key not in found.keys]
    held = [one for one in opened.accounts.held(0, HELD) if one.source == source.name] if lost else []
    done = reconcile(theirs, here, mentioned(opened.raw, held, lost) if lost else None)
    return {
        "source": source.name,
        "day": wanted.day,
        "kind": wanted.kind,
        "there": theirs.count,
        "here": here.count,
        "agrees": done.agrees,
        "words": done.words(),
        "words_zh": done.words_zh(),
        "missing": msgspec.to_builtins(done.missing),
    }


def _theirs(opened: OpenIntake, source: SourceFile, wanted: Wanted, day: date) -> int:
    if wanted.count is not None:
        return wanted.count
    if wanted.keys:
        return len(wanted.keys)
    if source.sql is None or not wanted.column:
        remedy = "Say its count with --count, or, for a database, the column of the day with --column."
        raise CannotPull(f"'{source.name}' cannot be asked for its own count.", remedy=remedy)
    from xinglin.feeds.sql_puller import SqlPuller

    puller = SqlPuller(sql_source(source, source.sql, opened.folder))
    try:
        return puller.counts(wanted.column, day, day + timedelta(days=1)).get(day, 0)
    finally:
        puller.close()


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise MalformedMessage("A day is written 2024-03-01.") from error


def _minutes(zone: str, day: date) -> int:
    offset = datetime.combine(day, time(12), zone_of(zone)).utcoffset()
    return round(offset.total_seconds() / 60) if offset is not None else 0
