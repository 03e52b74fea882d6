"""What parties and relay say to each other: typed, versioned, signed by the node where a node speaks.

MessagePack arrays with a kind; a newer version, an unknown kind, a missing or an additional field is
refused (append-only: a changed message gets a new version). Members are roster indices. A signature
covers the message without its signature and without its boxes (sealed shares authenticate themselves
to the one they are for) and without the masked values (their digest is covered).
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal, TypeVar

import msgspec

from xinglin.kernel.codec import encode_msgpack
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.limits import MESSAGE_BYTES
from xinglin.secure.errors import BadSignature, ForeignMessage
from xinglin.secure.limits import ROUNDS, WORDS
from xinglin.secure.ports import Sign, Verify
from xinglin.secure.ring import Shape
from xinglin.secure.session import Session

Bytes32 = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Signature = Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]
Index = Annotated[int, msgspec.Meta(ge=0, lt=512)]
Round = Annotated[int, msgspec.Meta(ge=1, le=ROUNDS.value)]
Box = Annotated[bytes, msgspec.Meta(min_length=28, max_length=256)]
Boxes = Annotated[dict[Index, Box], msgspec.Meta(max_length=512)]
Members = Annotated[tuple[Index, ...], msgspec.Meta(max_length=512)]
ShareMap = Annotated[dict[Index, Bytes32], msgspec.Meta(max_length=512)]
Digest = Annotated[str, msgspec.Meta(max_length=128)]
Masked = Annotated[memoryview, msgspec.Meta(max_length=WORDS.value * 8)]

_UNSIGNED = b"\0" * 64


class _Base(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    version: Literal[1]
    session: Bytes32


class Advertise(_Base, frozen=True, tag="advertise"):
    """S1, node to hub, signed: fresh channel key, mask key and seed commitment of round 1."""

    sender: Index
    channel_key: Bytes32
    mask_key: Bytes32
    commitment: Bytes32
    signature: Signature = _UNSIGNED


class Adverts(_Base, frozen=True, tag="adverts"):
    """Hub to each node: everybody's ``Advertise``."""

    adverts: Annotated[tuple[Advertise, ...], msgspec.Meta(max_length=512)]


class Shares(_Base, frozen=True, tag="shares"):
    """S2, node to hub, signed: the adverts it saw (digest) and a sealed box for each of their senders."""

    sender: Index
    adverts: Bytes32
    boxes: Boxes
    signature: Signature = _UNSIGNED


class Begin(_Base, frozen=True, tag="begin"):
    """Hub to one node: every participant's ``Shares``, with the box for this node only."""

    shares: Annotated[tuple[Shares, ...], msgspec.Meta(max_length=512)]


class Endorsement(_Base, frozen=True, tag="endorsement"):
    """A node's signature over one set of survivors of one round, and over what it sent in that round.

    ``masked`` is the digest of its masked values, ``layout`` that of the encoding. ``state`` (the digest of
    the state they were computed from) and ``confirm`` are keyed with the roster key: nodes compare them, the
    hub cannot guess what is behind. ``mask_key`` and ``commitment`` are those of the next round.
    """

    round: Round
    sender: Index
    survivors: Members
    masked: Bytes32
    state: Bytes32
    layout: Digest
    shape: Shape
    confirm: Bytes32
    mask_key: Bytes32
    commitment: Bytes32
    signature: Signature = _UNSIGNED


class Upload(_Base, frozen=True, tag="upload"):
    """Exchange 1, node to hub: masked values, the endorsement of all participants, next round's boxes."""

    endorsement: Endorsement
    masked: Masked
    boxes: Boxes


class Survivors(_Base, frozen=True, tag="survivors"):
    """Hub to nodes: some vanished; these are left."""

    round: Round
    survivors: Members


class Endorsed(_Base, frozen=True, tag="endorsed"):
    """Exchange 2, hub to one node: all survivors' uploads' endorsements, those of the smaller set, its boxes."""

    round: Round
    survivors: Members
    uploads: Annotated[tuple[Endorsement, ...], msgspec.Meta(max_length=512)]
    endorsements: Annotated[tuple[Endorsement, ...], msgspec.Meta(max_length=512)]
    boxes: Boxes


class Reveal(_Base, frozen=True, tag="reveal"):
    """Node to hub, signed: seed shares of the survivors, mask key shares of the vanished; once a round."""

    round: Round
    sender: Index
    survivors: Members
    seeds: ShareMap
    keys: ShareMap
    signature: Signature = _UNSIGNED


class Total(_Base, frozen=True, tag="total"):
    """Hub to nodes: the sum over the survivors, still padded."""

    round: Round
    survivors: Members
    padded: Masked


SignedMessage = Advertise | Shares | Endorsement | Reveal
M = TypeVar("M", bound=SignedMessage)
Message = Advertise | Adverts | Shares | Begin | Endorsement | Upload | Survivors | Endorsed | Reveal | Total
_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


def encode(message: Message) -> bytes:
    """The message as bytes."""
    return encode_msgpack(message)


def parse(data: bytes) -> Message:
    """The message in ``data``; ``MalformedMessage`` or ``LimitExceeded`` for anything else."""
    MESSAGE_BYTES.check(len(data))
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError) as error:
        raise MalformedMessage(f"Not a message of the secure sum: {error}.") from error


def _payload(message: SignedMessage) -> bytes:
    bare: SignedMessage = msgspec.structs.replace(message, signature=_UNSIGNED)
    if isinstance(bare, Shares):
        bare = msgspec.structs.replace(bare, boxes={})
    return encode_msgpack(bare)


def _context(message: SignedMessage) -> str:
    return f"secure/{type(message).__name__.lower()}"


def signed(message: M, sign: Sign) -> M:
    """``message`` with this node's signature."""
    done: M = msgspec.structs.replace(message, signature=sign(_context(message), _payload(message)))
    return done


def check(message: SignedMessage, session: Session, verify: Verify) -> str:
    """The DID that sent ``message``; ``ForeignMessage`` or ``BadSignature`` unless it is of this run and signed."""
    if message.session != session.id:
        raise ForeignMessage("The message belongs to another run.", remedy="Each run starts with fresh messages.")
    did = session.did(message.sender)
    if verify(did, _context(message), _payload(message), message.signature) is not True:
        raise BadSignature(
            f"The {type(message).__name__} in the name of {did} is not signed by it.",
            who=did,
            remedy="Ask the operator and that hospital which keys are registered for it.",
        )
    return did


def adverts_digest(adverts: tuple[Advertise, ...]) -> bytes:
    """One digest for a set of adverts, whatever their order."""
    ordered = sorted(adverts, key=lambda advert: advert.sender)
    return hashlib.sha256(b"xinglin:secure/adverts\0" + encode_msgpack(ordered)).digest()


def as_uploaded(endorsement: Endorsement, upload: Endorsement) -> Endorsement:
    """``endorsement`` of a smaller set as it would read for ``upload``'s set; equal to it when the rest is."""
    return msgspec.structs.replace(endorsement, survivors=upload.survivors, signature=upload.signature)
