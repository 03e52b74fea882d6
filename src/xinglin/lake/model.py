"""Values of the lake: snapshots, statistics, limits of a query."""

from __future__ import annotations

import msgspec

from xinglin.kernel.canonical import canonical_digest
from xinglin.kernel.instants import Instant


class PinnedTable(msgspec.Struct, frozen=True):
    """A table at one version; ``digest`` is of that version's list of files with sizes and row counts."""

    name: str
    version: int
    digest: str


class Snapshot(msgspec.Struct, frozen=True):
    """Tables as they were at ``at`` (milliseconds since the epoch), sorted by name. Version 1; append-only."""

    at: Instant
    tables: tuple[PinnedTable, ...]
    format: int = 1

    def digest(self) -> str:
        """``sha256:…`` of the canonical bytes."""
        return canonical_digest(self)


class TableStatistics(msgspec.Struct, frozen=True):
    """Size of one version of a table; for the hospital's own eyes."""

    name: str
    version: int
    rows: int
    files: int
    size_bytes: int
    columns: tuple[tuple[str, str], ...]


class QueryLimits(msgspec.Struct, frozen=True):
    """What a query may use: memory (bytes), time (milliseconds), threads, rows of the answer."""

    memory_bytes: int = 1024 * 1024 * 1024
    time_ms: int = 60_000
    threads: int = 2
    rows: int = 5_000_000


NIGHTLY = QueryLimits(memory_bytes=4 * 1024 * 1024 * 1024, time_ms=3_600_000)
"""What the node's own questions over whole tables may use: checks, profiles of days, suggestions."""
