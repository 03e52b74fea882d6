"""The hub's log: durable appends, a checkpoint soon after, cosignatures from all witnesses at once, receipts.

Entries are promised an index only once durable. A checkpoint is signed a few milliseconds after the
first new entry (or every heartbeat, so that everybody sees the log alive), sent to every witness in
parallel, and published as soon as the policy's quorum is reached, or after a time limit with what
there is. Receipts are given only under checkpoints that reach the quorum.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Protocol

import msgspec

from xinglin.evidence.checkpoint import Checkpoint, parse_checkpoint, sign_checkpoint
from xinglin.evidence.errors import MissingHash, UnknownLog
from xinglin.evidence.notes import Note, NoteSignature, Signer, VerifierKey, parse_note
from xinglin.evidence.policy import Policy
from xinglin.evidence.ports import AppendGroup, HashReader, LogStore
from xinglin.evidence.receipt import build_receipt
from xinglin.evidence.submission import SubmissionBatch, Verify, decode_batch, open_batch
from xinglin.evidence.tiles import TileReader
from xinglin.evidence.tree import CompactRange, consistency_proof, root_of
from xinglin.hub.log_witnesses import CALL_TIMEOUT_S, LogView, Round, Standing, Transport, WitnessLink
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.limits import Limit
from xinglin.stores.group_commit import GroupCommit, start_group_commit
from xinglin.stores.log_errors import LogCorrupt, LogUnavailable

RECEIPT_WAITERS = Limit("receipts waited for", 100_000, "receipts")
_CACHED_HASHES = 65_536
_KEEP_EVERY_S = 1.0


class GroupLogStore(LogStore, Protocol):
    """A log store that appends groups under keys (all of ``xinglin.stores`` do)."""

    def append_groups(self, groups: Sequence[AppendGroup]) -> list[int]:
        """Append all groups durably in one transaction."""
        ...


class LogSettings(msgspec.Struct, frozen=True):
    """Times of the log: how long new entries gather, the heartbeat, and how long a round waits for its quorum."""

    gather_ms: int = 15
    heartbeat_s: float = 10.0
    quorum_wait_s: float = 2.0
    call_timeout_s: float = CALL_TIMEOUT_S


class Submitted(msgspec.Struct, frozen=True):
    """Where a submission went: ``count`` entries from index ``first`` on, durable."""

    first: int
    count: int


class NotYetCosigned(XinglinError):
    """An entry is durable, but no checkpoint that covers it has reached the quorum in the time allowed."""

    code = "hub.not_yet_cosigned"


class LogService:
    """The log of one space. ``start()`` before use, ``stop()`` after; all calls on one event loop.

    ``signer`` holds the log's key (type 0x01, its name is the origin); ``policy`` decides when a checkpoint has its
    quorum. Raises ``LogCorrupt`` when the store's parts disagree or its last checkpoint is not of its entries.
    """

    def __init__(
        self, store: GroupLogStore, signer: Signer, policy: Policy, settings: LogSettings | None = None
    ) -> None:
        self.store, self.settings = store, settings or LogSettings()
        self.origin = signer.key.name
        self._signer = signer
        self._hashes: HashReader = lru_cache(maxsize=_CACHED_HASHES)(TileReader(store.hashes))
        self._published, self._quorate = _last_notes(store, self._hashes)
        self._view = LogView(self._sign_at, lambda old, new: consistency_proof(self._hashes, old, new), store.entries)
        self._links: dict[str, tuple[WitnessLink, asyncio.Task[None]]] = {}
        self._waiting: dict[asyncio.Future[None], int] = {}
        self._listeners: list[Callable[[str], None]] = []
        self._round: Round | None = None
        self._commit: GroupCommit | None = None
        self._loop_task: asyncio.Task[None] | None = None
        self._grown = asyncio.Event()
        self._trouble = ""
        self._kept_at = 0.0
        self.set_policy(policy)

    async def start(self) -> None:
        """Open the writer and begin to produce checkpoints."""
        self._commit = start_group_commit(self.store, self._on_growth)
        self._loop_task = asyncio.create_task(self._produce(), name="log-checkpoints")
        if self.store.size():
            self._grown.set()

    async def stop(self) -> None:
        """Answer every append that waits, keep the last checkpoints, stop asking witnesses. The store stays open."""
        if self._commit is not None:
            await self._commit.close()
        tasks = [task for _, task in self._links.values()] + ([self._loop_task] if self._loop_task else [])
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._links.clear()
        with contextlib.suppress(LogUnavailable):
            await asyncio.to_thread(self._keep_notes)
        for waiting in self._waiting:
            if not waiting.done():
                waiting.cancel()

    async def append(self, entries: Sequence[bytes], key: bytes = b"") -> range:
        """Append ``entries`` (leaf bytes) one after another; their indices, once durable.

        ``key`` (at most 64 bytes) makes a retry safe: the same key appends once. Raises ``LogFull``,
        ``LogUnavailable``, ``LogClosed`` or ``LimitExceeded``; then nothing was promised.
        """
        if self._commit is None:
            raise RuntimeError("the log service was not started")
        first = await self._commit.append_group(AppendGroup(tuple(entries), key))
        return range(first, first + len(entries))

    async def submit(self, data: bytes, verify: Verify) -> Submitted:
        """Take a signed batch (``SubmissionBatch`` bytes): all of it, once, however often it is sent.

        Raises what ``open_batch`` and ``verify`` raise for a batch that is not in order, and what ``append`` raises.
        """
        batch = await asyncio.to_thread(self._open_batch, data, verify)
        indices = await self.append(batch.entries, batch.key)
        return Submitted(indices.start, len(indices))

    async def receipt(self, index: int, timeout_s: float = 5.0) -> str:
        """The ``.tlog-proof`` of entry ``index`` under a checkpoint with quorum.

        ``NotYetCosigned`` after ``timeout_s``; ``MissingHash`` for an index that the log does not have.
        """
        if not 0 <= index < self.store.size():
            raise MissingHash(f"The log has no entry {index}.")
        await self._cosigned(index, timeout_s)
        note = self._quorate
        assert note is not None
        return await asyncio.to_thread(self._build_receipt, index, note)

    def latest(self) -> str:
        """The newest published checkpoint, with the cosignatures so far; "" before the first."""
        return "" if self._published is None else self._published.to_text()

    def latest_with_quorum(self) -> str:
        """The newest checkpoint that the policy accepts; "" before the first."""
        return "" if self._quorate is None else self._quorate.to_text()

    def size(self) -> int:
        """Durable entries."""
        return self.store.size()

    def entries(self, start: int, end: int) -> list[bytes]:
        """Entries ``start`` to ``end - 1``."""
        return self.store.entries(start, end)

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self._policy

    def set_policy(self, policy: Policy) -> None:
        """Judge checkpoints by ``policy``, which knows this log, from now on; what was quorate stays published."""
        if self._signer.key not in [log.key for log in policy.logs]:
            raise UnknownLog(f"The policy does not name the log {self.origin!r} with its key.")
        self._policy = policy
        self._grown.set()

    def add_witness(self, name: str, keys: Sequence[VerifierKey], transport: Transport) -> None:
        """Ask this witness from now on (in the place of one of the same name)."""
        self.remove_witness(name)
        link = WitnessLink(name, keys, transport, self._view, self._deliver, self.settings.call_timeout_s)
        self._links[name] = link, asyncio.create_task(link.run(), name=f"log-witness-{name}")
        if self._round is not None:
            link.offer(self._round)

    def remove_witness(self, name: str) -> None:
        """Ask this witness no more."""
        if name in self._links:
            self._links.pop(name)[1].cancel()

    def witnesses(self) -> tuple[Standing, ...]:
        """How each witness stands."""
        return tuple(link.standing() for link, _ in self._links.values())

    @property
    def trouble(self) -> str:
        """Why no checkpoint could be made, or ""."""
        return self._trouble

    def on_checkpoint(self, listener: Callable[[str], None]) -> None:
        """Call ``listener(note)`` on the event loop for every checkpoint that reaches the quorum."""
        self._listeners.append(listener)

    def _on_growth(self, size: int) -> None:
        self._grown.set()

    async def _produce(self) -> None:
        """A round whenever the log has grown, and every heartbeat."""
        while True:
            # asyncio.timeout, not wait_for: the latter (before Python 3.12) can swallow a cancellation.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.settings.heartbeat_s):
                    await self._grown.wait()
            await asyncio.sleep(self.settings.gather_ms / 1000)
            self._grown.clear()
            try:
                await self._one_round()
                self._trouble = ""
            except XinglinError as error:  # the disk may come back: say why, and go on
                self._trouble = str(error)
                await asyncio.sleep(self.settings.gather_ms / 1000)

    async def _one_round(self) -> None:
        size, frontier = await asyncio.to_thread(self.store.frontier)
        if size == 0:
            return
        note = sign_checkpoint(Checkpoint(self.origin, size, CompactRange(size, frontier).root()), self._signer)
        round_ = self._round = Round(note)
        if self._reached(round_):
            self._accept(round_)
        for link, _ in self._links.values():
            link.offer(round_)
        if not round_.quorum.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.settings.quorum_wait_s):
                    await round_.quorum.wait()
        self._publish(round_)
        if time.monotonic() - self._kept_at >= _KEEP_EVERY_S:
            await asyncio.to_thread(self._keep_notes)

    def _reached(self, round_: Round) -> bool:
        """Whether the keys whose cosignatures were verified make the quorum (no signature is verified twice)."""
        return self._policy.reaches_quorum(w.name for w in self._policy.witnesses if w.key in round_.signed)

    def _deliver(self, round_: Round, signed: Mapping[VerifierKey, NoteSignature]) -> None:
        """Verified cosignatures came in, perhaps late: add them, and see whether the quorum is reached."""
        round_.note = round_.note.with_signatures(signed.values())
        round_.signed.update(signed)
        if round_.quorum.is_set():
            self._replace(round_)
        elif self._reached(round_):
            self._accept(round_)
        elif self._published is not None and self._published.text == round_.note.text:
            self._publish(round_)

    def _accept(self, round_: Round) -> None:
        round_.quorum.set()
        if self._quorate is not None and parse_checkpoint(self._quorate.text).size > round_.size:
            return
        self._quorate = round_.note
        self._publish(round_)
        for waiting, index in list(self._waiting.items()):
            if index < round_.size and not waiting.done():
                waiting.set_result(None)
        text = round_.note.to_text()
        for listener in self._listeners:
            listener(text)

    def _replace(self, round_: Round) -> None:
        """A quorate note got one more cosignature: whoever asks next gets it too."""
        if self._quorate is not None and self._quorate.text == round_.note.text:
            self._quorate = round_.note
        if self._published is not None and self._published.text == round_.note.text:
            self._published = round_.note

    def _publish(self, round_: Round) -> None:
        if self._published is None or parse_checkpoint(self._published.text).size <= round_.size:
            self._published = round_.note

    async def _cosigned(self, index: int, timeout_s: float) -> None:
        if self._quorate is not None and parse_checkpoint(self._quorate.text).size > index:
            return
        RECEIPT_WAITERS.check(len(self._waiting) + 1)
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[waiting] = index
        try:
            async with asyncio.timeout(timeout_s):
                await waiting
        except TimeoutError as error:
            trouble = "; ".join(f"{s.name}: {s.trouble}" for s in self.witnesses() if s.trouble)
            raise NotYetCosigned(
                f"Entry {index} is durable, and not yet under a checkpoint with quorum.",
                why=self._trouble or trouble,
                remedy="Ask again; the log goes on asking its witnesses.",
            ) from error
        finally:
            del self._waiting[waiting]

    def _build_receipt(self, index: int, note: Note) -> str:
        (entry,) = self.store.entries(index, index + 1)
        return build_receipt(entry, index, self._hashes, note).to_text()

    def _open_batch(self, data: bytes, verify: Verify) -> SubmissionBatch:
        batch = decode_batch(data)
        open_batch(batch, self.origin, verify)
        return batch

    def _sign_at(self, size: int) -> Note:
        return sign_checkpoint(Checkpoint(self.origin, size, root_of(self._hashes, size)), self._signer)

    def _keep_notes(self) -> None:
        """Keep the newest notes for the next start; entries are durable before a note is signed, so this may lag."""
        self._kept_at = time.monotonic()
        for note, name in ((self._published, "latest"), (self._quorate, "quorum")):
            if note is not None:
                self.store.put_checkpoint(note.to_text().encode(), name)


def _last_notes(store: LogStore, hashes: HashReader) -> tuple[Note | None, Note | None]:
    """The checkpoints kept under ``latest`` and ``quorum``, once frontier, tiles and checkpoints agree."""
    size, frontier = store.frontier()
    try:
        agreed = root_of(hashes, size) == CompactRange(size, frontier).root()
    except MissingHash:
        agreed = False
    if not agreed:
        raise LogCorrupt("The log's head is not what its tiles give.", remedy="Run: xinglin fsck")
    notes: list[Note | None] = []
    for name in ("latest", "quorum"):
        data = store.get_checkpoint(name)
        note = None if data is None else parse_note(data)
        if note is not None:
            checkpoint = parse_checkpoint(note.text)
            if checkpoint.size > size or root_of(hashes, checkpoint.size) != checkpoint.root:
                raise LogCorrupt(
                    f"The log has signed {checkpoint.size} entries that it does not hold.",
                    remedy="Restore the log from a witness, which has every entry; never start it empty.",
                )
        notes.append(note)
    return notes[0], notes[1]
