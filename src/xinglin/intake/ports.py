"""What the intake needs from outside."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

import msgspec

from xinglin.intake.model import BatchState, ObjectRow, OutboxEntry, Plan, Position, Source, SourceVersion
from xinglin.kernel.instants import Instant
from xinglin.records.model import Turned, Unread

RETENTION_YEARS: Mapping[str, int] = MappingProxyType(
    {"inpatient": 30, "outpatient": 15, "emergency": 15, "examination": 15, "prescription": 3, "trial": 25, "sample": 0}
)
"""Years that an object of a class is kept at least, from its receipt; append-only, never shortened.

In- and out-patient records: Regulations on the Management of Medical Records (2013), article 29 (30 years from the
last discharge, 15 from the last visit; emergency and health examinations as visits). Prescriptions: Prescription
Management Measures (2007), article 50, the longest of its classes. Trials: Regulation (EU) 536/2014, article 58.
``sample``: generated data.
"""

KEK_BYTES = 32
YEAR_MS = 366 * 24 * 3600 * 1000
"""A year of retention: never shorter than one of the calendar."""


class Received(msgspec.Struct, frozen=True):
    """One object as it came in.

    ``source``: the feed's name. ``media_type``: what it is said to be. ``retention``: class of ``RETENTION_YEARS``.
    ``label``: what the source calls it (a file's name, a message control id); never logged.
    """

    body: bytes
    source: str
    media_type: str
    received_at: Instant
    retention: str = "inpatient"
    label: str = ""

    def __repr__(self) -> str:
        """Without body and label: a log shows no patient's data."""
        return f"Received({len(self.body)} bytes, {self.source!r}, {self.media_type!r}, at {self.received_at})"


class Kept(msgspec.Struct, frozen=True):
    """Where an object lies. ``digest``: SHA-256 of its bytes, hexadecimal. ``known``: it was kept before.

    ``sequence`` numbers the objects of this store in the order in which they were first kept, from 1; a number is
    never used twice, and some may be missing (erased objects, writes that failed). All the rest is said of the
    first time that the bytes were kept.
    """

    digest: str
    sequence: int
    size_bytes: int
    known: bool
    source: str
    media_type: str
    received_at: Instant
    retention: str
    label: str = ""

    def __repr__(self) -> str:
        """Without the label."""
        return f"Kept({self.digest}, {self.sequence}, {self.size_bytes} bytes, known={self.known})"


def retention_ends(kept: Kept) -> Instant:
    """The instant from which an object may be erased without an order."""
    return kept.received_at + RETENTION_YEARS[kept.retention] * YEAR_MS


class Kek(msgspec.Struct, frozen=True):
    """A key-encrypting key: ``id`` names it (not secret), ``key`` is 32 bytes."""

    id: str
    key: bytes

    def __post_init__(self) -> None:
        """Refuse keys of another length."""
        if len(self.key) != KEK_BYTES or not self.id:
            raise ValueError(f"a key-encrypting key has an id and {KEK_BYTES} bytes")

    def __repr__(self) -> str:
        """Without the key."""
        return f"Kek({self.id!r})"


class KeyRing(msgspec.Struct, frozen=True):
    """``current`` wraps what is new; ``old`` ones are still read until ``rotate`` has rewrapped everything."""

    current: Kek
    old: tuple[Kek, ...] = ()

    def find(self, kek_id: str) -> Kek | None:
        """The key of that id, or None."""
        return next((kek for kek in (self.current, *self.old) if kek.id == kek_id), None)


class RawStore(Protocol):
    """Objects by digest, encrypted at rest. What ``keep`` has returned is durable."""

    async def keep(self, received: Received) -> Kept:
        """Keep one object (gathered with others into one durable write); the same bytes are kept once.

        Raises ``NotKept`` (disk full or failing, too many waiting: send again), ``RawErased`` (these bytes were
        erased and do not come back), ``UnknownRetention``, ``LimitExceeded``.
        """
        ...

    def keep_all(self, received: Sequence[Received]) -> list[Kept]:
        """Keep several in one durable write, from a thread that is not the event loop's; all or an error."""
        ...

    def keep_stream(self, chunks: Iterable[bytes], described: Received) -> Kept:
        """Keep one object that does not fit the memory; ``described`` says the rest and has no body.

        Blocks until durable: call it from a thread. What ``chunks`` raises is raised, and nothing is kept.
        """
        ...

    def read(self, digest: str) -> bytes:
        """The object's bytes, checked against ``digest``. Raises ``RawMissing``, ``RawErased`` or ``RawDamaged``.

        ``LimitExceeded`` for one that is too long to be held at once; another ``IntakeError`` where the place that
        holds it does not answer now.
        """
        ...

    def read_stream(self, digest: str) -> Iterator[bytes]:
        """The object's bytes in pieces, each authentic; ``RawDamaged`` where the rest cannot be told, however late."""
        ...

    def find(self, digest: str) -> Kept | None:
        """What is known of an object without reading it; None when it is not (or no longer) kept."""
        ...

    def after(self, sequence: int, limit: int) -> list[Kept]:
        """Objects first kept after ``sequence``, in order, at most ``limit``."""
        ...

    def count(self) -> int:
        """Objects kept."""
        ...

    def size(self) -> int:
        """Bytes of the objects kept, as received."""
        ...

    def expire(self, now: Instant, limit: int = 1_000) -> list[Kept]:
        """Objects whose retention has ended by ``now``, oldest number first; nothing is erased by this call."""
        ...

    def erase(self, digests: Sequence[str]) -> None:
        """Make these objects unreadable for ever: rewrite what holds them, destroy the keys, leave tombstones.

        This is the erasure order, whatever their retention; ``erase_expired`` is for the end of it. Digests that
        are not kept get a tombstone as well, so that they are refused when they come. Numbers of others stay.
        """
        ...

    def erase_expired(self, digests: Sequence[str], now: Instant) -> None:
        """Erase objects whose retention has ended; ``RawRetained``, and nothing erased, if one's has not."""
        ...


class RowKeys(msgspec.Struct, frozen=True):
    """The rows of one table in one part, by digests of 16 bytes each, joined.

    ``facts``: of table, fact and version; ``contents``: of everything but the place; both under the ledger's
    key. ``records``: the number of the record, within the part, that each row came from. ``names``: of table and
    fact alone, where the work asked for them.
    """

    table: str
    facts: bytes
    contents: bytes
    records: tuple[int, ...]
    names: bytes = b""


class Prepared(msgspec.Struct, frozen=True):
    """A part of an object, read, mapped and checked; its rows wait in the preparer.

    ``received`` records: ``accepted`` ones (``ignored`` of them without a table), ``unread`` and ``rejects``.
    ``persons``: digests (16 bytes, under the ledger's key) of the persons whom the part is about.
    """

    received: int
    accepted: int
    ignored: int
    last: bool
    rows: tuple[RowKeys, ...] = ()
    unread: tuple[Unread, ...] = ()
    rejects: tuple[Unread, ...] = ()
    persons: tuple[bytes, ...] = ()


class Work(msgspec.Struct, frozen=True):
    """One object to be prepared. ``skip``: parts that were committed before. ``named``: give ``RowKeys.names``."""

    kept: Kept
    source: Source
    media_type: str
    skip: int = 0
    named: bool = False


class Preparer(Protocol):
    """Steps 2 to 5 on bytes that nobody trusts. Rows gather in it until ``tables`` hands them over.

    Raises ``Unreadable``, or ``ReaderFailed`` when a reader broke, ran away or needed too much memory; the
    rows of earlier parts are then still there.
    """

    def reads(self, media_type: str) -> bool:
        """Whether there is a reader of this media type."""
        ...

    def refuse(self, erased: Collection[bytes]) -> None:
        """From now on, reject records about persons with these digests."""
        ...

    def prepare(self, work: Work, body: bytes) -> Iterator[Prepared]:
        """The parts of one object after the first ``work.skip``, in order; one object at a time."""
        ...

    def tables(self, repeated: Mapping[str, Collection[int]], batch: int, recorded_at: Instant) -> dict[str, Any]:
        """The gathered rows as Arrow tables, without the rows at ``repeated`` (positions by table); forgets them.

        Raises ``ReaderFailed`` (``intake.unshaped``) when a value does not fit its table.
        """
        ...

    def forget(self) -> None:
        """Forget all gathered rows."""
        ...

    def close(self) -> None:
        """End whatever it holds."""
        ...


class Surveyed(msgspec.Struct, frozen=True):
    """Who is where in an object: places of records about others alone (``keep``) and about the persons (``drop``).

    ``facts``: digests of the persons' facts. ``persons``: their keys as the source writes them.
    """

    keep: tuple[str, ...]
    drop: tuple[str, ...]
    facts: tuple[bytes, ...]
    persons: tuple[str, ...]


class Surveyor(Protocol):
    """Looks for persons in an object."""

    def survey(self, work: Work, body: bytes, persons: Collection[bytes]) -> Surveyed:
        """Where records of these persons (digests) lie. Raises as ``Preparer.prepare`` does."""
        ...


class Tables(Protocol):
    """The lake, as far as the intake sees it."""

    def append_batch(self, batch: int, tables: Mapping[str, Any]) -> dict[str, int]:
        """Append each Arrow table under the batch's number, and give each table's version.

        Idempotent: a table that has the batch already is left alone. Raises ``LakeError``.
        """
        ...


class Terms(Protocol):
    """The terminology step: fills standard codes, units and what was lost beside the source's own."""

    def fill(self, rows: Sequence[Turned], source: str = "") -> list[Turned]:
        """The same rows in the same order, with standard codes where there are any; ``source``: the feed's name."""
        ...


class Quality(Protocol):
    """Checks of whole batches: adds flags to rows, never takes a row away."""

    def check(self, batch: int, tables: Mapping[str, Any]) -> dict[str, Any]:
        """The same Arrow tables with their flags."""
        ...


class Persons(Protocol):
    """The patient index: told who is new."""

    def took(self, batch: int, patients: Any) -> None:
        """The Arrow rows of ``patient`` that a batch wrote. May come twice for one batch."""
        ...


class Consents(Protocol):
    """The register of persons' choices: what they say in what comes in binds before its rows can be seen."""

    def took(self, batch: int) -> None:
        """Record what the objects of a planned batch, and of every batch before it, say. Twice is once.

        Raises ``IntakeError`` where it cannot be recorded: the batch waits.
        """
        ...


class HeldFact(msgspec.Struct, frozen=True):
    """A fact in the lake: its keys, and the instants that order its versions."""

    id: str
    patient: str | None
    versions: tuple[Instant, ...]


class Facts(Protocol):
    """What the lake holds of a source."""

    def of_source(self, source: str) -> Iterator[tuple[str, list[HeldFact]]]:
        """Facts of a source that are not deleted, table by table, some thousands at a time."""
        ...


class Evidence(Protocol):
    """The way to the space's log; the node posts."""

    async def post(self, kind: str, subject: str, commitments: dict[str, str], at: Instant) -> int:
        """Append an entry of this node's; its index, once it is included."""
        ...


class Judged(msgspec.Struct, frozen=True):
    """Which rows of a batch are not new (positions by table, in the order in which they were prepared).

    ``fresh``: what the ledger has to remember of the new ones, facts and contents joined, ascending by fact.
    ``digest``: of all new rows' digests.
    """

    repeated: dict[str, frozenset[int]]
    fresh: tuple[bytes, bytes]
    digest: str


class Ledger(Protocol):
    """What became of each object and record. Every write is durable when its call returns."""

    def key(self) -> bytes:
        """32 secret bytes under which records and persons are digested; drawn once."""
        ...

    # --- sources -----------------------------------------------------------------------------

    def register(self, source: Source, at: Instant) -> SourceVersion:
        """Keep a source, as a new version where it changed; a changed mapping becomes an outbox entry."""
        ...

    def source(self, name: str, version: int = 0) -> SourceVersion | None:
        """A source as it is, or as it was in ``version``."""
        ...

    def sources(self) -> tuple[SourceVersion, ...]:
        """All sources as they are, by name."""
        ...

    # --- batches -----------------------------------------------------------------------------

    def position(self) -> Position:
        """How far planning has come."""
        ...

    def unfinished(self) -> BatchState | None:
        """The batch that is planned or written, if there is one: at most one is."""
        ...

    def next_batch(self, now: Instant) -> tuple[int, Instant]:
        """The number of the next batch, and its instant: ``now``, or later than every batch before."""
        ...

    def judge(self, batch: int, rows: Mapping[str, tuple[bytes, bytes]], *, planned: bool) -> Judged:
        """Which rows (``RowKeys`` of all parts, joined) are not new. ``planned``: asked again after ``plan``."""
        ...

    def plan(self, plan: Plan, fresh: tuple[bytes, bytes], persons: Mapping[int, Iterable[bytes]]) -> None:
        """Keep the plan, the digests of its new rows, whom each object is about, and the position behind it.

        Raises ``LedgerMoved`` when another process planned meanwhile.
        """
        ...

    def written(self, batch: int, versions: Mapping[str, int]) -> None:
        """The tables have the rows."""
        ...

    def committed(self, batch: int, at: Instant) -> BatchState:
        """Settle the batch's objects and records, and put its entry into the outbox; all in one write."""
        ...

    def batch(self, number: int) -> BatchState | None:
        """One batch."""
        ...

    def erased(self) -> frozenset[bytes]:
        """Digests of the persons whose data was erased."""
        ...

    # --- what is read again --------------------------------------------------------------------

    def interrupted(self) -> tuple[int, ...]:
        """Objects that were being read again and are not settled."""
        ...

    def held_objects(self, after: int, limit: int, *, source: str = "", code: str = "") -> tuple[int, ...]:
        """Sequences after ``after`` of objects with open quarantined or rejected records."""
        ...

    def objects_of(self, source: str, after: int, limit: int) -> tuple[ObjectRow, ...]:
        """Objects of a source with a sequence after ``after``, in order."""
        ...

    def object_at(self, sequence: int) -> ObjectRow | None:
        """One object by its number in the raw store."""
        ...

    def start_remap(self) -> None:
        """Forget which facts a remapping saw."""
        ...

    def arise(self, names: bytes) -> None:
        """Remember these names of facts (16 bytes each) as seen."""
        ...

    def arisen(self, names: Sequence[bytes]) -> set[bytes]:
        """Which of these names were seen."""
        ...

    def unknow(self, facts: Iterable[bytes]) -> None:
        """Forget the digests of these facts: when they come again, they are new."""
        ...

    # --- evidence ----------------------------------------------------------------------------

    def outbox(self, limit: int = 100) -> tuple[OutboxEntry, ...]:
        """Entries that are not logged yet, oldest first."""
        ...

    def logged(self, number: int, index: int) -> None:
        """An outbox entry lies in the log at ``index``; a batch that it is about is ``logged``."""
        ...
