"""Follows the raw store: every instance into the index, every series that is quiet into a summary.

Whatever way an instance came in (C-STORE, STOW-RS, files), it is found here, in order and once; what a crash cut
off is done again, to the same effect. A summary is an object like any other, and read into ``imaging``.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable

from xinglin.intake.errors import RawDamaged, RawErased, RawMissing
from xinglin.intake.ports import Kept, RawStore, Received
from xinglin.kernel.instants import Clock, Instant, system_clock
from xinglin.records.dicom import BadDicom, Header, Summary, SummaryInstance, brief_of, encode_summary, open_header
from xinglin.records.dicom.bounds import HEADER_BYTES, SERIES_INSTANCES
from xinglin.records.dicom.files import DICOM_MEDIA_TYPE
from xinglin.records.dicom.indexing import IndexedInstance, InstanceIndex, SeriesCount
from xinglin.records.dicom.json_model import query_attributes
from xinglin.records.dicom.series import SUMMARY_MEDIA_TYPE

log = logging.getLogger("xinglin.feeds.dicom")
PAGE, REMEMBERED, SERIES_AT_ONCE = 500, 1_000, 200
QUIET_MS = 5_000


class SeriesCounter:
    """Keeps an ``InstanceIndex`` level with a raw store; every method may be called from any thread.

    ``quiet_ms``: a series without a new instance for so long gets its summary.
    """

    def __init__(
        self,
        index: InstanceIndex,
        raw: RawStore,
        *,
        clock: Clock = system_clock,
        quiet_ms: int = QUIET_MS,
        charset: str = "utf-8",
    ) -> None:
        self.index = index
        self._raw, self._clock, self._quiet_ms, self._charset = raw, clock, quiet_ms, charset
        self._noticed: OrderedDict[str, IndexedInstance | None] = OrderedDict()
        self._lock, self._turn = threading.Lock(), threading.Lock()
        self._counted = -1

    def notice(self, kept: Kept, header: Header) -> None:
        """What a listener has read already is not read again."""
        self.prepare(header)(kept)

    def prepare(self, header: Header) -> Callable[[Kept], None]:
        """As ``notice``, in two steps: the work of it now, the rest once the object is kept."""
        make = _prepared(header)
        return lambda kept: self._remember(kept, make(kept))

    def _remember(self, kept: Kept, entry: IndexedInstance | None) -> None:
        with self._lock:
            self._noticed[kept.digest] = entry
            while len(self._noticed) > REMEMBERED:
                self._noticed.popitem(last=False)

    def follow(self) -> int:
        """Index what the raw store took since, forget what it erased; how many instances are new."""
        with self._turn:
            found, after = 0, self.index.position()
            while page := self._raw.after(after, PAGE):
                entries = [entry for kept in page if (entry := self._entry(kept)) is not None]
                after = page[-1].sequence
                self.index.add(entries, after, self._clock())
                found += len(entries)
            self._forget_erased()
            return found

    def summarise(self, before: Instant | None = None) -> int:
        """Keep a summary of every series that is quiet since ``before`` (by default ``quiet_ms`` ago); how many."""
        limit = self._clock() - self._quiet_ms if before is None else before
        done = 0
        with self._turn:
            while series := self.index.changed(limit, SERIES_AT_ONCE):
                for one in series:
                    self._summarise(one)
                done += len(series)
        return done

    def _entry(self, kept: Kept) -> IndexedInstance | None:
        if kept.media_type.partition(";")[0].strip().lower() != DICOM_MEDIA_TYPE:
            return None
        with self._lock:
            if kept.digest in self._noticed:
                return self._noticed.pop(kept.digest)
        try:
            return indexed(kept, open_header(head_of(self._raw, kept), self._charset))
        except (BadDicom, RawErased, RawMissing, RawDamaged):
            return None  # it is quarantined where it is read for the tables

    def _summarise(self, count: SeriesCount) -> None:
        told = self.index.of_series(count.source, count.series)
        if len(told) > SERIES_INSTANCES.value:
            log.warning("dicom.series_too_long source=%s instances=%d", count.source, len(told))
        elif told and told[-1][0].person:
            newest, retention = told[-1]
            instances = tuple(
                SummaryInstance(
                    one.instance, one.size_bytes, one.frames, one.kept,
                    one.tube_current_ma, one.exposure_mas, one.dose_ctdi_mgy,
                ) for one, _ in told
            )  # fmt: skip
            body = encode_summary(Summary(newest.study, newest.series, newest.person, instances))
            now = self._clock()
            try:
                self._raw.keep_all([Received(body, count.source, SUMMARY_MEDIA_TYPE, now, retention, "series")])
            except RawErased:
                log.info("dicom.summary_erased source=%s", count.source)
        self.index.summarised(count)

    def _forget_erased(self) -> None:
        """Look whether everything indexed is still kept, when objects were erased since the last look."""
        count = self._raw.count()
        if count >= self._counted >= 0:
            self._counted = count
            return
        self._counted, after = count, ""
        gone: list[str] = []
        while page := self.index.digests(after, PAGE):
            gone += [digest for digest in page if self._raw.find(digest) is None]
            after = page[-1]
        self.index.remove(gone)


def indexed(kept: Kept, header: Header) -> IndexedInstance | None:
    """The entry of an object; None where its header has not all three UIDs."""
    return _prepared(header)(kept)


def _prepared(header: Header) -> Callable[[Kept], IndexedInstance | None]:
    """Makes the entry; holds nothing of the header any more."""
    brief = brief_of(header)
    if brief is None:
        return lambda kept: None
    attributes = query_attributes(header)
    return lambda kept: IndexedInstance(
        kept.digest, kept.sequence, kept.source, kept.retention, brief, attributes
    )  # fmt: skip


def head_of(raw: RawStore, kept: Kept) -> bytes:
    """The object, or as much of a large one as a header may take."""
    if kept.size_bytes <= HEADER_BYTES.value:
        return raw.read(kept.digest)
    pieces, size = [], 0
    for piece in raw.read_stream(kept.digest):
        pieces.append(piece)
        size += len(piece)
        if size > HEADER_BYTES.value:
            break
    return b"".join(pieces)
