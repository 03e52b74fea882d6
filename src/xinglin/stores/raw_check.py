"""The raw store's check: every segment, record, object, key and index entry against each other.

Codes of findings (append-only). Mended by a repair: ``raw.not_indexed``, ``raw.index_wrong``, ``raw.index_damaged``,
``raw.torn_end``, ``raw.orphan_object``, ``raw.spare_key``, ``raw.leftover``,
``raw.erasure_unfinished``, ``raw.erased_record``. Not to be mended but from a copy: ``raw.segment_missing``,
``raw.segment_head``, ``raw.segment_closed``, ``raw.segment_cut``, ``raw.record_damaged``, ``raw.record_missing``,
``raw.body_damaged``, ``raw.key_missing``, ``raw.key_damaged``, ``raw.object_missing``, ``raw.object_damaged``,
``raw.lost``.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from xinglin.intake.errors import RawDamaged, RawErased
from xinglin.intake.ports import Received
from xinglin.kernel.instants import Clock
from xinglin.stores.raw_erase import resume_erasures
from xinglin.stores.raw_format import HEAD_BYTES, Description, Gap, Record
from xinglin.stores.raw_gather import Item, Unit
from xinglin.stores.raw_index import Entry
from xinglin.stores.raw_keys import Erasure
from xinglin.stores.raw_model import RawFinding, RawReport, Step
from xinglin.stores.raw_objects import object_id, object_name
from xinglin.stores.raw_parts import Parts
from xinglin.stores.raw_recover import index_segment
from xinglin.stores.raw_segments import TEMPORARY, read_part, segment_ids
from xinglin.stores.raw_writer import RawWriter


def check(parts: Parts, writer: RawWriter, clock: Clock, step: Step, repair: bool, deep: bool) -> RawReport:
    """Look at everything; mend what can be mended if ``repair``."""
    return _Check(parts, writer, clock, step, repair, deep).run()


class _Check:
    def __init__(self, parts: Parts, writer: RawWriter, clock: Clock, step: Step, repair: bool, deep: bool) -> None:
        self._parts, self._writer, self._clock, self._step = parts, writer, clock, step
        self._repair, self._deep = repair, deep
        self._findings: list[RawFinding] = []
        self._again: set[int] = set()
        self._records = self._objects = 0

    def run(self) -> RawReport:
        """1. erasures, 2. the index as a file, 3. segments, 4. large objects, 5. keys, 6. what was lost before."""
        parts = self._parts
        self._erasures()
        with self._writer.lock:
            # What is kept from here on goes to later segments, which this check leaves out.
            self._writer.seal()
            segments = segment_ids(parts.segments)
            keys = parts.keys.key_ids()
            if not self._index_file(segments):
                return RawReport(len(segments), 0, 0, len(keys), tuple(self._findings))
        for segment in segments:
            self._segment(segment, keys)
        for segment in sorted(
            (set(parts.index.segments()) | parts.index.object_segments()) - set(segment_ids(parts.segments))
        ):
            self._say("raw.segment_missing", segment, "A segment that the index knows is gone.")
        if self._again and self._repair:
            doomed = [Erasure(segment, "segment", "doomed", 0) for segment in sorted(self._again)]
            parts.keys.begin_erasure([], doomed, 0, self._clock())
            resume_erasures(parts, self._clock, self._step)
        self._large(keys)
        self._keys(keys)
        for segment, sequence in parts.keys.losses():
            self._say("raw.lost", sequence, f"It was damaged when segment {segment} was rewritten.")
        return RawReport(len(segments), self._records, self._objects, len(keys), tuple(self._findings))

    def _say(self, code: str, place: object, words: str, repaired: bool = False) -> None:
        self._findings.append(RawFinding(code, str(place), words, repaired))

    def _erasures(self) -> None:
        for one in self._parts.keys.erasures():
            self._say("raw.erasure_unfinished", one.id, f"An erasure was stopped: {one.kind}.", self._repair)
        if self._repair:
            resume_erasures(self._parts, self._clock, self._step)

    def _index_file(self, segments: Sequence[int]) -> bool:
        """Whether the index can be asked."""
        whole = self._parts.index.sound()
        if whole and self._parts.index.counted():
            return True
        self._say("raw.index_damaged", "index.db", "The index's file is damaged.", self._repair)
        if self._repair:
            self._parts.rebuild_index()
            for segment in segments:
                try:
                    index_segment(self._parts, segment, HEAD_BYTES, False, self._clock, self._step)
                except RawDamaged as error:
                    self._say("raw.segment_closed", segment, error.what)
        return whole or self._repair

    def _segment(self, segment: int, keys: set[int]) -> None:
        parts = self._parts
        if segment not in keys:
            self._say("raw.key_missing", segment, "A segment's key is gone: nobody can read it.")
            return
        try:
            parts.check_head(segment)
        except RawDamaged as error:
            self._say("raw.segment_head", segment, error.what)
        try:
            found = list(parts.scan(segment))
        except RawDamaged as error:
            self._say("raw.segment_closed", segment, error.what)
            return
        records = [one for one in found if isinstance(one, Record)]
        self._gaps(segment, [one for one in found if isinstance(one, Gap)])
        self._bodies(segment, records)
        self._against_index(segment, records)

    def _gaps(self, segment: int, gaps: Sequence[Gap]) -> None:
        indexed = self._parts.index.segments().get(segment, HEAD_BYTES)
        for gap in gaps:
            if gap.last and gap.offset >= indexed:
                words = f"{gap.end - gap.offset} bytes of a write that never ended."
                self._say("raw.torn_end", segment, words, self._repair)
                if self._repair:
                    self._parts.cut(segment, gap.offset)
            else:
                self._say("raw.record_damaged", segment, f"Bytes {gap.offset} to {gap.end} are no record.")
        size = self._parts.path(segment).stat().st_size
        if size < indexed:
            self._say("raw.segment_cut", segment, f"{indexed - size} bytes that were kept are gone.")

    def _bodies(self, segment: int, records: Sequence[Record]) -> None:
        self._records += len(records)
        expected = 0
        for record in records:
            if record.ordinal > expected:
                words = f"Records {expected} to {record.ordinal - 1} are not there."
                self._say("raw.record_missing", segment, words)
            expected = record.ordinal + 1
            try:
                record.body()
            except RawDamaged as error:
                self._say("raw.body_damaged", record.about.sequence, error.what)

    def _against_index(self, segment: int, records: Sequence[Record]) -> None:
        parts = self._parts
        entries = [parts.entry(segment, record) for record in records]
        known = parts.index.find([entry.mark for entry in entries])
        erased = parts.keys.erased([entry.mark for entry in entries])
        wrong: list[Entry] = []
        for entry, record in zip(entries, records, strict=True):
            row = known.get(entry.mark)
            if entry.mark in erased:
                self._say("raw.erased_record", segment, "An erased object is still there.", self._repair)
                self._again.add(segment)
            elif row is None:
                self._say("raw.not_indexed", entry.sequence, "An object that the index lacks.", self._repair)
                wrong.append(entry)
            elif row.segment != segment and self._readable(row, record):
                self._duplicate(segment, entry)
            elif not self._same(row, entry, record):
                self._say("raw.index_wrong", entry.sequence, "The index says something else.", self._repair)
                wrong.append(entry)
        present = {entry.mark for entry in entries}
        for row in parts.index.of_segment(segment):
            if row.mark not in present:
                self._say("raw.record_missing", row.sequence, f"Its record is not in segment {segment}.")
        if wrong and self._repair:
            end = max(parts.index.segments().get(segment, 0), *(each.offset + each.length for each in entries))
            with self._writer.lock:
                parts.index.mend(segment, end, wrong)

    def _same(self, row: Entry, entry: Entry, record: Record) -> bool:
        try:
            name = self._parts.sealer(row.segment).open_name(row.said(), row.sealed)
        except RawDamaged:
            return False
        return name == (record.about.digest, record.about.label) and replace(row, sealed=b"") == replace(
            entry, sealed=b""
        )

    def _sound(self, row: Entry) -> bool:
        """Whether the object that the index points to can be read."""
        if not row.large:
            return self._record(row) is not None
        try:
            self._parts.large.describe(row.large)
        except (RawDamaged, OSError):
            return False
        return True

    def _readable(self, row: Entry, record: Record) -> bool:
        """Whether the record that the index points to holds the object, too."""
        other = self._record(row)
        return other is not None and other.about.digest == record.about.digest

    def _record(self, row: Entry) -> Record | None:
        """The record that the index points to; None where it cannot be read."""
        try:
            data = read_part(self._parts.path(row.segment), row.offset, row.length)
            return self._parts.sealer(row.segment).open(data)
        except (RawDamaged, OSError):
            return None

    def _duplicate(self, segment: int, entry: Entry) -> None:
        if segment in self._parts.index.segments_of_duplicates([entry.mark]):
            return
        self._say("raw.not_indexed", entry.sequence, "A second record that the index lacks.", self._repair)
        if self._repair:
            self._parts.index.absorb(segment, self._parts.index.segments().get(segment, HEAD_BYTES), [entry])

    def _large(self, keys: set[int]) -> None:
        parts = self._parts
        names = set(parts.large.place.names())
        pending = parts.large.pending()
        wanted = parts.index.large_ids()
        segments = set(segment_ids(parts.segments)) | parts.index.object_segments()
        for name in sorted(names):
            key_id = object_id(name)
            if key_id is None:
                self._say("raw.leftover", name, "A file that is no object of this store.")
            elif key_id in segments:
                self._say("raw.leftover", name, "A file of no object: its number is a segment's.")
            elif key_id in wanted:
                self._object(key_id, wanted[key_id])
            elif key_id not in pending and key_id in keys:
                self._orphan(key_id)
            elif key_id not in parts.keys.key_ids():
                self._say("raw.orphan_object", name, "An object whose key is gone.", self._repair)
                if self._repair:
                    parts.large.place.remove(name)
        missing = {key_id for key_id in wanted if object_name(key_id) not in names and key_id in keys}
        if missing:
            # What was published and recorded since the listing is in the next.
            names = set(parts.large.place.names())
        for key_id in sorted(missing):
            if object_name(key_id) not in names:
                self._say("raw.object_missing", wanted[key_id], "A large object's file is gone.")
        self._leftovers()

    def _leftovers(self) -> None:
        """Unfinished files that nobody is writing: there before and after one looks who is writing what."""
        place = self._parts.large.place
        found = place.leftovers(remove=False)
        beside = {object_name(key_id).replace(".obj", TEMPORARY) for key_id in self._parts.large.pending()}
        still = set(place.leftovers(remove=False)) if found else set()
        for name in found:
            if name in still and name not in beside:
                self._say("raw.leftover", name, "A file that was never finished; the next opening removes it.")

    def _object(self, key_id: int, sequence: int) -> None:
        self._objects += 1
        if not self._deep:
            return
        try:
            self._parts.large.describe(key_id)
        except RawDamaged as error:
            self._say("raw.object_damaged", sequence, error.what)

    def _orphan(self, key_id: int) -> None:
        """An object that was published before a crash and never recorded, or whose record is lost: record it."""
        parts = self._parts
        try:
            about = parts.large.describe(key_id)
        except RawDamaged as error:
            self._say("raw.object_damaged", object_name(key_id), error.what)
            return
        mark = parts.keys.mark(about.digest)
        known = parts.index.find([mark]).get(mark)
        if known is not None and not self._sound(known):
            self._say("raw.orphan_object", object_name(key_id), f"It holds object {known.sequence}, which is damaged.")
            return
        outcome = self._writer.commit([Unit([_item(key_id, about)])])[0] if self._repair else None
        needless = isinstance(outcome, RawErased) or (isinstance(outcome, list) and outcome[0].known)
        if needless:
            parts.large.discard(key_id)
        mended = needless or isinstance(outcome, list)
        self._say("raw.orphan_object", object_name(key_id), "An object without a record.", mended)

    def _keys(self, keys: set[int]) -> None:
        parts = self._parts
        for key_id in parts.keys.unreadable():
            self._say("raw.key_damaged", key_id, "A key cannot be unwrapped.")
        with self._writer.lock:
            used = parts.keys.spare() | parts.large.pending() | set(parts.index.large_ids())
            used |= set(segment_ids(parts.segments)) | parts.index.object_segments()
            used |= {one.id for one in parts.keys.erasures()} | {one.replacement for one in parts.keys.erasures()}
            used |= {object_id(name) or 0 for name in parts.large.place.names()}
            spare = sorted(keys - used)
            for key_id in spare:
                self._say("raw.spare_key", key_id, "A key that protects nothing.", self._repair)
            if spare and self._repair:
                parts.keys.destroy(spare)


def _item(key_id: int, about: Description) -> Item:
    received = Received(b"", about.source, about.media_type, about.received_at, about.retention, about.label)
    return Item(received, key_id, about.digest, about.size_bytes)
