"""Salted commitments: a leaf shows that a value was fixed, and shows nothing of the value."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable
from typing import Any

from xinglin.evidence.errors import CommitmentMismatch
from xinglin.kernel.canonical import canonical_bytes

SALT_BYTES = 32
PREFIX = "salted-sha256:"
_DOMAIN = b"xinglin:commitment:v1\x00"


def new_salt(entropy: Callable[[int], bytes] = os.urandom) -> bytes:
    """A fresh salt of 32 bytes."""
    return entropy(SALT_BYTES)


def derive_salt(key: bytes, label: str) -> bytes:
    """A salt of 32 bytes that all holders of ``key`` (at least 32 secret bytes) derive alike for ``label``.

    HMAC-SHA-256 under the key; who does not hold it cannot guess committed values by trial.
    """
    if len(key) < SALT_BYTES:
        raise CommitmentMismatch("A salt is derived from a key of at least 32 bytes.")
    return hmac.digest(key, b"xinglin:salt:v1\x00" + label.encode(), "sha256")


def commit(salt: bytes, value: Any) -> str:
    """``salted-sha256:`` and 64 hexadecimal digits over a 32-byte ``salt`` and ``value`` (bytes, or a JSON value).

    Hiding as long as the salt is secret and used once; binding as SHA-256 is collision-resistant.

    >>> commit(bytes(32), {"count": 12}) == commit(bytes(32), b'{"count":12}')
    False
    """
    if len(salt) != SALT_BYTES:
        raise CommitmentMismatch("A commitment's salt has 32 bytes.")
    kind, content = (b"b", value) if isinstance(value, bytes) else (b"j", canonical_bytes(value))
    return PREFIX + hashlib.sha256(_DOMAIN + kind + salt + content).hexdigest()


def open_commitment(commitment: str, salt: bytes, value: Any) -> None:
    """Raise ``CommitmentMismatch`` unless ``commitment`` was made of this ``salt`` and ``value``."""
    if not hmac.compare_digest(commit(salt, value).encode(), commitment.encode("utf-8", "replace")):
        raise CommitmentMismatch("The value and salt are not what was committed to.")
