"""Reading a raw store: from the process that writes it or from any other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from xinglin.intake.errors import RawDamaged, RawErased, RawMissing
from xinglin.intake.ports import RETENTION_YEARS, YEAR_MS, Kept
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.instants import Instant, to_text
from xinglin.stores.raw_format import Record, Sealer, damaged
from xinglin.stores.raw_index import Entry, RawIndex
from xinglin.stores.raw_keys import KeyTable
from xinglin.stores.raw_model import AFTER_ENTRIES, WHOLE_BYTES
from xinglin.stores.raw_objects import LargeObjects
from xinglin.stores.raw_segments import read_part, segment_path

T = TypeVar("T")


class RawReader:
    """The reading half of ``RawStore``; every answer is checked against its digest."""

    def __init__(self, segments: Path, keys: KeyTable, index: RawIndex, large: LargeObjects) -> None:
        self._segments, self._keys, self._index, self._large = segments, keys, index, large

    def read(self, digest: str) -> bytes:
        """See the port."""

        def work(entry: Entry) -> bytes:
            WHOLE_BYTES.check(entry.size_bytes)
            if entry.large:
                return b"".join(self._large.read(entry.large, raw_digest(digest)))
            record = self._record(entry)
            if record.about.digest != raw_digest(digest):
                raise damaged(f"Object {entry.sequence} is not what was kept.")
            return record.body()  # which is held against the record's digest

        return self._with_entry(digest, work)

    def read_stream(self, digest: str) -> Iterator[bytes]:
        """See the port."""

        def work(entry: Entry) -> Iterator[bytes]:
            if not entry.large:
                return iter((self.read(digest),))
            pieces = self._large.read(entry.large, raw_digest(digest))
            return _chain(next(pieces, b""), pieces)

        return self._with_entry(digest, work)

    def find(self, digest: str) -> Kept | None:
        """See the port."""
        mark = self._keys.mark(raw_digest(digest))
        entry = self._index.find([mark]).get(mark)
        if entry is None or self._keys.erased_at(mark) is not None:
            return None
        return kept_of(entry, self._keys)

    def after(self, sequence: int, limit: int) -> list[Kept]:
        """See the port."""
        AFTER_ENTRIES.check(limit)
        try:
            return self._described(self._index.after(sequence, limit))
        except RawDamaged:
            # An erasure may have moved them in between; what is damaged still is.
            return self._described(self._index.after(sequence, limit))

    def count(self) -> int:
        """See the port."""
        return self._index.totals()[0]

    def size(self) -> int:
        """See the port."""
        return self._index.totals()[1]

    def expire(self, now: Instant, limit: int = 1_000) -> list[Kept]:
        """See the port."""
        AFTER_ENTRIES.check(limit)
        due: list[Entry] = []
        for retention, years in RETENTION_YEARS.items():
            due += self._index.received_by(retention, now - years * YEAR_MS, limit)
        return self._described(sorted(due, key=lambda entry: entry.sequence)[:limit])

    def _described(self, entries: list[Entry]) -> list[Kept]:
        return [kept_of(entry, self._keys) for entry in entries]

    def _with_entry(self, digest: str, work: Callable[[Entry], T]) -> T:
        """Do ``work`` with the object's place; once more when an erasure moved it meanwhile."""
        mark = self._keys.mark(raw_digest(digest))
        tried: Entry | None = None
        while True:
            entry = self._index.find([mark]).get(mark)
            erased_at = self._keys.erased_at(mark)
            if erased_at is not None:
                raise RawErased("This object was erased.", why=f"at {to_text(erased_at)}")
            if entry is None:
                raise RawMissing("This object was never kept here.")
            try:
                return work(entry)
            except RawDamaged:
                if entry == tried:
                    raise
                tried = entry

    def _record(self, entry: Entry) -> Record:
        try:
            data = read_part(segment_path(self._segments, entry.segment), entry.offset, entry.length)
        except FileNotFoundError as error:
            raise damaged(f"Segment {entry.segment} is gone.") from error
        except OSError as error:
            raise damaged(f"Segment {entry.segment} cannot be read.") from error
        sealer = Sealer(self._keys.cipher(entry.segment), self._keys.store_id, entry.segment)
        record = sealer.open(data)
        if record is None or record.about.sequence != entry.sequence:
            raise damaged(f"The record of object {entry.sequence} is damaged.")
        return record


def kept_of(entry: Entry, keys: KeyTable) -> Kept:
    """What the index says of an object, with the name that only its segment's key opens."""
    sealer = Sealer(keys.cipher(entry.segment), keys.store_id, entry.segment)
    digest, label = sealer.open_name(entry.said(), entry.sealed)
    said = (entry.source, entry.media_type, entry.received_at, entry.retention)
    return Kept(digest.hex(), entry.sequence, entry.size_bytes, True, *said, label)


def raw_digest(digest: str) -> bytes:
    """The 32 bytes of a hexadecimal digest."""
    try:
        plain = bytes.fromhex(digest)
    except ValueError as error:
        raise MalformedMessage("A digest is 64 hexadecimal digits.") from error
    if len(plain) != 32 or len(digest) != 64:
        raise MalformedMessage("A digest is 64 hexadecimal digits.")
    return plain


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest
