"""One query on a locked engine: registered Arrow data in, an Arrow table out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from xinglin.lake.errors import LakeError, QueryFailed
from xinglin.lake.model import QueryLimits
from xinglin.lake.persons import person_codes

if TYPE_CHECKING:
    import pyarrow as pa

PERSON = "__person"


class QuerySession:
    """An engine that is open until ``lock``, and then reads only what it was handed.

    Order: ``table`` and ``view`` as often as needed, ``lock``, then ``check`` and ``run``.
    """

    def __init__(self, limits: QueryLimits) -> None:
        import duckdb

        self._limits = limits
        self._locked = False
        self._engine = duckdb.connect(":memory:")

    def table(self, name: str, data: Any) -> None:
        """Make an Arrow table or dataset readable as ``name``."""
        self._must_be_open()
        self._engine.register(name, data)

    def person_table(self, name: str, data: Any, patient_key: str, salt: bytes) -> None:
        """Make ``data`` readable as ``name`` with ``__person`` instead of its patient key.

        Rows without a key are left out: they are about nobody that could be counted.
        """
        raw, codes = f"__raw_{name}", f"__codes_{name}"
        self.table(raw, data)
        key = f"CAST({quoted(patient_key)} AS VARCHAR)"
        found: Any = self._engine.sql(f"SELECT DISTINCT {key} AS k FROM {quoted(raw)}").to_arrow_table()  # noqa: S608
        self.table(codes, person_codes(found.column("k"), salt))
        self.view(
            name,
            f"SELECT c.code AS {quoted(PERSON)}, r.* EXCLUDE ({quoted(patient_key)}) FROM {quoted(raw)} AS r "  # noqa: S608
            f"JOIN {quoted(codes)} AS c ON CAST(r.{quoted(patient_key)} AS VARCHAR) = c.key",
        )

    def view(self, name: str, select: str) -> None:
        """Name a SELECT that this node wrote or admitted."""
        self._must_be_open()
        self._engine.execute(f"CREATE VIEW {quoted(name)} AS {select}")

    def lock(self) -> None:
        """Shut the engine: no file, no network, no extension, no replacement scan, no further setting."""
        self._must_be_open()
        settings = (
            f"memory_limit='{self._limits.memory_bytes}B'",
            "max_temp_directory_size='0B'",
            f"threads={self._limits.threads}",
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

    def run(self, sql: str) -> pa.Table:
        """The rows of ``sql``, sorted by all columns (so that storage order shows nowhere).

        Raises ``QueryFailed``, which never quotes the engine.
        """
        self._must_be_locked()
        rows = self._limits.rows
        bounded = f"SELECT * FROM (SELECT * FROM ({sql}) LIMIT {rows + 1}) ORDER BY ALL"  # noqa: S608 (admitted text)
        table = self._fetch(bounded)
        if table.num_rows > rows:
            raise QueryFailed("rows", f"Give at most {rows} rows.")
        return table

    def close(self) -> None:
        """Give the memory back."""
        self._engine.close()

    def _fetch(self, sql: str) -> pa.Table:
        import duckdb

        try:
            return self._engine.sql(sql).to_arrow_table()
        except duckdb.InterruptException as error:
            raise QueryFailed("time", "Read less, or join fewer relations.") from error
        except (duckdb.OutOfMemoryException, MemoryError) as error:
            raise QueryFailed("memory", "Read less, or join fewer relations.") from error
        except (duckdb.Error, OSError, RuntimeError, ValueError) as error:
            raise QueryFailed("error") from error

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


def quoted(name: str) -> str:
    """A quoted identifier."""
    return '"' + name.replace('"', '""') + '"'
