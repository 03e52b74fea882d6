"""A log whose every entry, checkpoint and proof the test chooses; its signatures are real."""

from __future__ import annotations

from collections.abc import Sequence

from xinglin.evidence.checkpoint import Checkpoint, sign_checkpoint
from xinglin.evidence.notes import Note, Signer
from xinglin.evidence.replica import pack_entries
from xinglin.evidence.tiles import TileReader
from xinglin.evidence.tree import consistency_proof, root_of
from xinglin.evidence.witnessing import format_request
from xinglin.stores.log_memory import MemoryLogStore


class HostileLog:
    """Entries in memory under the log's own key; ``fork`` gives another history under the same key."""

    def __init__(self, signer: Signer, entries: Sequence[bytes] = ()) -> None:
        self.signer = signer
        self.store = MemoryLogStore()
        if entries:
            self.store.append_batch(list(entries))

    @property
    def size(self) -> int:
        """Entries so far."""
        return self.store.size()

    def add(self, *entries: bytes) -> int:
        """Append leaves; the index of the first."""
        return self.store.append_batch(list(entries))

    def entries(self, start: int = 0) -> list[bytes]:
        """Leaves from ``start`` on."""
        return self.store.entries(min(start, self.size), self.size)

    def fork(self, *leave_out: int) -> HostileLog:
        """The same log without the entries at these indices."""
        return HostileLog(self.signer, [e for at, e in enumerate(self.entries()) if at not in leave_out])

    def note(self, size: int | None = None) -> Note:
        """A checkpoint over the first ``size`` entries, signed by the log alone."""
        size = self.size if size is None else size
        root = root_of(TileReader(self.store.hashes), size)
        return sign_checkpoint(Checkpoint(self.signer.key.name, size, root), self.signer)

    def request(self, old: int, size: int | None = None) -> bytes:
        """An ``add-checkpoint`` body from a witness's ``old`` size."""
        new = self.size if size is None else size
        proof = consistency_proof(TileReader(self.store.hashes), min(old, new), new)
        return format_request(old, proof, self.note(new).to_text())

    def pushed(self, old: int, size: int | None = None) -> bytes:
        """The entries from ``old`` on, as they are pushed to a witness."""
        return pack_entries(self.entries(old)[: None if size is None else max(0, size - old)])
