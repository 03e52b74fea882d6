"""Papers about agreements, at a node and at the hub: applications, notices of breach and answers, as they were signed.

A paper is added once and never changed; what it comes to is said by the log and by its own signatures.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
from sqlalchemy import URL, MetaData, Table, bindparam, func, select, text

from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Allowed, Verdict, deny
from xinglin.stores.columns import number, octets, words
from xinglin.stores.database import Database, sqlite_url

SCHEMA_VERSION = 1
PAPERS = Limit("papers of one party about one agreement", 128, "papers")
PAPER_BYTES = Limit("a paper about an agreement", 1024 * 1024, "bytes")

_meta = MetaData()
paper = Table(
    "contract_paper",
    _meta,
    words("agreement", key=True),
    words("digest", key=True),
    words("kind"),
    words("by"),
    number("at"),
    octets("signed"),
)
_ADD = text(
    "INSERT INTO contract_paper (agreement, digest, kind, by, at, signed) "
    "VALUES (:agreement, :digest, :kind, :by, :at, :signed) ON CONFLICT (agreement, digest) DO NOTHING"
)
_OF = (
    select(paper)
    .where((paper.c.agreement == bindparam("about")) & (paper.c.kind == bindparam("what")))
    .order_by(paper.c.at, paper.c.digest)
)
_ALL = select(paper).where(paper.c.kind == bindparam("what")).order_by(paper.c.at, paper.c.digest)
_ONE = select(paper).where((paper.c.agreement == bindparam("about")) & (paper.c.digest == bindparam("named")))
_COUNT = select(func.count().label("count")).where(
    (paper.c.agreement == bindparam("about")) & (paper.c.by == bindparam("who"))
)


class PaperRow(msgspec.Struct, frozen=True):
    """A paper: of which agreement, the digest of what was signed, its kind, who signed it, when it came."""

    agreement: str
    digest: str
    kind: str
    by: str
    at: Instant
    signed: bytes


class ContractPapers:
    """SQLite in a folder, or PostgreSQL by URL; a paper is durable when its call returns."""

    def __init__(self, url: str | URL, schema: str, *, accept_loss: bool = False) -> None:
        self._database = Database(url, schema)
        self._database.install(_meta, SCHEMA_VERSION, accept_loss=accept_loss)

    @classmethod
    def in_folder(cls, folder: Path) -> ContractPapers:
        """The database file ``papers.db`` in ``folder``."""
        return cls(sqlite_url(folder / "papers.db"), "")

    def close(self) -> None:
        """Close every connection."""
        self._database.close()

    def keep(self, row: PaperRow) -> Verdict:
        """Keep a paper; the same again changes nothing. Denied where its party has ``PAPERS`` about the agreement."""
        PAPER_BYTES.check(len(row.signed))
        with self._database.alone() as work:
            if work.rows(_ONE, about=row.agreement, named=row.digest):
                return Allowed()
            found = work.one(_COUNT, about=row.agreement, who=row.by)
            if found is not None and found["count"] >= PAPERS.value:
                words = f"One party gives at most {PAPERS.value} papers about an agreement."
                return deny("contract.too_many_papers", words, "Settle what is open first.")
            work.write(_ADD, **msgspec.structs.asdict(row))
        return Allowed()

    def one(self, agreement: str, digest: str) -> PaperRow | None:
        """The paper with this digest about an agreement."""
        found = self._database.one(_ONE, about=agreement, named=digest)
        return PaperRow(**found) if found else None

    def of(self, agreement: str, kind: str) -> tuple[PaperRow, ...]:
        """Papers of one kind about an agreement, oldest first."""
        return tuple(PaperRow(**row) for row in self._database.rows(_OF, about=agreement, what=kind))

    def all(self, kind: str) -> tuple[PaperRow, ...]:
        """Papers of one kind about every agreement, oldest first."""
        return tuple(PaperRow(**row) for row in self._database.rows(_ALL, what=kind))
