"""Signed notes (C2SP signed-note v1.0.0): text, an empty line, signature lines; and the keys that verify them."""

from __future__ import annotations

import binascii
import hashlib
import re
from collections.abc import Callable, Iterable
from functools import lru_cache

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from xinglin.evidence.errors import BadSignature, MalformedKey, MalformedNote
from xinglin.kernel.limits import Limit
from xinglin.trust.errors import WeakKey
from xinglin.trust.points import check_ed25519_encoding

ED25519 = 0x01
ED25519_COSIGNATURE = 0x04
MLDSA44_COSIGNATURE = 0x06
KEY_BYTES = {ED25519: 32, ED25519_COSIGNATURE: 32, MLDSA44_COSIGNATURE: 1312}
"""Signature types that this room verifies, and the size of their public keys in bytes."""

NOTE_BYTES = Limit("note size", 512 * 1024, "bytes")
NOTE_SIGNATURES = Limit("signatures a note", 128, "signatures")
KEY_NAME_BYTES = Limit("key name", 255, "bytes")

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_BAD_NAME = re.compile(r"[\s+\x00-\x1f]")
_DASH = "\u2014 "


def decode_base64(text: str) -> bytes:
    """Standard base64 in its one spelling; ``ValueError`` for any other."""
    raw = binascii.a2b_base64(text, strict_mode=True)
    if binascii.b2a_base64(raw, newline=False) != text.encode("ascii"):
        raise ValueError("not the one spelling")
    return raw


def encode_base64(raw: bytes) -> str:
    """Standard base64 with padding, without line breaks."""
    return binascii.b2a_base64(raw, newline=False).decode("ascii")


class VerifierKey(msgspec.Struct, frozen=True):
    """A named public key of one signature type (``vkey``); the name and ``key_id`` find its signature lines."""

    name: str
    kind: int
    public: bytes

    def __post_init__(self) -> None:
        check_key_name(self.name)
        if len(self.public) != KEY_BYTES.get(self.kind, -1):
            raise MalformedKey(
                f"The key {self.name!r} of type {self.kind:#04x} has {len(self.public)} bytes.",
                remedy="Known are 0x01 and 0x04 (Ed25519, 32 bytes) and 0x06 (ML-DSA-44, 1312 bytes).",
            )
        if self.kind != MLDSA44_COSIGNATURE:
            _refuse_weak(self.name, self.public)

    @property
    def key_id(self) -> int:
        """First four bytes of SHA-256(name, newline, type, public key), as an unsigned integer."""
        return key_id(self.name, self.kind, self.public)

    def to_text(self) -> str:
        """``name+hex key id+base64(type, public key)``."""
        return f"{self.name}+{self.key_id:08x}+{encode_base64(bytes([self.kind]) + self.public)}"


class NoteSignature(msgspec.Struct, frozen=True):
    """One signature line: key name, key id, and the signature bytes (at least one)."""

    name: str
    key_id: int
    signature: bytes

    def to_line(self) -> str:
        """The line with its newline."""
        return f"{_DASH}{self.name} {encode_base64(self.key_id.to_bytes(4, 'big') + self.signature)}\n"


class Note(msgspec.Struct, frozen=True):
    """A text (ends in a newline) and its signatures; it says nothing until ``verify_note`` accepts it."""

    text: str
    signatures: tuple[NoteSignature, ...]

    def to_text(self) -> str:
        """The note as it travels."""
        return self.text + "\n" + "".join(signature.to_line() for signature in self.signatures)

    def with_signatures(self, more: Iterable[NoteSignature]) -> Note:
        """This note with ``more`` signature lines after its own; a line it already has is not repeated."""
        return Note(self.text, tuple(dict.fromkeys((*self.signatures, *more))))


class Signer(msgspec.Struct, frozen=True):
    """A key and the function that signs raw messages with its private half."""

    key: VerifierKey
    sign: Callable[[bytes], bytes]


Check = Callable[[VerifierKey, Note, NoteSignature], None]
"""Raises ``BadSignature`` unless the signature verifies over what its type signs."""


@lru_cache(maxsize=1024)
def key_id(name: str, kind: int, public: bytes) -> int:
    """The 32-bit key id of C2SP signed-note."""
    digest = hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()
    return int.from_bytes(digest[:4], "big")


def check_key_name(name: str) -> None:
    """Raise ``MalformedKey`` unless ``name`` is 1 to 255 bytes of UTF-8 without space, plus or control characters."""
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        size = 0
    if not 1 <= size <= KEY_NAME_BYTES.value or _BAD_NAME.search(name):
        raise MalformedKey(f"{name!r} is not a key name.", remedy="Use 1 to 255 bytes without spaces or plus signs.")


def parse_vkey(text: str) -> VerifierKey:
    """The key that a ``vkey`` text names; ``MalformedKey`` where the text, its id or its size is wrong."""
    parts = text.split("+", 2)
    if len(parts) != 3 or not re.fullmatch("[0-9a-f]{8}", parts[1]):
        raise MalformedKey("A verifier key is written name+hex key id+base64.")
    try:
        raw = decode_base64(parts[2])
    except ValueError as error:
        raise MalformedKey("A verifier key's last part is not base64.") from error
    if not raw:
        raise MalformedKey("A verifier key's last part is empty.")
    key = VerifierKey(parts[0], raw[0], raw[1:])
    if key.key_id != int(parts[1], 16):
        raise MalformedKey(f"The key id {parts[1]} is not that of the key {key.name!r}.")
    return key


def parse_note(data: str | bytes) -> Note:
    """The note that ``data`` spells; ``MalformedNote`` or ``LimitExceeded`` otherwise. Nothing is verified yet."""
    whole = _checked_text(data)
    text, gap, block = whole.rpartition("\n\n")
    if not gap or not block.endswith("\n"):
        raise MalformedNote("A note is a text, an empty line, and signature lines that end in a newline.")
    lines = block[:-1].split("\n")
    NOTE_SIGNATURES.check(len(lines))
    return Note(text + "\n", tuple(_parse_line(line) for line in lines))


def sign_note(text: str, signer: Signer) -> NoteSignature:
    """A plain Ed25519 signature (type 0x01) over ``text``, which ends in a newline."""
    if signer.key.kind != ED25519:
        raise MalformedKey(f"The key {signer.key.name!r} does not sign plain notes (type 0x01).")
    if not text.endswith("\n"):
        raise MalformedNote("A note's text ends in a newline.")
    return NoteSignature(signer.key.name, signer.key.key_id, signer.sign(text.encode()))


def check_plain(key: VerifierKey, note: Note, signature: NoteSignature) -> None:
    """Verify a type 0x01 signature over the note's text."""
    if key.kind != ED25519:
        raise BadSignature(f"The key {key.name!r} of type {key.kind:#04x} does not sign plain notes.")
    check_ed25519(key, signature.signature, note.text.encode())


def verify_note(note: Note, keys: Iterable[VerifierKey], check: Check = check_plain) -> tuple[VerifierKey, ...]:
    """The known keys whose signatures stand under the note, each once, in the order of ``keys``.

    Signatures of unknown keys are ignored. ``BadSignature`` when any signature of a known key fails, or when no known
    key signed (C2SP signed-note, Signatures).
    """
    known: dict[tuple[str, int], VerifierKey] = {}
    for key in keys:
        if known.setdefault((key.name, key.key_id), key) != key:
            raise MalformedKey(f"Two keys share the name {key.name!r} and an id.")
    signed: set[tuple[str, int]] = set()
    for signature in note.signatures:
        line = (signature.name, signature.key_id)
        if line in known:
            check(known[line], note, signature)
            signed.add(line)
    if not signed:
        raise BadSignature("No known key signed this note.")
    return tuple(key for line, key in known.items() if line in signed)


def check_ed25519(key: VerifierKey, signature: bytes, message: bytes) -> None:
    """Raise ``BadSignature`` unless ``signature`` is the key's Ed25519 signature of ``message``."""
    try:
        _load_ed25519(key.public).verify(signature, message)
    except (InvalidSignature, ValueError) as error:
        raise BadSignature(f"A signature of {key.name!r} does not verify.") from error


@lru_cache(maxsize=1024)
def _load_ed25519(public: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(public)


def _refuse_weak(name: str, public: bytes) -> None:
    try:
        check_ed25519_encoding(public)
    except WeakKey as error:
        raise MalformedKey(f"The Ed25519 key {name!r} is weak.", why=error.what) from error


def _checked_text(data: str | bytes) -> str:
    try:
        if isinstance(data, bytes):
            NOTE_BYTES.check(len(data))
            text = data.decode()
        else:
            NOTE_BYTES.check(len(data))
            text = data
            NOTE_BYTES.check(len(data.encode()))
    except UnicodeError as error:
        raise MalformedNote("A note is UTF-8 text.") from error
    if _CONTROL.search(text):
        raise MalformedNote("A note holds no control character other than the newline.")
    return text


def _parse_line(line: str) -> NoteSignature:
    name, gap, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not gap:
        raise MalformedNote("A signature line is an em dash, a key name and base64.")
    try:
        check_key_name(name)
        raw = decode_base64(encoded)
    except (MalformedKey, ValueError) as error:
        raise MalformedNote("A signature line's key name or base64 is not well-formed.") from error
    if len(raw) < 5:
        raise MalformedNote("A signature line holds a key id and at least one byte.")
    return NoteSignature(name, int.from_bytes(raw[:4], "big"), raw[4:])
