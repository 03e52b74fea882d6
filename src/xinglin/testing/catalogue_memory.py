"""The catalogue's store in memory: the reference (port ``xinglin.catalogue.ports.CatalogueStore``)."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from xinglin.catalogue.entry import CatalogueEntry
from xinglin.catalogue.ports import SourceState


class MemoryCatalogueStore:
    """Dictionaries under one lock; gone with the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[int, tuple[str, CatalogueEntry]] = {}
        self._sources: dict[str, SourceState] = {}
        self._last = 0

    def replace(self, source: str, entries: tuple[CatalogueEntry, ...]) -> tuple[tuple[int, CatalogueEntry], ...]:
        """See the port."""
        with self._lock:
            known = {entry.entry_id: number for number, (by, entry) in self._entries.items() if by == source}
            wanted = {entry.entry_id for entry in entries}
            for entry_id, number in known.items():
                if entry_id not in wanted:
                    del self._entries[number]
            found = []
            for entry in entries:
                number = known.get(entry.entry_id, 0)
                if not number:
                    self._last += 1
                    number = self._last
                self._entries[number] = (source, entry)
                found.append((number, entry))
            return tuple(found)

    def entries(self) -> Iterator[tuple[int, CatalogueEntry]]:
        """See the port."""
        with self._lock:
            found = sorted(self._entries.items())
        yield from ((number, entry) for number, (_, entry) in found)

    def put_source(self, state: SourceState) -> None:
        """See the port."""
        with self._lock:
            self._sources[state.participant] = state

    def sources(self) -> tuple[SourceState, ...]:
        """See the port."""
        with self._lock:
            return tuple(self._sources[name] for name in sorted(self._sources))

    def drop_source(self, participant: str) -> None:
        """See the port."""
        with self._lock:
            self._sources.pop(participant, None)

    def close(self) -> None:
        """Nothing is open."""
