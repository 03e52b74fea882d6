"""Key-encrypting keys of the raw store: drawn by the node, sealed under its own keys, changed without rewriting.

``raw-keys.sealed`` in the node's folder holds the ring: one current key, and old ones until everything is
rewrapped. Version 1; append-only.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from xinglin.intake.ports import KEK_BYTES, Kek, KeyRing
from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.ids import new_id
from xinglin.node.vault import Vault
from xinglin.stores.tls import write_private

KEYS_FILE = "raw-keys.sealed"


class _Ring(msgspec.Struct, frozen=True):
    """As it is sealed: the current key first."""

    keys: tuple[tuple[str, bytes], ...]
    format: int = 1


def open_ring(folder: Path, vault: Vault) -> KeyRing:
    """The node's ring, drawn at the first call. Raises ``CannotOpen`` under other node keys."""
    path = folder / KEYS_FILE
    try:
        sealed = path.read_bytes()
    except FileNotFoundError:
        ring = KeyRing(_drawn())
        _write(path, ring, vault)
        return ring
    keys = [Kek(name, key) for name, key in decode_msgpack(vault.open(sealed), _Ring).keys]
    return KeyRing(keys[0], tuple(keys[1:]))


def add_key(folder: Path, vault: Vault) -> KeyRing:
    """A fresh current key; the one before stays readable. Durable before it is used."""
    before = open_ring(folder, vault)
    ring = KeyRing(_drawn(), (before.current, *before.old))
    _write(folder / KEYS_FILE, ring, vault)
    return ring


def drop_old_keys(folder: Path, vault: Vault) -> KeyRing:
    """The current key alone; called once everything is rewrapped under it."""
    ring = KeyRing(open_ring(folder, vault).current)
    _write(folder / KEYS_FILE, ring, vault)
    return ring


def _drawn() -> Kek:
    return Kek(new_id("kek"), os.urandom(KEK_BYTES))


def _write(path: Path, ring: KeyRing, vault: Vault) -> None:
    keys = tuple((kek.id, kek.key) for kek in (ring.current, *ring.old))
    write_private(path, vault.seal(encode_msgpack(_Ring(keys))))
