"""The SDK's own reading of the evidence log: entries by tiles, the root recomputed, a quorum demanded.

Nothing about keys or policies is taken from the hub's word: they are folded from entries under a
checkpoint that the policy accepts, starting from the descriptor that came with the invite.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

import msgspec

from xinglin.evidence.entry import Entry, decode_entry
from xinglin.evidence.errors import EvidenceError, QuorumMissed
from xinglin.evidence.policy import VerifiedCheckpoint, verify_checkpoint
from xinglin.evidence.tiles import TILE_WIDTH, Tile, parse_bundle
from xinglin.evidence.tree import CompactRange, leaf_hash
from xinglin.sdk.errors import NotVerified
from xinglin.wire.record import SpaceRecord
from xinglin.wire.space import Space

if TYPE_CHECKING:
    from xinglin.wire.approvals import ApprovalRecord

_QUORUM_S, _AGAIN_S = 10.0, 0.2


class Found(msgspec.Struct, frozen=True):
    """An entry and its index."""

    index: int
    entry: Entry


class Reader(Protocol):
    """Reads the hub's public paths."""

    def get_open(self, path: str) -> bytes:
        """``GET path``."""
        ...


class SharedLog(Protocol):
    """A verified copy of the log that several sessions share: what ``Logbook`` gives, with the folded approvals."""

    @property
    def record(self) -> SpaceRecord:
        """What the verified entries say."""
        ...

    @property
    def approvals(self) -> ApprovalRecord:
        """What they say of committees and approvals."""
        ...

    def refresh(self) -> int:
        """Take every entry up to the newest checkpoint; the size. ``NotVerified`` where it does not check out."""
        ...

    def about(self, subject: str) -> list[Found]:
        """Entries of one subject, oldest first."""
        ...


class _Older(NotVerified):
    """A checkpoint below what was verified before."""


class Logbook:
    """A verified copy of the log in memory; ``refresh`` brings it to the newest checkpoint."""

    def __init__(self, space: Space, client: Reader) -> None:
        self._client = client
        self._tree = CompactRange()
        self._entries: list[bytes] = []
        self.record = SpaceRecord(space)

    def refresh(self) -> int:
        """Take every entry up to the newest checkpoint, verified; the size. ``NotVerified`` otherwise.

        A hub that was just started may show the last checkpoint that it kept, until its witnesses answer: an older
        log than before is an alarm only when it stays.
        """
        end = time.monotonic() + _QUORUM_S
        while True:
            try:
                return self._accept(self._client.get_open("/checkpoint")).checkpoint.size
            except _Older:
                if time.monotonic() > end:
                    raise
                time.sleep(_AGAIN_S)
            except QuorumMissed as error:
                if time.monotonic() > end:
                    raise NotVerified(
                        "The log's newest checkpoint has no quorum.",
                        why=error.what,
                        remedy="Wait until the witnesses are back, or ask the regulator.",
                    ) from error
                time.sleep(_AGAIN_S)
            except EvidenceError as error:
                raise NotVerified(
                    "The hub's log does not check out.", why=error.what, remedy="Tell the regulator."
                ) from error

    def about(self, subject: str) -> list[Found]:
        """Entries of one subject (a run's id, an agreement's digest), oldest first."""
        needle = subject.encode()
        hits = (index for index, data in enumerate(self._entries) if needle in data)
        found = (Found(index, decode_entry(self._entries[index])) for index in hits)
        return [each for each in found if each.entry.subject == subject]

    def _accept(self, note: bytes) -> VerifiedCheckpoint:
        verified = verify_checkpoint(self.record.policy, note)
        size, root = verified.checkpoint.size, verified.checkpoint.root
        if size < len(self._entries):
            raise _Older("The hub shows an older log than before.", remedy="Tell the regulator.")
        fetched = self._fetch(len(self._entries), size)
        tree = self._tree.copy()
        tree.extend(leaf_hash(data) for data in fetched)
        if tree.root() != root:
            raise NotVerified("The entries do not give the checkpoint's root.", remedy="Tell the regulator.")
        self._entries.extend(fetched)
        self._tree = tree
        before = self.record.policy_text
        for data in fetched:
            self.record.take(data)
        # A policy that came with these entries judges them too: it may ask for more than the one before.
        return verified if self.record.policy_text == before else verify_checkpoint(self.record.policy, note)

    def _fetch(self, start: int, end: int) -> list[bytes]:
        entries: list[bytes] = []
        while start < end:
            index = start // TILE_WIDTH
            width = min(end - index * TILE_WIDTH, TILE_WIDTH)
            data = self._client.get_open("/" + Tile(None, index, width).to_path())
            bundle = parse_bundle(data, width)
            entries.extend(bundle[start - index * TILE_WIDTH :])
            start = index * TILE_WIDTH + width
        return entries
