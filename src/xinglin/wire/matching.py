"""What two institutions say to each other in a private intersection: signed parcels, in order, by any carrier.

A parcel is a ``Signed`` (context ``matching-parcel/1``) over MessagePack. Its carrier may lose, delay and read it: it
shows points, sizes and parties. Whoever changes one breaks its signature.
"""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Reason
from xinglin.secure.blind.intersection import CHUNK_BYTES
from xinglin.secure.blind.matching_terms import Matching, ProtectedCount, Shown
from xinglin.trust.envelope import Signed, open_signed, sign
from xinglin.trust.keys import PrivateKeys
from xinglin.trust.ports import Directory

PARCEL_CONTEXT = "matching-parcel/1"
PARCEL_BYTES = Limit("parcel of a matching", CHUNK_BYTES.value + 8_192, "bytes")
NONCE_BYTES = 16
Kind = Literal["proposal", "acceptance", "points", "refusal", "outcome", "logged", "filters", "linked", "planted"]
"""Append-only. ``logged``: where the sender's leaf about this matching stands, before what it covers. The last three
are of linkages (``wire.linking``)."""


class Proposal(msgspec.Struct, frozen=True):
    """Who asks whom for which matching under which agreement, with how many items.

    ``engine``: ``spu`` where both run SPU's RR22; absent in the bytes of the built-in one.
    """

    agreement: str
    proposer: str
    accepter: str
    shows: Shown
    items: int
    nonce: bytes
    version: int = 1
    engine: str | msgspec.UnsetType = msgspec.UNSET

    def session(self) -> bytes:
        """32 bytes that every parcel of this matching carries."""
        return hashlib.sha256(b"xinglin matching proposal/1" + encode_msgpack(self)).digest()

    def matching(self, acceptance: Acceptance) -> Matching:
        """The matching that follows. An intersection is shown to who proposes, a count is made by who accepts."""
        if self.version != 1 or len(self.nonce) != NONCE_BYTES or len(acceptance.nonce) != NONCE_BYTES:
            raise MalformedMessage("A proposal of another version, or without its nonce.")
        sides = [(self.proposer, self.items), (self.accepter, acceptance.items)]
        (learner, mine), (helper, theirs) = sides if self.shows == "intersection" else sides[::-1]
        return Matching(self.agreement, learner, helper, self.shows, mine, theirs, self.nonce + acceptance.nonce)


class Acceptance(msgspec.Struct, frozen=True):
    """The other side's yes, by its own rule, and its number of items."""

    items: int
    nonce: bytes


class Refusal(msgspec.Struct, frozen=True):
    """A side's no; by rules alone, never by an item."""

    reasons: tuple[Reason, ...]


class Told(msgspec.Struct, frozen=True):
    """Where a side's leaf stands in the log, and the salt of its commitment to what both sides know."""

    index: int
    salt: bytes


class Parcel(msgspec.Struct, frozen=True):
    """One message of a side: ``number`` counts its own from 0."""

    session: bytes
    number: int
    kind: Kind
    body: bytes


def pack(keys: PrivateKeys, session: bytes, number: int, kind: Kind, body: bytes) -> bytes:
    """A signed parcel."""
    return sign(keys, PARCEL_CONTEXT, encode_msgpack(Parcel(session, number, kind, body))).to_bytes()


def unpack(data: bytes, sender: str, session: bytes, number: int, directory: Directory) -> Parcel:
    """The parcel ``number`` of ``sender`` in ``session`` (any session for b""); ``MalformedMessage`` for another."""
    signed = Signed.from_bytes(data, PARCEL_BYTES)
    if signed.signer != sender:
        raise MalformedMessage("A parcel of somebody else.")
    parcel = decode_msgpack(open_signed(signed, PARCEL_CONTEXT, directory), Parcel, PARCEL_BYTES)
    if parcel.number != number or (session and parcel.session != session):
        raise MalformedMessage("A parcel of another matching, or out of order.")
    return parcel


def outcome(body: bytes) -> ProtectedCount:
    """The protected count in an ``outcome``."""
    return decode_msgpack(body, ProtectedCount)
