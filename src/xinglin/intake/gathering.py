"""A batch while it gathers: parts of objects, the digests of their rows, and how full it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from xinglin.intake.model import QUARANTINE_WORDS, BatchLimits, Outcome, Part, SourceVersion, Tally
from xinglin.intake.ports import Kept, Prepared, RowKeys
from xinglin.kernel.instants import Instant
from xinglin.records.model import Unread


class Due(msgspec.Struct, frozen=True):
    """One object that is to be read: under which version of its source, after which parts, and whether again.

    ``named``: its facts' names are wanted, too.
    """

    kept: Kept
    version: SourceVersion | None
    skip: int = 0
    again: bool = False
    named: bool = False


class _Rows(msgspec.Struct):
    """The rows of one part: where they begin in their tables."""

    keys: RowKeys
    start: int


class Gathering:
    """What a batch holds so far; ``settle`` makes its parts once the ledger has judged the rows."""

    def __init__(self, limits: BatchLimits) -> None:
        self._limits = limits
        self._parts: list[tuple[Part, list[_Rows]]] = []
        self._facts: dict[str, list[bytes]] = {}
        self._contents: dict[str, list[bytes]] = {}
        self._count: dict[str, int] = {}
        self._held = self._objects = self._size = 0
        self.persons: dict[int, set[bytes]] = {}
        self.names: list[bytes] = []

    @property
    def empty(self) -> bool:
        """Nothing was gathered."""
        return not self._parts

    @property
    def objects(self) -> int:
        """Objects that have a part in it."""
        return len({part.sequence for part, _ in self._parts})

    @property
    def full(self) -> bool:
        """A limit of the batch is reached."""
        limits = self._limits
        rows = sum(self._count.values()) + self._held
        return rows >= limits.rows or self._objects >= limits.objects or self._size >= limits.size_bytes

    def take(self, due: Due, number: int, prepared: Prepared) -> None:
        """A part that was prepared."""
        placed = []
        for keys in prepared.rows:
            placed.append(_Rows(keys, self._count.get(keys.table, 0)))
            self._count[keys.table] = self._count.get(keys.table, 0) + len(keys.records)
            self._facts.setdefault(keys.table, []).append(keys.facts)
            self._contents.setdefault(keys.table, []).append(keys.contents)
            self.names.append(keys.names)
        held = len(prepared.unread) + len(prepared.rejects)
        tally = Tally(
            received=prepared.received,
            accepted=prepared.accepted,
            ignored=prepared.ignored,
            quarantined=len(prepared.unread),
            rejected=len(prepared.rejects),
        )
        part = _part(due, number, prepared.last, tally, unread=prepared.unread, rejects=prepared.rejects)
        self._add(part, placed, held)
        if prepared.persons:
            self.persons.setdefault(due.kept.sequence, set()).update(prepared.persons)

    def turn_away(self, due: Due, number: int, outcome: Outcome, why: Unread) -> None:
        """The whole object, or what is left of it, is quarantined or rejected: one record."""
        quarantined = outcome == "quarantined"
        tally = Tally(received=1, quarantined=int(quarantined), rejected=int(not quarantined))
        lists = {"unread": (why,)} if quarantined else {"rejects": (why,)}
        self._add(_part(due, number, True, tally, outcome=outcome, code=why.code, **lists), [], 1)

    def rows(self) -> dict[str, tuple[bytes, bytes]]:
        """By table: the digests of all rows, joined, in order."""
        return {table: (b"".join(self._facts[table]), b"".join(self._contents[table])) for table in self._facts}

    def settle(self, repeated: Mapping[str, frozenset[int]]) -> tuple[tuple[Part, ...], dict[str, int]]:
        """The parts with their repeated records counted, and the new rows by table."""
        parts = tuple(_counted(part, placed, repeated) for part, placed in self._parts)
        fresh = {table: count - len(repeated.get(table, ())) for table, count in sorted(self._count.items())}
        return parts, {table: count for table, count in fresh.items() if count}

    def _add(self, part: Part, placed: list[_Rows], held: int) -> None:
        self._parts.append((part, placed))
        self._held += held
        self._objects += part.last
        self._size += part.size_bytes if part.last else 0


def local_day(instant: Instant, zone: str) -> str:
    """The day that it was at the source (``2024-03-01``); UTC where the zone's name says nothing.

    >>> local_day(1709251200000 - 3_600_000, "+08:00")
    '2024-03-01'
    """
    return datetime.fromtimestamp(instant / 1000, _zone(zone)).strftime("%Y-%m-%d")


def _zone(name: str) -> tzinfo:
    try:
        if name[:1] in "+-" and name:
            hours, _, minutes = name[1:].partition(":")
            offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
            return timezone(offset if name[0] == "+" else -offset)
        return ZoneInfo(name)
    except (ValueError, ZoneInfoNotFoundError, OSError):
        return UTC


def _part(
    due: Due,
    number: int,
    last: bool,
    tally: Tally,
    *,
    outcome: Outcome = "committed",
    code: str = "",
    unread: Iterable[Unread] = (),
    rejects: Iterable[Unread] = (),
) -> Part:
    kept = due.kept
    zone = due.version.source.zone if due.version else ""
    return Part(
        sequence=kept.sequence,
        digest=kept.digest,
        source=kept.source,
        media_type=kept.media_type,
        received_at=kept.received_at,
        day=local_day(kept.received_at, zone),
        size_bytes=kept.size_bytes,
        version=due.version.version if due.version else 0,
        number=number,
        last=last,
        tally=tally,
        outcome=outcome,
        code=code,
        again=due.again,
        unread=tuple(map(_short, unread)),
        rejects=tuple(map(_short, rejects)),
    )


def _short(one: Unread) -> Unread:
    if len(one.words) <= QUARANTINE_WORDS.value and len(one.place) <= QUARANTINE_WORDS.value:
        return one
    return Unread(one.place[: QUARANTINE_WORDS.value], one.code, one.words[: QUARANTINE_WORDS.value])


def _counted(part: Part, placed: list[_Rows], repeated: Mapping[str, frozenset[int]]) -> Part:
    """A record is repeated when it gave rows and none of them is new."""
    if not any(repeated.values()):
        return part
    known: set[int] = set()
    fresh: set[int] = set()
    for one in placed:
        dropped = repeated.get(one.keys.table, frozenset())
        for at, record in enumerate(one.keys.records, one.start):
            (known if at in dropped else fresh).add(record)
    tally = msgspec.structs.replace(part.tally, repeated=len(known - fresh))
    return msgspec.structs.replace(part, tally=tally)
