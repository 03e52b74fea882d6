"""A session of a hospital's database that can only read: how each kind of server is told so.

===========  ==========================================================================================
PostgreSQL   ``default_transaction_read_only``, REPEATABLE READ, ``statement_timeout``
MySQL        ``SET SESSION TRANSACTION READ ONLY``, REPEATABLE READ with a consistent snapshot
SQL Server   ``ApplicationIntent=ReadOnly``; SNAPSHOT isolation where the database allows it
Oracle       ``SET TRANSACTION READ ONLY``
SQLite       the file is opened ``mode=ro``, and ``PRAGMA query_only``
===========  ==========================================================================================

SQL Server and Oracle are run against no server in the tests: their statements are compiled and compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from xinglin.feeds.sql_model import BadSqlSource, SqlDriverMissing, SqlUnavailable

DRIVERS = {
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
    "mssql": "mssql+mssqlpython",
    "oracle": "oracle+oracledb",
    "sqlite": "sqlite",
}
"""The driver taken for a URL that names none."""

_SESSION: dict[str, tuple[str, ...]] = {
    "postgresql": (
        "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
        "SET default_transaction_read_only = on",
        "SET statement_timeout = '{timeout_s}s'",
    ),
    "mysql": (
        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "SET SESSION TRANSACTION READ ONLY",
    ),
    "sqlite": ("PRAGMA query_only = ON",),
}
_BEGIN: dict[str, tuple[str, ...]] = {
    "mysql": ("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",),
    "oracle": ("SET TRANSACTION READ ONLY",),
    "mssql": ("SET TRANSACTION ISOLATION LEVEL {isolation}",),
}

_MAY_WRITE = {
    "postgresql": (
        "SELECT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) OR EXISTS (SELECT 1 FROM pg_class c JOIN "
        "pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND n.nspname NOT LIKE 'pg\\_%' AND "
        "n.nspname <> 'information_schema' AND has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE'))"
    ),
    "mssql": (
        "SELECT CASE WHEN IS_SRVROLEMEMBER('sysadmin') = 1 OR HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'INSERT') = 1 "
        "OR HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'UPDATE') = 1 "
        "OR HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'DELETE') = 1 THEN 1 ELSE 0 END"
    ),
    "oracle": (
        "SELECT CASE WHEN EXISTS (SELECT 1 FROM session_privs WHERE privilege IN ('INSERT ANY TABLE', "
        "'UPDATE ANY TABLE', 'DELETE ANY TABLE', 'CREATE TABLE')) OR EXISTS (SELECT 1 FROM all_tab_privs WHERE "
        "grantee = USER AND privilege IN ('INSERT', 'UPDATE', 'DELETE')) THEN 1 ELSE 0 END FROM dual"
    ),
}
_MYSQL_WRITES = ("ALL PRIVILEGES", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "ALTER", "SUPER")


def open_source(url: str, timeout_s: int = 3600) -> Engine:
    """An engine whose every session is read-only; raises ``BadSqlSource`` or ``SqlDriverMissing``."""
    address = _address(url)
    try:
        engine = create_engine(address, pool_size=1, max_overflow=0, pool_pre_ping=True, hide_parameters=True)
    except (ImportError, NoSuchModuleError) as error:
        kind = address.get_backend_name()
        raise SqlDriverMissing(
            f"The driver for {kind} ({address.drivername}) is not installed.",
            remedy="Install Xinglin with the extra 'sources'.",
        ) from error
    name = engine.dialect.name
    statements = [one.format(timeout_s=timeout_s) for one in _SESSION.get("mysql" if name == "mariadb" else name, ())]

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        cursor = connection.cursor()
        try:
            for statement in statements:
                cursor.execute(statement)
        finally:
            cursor.close()
        if name == "postgresql":
            connection.commit()

    return engine


def _address(url: str) -> URL:
    try:
        address = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise BadSqlSource("The URL cannot be read.", remedy="Write dialect://user:password@host/database.") from error
    kind = address.get_backend_name()
    if kind not in DRIVERS:
        raise BadSqlSource(f"'{kind}' is not a kind of database known here.", remedy=f"Known: {', '.join(DRIVERS)}.")
    if "+" not in address.drivername:
        address = address.set(drivername=DRIVERS[kind])
    if kind == "sqlite" and address.database and not address.database.startswith("file:"):
        from pathlib import Path

        if not Path(address.database).is_file():
            raise BadSqlSource("There is no such SQLite file.", remedy="Check the path.")
        path = Path(address.database).resolve().as_uri()
        address = address.set(database=path, query={**address.query, "mode": "ro", "uri": "true"})
    if kind == "mssql":
        address = address.update_query_dict({"ApplicationIntent": "ReadOnly"})
    return address


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One read-only transaction with one view of the data; what the server says wrong becomes ``SqlUnavailable``."""
    try:
        with engine.connect() as connection:
            name = "mysql" if engine.dialect.name == "mariadb" else engine.dialect.name
            for statement in _BEGIN.get(name, ()):
                isolation = _isolation(connection) if name == "mssql" else ""
                connection.execute(text(statement.format(isolation=isolation)))
            yield connection
    except DBAPIError as error:
        kind = type(error.orig).__name__
        raise SqlUnavailable(f"The database refused or ended the reading ({kind}).", remedy="Pull again.") from None
    except SQLAlchemyError as error:
        raise BadSqlSource(
            f"The source cannot be read ({type(error).__name__}).", remedy="Check its columns."
        ) from None


def _isolation(connection: Connection) -> str:
    asked = "SELECT snapshot_isolation_state FROM sys.databases WHERE database_id = DB_ID()"
    return "SNAPSHOT" if connection.execute(text(asked)).scalar() == 1 else "READ COMMITTED"


def may_write(connection: Connection) -> bool | None:
    """Whether the login could change tables outside this session; ``None`` where it cannot be told."""
    name = connection.dialect.name
    if name in ("mysql", "mariadb"):
        grants = " ".join(str(row[0]) for row in connection.execute(text("SHOW GRANTS"))).upper()
        return any(word in grants for word in _MYSQL_WRITES)
    if name not in _MAY_WRITE:
        return None
    return bool(connection.execute(text(_MAY_WRITE[name])).scalar())
