"""A database by URL: SQLite (WAL) in the box, PostgreSQL by URL. Statements are SQLAlchemy Core's, compiled once.

Connections are the driver's own, out of SQLAlchemy's pool, and commit each statement by itself; ``alone``
is a transaction that nobody writes beside. Going past SQLAlchemy's ``Connection`` makes a write ten times
cheaper in processor time, and writes are on the path of each round.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    Column,
    Engine,
    Executable,
    Integer,
    MetaData,
    Table,
    TextClause,
    create_engine,
    event,
    insert,
    make_url,
    select,
    text,
)
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from xinglin.stores.database_errors import DatabaseTooNew, StoreError, StoreUnavailable, typed_error
from xinglin.stores.sqlite_file import make_private

LOCK_WAIT_S = 30
WAL_TRIES = 100
"""How long a write waits for another process's before it is given up."""
_ALONE = "SELECT pg_advisory_xact_lock(hashtextextended('xinglin ' || coalesce(current_schema(), ''), 0))"

_NAMES = text("SELECT name FROM sqlite_master")
_VERSION = text("SELECT version FROM schema_version")
Row = dict[str, Any]
_Form = tuple[str, tuple[str, ...] | None, Row]
FORMS_KEPT = 4_096
"""So many compiled statements of a process are kept: whoever opens a file for one question does not compile again."""
_FORMS: dict[tuple[str, Executable], _Form] = {}


def sqlite_url(path: Path) -> URL:
    """The URL of an SQLite file, whatever characters its path has."""
    return URL.create("sqlite", database=str(path))


def open_database(url: str | URL, schema: str = "", *, durable: bool = True) -> Engine:
    """An engine for ``url``, whose connections commit each statement by itself.

    SQLite: WAL, a synced commit when ``durable`` (``synchronous=FULL``), and a file that only its owner reads.
    PostgreSQL (``postgresql://…``, always by psycopg): the tables lie in ``schema``, unless the URL or the role
    sets a search path of its own; ``durable`` waits for the server's disk (``synchronous_commit``).
    Raises ``StoreUnavailable`` for a URL that is of neither.
    """
    place = place_of(url)
    name = place.get_backend_name()
    if name == "sqlite":
        _make_private(Path(place.database or ""))
        return _sqlite(place, durable)
    if name == "postgresql":
        return _postgresql(place, schema, durable)
    raise StoreUnavailable(f"There is no support for {name}.", remedy="Use SQLite or PostgreSQL.")


def place_of(url: str | URL) -> URL:
    """``url`` read, with psycopg as PostgreSQL's driver; ``StoreUnavailable`` when it is none."""
    try:
        place = make_url(url.replace("postgres://", "postgresql://", 1) if isinstance(url, str) else url)
    except ArgumentError as error:
        # The URL may hold a password: it is not repeated.
        raise StoreUnavailable("The database's URL cannot be read.", remedy="postgresql://user@host/name") from error
    return place.set(drivername="postgresql+psycopg") if place.drivername == "postgresql" else place


def _sqlite(place: URL, durable: bool) -> Engine:
    engine = create_engine(place)

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        synchronous = "FULL" if durable else "NORMAL"
        wait = f"busy_timeout={LOCK_WAIT_S * 1000}"
        connection.execute(f"PRAGMA {wait}")
        _to_wal(connection)
        for pragma in (f"synchronous={synchronous}", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def _to_wal(connection: Any) -> None:
    """Write-ahead logging; two that switch a fresh file at once may hear "busy" whatever they are ready to wait."""
    for last in [False] * WAL_TRIES + [True]:
        try:
            if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if last:
                raise
            time.sleep(0.02)


def _postgresql(place: URL, schema: str, durable: bool) -> Engine:
    try:
        engine = create_engine(place, pool_pre_ping=True, connect_args={"connect_timeout": LOCK_WAIT_S})
    except ImportError as error:
        raise StoreUnavailable(
            "The driver for PostgreSQL is not installed.", remedy="Install xinglin[postgres]."
        ) from error
    commit = ("on", "= 'off'") if durable else ("off", "<> 'off'")
    setting = "SELECT set_config('{}', '{}', false) WHERE {}"
    settings = [
        setting.format("lock_timeout", f"{LOCK_WAIT_S}s", "current_setting('lock_timeout') = '0'"),
        setting.format("synchronous_commit", commit[0], f"current_setting('synchronous_commit') {commit[1]}"),
    ]
    if schema:
        settings.append(setting.format("search_path", schema, "coalesce(current_schema(), 'public') = 'public'"))

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        connection.autocommit = True
        for words in settings:
            connection.execute(words)

    return engine


def _make_private(path: Path) -> None:
    if path.name in ("", ":memory:"):
        raise StoreUnavailable("A database in memory keeps nothing.", remedy="Name a file.")
    try:
        make_private(path)
    except OSError as error:
        raise StoreUnavailable(
            f"The database file {path} cannot be made.", why=error.strerror or "", remedy="Check the folder."
        ) from error


class Work:
    """Statements on one connection; ``Database`` hands it out."""

    def __init__(self, engine: Engine, connection: Any) -> None:
        self._engine, self._connection = engine, connection

    def rows(self, statement: Executable, **values: Any) -> list[Row]:
        """What a query finds, by column name."""
        with contextlib.closing(self._execute(statement, values)) as cursor:
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def one(self, statement: Executable, **values: Any) -> Row | None:
        """The first row that a query finds; None where there is none."""
        found = self.rows(statement, **values)
        return found[0] if found else None

    def write(self, statement: Executable, **values: Any) -> int:
        """How many rows a statement inserted, changed or deleted."""
        with contextlib.closing(self._execute(statement, values)) as cursor:
            return int(cursor.rowcount)

    def write_many(self, statement: Executable, rows: Iterable[Row | tuple[Any, ...]]) -> None:
        """One statement for each of many rows; tuples are in the order of its places (``?``, SQLite)."""
        words, positions, constants = self._form(statement)
        if positions is None:
            given: Iterable[Any] = (constants | row if isinstance(row, dict) else row for row in rows)
        else:
            order = positions
            given = (row if isinstance(row, tuple) else [(constants | row)[name] for name in order] for row in rows)
        with contextlib.closing(self._connection.cursor()) as cursor:
            cursor.executemany(words, given)

    def _execute(self, statement: Executable, values: Row) -> Any:
        words, positions, constants = self._form(statement)
        given = constants | values if constants else values
        cursor = self._connection.cursor()
        cursor.execute(words, given if positions is None else [given[name] for name in positions])
        return cursor

    def _form(self, statement: Executable) -> _Form:
        key = self._engine.dialect.name, statement
        form = _FORMS.get(key)
        if form is None:
            compiled: Any = statement.compile(dialect=self._engine.dialect)  # type: ignore[attr-defined]
            fixed = {name: value for name, value in compiled.params.items() if value is not None}
            positions = tuple(compiled.positiontup) if compiled.positional else None
            form = str(compiled), positions, fixed
            if len(_FORMS) < FORMS_KEPT:
                _FORMS[key] = form
        return form


class Database:
    """Tables of one room in one database; each method is one transaction, and safe from several threads.

    Guarantee: a write is whole or not at all, and with ``durable`` it is on the disk when its call returns.
    Raises ``StoreUnavailable``, ``StoreFull`` or ``StoreDamaged`` for whatever the database cannot do.
    """

    def __init__(self, url: str | URL, schema: str, *, durable: bool = True) -> None:
        self._engine = open_database(url, schema, durable=durable)
        self._schema = schema
        self.is_sqlite = self._engine.dialect.name == "sqlite"
        self._first_words = ("BEGIN IMMEDIATE",) if self.is_sqlite else ("BEGIN", _ALONE)

    def install(self, metadata: MetaData, version: int, *, accept_loss: bool = False) -> None:
        """Create what is missing, unless the tables are a newer version's (``DatabaseTooNew``).

        A PostgreSQL server that acknowledges before its disk has the data is refused, unless ``accept_loss``.
        """
        try:
            if self.is_sqlite and self._installed(metadata, version):
                return  # no lock is taken: whoever opens a file to read waits for nobody who writes
            with self._work(alone=True) as work:
                self._check_server(work, accept_loss)
            with self._typed(), self._engine.connect() as connection:
                for words in self._first_words:
                    connection.exec_driver_sql(words)
                create_tables(connection, metadata, version)
                connection.commit()
        except StoreError:
            self.close()
            raise

    def _installed(self, metadata: MetaData, version: int) -> bool:
        """Whether an SQLite file has every table and index already, and is no newer version's."""
        names = {"schema_version"}
        for table in metadata.sorted_tables:
            names |= {table.name, *(str(index.name) for index in table.indexes)}
        with self._work() as work:
            if not names <= {row["name"] for row in work.rows(_NAMES)}:
                return False
            found = work.one(_VERSION)
        return found is not None and found["version"] <= version

    def rows(self, statement: Executable, **values: Any) -> list[Row]:
        """What a query finds, by column name."""
        with self._work() as work:
            return work.rows(statement, **values)

    def one(self, statement: Executable, **values: Any) -> Row | None:
        """The first row that a query finds; None where there is none."""
        with self._work() as work:
            return work.one(statement, **values)

    def write(self, statement: Executable, **values: Any) -> int:
        """One statement, committed; how many rows it inserted, changed or deleted."""
        with self._work() as work:
            return work.write(statement, **values)

    def alone(self) -> contextlib.AbstractContextManager[Work]:
        """A transaction beside which nobody else is in ``alone``: what it read still holds when it writes."""
        return self._work(alone=True)

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @contextlib.contextmanager
    def _work(self, *, alone: bool = False) -> Iterator[Work]:
        with self._typed(), contextlib.closing(self._engine.raw_connection()) as connection:
            driver: Any = connection.driver_connection
            try:
                if alone:
                    for words in self._first_words:
                        driver.execute(words)
                yield Work(self._engine, driver)
                if alone:
                    driver.execute("COMMIT")
            except BaseException as error:
                self._leave(connection, driver, error)
                raise

    @contextlib.contextmanager
    def _typed(self) -> Iterator[None]:
        """The one place where a database's errors become the store's."""
        driver = self._engine.dialect.loaded_dbapi
        try:
            yield
        except (SQLAlchemyError, driver.Error) as error:
            typed = typed_error(error, driver)
            if typed is None:
                raise
            raise typed from error

    def _leave(self, connection: Any, driver: Any, error: BaseException) -> None:
        # After a failed write or sync a connection's pages cannot be trusted, and a server may be gone.
        failed = isinstance(error, self._engine.dialect.loaded_dbapi.Error)
        if not failed:
            try:
                driver.rollback()
            except self._engine.dialect.loaded_dbapi.Error:
                failed = True
        if failed:
            connection.invalidate()

    def _check_server(self, work: Work, accept_loss: bool) -> None:
        if self._engine.dialect.name == "sqlite":
            return
        (found,) = work.rows(text("SELECT current_schema() AS place, current_setting('fsync') AS fsync"))
        if found["fsync"] == "off" and not accept_loss:
            raise StoreError(
                "The PostgreSQL server acknowledges before its disk has the data.",
                why="fsync is off",
                remedy="Turn it on at the server.",
            )
        if found["place"] is None and self._schema:
            work.write(text(f"CREATE SCHEMA IF NOT EXISTS {self._schema}"))


def create_tables(connection: Any, metadata: MetaData, version: int) -> None:
    """Create what is missing and check the schema version; a newer one is refused before anything is written."""
    stamp = Table("schema_version", MetaData(), Column("version", Integer, primary_key=True))
    stamp.create(connection, checkfirst=True)
    found = connection.execute(select(stamp.c.version)).scalar()
    if found is not None and found > version:
        raise DatabaseTooNew(
            f"The database has schema version {found}; this program knows up to {version}.",
            remedy="Update the package.",
        )
    metadata.create_all(connection)
    for table in metadata.sorted_tables:
        for index in table.indexes:
            index.create(connection, checkfirst=True)
    if found is None:
        connection.execute(insert(stamp).values(version=version))


def insert_or(table: Table, key: str, *, replace: bool) -> TextClause:
    """Insert all columns of ``table``; where ``key`` is there, replace the row or leave it."""
    names = [column.name for column in table.columns]
    others = [name for name in names if name != key]
    columns, places = ", ".join(f'"{n}"' for n in names), ", ".join(f":{n}" for n in names)
    rest = "NOTHING"
    if replace:
        rest = "UPDATE SET " + ", ".join(f'"{name}" = excluded."{name}"' for name in others)
    return text(f'INSERT INTO "{table.name}" ({columns}) VALUES ({places}) ON CONFLICT ("{key}") DO {rest}')  # noqa: S608
