"""Where the catalogue's entries are kept (port: ``xinglin.catalogue.ports.CatalogueStore``)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
from sqlalchemy import URL, Integer, MetaData, Table, bindparam, delete, func, insert, select, update

from xinglin.catalogue.entry import CatalogueEntry
from xinglin.catalogue.ports import SourceState
from xinglin.kernel.codec import decode_json
from xinglin.stores.columns import counter, number, octets, words
from xinglin.stores.database import Database, insert_or, sqlite_url

SCHEMA_VERSION = 1
SCHEMA = "xinglin_catalogue"
"""Where the tables lie in PostgreSQL, unless the URL or the role sets a search path."""
READ_AT_ONCE = 1_000
_meta = MetaData()
entry = Table(
    "entry",
    _meta,
    counter("number"),
    words("entry_id", unique=True),
    words("source", index=True),
    octets("body"),
    sqlite_autoincrement=True,
)
source = Table(
    "source",
    _meta,
    words("participant", key=True),
    words("address"),
    number("read"),
    number("failures"),
    number("due"),
    words("trouble"),
    number("entries"),
)
_OF_SOURCE = select(entry.c.number, entry.c.entry_id, entry.c.body).where(entry.c.source == bindparam("source_"))
_ADD = insert(entry).values(entry_id=bindparam("entry_id"), source=bindparam("source"), body=bindparam("body"))
_CHANGE = update(entry).where(entry.c.number == bindparam("number_")).values(body=bindparam("body"))
_DROP = delete(entry).where(entry.c.number == bindparam("number_"))
_ALL = (
    select(entry.c.number, entry.c.body)
    .where(entry.c.number > bindparam("after", type_=Integer()))
    .order_by(entry.c.number)
    .limit(READ_AT_ONCE)
)
_COUNT = select(func.count().label("count")).select_from(entry)
_PUT_SOURCE = insert_or(source, "participant", replace=True)
_SOURCES = select(source).order_by(source.c.participant)
_DROP_SOURCE = delete(source).where(source.c.participant == bindparam("participant_"))


class CatalogueDatabase:
    """SQLite in a folder, or PostgreSQL by URL."""

    def __init__(self, url: str | URL, *, accept_loss: bool = False) -> None:
        self._database = Database(url, SCHEMA)
        self._database.install(_meta, SCHEMA_VERSION, accept_loss=accept_loss)

    @classmethod
    def in_folder(cls, folder: Path) -> CatalogueDatabase:
        """The database file ``catalogue.db`` in ``folder``."""
        return cls(sqlite_url(folder / "catalogue.db"))

    def close(self) -> None:
        """Close every connection."""
        self._database.close()

    def replace(self, source: str, entries: tuple[CatalogueEntry, ...]) -> tuple[tuple[int, CatalogueEntry], ...]:
        """See the port."""
        with self._database.alone() as work:
            known = {row["entry_id"]: row for row in work.rows(_OF_SOURCE, source_=source)}
            fresh = []
            for one in entries:
                body = msgspec.json.encode(one)
                found = known.pop(one.entry_id, None)
                if found is None:
                    fresh.append({"entry_id": one.entry_id, "source": source, "body": body})
                elif found["body"] != body:
                    work.write(_CHANGE, number_=found["number"], body=body)
            for gone in known.values():
                work.write(_DROP, number_=gone["number"])
            if fresh:
                work.write_many(_ADD, fresh)
            numbers = {row["entry_id"]: row["number"] for row in work.rows(_OF_SOURCE, source_=source)}
        return tuple((numbers[one.entry_id], one) for one in entries)

    def entries(self) -> Iterator[tuple[int, CatalogueEntry]]:
        """See the port."""
        after = 0
        while True:
            rows = self._database.rows(_ALL, after=after)
            for row in rows:
                yield row["number"], decode_json(row["body"], CatalogueEntry)
            if len(rows) < READ_AT_ONCE:
                return
            after = rows[-1]["number"]

    def put_source(self, state: SourceState) -> None:
        """See the port."""
        self._database.write(_PUT_SOURCE, **msgspec.structs.asdict(state))

    def sources(self) -> tuple[SourceState, ...]:
        """See the port."""
        return tuple(SourceState(**row) for row in self._database.rows(_SOURCES))

    def drop_source(self, participant: str) -> None:
        """See the port."""
        self._database.write(_DROP_SOURCE, participant_=participant)
