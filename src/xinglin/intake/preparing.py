"""Steps 2 to 5: bytes that nobody trusts become rows that wait for their batch.

Pure: bytes, a source and rules in; rows, digests and findings out. ``stores.intake_child`` runs the same code
in a process that can be killed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

import msgspec

from xinglin.catalogue.canonical_tables import CANONICAL_TABLES
from xinglin.intake.digests import RowDigests, person_digest, qualified
from xinglin.intake.errors import ReaderFailed
from xinglin.intake.model import ERASED_PERSON, READER_FAILED, UNACCOUNTED, UNSHAPED, Source
from xinglin.intake.ports import Prepared, RowKeys, Surveyed, Terms, Work
from xinglin.kernel.instants import Instant
from xinglin.records.errors import RecordsError
from xinglin.records.fhir.persons import patients_named
from xinglin.records.model import Flag, Mapped, Read, Reader, Resource, Unread

NO_ID = "intake.no_id"
NO_PATIENT = "intake.no_patient"
OTHER_TABLE = "intake.other_table"
UNMAPPABLE = "intake.unmappable"
FUTURE_VERSION = "intake.future_version"
"""Flag of a row whose source says that it was changed later than it was received."""
AHEAD_MS = 24 * 3600 * 1000
"""How much later a version may be than its receipt: clocks go ahead, and zones are taken for one another."""
_CANONICAL = frozenset(table.name for table in CANONICAL_TABLES)
_OF_PERSON = frozenset(table.name for table in CANONICAL_TABLES if table.of_person and table.name != "patient")
_WORDS = {
    NO_ID: "The record gives a fact without an id.",
    NO_PATIENT: "The record gives a fact about a person without saying about whom.",
    OTHER_TABLE: "The record gives a row of a table that its source may not fill.",
    UNMAPPABLE: "The record does not fit the views that map it.",
    ERASED_PERSON: "The record is about a person whose data was erased.",
}

BROKEN_INPUT = (RecordsError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError)
"""What code that reads other people's bytes raises when they are not what it took them for."""


class Origin(msgspec.Struct, frozen=True):
    """Where the rows of a part came from."""

    source: str
    namespace: str
    message: str
    received_at: Instant
    zone: str


Shaper = Callable[[str, Sequence[tuple[Mapped, Origin]], int, Instant], Any]
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
    mapped: list[Mapped]


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
        gathered: dict[str, list[tuple[Mapped, Origin]]] = {}
        for part in self._parts:
            for mapped in part.mapped:
                gathered.setdefault(mapped.table, []).append((mapped, part.origin))
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
        mapped, unread = gathered.mapped(), gathered.unread
        if self._steps.terms is not None:
            mapped = self._steps.terms.translate(mapped, work.source.name)
        attributed = _Attribution(self._key, work.source, self._erased)
        mapped = attributed.sort(mapped, Counter(gathered.places))
        attributed.hear(gathered.named, gathered.lost)
        unread += attributed.unread
        received, ignored = gathered.received, gathered.ignored
        tableless = sum(place not in attributed.numbers for place in gathered.places) - gathered.failed
        tableless -= attributed.unheard
        kept = [one for one in mapped if one.rows]
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
                    failed.append(Unread(one.place, UNMAPPABLE, _WORDS[UNMAPPABLE]))
            return mapped, failed

    def _keys(self, work: Work, mapped: Iterable[Mapped], numbers: Mapping[str, int]) -> tuple[RowKeys, ...]:
        found = []
        for one in mapped:
            name = (work.source.name, one.table, one.columns)
            digests = self._digests.get(name)
            if digests is None:
                digests = self._digests[name] = RowDigests(self._key, *name)
            place = one.columns.index("place")
            found.append(
                RowKeys(
                    one.table,
                    digests.facts(one.rows),
                    digests.contents(one.rows),
                    tuple([numbers[row[place] or ""] for row in one.rows]),
                    b"".join(map(digests.name, one.rows)) if work.named else b"",
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

    def mapped(self) -> list[Mapped]:
        """The rows, those of the same columns together."""
        return [Mapped(table, columns, rows, kinds) for (table, columns, kinds), rows in self._rows.items()]


class _Attribution:
    """Whose rows are these? Records that cannot be said of anybody are unread; those of erased persons rejected."""

    def __init__(self, key: bytes, source: Source, erased: frozenset[bytes]) -> None:
        self._key, self._source, self._erased = key, source, erased
        self._digests: dict[str, bytes] = {}
        self._verdicts: dict[str, str] = {}
        self.numbers: dict[str, int] = {}
        self.unread: list[Unread] = []
        self.rejects: list[Unread] = []
        self.unheard = 0

    @property
    def persons(self) -> set[bytes]:
        """Digests of everybody whom the part names."""
        return set(self._digests.values())

    def sort(self, mapped: list[Mapped], records: Mapping[str, int]) -> list[Mapped]:
        """The rows of records that may go in; ``records``: how many there are at a place, where it is not one."""
        for one in mapped:
            self._judge(one)
        for place, code in self._verdicts.items():
            held = [Unread(place, code, _WORDS[code])] * max(1, records.get(place, 0))
            (self.rejects if code == ERASED_PERSON else self.unread).extend(held)
        if not self._verdicts:
            return mapped
        return [_only(one, lambda place: place not in self._verdicts) for one in mapped]

    def hear(self, named: Iterable[tuple[str, frozenset[str]]], lost: Collection[str]) -> None:
        """Notes whom records without a row name, so that an erasure finds them; rejects those of erased persons.

        ``lost``: places of records that are quarantined already.
        """
        for place, persons in named:
            refused = {self._is_refused(person) for person in persons}
            if True in refused and place not in lost:
                self.rejects.append(Unread(place, ERASED_PERSON, _WORDS[ERASED_PERSON]))
                self.unheard += 1

    def _judge(self, mapped: Mapped) -> None:
        """Numbers the records and notes what speaks against one of them."""
        names, numbers = mapped.columns, self.numbers
        place_at, id_at = names.index("place"), names.index("id")
        for place in dict.fromkeys([row[place_at] or "" for row in mapped.rows]):
            if place not in numbers:
                numbers[place] = len(numbers)
        of_person = mapped.table in _OF_PERSON or (mapped.table not in _CANONICAL and "patient" in names)
        person_at = -1
        if of_person or mapped.table == "patient":
            person_at = names.index("patient") if "patient" in names and of_person else id_at
        nobody = of_person and "patient" not in names
        allowed = not self._source.tables or mapped.table in self._source.tables
        if allowed and not nobody and self._all_right(mapped.rows, id_at, person_at):
            return
        for row in mapped.rows:
            place = row[place_at] or ""
            if not allowed:
                self._verdicts[place] = OTHER_TABLE
            elif not row[id_at]:
                self._verdicts[place] = NO_ID
            elif person_at >= 0:
                self._see(None if nobody else row[person_at], place)

    def _all_right(self, rows: Sequence[tuple[Any, ...]], id_at: int, person_at: int) -> bool:
        """Whether every row has an id, and a person who was not erased."""
        if not all(map(itemgetter(id_at), rows)):
            return False
        persons = set(map(itemgetter(person_at), rows)) if person_at >= 0 else ()
        if not all(persons):
            return False
        return not any(self._is_refused(person) for person in persons)

    def _is_refused(self, person: str) -> bool:
        """Whether the person was erased; everybody asked about is noted."""
        digest = self._digests.get(person)
        if digest is None:
            digest = person_digest(self._key, qualified(self._source.namespace, person))
            self._digests[person] = digest
        return digest in self._erased and not self._source.takes_erased

    def _see(self, person: str | None, place: str) -> None:
        if not person:
            self._verdicts.setdefault(place, NO_PATIENT)
            return
        if self._is_refused(person):
            self._verdicts[place] = ERASED_PERSON


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


def _versioned(mapped: Mapped, received_at: Instant) -> Mapped:
    """Rows whose source told no version have that of their receipt; their digests are of what was told.

    Canonical rows get it when they are shaped. A version that is later than a wrong clock or zone explains is that of
    the receipt, too, and a flag: a version from the future would be the newest one for ever, whatever any source
    says later.
    """
    names = mapped.columns
    if "version_at" not in names:
        return Mapped(mapped.table, (*names, "version_at"), [(*row, received_at) for row in mapped.rows], mapped.kinds)
    at, latest = names.index("version_at"), received_at + AHEAD_MS
    told = set(map(itemgetter(at), mapped.rows))
    shaped_later = mapped.table in _CANONICAL and told <= {None}
    if shaped_later or all(version and version <= latest for version in told):
        return mapped
    own = (received_at,)
    rows = [
        (row if row[at] <= latest else _received(names, row, at, received_at))
        if row[at]
        else row[:at] + own + row[at + 1 :]
        for row in mapped.rows
    ]
    return Mapped(mapped.table, names, rows, mapped.kinds)


def _received(names: tuple[str, ...], row: tuple[Any, ...], at: int, received_at: Instant) -> tuple[Any, ...]:
    """The row with the version of its receipt, and a flag that it told another one."""
    changed = list(row)
    changed[at] = received_at
    if "flags" in names:
        flags = names.index("flags")
        changed[flags] = f"{row[flags]} {FUTURE_VERSION}" if row[flags] else FUTURE_VERSION
    return tuple(changed)


def _only(mapped: Mapped, may: Callable[[str], bool]) -> Mapped:
    place = mapped.columns.index("place")
    return Mapped(mapped.table, mapped.columns, [row for row in mapped.rows if may(row[place] or "")], mapped.kinds)


def _without(rows: list[tuple[Mapped, Origin]], repeated: Collection[int]) -> list[tuple[Mapped, Origin]]:
    """The rows at other positions than ``repeated``, counted through all of them."""
    if not repeated:
        return rows
    found, start = [], 0
    for mapped, origin in rows:
        kept = [row for at, row in enumerate(mapped.rows, start) if at not in repeated]
        start += len(mapped.rows)
        if kept:
            found.append((Mapped(mapped.table, mapped.columns, kept, mapped.kinds), origin))
    return found
