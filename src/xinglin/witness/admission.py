"""Which submissions a witness takes: those that the log itself would have to take, by the keys in the kept entries."""

from __future__ import annotations

import threading

from xinglin.evidence.entry import Entry
from xinglin.evidence.submission import decode_batch, open_batch
from xinglin.evidence.witnessing import WitnessMemory
from xinglin.trust.keys import verify
from xinglin.wire.record import SpaceRecord
from xinglin.wire.space import Space

_STEP = 1024


class Admission:
    """Opens a submission batch (``evidence.witnessing.Admit``); the directory is folded from the kept log."""

    def __init__(self, space: Space, memory: WitnessMemory) -> None:
        self._space, self._memory = space, memory
        self._record = SpaceRecord(space)
        self._lock = threading.Lock()

    def __call__(self, data: bytes) -> tuple[Entry, ...]:
        """The batch's entries; raises what ``open_batch``, ``KeyDirectory.keys`` and ``verify`` raise."""
        batch = decode_batch(data)
        with self._lock:
            self._catch_up()
            return open_batch(batch, self._space.origin, self._verify)

    def record(self) -> SpaceRecord:
        """The space's record as the kept entries make it now."""
        with self._lock:
            self._catch_up()
            return self._record

    def _verify(self, did: str, context: str, payload: bytes, signature: bytes) -> None:
        verify(self._record.directory.keys(did), context, payload, signature)

    def _catch_up(self) -> None:
        size = self._memory.replica().size
        while self._record.size < size:
            for leaf in self._memory.entries(self._record.size, min(size, self._record.size + _STEP)):
                self._record.take(leaf)
