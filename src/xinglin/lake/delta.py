"""Delta tables in one folder of the node."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from xinglin.kernel.canonical import canonical_digest
from xinglin.kernel.instants import Instant
from xinglin.lake.errors import BadTableName, SnapshotChanged, TableMissing, WriteFailed
from xinglin.lake.model import PinnedTable, Snapshot, TableStatistics

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}\Z")


class Lake:
    """The tables under ``folder``, one sub-folder each; append-only."""

    def __init__(self, folder: Path | str) -> None:
        self._folder = Path(folder)

    @property
    def folder(self) -> Path:
        """Where the tables lie."""
        return self._folder

    def names(self) -> tuple[str, ...]:
        """The tables that exist, sorted."""
        if not self._folder.is_dir():
            return ()
        return tuple(sorted(p.name for p in self._folder.iterdir() if (p / "_delta_log").is_dir()))

    def append(self, name: str, rows: pa.Table) -> int:
        """Append rows in one commit (the table is made with the first); the new version, once durable.

        Raises ``BadTableName``; ``WriteFailed`` when the columns do not fit or the disk refuses.
        """
        return self._write(name, rows, "append")

    def replace(self, name: str, rows: pa.Table) -> int:
        """A new version that holds ``rows`` alone; earlier versions stay readable."""
        return self._write(name, rows, "overwrite")

    def versions(self, name: str) -> tuple[tuple[int, Instant], ...]:
        """Every version and the instant of its commit, oldest first."""
        history = self._open(name).history()
        return tuple(sorted((int(h["version"]), int(h["timestamp"])) for h in history))

    def pin(self, names: Iterable[str], at: Instant) -> Snapshot:
        """The newest versions committed not after ``at``; raises ``TableMissing``."""
        pinned = []
        for name in sorted(set(names)):
            known = [version for version, instant in self.versions(name) if instant <= at]
            if not known:
                raise TableMissing(f"Table {name!r} did not exist at that instant.", remedy="Pin a later instant.")
            pinned.append(PinnedTable(name, known[-1], _files_digest(self._open(name, known[-1]))))
        return Snapshot(at, tuple(pinned))

    def current(self, names: Iterable[str]) -> Snapshot:
        """The newest versions of all, at the instant of the latest commit among them."""
        chosen = sorted(set(names))
        latest = [self.versions(name)[-1][1] for name in chosen]
        return self.pin(chosen, max(latest, default=0))

    def datasets(self, snapshot: Snapshot) -> dict[str, Any]:
        """Arrow datasets of exactly the pinned files; raises ``TableMissing`` or ``SnapshotChanged``."""
        opened = {}
        for pinned in snapshot.tables:
            table = self._open(pinned.name, pinned.version)
            if _files_digest(table) != pinned.digest:
                raise SnapshotChanged(
                    f"Table {pinned.name!r}, version {pinned.version}, is not what was pinned.",
                    remedy="Pin the tables again.",
                )
            opened[pinned.name] = table.to_pyarrow_dataset()
        return opened

    def statistics(self, name: str) -> TableStatistics:
        """Rows, files, bytes and columns of the newest version."""
        import pyarrow as pa

        table = self._open(name)
        files = _files(table)
        columns = tuple((field.name, str(field.type)) for field in pa.schema(table.schema().to_arrow()))
        rows, size = sum(records for _, _, records in files), sum(size for _, size, _ in files)
        return TableStatistics(name, table.version(), rows, len(files), size, columns)

    def _write(self, name: str, rows: pa.Table, mode: Literal["append", "overwrite"]) -> int:
        from deltalake import write_deltalake
        from deltalake.exceptions import DeltaError

        path = self._path(name)
        try:
            path.mkdir(parents=True, exist_ok=True)
            if mode == "append":
                write_deltalake(str(path), rows, mode="append")
            else:
                write_deltalake(str(path), rows, mode="overwrite")
        except (DeltaError, OSError, ValueError) as error:
            raise WriteFailed(
                f"Rows were not written to {name!r} ({type(error).__name__}).",
                remedy="Compare columns; check the disk.",
            ) from error
        return int(self._open(name).version())

    def _path(self, name: str) -> Path:
        if not _NAME.match(name):
            raise BadTableName(
                f"{name[:80]!r} is not a table's name.", remedy="Use lower-case letters, digits and '_'."
            )
        return self._folder / name

    def _open(self, name: str, version: int | None = None) -> DeltaTable:
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError

        path = self._path(name)
        if not (path / "_delta_log").is_dir():
            raise TableMissing(f"There is no table {name!r}.", remedy="See the list of tables.")
        try:
            return DeltaTable(str(path), version=version)
        except (DeltaError, OSError, ValueError) as error:
            raise TableMissing(f"Table {name!r} has no readable version {version}.") from error


def _files(table: DeltaTable) -> list[tuple[str, int, int]]:
    import pyarrow as pa

    actions = pa.table(table.get_add_actions(flatten=True)).select(["path", "size_bytes", "num_records"])
    return sorted((a["path"], a["size_bytes"], a["num_records"] or 0) for a in actions.to_pylist())


def _files_digest(table: DeltaTable) -> str:
    return canonical_digest([list(entry) for entry in _files(table)])
