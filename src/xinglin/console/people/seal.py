"""The key of the console's accounts: records are stored under it, so that who reads or edits the file gains nothing.

AES-256-GCM with a key for each kind of record; a record's place is authenticated with it, so that one cannot be put in
another's. What this does not see: an old copy of the whole file put back.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from xinglin.console.people.errors import KeyFault, PeopleTampered
from xinglin.console.people.model import VERSION
from xinglin.stores.tls import write_private

KEY_BYTES = 32
_NONCE_BYTES = 12
R = TypeVar("R", bound=msgspec.Struct)


class Seal:
    """Seals records and makes keyed digests; ``entropy`` gives nonces."""

    def __init__(self, key: bytes, entropy: Callable[[int], bytes] = os.urandom) -> None:
        if len(key) != KEY_BYTES:
            raise KeyFault(f"The key of the accounts is not {KEY_BYTES} bytes long.", remedy="Restore it.")
        self._key, self._entropy = key, entropy
        self._ciphers: dict[str, AESGCM] = {}

    def seal(self, kind: str, place: bytes, record: msgspec.Struct) -> bytes:
        """A record as it is stored at its place."""
        nonce = self._entropy(_NONCE_BYTES)
        return nonce + self._cipher(kind).encrypt(nonce, msgspec.msgpack.encode(record), place)

    def open(self, kind: type[R], name: str, place: bytes, sealed: bytes) -> R:
        """A record that was sealed for this place; raises ``PeopleTampered``."""
        try:
            plain = self._cipher(name).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], place)
            record = msgspec.msgpack.decode(plain, type=kind)
        except (InvalidTag, ValueError, msgspec.DecodeError) as error:
            raise PeopleTampered(
                "A stored account or session was not written by this console.",
                why="The record or its key was changed.",
                remedy="Restore people.db and people.key together from a backup.",
            ) from error
        if getattr(record, "version", VERSION) > VERSION:
            raise PeopleTampered("A record was written by a newer version.", remedy="Update the package.")
        return record

    def digest(self, purpose: str, *parts: str) -> bytes:
        """A keyed digest: equal for equal words, and useless without the key."""
        message = b"".join(len(one := part.encode()).to_bytes(4, "big") + one for part in parts)
        return hmac.digest(self._derived(f"digest {purpose}"), message, "sha256")

    def _derived(self, purpose: str) -> bytes:
        return hmac.digest(self._key, f"xinglin console people v1 {purpose}".encode(), "sha256")

    def _cipher(self, kind: str) -> AESGCM:
        if kind not in self._ciphers:
            self._ciphers[kind] = AESGCM(self._derived(f"seal {kind}"))
        return self._ciphers[kind]


def token_digest(token: str) -> bytes:
    """What a cookie's token is looked up by."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def open_key(file: Path, *, fresh: bool, entropy: Callable[[int], bytes] = os.urandom) -> bytes:
    """The key in ``file``; where there is none and ``fresh`` (no account was stored yet), a new one.

    Raises ``KeyFault`` for a missing key of accounts that are there, and for a file that others may read.
    """
    try:
        mode = file.stat().st_mode
        if stat.S_IMODE(mode) & 0o077:
            raise KeyFault(f"{file} is open to others.", remedy=f"chmod 600 {file}")
        return file.read_bytes()
    except FileNotFoundError:
        if not fresh:
            raise KeyFault(f"{file} is missing.", remedy="Restore it: accounts cannot be read without it.") from None
    except OSError as error:
        raise KeyFault(f"{file} cannot be read.", why=error.strerror or "", remedy="Check its owner.") from error
    write_private(file, entropy(KEY_BYTES))
    return file.read_bytes()
