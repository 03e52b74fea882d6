"""People at the console: who they are, how they sign in, which seat they take, and for how long.

A sign-in: 1 a form in a session of its own; 2 name and password, or a passkey, or the institution's sign-in; 3 the
second factor, where the account has one; 4 a new session. Each step that proved something gives a new token.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import msgspec

from xinglin.console.people.accounts import Accounts, folded
from xinglin.console.people.attempts import Attempts
from xinglin.console.people.errors import NotProved, SeatNotGranted
from xinglin.console.people.factors import Factors
from xinglin.console.people.model import (
    PASSKEY,
    SAID_CHARACTERS,
    THEMES,
    Grant,
    Person,
    PersonRecord,
    Session,
    SessionLine,
    SessionRecord,
    Step,
)
from xinglin.console.people.passwords import PASSWORD_CHARACTERS, Passwords, check_password
from xinglin.console.people.return_to import local_path
from xinglin.console.people.seal import Seal, token_digest
from xinglin.console.people.sessions import Sessions
from xinglin.kernel.instants import Clock
from xinglin.stores.console_people import ConsolePeople
from xinglin.words import LANGUAGES

FRESH_S = 10 * 60
"""How long a proof holds for changing how an account signs in."""
_RENEW_PATH = "/account/password"
_KEY_LETTERS = 16


class People:
    """The console's people. Safe from several threads; what it answers holds after a restart."""

    def __init__(
        self,
        store: ConsolePeople,
        seal: Seal,
        clock: Clock,
        entropy: Callable[[int], bytes] = os.urandom,
        passwords: Passwords | None = None,
    ) -> None:
        self._clock = clock
        self.passwords = passwords or Passwords(entropy=entropy)
        self.accounts = Accounts(store, seal, self.passwords, clock, entropy)
        self.sessions = Sessions(store, seal, clock, entropy)
        self.factors = Factors(self.accounts, seal, clock, entropy)
        self._attempts = Attempts(store, seal, clock)

    def close(self) -> None:
        """Close the database."""
        self.accounts.close()

    def session(self, token: str, *, used: bool = True) -> Session | None:
        """Who is signed in with a cookie's token, or None.

        ``used`` False: only looking; a page that asks by itself keeps nobody signed in. Raises ``PeopleTampered``
        for an account that something else wrote.
        """
        found = self.sessions.find(token, "in")
        person = self.accounts.held(found.person) if found is not None else None
        if found is None or person is None or not _may_sit(person, found):
            return None
        kept = self.sessions.seen(token, found) if used else found
        key = token_digest(token).hex()[:_KEY_LETTERS]
        return Session(person.person(), kept.seat, kept.subject, kept.csrf, kept.since, kept.seen, kept.proved, key)

    def begin(self) -> str:
        """A token for a browser in which nobody is signed in, so that its forms cannot be made by another site."""
        return self.sessions.begin()

    def csrf(self, token: str) -> str:
        """What forms of this token have to carry, signed in or not; empty where there is no such session."""
        found = self.sessions.find(token)
        return found.csrf if found is not None else ""

    def waiting(self, token: str) -> Person | None:
        """Whose second factor is awaited in this browser."""
        found = self.sessions.find(token, "half")
        person = self.accounts.held(found.person) if found is not None else None
        return person.person() if person is not None else None

    def sign_in(self, pre_token: str, name: str, password: str, *, from_: str, return_to: str = "/") -> Step:
        """Name and password. What is refused does not tell whether the account is there, nor does the time taken."""
        if self.sessions.find(pre_token) is None:
            return Step("refused", code="over")
        typed = folded(name[: PASSWORD_CHARACTERS.value])
        wait_s = self._attempts.take(typed, from_)
        if wait_s:
            return Step("refused", code="wait", wait_s=wait_s)
        person = self.accounts.named(typed)
        if not self.passwords.right(person.password if person is not None else "", password) or person is None:
            return Step("refused", code="wrong")
        self._attempts.give_back(typed, from_)
        if self.passwords.outdated(person.password):
            self.accounts.rehash(person, password)
        return self.passed(pre_token, person, from_, return_to)

    def second(self, pre_token: str, code: str) -> Step:
        """The second factor by a code: of the app, or a recovery code."""
        half = self.sessions.find(pre_token, "half")
        person = self.accounts.held(half.person) if half is not None else None
        if half is None or person is None:
            return Step("refused", code="over")
        wait_s = self._attempts.take(folded(person.name), half.address)
        if wait_s:
            return Step("refused", code="wait", wait_s=wait_s)
        if not self.factors.spend(person.id, code):
            return Step("refused", code="wrong")
        return self.enter(pre_token, person, half.address, half.return_to)

    def passed(
        self, token: str, person: PersonRecord, from_: str, return_to: str = "/", proved: int | None = None
    ) -> Step:
        """A first factor was right: on to the second, or in. ``proved``: when, if not now."""
        if not person.second_factor:
            return self.enter(token, person, from_, return_to, proved)
        now = self._clock()
        half = SessionRecord("half", "", now, now, person=person.id, address=from_, return_to=local_path(return_to))
        fresh = self.sessions.replace(token, half)
        if not fresh:
            return Step("refused", code="over")
        return Step("needs_passkey" if person.second_factor == PASSKEY else "needs_totp", fresh)

    def enter(
        self, token: str, person: PersonRecord, from_: str, return_to: str = "/", proved: int | None = None
    ) -> Step:
        """Everything was right: a new session in the first seat."""
        self._attempts.forgive(folded(person.name), from_)
        if not person.grants:
            return Step("refused", code="no_seat")
        now = self._clock()
        seat = Grant("") if person.renew else person.grants[0]
        record = SessionRecord(
            "in",
            "",
            now,
            now,
            person=person.id,
            address=from_,
            proved=now if proved is None else proved,
            seat=seat.seat,
            subject=seat.subject,
        )
        fresh = self.sessions.replace(token, record)
        if not fresh:
            return Step("refused", code="over")
        return Step("done", fresh, return_to=_RENEW_PATH if person.renew else local_path(return_to))

    def take_seat(self, token: str, seat: str, subject: str = "") -> str:
        """Sit elsewhere: the new token. Raises ``SeatNotGranted`` for a seat that the person may not take."""
        found, person = self._here(token)
        if person.renew or not any((one.seat, one.subject) == (seat, subject) for one in person.grants):
            raise SeatNotGranted("That seat is not yours to take.", remedy="Ask whoever keeps this console's accounts.")
        return self._replaced(token, msgspec.structs.replace(found, seat=seat, subject=subject))

    def sign_out(self, token: str) -> None:
        """End the session of a token."""
        self.sessions.end(token)

    def sign_out_everywhere(self, person: Person) -> None:
        """End every session of a person."""
        self.sessions.end_all(person.id)

    def sign_out_one(self, token: str, key: str) -> None:
        """End one of one's own sessions, by the key of its line."""
        _, person = self._here(token)
        for digest, _record in self.sessions.of(person):
            if digest.hex()[:_KEY_LETTERS] == key:
                self.sessions.end_digest(digest)

    def lines(self, token: str) -> tuple[SessionLine, ...]:
        """One's own sessions, most recently seen first."""
        _, person = self._here(token)
        here = token_digest(token)
        return tuple(
            SessionLine(digest.hex()[:_KEY_LETTERS], one.seat, one.address, one.since, one.seen, digest == here)
            for digest, one in self.sessions.of(person)
        )

    def prefer(self, token_or_person: str | Person, language: str = "", theme: str = "") -> None:
        """Choose language and theme, for a person from now on; empty: as it is."""
        language = language if language in LANGUAGES else ""
        theme = theme if theme in THEMES else ""
        whose = self._here(token_or_person)[1] if isinstance(token_or_person, str) else token_or_person
        if language or theme:
            self.accounts.change(
                whose.id,
                lambda one: msgspec.structs.replace(one, language=language or one.language, theme=theme or one.theme),
            )

    def say(self, token: str, text: str) -> None:
        """Keep one message for the next page of this session."""
        self.sessions.change(token, lambda one: msgspec.structs.replace(one, said=text[: SAID_CHARACTERS.value]))

    def said(self, token: str) -> str:
        """The message that was kept; told once."""
        found = self.sessions.find(token)
        if found is None or not found.said:
            return ""
        before = self.sessions.change(token, lambda one: msgspec.structs.replace(one, said=""))
        return before.said if before is not None else ""

    def fresh(self, session: Session, within_s: float) -> bool:
        """Whether the person proved who they are within so many seconds, by the best factor that they have."""
        age_ms = self._clock() - session.proved
        return session.proved > 0 and 0 <= age_ms <= within_s * 1000

    def prove(self, token: str, secret: str, *, from_: str) -> Step:
        """Prove again who acts: by a code where the account has a second factor, else by the password."""
        found, person = self._here(token)
        wait_s = self._attempts.take(folded(person.name), from_)
        if wait_s:
            return Step("refused", code="wait", wait_s=wait_s)
        if person.second_factor:
            right = self.factors.spend(person.id, secret)
        else:
            right = self.passwords.right(person.password, secret)
        return self.proved(token, found, person, from_) if right else Step("refused", code="wrong")

    def proved(self, token: str, found: SessionRecord, person: PersonRecord, from_: str) -> Step:
        """Who acts was proved just now."""
        self._attempts.forgive(folded(person.name), from_)
        return Step("done", self._replaced(token, msgspec.structs.replace(found, proved=self._clock())))

    def change_password(self, token: str, old: str, new: str, *, from_: str) -> str:
        """One's own password: the new token; every other session ends. Raises ``NotProved`` or ``WeakPassword``.

        Where the account has a second factor, the old password alone changes nothing: a fresh proof by it is needed.
        """
        found, person = self._here(token)
        if person.second_factor:
            found, person = self.proved_here(token)
        wait_s = self._attempts.take(folded(person.name), from_)
        if wait_s:
            raise NotProved("Too many wrong tries.", remedy=f"Wait {-(-wait_s // 60)} minutes.")
        if not self.passwords.right(person.password, old):
            raise NotProved("The present password is not right.", remedy="Type it again.")
        self._attempts.forgive(folded(person.name), from_)
        check_password(new, name=person.name, label=person.label)
        kept = self.passwords.hash(new)
        changed = self.accounts.change(
            person.id,
            lambda one: msgspec.structs.replace(one, password=kept, renew=False),
            end_sessions=True,
            kept=token_digest(token),
        )
        if not found.seat and changed.grants:
            first = changed.grants[0]
            found = msgspec.structs.replace(found, seat=first.seat, subject=first.subject)
        return self._replaced(token, found)

    def begin_totp(self, token: str) -> bytes:
        """A secret for an authenticator app; it counts once a code has proved it. Raises ``NotProved``."""
        found, _person = self.proved_here(token)
        if found.pending:
            return found.pending
        secret = self.factors.new_secret()
        before = self.sessions.change(token, lambda one: msgspec.structs.replace(one, pending=one.pending or secret))
        return before.pending or secret if before is not None else secret

    def confirm_totp(self, token: str, code: str) -> tuple[str, tuple[str, ...]]:
        """The first code was typed: the new token, and the recovery codes. Raises ``NotProved``."""
        found, person = self.proved_here(token)
        if not found.pending:
            raise NotProved("No secret was shown in this session.", remedy="Begin again.")
        codes = self.factors.enrol(person.id, found.pending, code)
        return self.changed_factor(token, found, person), codes

    def changed_factor(self, token: str, found: SessionRecord, person: PersonRecord) -> str:
        """How an account signs in was changed: every other session ends; the new token of this one."""
        self.sessions.end_all(person.id, kept_token=token)
        return self._replaced(token, msgspec.structs.replace(found, pending=b""))

    def proved_here(self, token: str) -> tuple[SessionRecord, PersonRecord]:
        """Session and account of whoever proved within ``FRESH_S`` who they are; raises ``NotProved``."""
        found, person = self._here(token)
        if not 0 <= self._clock() - found.proved <= FRESH_S * 1000:
            raise NotProved("This needs a fresh proof of who you are.", remedy="Prove it, then do it again.")
        return found, person

    def record_of(self, token: str) -> PersonRecord:
        """The account of whoever is signed in; for their own page alone."""
        return self._here(token)[1]

    def _here(self, token: str) -> tuple[SessionRecord, PersonRecord]:
        found = self.sessions.find(token, "in")
        person = self.accounts.held(found.person) if found is not None else None
        if found is None or person is None or not _may_sit(person, found):
            raise NotProved("Nobody is signed in.", remedy="Sign in.")
        return found, person

    def _replaced(self, token: str, record: SessionRecord) -> str:
        fresh = self.sessions.replace(token, record)
        if not fresh:
            raise NotProved("The session is over.", remedy="Sign in.")
        return fresh


def _may_sit(person: PersonRecord, found: SessionRecord) -> bool:
    """No seat is anybody's, for as long as the password has to be changed."""
    if person.renew or not found.seat:
        return not found.seat
    return any((one.seat, one.subject) == (found.seat, found.subject) for one in person.grants)
