"""The files of a raw store, opened; and what a segment holds."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from xinglin.intake.errors import RawDamaged
from xinglin.stores.raw_errors import RawBusy
from xinglin.stores.raw_format import HEAD_BYTES, SEGMENT_MAGIC, Gap, Record, Sealer, check_head
from xinglin.stores.raw_index import Entry, RawIndex
from xinglin.stores.raw_keys import KeyTable
from xinglin.stores.raw_model import KeyRing, RawSettings, Step
from xinglin.stores.raw_objects import BucketObjects, FolderObjects, LargeObjects, ObjectPlace
from xinglin.stores.raw_segments import opened, read_part, segment_path


class Parts:
    """Keys, index, segments and large objects of one folder."""

    def __init__(self, folder: Path, ring: KeyRing, settings: RawSettings, step: Step, read_only: bool) -> None:
        self.folder, self.settings, self.segments = folder, settings, folder / "segments"
        self.keys = KeyTable(folder / "keys.db", ring, settings, read_only)
        try:
            self.index = self._open_index(read_only)
            self.large = LargeObjects(self._place(step), self.keys)
        except BaseException:
            self.keys.close()
            raise

    def rebuild_index(self) -> None:
        """Begin an empty index in the place of the old one."""
        self.index.close()
        remove_index(self.folder)
        self.index.open_again()

    def sealer(self, segment: int) -> Sealer:
        """Opens a segment's records; ``RawDamaged`` when its key is gone."""
        return Sealer(self.keys.cipher(segment), self.keys.store_id, segment)

    def path(self, segment: int) -> Path:
        """Where a segment lies."""
        return segment_path(self.segments, segment)

    def scan(self, segment: int, start: int = HEAD_BYTES) -> Iterator[Record | Gap]:
        """Every record of a segment from ``start`` on, and what lies between them and is none."""
        sealer, path = self.sealer(segment), self.path(segment)
        data = read_part(path, start, max(0, path.stat().st_size - start))
        for found in sealer.scan(data, 0):
            if isinstance(found, Record):
                yield replace(found, offset=found.offset + start)
            else:
                yield Gap(found.offset + start, found.end + start, found.last)

    def cut(self, segment: int, end: int) -> None:
        """Cut a segment's file off at ``end``, durably."""
        with opened(self.path(segment), os.O_RDWR) as descriptor:
            os.ftruncate(descriptor, end)
            os.fsync(descriptor)

    def check_head(self, segment: int) -> None:
        """Raise unless the segment's file begins as it has to."""
        check_head(read_part(self.path(segment), 0, HEAD_BYTES), SEGMENT_MAGIC, segment, self.keys.store_id)

    def entry(self, segment: int, record: Record) -> Entry:
        """The index row of a record."""
        about = record.about
        place = (segment, record.offset, record.length, about.large, about.size_bytes)
        name = self.sealer(segment).seal_name(record.said(), about.digest, about.label)
        said = (about.source, about.media_type, about.received_at, about.retention)
        return Entry(about.sequence, self.keys.mark(about.digest), *place, *said, name)

    def close(self) -> None:
        """Close the databases."""
        self.index.close()
        self.keys.close()

    def _open_index(self, read_only: bool) -> RawIndex:
        path = self.folder / "index.db"
        try:
            return RawIndex(path, self.settings, read_only)
        except RawDamaged:
            if read_only:
                raise
        remove_index(self.folder)
        return RawIndex(path, self.settings)

    def _place(self, step: Step) -> ObjectPlace:
        if self.settings.objects_url:
            return BucketObjects(self.settings, self.keys.store_id, step)
        return FolderObjects(self.folder / "objects", step)


def remove_index(folder: Path) -> None:
    """Delete the index's files; everything in them is in the segments."""
    for suffix in ("", "-wal", "-shm"):
        (folder / f"index.db{suffix}").unlink(missing_ok=True)


def lock_folder(folder: Path) -> int:
    """The descriptor that keeps other writers out until it is closed."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return descriptor
    os.close(descriptor)
    raise RawBusy("Another process writes to this raw store.", remedy="End it first; any number may read.")
