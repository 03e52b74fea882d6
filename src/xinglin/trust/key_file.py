"""Key files as bytes: JSON with the seeds, plain or under a passphrase (scrypt, AES-256-GCM).

Version 1. Append-only: a later version adds a number, and a number that is not known is refused.
"""

from __future__ import annotations

import hashlib
import os

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from xinglin.kernel.canonical import canonical_bytes
from xinglin.kernel.codec import decode_json
from xinglin.kernel.errors import LimitExceeded, MalformedMessage
from xinglin.kernel.limits import Limit
from xinglin.trust.errors import BadKeyFile, WrongPassphrase
from xinglin.trust.keys import Entropy, PrivateKeys, PrivateSeeds

KEY_FILE_BYTES = Limit("key file size", 16 * 1024, "bytes")
KEY_FILE_MEMORY = Limit("key file scrypt memory", 256 * 1024 * 1024, "bytes")
VERSION = 1
_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 2**15, 8, 1


class _Lock(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the passphrase becomes the key; n, r, p as in RFC 7914 §2."""

    salt: bytes
    nonce: bytes
    n: int
    r: int
    p: int


class _KeyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=False):
    version: int
    suite: str
    did: str
    seeds: PrivateSeeds | None = None
    lock: _Lock | None = None
    sealed: bytes = b""


def key_file_bytes(private: PrivateKeys, passphrase: str = "", entropy: Entropy = os.urandom) -> bytes:
    """A key file of ``private``; with a ``passphrase``, nobody reads it without one (scrypt n=2^15, r=8, p=1).

    The DID and the suite stay readable and are bound to the cipher text. Takes 32 MiB and about
    0.1 s with a passphrase.
    """
    plain = _KeyFile(VERSION, private.suite, private.did, seeds=private.seeds)
    if not passphrase:
        return canonical_bytes(plain) + b"\n"
    lock = _Lock(entropy(16), entropy(12), _SCRYPT_N, _SCRYPT_R, _SCRYPT_P)
    shut = _KeyFile(VERSION, private.suite, private.did, lock=lock)
    sealed = AESGCM(_key(passphrase, lock)).encrypt(lock.nonce, canonical_bytes(private.seeds), canonical_bytes(shut))
    return canonical_bytes(msgspec.structs.replace(shut, sealed=sealed)) + b"\n"


def read_key_file(data: bytes, passphrase: str = "") -> PrivateKeys:
    """The private keys in a key file.

    Raises ``BadKeyFile`` (not a key file, unknown version, absurd parameters), ``WrongPassphrase``
    (wrong, missing, or an altered file), ``UnknownSuite`` or ``SuiteUnavailable``.
    """
    try:
        version = decode_json(data, _Version, KEY_FILE_BYTES).version
        if version != VERSION:
            raise BadKeyFile(f"This key file has version {version}; version {VERSION} is known.")
        found = decode_json(data, _KeyFile, KEY_FILE_BYTES)
        seeds = found.seeds or _open(found, passphrase)
        return PrivateKeys(seeds, found.did or "-", found.suite)
    except (MalformedMessage, LimitExceeded) as error:
        raise BadKeyFile("The bytes are no key file.", remedy="Restore the file from its backup.") from error


class _Version(msgspec.Struct, frozen=True):
    version: int


def _open(found: _KeyFile, passphrase: str) -> PrivateSeeds:
    lock = found.lock
    if lock is None:
        raise BadKeyFile("The key file holds no keys.")
    if not passphrase:
        raise WrongPassphrase
    if lock.n < 2 or lock.n & (lock.n - 1) or lock.r < 1 or not 1 <= lock.p <= 4 or len(lock.nonce) != 12:
        raise BadKeyFile("The key file's scrypt parameters are not usable.")
    KEY_FILE_MEMORY.check(128 * lock.n * lock.r)
    header = canonical_bytes(msgspec.structs.replace(found, sealed=b""))
    try:
        opened = AESGCM(_key(passphrase, lock)).decrypt(lock.nonce, found.sealed, header)
    except (InvalidTag, ValueError) as error:
        raise WrongPassphrase from error
    return decode_json(opened, PrivateSeeds, KEY_FILE_BYTES)


def _key(passphrase: str, lock: _Lock) -> bytes:
    try:
        secret = passphrase.encode()
    except UnicodeEncodeError as error:
        raise WrongPassphrase from error
    memory = 128 * lock.n * lock.r + 128 * lock.r * lock.p + 1024 * 1024
    return hashlib.scrypt(secret, salt=lock.salt, n=lock.n, r=lock.r, p=lock.p, dklen=32, maxmem=memory)
