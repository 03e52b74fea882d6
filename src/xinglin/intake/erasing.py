"""Erasure of a person: out of the raw store, the tables and the ledger, in an order that survives a crash.

Erasure is of what was: their key leaves a tombstone (its digest), and new records about them are rejected,
unless their source says that it takes them again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from typing import Protocol

import msgspec

from xinglin.intake.digests import person_digest, unqualified
from xinglin.intake.errors import RawDamaged, RawErased, RawMissing
from xinglin.intake.model import ERASED_PERSON, ObjectRow
from xinglin.intake.ports import Ledger, RawStore, Received, Surveyor, Work
from xinglin.intake.procedure import PAGE, UNREADABLE, Intake
from xinglin.intake.redaction import redact
from xinglin.kernel.instants import Clock, Instant, system_clock


class FoundPersons(msgspec.Struct, frozen=True):
    """What the lake knows of persons: every key of theirs, and the digests of the messages of their rows."""

    keys: tuple[str, ...]
    messages: tuple[str, ...]


class Erasable(Protocol):
    """The lake, as far as an erasure sees it."""

    def find(self, persons: Sequence[str]) -> FoundPersons:
        """Whom these keys mean, with the records that are linked to them, and where their rows came from."""
        ...

    def erase(self, persons: Sequence[str]) -> dict[str, int]:
        """Remove every row of theirs from every version of every table; rows by table."""
        ...


class ErasureLedger(Ledger, Protocol):
    """What an erasure needs of the ledger besides."""

    def mark_erased(self, persons: Collection[bytes], at: Instant) -> None:
        """Leave tombstones: from now on their records are rejected."""
        ...

    def objects_about(self, persons: Collection[bytes]) -> tuple[ObjectRow, ...]:
        """Objects that named one of the persons and are not erased, in order."""
        ...

    def object(self, digest: str) -> ObjectRow | None:
        """One object."""
        ...

    def forget_objects(
        self,
        objects: Sequence[ObjectRow],
        persons: Collection[bytes],
        moved: dict[str, str],
        at: int,
        told: dict[str, int],
    ) -> None:
        """Forget what these objects held and whom they named; where they moved; and an entry for the log."""
        ...


class Erased(msgspec.Struct, frozen=True):
    """What an erasure did: persons, objects (those ``redacted`` live on without the person), rows by table."""

    persons: int
    objects: int
    redacted: int
    rows: dict[str, int]


class Erasure:
    """Erases persons from one intake's stores."""

    def __init__(
        self,
        intake: Intake,
        raw: RawStore,
        ledger: ErasureLedger,
        surveyor: Surveyor,
        lake: Erasable,
        clock: Clock = system_clock,
    ) -> None:
        self._intake, self._raw, self._ledger = intake, raw, ledger
        self._surveyor, self._lake, self._clock = surveyor, lake, clock

    def erase(self, persons: Sequence[str]) -> Erased:
        """Erase these persons (keys as the lake's current views show them).

        1. finish what was cut off, then tombstones: no new record of theirs goes in.
        2. whom the lake means by the keys, and every object that named them.
        3. objects with others in them are kept anew without them; the ledger forgets the digests of their rows.
        4. the raw objects are erased, then the rows, then what the ledger knew.

        Stopped anywhere it is started again with the same keys. What stands in an object that nobody could read or
        attribute goes with the object's other parts about the person.
        """
        self._intake.recover()
        found = self._lake.find(persons)
        keys = tuple(sorted({*persons, *found.keys}))
        marks = frozenset(person_digest(self._ledger.key(), key) for key in keys)
        self._ledger.mark_erased(marks, self._clock())
        objects = {one.digest: one for one in self._ledger.objects_about(marks)}
        for digest in found.messages:
            known = self._ledger.object(digest)
            if known is not None and known.state != "erased":
                objects[digest] = known
        gone, moved = self._remove(sorted(objects.values(), key=lambda one: one.sequence), keys, marks)
        rows = self._lake.erase(persons)
        told = {"persons": len(persons), "objects": len(gone), "redacted": len(moved), "rows": sum(rows.values())}
        self._ledger.forget_objects(gone, marks, moved, self._clock(), told)
        return Erased(len(persons), len(gone), len(moved), rows)

    def sweep(self) -> int:
        """Take records that were rejected because their person was erased out of the raw store, too; objects."""
        marks = self._ledger.erased()
        count, after = 0, 0
        while page := self._ledger.held_objects(after, PAGE, code=ERASED_PERSON):
            after = page[-1]
            objects = [one for one in map(self._ledger.object_at, page) if one is not None and one.state != "erased"]
            gone, moved = self._remove(objects, (), marks)
            told = {"persons": 0, "objects": len(gone), "redacted": len(moved), "rows": 0}
            self._ledger.forget_objects(gone, (), moved, self._clock(), told)
            count += len(gone)
        return count

    def _remove(
        self, objects: Sequence[ObjectRow], keys: Sequence[str], marks: frozenset[bytes]
    ) -> tuple[list[ObjectRow], dict[str, str]]:
        """Keep anew what is of others, then erase the objects: those that are gone, and where they moved.

        An object from which nothing is to be taken stays.
        """
        gone, moved = [], {}
        for one in objects:
            rest, kept = self._rest(one, keys, marks), self._raw.find(one.digest)
            if rest is not None and hashlib.sha256(rest).hexdigest() == one.digest:
                continue
            gone.append(one)
            if rest is not None and kept is not None:
                received = Received(rest, kept.source, kept.media_type, kept.received_at, kept.retention)
                moved[one.digest] = self._raw.keep_all([received])[0].digest
        if gone:
            self._raw.erase([one.digest for one in gone])
        return gone, moved

    def _rest(self, one: ObjectRow, keys: Sequence[str], marks: frozenset[bytes]) -> bytes | None:
        """What is left of an object without the persons; the ledger forgets the facts that they had in it."""
        version = self._ledger.source(one.source, one.version) if one.version else None
        try:
            kept, body = self._raw.find(one.digest), self._raw.read(one.digest)
        except (RawErased, RawMissing, RawDamaged):
            return None
        if version is None or kept is None:
            return None
        media_type = (version.source.media_type or one.media_type).partition(";")[0].strip().lower()
        try:
            seen = self._surveyor.survey(Work(kept, version.source, media_type), body, marks)
        except UNREADABLE:
            return None
        self._ledger.unknow(seen.facts)
        names = {*seen.persons, *(unqualified(version.source.namespace, key) for key in keys)}
        return redact(media_type, body, seen.keep, seen.drop, names)
