"""Joining a space as an account: an invite used up, keys made and registered, the descriptor kept."""

from __future__ import annotations

from pathlib import Path

import msgspec

from xinglin.kernel.codec import decode_json
from xinglin.kernel.instants import system_clock
from xinglin.sdk.account import CREDENTIAL_FILE, SPACE_FILE, Account, NoAccount, keys_in
from xinglin.sdk.client import post_open
from xinglin.trust.keys import PrivateKeys, check_did
from xinglin.trust.leaves import KeyRegistration, register, vouch
from xinglin.wire.calls import EnrolCall, Enrolled
from xinglin.wire.space import Invite, parse_invite

_ROLES: dict[str, tuple[str, ...]] = {
    "consumer": ("consumer",),
    "service": ("service",),
    "person": (),
    "workspace": ("workspace",),
}


def registration_of_person(
    folder: Path | str, name: str, institution: str, role: str = "person", passphrase: str = ""
) -> bytes:
    """A person's or a workspace's registration, for their institution to vouch for; the keys are made in ``folder``.

    ``role``: ``person`` (committee members, officers, reviewers), ``consumer`` (who asks for runs) or ``workspace``, as
    the invite will say.
    """
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    registration = register(keys_in(place, passphrase), name, _ROLES[role], check_did(institution))
    return msgspec.json.encode(registration)


def vouched(registration: bytes, institution: PrivateKeys) -> bytes:
    """The registration with the voucher of ``institution``, which the person then enrols with."""
    found = decode_json(registration, KeyRegistration)
    if found.institution != institution.did:
        raise NoAccount("This person names another institution.", remedy="Ask that one.")
    return msgspec.json.encode(vouch(found, institution))


def enrol(
    invite: str | Invite, folder: Path | str, name: str, passphrase: str = "", *, registration: bytes = b""
) -> Account:
    """Use up an invite: make keys in ``folder``, register them, and keep the membership credential.

    ``registration``: of a person, vouched for by their institution (``vouched``). Raises ``Refused`` with the hub's
    reasons; then the folder keeps the keys, and a new invite can be used.
    """
    found = parse_invite(invite) if isinstance(invite, str) else invite
    if found.role not in _ROLES:
        raise NoAccount(f"This invite is for a {found.role}.", remedy="A hospital joins with: xinglin node join.")
    if found.expires < system_clock():
        raise NoAccount("This invite is too old.", remedy="Ask the operator for a new one.")
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    keys = keys_in(place, passphrase)
    if not registration:
        registration = msgspec.json.encode(register(keys, name, _ROLES[found.role]))
    enrolled = post_open(found.space, "/v1/enrol", EnrolCall(found.secret, registration), Enrolled)
    (place / CREDENTIAL_FILE).write_bytes(msgspec.json.encode(enrolled))
    (place / SPACE_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(found.space), indent=2))
    return Account(found.space, keys, place)
