"""One query on a locked engine: registered Arrow data in, an Arrow table out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from xinglin.kernel.instants import Instant
from xinglin.lake.consenting import ONLY, WITHOUT, expanded_select, key_lists, let_through
from xinglin.lake.current import (
    CurrentRule,
    current_select,
    links_select,
    listed,
    quoted,
    recorded_until,
    repeated_select,
)
from xinglin.lake.errors import LakeError, QueryFailed
from xinglin.lake.model import QueryLimits
from xinglin.lake.parts import has_parts, stale_select, without_stale
from xinglin.lake.persons import person_codes
from xinglin.terms.consent import PersonFilter

if TYPE_CHECKING:
    import pyarrow as pa

PERSON = "__person"
_LINKS = "__links"
_ALIKE, _LOT = '"__alike"', '"__lot"'
_STREAM_ROWS = 65_536


class QuerySession:
    """An engine that is open until ``lock``, and then reads only what it was handed.

    Order: ``links``, then ``persons``, each at most once; ``table``, ``person_table`` and ``view`` as often as needed;
    ``lock``; then ``check``, ``run`` and ``batches``. Memory and threads are limited from the start; nothing spills to
    a disk.
    """

    def __init__(self, limits: QueryLimits) -> None:
        import duckdb

        self._limits = limits
        self._locked = False
        self._linked = False
        self._filters: set[str] = set()
        self._files: list[str] = []
        self._engine = duckdb.connect(":memory:", config={"temp_directory": ""})
        for setting in self._bounds():
            self._engine.execute(f"SET {setting}")

    def table(self, name: str, data: Any) -> None:
        """Make an Arrow table or dataset readable as ``name``."""
        self._must_be_open()
        self._engine.register(name, data)

    def files(self, name: str, paths: Sequence[str], columns: Mapping[str, str]) -> None:
        """Make Parquet files readable as ``name``, these alone even after the lock; for the node's own queries.

        ``columns``: name to type of the engine; one that no file has is NULL. No study's query may be run here:
        files can be named in SQL.
        """
        self._must_be_open()
        self._files += paths
        if not paths:
            nothing = ", ".join(f"CAST(NULL AS {kind}) AS {quoted(column)}" for column, kind in columns.items())
            self.view(name, f"SELECT {nothing} WHERE false")
            return
        source = f"read_parquet([{listed(paths)}], union_by_name=true, hive_partitioning=false)"
        present = {row[0] for row in self._rows(f"DESCRIBE SELECT * FROM {source}")}  # noqa: S608 (the node's files)
        chosen = ", ".join(
            f"CAST({quoted(column) if column in present else 'NULL'} AS {kind}) AS {quoted(column)}"
            for column, kind in columns.items()
        )
        self.view(name, f"SELECT {chosen} FROM {source}")  # noqa: S608 (names and types of the table's schema)

    def links(self, data: Any, *, as_of_recorded: Instant | None = None) -> None:
        """Hand over the rows of ``person_link`` (Arrow, or the name of ``files``): current tables then hold persons."""
        rows = data if isinstance(data, str) else f"{_LINKS}_rows"
        if not isinstance(data, str):
            self.table(rows, data)
        self._do(f"CREATE TABLE {quoted(_LINKS)} AS {links_select(rows, as_of_recorded=as_of_recorded)}")
        self._linked = True

    def persons(self, allowed: PersonFilter) -> None:
        """Let later person tables hold the rows of these persons alone."""
        for name, keys in key_lists(allowed).items():
            self.table(f"{name}_said", keys)
            links = _LINKS if self._linked else ""
            self._do(f"CREATE TABLE {quoted(name)} AS {expanded_select(f'{name}_said', links)}")
            self._filters.add(name)

    def current(
        self, rows: str, rule: CurrentRule, *, persons: bool = True, as_of_recorded: Instant | None = None
    ) -> str:
        """The SELECT of the facts of ``rows`` that hold now: it does no more work than their versions call for."""
        repeated = f"__repeated_{rows}"
        self._do(f"CREATE TABLE {quoted(repeated)} AS {repeated_select(rows, rule)}")
        ((several, partial),) = self._rows(
            f"SELECT count(*) > 0, coalesce(bool_or(partial), false) FROM {quoted(repeated)}"  # noqa: S608 (quoted)
        )
        select = current_select(
            rows,
            rule,
            versions=("partial" if partial else "whole") if several else "one",
            repeated=repeated if several else "",
            links=_LINKS if persons and self._linked else "",
            as_of_recorded=as_of_recorded,
        )
        stale = self._stale(rows, rule, as_of_recorded)
        return without_stale(select, rule, stale) if stale else select

    def _stale(self, rows: str, rule: CurrentRule, as_of_recorded: Instant | None) -> str:
        """The relation of resources whose older parts no longer hold; empty where there is none."""
        if not rule.groups or not self._rows(has_parts(rows, rule))[0][0]:
            return ""
        stale = f"__stale_{rows}"
        where = "" if as_of_recorded is None else recorded_until(as_of_recorded)
        self._do(f"CREATE TABLE {quoted(stale)} AS {stale_select(rows, rule, where)}")
        return stale if self._rows(f"SELECT count(*) > 0 FROM {quoted(stale)}")[0][0] else ""  # noqa: S608 (quoted)

    def person_table(
        self, name: str, data: Any, patient_key: str, salt: bytes, rule: CurrentRule | None = None
    ) -> None:
        """Make ``data`` readable as ``name`` with ``__person`` instead of its patient key.

        Rows without a key are left out: they are about nobody that could be counted; so are those of persons whom
        ``persons`` does not let through. With a ``rule``, the facts that hold now are read, and persons are those of
        ``links``.
        """
        raw, keys, codes = f"__raw_{name}", f"__keys_{name}", f"__codes_{name}"
        self.table(raw, data)
        rows = f"({self.current(raw, rule, persons=False)})" if rule else quoted(raw)
        key = f"CAST({quoted(patient_key)} AS VARCHAR)"
        found = f"SELECT DISTINCT {key} AS key, {key} AS person FROM {quoted(raw)}"  # noqa: S608 (quoted names)
        if rule and self._linked:
            found = (
                f"SELECT f.key, coalesce(l.person, f.key) AS person FROM ({found}) AS f "  # noqa: S608 (quoted names)
                f"LEFT JOIN {quoted(_LINKS)} AS l ON f.key = l.patient"
            )
        found = let_through(found, without=WITHOUT in self._filters, only=ONLY in self._filters)
        self._do(f"CREATE TABLE {quoted(keys)} AS {found}")
        persons: Any = self._arrow(f"SELECT DISTINCT person FROM {quoted(keys)}")  # noqa: S608 (quoted names)
        self.table(f"{codes}_of", person_codes(persons.column("person"), salt))
        self._do(
            f"CREATE TABLE {quoted(codes)} AS SELECT k.key, c.code FROM {quoted(keys)} AS k "  # noqa: S608 (quoted names)
            f"JOIN {quoted(codes + '_of')} AS c ON k.person = c.key"
        )
        self._do(f"DROP TABLE {quoted(keys)}")
        self.view(
            name,
            f"SELECT c.code AS {quoted(PERSON)}, r.* EXCLUDE ({quoted(patient_key)}) FROM {rows} AS r "  # noqa: S608
            f"JOIN {quoted(codes)} AS c ON CAST(r.{quoted(patient_key)} AS VARCHAR) = c.key",
        )

    def view(self, name: str, select: str) -> None:
        """Name a SELECT that this node wrote or admitted."""
        self._do(f"CREATE VIEW {quoted(name)} AS {select}")

    def columns(self, name: str) -> tuple[str, ...]:
        """Names of a relation's columns, in order; after ``lock``."""
        return tuple(self.run(f"SELECT * FROM {quoted(name)} LIMIT 0").schema.names)  # noqa: S608 (quoted)

    def lock(self) -> None:
        """Shut the engine: no file, no network, no extension, no replacement scan, no further setting."""
        self._must_be_open()
        settings = (
            *self._bounds(),
            *((f"allowed_paths=[{listed(self._files)}]",) if self._files else ()),
            f"max_execution_time={self._limits.time_ms}",
            "python_enable_replacements=false",
            "autoinstall_known_extensions=false",
            "autoload_known_extensions=false",
            "enable_external_access=false",
            "lock_configuration=true",
        )
        for setting in settings:
            self._engine.execute(f"SET {setting}")
        self._locked = True

    def check(self, sql: str) -> bool:
        """Whether the engine can plan ``sql``; reads no row."""
        import duckdb

        self._must_be_locked()
        try:
            self._engine.execute(f"EXPLAIN {sql}")
        except duckdb.Error:
            return False
        return True

    def run(self, sql: str, rows_per_person: int = 0) -> pa.Table:
        """The rows of ``sql``, sorted by all columns (so that storage order shows nowhere).

        ``rows_per_person``: of each person at most so many, by a lot that follows from their own rows alone, before
        rows are counted (0: all). Raises ``QueryFailed``, which never quotes the engine.
        """
        self._must_be_locked()
        rows = self._limits.rows
        if rows_per_person:
            sql = _of_each(sql, rows_per_person)
        bounded = f"SELECT * FROM (SELECT * FROM ({sql}) LIMIT {rows + 1}) ORDER BY ALL"  # noqa: S608 (admitted text)
        table = self._arrow(bounded)
        if table.num_rows > rows:
            raise QueryFailed("rows", f"Give at most {rows} rows.")
        return table

    def batches(self, sql: str) -> pa.RecordBatchReader:
        """The rows of ``sql`` as a stream, in no order and without a limit of rows; for the node's own queries."""
        self._must_be_locked()
        with _failing():
            return self._engine.sql(sql).to_arrow_reader(_STREAM_ROWS)

    def close(self) -> None:
        """Give the memory back."""
        self._engine.close()

    def _bounds(self) -> tuple[str, ...]:
        limits = self._limits
        return f"memory_limit='{limits.memory_bytes}B'", "max_temp_directory_size='0B'", f"threads={limits.threads}"

    def _arrow(self, sql: str) -> pa.Table:
        with _failing():
            return self._engine.sql(sql).to_arrow_table()

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        with _failing():
            return self._engine.execute(sql).fetchall()

    def _do(self, sql: str) -> None:
        self._must_be_open()
        with _failing():
            self._engine.execute(sql)

    def _must_be_open(self) -> None:
        if self._locked:
            raise LakeError("The engine is locked.", remedy="Open another session.")

    def _must_be_locked(self) -> None:
        if not self._locked:
            raise LakeError("The engine is not locked yet.", remedy="Lock it before a query runs.")


def execute(
    datasets: Mapping[str, Any], views: Mapping[str, str], sql: str, limits: QueryLimits | None = None
) -> pa.Table:
    """Run ``sql`` over ``datasets`` (Arrow, by name) and ``views`` (SELECTs, in order) on a locked engine.

    Raises ``QueryFailed``. ``sql`` must have been admitted: the lock alone does not stop settings from being read.
    """
    session = QuerySession(limits or QueryLimits())
    try:
        for name, data in datasets.items():
            session.table(name, data)
        for name, select in views.items():
            session.view(name, select)
        session.lock()
        return session.run(sql)
    finally:
        session.close()


def _of_each(sql: str, most: int) -> str:
    """At most ``most`` rows of each person; rows that are alike are told apart by number, so that each has its chance.

    The lot is a hash with the person's code, which is salted: neither other persons nor who asks has a part in it.
    """
    person = quoted(PERSON)
    heavy = f"SELECT {person} FROM given GROUP BY {person} HAVING count(*) > {int(most)}"  # noqa: S608 (a fixed name)
    rows = f"SELECT r.*, hash(r) AS {_ALIKE} FROM given AS r WHERE {person} IN (FROM heavy)"  # noqa: S608
    copy = f"row_number() OVER (PARTITION BY {person}, {_ALIKE})"
    copies = f"SELECT *, hash({_ALIKE}, {copy}) AS {_LOT} FROM ({rows})"  # noqa: S608
    lot = f"row_number() OVER (PARTITION BY {person} ORDER BY {_LOT})"
    return (
        f"WITH given AS MATERIALIZED ({sql}), heavy AS MATERIALIZED ({heavy}) "  # noqa: S608 (admitted text)
        f"SELECT * FROM given WHERE {person} NOT IN (FROM heavy) UNION ALL "
        f"SELECT * EXCLUDE ({_ALIKE}, {_LOT}) FROM ({copies}) QUALIFY {lot} <= {int(most)}"
    )


@contextmanager
def _failing() -> Iterator[None]:
    import duckdb

    try:
        yield
    except duckdb.InterruptException as error:
        raise QueryFailed("time", "Read less, or join fewer relations.") from error
    except (duckdb.OutOfMemoryException, MemoryError) as error:
        raise QueryFailed("memory", "Read less, or join fewer relations.") from error
    except (duckdb.Error, OSError, RuntimeError, ValueError) as error:
        raise QueryFailed("error") from error
