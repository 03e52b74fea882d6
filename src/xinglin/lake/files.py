"""What lies in a table's folder: data files of a version, commits of its log; and what this lake cannot read."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import msgspec

from xinglin.kernel.canonical import canonical_digest
from xinglin.lake.errors import ForeignTable

if TYPE_CHECKING:
    from deltalake import DeltaTable

LOG = "_delta_log"
READABLE_FEATURES = frozenset({"timestampNtz"})
"""Reader features that change nothing about which rows of which files are in a version."""

_COMMIT = re.compile(r"(\d{20})\.json\Z")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint(\.[0-9a-f.-]+)?\.parquet\Z")


class DataFile(msgspec.Struct, frozen=True, order=True):
    """A file of a version; ``path`` is relative to the table's folder."""

    path: str
    size_bytes: int
    rows: int


def data_files(table: DeltaTable) -> tuple[DataFile, ...]:
    """The files of the opened version, sorted. Raises ``ForeignTable`` for a path that leaves the folder."""
    import pyarrow as pa

    actions = pa.table(table.get_add_actions(flatten=True)).select(["path", "size_bytes", "num_records"]).to_pylist()
    found = sorted(DataFile(unquoted(a["path"]), a["size_bytes"], a["num_records"] or 0) for a in actions)
    for file in found:
        if file.path.startswith("/") or ":" in file.path or ".." in Path(file.path).parts:
            raise ForeignTable("A version names a file outside its table's folder.", remedy="Restore the table's log.")
    return tuple(found)


def files_digest(table: DeltaTable) -> str:
    """A digest of the version's list of files with sizes and row counts."""
    return canonical_digest([[file.path, file.size_bytes, file.rows] for file in data_files(table)])


def refuse_foreign(table: DeltaTable, name: str) -> None:
    """Raise ``ForeignTable`` where a list of files is not the version's rows (deletion vectors, mapped columns)."""
    protocol = table.protocol()
    features = set(protocol.reader_features or ())
    if protocol.min_reader_version == 2:  # the protocol: 2 means column mapping
        features.add("columnMapping")
    unknown = sorted(features - READABLE_FEATURES)
    if unknown:
        raise ForeignTable(
            f"Table {name!r} was given features that are not read here ({', '.join(unknown)[:200]}).",
            why="A list of files would not be the table's rows.",
            remedy="Rewrite the table without them, in the program that gave them (REORG … PURGE, DROP FEATURE).",
        )


def commits(folder: Path) -> tuple[int, ...]:
    """The versions whose commit files lie in the log, ascending."""
    return tuple(sorted(int(m[1]) for m in map(_COMMIT.match, os.listdir(folder / LOG)) if m))


def checkpoints(folder: Path) -> dict[int, tuple[Path, ...]]:
    """The files of each checkpoint in the log, by version."""
    found: dict[int, tuple[Path, ...]] = {}
    for name in sorted(os.listdir(folder / LOG)):
        match = _CHECKPOINT.match(name)
        if match:
            found[int(match[1])] = (*found.get(int(match[1]), ()), folder / LOG / name)
    return found


def commit_file(folder: Path, version: int) -> Path:
    """Where the commit of a version lies."""
    return folder / LOG / f"{version:020d}.json"


def actions(folder: Path, version: int) -> Iterator[dict[str, Any]]:
    """The actions of one commit, in order."""
    for line in commit_file(folder, version).read_text("utf-8").splitlines():
        if line.strip():
            yield json.loads(line)


def removed_in(folder: Path, version: int) -> tuple[str, ...]:
    """The files whose removal a checkpoint remembers."""
    import pyarrow.parquet as pq

    found: list[str] = []
    for part in checkpoints(folder)[version]:
        column = pq.read_table(part, columns=["remove"], partitioning=None).column("remove").to_pylist()
        found += [unquoted(entry["path"]) for entry in column if entry]
    return tuple(found)


def unquoted(path: str) -> str:
    """A path as the file system has it; logs hold it percent-encoded."""
    return unquote(path)


def stored_files(folder: Path) -> Iterator[Path]:
    """Every file of a table's folder that is not its log's; symbolic links are named, not followed."""
    for where, names, files in os.walk(folder, followlinks=False):
        if Path(where) == folder and LOG in names:
            names.remove(LOG)
        links = [name for name in names if (Path(where) / name).is_symlink()]
        yield from (Path(where) / name for name in (*files, *links))


def sync(paths: Iterator[Path] | list[Path]) -> None:
    """Force files, or names in folders, to the disk."""
    for path in paths:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
