"""What hospitals publish, as the store has it: decoded once for as long as it stays the same."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import msgspec

from xinglin.catalogue import DataSetDescription
from xinglin.kernel.codec import decode_json

Named = Callable[[str], dict[str, DataSetDescription]]
"""Who publishes a data set of that name, and how it is described."""


class _Decoded(msgspec.Struct, frozen=True):
    data: bytes
    descriptions: tuple[DataSetDescription, ...]
    by_name: dict[str, DataSetDescription]


class Publications:
    """Every provider's descriptions; ``rows`` gives provider and JSON. For several threads."""

    def __init__(self, rows: Callable[[], Sequence[tuple[str, bytes]]] = tuple) -> None:
        self.rows = rows
        self._decoded: dict[str, _Decoded] = {}
        self._lock = threading.Lock()

    def read(self, provider: str, data: bytes) -> tuple[DataSetDescription, ...]:
        """What a provider published. Raises ``MalformedMessage`` for what is no description."""
        return self._of(provider, data).descriptions

    def now(self) -> Named:
        """The description of a data set by each provider that publishes it at this moment, restricted or not."""
        known = [(provider, self._of(provider, data).by_name) for provider, data in self.rows()]

        def named(data_set: str) -> dict[str, DataSetDescription]:
            return {provider: by_name[data_set] for provider, by_name in known if data_set in by_name}

        return named

    def _of(self, provider: str, data: bytes) -> _Decoded:
        with self._lock:
            kept = self._decoded.get(provider)
        if kept is None or kept.data != data:
            read: tuple[DataSetDescription, ...] = decode_json(data, tuple[DataSetDescription, ...])  # type: ignore[arg-type]
            kept = _Decoded(data, read, {one.name: one for one in read})
            with self._lock:
                self._decoded[provider] = kept
        return kept
