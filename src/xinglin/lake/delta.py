"""Delta tables in one folder of the node."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from xinglin.kernel.instants import Instant
from xinglin.lake import batches, files
from xinglin.lake.current import PERSON_LINK, rule_of
from xinglin.lake.errors import BadTableName, SnapshotChanged, TableMissing
from xinglin.lake.locks import writing
from xinglin.lake.model import PinnedTable, Snapshot, TableStatistics

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}\Z")
_TABLES_AT_ONCE = 4


class Lake:
    """The tables under ``folder``, one sub-folder each; append-only."""

    def __init__(self, folder: Path | str) -> None:
        self._folder = Path(folder)
        self._held = batches.HeldTables()

    @property
    def folder(self) -> Path:
        """Where the tables lie."""
        return self._folder

    def names(self) -> tuple[str, ...]:
        """The tables that exist, sorted."""
        if not self._folder.is_dir():
            return ()
        return tuple(sorted(p.name for p in self._folder.iterdir() if _NAME.match(p.name) and _is_table(p)))

    def append(self, name: str, rows: pa.Table) -> int:
        """Append rows in one commit (the table is made with the first); the new version, once durable.

        Raises ``BadTableName``; ``WriteFailed`` when the columns do not fit or the disk refuses.
        """
        return self._write(name, rows, "append")

    def replace(self, name: str, rows: pa.Table) -> int:
        """A new version that holds ``rows`` alone; earlier versions stay readable."""
        return self._write(name, rows, "overwrite")

    def append_batch(
        self, batch: int, tables: Mapping[str, pa.Table], *, app_id: str = batches.INTAKE
    ) -> dict[str, int]:
        """Append a batch: one commit a table, each durable, each at most once; the version that holds it, by table.

        Given again after a crash, the tables that have it do nothing. Batches of one ``app_id`` come in ascending
        order. A table is made with its first rows; later rows may bring further columns at the end.
        Raises ``BadTableName``, ``ColumnsRefused``, ``BatchOutOfOrder``, ``ForeignTable`` or ``WriteFailed``.
        """
        paths = {name: self.path(name) for name in sorted(tables)}

        def append(name: str) -> int:
            return batches.append_once(paths[name], name, tables[name], batch, app_id, self._held)

        with writing(self._folder), ThreadPoolExecutor(_TABLES_AT_ONCE) as pool:
            return dict(zip(paths, pool.map(append, paths), strict=True))

    def rewrite_batch(self, batch: int, tables: Mapping[str, pa.Table]) -> dict[str, int]:
        """Put a batch's rows in the place of what is left of it (``check_lake`` found rows lost); versions."""
        paths = {name: self.path(name) for name in sorted(tables)}
        with writing(self._folder):
            return {name: batches.rewrite(paths[name], name, tables[name], batch) for name in paths}

    def versions(self, name: str) -> tuple[tuple[int, Instant], ...]:
        """Every version and the instant of its commit, oldest first."""
        history = self.open(name).history()
        return tuple(sorted((int(h["version"]), int(h["timestamp"])) for h in history))

    def pin(self, names: Iterable[str], at: Instant) -> Snapshot:
        """The newest versions committed not after ``at``; raises ``TableMissing``."""
        pinned = []
        for name in sorted(set(names)):
            known = [version for version, instant in self.versions(name) if instant <= at]
            if not known:
                raise TableMissing(f"Table {name!r} did not exist at that instant.", remedy="Pin a later instant.")
            pinned.append(PinnedTable(name, known[-1], files.files_digest(self.open(name, known[-1]))))
        return Snapshot(at, tuple(pinned))

    def pin_current(self, names: Iterable[str], at: Instant) -> Snapshot:
        """Pin what current views of the tables read: ``person_link`` too, where one of them has versions of facts."""
        chosen = set(names)
        if PERSON_LINK in self.names() and any(map(self.has_versions, chosen)):
            linked = any(instant <= at for _, instant in self.versions(PERSON_LINK))
            chosen |= {PERSON_LINK} if linked else set()
        return self.pin(chosen, at)

    def pin_newest(self, names: Iterable[str]) -> Snapshot:
        """Pin the newest of what current views of the tables read, at the instant of the latest commit among it."""
        chosen = set(names)
        read = chosen | ({PERSON_LINK} & set(self.names()))
        return self.pin_current(chosen, max((self.versions(name)[-1][1] for name in read), default=0))

    def has_versions(self, name: str) -> bool:
        """Whether the table's rows are versions of facts: it has every system column of canonical tables."""
        return rule_of(name, [field.name for field in self.open(name).schema().fields]) is not None

    def current(self, names: Iterable[str]) -> Snapshot:
        """The newest versions of all, at the instant of the latest commit among them."""
        chosen = sorted(set(names))
        latest = [self.versions(name)[-1][1] for name in chosen]
        return self.pin(chosen, max(latest, default=0))

    def datasets(self, snapshot: Snapshot) -> dict[str, Any]:
        """Arrow datasets of exactly the pinned files. Raises ``TableMissing`` or ``SnapshotChanged``."""
        return {pinned.name: self.open_pinned(pinned).to_pyarrow_dataset() for pinned in snapshot.tables}

    def open_pinned(self, pinned: PinnedTable) -> DeltaTable:
        """The table at the pinned version, checked against its digest."""
        table = self.open(pinned.name, pinned.version)
        if files.files_digest(table) != pinned.digest:
            raise SnapshotChanged(
                f"Table {pinned.name!r}, version {pinned.version}, is not what was pinned.",
                remedy="Pin the tables again.",
            )
        return table

    def statistics(self, name: str) -> TableStatistics:
        """Rows, files, bytes and columns of the newest version."""
        import pyarrow as pa

        table = self.open(name)
        found = files.data_files(table)
        columns = tuple((field.name, str(field.type)) for field in pa.schema(table.schema().to_arrow()))
        rows, size = sum(file.rows for file in found), sum(file.size_bytes for file in found)
        return TableStatistics(name, table.version(), rows, len(found), size, columns)

    def path(self, name: str) -> Path:
        """The table's folder, there or not; raises ``BadTableName`` for a name or a link that leaves the lake."""
        if not _NAME.match(name):
            raise BadTableName(
                f"{name[:80]!r} is not a table's name.", remedy="Use lower-case letters, digits and '_'."
            )
        path = self._folder / name
        if path.is_symlink() or (path / files.LOG).is_symlink():
            raise BadTableName(f"{name!r} leads out of the lake's folder.", remedy="Put the table itself there.")
        return path

    def open(self, name: str, version: int | None = None) -> DeltaTable:
        """The Delta table at a version, the newest by default. Raises ``TableMissing`` or ``ForeignTable``."""
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError

        path = self.path(name)
        if not (path / files.LOG).is_dir():
            raise TableMissing(f"There is no table {name!r}.", remedy="See the list of tables.")
        try:
            table = DeltaTable(str(path), version=version)
        except (DeltaError, OSError, ValueError) as error:
            raise TableMissing(f"Table {name!r} has no readable version {version}.") from error
        files.refuse_foreign(table, name)
        return table

    def _write(self, name: str, rows: pa.Table, mode: Literal["append", "overwrite"]) -> int:
        from deltalake import write_deltalake
        from deltalake.exceptions import DeltaError

        path = self.path(name)
        try:
            with writing(self._folder):
                path.mkdir(parents=True, exist_ok=True)
                properties = batches.writer_properties()
                new = None if batches.existing(path) is not None else batches.TABLE_PROPERTIES
                if mode == "append":
                    write_deltalake(str(path), rows, mode="append", configuration=new, writer_properties=properties)
                else:
                    write_deltalake(str(path), rows, mode="overwrite", configuration=new, writer_properties=properties)
        except (DeltaError, OSError, ValueError) as error:
            raise batches.write_failed(name, error) from error
        return int(self.open(name).version())


def _is_table(path: Path) -> bool:
    return not path.is_symlink() and (path / files.LOG).is_dir()
