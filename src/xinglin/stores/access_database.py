"""The access process in a database (port: ``xinglin.access.ports.AccessStore``), and a node's kept approvals."""

from __future__ import annotations

from pathlib import Path

import msgspec
from sqlalchemy import URL

from xinglin.access.ports import ActRow, DraftRow, MotionRow, VoteRow
from xinglin.stores import access_tables as t
from xinglin.stores.database import Database, sqlite_url


class AccessDatabase:
    """SQLite in the hub's folder, or PostgreSQL by URL; every write is durable when its call returns."""

    def __init__(self, url: str | URL, *, accept_loss: bool = False) -> None:
        self._database = Database(url, t.SCHEMA)
        self._database.install(t.meta, t.SCHEMA_VERSION, accept_loss=accept_loss)

    @classmethod
    def in_folder(cls, folder: Path) -> AccessDatabase:
        """The database file ``access.db`` in ``folder``."""
        return cls(sqlite_url(folder / "access.db"))

    def close(self) -> None:
        """Close every connection."""
        self._database.close()

    def put_draft(self, row: DraftRow) -> None:
        """See the port."""
        self._database.write(t.PUT_DRAFT, **msgspec.structs.asdict(row))

    def draft(self, draft: str) -> DraftRow | None:
        """See the port."""
        found = self._database.one(t.DRAFT, key=draft)
        return DraftRow(**found) if found else None

    def drafts(self, owner: str) -> tuple[DraftRow, ...]:
        """See the port."""
        return tuple(DraftRow(**row) for row in self._database.rows(t.DRAFTS, of=owner))

    def drop_draft(self, draft: str) -> None:
        """See the port."""
        self._database.write(t.DROP_DRAFT, key=draft)

    def add_act(self, row: ActRow) -> bool:
        """See the port."""
        return self._database.write(t.ADD_ACT, **msgspec.structs.asdict(row)) == 1

    def acts(self, application: str = "") -> tuple[ActRow, ...]:
        """See the port."""
        rows = self._database.rows(t.ACTS_OF, of=application) if application else self._database.rows(t.ACTS)
        return tuple(ActRow(**row) for row in rows)

    def put_motion(self, row: MotionRow) -> None:
        """See the port."""
        self._database.write(t.PUT_MOTION, **msgspec.structs.asdict(row))

    def motion(self, motion: str) -> MotionRow | None:
        """See the port."""
        found = self._database.one(t.MOTION, key=motion)
        return MotionRow(**found) if found else None

    def motions(self, application: str = "") -> tuple[MotionRow, ...]:
        """See the port."""
        rows = self._database.rows(t.MOTIONS_OF, of=application) if application else self._database.rows(t.MOTIONS)
        return tuple(MotionRow(**row) for row in rows)

    def add_vote(self, row: VoteRow) -> bool:
        """See the port."""
        return self._database.write(t.ADD_VOTE, **msgspec.structs.asdict(row)) == 1

    def votes(self, motion: str) -> tuple[VoteRow, ...]:
        """See the port."""
        return tuple(VoteRow(**row) for row in self._database.rows(t.VOTES, of=motion))


class ApprovalDocuments:
    """Resolutions that a node was given, by digest; whether one stands is the log's to say."""

    def __init__(self, url: str | URL) -> None:
        self._database = Database(url, t.NODE_SCHEMA)
        self._database.install(t.node_meta, t.SCHEMA_VERSION)

    @classmethod
    def in_folder(cls, folder: Path) -> ApprovalDocuments:
        """The database file ``approvals.db`` in ``folder``."""
        return cls(sqlite_url(folder / "approvals.db"))

    def close(self) -> None:
        """Close every connection."""
        self._database.close()

    def keep(self, approval: str, study: str, signed: bytes, signer: str = "") -> None:
        """Keep a document and who signed it; the same again changes nothing."""
        with self._database.alone() as work:
            work.write(t.KEEP_APPROVAL, approval=approval, study=study, signed=signed)
            work.write(t.KEEP_SIGNER, approval=approval, signer=signer)

    def signed_by(self, signer: str) -> int:
        """How many documents of one signer are kept."""
        found = self._database.one(t.SIGNED_BY, who=signer)
        return int(found["count"]) if found else 0

    def known(self) -> frozenset[str]:
        """Digests of everything kept."""
        return frozenset(row["approval"] for row in self._database.rows(t.APPROVALS))

    def of_study(self, study: str) -> dict[str, bytes]:
        """Digest to envelope (``Signed`` as bytes) of one study's."""
        return {row["approval"]: row["signed"] for row in self._database.rows(t.APPROVALS_OF, of=study)}
