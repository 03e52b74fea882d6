"""Maintenance: small files gathered, old files and old commits removed, as far as nobody has pinned them.

``compact`` changes no row and no earlier version. ``vacuum`` removes files that no kept version has: kept are the
newest version, those of the retention time, and those that are pinned. ``clean_log`` removes commits that no kept
version needs; a version whose commits are gone cannot be opened any more.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote

import msgspec

from xinglin.kernel.instants import Instant
from xinglin.lake import batches, files
from xinglin.lake.delta import Lake
from xinglin.lake.errors import MaintenanceFailed, TableMissing
from xinglin.lake.locks import removing, writing
from xinglin.lake.model import Snapshot

_HOUR_MS = 3_600_000
_MEBIBYTE = 1024 * 1024


class MaintenancePolicy(msgspec.Struct, frozen=True):
    """When to compact, and for how long superseded files and commits stay.

    A table with at least ``small_files`` files under half of ``target_size_bytes`` is compacted.
    """

    small_files: int = 16
    target_size_bytes: int = 128 * _MEBIBYTE
    retention_hours: int = 7 * 24


class Maintained(msgspec.Struct, frozen=True):
    """What was done to a table: files gathered into one, files removed, commits removed."""

    name: str
    gathered: int
    removed_files: int
    removed_commits: int


def maintain(lake: Lake, policy: MaintenancePolicy | None = None, pins: Iterable[Snapshot] = ()) -> list[Maintained]:
    """Maintain every table by the policy. ``pins``: snapshots of runs that may still read."""
    chosen, pinned = policy or MaintenancePolicy(), tuple(pins)
    done = []
    for name in lake.names():
        small = [f for f in files.data_files(lake.open(name)) if f.size_bytes * 2 < chosen.target_size_bytes]
        gathered = compact(lake, name, chosen.target_size_bytes) if len(small) >= chosen.small_files else 0
        removed = vacuum(lake, name, chosen.retention_hours, pinned)
        commits = clean_log(lake, name, chosen.retention_hours, pinned)
        done.append(Maintained(name, gathered, len(removed), commits))
    return done


def compact(lake: Lake, name: str, target_size_bytes: int = 128 * _MEBIBYTE) -> int:
    """Gather small files into files of about the target size, rows in the same order; how many were gathered."""
    from deltalake.exceptions import DeltaError

    with writing(lake.folder):
        table = lake.open(name)
        before = table.version()
        try:
            told = table.optimize.compact(
                target_size=target_size_bytes, max_concurrent_tasks=1, writer_properties=batches.writer_properties()
            )
            batches.durable(lake.path(name), before)
        except (DeltaError, OSError, ValueError) as error:
            raise _failed(name, error) from error
    return int(told["numFilesRemoved"])


def vacuum(lake: Lake, name: str, retention_hours: int = 7 * 24, pins: Iterable[Snapshot] = ()) -> tuple[str, ...]:
    """Remove files that no kept version has; their names. Waits until nobody writes."""
    from deltalake.exceptions import DeltaError

    folder = lake.path(name).resolve()
    with removing(lake.folder):
        table = lake.open(name)
        kept = sorted({*_pinned(name, pins), *_recent(lake, name, retention_hours)} - {table.version()})
        openable = [version for version in kept if _opens(lake, name, version)]
        before = table.version()
        try:
            listed = table.vacuum(0, dry_run=True, enforce_retention_duration=False, full=True, keep_versions=openable)
            # Files that went long ago are listed as long as the log remembers their removal.
            going = {
                (folder / unquote(path)).relative_to(folder) for path in listed if (folder / unquote(path)).exists()
            }
            if going:
                table.vacuum(0, dry_run=False, enforce_retention_duration=False, full=True, keep_versions=openable)
                batches.durable(folder, before)
        except (DeltaError, OSError, ValueError) as error:
            raise _failed(name, error) from error
    return tuple(sorted(map(str, going)))


def clean_log(lake: Lake, name: str, retention_hours: int = 7 * 24, pins: Iterable[Snapshot] = ()) -> int:
    """Remove commits and checkpoints that no kept version needs; how many commits went."""
    folder = lake.path(name)
    with removing(lake.folder):
        newest = lake.open(name).version()
        oldest = min({newest, *_pinned(name, pins), *_recent(lake, name, retention_hours)})
        before = max((version for version in files.checkpoints(folder) if version <= oldest), default=0)
        return remove_commits(folder, before)


def checkpoint(lake: Lake, name: str) -> int:
    """Write a checkpoint of the newest version, durably; the version."""
    from deltalake.exceptions import DeltaError

    table = lake.open(name)
    try:
        table.create_checkpoint()
        log = lake.path(name) / files.LOG
        files.sync([*files.checkpoints(lake.path(name))[table.version()], log / "_last_checkpoint", log])
    except (DeltaError, OSError, ValueError, KeyError) as error:
        raise _failed(name, error) from error
    return int(table.version())


def remove_commits(folder: Path, before: int) -> int:
    """Remove what the log holds of versions before ``before``, which must have a checkpoint."""
    old = [version for version in files.commits(folder) if version < before]
    for version, parts in files.checkpoints(folder).items():
        if version < before:
            for part in parts:
                part.unlink(missing_ok=True)
    for version in old:
        files.commit_file(folder, version).unlink(missing_ok=True)
    files.sync([folder / files.LOG])
    return len(old)


def _pinned(name: str, pins: Iterable[Snapshot]) -> set[int]:
    return {table.version for snapshot in pins for table in snapshot.tables if table.name == name}


def _recent(lake: Lake, name: str, retention_hours: int) -> set[int]:
    """The versions that were the newest at some instant of the retention time."""
    since: Instant = int(time.time() * 1000) - retention_hours * _HOUR_MS
    known = lake.versions(name)
    standing = [version for version, instant in known if instant < since][-1:]
    return {version for version, instant in known if instant >= since} | set(standing)


def _opens(lake: Lake, name: str, version: int) -> bool:
    try:
        lake.open(name, version)
    except TableMissing:
        return False
    return True


def _failed(name: str, error: Exception) -> MaintenanceFailed:
    return MaintenanceFailed(
        f"Table {name!r} was not maintained ({type(error).__name__}).", remedy="Check the disk; check the lake."
    )
