"""The evidence log in memory: slow and obvious, the reference that the other stores are held to."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from xinglin.evidence.ports import AppendGroup
from xinglin.stores.log_errors import LogClosed
from xinglin.stores.log_growth import check_groups


class MemoryLogStore:
    """A ``LogStore`` in a list; every hash is computed from the entries when it is asked for."""

    def __init__(self) -> None:
        self._entries: list[bytes] = []
        self._keys: dict[bytes, int] = {}
        self._checkpoints: dict[str, bytes] = {}
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

    def hashes(self, level: int, start: int, end: int) -> list[bytes]:
        """Hashes ``start`` to ``end - 1`` of a tile level."""
        width = 256**level
        last = min(end, self.size() // width)
        return [_subtree(self._entries[at * width : (at + 1) * width]) for at in range(start, last)]

    def put_checkpoint(self, note: bytes, name: str = "latest") -> None:
        """Keep ``note`` as the newest checkpoint under ``name``."""
        self._check_open()
        self._checkpoints[name] = note

    def get_checkpoint(self, name: str = "latest") -> bytes | None:
        """The newest checkpoint note under ``name``, or None."""
        self._check_open()
        return self._checkpoints.get(name)

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
