"""A visit: one request of one person in one seat, as screens see it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec

from xinglin.console.errors import BadField, NotThere
from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit

if TYPE_CHECKING:
    from xinglin.console.people.model import Person, Session
    from xinglin.console.people.service import People
    from xinglin.console.seats import Seat
    from xinglin.console.settings import ConsoleSettings
    from xinglin.words import Words

FIELD_CHARACTERS = Limit("text of one field", 100_000, "characters")
_HERE_CHARACTERS = 1_000
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]")
FORM_FIELDS = Limit("fields of a form", 2_000, "fields")


class Visit:
    """What a screen is handed; made anew for each request. ``session`` is None for whoever is not signed in.

    ``path``: as the browser wrote it, quoted.
    """

    def __init__(
        self,
        *,
        path: str,
        query: Mapping[str, str],
        words: Words,
        theme: str,
        now: Instant,
        settings: ConsoleSettings,
        people: People,
        seats: Mapping[str, Seat],
        session: Session | None = None,
        token: str = "",
        calls: Any = None,
        address: str = "",
        headers: Mapping[str, str] | None = None,
        public: Any = None,
    ) -> None:
        self.path, self.query, self.words, self.theme, self.now = path, query, words, theme, now
        self.settings, self.people, self.seats = settings, people, seats
        self.session, self.token, self.address = session, token, address
        self.headers = headers or {}
        self._calls = calls
        self.public = public
        """What everybody may ask: ``calls.public.PublicCalls``."""
        self.nav: tuple[Any, ...] = ()
        self._shown: dict[str, str] = {}

    @property
    def person(self) -> Person | None:
        """Who is signed in."""
        return self.session.person if self.session is not None else None

    @cached_property
    def seat(self) -> Seat | None:
        """Where they sit now."""
        return self.seats.get(self.session.seat) if self.session is not None else None

    @property
    def role(self) -> str:
        """The role of the seat; empty for whoever is not signed in."""
        return self.seat.role if self.seat is not None else ""

    @property
    def subject(self) -> str:
        """A patient's person id in the hospital's index; empty in any other seat."""
        return self.session.subject if self.session is not None else ""

    @cached_property
    def csrf(self) -> str:
        """What a form of this session has to carry; a browser in which nobody is signed in may have one too."""
        return self.people.csrf(self.token) if self.token else ""

    @property
    def by(self) -> str:
        """Who acts, as it is handed over and kept: the account's name, of which there is one, not what others read."""
        return self.person.name if self.person is not None else ""

    def named(self, by: str) -> str:
        """Who acted, as it is shown: what others read, with the account's name; what was kept where there is none.

        A patient is told the label alone: what somebody signs in with is not theirs to know.
        """
        if by not in self._shown:
            found = self.people.accounts.named(by) if by else None
            whole = f"{found.label} ({found.name})" if found is not None and found.label != by else by
            self._shown[by] = found.label if found is not None and self.role == "patient" else whole
        return self._shown[by]

    @property
    def here(self) -> str:
        """The path with its query, to come back to; without where that is long."""
        whole = f"{self.path}?{urlencode(self.query)}" if self.query else self.path
        return whole if len(whole) <= _HERE_CHARACTERS else self.path

    @property
    def calls(self) -> Any:
        """What the seat may ask: the class of ``calls.<role>``. Raises ``NotThere`` where nobody sits."""
        if self._calls is None:
            raise NotThere("Nobody sits here.", remedy="Sign in, and take a seat.")
        return self._calls

    def number(self, name: str, default: int, *, least: int = 0, most: int = 1_000_000_000) -> int:
        """A whole number of the address, or the default where it is none or out of range."""
        text = self.query.get(name, "")
        if not (text.isascii() and text.isdigit() and len(text) <= len(str(most))):
            return default
        return int(text) if least <= int(text) <= most else default


class Form:
    """Fields of a form that was posted; texts are at most ``FIELD_CHARACTERS`` long, without control characters."""

    def __init__(self, fields: Mapping[str, Sequence[str]]) -> None:
        FORM_FIELDS.check(sum(len(values) for values in fields.values()))
        for values in fields.values():
            for value in values:
                FIELD_CHARACTERS.check(len(value))
        self._fields = fields

    def kept(self) -> str:
        """All fields but the session's token as one text, to be handed in again; empty where that is too long."""
        text = msgspec.json.encode({key: list(one) for key, one in self._fields.items() if key != "csrf"}).decode()
        return text if len(text) <= FIELD_CHARACTERS.value else ""

    @staticmethod
    def fields_kept(text: str) -> tuple[tuple[str, str], ...]:
        """Names and values of such a text; raises ``BadField``."""
        try:
            found = msgspec.json.decode(text, type=dict[str, list[str]])
        except msgspec.DecodeError as error:
            raise BadField("kept", "The form that was kept cannot be read.", remedy="Fill it in again.") from error
        return tuple((name, value) for name, values in found.items() for value in values if name != "csrf")

    def text(self, name: str, default: str = "") -> str:
        """A field, trimmed; line ends are ``\\n``."""
        values = self._fields.get(name)
        return _readable(name, values[0]).replace("\r\n", "\n").strip() if values else default

    def needed(self, name: str) -> str:
        """A field that has to say something; raises ``BadField``."""
        found = self.text(name)
        if not found:
            raise BadField(name, f"{name!r} is empty.", remedy="Fill it in.")
        return found

    def secret(self, name: str) -> str:
        """A field as it was typed, such as a password."""
        values = self._fields.get(name)
        return values[0] if values else ""

    def many(self, name: str) -> tuple[str, ...]:
        """Every value of a field that may come more than once."""
        return tuple(_readable(name, value).strip() for value in self._fields.get(name, ()) if value.strip())

    def ticked(self, name: str) -> bool:
        """Whether a box was ticked."""
        return self.text(name) in ("on", "yes", "true", "1")

    def whole(self, name: str, default: int = 0) -> int:
        """A whole number; raises ``BadField`` for anything else."""
        text = self.text(name)
        if not text:
            return default
        try:
            return int(text)
        except ValueError as error:
            raise BadField(name, f"{text[:40]!r} is no whole number.", remedy="Write digits.") from error

    def names(self) -> tuple[str, ...]:
        """Names of the fields."""
        return tuple(self._fields)


def _readable(name: str, value: str) -> str:
    """A text without control characters other than line ends and tabs: elsewhere they hide what is written."""
    if _CONTROL.search(value):
        raise BadField(name, f"{name!r} holds a control character.", remedy="Type it again.")
    return value
