"""An account: a folder with the space's descriptor, the owner's keys and credential."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import system_clock
from xinglin.stores.tls import write_private
from xinglin.trust.key_file import key_file_bytes, read_key_file
from xinglin.trust.keys import PrivateKeys
from xinglin.trust.leaves import register
from xinglin.wire.calls import EnrolCall, Enrolled
from xinglin.wire.space import Invite, Space, parse_invite, parse_space

SPACE_FILE, KEY_FILE, CREDENTIAL_FILE = "space.json", "account.key", "membership.json"
_ROLES = {"consumer": ("consumer",), "service": ("service",)}


class NoAccount(XinglinError):
    """A folder that holds no account."""

    code = "sdk.no_account"


class Account(msgspec.Struct, frozen=True):
    """Who asks: the space, and keys that sign. ``repr`` shows no key."""

    space: Space
    keys: PrivateKeys
    folder: Path

    @property
    def did(self) -> str:
        """The account's DID."""
        return self.keys.did


def open_account(folder: Path | str, passphrase: str = "") -> Account:
    """The account in ``folder``; raises ``NoAccount``, ``BadKeyFile`` or ``WrongPassphrase``."""
    place = Path(folder)
    if not (place / SPACE_FILE).exists() or not (place / KEY_FILE).exists():
        raise NoAccount(f"{place} holds no account.", remedy="Join first: xinglin join INVITE --folder FOLDER.")
    data = (place / KEY_FILE).read_bytes()
    keys = read_key_file(data, passphrase) if passphrase else read_key_file(data)
    return Account(parse_space((place / SPACE_FILE).read_bytes()), keys, place)


def enrol(invite: str | Invite, folder: Path | str, name: str, passphrase: str = "") -> Account:
    """Use up an invite: make keys in ``folder``, register them, and keep the membership credential.

    Raises ``Refused`` with the hub's reasons; then the folder keeps the keys, and a new invite can be used.
    """
    from xinglin.sdk.client import post_open

    found = parse_invite(invite) if isinstance(invite, str) else invite
    if found.role not in _ROLES:
        raise NoAccount(f"This invite is for a {found.role}.", remedy="A hospital joins with: xinglin node join.")
    if found.expires < system_clock():
        raise NoAccount("This invite is too old.", remedy="Ask the operator for a new one.")
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    keys = _keys_in(place, passphrase)
    registration = msgspec.json.encode(register(keys, name, _ROLES[found.role]))
    enrolled = post_open(found.space, "/v1/enrol", EnrolCall(found.secret, registration), Enrolled)
    (place / CREDENTIAL_FILE).write_bytes(msgspec.json.encode(enrolled))
    (place / SPACE_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(found.space), indent=2))
    return Account(found.space, keys, place)


def _keys_in(place: Path, passphrase: str) -> PrivateKeys:
    file = place / KEY_FILE
    if file.exists():
        data = file.read_bytes()
        return read_key_file(data, passphrase) if passphrase else read_key_file(data)
    keys = PrivateKeys.generate(os.urandom)
    write_private(file, key_file_bytes(keys, passphrase) if passphrase else key_file_bytes(keys))
    return keys
