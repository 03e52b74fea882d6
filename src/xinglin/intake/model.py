"""Values of the intake: sources, parts of objects, batches, and what became of each record."""

from __future__ import annotations

from typing import Literal

import msgspec

from xinglin.kernel.canonical import canonical_digest, sha256_digest
from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.kernel.states import StateTable
from xinglin.records.model import ReadContext, Unread

FORMAT = 1
"""Version of what the ledger keeps; append-only: a later one adds fields at the end."""

OBJECT_STATES = StateTable(
    "an object on its way in",
    "kept",
    (
        ("kept", "read", "read"),
        ("kept", "quarantine", "quarantined"),
        ("kept", "reject", "rejected"),
        ("read", "commit", "committed"),
        ("read", "quarantine", "quarantined"),
        ("read", "reject", "rejected"),
        ("committed", "replay", "read"),
        ("quarantined", "replay", "read"),
        ("rejected", "replay", "read"),
        ("committed", "erase", "erased"),
        ("quarantined", "erase", "erased"),
        ("rejected", "erase", "erased"),
    ),
)
"""``quarantined`` and ``rejected`` are of the whole object; single records have their own rows in the ledger."""

BATCH_STATES = StateTable(
    "a batch",
    "planned",
    (
        ("planned", "write", "written"),
        ("written", "commit", "committed"),
        ("committed", "log", "logged"),
    ),
)

BatchKind = Literal["new", "replay", "remap"]
Outcome = Literal["committed", "quarantined", "rejected"]

UNKNOWN_SOURCE = "intake.unknown_source"
NO_READER = "intake.no_reader"
TOO_LARGE = "intake.too_large"
ERASED_PERSON = "intake.erased_person"
READER_FAILED = "intake.reader_failed"
READER_TIME = "intake.reader_time"
UNSHAPED = "intake.unshaped"
UNACCOUNTED = "intake.unaccounted"
RAW_LOST = "intake.raw_lost"

OBJECT_BYTES = Limit("received object", 4 * 1024 * 1024 * 1024, "bytes")
QUARANTINE_WORDS = Limit("words of a quarantined record", 500, "characters")
SOURCES = Limit("sources", 10_000, "sources")


class Source(msgspec.Struct, frozen=True):
    """A feed as a hospital registered it. Version 1; append-only.

    ``media_type``: taken instead of what an object is said to be (empty: as said). ``zone``, ``charset``,
    ``release``, ``mapping``: see ``ReadContext``. ``namespace``: put before every key of the source. ``tables``:
    the only tables it may fill (empty: any). ``tenant``: whose data it is, where a centre hosts several.
    ``takes_erased``: new records about a person who was erased are taken again, instead of being rejected.
    """

    name: str
    media_type: str = ""
    zone: str = "+08:00"
    charset: str = "utf-8"
    release: str = "R4"
    mapping: str = ""
    namespace: str = ""
    retention: str = "inpatient"
    tables: tuple[str, ...] = ()
    tenant: str = ""
    takes_erased: bool = False
    format: int = FORMAT

    def context(self, received_at: Instant) -> ReadContext:
        """What a reader of one of its objects is told."""
        return ReadContext(self.name, received_at, self.zone, self.charset, self.release, self.mapping)

    def digest(self) -> str:
        """``sha256:…`` of everything that is registered."""
        return canonical_digest(self)

    def mapping_digest(self) -> str:
        """``sha256:…`` of the mapping's text."""
        return sha256_digest(self.mapping.encode())


class SourceVersion(msgspec.Struct, frozen=True):
    """A source as it was from an instant on; ``version`` counts from 1."""

    source: Source
    version: int
    at: Instant


class BatchLimits(msgspec.Struct, frozen=True):
    """When a batch is full, and how long one object may be read.

    ``linger_ms``: how long a batch with room waits for more, while objects come in live.
    """

    rows: int = 100_000
    objects: int = 10_000
    size_bytes: int = 256 * 1024 * 1024
    linger_ms: int = 2_000
    object_bytes: int = 1024 * 1024 * 1024


class Tally(msgspec.Struct, frozen=True):
    """Records by what became of them. ``repeated`` (no new row) and ``ignored`` (no table) are among ``accepted``."""

    received: int = 0
    accepted: int = 0
    repeated: int = 0
    ignored: int = 0
    quarantined: int = 0
    rejected: int = 0

    @property
    def adds_up(self) -> bool:
        """Accepted, quarantined and rejected are what was received."""
        return self.accepted + self.quarantined + self.rejected == self.received

    def plus(self, other: Tally) -> Tally:
        """Both together."""
        return Tally(*(getattr(self, name) + getattr(other, name) for name in self.__struct_fields__))


class Part(msgspec.Struct, frozen=True):
    """A part of one object in one batch. ``number`` counts an object's parts from 0; ``last`` ends the object.

    ``version``: of the source, under which it was read. ``again``: the object was settled before and is read
    again. ``code``: why the whole object was quarantined or rejected. ``rejects``: records turned away one by one.
    """

    sequence: int
    digest: str
    source: str
    media_type: str
    received_at: Instant
    day: str
    size_bytes: int
    version: int
    number: int
    last: bool
    tally: Tally
    outcome: Outcome = "committed"
    code: str = ""
    again: bool = False
    unread: tuple[Unread, ...] = ()
    rejects: tuple[Unread, ...] = ()


class TakenBack(msgspec.Struct, frozen=True):
    """A fact that no longer arises: its keys as the lake has them, and the version that is taken back."""

    id: str
    patient: str | None
    version_at: Instant


class Plan(msgspec.Struct, frozen=True):
    """Everything about a batch but its rows: with it, a batch that was cut off is finished. Version 1; append-only.

    ``rows``: new rows by table; ``digest``: of the rows' own digests, in order. ``kind``: ``new`` objects, a
    ``replay`` of quarantined ones, or a ``remap`` of a source. ``taken_back``: facts of ``source`` that get a
    deleted version, by table; forgotten once the batch is committed.
    """

    number: int
    kind: BatchKind
    recorded_at: Instant
    parts: tuple[Part, ...]
    rows: dict[str, int]
    digest: str
    format: int = FORMAT
    source: str = ""
    taken_back: dict[str, tuple[TakenBack, ...]] = {}

    @property
    def tally(self) -> Tally:
        """All parts together."""
        total = Tally()
        for part in self.parts:
            total = total.plus(part.tally)
        return total


class BatchState(msgspec.Struct, frozen=True):
    """A batch as the ledger has it; ``versions`` of the tables once they were written."""

    plan: Plan
    state: str
    versions: dict[str, int] = {}
    committed_at: Instant = 0


class Position(msgspec.Struct, frozen=True):
    """How far the ledger has planned: objects up to ``sequence`` wholly, and ``parts`` of the one after it."""

    sequence: int = 0
    parts: int = 0


class HeldRow(msgspec.Struct, frozen=True):
    """A quarantined or rejected record, or a whole object (``place`` empty). Never a value of the record."""

    id: int
    digest: str
    sequence: int
    source: str
    version: int
    place: str
    code: str
    words: str
    outcome: Outcome
    at: Instant
    resolved: int = 0


class ObjectRow(msgspec.Struct, frozen=True):
    """What became of one object."""

    sequence: int
    digest: str
    source: str
    media_type: str
    received_at: Instant
    day: str
    size_bytes: int
    version: int
    state: str
    code: str
    parts: int
    batch: int
    settled_at: Instant
    tally: Tally


class Account(msgspec.Struct, frozen=True):
    """Objects and records of a source, a day or a batch (``key``), by what became of them."""

    key: str
    objects: int
    tally: Tally


class Status(msgspec.Struct, frozen=True):
    """How the intake stands. ``backlog``: objects kept and not settled. ``late_ms``: from received to committed,
    the median and the slowest of twenty, over the newest thousand objects. ``rate``: records a second over them.
    """

    backlog: int
    last_batch: int
    last_at: Instant
    tally: Tally
    objects: dict[str, int]
    held: dict[str, int]
    late_ms: tuple[int, int]
    rate: float


class OutboxEntry(msgspec.Struct, frozen=True):
    """An entry for the evidence log: ``values`` (digests and counts) are committed to under ``salt``, each label
    under a salt of its own. ``kind`` is one of ``evidence.entry.KINDS``: intake, change or erasure.
    """

    number: int
    kind: str
    subject: str
    at: Instant
    salt: bytes
    values: dict[str, str | int | dict[str, int]]
    batch: int = 0
