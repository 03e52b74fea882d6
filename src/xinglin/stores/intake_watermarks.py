"""How far each pulled source was read, sealed under the node's keys; and how its last pull went.

A watermark may name times and digests of rows, an export's state the server's addresses: nobody else reads them.
Version 1; append-only.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
from sqlalchemy import MetaData, Table, bindparam, delete, select, text

from xinglin.kernel.instants import Instant
from xinglin.stores.columns import number, octets, words
from xinglin.stores.database import Database, insert_or, sqlite_url

SCHEMA_VERSION = 1
PULLS_FILE = "pulls.db"

_meta = MetaData()
_mark = Table(
    "mark",
    _meta,
    words("source", key=True),
    words("part", key=True),
    number("at"),
    octets("state"),
)
_pull = Table(
    "pull",
    _meta,
    words("source", key=True),
    number("began_at"),
    number("done_at"),
)
_GET = select(_mark.c.state).where((_mark.c.source == bindparam("about")) & (_mark.c.part == bindparam("piece")))
_PUT = text(
    "INSERT INTO mark (source, part, at, state) VALUES (:source, :part, :at, :state) "
    "ON CONFLICT (source, part) DO UPDATE SET at = excluded.at, state = excluded.state"
)
_FORGET = delete(_mark).where(_mark.c.source == bindparam("about"))
_LAST = select(_pull).where(_pull.c.source == bindparam("about"))
_ENDED = insert_or(_pull, "source", replace=True)


class LastPull(msgspec.Struct, frozen=True):
    """The last pull of a source that came to its end: when it began, when it was done."""

    began_at: Instant
    done_at: Instant


class IntakeWatermarks:
    """One SQLite file; each write is on the disk when its call returns. ``seal`` and ``unseal`` are the node's."""

    def __init__(self, path: Path, seal: Callable[[bytes], bytes], unseal: Callable[[bytes], bytes]) -> None:
        self._seal, self._unseal = seal, unseal
        self._database = Database(sqlite_url(path), "xinglin_pulls")
        self._database.install(_meta, SCHEMA_VERSION)

    @classmethod
    def in_folder(
        cls, folder: Path, seal: Callable[[bytes], bytes], unseal: Callable[[bytes], bytes]
    ) -> IntakeWatermarks:
        """The file ``pulls.db`` of the node's folder."""
        return cls(folder / PULLS_FILE, seal, unseal)

    def close(self) -> None:
        """Close every connection."""
        self._database.close()

    def get(self, source: str, part: str) -> bytes | None:
        """The state of a part of a source; None before the first."""
        found = self._database.one(_GET, about=source, piece=part)
        return self._unseal(bytes(found["state"])) if found else None

    def put(self, source: str, part: str, state: bytes, at: Instant) -> None:
        """Remember how far a part was read. Only after what it says was read is kept."""
        self._database.write(_PUT, source=source, part=part, at=at, state=self._seal(state))

    def forget(self, source: str) -> int:
        """The next pull begins at the beginning; what is known makes no row twice. How many states went."""
        return self._database.write(_FORGET, about=source)

    def ended(self, source: str, began_at: Instant, done_at: Instant) -> None:
        """A pull came to its end without failure."""
        self._database.write(_ENDED, source=source, began_at=began_at, done_at=done_at)

    def last(self, source: str) -> LastPull | None:
        """The last pull that came to its end."""
        found = self._database.one(_LAST, about=source)
        return LastPull(found["began_at"], found["done_at"]) if found else None
