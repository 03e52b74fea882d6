"""What a crash, a full disk or a hand in the folder may have left in a lake, and what of it can be mended here.

``check_lake`` changes nothing. ``repair_lake`` removes what no version names and, where asked, takes files that are
missing or damaged out of the newest version, so that the rest can be read. Rows come back only from the raw
messages, by the intake: a batch that is incomplete is appended again (``Lake.append_batch``), a batch that lost
rows is written again (``Lake.rewrite_batch``).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from xinglin.lake import batches, files
from xinglin.lake.batches import BATCH_COLUMN
from xinglin.lake.delta import Lake
from xinglin.lake.errors import LakeError, MaintenanceFailed
from xinglin.lake.locks import removing

if TYPE_CHECKING:
    from deltalake import DeltaTable

FindingKind = Literal[
    "orphan_file",
    "unfinished_commit",
    "strange_entry",
    "unreadable_table",
    "missing_commit",
    "missing_file",
    "damaged_file",
    "unknown_batch",
    "missing_batch",
    "lost_rows",
    "doubled_rows",
]

REPAIRABLE: frozenset[FindingKind] = frozenset({"orphan_file", "unfinished_commit"})
"""What no version names and nobody reads: ``repair_lake`` removes it."""

LOST: frozenset[FindingKind] = frozenset({"missing_file", "damaged_file"})
"""Rows that are in the newest version and cannot be read."""


class Finding(msgspec.Struct, frozen=True, order=True):
    """One finding. ``what``: a file's path in the table's folder, or the batch's number. Never a value of a row.

    ``orphan_file``: no version names it. ``unfinished_commit``: a commit that did not come about.
    ``strange_entry``: a link, or something no table has. ``unreadable_table``: the newest version does not open.
    ``missing_commit``: a gap in the log. ``missing_file``, ``damaged_file``: of the newest version.
    ``unknown_batch``: rows of a batch that the ledger does not know. ``missing_batch``: the ledger counts rows,
    the table has none. ``lost_rows``, ``doubled_rows``: fewer or more than the ledger counts.
    """

    table: str
    kind: FindingKind
    what: str
    expected: int = 0
    found: int = 0


def check_lake(
    lake: Lake,
    ledger: Mapping[int, Mapping[str, int]] | None = None,
    *,
    footers: bool = True,
    erased: Mapping[int, Mapping[str, int]] | None = None,
) -> list[Finding]:
    """Everything found, sorted.

    ``ledger``: for each batch that was committed, its rows by table; without it, batches are not compared.
    ``erased``: of these, rows that erasures removed. ``footers``: read the footer of each Parquet file, too.
    """
    findings = [Finding(entry, "strange_entry", entry) for entry in _strangers(lake)]
    counted: dict[int, dict[str, int]] = {}
    for name in lake.names():
        try:
            table = lake.open(name)
            findings += _log(lake.path(name), name)
            findings += _files(lake.path(name), name, table, footers)
            for batch, count in _batches(lake, name, table):
                counted.setdefault(batch, {})[name] = count
        except (LakeError, OSError, ValueError):
            findings.append(Finding(name, "unreadable_table", name))
    if ledger is not None:
        findings += _against(ledger, counted, erased or {})
    return sorted(findings)


def repair_lake(lake: Lake, findings: Iterable[Finding], *, drop_lost: bool = False) -> list[Finding]:
    """Remove what can be removed safely; the findings that were mended. Waits until nobody writes.

    ``drop_lost``: also give up missing and damaged files of the newest version. Their rows are then to be
    written again; compare with the ledger to learn of which batches.
    """

    def mended(finding: Finding) -> bool:
        if finding.kind in LOST:
            return drop_lost and _drop(lake, finding)
        return finding.kind in REPAIRABLE and _remove(lake.path(finding.table), finding)

    with removing(lake.folder):
        return [finding for finding in findings if mended(finding)]


def _remove(folder: Path, finding: Finding) -> bool:
    path = folder / finding.what
    if not path.resolve().is_relative_to(folder.resolve()) or not path.is_file():
        return False
    if finding.kind == "orphan_file" and finding.what in _named(folder):
        return False
    path.unlink()
    files.sync([path.parent])
    return True


def _drop(lake: Lake, finding: Finding) -> bool:
    from deltalake.exceptions import DeltaError

    table, folder = lake.open(finding.table), lake.path(finding.table)
    if finding.what not in {file.path for file in files.data_files(table)}:
        return False
    before = table.version()
    try:
        (folder / finding.what).unlink(missing_ok=True)
        table.repair()
        batches.durable(folder, before)
    except (DeltaError, OSError, ValueError) as error:
        raise MaintenanceFailed(
            f"A lost file was not taken out of {finding.table!r} ({type(error).__name__}).", remedy="Check the disk."
        ) from error
    return True


def _strangers(lake: Lake) -> Iterator[str]:
    if not lake.folder.is_dir():
        return
    known = set(lake.names())
    for entry in sorted(os.scandir(lake.folder), key=lambda found: found.name):
        if entry.name not in known and not entry.name.startswith(".") and not _is_empty(entry):
            yield entry.name


def _is_empty(entry: os.DirEntry[str]) -> bool:
    """A folder that a first append made and was cut off in."""
    return entry.is_dir(follow_symlinks=False) and not any(Path(entry.path).iterdir())


def _log(folder: Path, name: str) -> Iterator[Finding]:
    versions = files.commits(folder)
    for before, after in pairwise(versions):
        if after != before + 1:
            yield Finding(name, "missing_commit", str(before + 1))
    for entry in sorted(os.listdir(folder / files.LOG)):
        if entry.startswith("_commit_") or entry.endswith((".tmp", ".json#1")) or "#" in entry:
            yield Finding(name, "unfinished_commit", f"{files.LOG}/{entry}")


def _files(folder: Path, name: str, table: DeltaTable, footers: bool) -> Iterator[Finding]:
    current = files.data_files(table)
    for file in current:
        path = folder / file.path
        if not path.is_file():
            yield Finding(name, "missing_file", file.path, file.rows, 0)
        elif path.stat().st_size != file.size_bytes or (footers and _rows(path) != file.rows):
            yield Finding(name, "damaged_file", file.path, file.rows, 0)
    named = _named(folder) | {file.path for file in current}
    for path in files.stored_files(folder):
        relative = str(path.relative_to(folder))
        if path.is_symlink():
            yield Finding(name, "strange_entry", relative)
        elif relative not in named:
            yield Finding(name, "orphan_file", relative)


def _named(folder: Path) -> set[str]:
    """Every file that any version of the log names, those that were removed too (``vacuum`` is for these)."""
    from deltalake import DeltaTable

    found = set()
    for version in files.commits(folder):
        for action in files.actions(folder, version):
            for kind in ("add", "remove"):
                if kind in action:
                    found.add(files.unquoted(action[kind]["path"]))
    for version in files.checkpoints(folder):
        found |= {file.path for file in files.data_files(DeltaTable(str(folder), version=version))}
        found |= set(files.removed_in(folder, version))
    return found


def _rows(path: Path) -> int:
    """Rows by the Parquet footer; -1 where there is none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return int(pq.read_metadata(path).num_rows)
    except (pa.ArrowException, OSError, ValueError):
        return -1


def _batches(lake: Lake, name: str, table: DeltaTable) -> list[tuple[int, int]]:
    """Rows by batch, of the files that can be read."""
    if BATCH_COLUMN not in [field.name for field in table.schema().fields]:
        return []
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder, counted = lake.path(name), dict[int, int]()
    for file in files.data_files(table):
        try:
            column: Any = pq.read_table(folder / file.path, columns=[BATCH_COLUMN], partitioning=None)
        except (pa.ArrowException, OSError, ValueError):
            continue
        for entry in column.column(BATCH_COLUMN).value_counts().to_pylist():
            if entry["values"] is not None:
                counted[entry["values"]] = counted.get(entry["values"], 0) + entry["counts"]
    return sorted(counted.items())


def _against(
    ledger: Mapping[int, Mapping[str, int]],
    counted: Mapping[int, Mapping[str, int]],
    erased: Mapping[int, Mapping[str, int]],
) -> Iterator[Finding]:
    for batch in sorted({*ledger, *counted}):
        tables = ledger.get(batch)
        for name in sorted({*(tables or {}), *counted.get(batch, {})}):
            found = counted.get(batch, {}).get(name, 0)
            if tables is None:
                yield Finding(name, "unknown_batch", str(batch), 0, found)
                continue
            expected = tables.get(name, 0) - erased.get(batch, {}).get(name, 0)
            if found == expected:
                continue
            kind: FindingKind = "missing_batch" if not found else "lost_rows" if found < expected else "doubled_rows"
            yield Finding(name, kind, str(batch), expected, found)
