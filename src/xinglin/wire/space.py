"""What a newcomer must know of a space, and the invite that admits one participant once."""

from __future__ import annotations

import base64

import msgspec

from xinglin.kernel.canonical import canonical_bytes
from xinglin.kernel.codec import decode_json
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit

SPACE_BYTES = Limit("space descriptor size", 64 * 1024, "bytes")
_INVITE_PREFIX = "xinglin-invite-1."


class Space(msgspec.Struct, frozen=True):
    """The public facts that root a participant's trust; handed over with the invite.

    ``certificate_pem`` admits to the hub's port and proves nothing else. ``log_vkey`` (C2SP vkey)
    checks checkpoints; ``founders`` are the self-certifying DIDs of operator and regulator;
    ``policy`` is the first witness policy (tlog-policy text).
    """

    name: str
    hub_url: str
    certificate_pem: str
    log_vkey: str
    operator: str
    regulator: str
    policy: str
    version: int = 1

    @property
    def origin(self) -> str:
        """The log's origin line: the name in its vkey."""
        return self.log_vkey.split("+", 1)[0]

    @property
    def founders(self) -> dict[str, str]:
        """Role to DID of the two founding participants."""
        return {"operator": self.operator, "regulator": self.regulator}


class WitnessCard(msgspec.Struct, frozen=True):
    """What the regulator hands to whoever founds the space: its self-signed registration and its witness's URL."""

    registration: bytes
    url: str
    version: int = 1


class Invite(msgspec.Struct, frozen=True):
    """Admits one participant of ``role`` once, before ``expires``. The hub keeps only the secret's digest."""

    space: Space
    role: str
    secret: str
    expires: Instant
    version: int = 1

    def text(self) -> str:
        """One line to hand over by a trusted path."""
        packed = base64.urlsafe_b64encode(canonical_bytes(self)).decode().rstrip("=")
        return _INVITE_PREFIX + packed


def parse_invite(text: str) -> Invite:
    """The invite that ``text`` holds; ``MalformedMessage`` for anything else."""
    text = text.strip()
    if not text.startswith(_INVITE_PREFIX):
        raise MalformedMessage("This is not an invite.", remedy="Ask the operator for a new one.")
    packed = text[len(_INVITE_PREFIX) :]
    SPACE_BYTES.check(len(packed))
    try:
        data = base64.b64decode(packed + "=" * (-len(packed) % 4), altchars=b"-_", validate=True)
    except ValueError as error:
        raise MalformedMessage("The invite is damaged.", remedy="Copy the whole line again.") from error
    return _versioned(decode_json(data, Invite, SPACE_BYTES))


def parse_space(data: bytes) -> Space:
    """The space descriptor in ``data`` (JSON)."""
    space = decode_json(data, Space, SPACE_BYTES)
    if space.version != 1:
        raise MalformedMessage("This descriptor was written by a newer version.", remedy="Update the package.")
    return space


def _versioned(invite: Invite) -> Invite:
    if invite.version != 1 or invite.space.version != 1:
        raise MalformedMessage("This invite was written by a newer version.", remedy="Update the package.")
    return invite
