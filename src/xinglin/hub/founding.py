"""Founding a space: keys, certificate, the descriptor that everybody's trust starts from."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import msgspec

from xinglin.evidence.notes import ED25519, Signer, VerifierKey
from xinglin.evidence.policy import Cosigner, LogKey, default_policy
from xinglin.hub.settings import SETTINGS_FILE
from xinglin.kernel.codec import decode_json
from xinglin.kernel.errors import XinglinError
from xinglin.stores.tls import make_certificate, write_private
from xinglin.trust.key_file import key_file_bytes, read_key_file
from xinglin.trust.keys import PrivateKeys, did_of
from xinglin.trust.leaves import KeyRegistration, register
from xinglin.wire.policy import cosigning_key
from xinglin.wire.space import Space, WitnessCard, parse_space

KEY_FILE, SPACE_FILE, CARD_FILE, OWN_FILE = "hub.key", "space.json", "witness.json", "registration.json"


class AlreadyFounded(XinglinError):
    """The folder holds a space already; its keys are never overwritten."""

    code = "hub.already_founded"


class NotFounded(XinglinError):
    """A folder in which no space was founded."""

    code = "hub.not_founded"


def found_space(
    folder: Path,
    name: str,
    card: WitnessCard,
    *,
    hosts: tuple[str, ...] = ("127.0.0.1", "localhost"),
    address: str = "127.0.0.1",
    port: int = 8443,
    passphrase: str = "",
) -> Space:
    """Make the folder of a new space whose regulator is the ``card``'s; returns its public descriptor.

    ``hosts`` are the names and addresses that the certificate is for; the first is the hub's public one.
    """
    if (folder / KEY_FILE).exists():
        raise AlreadyFounded(f"{folder} holds a space already.", remedy="Choose another folder.")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    keys = PrivateKeys.generate()
    certificate = make_certificate(folder, hosts, dt.datetime.now(dt.UTC))
    regulator = decode_json(card.registration, KeyRegistration)
    url = f"https://{hosts[0]}:{port}"
    log_key = log_signer(name, keys).key
    seat = Cosigner(regulator.did, (cosigning_key(regulator.did, regulator.keys),), card.url)
    policy = default_policy(LogKey(log_key, url), [seat], []).to_text()
    regulator_did = did_of(regulator.keys)
    space = Space(name, url, certificate, log_key.to_text(), keys.did, regulator_did, policy)
    write_private(folder / KEY_FILE, key_file_bytes(keys, passphrase) if passphrase else key_file_bytes(keys))
    own = register(keys, f"{name} operator", ("operator",))
    (folder / OWN_FILE).write_bytes(msgspec.json.encode(own))
    (folder / CARD_FILE).write_bytes(msgspec.json.encode(card))
    (folder / SETTINGS_FILE).write_text(f'# Settings of the hub.\naddress = "{address}"\nport = {port}\n')
    (folder / SPACE_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(space), indent=2))
    return space


def founded_space(folder: Path) -> Space:
    """The descriptor of the space that was founded in ``folder``; raises ``NotFounded``."""
    try:
        return parse_space((folder / SPACE_FILE).read_bytes())
    except FileNotFoundError as error:
        raise NotFounded(
            f"{folder} holds no space.", remedy="Found one: xinglin hub init NAME --card CARD --folder FOLDER."
        ) from error


def log_signer(name: str, keys: PrivateKeys) -> Signer:
    """The log's signing key; its origin is ``xinglin.space/`` and the space's name."""
    origin = "xinglin.space/" + "".join(c if c.isalnum() or c in "-._" else "-" for c in name)
    return Signer(VerifierKey(origin, ED25519, keys.public.ed25519), keys.sign_note_ed25519)


def open_keys(folder: Path, passphrase: str = "") -> PrivateKeys:
    """The hub's keys from its folder."""
    data = (folder / KEY_FILE).read_bytes()
    return read_key_file(data, passphrase) if passphrase else read_key_file(data)
