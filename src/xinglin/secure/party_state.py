"""A party's state: one frozen value, its transitions as a table, and its durable form."""

from __future__ import annotations

from typing import Literal

import msgspec

from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.limits import Limit
from xinglin.kernel.states import StateTable
from xinglin.secure.encoding import FixedPoint
from xinglin.secure.messages import Endorsement
from xinglin.secure.session import Session

_OPEN = ("new", "advertised", "shared", "ready", "uploaded", "narrowed", "revealed")

PARTY_STATES = StateTable(
    "secure sum, party",
    "new",
    (
        ("new", "advertise", "advertised"),
        ("advertised", "share", "shared"),
        ("shared", "begin", "ready"),
        ("ready", "upload", "uploaded"),
        ("uploaded", "endorse", "narrowed"),
        ("uploaded", "reveal", "revealed"),
        ("narrowed", "reveal", "revealed"),
        ("revealed", "open", "ready"),
        ("revealed", "refuse", "refused"),
        *((state, "close", "closed") for state in _OPEN),
    ),
)

SNAPSHOT_BYTES = Limit("snapshot size", 256 * 1024 * 1024, "bytes")


class Answer(msgspec.Struct, frozen=True):
    """What this node answered, and the digest of what it was asked."""

    question: bytes
    reply: bytes


class Fresh(msgspec.Struct, frozen=True):
    """A round's own secrets: mask key pair, self-mask seed, and its own 64-byte share of both."""

    private: bytes
    public: bytes
    seed: bytes
    commitment: bytes
    share: bytes = b""


class Coming(msgspec.Struct, frozen=True):
    """What the next round will start from: seed, pair keys, and the shares held for the others."""

    seed: bytes
    pairs: dict[int, bytes]
    held: dict[int, bytes]


class LastTotal(msgspec.Struct, frozen=True):
    """Enough to open the last total once more, until the next upload."""

    round: int
    digest: bytes
    survivors: tuple[int, ...]
    pad_chain: bytes
    fixed: FixedPoint


class PartyState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything a node must have to go on after a crash. It holds keys: store it encrypted.

    Version 1; fields are only ever appended, with defaults. ``held`` maps a member to the 64 bytes held
    of it: the share of its mask key, then that of its seed. What a step no longer needs is gone from the
    state that the step leaves behind.
    """

    session: Session
    me: int
    pinned: tuple[int, ...]
    version: Literal[1] = 1
    phase: str = PARTY_STATES.start
    round: int = 1
    opened: bool = False
    members: tuple[int, ...] = ()
    stands: tuple[int, ...] = ()
    adverts: bytes = b""
    channel_private: bytes = b""
    contribution: bytes = b""
    chains: dict[int, bytes] = {}
    fresh: Fresh | None = None
    seed: bytes = b""
    pairs: dict[int, bytes] = {}
    held: dict[int, bytes] = {}
    coming: Coming | None = None
    pad_chain: bytes = b""
    derive_key: bytes = b""
    fixed: FixedPoint | None = None
    endorsement: Endorsement | None = None
    last: LastTotal | None = None
    answers: dict[str, Answer] = {}

    def emptied(self, phase: str) -> PartyState:
        """The same run without a single secret, in a final phase."""
        return PartyState(
            self.session, self.me, self.pinned, phase=phase, round=self.round, opened=self.opened, members=self.members
        )


def to_bytes(state: PartyState) -> bytes:
    """The state's durable form."""
    return encode_msgpack(state)


def from_bytes(snapshot: bytes) -> PartyState:
    """The state in a snapshot; ``MalformedMessage`` for damaged bytes or a newer version."""
    return decode_msgpack(snapshot, PartyState, SNAPSHOT_BYTES)
