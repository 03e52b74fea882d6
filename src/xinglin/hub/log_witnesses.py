"""Collecting cosignatures: one link a witness, each brought to the newest checkpoint at its own pace.

A link speaks tlog-witness through a ``Transport``: HTTP to a witness process, or whatever carries
bytes to a node. It starts from the size the witness names (409), goes in steps where the witness is
far behind, and tries again with back-off while the witness is away.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence

import httpx
import msgspec

from xinglin.evidence.checkpoint import parse_checkpoint
from xinglin.evidence.cosignature import check_cosignature
from xinglin.evidence.errors import EvidenceError
from xinglin.evidence.notes import Note, NoteSignature, VerifierKey, parse_note
from xinglin.evidence.replica import pack_entries
from xinglin.evidence.witnessing import STEP_ENTRIES, format_request
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.limits import Limit
from xinglin.stores.http_answers import UnfitAnswer, await_answer

Transport = Callable[[bytes, bytes], Awaitable[tuple[int, bytes]]]
"""Takes an add-checkpoint body and packed entries (may be empty); gives status and body. ``OSError`` when away."""

PUSH_BYTES = Limit("entries pushed with a checkpoint", 1024 * 1024, "bytes")
PUSH_ENTRIES = Limit("entries pushed with a checkpoint", 4_096, "entries")
STEPS = Limit("steps of a witness that catches up in one round", 64, "steps")
ANSWER_BYTES = Limit("answer of a witness", 64 * 1024, "bytes")
CALL_TIMEOUT_S = 10.0
_TEXT = {"content-type": "text/plain; charset=utf-8"}
_BACKOFF_S = (0.1, 0.25, 0.5, 1.0)
_SIZE = re.compile(rb"(0|[1-9][0-9]{0,18})\n?")


class WitnessRefused(XinglinError):
    """A witness answered, and did not cosign; carries its status and its words."""

    code = "hub.witness_refused"

    def __init__(self, name: str, status: int, words: str) -> None:
        super().__init__(f"The witness {name!r} did not cosign ({status}).", why=words)
        self.name, self.status, self.words = name, status, words


class Standing(msgspec.Struct, frozen=True):
    """How a witness stands to the log: the size it last cosigned (−1: unknown) and why it does not, if it does not."""

    name: str
    size: int
    trouble: str


class Round:
    """One checkpoint on its way to the witnesses, and the cosignatures that came back so far."""

    def __init__(self, note: Note) -> None:
        self.note = note
        self.size = parse_checkpoint(note.text).size
        self.quorum = asyncio.Event()
        self.signed: set[VerifierKey] = set()
        self.parcels: dict[tuple[int, int], tuple[tuple[bytes, ...], bytes]] = {}


class LogView:
    """What a link needs of the log: signed checkpoints at any size so far, proofs, entries."""

    def __init__(
        self,
        sign_at: Callable[[int], Note],
        prove: Callable[[int, int], tuple[bytes, ...]],
        entries: Callable[[int, int], list[bytes]],
    ) -> None:
        self.sign_at, self.prove, self.entries = sign_at, prove, entries


class WitnessLink:
    """Keeps one witness at the newest checkpoint. ``deliver(round, cosignatures by key)`` gets what it signed."""

    def __init__(
        self,
        name: str,
        keys: Sequence[VerifierKey],
        transport: Transport,
        view: LogView,
        deliver: Callable[[Round, Mapping[VerifierKey, NoteSignature]], None],
        call_timeout_s: float = CALL_TIMEOUT_S,
    ) -> None:
        self.name, self.keys = name, tuple(keys)
        self._transport, self._view, self._deliver = transport, view, deliver
        self._call_timeout_s = call_timeout_s
        self._known = {(key.name, key.key_id): key for key in self.keys}
        self._size = -1
        self._trouble = "not asked yet"
        self._offered: Round | None = None
        self._wake = asyncio.Event()

    def offer(self, round_: Round) -> None:
        """Ask for a cosignature of ``round_``; an older one that still waits is dropped."""
        self._offered = round_
        self._wake.set()

    def standing(self) -> Standing:
        """How the witness stands now."""
        return Standing(self.name, self._size, self._trouble)

    async def run(self) -> None:
        """Serve offers until cancelled."""
        failures = 0
        while True:
            await self._wake.wait()
            self._wake.clear()
            round_ = self._offered
            if round_ is None:
                continue
            failures = 0 if await self._try(round_) else failures + 1
            if failures:
                await self._pause(_BACKOFF_S[min(failures, len(_BACKOFF_S)) - 1])

    async def _try(self, round_: Round) -> bool:
        try:
            signatures = await self._ask(round_)
        except (XinglinError, OSError, TimeoutError) as error:
            self._trouble = str(error) or type(error).__name__
            return False
        self._trouble = ""
        self._deliver(round_, signatures)
        return True

    async def _pause(self, seconds: float) -> None:
        """Wait, then try the newest offer again; a newer one is not waited for less, or a refusal would spin."""
        await asyncio.sleep(seconds)
        self._wake.set()

    async def _ask(self, round_: Round) -> dict[VerifierKey, NoteSignature]:
        """Bring the witness to the round's size, in steps, from wherever it says that it is."""
        for _ in range(STEPS.value):
            old = max(self._size, 0)
            if old > round_.size:
                raise WitnessRefused(self.name, 409, f"It has cosigned {old} entries; this log has {round_.size}.")
            target = min(round_.size, old + STEP_ENTRIES.value)
            note = round_.note if target == round_.size else self._view.sign_at(target)
            status, answer = await self._call(round_, old, target, note)
            if status == 409 and (size := _SIZE.fullmatch(answer)) is not None and int(size[1]) != old:
                self._size = int(size[1])
            elif status != 200:
                raise WitnessRefused(self.name, status, answer[:500].decode("utf-8", "replace").strip())
            else:
                signatures = self._verified(note, answer)
                self._size = target
                if target == round_.size:
                    return signatures
        raise WitnessRefused(self.name, 409, "It is too far behind for one round and catches up in the next.")

    async def _call(self, round_: Round, old: int, target: int, note: Note) -> tuple[int, bytes]:
        parcel = round_.parcels.get((old, target))
        if parcel is None:
            parcel = await asyncio.to_thread(self._parcel, old, target)
            round_.parcels[old, target] = parcel
        proof, entries = parcel
        body = format_request(old, proof, note.to_text())
        async with asyncio.timeout(self._call_timeout_s):
            status, answer = await self._transport(body, entries)
        ANSWER_BYTES.check(len(answer))
        return status, answer

    def _parcel(self, old: int, target: int) -> tuple[tuple[bytes, ...], bytes]:
        """The proof, and the entries where they are few enough to push; the witness fetches the others."""
        proof = self._view.prove(old, target)
        if target - old > PUSH_ENTRIES.value:
            return proof, b""
        packed = pack_entries(self._view.entries(old, target))
        return proof, packed if len(packed) <= PUSH_BYTES.value else b""

    def _verified(self, note: Note, answer: bytes) -> dict[VerifierKey, NoteSignature]:
        """The cosignatures of this witness's keys in its answer; lines of unknown keys are ignored."""
        whole = parse_note(f"{note.text}\n".encode() + answer)
        good: dict[VerifierKey, NoteSignature] = {}
        for signature in whole.signatures:
            key = self._known.get((signature.name, signature.key_id))
            if key is not None:
                check_cosignature(key, note, signature)
                good[key] = signature
        if len(good) < len(self._known):
            raise WitnessRefused(self.name, 200, "Its answer lacks a cosignature of one of its keys.")
        return good


class WitnessAway(EvidenceError, OSError):
    """A witness could not be reached over HTTP."""

    code = "hub.witness_away"


def http_transport(url: str, client: httpx.AsyncClient) -> Transport:
    """A transport to the submission prefix ``url`` of a tlog-witness server; it fetches the entries itself."""
    target = url.rstrip("/") + "/add-checkpoint"

    async def post(body: bytes, entries: bytes) -> tuple[int, bytes]:
        asked = client.build_request("POST", target, content=body, headers=_TEXT)
        try:
            answer = await await_answer(client, asked, ANSWER_BYTES)
        except httpx.HTTPError as error:
            raise WitnessAway(f"The witness at {url} cannot be reached.", why=str(error)) from error
        except UnfitAnswer as error:
            words = f"The witness at {url} is not listened to."
            raise WitnessAway(words, why=error.what, remedy=error.remedy) from error
        return answer.status, answer.content

    return post
