"""Secrets at rest in the node's database: sealed with a key that follows from the node's own keys."""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from xinglin.kernel.errors import XinglinError
from xinglin.trust.keys import PrivateKeys

_NONCE = 12


class CannotOpen(XinglinError):
    """A sealed value that was changed, or sealed under other keys."""

    code = "node.cannot_open"


class Vault:
    """AES-256-GCM; the key is derived (HKDF-SHA-256) from the seeds in the node's key file."""

    def __init__(self, keys: PrivateKeys) -> None:
        derive = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"xinglin node vault/1")
        self._cipher = AESGCM(derive.derive(keys.seeds.x25519 + keys.seeds.mlkem768))

    def seal(self, plain: bytes) -> bytes:
        """``plain`` encrypted under a fresh nonce."""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, plain, None)

    def open(self, sealed: bytes) -> bytes:
        """What was sealed; raises ``CannotOpen``."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], None)
        except (InvalidTag, ValueError) as error:
            raise CannotOpen("A kept secret cannot be opened.", remedy="Restore the node's key file.") from error
