"""Segment files: one is written, by the process that made it and only while every write succeeded; others are read."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from xinglin.kernel.instants import Instant
from xinglin.stores.raw_format import HEAD_BYTES, SEGMENT_MAGIC, Sealer, head
from xinglin.stores.raw_model import Step

SUFFIX = ".seg"
TEMPORARY = ".tmp"


def segment_path(folder: Path, segment: int) -> Path:
    """Where a segment lies."""
    return folder / f"{segment:016x}{SUFFIX}"


def segment_ids(folder: Path) -> list[int]:
    """Segments in a folder, oldest first."""
    return sorted(int(path.stem, 16) for path in folder.glob(f"{'[0-9a-f]' * 16}{SUFFIX}"))


def make_folder(folder: Path) -> None:
    """Make a folder that only this account reads, durably."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True, mode=0o700)
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable."""
    with opened(folder, os.O_RDONLY | os.O_DIRECTORY) as descriptor:
        os.fsync(descriptor)


@contextlib.contextmanager
def opened(path: Path, flags: int) -> Iterator[int]:
    """A file descriptor, closed at the end."""
    descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte, or raise ``OSError``."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def read_part(path: Path, offset: int, length: int) -> bytes:
    """At most ``length`` bytes of a file from ``offset``."""
    with opened(path, os.O_RDONLY) as descriptor:
        return os.pread(descriptor, length, offset)


def publish(path: Path, pieces: Iterable[bytes], step: Step, name: str) -> None:
    """Write a whole file beside its place, make it durable, and move it there."""
    beside = path.with_suffix(TEMPORARY)
    with opened(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as descriptor:
        for piece in pieces:
            write_all(descriptor, piece)
        step(f"{name}-written")
        os.fsync(descriptor)
    step(f"{name}-synced")
    beside.rename(path)
    sync_folder(path.parent)
    step(f"{name}-published")


class ActiveSegment:
    """The segment that is appended to."""

    def __init__(self, folder: Path, sealer: Sealer, store: bytes, now: Instant, step: Step) -> None:
        self.sealer, self.id, self.opened_at = sealer, sealer.segment, now
        self.records, self.end = 0, HEAD_BYTES
        self._step = step
        path = segment_path(folder, self.id)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            write_all(self._descriptor, head(SEGMENT_MAGIC, self.id, store))
            os.fsync(self._descriptor)
            sync_folder(folder)
            step("rolled")
        except BaseException:
            self.close()
            path.unlink(missing_ok=True)
            raise

    def append(self, data: bytes) -> None:
        """Write at ``end``, durably when it returns; the caller then moves ``end``, or calls ``withdraw``."""
        os.lseek(self._descriptor, self.end, os.SEEK_SET)
        write_all(self._descriptor, data)
        self._step("written")
        os.fdatasync(self._descriptor)
        self._step("synced")

    def withdraw(self, end: int) -> bool:
        """Cut the file back to ``end``; whether that is durable."""
        try:
            os.ftruncate(self._descriptor, end)
            os.fsync(self._descriptor)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)
