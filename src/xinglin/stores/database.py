"""Opening a database by URL: SQLite (WAL) in the box, PostgreSQL by URL, both through SQLAlchemy Core."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Engine, Integer, MetaData, Table, create_engine, event, insert, select

from xinglin.kernel.errors import XinglinError


class DatabaseTooNew(XinglinError):
    """The database was written by a newer version: refused, not guessed."""

    code = "stores.database_too_new"


def sqlite_url(path: Path) -> str:
    """The URL of an SQLite file."""
    return f"sqlite:///{path}"


def open_database(url: str, *, durable: bool = True) -> Engine:
    """An engine for ``url``; SQLite gets WAL and, when ``durable``, a synced commit (``synchronous=FULL``)."""
    engine = create_engine(url, future=True)
    if engine.dialect.name == "sqlite":
        synchronous = "FULL" if durable else "NORMAL"

        @event.listens_for(engine, "connect")
        def _on_connect(connection: sqlite3.Connection, _record: Any) -> None:
            for pragma in ("journal_mode=WAL", f"synchronous={synchronous}", "busy_timeout=30000", "foreign_keys=ON"):
                connection.execute(f"PRAGMA {pragma}")

    return engine


def create_tables(engine: Engine, metadata: MetaData, version: int) -> None:
    """Create what is missing and check the schema version; a newer one is refused."""
    stamp = Table("schema_version", metadata, Column("version", Integer, primary_key=True), extend_existing=True)
    metadata.create_all(engine)
    with engine.begin() as connection:
        found = connection.execute(select(stamp.c.version)).scalar()
        if found is None:
            connection.execute(insert(stamp).values(version=version))
        elif found > version:
            raise DatabaseTooNew(
                f"The database has schema version {found}; this program knows up to {version}.",
                remedy="Update the package.",
            )
