"""What this node knows of the log: its own verified copy, and the part of it that a quorum cosigned.

The node witnesses (it cosigns only what it checked, entry by entry), and it *trusts* a checkpoint only
when the node's own policy accepts its cosignatures. Keys, policies and revocations are read below the
trusted size, never from the hub. An entry counts as accepted when it is included there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import msgspec

from xinglin.evidence.attending import Fetch, attend
from xinglin.evidence.entry import Entry, decode_entry
from xinglin.evidence.errors import EvidenceError
from xinglin.evidence.notes import Note, parse_note
from xinglin.evidence.policy import verify_checkpoint
from xinglin.evidence.receipt import build_receipt
from xinglin.evidence.replica import Fork
from xinglin.evidence.tiles import TileReader
from xinglin.evidence.tree import leaf_hash, root_of
from xinglin.evidence.witnessing import Witness, WitnessMemory, format_request
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Clock, Instant
from xinglin.wire.channel import CosignAnswer, CosignOrder
from xinglin.wire.record import SpaceRecord
from xinglin.wire.space import Space

log = logging.getLogger("xinglin.node.log")


class Trusted(msgspec.Struct, frozen=True):
    """The newest checkpoint that the node's policy accepted: size, when a quorum attested it (ms), and the note."""

    size: int = 0
    attested_at: Instant = 0
    note: Note | None = None


class LogView:
    """One node's log; ``record`` is what its first ``trusted.size`` leaves say."""

    def __init__(self, space: Space, witness: Witness, memory: WitnessMemory, fetch: Fetch, clock: Clock) -> None:
        self._witness, self._memory, self._fetch, self._clock = witness, memory, fetch, clock
        self._hashes = TileReader(memory.hashes)
        self._turn = asyncio.Lock()
        self._grown = asyncio.Condition()
        self.record = SpaceRecord(space)
        self.trusted = Trusted()
        self._ahead = b""
        self.on_trusted: list[Callable[[], None]] = []

    @property
    def size(self) -> int:
        """How many entries this node holds and checked."""
        return self._memory.replica().size

    @property
    def age_ms(self) -> int | None:
        """How far from now a quorum attested the newest trusted checkpoint; None before the first.

        In either direction: by a slow clock every checkpoint would be young, however long the hub holds back the next.
        """
        return None if self.trusted.note is None else abs(self._clock() - self.trusted.attested_at)

    @property
    def forks(self) -> list[Fork]:
        """Proofs that the log signed two histories; whoever knows the log's key can check them."""
        return self._witness.forks()

    async def cosign(self, order: CosignOrder) -> CosignAnswer:
        """Answer the hub's add-checkpoint request as ``tlog-witness`` says."""
        async with self._turn:
            answer = await attend(self._witness, order.body, order.entries, self._fetch)
        if self._ahead:
            ahead, self._ahead = self._ahead, b""
            await self.take_checkpoint(ahead)
        return CosignAnswer(order.ticket, answer.status, answer.body)

    async def take_checkpoint(self, data: bytes) -> None:
        """Trust a published checkpoint if the policy accepts it and it agrees with this node's own copy."""
        try:
            note = parse_note(data)
            verified = verify_checkpoint(self.record.policy, note)
        except EvidenceError as error:
            log.warning("checkpoint not trusted: %s", error.code)
            return
        size = verified.checkpoint.size
        if size > self.size:
            self._ahead = data  # its entries have not come yet: looked at again when they have
            return
        if size < self.trusted.size:
            return
        if size and root_of(self._hashes, size) != verified.checkpoint.root:
            log.error("a quorum cosigned another history than this node's: nothing of it is trusted")
            await self._keep_fork(data)
            return
        attested = verified.attested_at_s * 1000
        if size == self.trusted.size and attested <= self.trusted.attested_at:
            return
        self.trusted = Trusted(size, attested, note)
        self._fold(size)
        async with self._grown:
            self._grown.notify_all()
        for tell in self.on_trusted:
            tell()

    async def included(self, entry: bytes, timeout_s: float) -> int:
        """The index of ``entry`` once it lies under a trusted checkpoint; ``NotIncluded`` after ``timeout_s``."""
        leaf = leaf_hash(entry)
        index: int | None = None

        def there() -> bool:
            nonlocal index
            index = self._memory.index_of(leaf) if index is None else index
            return index is not None and index < self.trusted.size

        try:
            async with asyncio.timeout(timeout_s), self._grown:
                await self._grown.wait_for(there)
        except TimeoutError as error:
            raise NotIncluded(
                f"An entry was not included under a trusted checkpoint within {timeout_s:g} s.",
                remedy="Check that the witnesses can be reached; the node goes on by itself when they are back.",
            ) from error
        assert index is not None
        return index

    def receipt(self, index: int) -> str:
        """The ``.tlog-proof`` of the entry at ``index`` under the newest trusted checkpoint."""
        note = self.trusted.note
        if note is None or index >= self.trusted.size:
            raise NotIncluded(f"Entry {index} is not under a trusted checkpoint yet.", remedy="Ask again shortly.")
        (data,) = self._memory.entries(index, index + 1)
        return build_receipt(data, index, self._hashes, note).to_text()

    def entry(self, index: int) -> Entry:
        """The entry at ``index`` of this node's copy."""
        (data,) = self._memory.entries(index, index + 1)
        return decode_entry(data)

    def leaf(self, index: int) -> bytes:
        """The bytes of the entry at ``index`` of this node's copy."""
        (data,) = self._memory.entries(index, index + 1)
        return data

    async def _keep_fork(self, note: bytes) -> None:
        async with self._turn:  # the witness compares, and keeps what proves a fork
            await asyncio.to_thread(self._witness.examine, format_request(self.size, (), note.decode()))

    def _fold(self, size: int) -> None:
        while self.record.size < size:
            start = self.record.size
            for data in self._memory.entries(start, min(size, start + 1024)):
                self.record.take(data)


class NotIncluded(XinglinError):
    """An entry that is not in the quorum-cosigned part of the log (in time)."""

    code = "node.not_included"
