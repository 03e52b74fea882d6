"""Steps 2 to 5: bytes that nobody trusts become rows that wait for their batch.

Pure: bytes, a source and rules in; rows, digests and findings out. ``stores.intake_child`` runs the same code
in a process that can be killed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from xinglin.catalogue.canonical_tables import CANONICAL_TABLES
from xinglin.intake.attributing import Attribution
from xinglin.intake.digests import RowDigests, person_digest, qualified
from xinglin.intake.errors import ReaderFailed
from xinglin.intake.model import READER_FAILED, UNACCOUNTED, UNSHAPED, Source
from xinglin.intake.ports import Prepared, RowKeys, Surveyed, Terms, Work
from xinglin.kernel.instants import Instant
from xinglin.records.errors import RecordsError
from xinglin.records.fhir.persons import patients_named
from xinglin.records.model import Flag, Mapped, Read, Reader, Resource, Turned, Unread, turned

UNMAPPABLE = "intake.unmappable"
FUTURE_VERSION = "intake.future_version"
"""Flag of a row whose source says that it was changed later than it was received."""
AHEAD_MS = 24 * 3600 * 1000
"""How much later a version may be than its receipt: clocks go ahead, and zones are taken for one another."""
_CANONICAL = frozenset(table.name for table in CANONICAL_TABLES)
_UNMAPPABLE_WORDS = "The record does not fit the views that map it."

BROKEN_INPUT = (RecordsError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError)
"""What code that reads other people's bytes raises when they are not what it took them for."""


class Origin(msgspec.Struct, frozen=True):
    """Where the rows of a part came from."""

    source: str
    namespace: str
    message: str
    received_at: Instant
    zone: str


Shaper = Callable[[str, Sequence[tuple[Turned, Origin]], int, Instant], Any]
"""Makes an Arrow table in the stored columns of one canonical table: of its rows, a batch and its instant."""


class Steps(msgspec.Struct, frozen=True):
    """What a preparer does with what a reader gave.

    ``readers`` by media type; ``map_resources``: the views; ``shape``: rows to Arrow; ``check``: flags of one FHIR
    resource under a release (None: the readers check); ``terms``: standard codes (None: not configured).
    """

    readers: Mapping[str, Reader]
    map_resources: Callable[[Sequence[Resource]], list[Mapped]]
    shape: Shaper
    check: Callable[[dict[str, Any], str], Sequence[Flag]] | None = None
    terms: Terms | None = None


_Sought = tuple[set[str], set[str], set[bytes], set[str]]
"""Places of others, places of the persons, digests of their facts, and their keys."""


class _Part(msgspec.Struct):
    origin: Origin
    rows: list[Turned]


class Preparation:
    """A ``Preparer`` in this process. ``key``: the ledger's; ``erased``: digests of persons who were erased."""

    def __init__(self, steps: Steps, key: bytes, erased: Collection[bytes] = ()) -> None:
        self._steps, self._key, self._erased = steps, key, frozenset(erased)
        self._parts: list[_Part] = []
        self._digests: dict[tuple[str, str, tuple[str, ...]], RowDigests] = {}

    def prepare(self, work: Work, body: bytes) -> Iterator[Prepared]:
        """See the port."""
        reader = self._steps.readers[work.media_type]
        context = work.source.context(work.kept.received_at)
        gathered, whole, number = _Gathered(), False, 0
        try:
            for read in reader.read(body, context):
                if whole:
                    if number >= work.skip:
                        yield self._part(work, gathered, last=False)
                    gathered, number = _Gathered(), number + 1
                self._gather(gathered, read, work.source, mapped=number >= work.skip)
                whole = not read.open
            if number >= work.skip:
                yield self._part(work, gathered, last=True)
        except RecordsError:
            raise
        except BROKEN_INPUT as error:
            raise ReaderFailed(READER_FAILED, f"The reader broke ({type(error).__name__}).") from error

    def reads(self, media_type: str) -> bool:
        """See the port."""
        return media_type in self._steps.readers

    def refuse(self, erased: Collection[bytes]) -> None:
        """See the port."""
        self._erased = frozenset(erased)

    def forget(self) -> None:
        """See the port."""
        self._parts.clear()

    def survey(self, work: Work, body: bytes, persons: Collection[bytes]) -> Surveyed:
        """See the port ``Surveyor``."""
        wanted, names = frozenset(persons), set[str]()
        keep: set[str] = set()
        drop: set[str] = set()
        facts: set[bytes] = set()
        try:
            for read in self._steps.readers[work.media_type].read(body, work.source.context(work.kept.received_at)):
                rows, _ = self._mapped(list(read.resources))
                mapped = (*rows, *read.mapped)
                for one in mapped:
                    self._seek(work.source, one, wanted, (keep, drop, facts, names))
                for place, named in (*_without_rows(read.resources, mapped), *read.named):
                    about = {one for one in named if self._digest(work.source, one) in wanted}
                    names |= about
                    (drop if about else keep).update((place,) if named else ())
        except RecordsError:
            raise
        except BROKEN_INPUT as error:
            raise ReaderFailed(READER_FAILED, f"The reader broke ({type(error).__name__}).") from error
        return Surveyed(tuple(keep - drop), tuple(drop), tuple(facts), tuple(sorted(names)))

    def _seek(self, source: Source, mapped: Mapped, persons: frozenset[bytes], into: _Sought) -> None:
        keep, drop, facts, names = into
        columns = mapped.columns
        place_at, id_at = columns.index("place"), columns.index("id")
        person_at = columns.index("patient") if "patient" in columns else id_at if mapped.table == "patient" else -1
        digests = RowDigests(self._key, source.name, mapped.table, columns)
        for row in mapped.rows:
            keys = {row[at] for at in (person_at, id_at if mapped.table == "patient" else -1) if at >= 0 and row[at]}
            about = {one for one in keys if self._digest(source, one) in persons}
            names |= about
            if about:
                drop.add(row[place_at] or "")
                facts.add(digests.fact(row))
            else:
                keep.add(row[place_at] or "")

    def _digest(self, source: Source, person: str) -> bytes:
        return person_digest(self._key, qualified(source.namespace, person))

    def tables(self, repeated: Mapping[str, Collection[int]], batch: int, recorded_at: Instant) -> dict[str, Any]:
        """See the port."""
        gathered: dict[str, list[tuple[Turned, Origin]]] = {}
        for part in self._parts:
            for one in part.rows:
                gathered.setdefault(one.table, []).append((one, part.origin))
        self._parts.clear()
        shaped = {}
        for table in sorted(gathered):
            rows = _without(gathered[table], repeated.get(table, ()))
            try:
                if rows:
                    shaped[table] = self._steps.shape(table, rows, batch, recorded_at)
            except BROKEN_INPUT as error:
                why = f"The rows did not fit their table ({type(error).__name__})."
                raise ReaderFailed(UNSHAPED, why) from error
        return shaped

    def close(self) -> None:
        """See the port."""
        self._parts.clear()

    def _gather(self, gathered: _Gathered, read: Read, source: Source, *, mapped: bool) -> None:
        """What a reader gave: 2. checked, 3. mapped. Its resources are let go at once."""
        _must_add_up(read)
        gathered.received += read.received
        if not mapped:
            return
        resources = self._checked(read.resources, source)
        rows, failed = self._mapped(resources)
        gathered.take(read, resources, (*rows, *read.mapped), failed)

    def _part(self, work: Work, gathered: _Gathered, *, last: bool) -> Prepared:
        """One part: 4. translated, 5. attributed, and digested."""
        given, unread = gathered.rows(), gathered.unread
        if self._steps.terms is not None:
            given = self._steps.terms.fill(given, work.source.name)
        attributed = Attribution(self._key, work.source, self._erased)
        given = attributed.sort(given, Counter(gathered.places))
        attributed.hear(gathered.named, gathered.lost)
        unread += attributed.unread
        received, ignored = gathered.received, gathered.ignored
        tableless = sum(place not in attributed.numbers for place in gathered.places) - gathered.failed
        tableless -= attributed.unheard
        kept = [one for one in given if one.count]
        rows = self._keys(work, kept, attributed.numbers)
        self._parts.append(_Part(_origin(work), [_versioned(one, work.kept.received_at) for one in kept]))
        return Prepared(
            received=received,
            accepted=received - len(unread) - len(attributed.rejects),
            ignored=ignored + max(tableless, 0),
            last=last,
            rows=rows,
            unread=tuple(unread),
            rejects=tuple(attributed.rejects),
            persons=tuple(sorted(attributed.persons)),
        )

    def _checked(self, resources: Sequence[Resource], source: Source) -> list[Resource]:
        check = self._steps.check
        if check is None:
            return list(resources)
        checked = []
        for one in resources:
            found = () if one.partial else check(one.body, source.release)
            checked.append(msgspec.structs.replace(one, flags=(*one.flags, *found)) if found else one)
        return checked

    def _mapped(self, resources: list[Resource]) -> tuple[list[Mapped], list[Unread]]:
        """All at once; where one of them breaks the views, one by one."""
        if not resources:
            return [], []
        try:
            return self._steps.map_resources(resources), []
        except BROKEN_INPUT:
            mapped: list[Mapped] = []
            failed = []
            for one in resources:
                try:
                    mapped += self._steps.map_resources([one])
                except BROKEN_INPUT:
                    failed.append(Unread(one.place, UNMAPPABLE, _UNMAPPABLE_WORDS))
            return mapped, failed

    def _keys(self, work: Work, given: Iterable[Turned], numbers: Mapping[str, int]) -> tuple[RowKeys, ...]:
        found = []
        for one in given:
            name = (work.source.name, one.table, one.columns)
            digests = self._digests.get(name)
            if digests is None:
                digests = self._digests[name] = RowDigests(self._key, *name)
            found.append(
                RowKeys(
                    one.table,
                    digests.facts(one.values, one.count),
                    digests.contents(one.values, one.count),
                    tuple([numbers[place or ""] for place in one.column("place")]),
                    b"".join(map(digests.name, one.column("id"))) if work.named else b"",
                )
            )
        return tuple(found)


class _Gathered:
    """What is known of the records of a part that is not whole yet."""

    def __init__(self) -> None:
        self.received, self.ignored, self.failed = 0, 0, 0
        self.places: list[str] = []
        self.unread: list[Unread] = []
        self.lost: set[str] = set()
        self.named: list[tuple[str, frozenset[str]]] = []
        """Whom records name that give no row, by place."""
        self._rows: dict[tuple[str, tuple[str, ...], tuple[tuple[str, str], ...]], list[tuple[Any, ...]]] = {}

    def take(self, read: Read, resources: list[Resource], mapped: Sequence[Mapped], failed: list[Unread]) -> None:
        """One more read, and the rows of its resources."""
        self.ignored += sum(read.ignored.values())
        self.failed += len(failed)
        self.places += [one.place for one in resources]
        self.unread += (*read.unread, *failed)
        self.lost.update([one.place for one in failed], [place for place, _ in read.named])
        self.named += (*_without_rows(resources, mapped), *read.named)
        for one in mapped:
            self._rows.setdefault((one.table, one.columns, one.kinds), []).extend(one.rows)

    def rows(self) -> list[Turned]:
        """The rows, those of the same columns together."""
        return [turned(Mapped(table, columns, rows, kinds)) for (table, columns, kinds), rows in self._rows.items()]


def _without_rows(resources: Iterable[Resource], mapped: Iterable[Mapped]) -> Iterator[tuple[str, frozenset[str]]]:
    """Places of resources that gave no row, each with the patients whom it names."""
    placed: set[str] = set()
    for one in mapped:
        at = one.columns.index("place")
        placed.update([row[at] for row in one.rows])
    for resource in resources:
        if resource.place not in placed:
            yield resource.place, patients_named(resource.body)


def counted(records: Iterable[Unread]) -> dict[str, int]:
    """How many of each code."""
    return dict(Counter(one.code for one in records))


def _must_add_up(read: Read) -> None:
    given = len(read.resources) + read.accepted + len(read.unread) + sum(read.ignored.values())
    if given != read.received:
        raise ReaderFailed(UNACCOUNTED, f"The reader received {read.received} records and gave {given}.")


def _origin(work: Work) -> Origin:
    source = work.source
    return Origin(source.name, source.namespace, work.kept.digest, work.kept.received_at, source.zone)


def _versioned(rows: Turned, received_at: Instant) -> Turned:
    """Rows whose source told no version have that of their receipt; their digests are of what was told.

    Canonical rows get it when they are shaped. A version that is later than a wrong clock or zone explains is that of
    the receipt, too, and a flag: a version from the future would be the newest one for ever, whatever any source
    says later.
    """
    names, values = rows.columns, rows.values
    if "version_at" not in names:
        return Turned(
            rows.table, (*names, "version_at"), (*values, (received_at,) * rows.count), rows.count, rows.kinds
        )
    at, latest = names.index("version_at"), received_at + AHEAD_MS
    told = set(values[at])
    shaped_later = rows.table in _CANONICAL and told <= {None}
    if shaped_later or all(version and version <= latest for version in told):
        return rows
    changed = list(values)
    ahead = [bool(version) and version > latest for version in values[at]]
    changed[at] = tuple(
        [received_at if late or not version else version for version, late in zip(values[at], ahead, strict=True)]
    )
    if "flags" in names and any(ahead):
        flags = names.index("flags")
        changed[flags] = tuple(
            [_flagged(said) if late else said for said, late in zip(values[flags], ahead, strict=True)]
        )
    return Turned(rows.table, names, tuple(changed), rows.count, rows.kinds)


def _flagged(flags: Any) -> str:
    """A flag beside others: the row told another version than that of its receipt."""
    return f"{flags} {FUTURE_VERSION}" if flags else FUTURE_VERSION


def _without(rows: list[tuple[Turned, Origin]], repeated: Collection[int]) -> list[tuple[Turned, Origin]]:
    """The rows at other positions than ``repeated``, counted through all of them."""
    if not repeated:
        return rows
    found, start = [], 0
    for one, origin in rows:
        chosen = [at not in repeated for at in range(start, start + one.count)]
        start += one.count
        if all(chosen):
            found.append((one, origin))
        elif any(chosen):
            found.append((one.only(chosen), origin))
    return found
