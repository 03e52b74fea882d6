"""What an opening mends: unfinished erasures, records beyond the index, a torn last record, unfinished files."""

from __future__ import annotations

from xinglin.intake.errors import RawDamaged
from xinglin.kernel.instants import Clock
from xinglin.stores.raw_erase import resume_erasures
from xinglin.stores.raw_errors import RawUnavailable
from xinglin.stores.raw_format import HEAD_BYTES, Gap
from xinglin.stores.raw_keys import Erasure
from xinglin.stores.raw_model import RawFinding, Step
from xinglin.stores.raw_parts import Parts
from xinglin.stores.raw_segments import TEMPORARY, segment_ids

_INDEXED_AT_ONCE = 4_096


def recover(parts: Parts, clock: Clock, step: Step) -> tuple[RawFinding, ...]:
    """Mend what a crash left; what was found that should not be."""
    for path in parts.segments.glob(f"*{TEMPORARY}"):
        path.unlink()
    parts.large.place.leftovers(remove=True)
    findings: list[RawFinding] = []
    try:
        resume_erasures(parts, clock, step)
    except (RawDamaged, RawUnavailable) as error:
        # The objects are refused already; the store opens, and the next check or opening goes on.
        findings.append(RawFinding("raw.erasure_unfinished", "keys.db", error.what))
    try:
        # Each table is read once, so that damage in any of them is met here.
        parts.index.totals()
        parts.index.large_ids()
        indexed = parts.index.segments()
    except RawDamaged as error:
        findings.append(RawFinding("raw.index_damaged", "index.db", error.what, repaired=True))
        parts.rebuild_index()
        indexed = {}
    present = segment_ids(parts.segments)
    # After a key table was restored from an older copy its next numbers may be those of files that are there.
    parts.keys.number_above(max([0, *present, *indexed, *parts.index.large_ids()]))
    for segment in present:
        # Without an index only the newest segment can have been written to when the process ended.
        torn = bool(indexed) or segment == present[-1]
        findings += _catch_up(parts, segment, indexed.get(segment), torn, clock, step)
    findings += [
        RawFinding("raw.segment_missing", str(segment), "A segment that the index knows is gone.")
        for segment in sorted(set(indexed) - set(present))
    ]
    return tuple(findings)


def _catch_up(
    parts: Parts, segment: int, indexed: int | None, torn: bool, clock: Clock, step: Step
) -> list[RawFinding]:
    path = parts.path(segment)
    size = path.stat().st_size
    if indexed == size:
        return []
    if indexed is None and size < HEAD_BYTES:
        path.unlink()  # the process ended while it made the file
        return []
    if indexed is not None and size < indexed:
        return [RawFinding("raw.segment_cut", str(segment), f"{indexed - size} bytes that were kept are gone.")]
    try:
        return index_segment(parts, segment, indexed or HEAD_BYTES, torn, clock, step)
    except RawDamaged as error:
        return [RawFinding("raw.segment_closed", str(segment), error.what)]


def index_segment(parts: Parts, segment: int, start: int, torn: bool, clock: Clock, step: Step) -> list[RawFinding]:
    """Index what a segment holds from ``start`` on; an end that may be ``torn`` is cut off, other damage is told."""
    findings: list[RawFinding] = []
    try:
        parts.check_head(segment)
    except RawDamaged as error:
        findings.append(RawFinding("raw.segment_head", str(segment), error.what))
    entries = []
    keys = parts.keys.key_ids()
    end = start
    for found in parts.scan(segment, start):
        if isinstance(found, Gap):
            if found.last and torn:
                parts.cut(segment, found.offset)
                words = f"{found.end - found.offset} bytes of a write that never ended were cut off."
                findings.append(RawFinding("raw.torn_end", str(segment), words, repaired=True))
            else:
                words = f"Bytes {found.offset} to {found.end} are no record."
                findings.append(RawFinding("raw.record_damaged", str(segment), words))
                end = found.end
            continue
        end = found.offset + found.length
        if found.about.large and found.about.large not in keys:
            words = f"The key of object {found.about.sequence} is gone."
            findings.append(RawFinding("raw.key_missing", str(found.about.large), words))
            continue
        entries.append(parts.entry(segment, found))
    erased = parts.keys.erased([entry.mark for entry in entries])
    for position in range(0, len(entries), _INDEXED_AT_ONCE):
        part = [entry for entry in entries[position : position + _INDEXED_AT_ONCE] if entry.mark not in erased]
        parts.index.absorb(segment, end, part)
    parts.index.absorb(segment, end, ())
    if erased:
        # A copy of what was erased came back: it goes again.
        parts.keys.begin_erasure([], [Erasure(segment, "segment", "doomed", 0)], parts.index.newest(), clock())
        resume_erasures(parts, clock, step)
        findings.append(
            RawFinding("raw.erased_record", str(segment), "Erased objects were there again.", repaired=True)
        )
    return findings
