"""fsck: rebuild the whole tree from the entries and compare everything that was derived from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from xinglin.evidence.checkpoint import Checkpoint, parse_checkpoint
from xinglin.evidence.entry import decode_entry
from xinglin.evidence.errors import EvidenceError, MissingHash
from xinglin.evidence.notes import parse_note
from xinglin.evidence.policy import Policy, verify_checkpoint
from xinglin.evidence.ports import TileHashes
from xinglin.evidence.tiles import TILE_HEIGHT, TILE_WIDTH
from xinglin.evidence.tree import EMPTY_ROOT, CompactRange, leaf_hash
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.limits import Limit

FINDINGS = Limit("findings of one report", 1000, "findings")


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong: a stable ``code``, the ``place`` (entry, tile hash or checkpoint), and words."""

    code: str
    place: str
    words: str


class Report(msgspec.Struct, frozen=True):
    """What fsck saw: entries read, the root they give, checkpoints that hold, and every finding (first 1,000)."""

    size: int
    root: bytes
    checkpoints: int
    findings: tuple[Finding, ...]

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings


class LogReaders(msgspec.Struct, frozen=True):
    """How fsck reads a log. ``entries(start, end)`` is all it needs; the rest is compared where it is given.

    ``hashes`` gives the stored tile hashes, ``frontier`` the stored size and roots of complete subtrees,
    ``checkpoints`` every signed checkpoint at hand, ``policy`` says which of them count (log signature and quorum).
    """

    size: int
    entries: Callable[[int, int], Sequence[bytes]]
    hashes: TileHashes | None = None
    frontier: tuple[int, tuple[bytes, ...]] | None = None
    checkpoints: tuple[str | bytes, ...] = ()
    policy: Policy | None = None


def check_log(log: LogReaders) -> Report:
    """Rebuild and compare; a log that is broken gives findings, not an exception.

    1. Read every checkpoint and, with a policy, verify its signatures.
    2. Read the entries in order: each is there, well-formed and canonical.
    3. Hash them into a tree; each tile hash that completes equals the stored one, and no more are stored.
    4. At each checkpoint's size the root is the checkpoint's; no checkpoint is beyond the log.
    5. The stored frontier is the tree's.
    """
    return _Fsck(log).run()


class _Fsck:
    """One pass over a log; memory does not grow with its size."""

    def __init__(self, log: LogReaders) -> None:
        self._log = log
        self._tree = CompactRange()
        self._findings: list[Finding] = []
        self._held = 0
        self._due: dict[int, list[Checkpoint]] = {}
        self._rows: dict[int, list[bytes]] = {}

    def run(self) -> Report:
        for number, note in enumerate(self._log.checkpoints):  # 1
            self._read_checkpoint(number, note)
        self._compare_roots(0, EMPTY_ROOT)
        for start in range(0, self._log.size, TILE_WIDTH):  # 2, 3, 4
            if not self._read_entries(start, min(start + TILE_WIDTH, self._log.size)):
                break
        for level in range(max(self._rows, default=-1) + 2):
            self._compare_row(level)
        for size in self._due:
            self._find(
                "checkpoint.beyond", f"checkpoint of {size}", "A checkpoint promises more entries than there are."
            )
        self._compare_frontier()  # 5
        return Report(self._tree.size, self._tree.root(), self._held, tuple(self._findings))

    def _find(self, code: str, place: str, words: str) -> None:
        if len(self._findings) < FINDINGS.value:
            self._findings.append(Finding(code, place, words))

    def _read_checkpoint(self, number: int, text: str | bytes) -> None:
        try:
            note = parse_note(text)
            checkpoint = parse_checkpoint(note.text)
            self._due.setdefault(checkpoint.size, []).append(checkpoint)
            if self._log.policy is not None:
                verify_checkpoint(self._log.policy, note)
        except XinglinError as error:
            self._find(error.code, f"checkpoint number {number}", error.what)

    def _read_entries(self, start: int, end: int) -> bool:
        entries = self._log.entries(start, end)
        for index, data in enumerate(entries[: end - start], start):
            try:
                decode_entry(data)
            except XinglinError as error:
                self._find(error.code, f"entry {index}", error.what)
            self._tree.append(leaf_hash(data), self._keep)
            if index + 1 in self._due:
                self._compare_roots(index + 1, self._tree.root())
        if len(entries) != end - start:
            self._find("fsck.entries", f"entry {start + len(entries)}", "The log does not give the entries it counts.")
            return False
        return True

    def _keep(self, level: int, index: int, digest: bytes) -> None:
        tile_level, rest = divmod(level, TILE_HEIGHT)
        if rest == 0:
            row = self._rows.setdefault(tile_level, [])
            row.append(digest)
            if len(row) == TILE_WIDTH:
                self._compare_stored(tile_level, index + 1 - TILE_WIDTH, row)
                row.clear()

    def _compare_row(self, level: int) -> None:
        row = self._rows.get(level, [])
        start = (self._tree.size >> TILE_HEIGHT * level) - len(row)
        self._compare_stored(level, start, row, beyond=1)

    def _compare_stored(self, level: int, start: int, row: list[bytes], beyond: int = 0) -> None:
        if self._log.hashes is None:
            return
        try:
            stored = self._log.hashes(level, start, start + len(row) + beyond)
        except EvidenceError as error:
            stored = []
            self._find(MissingHash.code, f"tile level {level} from {start}", error.what)
        for offset, digest in enumerate(row):
            if offset >= len(stored) or stored[offset] != digest:
                self._find("fsck.hash", f"tile level {level} hash {start + offset}", "A stored hash is not the tree's.")
        if len(stored) > len(row):
            self._find(
                "fsck.hash", f"tile level {level} hash {start + len(row)}", "A hash is stored that no entry gives."
            )

    def _compare_roots(self, size: int, root: bytes) -> None:
        for checkpoint in self._due.pop(size, ()):
            if checkpoint.root == root:
                self._held += 1
            else:
                self._find("checkpoint.root", f"checkpoint of {size}", "A signed root is not that of the entries.")

    def _compare_frontier(self) -> None:
        if self._log.frontier not in (None, (self._tree.size, self._tree.hashes)):
            self._find("fsck.frontier", f"frontier of {self._tree.size}", "The stored frontier is not the tree's.")
