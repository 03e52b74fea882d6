"""The hub's database (port: ``xinglin.hub.ports.HubStore``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from xinglin.kernel.instants import Instant
from xinglin.stores.database import create_tables, open_database, sqlite_url
from xinglin.stores.hub_rows import AgreementRow, MessageRow, RunRow

SCHEMA_VERSION = 1
_meta = MetaData()
_key = String(200)
invite = Table(
    "invite",
    _meta,
    Column("secret_digest", _key, primary_key=True),
    Column("role", String(40), nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("used_by", _key),
)
publication = Table(
    "publication",
    _meta,
    Column("provider", _key, primary_key=True),
    Column("descriptions", LargeBinary, nullable=False),
)
agreement = Table(
    "agreement",
    _meta,
    Column("agreement_id", _key, primary_key=True),
    Column("state", String(40), nullable=False),
    Column("provider", _key, nullable=False),
    Column("consumer", _key, nullable=False),
    Column("offered", LargeBinary, nullable=False),
    Column("countersigned", LargeBinary, nullable=False),
    Column("reasons", LargeBinary, nullable=False),
)
run = Table(
    "run",
    _meta,
    Column("run_id", _key, primary_key=True),
    Column("state", String(40), nullable=False),
    Column("requester", _key, nullable=False),
    Column("request", LargeBinary, nullable=False),
    Column("plan", LargeBinary, nullable=False),
    Column("view", LargeBinary, nullable=False),
    Column("result", LargeBinary, nullable=False),
)
run_message = Table(
    "run_message",
    _meta,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("run_id", _key, nullable=False, index=True),
    Column("node", _key, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("round", Integer, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    UniqueConstraint("run_id", "node", "kind", "round"),
)
seen = Table(
    "seen",
    _meta,
    Column("key", String(400), primary_key=True),
    Column("expires", BigInteger, nullable=False),
)


class HubDatabase:
    """SQLite in a folder, or PostgreSQL by URL. Messages of a run's rounds skip the disk flush.

    A killed process loses none of them; after a power cut the run they belong to ends and is asked again.
    """

    def __init__(self, url: str) -> None:
        self._engine = open_database(url)
        self._quick = open_database(url, durable=False)
        create_tables(self._engine, _meta, SCHEMA_VERSION)

    @classmethod
    def in_folder(cls, folder: Path) -> HubDatabase:
        """The database file ``hub.db`` in ``folder``."""
        return cls(sqlite_url(folder / "hub.db"))

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()
        self._quick.dispose()

    def add_invite(self, secret_digest: str, role: str, expires: Instant) -> None:
        """See the port."""
        with self._engine.begin() as connection:
            connection.execute(insert(invite).values(secret_digest=secret_digest, role=role, expires=expires))

    def use_invite(self, secret_digest: str, did: str, now: Instant) -> str | None:
        """See the port. One UPDATE decides, so two callers cannot both win."""
        unused = (invite.c.used_by.is_(None)) & (invite.c.expires > now)
        open_invite = (invite.c.secret_digest == secret_digest) & unused
        with self._engine.begin() as connection:
            if connection.execute(update(invite).where(open_invite).values(used_by=did)).rowcount != 1:
                return None
            role = select(invite.c.role).where(invite.c.secret_digest == secret_digest)
            return connection.execute(role).scalar_one()

    def put_publication(self, provider: str, descriptions: bytes) -> None:
        """See the port."""
        self._put(publication, "provider", {"provider": provider, "descriptions": descriptions})

    def publications(self) -> tuple[tuple[str, bytes], ...]:
        """See the port."""
        rows = self._rows(select(publication).order_by(publication.c.provider))
        return tuple((row["provider"], row["descriptions"]) for row in rows)

    def put_agreement(self, row: AgreementRow) -> None:
        """See the port."""
        self._put(agreement, "agreement_id", msgspec.structs.asdict(row))

    def agreement(self, agreement_id: str) -> AgreementRow | None:
        """See the port."""
        rows = self._rows(select(agreement).where(agreement.c.agreement_id == agreement_id))
        return AgreementRow(**rows[0]) if rows else None

    def agreements(self) -> tuple[AgreementRow, ...]:
        """See the port."""
        return tuple(AgreementRow(**row) for row in self._rows(select(agreement)))

    def add_run(self, row: RunRow) -> bool:
        """See the port."""
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(run).values(**msgspec.structs.asdict(row)))
        except IntegrityError:
            return False
        return True

    def put_run(self, row: RunRow) -> None:
        """See the port."""
        self._put(run, "run_id", msgspec.structs.asdict(row))

    def run(self, run_id: str) -> RunRow | None:
        """See the port."""
        rows = self._rows(select(run).where(run.c.run_id == run_id))
        return RunRow(**rows[0]) if rows else None

    def open_runs(self) -> tuple[RunRow, ...]:
        """See the port."""
        return tuple(RunRow(**row) for row in self._rows(select(run).where(run.c.state == "open")))

    def add_message(self, run_id: str, row: MessageRow) -> bool:
        """See the port."""
        try:
            with self._quick.begin() as connection:
                connection.execute(insert(run_message).values(run_id=run_id, **msgspec.structs.asdict(row)))
        except IntegrityError:
            return False
        return True

    def messages(self, run_id: str) -> tuple[MessageRow, ...]:
        """See the port."""
        columns = [run_message.c[name] for name in ("node", "kind", "round", "payload")]
        query = select(*columns).where(run_message.c.run_id == run_id).order_by(run_message.c.number)
        return tuple(MessageRow(**row) for row in self._rows(query))

    def drop_messages(self, run_id: str) -> None:
        """See the port."""
        with self._quick.begin() as connection:
            connection.execute(delete(run_message).where(run_message.c.run_id == run_id))

    def remember(self, key: str, until: Instant, now: Instant) -> bool:
        """See the port."""
        with self._quick.begin() as connection:
            connection.execute(delete(seen).where(seen.c.expires < now))
        try:
            with self._quick.begin() as connection:
                connection.execute(insert(seen).values(key=key, expires=until))
        except IntegrityError:
            return False
        return True

    def _rows(self, query: Any) -> list[dict[str, Any]]:
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def _put(self, table: Table, key: str, values: dict[str, Any]) -> None:
        with self._engine.begin() as connection:
            if connection.execute(update(table).where(table.c[key] == values[key]).values(**values)).rowcount == 0:
                connection.execute(insert(table).values(**values))
