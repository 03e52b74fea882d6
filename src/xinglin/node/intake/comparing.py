"""One count of a source against the lake, with the reasons from the ledger and the raw objects."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from xinglin.intake.errors import IntakeError
from xinglin.intake.model import HeldRow, ObjectRow
from xinglin.intake.reconcile import (
    SEARCHED_OBJECTS,
    HereCount,
    Objects,
    Reconciled,
    SourceCount,
    mentioned,
    named_in,
    plain_key,
    reconcile,
    table_of,
)
from xinglin.kernel.limits import Limit
from xinglin.lake.delta import Lake
from xinglin.lake.quality_days import CHINA, KeyedDay, keyed_day

OPENED_BYTES = Limit("opened object that is searched", 512 * 1024 * 1024, "bytes")
_PARQUET, _GZIP = b"PAR1", b"\x1f\x8b"
_PAGE = 1_000

Since = Callable[[str, str], Sequence[str]]
"""Digests of the objects that a source sent on a day or after it."""


class ObjectPages(Protocol):
    """Of the ledger, what a source sent."""

    def objects_of(self, source: str, after: int, limit: int) -> tuple[ObjectRow, ...]:
        """Objects of a source with a sequence after ``after``, in order."""
        ...


def compare(
    theirs: SourceCount,
    lake: Lake,
    held: Iterable[HeldRow],
    raw: Objects | None,
    since: Since,
    *,
    zone_minutes: int = CHINA,
    of: str = "",
) -> Reconciled:
    """Both counts, what is missing here and why; ``held``: open quarantined and rejected records of any source.

    ``of``: only facts whose key begins so (``MedicationRequest/``), components apart; empty: all of the table.
    """
    table, moment = table_of(theirs.kind)
    found = keyed_day(lake, theirs.source, table, moment, theirs.day, theirs.keys, zone_minutes)
    here = _here(theirs, found, of)
    own = {plain_key(key) for key in here.keys}
    lost = [key for key in theirs.keys if plain_key(key) not in own]
    if not lost or raw is None:
        return reconcile(theirs, here)
    opened = OpenedObjects(raw)
    where = mentioned(opened, [row for row in held if row.source == theirs.source], lost)
    rest = [key for key in lost if key not in where]
    digests = since(theirs.source, theirs.day)[: SEARCHED_OBJECTS.value] if rest else ()
    return reconcile(theirs, here, where, named_in(opened, digests, rest))


def objects_since(ledger: ObjectPages, source: str, day: str) -> list[str]:
    """Digests of a source's objects of ``day`` or later, oldest first; as many as are searched."""
    found: list[str] = []
    after = 0
    while len(found) < SEARCHED_OBJECTS.value and (page := ledger.objects_of(source, after, _PAGE)):
        found += [one.digest for one in page if one.day >= day and one.state != "erased"]
        after = page[-1].sequence
    return found


class OpenedObjects:
    """Raw objects as texts that keys can be looked for in (port ``intake.reconcile.Objects``)."""

    def __init__(self, raw: Objects) -> None:
        self._raw = raw

    def read(self, digest: str) -> bytes:
        """An object's bytes; the cells of a Parquet table, what a gzip file holds, up to ``OPENED_BYTES``."""
        body = self._raw.read(digest)
        if body[:2] == _GZIP:
            body = _inflated(body)
        return _cells(body) if body[:4] == _PARQUET else body


def _here(theirs: SourceCount, found: KeyedDay, of: str) -> HereCount:
    keys, count = found.keys, found.count
    if of:
        keys = {key: fact for key, fact in keys.items() if "#" not in fact and f"/{of}" in f"/{fact}"}
        count = len(set(keys.values()))
    return HereCount(theirs.source, theirs.day, theirs.kind, count, keys, found.other_days, found.taken_back)


def _inflated(body: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(body, OPENED_BYTES.value)
    except zlib.error:
        return body


def _cells(body: bytes) -> bytes:
    """The distinct texts of every column, one a line."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    try:
        parts = []
        for batch in pq.ParquetFile(io.BytesIO(body)).iter_batches():
            for column in batch.columns:
                texts = pc.unique(pc.cast(column, pa.string())) if not pa.types.is_nested(column.type) else column
                parts += [str(one) for one in texts.to_pylist() if one is not None]
            OPENED_BYTES.check(sum(map(len, parts)))
    except (pa.ArrowException, OSError) as error:
        raise IntakeError("A table among the raw objects cannot be opened.") from error
    return "\n".join(parts).encode("utf-8", "surrogatepass")
