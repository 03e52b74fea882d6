"""A day at a source against the same day here: the source's own count and keys, the lake's, and why they differ.

A database counts by the columns that ``sources.toml`` or its mapping names, a FHIR server by ``_summary=count``.
Whatever else came in is counted by a person, or by a list of keys.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import msgspec

from xinglin.intake.model import HeldRow
from xinglin.intake.reconcile import KEYS, TABLE_OF_KIND, Reconciled, SourceCount, table_of
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.instants import Clock, Instant, system_clock
from xinglin.node.intake.comparing import compare, objects_since
from xinglin.node.intake.pullers import CannotPull, fhir_client, fhir_session, sql_source
from xinglin.node.intake.sources import FhirServer, SourceFile, Sql, read_sources
from xinglin.node.intake.wiring import OpenIntake
from xinglin.records.moments import zone_of

HELD_PAGE = 1_000
KIND_OF_TABLE = {
    "encounter": "visit",
    "condition": "diagnosis",
    "observation": "result",
    "report": "report",
    "medication": "order",
    "procedure": "operation",
    "imaging": "study",
}
"""What rows of a table are counted as, where nobody says."""


class Wanted(msgspec.Struct, frozen=True):
    """What to reconcile. ``day``: ``2024-03-01`` at the hospital. ``kind``: ``admission``, ``result``, … ``column`` and
    ``key``: of the source's table, the day that is counted there and the records' own keys; empty: as ``can_count``
    says. ``count`` or ``keys``: said by a person instead.
    """

    source: str
    day: str
    kind: str
    column: str = ""
    key: str = ""
    count: int | None = None
    keys: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Without keys."""
        return f"Wanted({self.source!r}, {self.day!r}, {self.kind!r})"


class Countable(msgspec.Struct, frozen=True):
    """What a source can count by itself. ``of``: how the keys of its facts begin in the lake (``Encounter/``)."""

    kind: str
    day: str = ""
    key: str = ""
    of: str = ""


def reconciled(opened: OpenIntake, wanted: Wanted, ca_file: Path | None = None) -> dict[str, Any]:
    """Both counts, a sentence in English and Chinese, what is missing and what is too much.

    Raises ``CannotPull``, ``UnknownCount``, ``MalformedMessage`` for a day that is none, or as the source does.
    """
    day = _day(wanted.day)
    table_of(wanted.kind)
    source = next((one for one in read_sources(opened.folder) if one.name == wanted.source), None)
    if source is None:
        raise CannotPull(f"There is no source '{wanted.source[:80]}'.", remedy="See sources.toml.")
    by = _by(source, opened.folder, wanted)
    if wanted.count is not None or wanted.keys:
        count = len(set(wanted.keys)) if wanted.count is None else wanted.count
        theirs = SourceCount(source.name, wanted.day, wanted.kind, count, wanted.keys)
    else:
        theirs = _asked(opened, source, by, day, ca_file)
    return _told(_compared(opened, source, theirs, by.of, day))


def can_count(source: SourceFile, folder: Path) -> tuple[Countable, ...]:
    """What a source is asked for each night; nothing where it cannot be asked. Raises ``BadMapping``."""
    if source.fhir is not None:
        return tuple(_fhir_kinds(source.fhir))
    if source.sql is None:
        return ()
    of_mapping = tuple(_mapped(source, folder))
    if not source.sql.counts:
        return of_mapping
    of = {one.kind: one.of for one in of_mapping}
    for one in source.sql.counts:
        table_of(one.kind)
    # Two kinds of one table (admissions, visits) are not told apart by their keys.
    return tuple(Countable(one.kind, one.day, one.key, of.get(one.kind, "")) for one in source.sql.counts)


def reconcile_day(opened: OpenIntake, source: SourceFile, day: date, ca_file: Path | None) -> Iterator[Reconciled]:
    """One day of everything that a source can count. Raises as the source does."""
    for by in can_count(source, opened.folder):
        yield _compared(opened, source, _asked(opened, source, by, day, ca_file), by.of, day)


def zone_minutes(zone: str, day: date) -> int:
    """Minutes from UTC at noon of a day."""
    offset = datetime.combine(day, time(12), zone_of(zone)).utcoffset()
    return round(offset.total_seconds() / 60) if offset is not None else 0


def day_before(zone: str, at: Instant) -> date:
    """The last day that was over at ``at``, in a zone."""
    return (datetime.fromtimestamp(at / 1000, zone_of(zone)) - timedelta(days=1)).date()


# --- the source's count --------------------------------------------------------------------------


def _by(source: SourceFile, folder: Path, wanted: Wanted) -> Countable:
    """As the source counts this kind, or another of the same table and moment; of the same table, its keys at least."""
    table = TABLE_OF_KIND[wanted.kind]
    known = Countable(wanted.kind)
    for one in can_count(source, folder):
        if one.kind == wanted.kind:
            known = one
            break
        if source.sql is not None and TABLE_OF_KIND[one.kind][0] == table[0]:
            known = Countable(wanted.kind, one.day if TABLE_OF_KIND[one.kind] == table else "", one.key, one.of)
    return Countable(wanted.kind, wanted.column or known.day, wanted.key or known.key, known.of)


def _asked(opened: OpenIntake, source: SourceFile, by: Countable, day: date, ca_file: Path | None) -> SourceCount:
    if source.sql is not None and by.day:
        return _of_database(opened, source, source.sql, by, day)
    if source.fhir is not None and by.of:
        return asyncio.run(_of_server(opened, source, source.fhir, by, day, ca_file))
    remedy = (
        "Say its count with --count, its keys with --keys, or, for a database, the column of the day with --column."
    )
    raise CannotPull(f"'{source.name}' cannot be asked for its own count of this.", remedy=remedy)


def _of_database(opened: OpenIntake, source: SourceFile, way: Sql, by: Countable, day: date) -> SourceCount:
    from xinglin.feeds.sql_puller import SqlPuller

    following, minutes = day + timedelta(days=1), zone_minutes(source.zone, day)
    puller = SqlPuller(sql_source(source, way, opened.folder))
    try:
        if by.key:
            keys = puller.keys(by.key, by.day, day, following, minutes, KEYS.value)
            KEYS.check(len(keys))
            return SourceCount(source.name, day.isoformat(), by.kind, len(keys), keys)
        count = puller.counts(by.day, day, following, minutes).get(day, 0)
        return SourceCount(source.name, day.isoformat(), by.kind, count)
    finally:
        puller.close()


async def _of_server(
    opened: OpenIntake, source: SourceFile, way: FhirServer, by: Countable, day: date, ca_file: Path | None,
    clock: Clock = system_clock,
) -> SourceCount:  # fmt: skip
    """The count; the keys as well where it differs from what is here."""
    from xinglin.feeds.fhir_count import FhirCounter

    zone = zone_of(source.zone)
    first, following = (datetime.combine(one, time(), zone) for one in (day, day + timedelta(days=1)))
    async with fhir_client(ca_file) as client:
        counter = FhirCounter(fhir_session(way, opened.folder, client, clock))
        count = await counter.count(by.kind, first, following)
        theirs = SourceCount(source.name, day.isoformat(), by.kind, count)
        here = await asyncio.to_thread(_compared, opened, source, theirs, by.of, day)
        if here.agrees:
            return theirs
        keys = await counter.keys(by.kind, first, following, KEYS.value)
    KEYS.check(len(keys))
    return SourceCount(source.name, day.isoformat(), by.kind, len(keys), keys)


def _fhir_kinds(way: FhirServer) -> Iterator[Countable]:
    from xinglin.feeds.fhir_count import COUNTED

    for kind, (type_, _, _) in COUNTED.items():
        if not way.types or type_ in way.types:
            yield Countable(kind, of=f"{type_}/")


def _mapped(source: SourceFile, folder: Path) -> Iterator[Countable]:
    """What a mapping says of its tables: rows that all become one fact each, by one key and one moment."""
    from xinglin.records.tabular.mapping import names_in, parse_mapping

    if not source.mapping:
        return
    blocks = parse_mapping(source.source(folder).mapping).table
    for block in blocks:
        kind, names = KIND_OF_TABLE.get(block.into), names_in(block.id)
        field = block.columns.get(TABLE_OF_KIND[kind][1]) if kind is not None else None
        alone = sum(other.into == block.into for other in blocks) == 1
        plain = len(names) == 1 and not names[0].startswith("@") and block.id.endswith(f"/{{{names[0]}}}")
        if kind is None or field is None or not field.column or not alone or not plain or block.when or block.each:
            continue
        yield Countable(kind, field.column, names[0], block.id.partition("{")[0])


# --- both ----------------------------------------------------------------------------------------


def _compared(opened: OpenIntake, source: SourceFile, theirs: SourceCount, of: str, day: date) -> Reconciled:
    def since(name: str, first: str) -> list[str]:
        return objects_since(opened.ledger, name, first)

    held = _held(opened) if theirs.keys else ()
    minutes = zone_minutes(source.zone, day)
    return compare(theirs, opened.lake, held, opened.raw, since, zone_minutes=minutes, of=of)


def _held(opened: OpenIntake) -> Iterator[HeldRow]:
    after = 0
    while page := opened.accounts.held(after, HELD_PAGE):
        yield from page
        after = page[-1].id


def _told(done: Reconciled) -> dict[str, Any]:
    return {
        "source": done.theirs.source,
        "day": done.theirs.day,
        "kind": done.theirs.kind,
        "there": done.theirs.count,
        "here": done.here.count,
        "agrees": done.agrees,
        "words": done.words(),
        "words_zh": done.words_zh(),
        "missing": msgspec.to_builtins(done.missing),
        "surplus": list(done.surplus),
    }


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise MalformedMessage("A day is written 2024-03-01.") from error
