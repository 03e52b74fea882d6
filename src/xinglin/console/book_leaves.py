"""The verified leaves of the console's copy of the log, by the roots of 256 each: what is read is held against them.

An entry costs an eighth of a byte of memory. A page of scattered entries costs some 0.2 ms for each 256 that were not
looked at lately.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from hmac import compare_digest

from xinglin.evidence.tiles import TILE_WIDTH
from xinglin.evidence.tree import HASH_BYTES, CompactRange, leaf_hash, node_hash

_TILES_KEPT = 1_024
"""8 MiB of leaf hashes."""


class Leaves:
    """The first ``size`` leaves of a log. One writer; any number of reading threads, which see what was, or is."""

    def __init__(self) -> None:
        self._roots: list[bytes] = []
        self._rest: tuple[bytes, ...] = ()
        self._over = CompactRange()
        self._turn = threading.Lock()
        self._kept: OrderedDict[int, bytes] = OrderedDict()

    @property
    def size(self) -> int:
        """How many leaves."""
        return len(self._roots) * TILE_WIDTH + len(self._rest)

    @property
    def tiles(self) -> tuple[bytes, ...]:
        """The roots of whole tiles, in order."""
        return tuple(self._roots)

    def grown(self, bodies: Sequence[bytes]) -> Leaves:
        """These leaves and the next ones."""
        more = Leaves()
        more._roots, more._over, more._rest = list(self._roots), self._over.copy(), self._rest
        more.extend(bodies)
        return more

    def extend(self, bodies: Sequence[bytes]) -> list[bytes]:
        """Add entries in order, while nobody reads; their hashes."""
        added = list(map(leaf_hash, bodies))
        waiting = [*self._rest, *added]
        whole = len(waiting) // TILE_WIDTH * TILE_WIDTH
        for start in range(0, whole, TILE_WIDTH):
            root = _root(waiting[start : start + TILE_WIDTH])
            self._roots.append(root)
            self._over.append(root)
        self._rest = tuple(waiting[whole:])
        return added

    def root(self) -> bytes:
        """The root of the tree of all of them (RFC 6962)."""
        rest = CompactRange()
        rest.extend(self._rest)
        return CompactRange(self.size, (*self._over.hashes, *rest.hashes)).root()

    def holds(self, index: int, body: bytes, hashes: Callable[[int, int], Sequence[bytes]]) -> bool:
        """Whether ``body`` is entry ``index``; ``hashes``: leaf hashes as they are kept on the disk, from … to."""
        tile, place = divmod(index, TILE_WIDTH)
        if index < 0 or index >= self.size:
            return False
        known = b"".join(self._rest) if tile == len(self._roots) else self._tile(tile, hashes)
        at = place * HASH_BYTES
        return compare_digest(known[at : at + HASH_BYTES], leaf_hash(body))

    def _tile(self, tile: int, hashes: Callable[[int, int], Sequence[bytes]]) -> bytes:
        """The leaf hashes of a tile, 32 bytes each, if they give its root; else nothing."""
        with self._turn:
            found = self._kept.get(tile)
            if found is not None:
                self._kept.move_to_end(tile)
                return found
        row = tuple(hashes(tile * TILE_WIDTH, (tile + 1) * TILE_WIDTH))
        if len(row) != TILE_WIDTH or not compare_digest(_root(row), self._roots[tile]):
            return b""
        joined = b"".join(row)
        with self._turn:
            self._kept[tile] = joined
            while len(self._kept) > _TILES_KEPT:
                self._kept.popitem(last=False)
        return joined


def _root(row: Sequence[bytes]) -> bytes:
    while len(row) > 1:
        row = [node_hash(left, right) for left, right in zip(row[::2], row[1::2], strict=True)]
    return row[0]
