"""What the intake needs from outside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from xinglin.kernel.instants import Instant


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


class Kept(msgspec.Struct, frozen=True):
    """Where an object lies. ``digest``: SHA-256 of its bytes, hexadecimal. ``known``: it was kept before.

    ``sequence`` numbers the objects of this store in the order in which they were first kept, from 1.
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


class RawStore(Protocol):
    """Objects by digest, encrypted at rest. What ``keep`` has returned is durable."""

    async def keep(self, received: Received) -> Kept:
        """Keep one object (gathered with others into one durable write); the same bytes are kept once."""
        ...

    def keep_all(self, received: Sequence[Received]) -> list[Kept]:
        """Keep several in one durable write, from a thread that is not the event loop's."""
        ...

    def read(self, digest: str) -> bytes:
        """The object's bytes, checked against ``digest``. Raises ``RawMissing``, ``RawErased`` or ``RawDamaged``."""
        ...

    def after(self, sequence: int, limit: int) -> list[Kept]:
        """Objects first kept after ``sequence``, in order."""
        ...

    def erase(self, digests: Sequence[str]) -> None:
        """Make these objects unreadable for ever: rewrite what holds them, destroy the keys, leave tombstones."""
        ...
