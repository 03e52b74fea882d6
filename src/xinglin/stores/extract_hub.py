"""Extracts at the hub: who asked which hospital for what, where it stands, and sealed parts until they are fetched."""

from __future__ import annotations

from pathlib import Path

import msgspec
from sqlalchemy import URL, MetaData, Table, bindparam, delete, func, select, update

from xinglin.kernel.codec import decode_json
from xinglin.kernel.limits import Limit
from xinglin.stores.columns import number, octets, words
from xinglin.stores.database import Database, Row, insert_or, sqlite_url
from xinglin.stores.database_errors import StoreFull
from xinglin.wire.extracts import ExtractView

SCHEMA_VERSION = 1
SCHEMA = "xinglin_hub_extracts"
"""Where the tables lie in PostgreSQL, unless the URL or the role sets a search path."""
RELAYED_BYTES = Limit("sealed parts that wait at the hub", 4 * 1024 * 1024 * 1024, "bytes")
RELAYED_OF_NODE = Limit("sealed parts of one hospital that wait at the hub", 1024 * 1024 * 1024, "bytes")
_meta = MetaData()
extract = Table(
    "extract",
    _meta,
    words("run", key=True),
    words("requester", index=True),
    words("recipient", index=True),
    words("node", index=True),
    words("open", index=True),
    number("asked"),
    octets("request"),
    octets("plan"),
    octets("view"),
)
part = Table("part", _meta, words("key", key=True), words("run", index=True), number("size"), octets("payload"))
_ADD = insert_or(extract, "run", replace=False)
_ONE = select(extract).where(extract.c.run == bindparam("key"))
_OPEN = select(extract).where(extract.c.open == "yes").order_by(extract.c.asked, extract.c.run)
_OF = (
    select(extract)
    .where((extract.c.requester == bindparam("who")) | (extract.c.recipient == bindparam("who")))
    .order_by(extract.c.asked.desc(), extract.c.run)
    .limit(bindparam("most"))
)
_SAY = (
    update(extract).where(extract.c.run == bindparam("key")).values(view=bindparam("said"), open=bindparam("is_open"))
)
_ADD_PART = insert_or(part, "key", replace=False)
_PART = select(part.c.payload).where(part.c.key == bindparam("one"))
_COUNT = select(func.count().label("count")).select_from(part).where(part.c.run == bindparam("one_run"))
_HELD = select(part.c.run).distinct().order_by(part.c.run)
_SIZES = (
    select(func.coalesce(extract.c.node, "").label("node"), func.sum(part.c.size).label("size"))
    .select_from(part.outerjoin(extract, part.c.run == extract.c.run))
    .group_by(extract.c.node)
)
_DROP = delete(part).where(part.c.run == bindparam("one_run"))


class RelayFull(StoreFull):
    """A hospital's share of the relay is used up; nothing was kept, and later calls succeed once there is room."""


class ExtractRow(msgspec.Struct, frozen=True):
    """An extract: its order as received, and how its followers see it."""

    run: str
    requester: str
    recipient: str
    node: str
    request: bytes
    plan: bytes
    view: ExtractView


class HubExtracts:
    """SQLite in the hub's folder, or PostgreSQL by URL; every write is durable when its call returns."""

    def __init__(self, url: str | URL, *, accept_loss: bool = False) -> None:
        self._database = Database(url, SCHEMA)
        self._database.install(_meta, SCHEMA_VERSION, accept_loss=accept_loss)

    @classmethod
    def in_folder(cls, folder: Path) -> HubExtracts:
        """The database file ``extracts.db`` in ``folder``."""
        return cls(sqlite_url(folder / "extracts.db"))

    def close(self) -> None:
        """Close every connection."""
        self._database.close()

    def add(self, row: ExtractRow) -> None:
        """Insert an extract; one that is known stays as it is."""
        values = {name: getattr(row, name) for name in ("run", "requester", "recipient", "node", "request", "plan")}
        self._database.write(_ADD, **values, open="yes", asked=row.view.asked, view=msgspec.json.encode(row.view))

    def one(self, run: str) -> ExtractRow | None:
        """An extract by its run's id."""
        found = self._database.one(_ONE, key=run)
        return _row(found) if found else None

    def unfinished(self) -> tuple[ExtractRow, ...]:
        """Every extract that its hospital has not finished, oldest first."""
        return tuple(map(_row, self._database.rows(_OPEN)))

    def of(self, did: str, most: int) -> tuple[ExtractRow, ...]:
        """At most ``most`` extracts that ``did`` asked for or receives, newest first."""
        return tuple(map(_row, self._database.rows(_OF, who=did, most=most)))

    def say(self, view: ExtractView, *, over: bool) -> None:
        """Where an extract stands now."""
        self._database.write(_SAY, key=view.run_id, said=msgspec.json.encode(view), is_open="no" if over else "yes")

    def add_part(self, run: str, name: int, payload: bytes) -> None:
        """Keep a sealed part; one that is known stays as it is. Raises ``RelayFull`` where there is no room."""
        if self.part(run, name) is not None:
            return
        if not self.has_room(run, len(payload)):
            raise RelayFull("No more sealed parts of this hospital can wait here.", remedy="Send them again later.")
        self._database.write(_ADD_PART, key=f"{run}/{name}", run=run, size=len(payload), payload=payload)

    def has_room(self, run: str, size: int) -> bool:
        """Whether ``size`` bytes more may wait for the hospital of ``run``.

        Beside its limit, a hospital takes at most half of what the others leave: there is always room for one more.
        """
        row = self.one(run)
        sizes = {found["node"]: int(found["size"]) for found in self._database.rows(_SIZES)}
        own = sizes.pop(row.node if row is not None else "", 0)
        return own + size <= min(RELAYED_OF_NODE.value, (RELAYED_BYTES.value - sum(sizes.values())) // 2)

    def part(self, run: str, name: int) -> bytes | None:
        """A sealed part."""
        found = self._database.one(_PART, one=f"{run}/{name}")
        return bytes(found["payload"]) if found else None

    def parts(self, run: str) -> int:
        """How many sealed parts wait."""
        (found,) = self._database.rows(_COUNT, one_run=run)
        return int(found["count"])

    def held(self) -> tuple[str, ...]:
        """Runs of which sealed parts wait."""
        return tuple(row["run"] for row in self._database.rows(_HELD))

    def drop_parts(self, run: str) -> None:
        """Forget the sealed parts."""
        self._database.write(_DROP, one_run=run)


def _row(found: Row) -> ExtractRow:
    view = decode_json(found["view"], ExtractView)
    return ExtractRow(
        found["run"], found["requester"], found["recipient"], found["node"], found["request"], found["plan"], view
    )
