"""The raw store on a folder: what came in, under its digest, encrypted, kept once.

``keys.db`` (wrapped keys, tombstones: back it up apart), ``index.db`` (rebuilt when lost), ``segments/`` (small
objects), ``objects/`` (large ones, or in a bucket), ``lock``. One process writes; any number read.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from msgspec.structs import replace

from xinglin.intake.errors import NotKept, RawDamaged, RawErased, RawRetained, UnknownRetention
from xinglin.intake.ports import RETENTION_YEARS, Kept, Received, retention_ends
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.instants import Clock, Instant, system_clock
from xinglin.stores.raw_check import check
from xinglin.stores.raw_erase import erase
from xinglin.stores.raw_errors import RawClosed, RawUnavailable
from xinglin.stores.raw_format import Description
from xinglin.stores.raw_gather import Gather, Item, Unit
from xinglin.stores.raw_model import (
    GROUP_BYTES,
    GROUP_ENTRIES,
    INLINE_BESIDE_BUCKET_BYTES,
    LABEL_BYTES,
    OBJECT_BYTES,
    WAITING_BYTES,
    WORD_BYTES,
    KeyRing,
    RawFinding,
    RawReport,
    RawSettings,
    Step,
    no_step,
)
from xinglin.stores.raw_objects import Source
from xinglin.stores.raw_packing import pack
from xinglin.stores.raw_parts import Parts, lock_folder
from xinglin.stores.raw_reader import RawReader, raw_digest
from xinglin.stores.raw_recover import recover
from xinglin.stores.raw_segments import make_folder
from xinglin.stores.raw_writer import RawWriter

T = TypeVar("T")
WORKERS = 8
PREPARED_FROM_BYTES = 64 * 1024
"""Larger bodies are hashed and compressed by the thread that brings them, and not by the one that writes."""


class RawFolder(RawReader):
    """A ``RawStore``; made by ``open_raw_store``."""

    def __init__(self, parts: Parts, clock: Clock, step: Step, lock: int) -> None:
        super().__init__(parts.segments, parts.keys, parts.index, parts.large)
        self._parts, self._clock, self._step, self._lock = parts, clock, step, lock
        self.findings: tuple[RawFinding, ...] = recover(parts, clock, step)
        self._writer = RawWriter(parts.segments, parts.keys, parts.index, parts.settings, clock, step)
        self._gather = Gather(self._writer.commit)
        self._maintenance, self._working_lock = threading.Lock(), threading.Lock()
        self._working_bytes = 0
        self._workers = ThreadPoolExecutor(WORKERS, "raw-worker")

    async def keep(self, received: Received) -> Kept:
        """See the port."""
        size_bytes = len(received.body)
        if size_bytes > self._parts.settings.inline_limit_bytes:
            return await asyncio.wrap_future(self._submit(self._keep_large, received))
        item = Item(_checked(received))
        if size_bytes > PREPARED_FROM_BYTES:
            item = await asyncio.wrap_future(self._submit(self._prepared, received))
        return (await self._gather.keep(Unit([item])))[0]

    def keep_all(self, received: Sequence[Received]) -> list[Kept]:
        """See the port."""
        GROUP_ENTRIES.check(len(received))
        if not received:
            return []
        inline = self._inline_bytes(received)
        GROUP_BYTES.check(_bytes_up_to(inline, received))
        items = [Item(_checked(each)) for each in received]
        try:
            for position, each in enumerate(received):
                if len(each.body) > inline:
                    items[position] = self._publish([each.body], each)
                elif len(each.body) > PREPARED_FROM_BYTES:
                    items[position] = self._prepared(each)
            return self._settle(items)
        except (NotKept, RawErased, RawDamaged):
            self._discard(items)
            raise

    def keep_stream(self, chunks: Iterable[bytes], described: Received) -> Kept:
        """See the port."""
        if described.body:
            raise ValueError("a description of a stream has no body")
        _checked(described)
        first, size, pieces = [], 0, iter(chunks)
        for piece in pieces:
            first.append(piece)
            size += len(piece)
            if size > self._parts.settings.inline_limit_bytes:
                break
        else:
            return self.keep_all([replace(described, body=b"".join(first))])[0]
        item = self._publish(itertools.chain(first, pieces), described)
        try:
            return self._settle([item])[0]
        except (NotKept, RawErased, RawDamaged):
            self._discard([item])
            raise

    def erase(self, digests: Sequence[str]) -> None:
        """See the port."""
        with self._maintenance:
            marks = [self._parts.keys.mark(raw_digest(digest)) for digest in digests]
            erase(self._parts, self._writer, marks, self._clock, self._step)

    def erase_expired(self, digests: Sequence[str], now: Instant) -> None:
        """See the port."""
        for digest in digests:
            kept = self.find(digest)
            if kept is not None and retention_ends(kept) > now:
                raise RawRetained("An object has to be kept longer.", why=f"its class is {kept.retention!r}")
        self.erase(digests)

    def rotate(self, ring: KeyRing) -> int:
        """Wrap every key under ``ring.current``; how many that were. Stopped half-way, it goes on when called again.

        ``ring`` still holds the old key-encrypting keys; they may be destroyed when this has returned.
        """
        with self._maintenance:
            return self._parts.keys.rotate(ring, self._step)

    def fsck(self, repair: bool = False, deep: bool = True) -> RawReport:
        """Check every segment, record, object, key and index entry; ``repair`` mends what can be.

        Damaged bytes stay damaged, and told. ``deep``: read the large objects too, and not only look for them.
        Keeping goes on meanwhile.
        """
        with self._maintenance:
            return check(self._parts, self._writer, self._clock, self._step, repair, deep)

    def close(self) -> None:
        """Answer all that wait, and close everything; later calls raise ``RawClosed``."""
        self._workers.shutdown()
        self._gather.close()
        self._writer.seal()
        self._parts.close()
        lock, self._lock = self._lock, -1
        if lock >= 0:
            os.close(lock)

    def _submit(self, work: Callable[[Received], T], received: Received) -> Future[T]:
        OBJECT_BYTES.check(len(received.body))
        with self._working_lock:
            waiting = self._working_bytes
            if waiting and waiting + len(received.body) > WAITING_BYTES.value:
                raise NotKept("Too much waits to be kept.", remedy="Send again, more slowly.")
            try:
                future = self._workers.submit(work, received)
            except RuntimeError as error:
                raise RawClosed("The raw store is closed.") from error
            self._working_bytes += len(received.body)

        def done(_: Future[T]) -> None:
            with self._working_lock:
                self._working_bytes -= len(received.body)

        future.add_done_callback(done)
        return future

    def _keep_large(self, received: Received) -> Kept:
        return self.keep_all([received])[0]

    def _inline_bytes(self, received: Sequence[Received]) -> int:
        """Up to which size these lie in a segment: fewer of them do where one write could not hold them all."""
        inline = self._parts.settings.inline_limit_bytes
        if _bytes_up_to(inline, received) <= GROUP_BYTES.value:
            return inline
        return min(inline, INLINE_BESIDE_BUCKET_BYTES)

    def _prepared(self, received: Received) -> Item:
        """An object hashed, and compressed unless it is kept already."""
        digest = hashlib.sha256(received.body).digest()
        with contextlib.suppress(RawUnavailable, RawDamaged):  # the writer will find that out, too
            if self._parts.index.find([self._parts.keys.mark(digest)]):
                return Item(received, 0, digest, len(received.body))
        payload, packed = pack(received.body)
        return Item(replace(received, body=b""), 0, digest, len(received.body), payload, packed)

    def _publish(self, pieces: Iterable[bytes], received: Received) -> Item:
        """Write a large object; it is kept once its record is."""

        def describe(digest: bytes, size: int) -> Description:
            said = (received.source, received.media_type, received.received_at, received.retention)
            return Description(0, digest, *said, received.label, size)

        source = Source(pieces)
        try:
            key_id, about = self._parts.large.put(source, describe)
        except (OSError, RawUnavailable) as error:
            if source.failure is not None:
                raise source.failure from None
            raise NotKept(
                "The object could not be made durable; it was not kept.",
                why=type(error).__name__,
                remedy="Make room; send again.",
            ) from error
        return Item(replace(received, body=b""), key_id, about.digest, about.size_bytes)

    def _settle(self, items: Sequence[Item]) -> list[Kept]:
        """Wait for the records; large objects that nobody needs are gone afterwards."""
        outcome = self._gather.keep_blocking(Unit(items))
        for item in items:
            self._parts.large.settled(item.large)
        self._discard([item for item, kept in zip(items, outcome, strict=True) if kept.known])
        return outcome

    def _discard(self, items: Sequence[Item]) -> None:
        for item in items:
            # A crash or failure here leaves an object without a record, which the check finds.
            if item.large:
                with contextlib.suppress(OSError, RawUnavailable):
                    self._parts.large.discard(item.large)
                self._parts.large.settled(item.large)


def _bytes_up_to(size_bytes: int, received: Sequence[Received]) -> int:
    return sum(len(each.body) for each in received if len(each.body) <= size_bytes)


def _checked(received: Received) -> Received:
    if received.retention not in RETENTION_YEARS:
        raise UnknownRetention(
            "The retention class is not known.", remedy=f"Use one of: {', '.join(sorted(RETENTION_YEARS))}."
        )
    try:
        LABEL_BYTES.check(len(received.label.encode()))
        WORD_BYTES.check(max(len(received.source.encode()), len(received.media_type.encode())))
    except UnicodeEncodeError as error:
        raise MalformedMessage("A source, media type or label is no text.") from error
    return received


def open_raw_store(
    folder: Path,
    keys: KeyRing,
    settings: RawSettings | None = None,
    clock: Clock = system_clock,
    step: Step = no_step,
) -> RawFolder:
    """Open or make the raw store in ``folder`` for writing, after mending what a crash left.

    ``keys``: the key-encrypting key for what is new, and those that older keys are still wrapped under. ``step``
    is called with the name of each step as it is reached. Raises ``RawBusy``, ``RawWrongKey``, ``RawForeign``,
    ``RawTooNew``, ``RawDamaged``.
    """
    settings = settings or RawSettings()
    make_folder(folder)
    make_folder(folder / "segments")
    lock = lock_folder(folder)
    try:
        parts = Parts(folder, keys, settings, step, read_only=False)
        try:
            return RawFolder(parts, clock, step, lock)
        except BaseException:
            parts.close()
            raise
    except BaseException:
        os.close(lock)
        raise


def open_raw_reader(folder: Path, keys: KeyRing, settings: RawSettings | None = None) -> OpenedReader:
    """Open the raw store in ``folder`` for reading only; another process may write to it."""
    return OpenedReader(Parts(folder, keys, settings or RawSettings(), no_step, read_only=True))


class OpenedReader(RawReader):
    """A ``RawReader`` with its files; made by ``open_raw_reader``."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts.segments, parts.keys, parts.index, parts.large)
        self._parts = parts

    def close(self) -> None:
        """Close everything."""
        self._parts.close()
