"""The evidence log in memory: slow and obvious, the reference that the other stores are held to."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from xinglin.evidence.checkpoint import parse_checkpoint
from xinglin.evidence.errors import MissingHash
from xinglin.evidence.notes import parse_note
from xinglin.stores.log_errors import LogClosed
from xinglin.stores.log_growth import KEPT_CHECKPOINTS, AppendGroup, check_groups


class MemoryLogStore:
    """A ``LogStore`` in a list; every hash is computed from the entries when it is asked for."""

    def __init__(self) -> None:
        self._entries: list[bytes] = []
        self._keys: dict[bytes, int] = {}
        self._checkpoints: dict[int, str] = {}
        self._closed = False

    def append_batch(self, entries: Sequence[bytes]) -> int:
        """Append ``entries`` in order; give the first one's index."""
        return self.append_groups([AppendGroup(tuple(entries))])[0]

    def append_groups(self, groups: Sequence[AppendGroup]) -> list[int]:
        """Append several groups; a key seen before appends nothing."""
        self._check_open()
        check_groups(groups)
        firsts = []
        for group in groups:
            first = self._keys.get(group.key) if group.key else None
            if first is None:
                first = len(self._entries)
                self._entries.extend(group.entries)
                if group.key:
                    self._keys[group.key] = first
            firsts.append(first)
        return firsts

    def size(self) -> int:
        """Entries in the log."""
        self._check_open()
        return len(self._entries)

    def frontier(self) -> tuple[int, tuple[bytes, ...]]:
        """Size and the roots of the perfect subtrees, largest first."""
        size, peaks, start = self.size(), [], 0
        for bit in reversed(range(size.bit_length())):
            if size >> bit & 1:
                peaks.append(_subtree(self._entries[start : start + (1 << bit)]))
                start += 1 << bit
        return size, tuple(peaks)

    def entries(self, start: int, end: int) -> list[bytes]:
        """The entries ``start`` to ``end - 1``."""
        self._check_open()
        return self._entries[start:end]

    def tile_hashes(self, level: int, start: int, end: int) -> list[bytes]:
        """Hashes ``start`` to ``end - 1`` of a tile level."""
        width = 256**level
        last = min(end, self.size() // width)
        return [_subtree(self._entries[at * width : (at + 1) * width]) for at in range(start, last)]

    def hashes(self, level: int, index: int, /) -> bytes:
        """The hash of the complete subtree of ``2**level`` leaves at ``index``, or ``MissingHash``."""
        width = 1 << max(level, 0)
        if level < 0 or index < 0 or (index + 1) * width > self.size():
            raise MissingHash(f"The log has no complete subtree {index} of 2^{level} leaves.")
        return _subtree(self._entries[index * width : (index + 1) * width])

    def put_checkpoint(self, note: str) -> None:
        """Keep ``note``; it replaces one of the same size, and the newest 256 sizes are kept."""
        self._check_open()
        self._checkpoints[parse_checkpoint(parse_note(note).text).size] = note
        for size in sorted(self._checkpoints)[:-KEPT_CHECKPOINTS]:
            del self._checkpoints[size]

    def get_checkpoint(self, size: int | None = None) -> str | None:
        """The newest checkpoint, or that of ``size`` entries; None where there is none."""
        self._check_open()
        return self._checkpoints.get(max(self._checkpoints, default=0) if size is None else size)

    def close(self) -> None:
        """Later calls raise ``LogClosed``."""
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise LogClosed("The log store is closed.")


def _subtree(entries: Sequence[bytes]) -> bytes:
    """The tree hash of a power-of-two run of entries (RFC 6962 §2.1)."""
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    half = len(entries) // 2
    return hashlib.sha256(b"\x01" + _subtree(entries[:half]) + _subtree(entries[half:])).digest()
