"""An account: a folder with the space's descriptor, the owner's keys and credential."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from xinglin.kernel.errors import XinglinError
from xinglin.stores.tls import write_private
from xinglin.trust.key_file import key_file_bytes, read_key_file
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.space import Space, parse_space

SPACE_FILE, KEY_FILE, CREDENTIAL_FILE = "space.json", "account.key", "membership.json"


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


def keys_in(place: Path, passphrase: str = "") -> PrivateKeys:
    """The keys in a folder, made there if it has none."""
    file = place / KEY_FILE
    if file.exists():
        data = file.read_bytes()
        return read_key_file(data, passphrase) if passphrase else read_key_file(data)
    keys = PrivateKeys.generate(os.urandom)
    write_private(file, key_file_bytes(keys, passphrase) if passphrase else key_file_bytes(keys))
    return keys
