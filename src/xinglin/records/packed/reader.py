"""Zip and gzip files whose members are records of several kinds: each member goes to the reader of its kind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from xinglin.records.errors import RecordsError
from xinglin.records.model import Read, ReadContext, Reader, Unread
from xinglin.records.sniffing import HEAD_BYTES, PACKED, UNKNOWN, VCF, sniff
from xinglin.records.tabular.archive import GZIP, heads, is_archive, members

TABLES_PLACE = "tables"
FOREIGN = "packed: a file of a kind that is not known"


class WithPacked:
    """A reader of tables, also in archives, around which members of other kinds are read by their own readers.

    A place within a member begins with ``member[n]``, its number among the archive's files: names of files may name
    persons. A member that its reader refuses is unread alone. Tables go to the inner reader, all together; files of
    no known kind go with them, and where there are no tables they are ignored.
    """

    def __init__(self, inner: Reader, others: Iterable[Reader]) -> None:
        self._inner = inner
        self._others: dict[str, Reader] = {}
        for reader in others:
            for name in reader.media_types:
                self._others.setdefault(name, reader)
        self.media_types = (*inner.media_types, PACKED)

    def read(self, body: bytes, context: ReadContext) -> Iterator[Read]:
        """Parts in order, tables last. Raises what the inner reader raises where the object is its own."""
        kinds = {_kind(name, head) for name, head in heads(body)} if is_archive(body) else set()
        # A gzipped VCF is read as a stream by the inner reader.
        if not kinds & set(self._others) or (kinds == {VCF} and body.startswith(GZIP)):
            yield from self._inner.read(body, context)
            return
        unknown = tables = 0
        for number, (name, data) in enumerate(members(body), 1):
            kind = _kind(name, data)
            reader = self._others.get(kind)
            if reader is not None:
                yield from _member(reader, data, context, f"member[{number}]")
            elif kind == UNKNOWN:
                unknown += 1
            else:
                tables += 1
        if tables:
            yield from _tables(self._inner, body, context)
        elif unknown:
            yield Read(unknown, ignored={FOREIGN: unknown})


def _kind(name: str, data: bytes) -> str:
    return sniff(data[:HEAD_BYTES], name).media_type


def _member(reader: Reader, data: bytes, context: ReadContext, place: str) -> Iterator[Read]:
    try:
        for part in reader.read(data, context):
            yield _placed(part, f"{place}/")
    except RecordsError as error:
        yield Read(1, unread=(Unread(place, error.code, error.what),))


def _tables(inner: Reader, body: bytes, context: ReadContext) -> Iterator[Read]:
    """What is wrong with the tables is wrong with them alone: the documents beside them are read."""
    try:
        yield from inner.read(body, context)
    except RecordsError as error:
        yield Read(1, unread=(Unread(TABLES_PLACE, error.code, error.what),))


def _placed(part: Read, place: str) -> Read:
    """The part with places within the archive."""
    mapped = []
    for one in part.mapped:
        at = one.columns.index("place") if "place" in one.columns else -1
        rows = one.rows if at < 0 else [(*row[:at], place + (row[at] or ""), *row[at + 1 :]) for row in one.rows]
        mapped.append(msgspec.structs.replace(one, rows=rows))
    return msgspec.structs.replace(
        part,
        resources=tuple(msgspec.structs.replace(one, place=place + one.place) for one in part.resources),
        mapped=tuple(mapped),
        unread=tuple(msgspec.structs.replace(one, place=place + one.place) for one in part.unread),
    )
