"""Batches: rows of many tables that came together, each table's in one commit, each at most once.

A commit carries a Delta application transaction (the batch's number). A batch that was cut off between two
tables is given again as a whole: tables that have it do nothing. What has returned is on the disk.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xinglin.lake import files, new_file
from xinglin.lake.errors import BatchOutOfOrder, ColumnsRefused, WriteFailed

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable, WriterProperties
    from deltalake.transaction import AddAction, RemoveAction

INTAKE = "xinglin.intake"
"""The application whose transactions are batches of the intake."""

TABLE_PROPERTIES: dict[str, str | None] = {"delta.enableExpiredLogCleanup": "false", "delta.checkpointInterval": "20"}
"""Old commits go only by ``maintenance``, which knows what is pinned."""

BATCH_PROPERTIES: dict[str, str | None] = TABLE_PROPERTIES | {"delta.dataSkippingNumIndexedCols": "7"}
"""Of tables that batches make: the log keeps least and greatest values up to ``batch``; Parquet keeps them all.
Measured on tables of 64 columns: with the values of 32 columns, opening costs half as much again."""

BATCH_COLUMN = "batch"


class HeldTables:
    """Tables that stay open from batch to batch: opening one costs as much as a small append."""

    def __init__(self) -> None:
        self._tables: dict[Path, tuple[int, DeltaTable]] = {}
        self._turns: dict[Path, threading.Lock] = {}

    @contextmanager
    def turn(self, folder: Path) -> Iterator[None]:
        """One thread at a time writes to a table through this object."""
        with self._turns.setdefault(folder, threading.Lock()):
            yield

    def newest(self, folder: Path) -> DeltaTable | None:
        """The table at its newest version, brought up to date where it was held."""
        from deltalake.exceptions import DeltaError

        number, table = self._tables.pop(folder, (0, None))
        if table is None or number != _number(folder):
            return existing(folder)
        try:
            table.update_incremental()
        except (DeltaError, OSError, ValueError):
            return existing(folder)
        # A log that was cut short by an erasure must never be continued from an old version.
        return table if table.version() == max(files.commits(folder), default=-1) else existing(folder)

    def hold(self, folder: Path, table: DeltaTable | None) -> None:
        """Keep a table open, after a write that succeeded."""
        if table is not None:
            self._tables[folder] = (_number(folder), table)


def append_once(
    folder: Path, name: str, rows: pa.Table, batch: int, app_id: str, held: HeldTables | None = None
) -> int:
    """Append a batch's rows to the table in ``folder`` unless they are in; the version that holds them, on disk."""
    kept = held or HeldTables()
    with kept.turn(folder):
        table = kept.newest(folder)
        version = _append(folder, name, rows, batch, app_id, table)
        kept.hold(folder, table)
    return version


def _append(folder: Path, name: str, rows: pa.Table, batch: int, app_id: str, table: DeltaTable | None) -> int:
    from deltalake import CommitProperties, Transaction, write_deltalake
    from deltalake.exceptions import DeltaError

    before = -1 if table is None else table.version()
    if table is not None:
        files.refuse_foreign(table, name)
        if _is_in(table, name, batch, app_id):
            return durable(folder, before - 1)
    merge = _widens(table, name, rows)
    properties = CommitProperties(
        custom_metadata={"xinglin.batch": str(batch)}, app_transactions=[Transaction(app_id, batch)]
    )
    try:
        if table is not None and not merge and rows.num_rows:
            added: list[AddAction | RemoveAction] = [new_file.written(folder, rows)]
            table.create_write_transaction(added, "append", table.schema(), [], commit_properties=properties)
            return durable(folder, before)
        folder.mkdir(parents=True, exist_ok=True)
        write_deltalake(
            table if table is not None else str(folder),
            rows,
            mode="append",
            schema_mode="merge" if merge else None,
            configuration=BATCH_PROPERTIES if table is None else None,
            writer_properties=writer_properties(),
            commit_properties=properties,
        )
        return durable(folder, before)
    except (DeltaError, OSError, ValueError) as error:
        after = existing(folder)
        if after is not None and after.transaction_version(app_id) == batch:
            return durable(folder, before)
        raise write_failed(name, error) from error


def rewrite(folder: Path, name: str, rows: pa.Table, batch: int) -> int:
    """Put ``rows`` in the place of whatever the table holds of the batch, in one commit; the new version."""
    from deltalake import write_deltalake
    from deltalake.exceptions import DeltaError

    table = existing(folder)
    if table is None or BATCH_COLUMN not in rows.column_names:
        raise ColumnsRefused(f"Table {name!r} has no batches to write again.", remedy="Append the batch.")
    files.refuse_foreign(table, name)
    merge, before = _widens(table, name, rows), table.version()
    try:
        write_deltalake(
            table,
            rows,
            mode="overwrite",
            predicate=f"{BATCH_COLUMN} = {int(batch)}",
            schema_mode="merge" if merge else None,
            writer_properties=writer_properties(),
        )
        return durable(folder, before)
    except (DeltaError, OSError, ValueError) as error:
        raise write_failed(name, error) from error


def existing(folder: Path) -> DeltaTable | None:
    """The table in ``folder`` at its newest version; None where no commit has been made."""
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    try:
        if not (folder / files.LOG).is_dir() or not (files.commits(folder) or files.checkpoints(folder)):
            return None
        return DeltaTable(str(folder))
    except (DeltaError, OSError, ValueError) as error:
        raise write_failed(folder.name, error) from error


def writer_properties() -> WriterProperties:
    """Zstandard at its fastest: measured as fast as Snappy within a tenth, a fifth smaller."""
    from deltalake import WriterProperties

    return WriterProperties(compression="ZSTD", compression_level=1)


def durable(folder: Path, before: int) -> int:
    """Force every commit after ``before`` with its files to the disk; the newest version."""
    newest = [version for version in files.commits(folder) if version > before]
    added = [
        folder / action["add"]["path"]
        for version in newest
        for action in files.actions(folder, version)
        if "add" in action
    ]
    files.sync([path for path in added if path.exists()])
    files.sync([files.commit_file(folder, version) for version in newest])
    files.sync([folder, folder / files.LOG])
    return newest[-1] if newest else before


def write_failed(name: str, error: Exception) -> WriteFailed:
    """The refusal of rows, without the engine's words: they may quote a row."""
    return WriteFailed(
        f"Rows were not written to {name!r} ({type(error).__name__}).", remedy="Compare columns; check the disk."
    )


def _number(folder: Path) -> int:
    """The folder's own number: another folder of that name has another one."""
    return folder.stat().st_ino if folder.is_dir() else -1


def _is_in(table: DeltaTable, name: str, batch: int, app_id: str) -> bool:
    last = table.transaction_version(app_id)
    if last is None or last < batch:
        return False
    if last == batch or _has_rows(table, batch):
        return True
    raise BatchOutOfOrder(
        f"Table {name!r} holds batch {last} and no row of batch {batch}.",
        remedy="Give the rows a new batch number.",
    )


def _has_rows(table: DeltaTable, batch: int) -> bool:
    import pyarrow.dataset as ds

    dataset: Any = table.to_pyarrow_dataset()
    if BATCH_COLUMN not in dataset.schema.names:
        return False
    return bool(dataset.head(1, columns=[BATCH_COLUMN], filter=ds.field(BATCH_COLUMN) == batch).num_rows)


def _widens(table: DeltaTable | None, name: str, rows: pa.Table) -> bool:
    """Whether the columns differ in a way that is allowed: one list starts with the other, type by type."""
    import pyarrow as pa
    from deltalake import Schema

    naive = [field.name for field in rows.schema if pa.types.is_timestamp(field.type) and field.type.tz is None]
    if naive:
        raise ColumnsRefused(f"Instants of {name!r} have no zone ({naive[0]!r}).", remedy="Write instants in UTC.")
    if table is None:
        return False
    stored = [(field.name, field.type) for field in table.schema().fields]
    given = [(field.name, field.type) for field in Schema.from_arrow(rows.schema).fields]
    shared = min(len(stored), len(given))
    if stored[:shared] == given[:shared]:
        return len(stored) != len(given)
    odd = next(g[0] for s, g in zip(stored, given, strict=False) if s != g)
    raise ColumnsRefused(
        f"Column {odd!r} does not fit table {name!r}.",
        why="Columns keep their order and type; new ones come at the end.",
        remedy="Compare the columns with the table's.",
    )
