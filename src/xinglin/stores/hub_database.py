"""The hub's database (port: ``xinglin.hub.ports.HubStore``)."""

from __future__ import annotations

from pathlib import Path

import msgspec
from sqlalchemy import (
    URL,
    Column,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    bindparam,
    delete,
    select,
    text,
    update,
)

from xinglin.kernel.instants import Instant
from xinglin.stores.columns import counter, number, octets, words
from xinglin.stores.database import Database, insert_or, sqlite_url
from xinglin.stores.hub_rows import AgreementLine, AgreementRow, MessageRow, RunRow

SCHEMA_VERSION = 1
SCHEMA = "xinglin_hub"
"""Where the tables lie in PostgreSQL, unless the URL or the role sets a search path."""
FORGET_EVERY_MS = 10_000
_meta = MetaData()
invite = Table(
    "invite",
    _meta,
    words("secret_digest", key=True),
    words("role"),
    number("expires"),
    Column("used_by", String()),
)
publication = Table(
    "publication",
    _meta,
    words("provider", key=True),
    octets("descriptions"),
)
agreement = Table(
    "agreement",
    _meta,
    words("agreement_id", key=True),
    words("state"),
    words("provider"),
    words("consumer"),
    octets("offered"),
    octets("countersigned"),
    octets("reasons"),
)
run = Table(
    "run",
    _meta,
    words("run_id", key=True),
    words("state"),
    words("requester"),
    octets("request"),
    octets("plan"),
    octets("view"),
    octets("result"),
)
run_message = Table(
    "run_message",
    _meta,
    counter("number"),
    words("run_id", index=True),
    words("node"),
    words("kind"),
    Column("round", Integer, nullable=False),
    octets("payload"),
    UniqueConstraint("run_id", "node", "kind", "round"),
)
seen = Table(
    "seen",
    _meta,
    words("key", key=True),
    number("expires", index=True),
)


_ADD_INVITE = text(
    "INSERT INTO invite (secret_digest, role, expires) VALUES (:secret_digest, :role, :expires) "
    "ON CONFLICT (secret_digest) DO NOTHING"
)
_USE_INVITE = (
    update(invite)
    .where(
        (invite.c.secret_digest == bindparam("digest"))
        & invite.c.used_by.is_(None)
        & (invite.c.expires > bindparam("now"))
    )
    .values(used_by=bindparam("did"))
)
_ROLE = select(invite.c.role).where(invite.c.secret_digest == bindparam("digest"))
_PUT_PUBLICATION = insert_or(publication, "provider", replace=True)
_PUBLICATIONS = select(publication).order_by(publication.c.provider)
_PUT_AGREEMENT = insert_or(agreement, "agreement_id", replace=True)
_AGREEMENT = select(agreement).where(agreement.c.agreement_id == bindparam("key"))
_AGREEMENTS = select(agreement)
_AGREEMENT_LINES = select(agreement.c.agreement_id, agreement.c.state, agreement.c.provider, agreement.c.consumer)
_ADD_RUN = insert_or(run, "run_id", replace=False)
_PUT_RUN = insert_or(run, "run_id", replace=True)
_RUN = select(run).where(run.c.run_id == bindparam("key"))
_OPEN_RUNS = select(run).where(run.c.state == "open")
_ADD_MESSAGE = text(
    "INSERT INTO run_message (run_id, node, kind, round, payload) VALUES (:run_id, :node, :kind, :round, :payload) "
    "ON CONFLICT (run_id, node, kind, round) DO NOTHING"
)
_MESSAGES = (
    select(run_message.c.node, run_message.c.kind, run_message.c.round, run_message.c.payload)
    .where(run_message.c.run_id == bindparam("key"))
    .order_by(run_message.c.number)
)
_DROP_MESSAGES = delete(run_message).where(run_message.c.run_id == bindparam("key"))
_REMEMBER = text(
    "INSERT INTO seen (key, expires) VALUES (:key, :until) "
    "ON CONFLICT (key) DO UPDATE SET expires = excluded.expires WHERE seen.expires < :now"
)
_FORGET = delete(seen).where(seen.c.expires < bindparam("now"))


class HubDatabase:
    """SQLite in a folder, or PostgreSQL by URL. Messages of a run's rounds and one-time values skip the disk flush.

    A killed process loses none of them. After a power cut the run a message belongs to ends and is asked again, and
    a proof shown at the door in the last moments before could be shown once more while it lives (minutes).
    """

    def __init__(self, url: str | URL, *, accept_loss: bool = False) -> None:
        self._kept = Database(url, SCHEMA)
        self._kept.install(_meta, SCHEMA_VERSION, accept_loss=accept_loss)
        self._quick = Database(url, SCHEMA, durable=False)
        self._forgot: Instant = 0

    @classmethod
    def in_folder(cls, folder: Path) -> HubDatabase:
        """The database file ``hub.db`` in ``folder``."""
        return cls(sqlite_url(folder / "hub.db"))

    def close(self) -> None:
        """Close every connection."""
        self._kept.close()
        self._quick.close()

    def add_invite(self, secret_digest: str, role: str, expires: Instant) -> None:
        """See the port."""
        self._kept.write(_ADD_INVITE, secret_digest=secret_digest, role=role, expires=expires)

    def use_invite(self, secret_digest: str, did: str, now: Instant) -> str | None:
        """See the port. One UPDATE decides, so two callers cannot both win."""
        if self._kept.write(_USE_INVITE, digest=secret_digest, did=did, now=now) != 1:
            return None
        (used,) = self._kept.rows(_ROLE, digest=secret_digest)
        return str(used["role"])

    def put_publication(self, provider: str, descriptions: bytes) -> None:
        """See the port."""
        self._kept.write(_PUT_PUBLICATION, provider=provider, descriptions=descriptions)

    def publications(self) -> tuple[tuple[str, bytes], ...]:
        """See the port."""
        return tuple((row["provider"], row["descriptions"]) for row in self._kept.rows(_PUBLICATIONS))

    def put_agreement(self, row: AgreementRow) -> None:
        """See the port."""
        self._kept.write(_PUT_AGREEMENT, **msgspec.structs.asdict(row))

    def agreement(self, agreement_id: str) -> AgreementRow | None:
        """See the port."""
        found = self._kept.one(_AGREEMENT, key=agreement_id)
        return AgreementRow(**found) if found else None

    def agreements(self) -> tuple[AgreementRow, ...]:
        """See the port."""
        return tuple(AgreementRow(**row) for row in self._kept.rows(_AGREEMENTS))

    def agreement_lines(self) -> tuple[AgreementLine, ...]:
        """See the port."""
        return tuple(AgreementLine(**row) for row in self._kept.rows(_AGREEMENT_LINES))

    def add_run(self, row: RunRow) -> bool:
        """See the port."""
        return self._kept.write(_ADD_RUN, **msgspec.structs.asdict(row)) == 1

    def put_run(self, row: RunRow) -> None:
        """See the port."""
        self._kept.write(_PUT_RUN, **msgspec.structs.asdict(row))

    def run(self, run_id: str) -> RunRow | None:
        """See the port."""
        found = self._kept.one(_RUN, key=run_id)
        return RunRow(**found) if found else None

    def open_runs(self) -> tuple[RunRow, ...]:
        """See the port."""
        return tuple(RunRow(**row) for row in self._kept.rows(_OPEN_RUNS))

    def add_message(self, run_id: str, row: MessageRow) -> bool:
        """See the port."""
        return self._quick.write(_ADD_MESSAGE, run_id=run_id, **msgspec.structs.asdict(row)) == 1

    def messages(self, run_id: str) -> tuple[MessageRow, ...]:
        """See the port."""
        return tuple(MessageRow(**row) for row in self._kept.rows(_MESSAGES, key=run_id))

    def drop_messages(self, run_id: str) -> None:
        """See the port."""
        self._quick.write(_DROP_MESSAGES, key=run_id)

    def remember(self, key: str, until: Instant, now: Instant) -> bool:
        """See the port. One statement decides; old keys are swept every ten seconds."""
        if now - self._forgot >= FORGET_EVERY_MS:
            self._forgot = now
            self._quick.write(_FORGET, now=now)
        return self._quick.write(_REMEMBER, key=key, until=until, now=now) == 1
