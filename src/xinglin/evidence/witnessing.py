"""A witness (C2SP tlog-witness) that sees every entry: what it checks, remembers and signs. No input or output here.

It cosigns a checkpoint only if it follows the one it cosigned before, by all the entries in between,
which it keeps. It takes submissions that the log withholds, and stops cosigning while one that it
accepted is not in the log after the maximum merge delay. With an ``Execution`` it replays the
entries and cosigns only if every state leaf names the root that it computed itself.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from xinglin.evidence.checkpoint import Checkpoint
from xinglin.evidence.cosignature import cosign
from xinglin.evidence.entry import Entry, decode_entry
from xinglin.evidence.errors import BadProof, BadSignature, EvidenceError, UnknownLog
from xinglin.evidence.notes import NOTE_BYTES, Note, Signer, decode_base64, encode_base64
from xinglin.evidence.ports import HashReader
from xinglin.evidence.replica import (
    Advance,
    FollowedLog,
    Fork,
    Replica,
    advance,
    contradiction,
    open_checkpoint,
    prove_fork,
)
from xinglin.evidence.tiles import TileReader
from xinglin.evidence.tree import CompactRange, leaf_hash, verify_consistency
from xinglin.kernel.errors import LimitExceeded, XinglinError
from xinglin.kernel.instants import Clock, Instant
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Denied, deny

PROOF_LINES = Limit("consistency proof", 63, "hashes")
REQUEST_BYTES = Limit("add-checkpoint request", NOTE_BYTES.value + 64 * 64, "bytes")
STEP_ENTRIES = Limit("entries between two cosigned checkpoints", 16_384, "entries")
PENDING_ENTRIES = Limit("entries that wait for the log", 10_000, "entries")
PENDING_BATCHES = Limit("submissions that wait for the log", 256, "batches")
SUBMITTED_BYTES = Limit("submission to a witness", 1024 * 1024, "bytes")
MERGE_DELAY_MS = 60_000
"""Default maximum merge delay, in milliseconds."""

_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})")
_TEXT, _SIZE = "text/plain; charset=utf-8", "text/x.tlog.size"


class Answer(msgspec.Struct, frozen=True):
    """An HTTP answer in tlog-witness's terms: 200 with cosignature lines, or a refusal in words."""

    status: int
    body: bytes
    content_type: str = _TEXT


class Demand(msgspec.Struct, frozen=True):
    """The request is in order so far; entries ``start`` to ``end - 1`` are needed to go on."""

    start: int
    end: int


class Pending(msgspec.Struct, frozen=True):
    """An entry that was accepted and must come into the log: leaf hash, acceptance, SHA-256 of the batch it is of."""

    leaf: bytes
    accepted: Instant
    batch: bytes


class Acceptance(msgspec.Struct, frozen=True):
    """What a witness promises for a submission: entries already in the log, entries waiting, and until when."""

    in_log: int
    waiting: int
    due: Instant


class WitnessState(msgspec.Struct, frozen=True):
    """How a witness stands: the size and root (hex) it last cosigned, whether it cosigns, and if not, why."""

    origin: str
    size: int
    root: str
    cosigning: bool
    why: str
    waiting: int
    forks: int


class WitnessMemory(Protocol):
    """What a witness keeps; every write is durable, and atomic, when it returns."""

    def replica(self) -> Replica:
        """The log as last cosigned; an empty replica at first."""
        ...

    def take(self, gained: Advance, included: Sequence[bytes]) -> None:
        """Keep a replica and the entries it gained, and forget pending leaves ``included``, in one step.

        Raises if the kept size is not ``gained.first`` (another hand wrote in between).
        """
        ...

    def entries(self, start: int, end: int) -> list[bytes]:
        """Kept entries ``start`` to ``end - 1``."""
        ...

    def hashes(self, level: int, start: int, end: int, /) -> list[bytes]:
        """Kept tile hashes (``TileHashes``)."""
        ...

    def index_of(self, leaf: bytes) -> int | None:
        """Where a leaf hash is in the kept log."""
        ...

    def put_pending(self, pending: Sequence[Pending], batch: bytes) -> None:
        """Keep a batch and its entries that wait; a leaf that already waits keeps its first acceptance."""
        ...

    def pending(self) -> list[Pending]:
        """Accepted entries that are not in the log yet, oldest first."""
        ...

    def batches(self) -> list[bytes]:
        """The batches of which an entry waits, each once."""
        ...

    def put_fork(self, fork: Fork) -> None:
        """Keep evidence that the log forked."""
        ...

    def forks(self) -> list[Fork]:
        """All such evidence."""
        ...


class Execution(Protocol):
    """The contracts as a pure fold over the log: equal entries give equal states on every machine."""

    def start(self) -> Any:
        """The state of the empty log."""
        ...

    def apply(self, state: Any, first: int, entries: Sequence[bytes]) -> Any:
        """The state after ``entries``, the first of which has index ``first``; ``state`` is not changed."""
        ...

    def root(self, state: Any) -> str:
        """The digest of a state, as state leaves carry it."""
        ...


Admit = Callable[[bytes], Sequence[Entry]]
"""Opens a submission batch as the log would: its entries, or a ``XinglinError`` that says why not."""


class Witness:
    """One institution's witness of one log. Calls may come from several threads; they run one at a time.

    ``signers`` hold keys of type 0x04 and 0x06; ``clock`` tells milliseconds. Guarantee: of two checkpoints it ever
    cosigned, one is a prefix of the other, also over crashes and restarts, as long as ``memory`` keeps its word.
    """

    def __init__(
        self,
        log: FollowedLog,
        signers: Sequence[Signer],
        memory: WitnessMemory,
        clock: Clock,
        *,
        merge_delay_ms: int = MERGE_DELAY_MS,
        execution: Execution | None = None,
        admit: Admit | None = None,
    ) -> None:
        if not signers:
            raise ValueError("a witness cosigns with at least one key")
        self.log = log
        self._signers, self._memory, self._clock = tuple(signers), memory, clock
        self._merge_delay_ms, self._admit = merge_delay_ms, admit
        self._lock = threading.RLock()
        self._hashes = TileReader(memory.hashes)
        self._replay = None if execution is None else _Replay(execution, memory)
        self._refusal = ""

    def examine(self, body: bytes) -> Answer | Demand:
        """Everything that can be said of an add-checkpoint request before its entries are seen.

        1. The request is well-formed (400), of this log (404) and signed by it (403).
        2. A signed checkpoint that contradicts the kept entries is kept as a ``Fork``; from then on: 403.
        3. ``old`` is not above the size (400) and is the size last cosigned (409, which names that size).
        4. The consistency proof leads from the root last cosigned to the new one (422).
        """
        with self._lock:
            try:
                request = parse_request(body)  # 1
                note, checkpoint = open_checkpoint(request.note, self.log)
                # What is kept and compared carries the log's own lines only: anybody can add others.
            except UnknownLog as error:
                return _refuse(404, error)
            except BadSignature as error:
                return _refuse(403, error)
            except XinglinError as error:
                return _refuse(400, error)
            return self._compare(request, note, checkpoint)

    def add_checkpoint(self, body: bytes, entries: Sequence[bytes]) -> Answer:
        """Cosign the checkpoint in ``body`` if ``entries`` (all from the size last cosigned) lead to it.

        1. All that ``examine`` checks.
        2. The entries lead to the signed root (422).
        3. Each state leaf among them names the root that this witness's own replay gives (422).
        4. No accepted submission is overdue (503).
        5. Keep the checkpoint and the entries durably; only then sign (200).
        """
        with self._lock:
            demand = self.examine(body)  # 1
            if isinstance(demand, Answer):
                return demand
            request, replica = parse_request(body), self._memory.replica()
            try:
                gained = advance(replica, request.note, entries, self.log, self._hashes)  # 2
                if isinstance(gained, Fork):
                    raise BadProof("The log forked.")
                replayed = None if self._replay is None else self._replay.check(gained)  # 3
            except BadProof as error:
                self._refusal = error.what
                return _refuse(422, error)
            return self._sign(gained, replayed)

    def submit(self, batch: bytes) -> Acceptance | Denied:
        """Accept a signed batch for the log; it is kept, with its deadline, before this returns."""
        if self._admit is None:
            return deny("evidence.witness.no_submissions", "This witness takes no submissions.", "Ask another one.")
        try:
            SUBMITTED_BYTES.check(len(batch))
            entries = self._admit(batch)
        except XinglinError as error:
            return deny(error.code, error.what, error.remedy)
        leaves = [leaf_hash(entry.to_bytes()) for entry in entries]
        with self._lock:
            missing = [leaf for leaf in leaves if self._memory.index_of(leaf) is None]
            waiting, key, now = self._memory.pending(), hashlib.sha256(batch).digest(), self._clock()
            try:
                PENDING_ENTRIES.check(len(waiting) + len(missing))
                PENDING_BATCHES.check(len({each.batch for each in waiting} | {key}))
            except LimitExceeded as error:
                return deny("evidence.witness.full", error.what, "Try again when the log has taken what waits.")
            if missing:
                self._memory.put_pending([Pending(leaf, now, key) for leaf in missing], batch)
        return Acceptance(len(leaves) - len(missing), len(missing), now + self._merge_delay_ms)

    def pending(self) -> list[Pending]:
        """Entries that were accepted and are not in the log yet."""
        with self._lock:
            return self._memory.pending()

    def waiting_batches(self) -> list[bytes]:
        """The batches of which an entry waits, for whoever forwards them to the log."""
        with self._lock:
            return self._memory.batches()

    def state(self) -> WitnessState:
        """How this witness stands now."""
        with self._lock:
            replica, waiting = self._memory.replica(), self._memory.pending()
            forks = self._memory.forks()
            why = _FORKED if forks else self._overdue(waiting, ()) or self._refusal
            return WitnessState(
                self.log.origin, replica.size, replica.root.hex(), not why, why, len(waiting), len(forks)
            )

    def checkpoint(self) -> str:
        """The note last cosigned, as the log sent it; "" before the first."""
        with self._lock:
            return self._memory.replica().note

    def tree(self) -> CompactRange:
        """The compact range of the kept entries."""
        with self._lock:
            replica = self._memory.replica()
            return CompactRange(replica.size, replica.frontier)

    def forks(self) -> list[Fork]:
        """Evidence against the log, for anyone who asks."""
        with self._lock:
            return self._memory.forks()

    def accuse(self, note: str, tree: HashReader) -> Fork | None:
        """Keep the fork between the note last cosigned and ``note``, if ``tree`` (that of ``note``) proves one."""
        with self._lock:
            held = self._memory.replica().note
            if not held:
                return None
            ours, theirs = (open_checkpoint(text, self.log)[1] for text in (held, note))
            if theirs.size < ours.size:
                return None  # ``examine`` compares smaller checkpoints with the kept entries
            fork = prove_fork(held, note, self.log, tree)
            if fork is not None and fork not in self._memory.forks():
                self._memory.put_fork(fork)
            return fork

    def _compare(self, request: Request, note: Note, checkpoint: Checkpoint) -> Answer | Demand:
        replica = self._memory.replica()
        fork = contradiction(replica, note.to_text(), checkpoint, self._hashes)  # 2
        known = self._memory.forks()
        if fork is not None and fork not in known:
            self._memory.put_fork(fork)
        if known:
            return _words(403, _FORKED)
        if request.old > checkpoint.size:  # 3
            return _words(400, "The old size is above the checkpoint's size.")
        if request.old != replica.size:
            return Answer(409, f"{replica.size}\n".encode(), _SIZE)
        if fork is not None:
            return _words(422, "The root is not the one cosigned at this size; both checkpoints are kept as evidence.")
        if checkpoint.size - replica.size > STEP_ENTRIES.value:
            return _words(413, f"At most {STEP_ENTRIES.value} entries a step; send an earlier checkpoint first.")
        try:  # 4
            _check_consistency(replica, checkpoint, request.proof)
        except BadProof as error:
            self._refusal = error.what
            return _refuse(422, error)
        return Demand(replica.size, checkpoint.size)

    def _sign(self, gained: Advance, replayed: Any) -> Answer:
        waiting = self._memory.pending()
        leaves = {pending.leaf for pending in waiting}
        included = [leaf for leaf in map(leaf_hash, gained.entries) if leaf in leaves] if leaves else []
        overdue = self._overdue(waiting, included)
        if overdue:  # 4
            return _words(503, overdue)
        self._memory.take(gained, included)  # 5
        if self._replay is not None:
            self._replay.keep(gained, replayed)
        self._refusal = ""
        text = open_checkpoint(gained.replica.note, self.log)[0].text
        seconds = self._clock() // 1000
        lines = [cosign(text, signer, seconds).to_line() for signer in self._signers]
        return Answer(200, "".join(lines).encode())

    def _overdue(self, waiting: Sequence[Pending], included: Sequence[bytes]) -> str:
        late = self._clock() - self._merge_delay_ms
        count = sum(1 for pending in waiting if pending.accepted <= late and pending.leaf not in included)
        if not count:
            return ""
        return f"{count} accepted submissions are not in the log after {self._merge_delay_ms} ms."


class _Replay:
    """The state after the entries cosigned so far, rebuilt from the kept entries after a start."""

    def __init__(self, execution: Execution, memory: WitnessMemory) -> None:
        self._execution = execution
        self._size, self._state = 0, execution.start()
        end = memory.replica().size
        while self._size < end:
            entries = memory.entries(self._size, min(end, self._size + 4096))
            self._state = execution.apply(self._state, self._size, entries)
            self._size += len(entries)

    def check(self, gained: Advance) -> Any:
        """The state after the gained entries; ``BadProof`` at a state leaf that names another root."""
        state, start = self._state, 0
        for offset, entry in enumerate(gained.entries):
            named = state_root_of(entry)
            if named is None:
                continue
            index = gained.first + offset
            state = self._execution.apply(state, gained.first + start, gained.entries[start:offset])
            start = offset
            if self._execution.root(state) != named:
                raise BadProof(f"The state leaf at index {index} is not what the entries before it give.")
        return self._execution.apply(state, gained.first + start, gained.entries[start:])

    def keep(self, gained: Advance, state: Any) -> None:
        """Go on from here."""
        self._size, self._state = gained.replica.size, state


class Request(msgspec.Struct, frozen=True):
    """An add-checkpoint request: the old size, a consistency proof, the checkpoint note; nothing verified yet."""

    old: int
    proof: tuple[bytes, ...]
    note: str


_FORKED = "This witness holds proof that the log forked; it cosigns nothing of it any more."


def state_root_of(entry: bytes) -> str | None:
    """The state root that a leaf names (kind ``state``, body ``{"root": …}``); None for every other leaf.

    ``BadProof`` for a state leaf without a root.
    """
    if b'"kind":"state"' not in entry:
        return None
    try:
        leaf = decode_entry(entry)
    except XinglinError:
        return None  # not an entry of this space: it says nothing, and fsck names it
    if leaf.kind != "state":
        return None
    root = leaf.body.get("root")
    if not isinstance(root, str):
        raise BadProof("A state leaf names no root.")
    return root


def format_request(old: int, proof: Sequence[bytes], note: str) -> bytes:
    """The body of an add-checkpoint request."""
    lines = [f"old {old}\n", *(encode_base64(each) + "\n" for each in proof), "\n", note]
    return "".join(lines).encode()


def parse_request(body: bytes) -> Request:
    """The request that ``body`` spells; ``BadRequest`` or ``LimitExceeded`` otherwise."""
    REQUEST_BYTES.check(len(body))
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise BadRequest("The request is not UTF-8 text.") from error
    head, gap, note = text.partition("\n\n")
    first, *lines = head.split("\n")
    old = _OLD.fullmatch(first)
    if not gap or old is None:
        raise BadRequest("The request is an old size, a proof, an empty line and a checkpoint.")
    PROOF_LINES.check(len(lines))
    try:
        proof = tuple(decode_base64(line) for line in lines)
    except ValueError as error:
        raise BadRequest("A line of the proof is not base64.") from error
    if any(len(each) != 32 for each in proof):
        raise BadRequest("A hash of the proof does not have 32 bytes.")
    return Request(int(old[1]), proof, note)


class BadRequest(EvidenceError):
    """Bytes that are not an add-checkpoint request."""

    code = "evidence.witness_request"


def _check_consistency(replica: Replica, checkpoint: Checkpoint, proof: tuple[bytes, ...]) -> None:
    if replica.size == 0:
        if proof:
            raise BadProof("From nothing there is nothing to prove; the proof must be empty.")
        return
    verify_consistency(replica.size, checkpoint.size, replica.root, checkpoint.root, proof)


def _refuse(status: int, error: XinglinError) -> Answer:
    return _words(status, str(error))


def _words(status: int, words: str) -> Answer:
    return Answer(status, (words + "\n").encode())
