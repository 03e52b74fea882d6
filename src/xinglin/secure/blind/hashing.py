"""Hashing into the group and into its scalars (RFC 9380, section 5.3.1 and appendix B; RFC 9497, section 4.1)."""

from __future__ import annotations

import hashlib

from xinglin.secure.blind import ristretto

_BLOCK = 128
_DIGEST = 64


def sized(data: bytes) -> bytes:
    """``data`` behind its length in two bytes: I2OSP(len, 2) || data."""
    return len(data).to_bytes(2, "big") + data


def expand(message: bytes, tag: bytes) -> bytes:
    """64 uniform bytes from a message and a domain tag of at most 255 bytes (expand_message_xmd, SHA-512)."""
    domain = tag + bytes([len(tag)])
    first = hashlib.sha512(bytes(_BLOCK) + message + _DIGEST.to_bytes(2, "big") + b"\0" + domain).digest()
    return hashlib.sha512(first + b"\1" + domain).digest()


def to_element(message: bytes, tag: bytes) -> bytes:
    """The element that a message maps to (hash_to_ristretto255)."""
    return ristretto.element_of(expand(message, tag))


def to_scalar(message: bytes, tag: bytes) -> bytes:
    """The scalar that a message maps to."""
    return ristretto.reduce(expand(message, tag))
