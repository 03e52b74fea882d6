"""Calls of encrypted scores: ``POST /v1/blind/scores``, a ``Signed`` ``ScoreCall`` as bytes; the answer is JSON.

A hospital opens a session for an owner of a model; both put ciphers; the hub computes on them and holds what it
cannot read until the other takes it. Steps of the hospital: ``open``, ``joined`` (two holders), ``rows``, ``end``;
of the owner: ``lead`` and ``finish`` (two holders), ``model``, ``partial`` (sealed to the hospital), ``end``; of the
hub: ``scored``. What was put once under a number stays so.
"""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

from xinglin.kernel.codec import encode_msgpack
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.wire.matching import Told

SCORES_PATH = "/blind/scores"
SCORE_CONTEXT = "score-call/1"
PARTIAL_INFO = b"xinglin score partial/1"
SCORE_BYTES = Limit("one message of an encrypted score", 24 * 1024 * 1024, "bytes")
ROWS = Limit("rows of an encrypted score", 200_000, "rows")
COLUMNS = Limit("columns of an encrypted score", 256, "columns")
SKEW_MS = 120_000
BLOCK_LEAST = 1_024
"""A cipher holds at least so many rows, or all of them: a hub keeps few messages of a session."""
Engine = Literal["tenseal", "openfhe"]
Step = Literal["open", "joined", "rows", "lead", "finish", "model", "partial", "scored", "end"]
Act = Literal["put", "take", "list"]
OF_HOSPITAL: frozenset[Step] = frozenset({"open", "joined", "rows", "end"})
OF_OWNER: frozenset[Step] = frozenset({"lead", "finish", "model", "partial", "end"})


class ScoreTerms(msgspec.Struct, frozen=True):
    """What all parties know. ``scales``: the hospital divides each column by its scale; ``block``: rows of a cipher."""

    study: str
    hospital: str
    owner: str
    agreement: str
    columns: tuple[str, ...]
    scales: tuple[float, ...]
    rows: int
    block: int
    engine: Engine
    nonce: str
    version: int = 1

    @property
    def blocks(self) -> int:
        """How many ciphers a column takes."""
        return -(-self.rows // self.block)

    def session(self) -> bytes:
        """32 bytes that name the session."""
        return hashlib.sha256(b"xinglin score/1" + encode_msgpack(self)).digest()


class ScoreOpen(msgspec.Struct, frozen=True):
    """A hospital's opening: the terms, its leaf, and with one key holder the public part of its key."""

    terms: ScoreTerms
    told: Told
    public: bytes = b""


class Ciphers(msgspec.Struct, frozen=True):
    """Keys or ciphers of one step, in order."""

    parts: tuple[bytes, ...]

    def of(self, count: int) -> tuple[bytes, ...]:
        """The parts where there are exactly so many; ``MalformedMessage`` otherwise."""
        if len(self.parts) != count:
            raise MalformedMessage("A message of an encrypted score has another number of parts than its step.")
        return self.parts


class ScoreCall(msgspec.Struct, frozen=True):
    """Put or take one message of a session; ``digest``: SHA-256 of the body, which stands beside the signature."""

    act: Act
    at: Instant
    session: str = ""
    step: Step = "open"
    number: int = 0
    digest: bytes = b""
    version: int = 1


class ScoreSent(msgspec.Struct, frozen=True):
    """The signed call as bytes, and the body."""

    signed: bytes
    body: bytes = b""


class ScoreAnswer(msgspec.Struct, frozen=True):
    """``found``: whether it is there yet; ``signed`` and ``body`` as who put it sent them (the hub's own: unsigned)."""

    found: bool
    signed: bytes = b""
    body: bytes = b""
    sessions: tuple[str, ...] = ()
