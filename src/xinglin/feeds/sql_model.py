"""What a pull from a database is told and what it remembers. Version 1; append-only."""

from __future__ import annotations

from typing import Literal

import msgspec

from xinglin.intake.ports import Received
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.limits import Limit

SEEN_ROWS = Limit("rows remembered inside the overlap window", 500_000, "rows")
CELL_BYTES = Limit("one value of a row", 16 * 1024 * 1024, "bytes")

SqlKind = Literal["none", "time", "number", "text"]


class SqlError(XinglinError):
    """Anything that goes wrong with a SQL source; the server's own message, which may quote a row, is not carried."""

    code = "feeds.sql"


class SqlDriverMissing(SqlError):
    """The driver of this kind of database is not installed."""

    code = "feeds.sql_driver_missing"


class SqlNotReadOnly(SqlError):
    """The login may change tables, or the session could not be made read-only."""

    code = "feeds.sql_not_read_only"


class BadSqlSource(SqlError):
    """A source whose table, query or watermark cannot be used."""

    code = "feeds.sql_bad_source"


class SqlUnavailable(SqlError):
    """The server does not answer, or ended a statement; what was handed over before stays valid: pull again."""

    code = "feeds.sql_unavailable"


class SqlSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table or a query of a hospital's database. Version 1; append-only.

    ``url``: of SQLAlchemy, with a login that may only read. ``table`` (``schema.table``) or ``query`` (one SELECT).
    ``watermark``: the column that grows with every change; empty pulls everything each time. ``overlap_s``: a time
    watermark is read again from so many seconds before; ``overlap``: the same for a number. ``order``: columns that
    order rows of the same watermark (the primary key). ``rows``: of one object. ``strict``: refuse a login that may
    write. ``timeout_s``: of one statement, where the server knows it.
    """

    name: str
    url: str
    table: str = ""
    query: str = ""
    watermark: str = ""
    overlap_s: int = 3600
    overlap: int = 0
    order: tuple[str, ...] = ()
    nulls: bool = True
    rows: int = 50_000
    strict: bool = True
    timeout_s: int = 3600
    retention: str = "inpatient"
    version: int = 1

    def __repr__(self) -> str:
        """Without the login."""
        return f"SqlSource({self.name!r})"


class Watermark(msgspec.Struct, frozen=True):
    """How far a source was read: the newest value, and the digests of the rows inside the overlap window.

    Persist it only after the object that it came with is kept. ``kind`` says how ``value`` is written.
    """

    value: str = ""
    kind: SqlKind = "none"
    seen: tuple[tuple[str, str], ...] = ()
    version: int = 1


class Pulled(msgspec.Struct, frozen=True):
    """Some rows as one object, and the watermark to persist once it is kept."""

    received: Received
    after: Watermark
    rows: int


class SourceReport(msgspec.Struct, frozen=True):
    """What was found when a source was opened. ``may_write``: ``None`` where the server does not say."""

    dialect: str
    columns: tuple[str, ...]
    may_write: bool | None
    warnings: tuple[str, ...] = ()
