"""Joining a space as an account: an invite used up, keys made and registered, the descriptor kept."""

from __future__ import annotations

from pathlib import Path

import msgspec

from xinglin.kernel.instants import system_clock
from xinglin.sdk.account import CREDENTIAL_FILE, SPACE_FILE, Account, NoAccount, keys_in
from xinglin.sdk.client import post_open
from xinglin.trust.leaves import register
from xinglin.wire.calls import EnrolCall, Enrolled
from xinglin.wire.space import Invite, parse_invite

_ROLES = {"consumer": ("consumer",), "service": ("service",)}


def enrol(invite: str | Invite, folder: Path | str, name: str, passphrase: str = "") -> Account:
    """Use up an invite: make keys in ``folder``, register them, and keep the membership credential.

    Raises ``Refused`` with the hub's reasons; then the folder keeps the keys, and a new invite can be used.
    """
    found = parse_invite(invite) if isinstance(invite, str) else invite
    if found.role not in _ROLES:
        raise NoAccount(f"This invite is for a {found.role}.", remedy="A hospital joins with: xinglin node join.")
    if found.expires < system_clock():
        raise NoAccount("This invite is too old.", remedy="Ask the operator for a new one.")
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    keys = keys_in(place, passphrase)
    registration = msgspec.json.encode(register(keys, name, _ROLES[found.role]))
    enrolled = post_open(found.space, "/v1/enrol", EnrolCall(found.secret, registration), Enrolled)
    (place / CREDENTIAL_FILE).write_bytes(msgspec.json.encode(enrolled))
    (place / SPACE_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(found.space), indent=2))
    return Account(found.space, keys, place)
