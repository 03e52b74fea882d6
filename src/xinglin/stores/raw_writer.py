"""Keeping: one group is one write, one ``fdatasync`` and one index transaction, or nothing was promised."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from xinglin.intake.errors import NotKept, RawDamaged, RawErased
from xinglin.intake.ports import Kept
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Clock
from xinglin.stores.raw_errors import RawUnavailable
from xinglin.stores.raw_format import Description, Sealer
from xinglin.stores.raw_gather import Item, Outcome, Unit
from xinglin.stores.raw_index import Entry, RawIndex
from xinglin.stores.raw_keys import KeyTable
from xinglin.stores.raw_model import RawSettings, Step
from xinglin.stores.raw_packing import pack
from xinglin.stores.raw_reader import kept_of
from xinglin.stores.raw_segments import ActiveSegment, segment_path

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Fresh:
    """An object that is not kept yet, with its number."""

    __slots__ = ("digest", "item", "kept", "mark", "size_bytes")

    def __init__(self, mark: bytes, digest: bytes, item: Item, sequence: int) -> None:
        got = item.received
        self.mark, self.digest, self.item = mark, digest, item
        self.size_bytes = item.size_bytes if item.digest else len(got.body)
        self.kept = Kept(
            digest.hex(),
            sequence,
            self.size_bytes,
            False,
            got.source,
            got.media_type,
            got.received_at,
            got.retention,
            got.label,
        )


class RawWriter:
    """Writes groups to the active segment. ``lock`` is held for a group, and by whoever needs no group in between."""

    def __init__(
        self, folder: Path, keys: KeyTable, index: RawIndex, settings: RawSettings, clock: Clock, step: Step
    ) -> None:
        self._folder, self._keys, self._index = folder, keys, index
        self._settings, self._clock, self._step = settings, clock, step
        self._segment: ActiveSegment | None = None
        self._spent = False
        self.newest = max(index.newest(), keys.floor())
        self.lock = threading.RLock()

    @property
    def active(self) -> int:
        """Id of the segment that is appended to, or 0."""
        return self._segment.id if self._segment else 0

    def commit(self, units: list[Unit]) -> list[Outcome]:
        """Keep what the units hold; what became of each."""
        named = [[(self._named(item), item) for item in unit.items] for unit in units]
        with self.lock:
            try:
                return self._commit([[(mark, digest, item) for (mark, digest), item in unit] for unit in named])
            except (OSError, RawUnavailable, RawDamaged) as error:
                return [_not_kept(error)] * len(units)

    def seal(self) -> None:
        """End the active segment; the next group begins another."""
        with self.lock:
            if self._segment is not None:
                self._segment.close()
                self._segment = None

    def _named(self, item: Item) -> tuple[bytes, bytes]:
        digest = item.digest or hashlib.sha256(item.received.body).digest()
        return self._keys.mark(digest), digest

    def _commit(self, units: list[list[tuple[bytes, bytes, Item]]]) -> list[Outcome]:
        marks = list({mark for unit in units for mark, _, _ in unit})
        erased = self._keys.erased(marks)
        known = self._index.find(marks)
        fresh: dict[bytes, Fresh] = {}
        for unit in units:
            if erased and any(mark in erased for mark, _, _ in unit):
                continue
            for mark, digest, item in unit:
                if mark not in known and mark not in fresh:
                    fresh[mark] = Fresh(mark, digest, item, self.newest + len(fresh) + 1)
        failure: XinglinError | None = None
        if fresh:
            try:
                self._write(list(fresh.values()))
            except (OSError, RawUnavailable, RawDamaged) as error:
                failure = _not_kept(error)
        told: set[bytes] = set()
        return [self._outcome(unit, erased, known, fresh, failure, told) for unit in units]

    def _outcome(
        self,
        unit: list[tuple[bytes, bytes, Item]],
        erased: set[bytes],
        known: dict[bytes, Entry],
        fresh: dict[bytes, Fresh],
        failure: XinglinError | None,
        told: set[bytes],
    ) -> Outcome:
        if any(mark in erased for mark, _, _ in unit):
            return RawErased("These bytes were erased here, and are not kept again.")
        if failure is not None and any(mark in fresh for mark, _, _ in unit):
            return failure
        outcome: list[Kept] = []
        for mark, _, _ in unit:
            one = fresh.get(mark)
            if one is None:
                try:
                    outcome.append(kept_of(known[mark], self._keys))
                except RawDamaged as error:
                    return error
                continue
            again = mark in told
            told.add(mark)
            outcome.append(replace(one.kept, known=True) if again else one.kept)
        return outcome

    def _write(self, fresh: Sequence[Fresh]) -> None:
        segment = self._active()
        end = segment.end
        records, entries = self._seal(segment, fresh)
        try:
            segment.append(b"".join(records))
            self._add(segment, entries)
        except BaseException as error:
            withdrawn = segment.withdraw(end)
            full = isinstance(error, RawUnavailable) or (isinstance(error, OSError) and error.errno in _FULL)
            # After any other error the file's pages cannot be trusted: it is not appended to again.
            self._spent = not (withdrawn and full)
            if not withdrawn:
                # The records may be found later, so their numbers are not given to others.
                self.newest += len(fresh)
            raise
        segment.end += sum(map(len, records))
        segment.records += len(records)
        self.newest += len(fresh)
        self._step("indexed")

    def _seal(self, segment: ActiveSegment, fresh: Sequence[Fresh]) -> tuple[list[bytes], list[Entry]]:
        offset, nonces = segment.end, os.urandom(12 * len(fresh))
        records: list[bytes] = []
        entries: list[Entry] = []
        for position, one in enumerate(fresh):
            kept, item = one.kept, one.item
            payload, packed = _payload(item)
            said = (kept.source, kept.media_type, kept.received_at, kept.retention)
            about = Description(kept.sequence, one.digest, *said, kept.label, one.size_bytes, item.large, packed)
            nonce = nonces[12 * position : 12 * position + 12]
            record = segment.sealer.seal(segment.records + position, about, payload, nonce)
            name = segment.sealer.seal_name((kept.sequence, one.size_bytes, *said, item.large), one.digest, kept.label)
            place = (segment.id, offset, len(record), item.large, one.size_bytes)
            entries.append(Entry(kept.sequence, one.mark, *place, *said, name))
            records.append(record)
            offset += len(record)
        return records, entries

    def _add(self, segment: ActiveSegment, entries: Sequence[Entry]) -> None:
        end = entries[-1].offset + entries[-1].length
        try:
            self._index.add(segment.id, end, entries)
        except RawUnavailable:
            # The answer may be lost, and not the transaction.
            self._index.reopen()
            if self._index.segments().get(segment.id) != end:
                raise

    def _active(self) -> ActiveSegment:
        """The segment to append to: a new one when there is none, or it is full, old or spent."""
        now, settings, segment = self._clock(), self._settings, self._segment
        if segment is not None:
            old = abs(now - segment.opened_at) >= settings.segment_age_s * 1000
            if not (self._spent or old or segment.end >= settings.segment_bytes):
                return segment
            self.seal()
        key_id = self._keys.take()
        self._step("key-made")
        sealer = Sealer(self._keys.cipher(key_id), self._keys.store_id, key_id)
        try:
            self._segment = ActiveSegment(self._folder, sealer, self._keys.store_id, now, self._step)
        except OSError:
            if not segment_path(self._folder, key_id).exists():
                self._keys.give_back(key_id)
            raise
        self._spent = False
        return self._segment


def _payload(item: Item) -> tuple[bytes, bool]:
    """What the record holds, and whether it is compressed."""
    if item.large:
        return b"", False
    return pack(item.received.body) if item.payload is None else (item.payload, item.packed)


def _not_kept(error: OSError | RawUnavailable | RawDamaged) -> NotKept:
    why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
    return NotKept("The object could not be made durable; it was not kept.", why=why, remedy="Make room; send again.")
