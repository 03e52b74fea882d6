"""What this room offers to those that read snapshots, as a Protocol (the in-memory one is for tests)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from xinglin.kernel.instants import Instant
from xinglin.lake.model import Snapshot


class LakeReader(Protocol):
    """Pins tables to an instant and opens what was pinned."""

    def pin(self, names: Iterable[str], at: Instant) -> Snapshot:
        """The tables' newest versions not after ``at``; raises ``TableMissing``."""
        ...

    def datasets(self, snapshot: Snapshot) -> dict[str, Any]:
        """Arrow datasets by table name; raises ``TableMissing`` or ``SnapshotChanged``."""
        ...
