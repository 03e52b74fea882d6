"""The console's copy of the log held against its checkpoint, entry by entry: whoever writes the file may change it."""

from __future__ import annotations

from collections.abc import Callable, Set

import msgspec

from xinglin.console.book_leaves import Leaves
from xinglin.evidence.checkpoint import parse_checkpoint
from xinglin.evidence.errors import EvidenceError
from xinglin.evidence.notes import parse_note
from xinglin.evidence.tiles import TILE_WIDTH
from xinglin.evidence.tree import CompactRange
from xinglin.stores.console_book import BookStore

_AT_ONCE = 32 * TILE_WIDTH


class _Kind(msgspec.Struct, frozen=True):
    """Of an entry, its kind alone."""

    kind: str


def checked(
    store: BookStore, folding: Set[str], folded: Set[int], is_entry: Callable[[int, bytes], bool]
) -> Leaves | None:
    """The leaves of a copy that is what its checkpoint says, read whole; None for any other.

    ``folded``: indices that its index named as entries of the kinds ``folding``; they have to be all of them. Some two
    microseconds an entry.
    """
    head, leaves, folds = store.head(), Leaves(), set[int]()
    for start in range(0, head.size, _AT_ONCE):
        end = min(start + _AT_ONCE, head.size)
        bodies = store.entries(start, end)
        if not all(isinstance(data, bytes) for data in bodies):
            return None
        if leaves.extend(bodies) != store.hashes(0, start, end):
            return None
        for index, data in enumerate(bodies, start):
            if _kind(data) in folding and (index in folded or is_entry(index, data)):
                folds.add(index)
    try:
        root = parse_checkpoint(parse_note(head.note).text).root
        whole = leaves.size == head.size and leaves.root() == root
        whole = whole and CompactRange(head.size, head.frontier).root() == root
    except EvidenceError:
        return None
    tiles = store.hashes(1, 0, head.size // TILE_WIDTH)
    return leaves if whole and folds == folded and leaves.tiles == tuple(tiles) else None


def _kind(data: bytes) -> str:
    try:
        return msgspec.json.decode(data, type=_Kind).kind
    except msgspec.DecodeError:
        return ""
