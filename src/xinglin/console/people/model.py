"""People, sessions and steps as the rest of the console sees them, and the records that are kept of them.

Records are stored sealed, with a version: fields are added at the end with a default, never renamed or taken away.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit

VERSION = 1
"""Of the records; a newer one is refused."""

PERSONS = Limit("accounts of one console", 10_000, "accounts")
GRANTS = Limit("seats of one person", 64, "seats")
PASSKEYS = Limit("passkeys of one person", 10, "passkeys")
SESSIONS = Limit("sessions of one person", 10, "sessions")
WAITING = Limit("sign-in forms of which something is kept", 20_000, "forms")
NAME_CHARACTERS = Limit("name of an account", 64, "characters")
LABEL_CHARACTERS = Limit("label of an account", 120, "characters")
SAID_CHARACTERS = Limit("message after a deed", 2_000, "characters")

THEMES = ("auto", "light", "dark")
TOTP, PASSKEY = "totp", "passkey"


class Grant(msgspec.Struct, frozen=True):
    """A seat that a person may take; ``subject``: of a patient's seat, the person id in the hospital's index."""

    seat: str
    subject: str = ""


class Person(msgspec.Struct, frozen=True):
    """Who is signed in. ``name`` is typed at the sign-in, ``label`` is what others read."""

    id: str
    name: str
    label: str
    grants: tuple[Grant, ...]
    language: str = ""
    theme: str = "auto"
    second_factor: str = ""


class Session(msgspec.Struct, frozen=True):
    """One browser of one person. ``since``, ``seen`` and ``proved`` (when they last proved who they are) are ms."""

    person: Person
    seat: str
    subject: str
    csrf: str
    since: Instant
    seen: Instant
    proved: Instant = 0
    key: str = ""
    """Names the session in lists; nobody can sign in with it."""


class Step(msgspec.Struct, frozen=True):
    """Where a sign-in stands.

    ``token``: the new cookie, whenever something was proved. ``code`` of a refusal: ``wrong``, ``wait``, ``over`` (the
    form is too old), ``no_seat``, ``unknown_here`` (of an institution's sign-in) or ``passkey``. ``wait_s``: how long
    nobody is heard. ``return_to``: where to go on, a path of this console.
    """

    kind: Literal["done", "needs_totp", "needs_passkey", "refused"]
    token: str = ""
    code: str = ""
    wait_s: int = 0
    return_to: str = ""


class SessionLine(msgspec.Struct, frozen=True):
    """A session in its person's list; ``here``: it is the one that asks."""

    key: str
    seat: str
    address: str
    since: Instant
    seen: Instant
    here: bool = False


class PasskeyRecord(msgspec.Struct, frozen=True):
    """A passkey: its public key (COSE) and how often its authenticator says that it signed."""

    id: bytes
    public_key: bytes
    sign_count: int
    label: str
    made: Instant
    used: Instant = 0


class PersonRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that is kept of a person.

    ``password``: argon2id, empty where they sign in elsewhere. ``totp_secret`` counts from the first code that was
    right; ``totp_step`` is the last one used. ``recovery``: keyed digests of codes not used yet. ``outside``: issuer
    and subject at an institution's sign-in. ``renew``: the password was set by somebody else.
    """

    id: str
    name: str
    label: str
    grants: tuple[Grant, ...] = ()
    password: str = ""
    totp_secret: bytes = b""
    totp_step: int = 0
    recovery: tuple[bytes, ...] = ()
    passkeys: tuple[PasskeyRecord, ...] = ()
    outside: tuple[str, str] = ("", "")
    language: str = ""
    theme: str = "auto"
    renew: bool = False
    made: Instant = 0
    changed: Instant = 0
    version: int = VERSION

    @property
    def second_factor(self) -> str:
        """What the second step of a sign-in asks for; empty for none."""
        return PASSKEY if self.passkeys else TOTP if self.totp_secret else ""

    def person(self) -> Person:
        """What others may see of it."""
        return Person(self.id, self.name, self.label, self.grants, self.language, self.theme, self.second_factor)


class SessionRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that is kept of a browser, under the digest of its token.

    ``stage``: ``before`` (a sign-in form), ``half`` (a second factor is awaited), ``in``, or ``used`` (a form with
    which somebody came in). ``pending``: a TOTP secret that no code has proved yet. ``asked``: how many questions, to a
    passkey or an institution, were answered.
    """

    stage: Literal["before", "half", "in", "used"]
    csrf: str
    since: Instant
    seen: Instant
    person: str = ""
    seat: str = ""
    subject: str = ""
    address: str = ""
    proved: Instant = 0
    language: str = ""
    theme: str = ""
    said: str = ""
    pending: bytes = b""
    return_to: str = ""
    version: int = VERSION
    asked: int = 0
