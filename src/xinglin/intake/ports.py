"""What the intake needs from outside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

import msgspec

from xinglin.kernel.instants import Instant

RETENTION_YEARS: Mapping[str, int] = MappingProxyType(
    {"inpatient": 30, "outpatient": 15, "emergency": 15, "examination": 15, "prescription": 3, "trial": 25, "sample": 0}
)
"""Years that an object of a class is kept at least, from its receipt; append-only, never shortened.

In- and out-patient records: Regulations on the Management of Medical Records (2013), article 29 (30 years from the
last discharge, 15 from the last visit; emergency and health examinations as visits). Prescriptions: Prescription
Management Measures (2007), article 50, the longest of its classes. Trials: Regulation (EU) 536/2014, article 58.
``sample``: generated data.
"""


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
        """The object's bytes, checked against ``digest``. Raises ``RawMissing``, ``RawErased`` or ``RawDamaged``."""
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
