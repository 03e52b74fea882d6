"""What this room needs from outside: hashes of a tree, and a durable log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class HashReader(Protocol):
    """Gives the hash of the complete subtree of ``2**level`` leaves that starts at leaf ``index * 2**level``.

    Raises ``MissingHash`` where the tree has no such complete subtree.
    """

    def __call__(self, level: int, index: int, /) -> bytes:
        """The 32-byte hash."""
        ...


class LogStore(Protocol):
    """A durable, append-only sequence of entries with the tree over them, and its checkpoints.

    Guarantee: when ``append_batch`` returns, its entries survive a power cut, in order, at the promised indices;
    a batch is stored as a whole or not at all.
    """

    def append_batch(self, entries: Sequence[bytes]) -> int:
        """Store ``entries`` durably and give the index of the first one."""
        ...

    def size(self) -> int:
        """How many entries are durable."""
        ...

    def entries(self, start: int, end: int) -> list[bytes]:
        """Entries ``start <= index < end``; fewer where the log is shorter."""
        ...

    def hashes(self, level: int, index: int, /) -> bytes:
        """The tree's hashes, as ``HashReader`` says."""
        ...

    def put_checkpoint(self, note: str) -> None:
        """Keep a signed (and perhaps cosigned) checkpoint durably; a later one of the same size replaces it."""
        ...

    def get_checkpoint(self, size: int | None = None) -> str | None:
        """The newest checkpoint, or that of ``size`` entries; ``None`` where there is none."""
        ...
