"""Clients of a workspace: research platforms that the institution enrolled, by the public keys they registered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from xinglin.kernel.codec import decode_json
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import deny
from xinglin.stores.tls import write_private
from xinglin.terms.request import is_name
from xinglin.wire.errors import Refused

CLIENTS_FILE = "clients.json"
CLIENTS = Limit("clients of a workspace", 64, "clients")
KEYS = Limit("keys of a client", 8, "keys")
ALGORITHMS = {"ES384": ("EC", "P-384"), "RS384": ("RSA", "")}
"""What SMART App Launch 2.2 asks servers for, with the kind of key (and its curve) that each takes."""


class Client(msgspec.Struct, frozen=True):
    """A platform inside the workspace. ``keys``: its public JWK set. ``runs``: extracts it may read (empty: all)."""

    id: str
    name: str
    keys: tuple[dict[str, Any], ...]
    runs: tuple[str, ...] = ()


class Clients:
    """The enrolled clients, in one file of the workspace's folder."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / CLIENTS_FILE

    def every(self) -> dict[str, Client]:
        """Clients by id, as the file says now."""
        if not self._file.exists():
            return {}
        return {one.id: one for one in msgspec.json.decode(self._file.read_bytes(), type=list[Client])}

    def enrol(self, client: Client) -> None:
        """Enrol a client, or replace it; ``Refused`` with every reason why not."""
        if not is_name(client.id) or not client.name.strip():
            raise Refused(deny("workspace.client", "A client has a plain id and a name.", "Name it.").reasons)
        if not client.keys or not all(map(_is_public, client.keys)):
            words = "A client registers public keys: EC on P-384 or RSA, each with a 'kid'."
            raise Refused(deny("workspace.client_keys", words, "Hand in its JWK set, without private parts.").reasons)
        KEYS.check(len(client.keys))
        found = self.every() | {client.id: client}
        CLIENTS.check(len(found))
        self._write(found)

    def remove(self, client_id: str) -> None:
        """A client gets no token any more; again changes nothing."""
        self._write({name: one for name, one in self.every().items() if name != client_id})

    def _write(self, found: dict[str, Client]) -> None:
        write_private(self._file, msgspec.json.encode([one for _, one in sorted(found.items())]))


def keys_of(data: bytes) -> tuple[dict[str, Any], ...]:
    """The keys of a JWK set."""
    found = decode_json(data, dict)
    return tuple(found.get("keys", ()))


def _is_public(key: dict[str, Any]) -> bool:
    kind, curve = key.get("kty"), key.get("crv", "")
    fits = (kind == "EC" and curve == "P-384") or kind == "RSA"
    return bool(fits and isinstance(key.get("kid"), str) and not {"d", "p", "q", "k"} & key.keys())
