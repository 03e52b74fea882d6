"""Cosignatures (C2SP tlog-cosignature v1.1.0): a witness's timed word that it saw a consistent tree."""

from __future__ import annotations

from functools import lru_cache

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from xinglin.evidence.checkpoint import Checkpoint, parse_checkpoint
from xinglin.evidence.errors import BadSignature, MalformedKey
from xinglin.evidence.notes import (
    ED25519_COSIGNATURE,
    MLDSA44_COSIGNATURE,
    Note,
    NoteSignature,
    Signer,
    VerifierKey,
    check_ed25519,
    check_plain,
)

MAX_TIME_S = 2**63 - 1
_SIGNATURE_BYTES = {ED25519_COSIGNATURE: 64, MLDSA44_COSIGNATURE: 2420}
_LABEL = b"subtree/v1\n\x00"


class Cosignature(msgspec.Struct, frozen=True):
    """The parts of a cosignature line: POSIX time in seconds, and the raw signature (64 or 2,420 bytes)."""

    time_s: int
    signature: bytes

    def to_bytes(self) -> bytes:
        """``timestamped_signature``: eight bytes of time (big-endian) and the signature."""
        return self.time_s.to_bytes(8, "big") + self.signature


def ed25519_message(text: str, time_s: int) -> bytes:
    """What an Ed25519 cosignature signs: two header lines and the checkpoint's whole text."""
    return f"cosignature/v1\ntime {time_s}\n{text}".encode()


def mldsa44_message(name: str, time_s: int, checkpoint: Checkpoint) -> bytes:
    """What an ML-DSA-44 cosignature signs: a ``cosigned_message`` of cosigner, time, origin, [0, size) and root."""
    cosigner, origin = name.encode(), checkpoint.origin.encode()
    return b"".join(
        (
            _LABEL,
            len(cosigner).to_bytes(1, "big") + cosigner,
            time_s.to_bytes(8, "big"),
            len(origin).to_bytes(1, "big") + origin,
            (0).to_bytes(8, "big"),
            checkpoint.size.to_bytes(8, "big"),
            checkpoint.root,
        )
    )


def cosign(text: str, signer: Signer, time_s: int) -> NoteSignature:
    """A cosignature line of type 0x04 or 0x06, as the signer's key says, over a checkpoint's note ``text``.

    The caller has verified the checkpoint and its consistency with the last one it cosigned, and has made that
    durable, before it calls this.
    """
    key = signer.key
    if not 0 <= time_s <= MAX_TIME_S:
        raise BadSignature(f"{time_s} is not a POSIX time.")
    if key.kind not in _SIGNATURE_BYTES:
        raise MalformedKey(f"The key {key.name!r} of type {key.kind:#04x} does not cosign.")
    raw = signer.sign(_message(key, text, parse_checkpoint(text), time_s))
    return NoteSignature(key.name, key.key_id, Cosignature(time_s, raw).to_bytes())


def parse_cosignature(kind: int, data: bytes) -> Cosignature:
    """The parts of a cosignature of type ``kind``; ``BadSignature`` where size or time is impossible."""
    time_s = int.from_bytes(data[:8], "big")
    if len(data) != 8 + _SIGNATURE_BYTES.get(kind, -9) or time_s > MAX_TIME_S:
        raise BadSignature(f"A cosignature of type {kind:#04x} is not well-formed.")
    return Cosignature(time_s, data[8:])


def check_signature(key: VerifierKey, note: Note, signature: NoteSignature) -> None:
    """Verify a checkpoint note's signature of any known type (0x01, 0x04, 0x06); ``BadSignature`` if it fails."""
    if key.kind in _SIGNATURE_BYTES:
        check_cosignature(key, note, signature)
    else:
        check_plain(key, note, signature)


def check_cosignature(
    key: VerifierKey, note: Note, signature: NoteSignature, checkpoint: Checkpoint | None = None
) -> Cosignature:
    """The cosignature, verified with ``key`` over the note's checkpoint (parsed already, or parsed here)."""
    parts = parse_cosignature(key.kind, signature.signature)
    message = _message(key, note.text, checkpoint or parse_checkpoint(note.text), parts.time_s)
    if key.kind == ED25519_COSIGNATURE:
        check_ed25519(key, parts.signature, message)
        return parts
    try:
        _load_mldsa44(key.public).verify(parts.signature, message)
    except (InvalidSignature, ValueError) as error:
        raise BadSignature(f"A cosignature of {key.name!r} does not verify.") from error
    return parts


def _message(key: VerifierKey, text: str, checkpoint: Checkpoint, time_s: int) -> bytes:
    if key.kind == ED25519_COSIGNATURE:
        return ed25519_message(text, time_s)
    return mldsa44_message(key.name, time_s, checkpoint)


@lru_cache(maxsize=1024)
def _load_mldsa44(public: bytes) -> MLDSA44PublicKey:
    return MLDSA44PublicKey.from_public_bytes(public)
