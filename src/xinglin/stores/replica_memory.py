"""What a witness keeps, in memory: the obvious reference of ``replica_sqlite``."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from xinglin.evidence.replica import Advance, Fork, Replica
from xinglin.evidence.tree import leaf_hash
from xinglin.evidence.witnessing import Pending
from xinglin.stores.log_errors import LogCorrupt
from xinglin.stores.log_memory import MemoryLogStore


class MemoryReplicaStore(MemoryLogStore):
    """A ``WitnessMemory`` of the log ``origin`` that forgets with its process."""

    def __init__(self, origin: str) -> None:
        super().__init__()
        self._replica = Replica(origin)
        self._pending: dict[bytes, Pending] = {}
        self._batches: dict[bytes, bytes] = {}
        self._forks: list[Fork] = []

    def replica(self) -> Replica:
        """The log as last kept."""
        return self._replica

    def take(self, gained: Advance, included: Sequence[bytes]) -> None:
        """Keep the replica with the entries it gained, and forget pending leaves."""
        if self.size() != gained.first:
            raise LogCorrupt(f"The kept log has {self.size()} entries, not {gained.first}.")
        if gained.entries:
            self.append_batch(gained.entries)
        self._replica = gained.replica
        for leaf in included:
            self._pending.pop(leaf, None)

    def index_of(self, leaf: bytes) -> int | None:
        """Where a leaf hash is first in the kept log."""
        return next((at for at, entry in enumerate(self._entries) if leaf_hash(entry) == leaf), None)

    def put_pending(self, pending: Sequence[Pending], batch: bytes) -> None:
        """Keep a batch and its entries that wait; the first acceptance of a leaf stands."""
        self._batches[hashlib.sha256(batch).digest()] = batch
        for each in pending:
            self._pending.setdefault(each.leaf, each)

    def pending(self) -> list[Pending]:
        """Accepted entries that are not in the log yet, oldest first."""
        return sorted(self._pending.values(), key=lambda each: (each.accepted, each.leaf))

    def batches(self) -> list[bytes]:
        """The batches of which an entry waits, each once."""
        waiting = {each.batch for each in self._pending.values()}
        return [data for key, data in self._batches.items() if key in waiting]

    def put_fork(self, fork: Fork) -> None:
        """Keep evidence that the log forked."""
        if fork not in self._forks:
            self._forks.append(fork)

    def forks(self) -> list[Fork]:
        """All such evidence, oldest first."""
        return list(self._forks)
