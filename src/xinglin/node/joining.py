"""Joining a space: keys made here, an invite used up, the descriptor kept."""

from __future__ import annotations

import os
from pathlib import Path

import httpx
import msgspec

from xinglin.kernel.canonical import canonical_digest
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import system_clock
from xinglin.node.settings import SETTINGS_FILE, NodeSettings, node_settings
from xinglin.stores.tls import client_context, write_private
from xinglin.trust.key_file import key_file_bytes, read_key_file
from xinglin.trust.keys import PrivateKeys
from xinglin.trust.leaves import register
from xinglin.wire.calls import EnrolCall, Enrolled
from xinglin.wire.errors import Problem, Refused
from xinglin.wire.space import Invite, Space, parse_invite, parse_space

KEY_FILE, SPACE_FILE, CREDENTIAL_FILE, SALT_FILE = "node.key", "space.json", "membership.json", "persons.salt"


class CannotJoin(XinglinError):
    """An invite that is not for a hospital, is too old, or a folder that belongs to another node."""

    code = "node.cannot_join"


class NotJoined(XinglinError):
    """A folder in which no node has joined a space."""

    code = "node.not_joined"


class Joined(msgspec.Struct, frozen=True):
    """A hospital that joined: what both sides compare by telephone."""

    did: str
    space: Space

    @property
    def digest(self) -> str:
        """Digest of the space's descriptor."""
        return canonical_digest(self.space)


def invite_for_hospital(text: str) -> Invite:
    """The invite, if a hospital can join by it now; raises ``MalformedMessage`` or ``CannotJoin``."""
    found = parse_invite(text)
    if found.role != "provider":
        raise CannotJoin(f"This invite is for a {found.role}.", remedy="Ask the operator for a provider's invite.")
    if found.expires < system_clock():
        raise CannotJoin("This invite is too old.", remedy="Ask the operator for a new one.")
    return found


def join_and_keep(
    invite: str, folder: Path, name: str, *, proxy: str = "", ca_file: str = "", passphrase: str = ""
) -> Joined:
    """Join, and keep how the hub is reached in ``node.toml``; raises as ``join_space``."""
    given = {key: value for key, value in (("proxy", proxy), ("ca_file", ca_file)) if value}
    did = join_space(invite, folder, name, node_settings(folder, given).settings, passphrase)
    if given:
        with (folder / SETTINGS_FILE).open("a", encoding="utf-8") as file:
            file.writelines(f"{key} = {msgspec.json.encode(value).decode()}\n" for key, value in given.items())
    return Joined(did, joined_space(folder))


def join_space(invite: str, folder: Path, name: str, settings: NodeSettings, passphrase: str = "") -> str:
    """Join with an invite; the node's DID. Raises ``CannotJoin`` or ``Refused`` with the hub's reasons.

    The keys are kept when the hub refuses, so that the next invite registers the same hospital.
    """
    found = invite_for_hospital(invite)
    if (folder / SPACE_FILE).exists():
        raise CannotJoin(f"{folder} has joined already.", remedy="Start it: xinglin node run --folder FOLDER.")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    keys = _keys_in(folder, passphrase)
    registration = msgspec.json.encode(register(keys, name, ("provider", "witness")))
    enrolled = _enrol(found, registration, settings)
    (folder / CREDENTIAL_FILE).write_bytes(msgspec.json.encode(enrolled))
    write_private(folder / SALT_FILE, os.urandom(32))
    if not (folder / SETTINGS_FILE).exists():
        (folder / SETTINGS_FILE).write_text("# Settings of the node; 'xinglin settings node' lists them all.\n")
    (folder / SPACE_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(found.space), indent=2))
    return keys.did


def joined_space(folder: Path) -> Space:
    """The descriptor of the space that the node of ``folder`` belongs to; raises ``NotJoined``."""
    try:
        return parse_space((folder / SPACE_FILE).read_bytes())
    except FileNotFoundError as error:
        raise NotJoined(
            f"{folder} holds no node.", remedy="Join first: xinglin node join INVITE --folder FOLDER."
        ) from error


def open_node_keys(folder: Path, passphrase: str = "") -> PrivateKeys:
    """The node's keys from its folder."""
    data = (folder / KEY_FILE).read_bytes()
    return read_key_file(data, passphrase) if passphrase else read_key_file(data)


def _keys_in(folder: Path, passphrase: str) -> PrivateKeys:
    if (folder / KEY_FILE).exists():
        return open_node_keys(folder, passphrase)
    keys = PrivateKeys.generate()
    write_private(folder / KEY_FILE, key_file_bytes(keys, passphrase) if passphrase else key_file_bytes(keys))
    return keys


def _enrol(invite: Invite, registration: bytes, settings: NodeSettings) -> Enrolled:
    ca = Path(settings.ca_file) if settings.ca_file else None
    context = client_context(invite.space.certificate_pem, ca)
    call = msgspec.json.encode(EnrolCall(invite.secret, registration))
    try:
        with httpx.Client(verify=context, timeout=30, proxy=settings.proxy or None, trust_env=False) as client:
            answer = client.post(invite.space.hub_url + "/v1/enrol", content=call)
    except httpx.HTTPError as error:
        raise CannotJoin(
            f"The hub at {invite.space.hub_url} cannot be reached ({type(error).__name__}).",
            remedy="Check the network, and 'proxy' and 'ca_file' in the settings.",
        ) from error
    if answer.status_code != 200:
        raise Refused(msgspec.json.decode(answer.content, type=Problem).reasons, status=answer.status_code)
    return msgspec.json.decode(answer.content, type=Enrolled)
