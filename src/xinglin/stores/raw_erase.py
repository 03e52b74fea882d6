"""Erasing: tombstones first, then each segment anew without the erased, then its key, then its file.

1. One durable transaction of the key table: tombstones, and the journal of segments and objects that have to go.
   From here on the objects are refused, and an opening after a crash goes on with the journal.
2. Each segment: survivors under a fresh key into a new file, whole and synced before it has its name.
3. The index points to it.
4. The old key is deleted (the copies of the old file, wherever they are, are noise from here on).
5. The old file is removed, and the journal's line.
6. The key table is written anew without the deleted keys, and the write-ahead logs are emptied.

Every step can be done twice. A tombstone is a keyed mark and no digest: it must recognise the object when it is sent
again, and tell nobody else, who guesses its bytes, that it was here.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence

from xinglin.kernel.instants import Clock
from xinglin.stores.raw_format import HEAD_BYTES, SEGMENT_MAGIC, Gap, Record, head
from xinglin.stores.raw_index import Entry
from xinglin.stores.raw_keys import Erasure
from xinglin.stores.raw_model import Step
from xinglin.stores.raw_objects import object_name
from xinglin.stores.raw_parts import Parts
from xinglin.stores.raw_segments import publish, sync_folder
from xinglin.stores.raw_writer import RawWriter


def erase(parts: Parts, writer: RawWriter, marks: Sequence[bytes], clock: Clock, step: Step) -> None:
    """Erase the objects of these marks; complete when it returns, completed by the next opening when it does not."""
    with writer.lock:
        entries = parts.index.find(marks)
        segments = {entry.segment for entry in entries.values()} | parts.index.segments_of_duplicates(marks)
        for segment in segments:
            if parts.path(segment).exists():
                parts.sealer(segment)  # a segment whose key is damaged holds others that may be restored
        if writer.active in segments:
            writer.seal()
        doomed = [Erasure(segment, "segment", "doomed", 0) for segment in sorted(segments)]
        doomed += [Erasure(entry.large, "object", "doomed", 0) for entry in entries.values() if entry.large]
        parts.keys.begin_erasure(marks, doomed, writer.newest, clock())
    step("journalled")
    resume_erasures(parts, clock, step)
    # Also when nothing was doomed: an earlier call may have been stopped just before this.
    _forget(parts, step)


def resume_erasures(parts: Parts, clock: Clock, step: Step) -> None:
    """Do what the journal says; nothing when it is empty."""
    if not parts.keys.erasures():
        return
    while erasures := parts.keys.erasures():
        for one in erasures:
            (_segment if one.kind == "segment" else _object)(parts, one, clock, step)
    _forget(parts, step)


def _forget(parts: Parts, step: Step) -> None:
    parts.keys.forget()
    parts.index.checkpoint()
    step("forgotten")


def _segment(parts: Parts, one: Erasure, clock: Clock, step: Step) -> None:
    if one.state == "doomed":
        survivors, erased, larges = _sort(parts, one.id)
        found = {record.about.sequence for record in survivors}
        new, end = 0, 0
        entries: list[Entry] = []
        if survivors:
            new = one.replacement or parts.keys.take()
            parts.keys.plan_replacement(one.id, new)
            step("replacement-planned")
            if not parts.path(new).exists():
                _write(parts, new, survivors, step)
            entries, end = _entries(parts, new)
        indexed = parts.index.of_segment(one.id)
        gone = parts.keys.erased([entry.mark for entry in indexed])
        lost = [each.sequence for each in indexed if each.sequence not in found and each.mark not in gone]
        parts.index.replace(one.id, new, end, entries, [*erased, *gone])
        step("reindexed")
        objects = [Erasure(large, "object", "doomed", 0) for large in larges]
        if objects:
            parts.keys.begin_erasure([], objects, 0, clock())
        parts.keys.shred(one.id, lost, clock())
        step("shredded")
    parts.path(one.id).unlink(missing_ok=True)
    sync_folder(parts.segments)
    step("removed")
    parts.keys.end_erasure(one.id)


def _object(parts: Parts, one: Erasure, clock: Clock, step: Step) -> None:
    if one.state == "doomed":
        parts.keys.shred(one.id, (), clock())
        step("object-shredded")
    parts.large.place.remove(object_name(one.id))
    step("object-removed")
    parts.keys.end_erasure(one.id)


def _sort(parts: Parts, segment: int) -> tuple[list[Record], list[bytes], list[int]]:
    """Records that stay, marks of those that go, and the objects that go with them."""
    if not parts.path(segment).exists() or segment not in parts.keys.key_ids():
        return [], [], []
    records = [found for found in parts.scan(segment) if not isinstance(found, Gap)]
    marks = [parts.keys.mark(record.about.digest) for record in records]
    erased = parts.keys.erased(marks)
    survivors = [record for record, mark in zip(records, marks, strict=True) if mark not in erased]
    larges = [
        record.about.large for record, mark in zip(records, marks, strict=True) if mark in erased and record.about.large
    ]
    return survivors, sorted(erased), larges


def _write(parts: Parts, new: int, survivors: Sequence[Record], step: Step) -> None:
    """The survivors' records under the new key; their numbers stay."""
    sealer = parts.sealer(new)
    first = head(SEGMENT_MAGIC, new, parts.keys.store_id)
    sealed = (
        sealer.seal(ordinal, record.about, record.payload, os.urandom(12)) for ordinal, record in enumerate(survivors)
    )
    publish(parts.path(new), itertools.chain((first,), sealed), step, "replacement")


def _entries(parts: Parts, segment: int) -> tuple[list[Entry], int]:
    entries, end = [], HEAD_BYTES
    for found in parts.scan(segment):
        if isinstance(found, Record):
            entries.append(parts.entry(segment, found))
            end = found.offset + found.length
    return entries, end
