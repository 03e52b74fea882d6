"""Checkpoints (C2SP tlog-checkpoint v1.0.0): a log's name, size and root, as the text of a signed note."""

from __future__ import annotations

import re

import msgspec

from xinglin.evidence.errors import MalformedCheckpoint
from xinglin.evidence.notes import ED25519, Note, Signer, decode_base64, encode_base64, sign_note
from xinglin.evidence.tree import EMPTY_ROOT, HASH_BYTES, MAX_SIZE
from xinglin.kernel.limits import Limit

ORIGIN_BYTES = Limit("checkpoint origin", 255, "bytes")
EXTENSION_LINES = Limit("checkpoint extensions", 16, "lines")
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")
_CONTROL = re.compile(r"[\x00-\x1f]")


class Checkpoint(msgspec.Struct, frozen=True):
    """What a log commits to: its ``origin``, its ``size`` in leaves, and its 32-byte ``root``.

    ``extensions`` are opaque lines that ML-DSA-44 cosignatures do not cover; our logs write none.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= len(_utf8(self.origin)) <= ORIGIN_BYTES.value:
            raise MalformedCheckpoint("A checkpoint's origin has 1 to 255 bytes.")
        EXTENSION_LINES.check(len(self.extensions))
        if any(not _utf8(line) or _CONTROL.search(line) for line in (self.origin, *self.extensions)):
            raise MalformedCheckpoint("A checkpoint's line is empty or holds a control character.")
        if not 0 <= self.size <= MAX_SIZE:
            raise MalformedCheckpoint(f"{self.size} is not a tree size.")
        if len(self.root) != HASH_BYTES or (self.size == 0 and self.root != EMPTY_ROOT):
            raise MalformedCheckpoint("A checkpoint's root is not the hash of a tree of its size.")

    def to_text(self) -> str:
        """The note text, which ends in a newline."""
        return "\n".join((self.origin, str(self.size), encode_base64(self.root), *self.extensions, ""))


def parse_checkpoint(text: str) -> Checkpoint:
    """The checkpoint that a note's text spells; ``MalformedCheckpoint`` otherwise. Nothing is verified yet."""
    lines = text.split("\n")
    if len(lines) < 4 or lines.pop() != "":
        raise MalformedCheckpoint("A checkpoint has at least three lines, each ending in a newline.")
    origin, size, root, *extensions = lines
    if not _DECIMAL.fullmatch(size):
        raise MalformedCheckpoint("A checkpoint's second line is not a tree size.")
    try:
        digest = decode_base64(root)
    except ValueError as error:
        raise MalformedCheckpoint("A checkpoint's third line is not a root hash.") from error
    return Checkpoint(origin, int(size), digest, tuple(extensions))


def sign_checkpoint(checkpoint: Checkpoint, signer: Signer) -> Note:
    """The log's own Ed25519 note (type 0x01) of ``checkpoint``; the key's name must be the origin."""
    if signer.key.name != checkpoint.origin or signer.key.kind != ED25519:
        raise MalformedCheckpoint(f"The key {signer.key.name!r} is not that of the log {checkpoint.origin!r}.")
    text = checkpoint.to_text()
    return Note(text, (sign_note(text, signer),))


def _utf8(line: str) -> bytes:
    try:
        return line.encode()
    except UnicodeEncodeError:
        return b""
