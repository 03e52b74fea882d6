"""Joining a space: keys made here, an invite used up, the descriptor kept."""

from __future__ import annotations

import os
import ssl
import tomllib
from collections.abc import Mapping
from pathlib import Path

import httpx
import msgspec

from xinglin.kernel.canonical import canonical_digest
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import system_clock
from xinglin.node.settings import SETTINGS_FILE, NodeSettings, node_settings
from xinglin.stores.http_answers import UnfitAnswer, read_answer
from xinglin.stores.log_fetch import UnsafeUrl, check_url
from xinglin.stores.tls import client_context, write_private
from xinglin.trust.key_file import key_file_bytes, read_key_file
from xinglin.trust.keys import PrivateKeys
from xinglin.trust.leaves import register
from xinglin.wire.calls import ENROL_BYTES, EnrolCall, Enrolled
from xinglin.wire.errors import Problem, Refused
from xinglin.wire.space import Invite, Space, parse_invite, parse_space

KEY_FILE, SPACE_FILE, CREDENTIAL_FILE, SALT_FILE = "node.key", "space.json", "membership.json", "persons.salt"
BEGUN_FILE = "space.json.begun"
"""The descriptor of the space that is being joined: what is left to do after a crash is told by it."""
_MADE = (KEY_FILE, CREDENTIAL_FILE, SALT_FILE, SETTINGS_FILE, BEGUN_FILE)
LEFT_BEHIND = frozenset({*_MADE, *(f"{name}.new" for name in _MADE)})
"""Names that a joining leaves in the folder which was refused, or broken off by a crash."""


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
    try:
        check_url(found.space.hub_url, plain_loopback=True)
    except (UnsafeUrl, ValueError) as error:
        what = "The hub that this invite names is not at an https address."
        raise CannotJoin(what, remedy="Ask the operator for an invite that names one.") from error
    return found


def join_and_keep(
    invite: str, folder: Path, name: str, *, proxy: str = "", ca_file: str = "", passphrase: str = ""
) -> Joined:
    """Join, and keep how the hub is reached in ``node.toml``; raises as ``join_space``."""
    given = {key: value for key, value in (("proxy", proxy), ("ca_file", ca_file)) if value}
    did = join_space(invite, folder, name, node_settings(folder, given).settings, passphrase)
    _keep_settings(folder, given)
    return Joined(did, joined_space(folder))


def _keep_settings(folder: Path, given: Mapping[str, str]) -> None:
    """Write down what ``node.toml`` does not say yet; what stands there stays."""
    path = folder / SETTINGS_FILE
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    said = tomllib.loads(text)
    lines = [f"{key} = {msgspec.json.encode(value).decode()}" for key, value in given.items() if key not in said]
    if lines:
        # At the top: what stands below the head of a table would belong to that table.
        whole = "\n".join((*lines, text))
        write_private(path, whole.encode(), mode=path.stat().st_mode & 0o777 if path.exists() else 0o600)


def join_space(invite: str, folder: Path, name: str, settings: NodeSettings, passphrase: str = "") -> str:
    """Join with an invite; the node's DID. Raises ``CannotJoin`` or ``Refused`` with the hub's reasons.

    The keys are kept when the hub refuses, so that the next invite registers the same hospital. What a crash
    interrupted after the hub had enrolled it is brought to its end, and asks the hub nothing.
    """
    found = invite_for_hospital(invite)
    if (folder / SPACE_FILE).exists():
        raise CannotJoin(f"{folder} has joined already.", remedy="Start it: xinglin node run --folder FOLDER.")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    keys = _keys_in(folder, passphrase)
    descriptor = msgspec.json.format(msgspec.json.encode(found.space), indent=2)
    if not (folder / CREDENTIAL_FILE).exists():
        write_private(folder / BEGUN_FILE, descriptor, mode=0o644)
        enrolled = _enrol(found, msgspec.json.encode(register(keys, name, ("provider", "witness"))), settings)
        if enrolled.did != keys.did:
            raise CannotJoin("The hub enrolled another hospital than this one.", remedy="Tell the operator.")
        write_private(folder / CREDENTIAL_FILE, msgspec.json.encode(enrolled), mode=0o644)
    elif not _begun_with(folder, descriptor):
        what = "This hospital was enrolled in another space, and was interrupted before it was done."
        raise CannotJoin(what, remedy="Join with that space's invite, the one that was used or a new one.")
    if not (folder / SALT_FILE).exists():
        write_private(folder / SALT_FILE, os.urandom(32))
    if not (folder / SETTINGS_FILE).exists():
        (folder / SETTINGS_FILE).write_text("# Settings of the node; 'xinglin settings node' lists them all.\n")
    os.replace(folder / BEGUN_FILE, folder / SPACE_FILE)
    return keys.did


def _begun_with(folder: Path, descriptor: bytes) -> bool:
    """Whether the joining that was interrupted was that of the same space."""
    begun = folder / BEGUN_FILE
    return begun.exists() and begun.read_bytes() == descriptor


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
    hub = invite.space.hub_url
    call = msgspec.json.encode(EnrolCall(invite.secret, registration))
    try:
        context = client_context(invite.space.certificate_pem, Path(settings.ca_file) if settings.ca_file else None)
    except (ssl.SSLError, ValueError) as error:
        what = "The certificate of the hub, or of 'ca_file', cannot be read."
        raise CannotJoin(what, remedy="Ask the operator for a new invite; check 'ca_file' in the settings.") from error
    try:
        with httpx.Client(verify=context, timeout=30, proxy=settings.proxy or None, trust_env=False) as client:
            answer = read_answer(client, client.build_request("POST", hub + "/v1/enrol", content=call), ENROL_BYTES)
        if answer.status != 200:
            raise Refused(msgspec.json.decode(answer.content, type=Problem).reasons, status=answer.status)
        return msgspec.json.decode(answer.content, type=Enrolled)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise CannotJoin(
            f"The hub at {hub} cannot be reached ({type(error).__name__}).",
            remedy="Check the network, and 'proxy' and 'ca_file' in the settings.",
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, UnfitAnswer) as error:
        what = f"What answers at {hub} is no hub."
        raise CannotJoin(what, remedy="Ask the operator for the hub's address; a proxy may have answered.") from error
