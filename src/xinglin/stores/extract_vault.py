"""Files encrypted at rest under a key that follows from their owner's own keys: extracts, here and in a workspace."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Instant
from xinglin.stores.database_errors import StoreUnavailable
from xinglin.stores.tls import write_private
from xinglin.trust.keys import PrivateKeys

_NONCE = 12


class CannotRead(XinglinError):
    """A file of the vault that is gone, was changed, or belongs to other keys."""

    code = "stores.cannot_read"


class ExtractVault:
    """AES-256-GCM, a fresh nonce a file, its name bound to its content; the key by HKDF-SHA-256 from the key file."""

    def __init__(self, keys: PrivateKeys, folder: Path) -> None:
        self._keys, self._folder = keys, folder
        self._cipher = AESGCM(self.secret("vault"))

    def secret(self, purpose: str) -> bytes:
        """32 bytes for one purpose, the same at every call."""
        info = b"xinglin extract/1 " + purpose.encode()
        derive = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info)
        return derive.derive(self._keys.seeds.x25519 + self._keys.seeds.mlkem768)

    def keep(self, name: str, content: bytes) -> None:
        """Write ``content`` under ``name`` (replaced where it is there); it is on the disk when this returns."""
        nonce = os.urandom(_NONCE)
        place = self._place(name)
        try:
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(place, nonce + self._cipher.encrypt(nonce, content, name.encode()))
        except OSError as error:
            raise StoreUnavailable("An extract cannot be kept.", why=error.strerror or "") from error

    def open(self, name: str) -> bytes:
        """What is kept under ``name``; raises ``CannotRead``."""
        try:
            data = self._place(name).read_bytes()
            return self._cipher.decrypt(data[:_NONCE], data[_NONCE:], name.encode())
        except (OSError, InvalidTag, ValueError) as error:
            words = "A kept extract cannot be read: it is gone, was changed, or is of other keys."
            raise CannotRead(words, remedy="Restore the folder 'extracts' and the key file.") from error

    def has(self, name: str) -> bool:
        """Whether something is kept under ``name``."""
        return self._place(name).is_file()

    def kept_at(self, name: str) -> Instant:
        """When it was last written under ``name`` (ms); 0 where nothing is kept."""
        try:
            return int(self._place(name).stat().st_mtime * 1000)
        except FileNotFoundError:
            return 0

    def drop(self, name: str) -> None:
        """Forget what is kept under ``name``; again changes nothing."""
        self._place(name).unlink(missing_ok=True)

    def names(self) -> tuple[str, ...]:
        """Everything that is kept, sorted."""
        if not self._folder.is_dir():
            return ()
        files = (one for one in self._folder.rglob("*") if one.is_file() and not one.name.startswith("."))
        return tuple(sorted(one.relative_to(self._folder).as_posix() for one in files))

    def _place(self, name: str) -> Path:
        parts = name.split("/")
        if not parts or any(not part or part.startswith(".") or "\\" in part or "\0" in part for part in parts):
            raise CannotRead("That is no name of a kept file.", remedy="Name one that is listed.")
        return self._folder.joinpath(*parts)
