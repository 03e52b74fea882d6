"""The witness's folder: keys, certificate and card; later the descriptor of the space whose log it follows."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import msgspec

from xinglin.kernel.codec import decode_json
from xinglin.kernel.errors import XinglinError
from xinglin.stores.settings_file import settings_file_text
from xinglin.stores.tls import make_certificate, write_private
from xinglin.trust.key_file import key_file_bytes, read_key_file
from xinglin.trust.keys import PrivateKeys
from xinglin.trust.leaves import register
from xinglin.wire.space import Space, WitnessCard, parse_space
from xinglin.witness.settings import SETTINGS_FILE, WitnessSettings

KEY_FILE, CARD_FILE, SPACE_FILE, REPLICA_FILE = "witness.key", "card.json", "space.json", "replica.db"


class AlreadyAWitness(XinglinError):
    """The folder holds a witness's keys already; they are never overwritten."""

    code = "witness.exists"


class NotFollowing(XinglinError):
    """The witness was not told which space's log it follows."""

    code = "witness.not_following"


class OtherSpace(XinglinError):
    """A descriptor of another space than the one this witness belongs to."""

    code = "witness.other_space"


def found_witness(
    folder: Path,
    name: str,
    *,
    url: str = "",
    hosts: tuple[str, ...] = ("127.0.0.1", "localhost"),
    roles: tuple[str, ...] = ("regulator", "witness"),
    settings: WitnessSettings | None = None,
    passphrase: str = "",
) -> WitnessCard:
    """Make keys, a TLS certificate for ``hosts`` and settings in ``folder``; the card goes to the space's founder.

    ``url`` is where the hub reaches this witness (default: HTTPS at the first of ``hosts``).
    Raises ``AlreadyAWitness``.
    """
    if (folder / KEY_FILE).exists():
        raise AlreadyAWitness(f"{folder} holds a witness already.", remedy="Choose another folder.")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings = settings or WitnessSettings()
    scheme = "http" if settings.plain_http else "https"
    keys = PrivateKeys.generate()
    make_certificate(folder, hosts, dt.datetime.now(dt.UTC))
    registration = msgspec.json.encode(register(keys, name, roles))
    card = WitnessCard(registration, url or f"{scheme}://{hosts[0]}:{settings.port}")
    (folder / SETTINGS_FILE).write_text(settings_file_text(settings, heading="Settings of the witness."))
    (folder / CARD_FILE).write_bytes(msgspec.json.encode(card))
    write_private(folder / KEY_FILE, key_file_bytes(keys, passphrase))
    return card


def follow_space(folder: Path, space: Space, passphrase: str = "") -> None:
    """Keep the descriptor of the space whose log this witness follows; once, or again for the same log.

    Raises ``OtherSpace`` where the folder follows another log already, or where this witness was founded as the
    regulator's and the space names another regulator.
    """
    known = folder / SPACE_FILE
    if known.exists() and parse_space(known.read_bytes()).log_vkey != space.log_vkey:
        raise OtherSpace("This witness follows another log already.", remedy="Found a witness in another folder.")
    card = decode_json((folder / CARD_FILE).read_bytes(), WitnessCard)
    roles = decode_json(card.registration, _Roles).roles
    did = open_witness_keys(folder, passphrase).did
    if "regulator" in roles and did != space.regulator:
        raise OtherSpace(
            f"The space {space.name!r} names another regulator.", remedy="Give the founder this folder's card.json."
        )
    write_private(known, msgspec.json.format(msgspec.json.encode(space), indent=2))


def followed_space(folder: Path) -> Space:
    """The space of a witness's folder; ``NotFollowing`` before ``follow_space``."""
    try:
        return parse_space((folder / SPACE_FILE).read_bytes())
    except FileNotFoundError as error:
        raise NotFollowing(
            "This witness does not know which log it follows.",
            remedy=f"Put the hub's space.json into {folder}.",
        ) from error


def open_witness_keys(folder: Path, passphrase: str = "") -> PrivateKeys:
    """The witness's keys from its folder."""
    return read_key_file((folder / KEY_FILE).read_bytes(), passphrase)


class _Roles(msgspec.Struct, frozen=True):
    roles: tuple[str, ...]
