"""How a stored log grows: the rows and tile hashes that a batch adds, computed once for every store.

A store keeps leaf hashes (tile level 0) beside the entries and one hash for each completed run of
256^level leaves (tile level 1 and up); both are append-only. The *frontier* is the compact range
of RFC 6962: the roots of the perfect subtrees that make up the tree, largest first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from xinglin.evidence.entry import ENTRY_BYTES
from xinglin.evidence.ports import AppendGroup
from xinglin.evidence.tiles import TILE_HEIGHT
from xinglin.kernel.limits import Limit

BATCH_ENTRIES = Limit("entries appended in one transaction", 65_536, "entries")


class Growth(msgspec.Struct, frozen=True):
    """What a batch adds to a log of ``first`` entries."""

    first: int
    leaves: tuple[bytes, ...]
    nodes: tuple[tuple[int, int, bytes], ...]
    frontier: tuple[bytes, ...]

    @property
    def size(self) -> int:
        """Entries in the log after the batch."""
        return self.first + len(self.leaves)


def grow(size: int, frontier: Sequence[bytes], entries: Sequence[bytes]) -> Growth:
    """The leaves, completed tile hashes ``(tile level, index, hash)`` and frontier after ``entries``.

    ``frontier`` has one hash for each bit set in ``size``. Cost: about two hashes an entry.
    """
    sha256 = hashlib.sha256
    peaks = list(frontier)
    leaves: list[bytes] = []
    nodes: list[tuple[int, int, bytes]] = []
    for position, entry in enumerate(entries, start=size):
        node = sha256(b"\x00" + entry).digest()
        leaves.append(node)
        rest, level = position, 0
        while rest & 1:
            node = sha256(b"\x01" + peaks.pop() + node).digest()
            rest >>= 1
            level += 1
            if level % TILE_HEIGHT == 0:
                nodes.append((level // TILE_HEIGHT, position >> level, node))
        peaks.append(node)
    return Growth(size, tuple(leaves), tuple(nodes), tuple(peaks))


def pack_frontier(frontier: Sequence[bytes]) -> bytes:
    """The frontier as one text of bytes, 32 a peak."""
    return b"".join(frontier)


def unpack_frontier(packed: bytes) -> tuple[bytes, ...]:
    """The inverse of ``pack_frontier``."""
    return tuple(packed[at : at + 32] for at in range(0, len(packed), 32))


def check_groups(groups: Sequence[AppendGroup]) -> None:
    """Raise ``LimitExceeded`` or ``ValueError`` before anything is stored."""
    BATCH_ENTRIES.check(sum(len(group.entries) for group in groups))
    for group in groups:
        if not group.entries:
            raise ValueError("a group holds at least one entry")
        if len(group.key) > 64:
            raise ValueError("a group's key is at most 64 bytes")
        for entry in group.entries:
            ENTRY_BYTES.check(len(entry))
