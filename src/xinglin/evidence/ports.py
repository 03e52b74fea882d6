"""What this room needs from outside: hashes of a tree, and a durable log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec


class HashReader(Protocol):
    """Gives the hash of the complete subtree of ``2**level`` leaves that starts at leaf ``index * 2**level``.

    Raises ``MissingHash`` where the tree has no such complete subtree.
    """

    def __call__(self, level: int, index: int, /) -> bytes:
        """The 32-byte hash."""
        ...


class TileHashes(Protocol):
    """Gives hashes ``start`` to ``end - 1`` of a tile level (each over ``256**level`` leaves); fewer if there are."""

    def __call__(self, level: int, start: int, end: int, /) -> list[bytes]:
        """The hashes, 32 bytes each, in order."""
        ...


class AppendGroup(msgspec.Struct, frozen=True):
    """Entries that get consecutive indices, or none at all.

    ``key`` (when given, 1 to 64 bytes) names the group: a second group under the same key appends nothing and gets
    the first one's index, so that a lost answer can be asked for again.
    """

    entries: tuple[bytes, ...]
    key: bytes = b""


class LogStore(Protocol):
    """A durable, append-only sequence of entries with the tree over them, and its checkpoints.

    Guarantee: when an append returns, its entries survive a power cut, in order, at the promised indices; a call's
    entries are stored as a whole or not at all.
    """

    def append_batch(self, entries: Sequence[bytes]) -> int:
        """Store ``entries`` durably and give the index of the first one."""
        ...

    def size(self) -> int:
        """How many entries are durable."""
        ...

    def frontier(self) -> tuple[int, tuple[bytes, ...]]:
        """The size, and the roots of the complete subtrees that make up the tree, largest first."""
        ...

    def entries(self, start: int, end: int) -> list[bytes]:
        """Entries ``start`` to ``end - 1``; fewer where the log is shorter."""
        ...

    def hashes(self, level: int, start: int, end: int) -> list[bytes]:
        """Hashes ``start`` to ``end - 1`` of a tile level, as ``TileHashes`` says."""
        ...

    def put_checkpoint(self, note: bytes, name: str = "latest") -> None:
        """Keep a signed checkpoint durably under ``name``, in the place of the one before."""
        ...

    def get_checkpoint(self, name: str = "latest") -> bytes | None:
        """The newest checkpoint under ``name``, or ``None``."""
        ...
