"""Accounts: made, granted seats, reset and taken away by whoever keeps the console; never by a browser alone."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterable

import msgspec

from xinglin.console.people.errors import NoSuchPerson, PeopleTampered, PersonExists
from xinglin.console.people.model import (
    GRANTS,
    LABEL_CHARACTERS,
    NAME_CHARACTERS,
    PERSONS,
    Grant,
    Person,
    PersonRecord,
)
from xinglin.console.people.passwords import Passwords, check_password
from xinglin.console.people.seal import Seal
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.ids import new_id
from xinglin.kernel.instants import Clock
from xinglin.stores.console_people import ConsolePeople

_KIND = "person"
Change = Callable[[PersonRecord], PersonRecord]


def folded(name: str) -> str:
    """An account's name as it is compared: capitals, spaces around and ways of composing make no difference."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


class Accounts:
    """Reads and writes accounts; every read is checked against the seal, and against the column that found it."""

    def __init__(
        self,
        store: ConsolePeople,
        seal: Seal,
        passwords: Passwords,
        clock: Clock,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._store, self._seal, self._passwords = store, seal, passwords
        self._clock, self._entropy = clock, entropy

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    def add(
        self,
        name: str,
        label: str,
        password: str = "",
        grants: Iterable[Grant] = (),
        *,
        outside: tuple[str, str] = ("", ""),
        renew: bool = False,
    ) -> Person:
        """A new account; without a password it can only sign in elsewhere (``outside``: issuer and subject).

        ``renew``: the password has to be changed at the first sign-in. Raises ``PersonExists``, ``WeakPassword``,
        ``LimitExceeded``, or ``MalformedMessage`` for a name that nobody could type.
        """
        _check_name(name, label)
        if password:
            check_password(password, name=name)
        now = self._clock()
        record = PersonRecord(
            id=new_id("person", self._entropy),
            name=name.strip(),
            label=label.strip() or name.strip(),
            grants=_granted(grants),
            password=self._passwords.hash(password) if password else "",
            outside=outside,
            renew=renew and bool(password),
            made=now,
            changed=now,
        )
        digest = self._outside(outside)
        with self._store.alone() as work:
            PERSONS.check(work.count() + 1)
            if digest and work.held_outside(digest):
                raise PersonExists("Another account is bound to that subject.", remedy="Choose another.")
            if not work.add(record.id, folded(name), digest, self._sealed(record)):
                raise PersonExists(f"There is an account named {name.strip()!r}.", remedy="Choose another name.")
        return record.person()

    def everybody(self) -> tuple[PersonRecord, ...]:
        """Every account, by name."""
        return tuple(self._opened(found, value) for found, value in self._store.persons())

    def named(self, name: str) -> PersonRecord | None:
        """The account of a name, or None."""
        found = self._store.named(folded(name))
        if found is None:
            return None
        record = self._opened(*found)
        if folded(record.name) != folded(name):
            raise _moved()
        return record

    def needed(self, name: str) -> PersonRecord:
        """The account of a name; raises ``NoSuchPerson``."""
        record = self.named(name)
        if record is None:
            raise NoSuchPerson(f"There is no account named {name!r}.", remedy="`account list` shows them.")
        return record

    def held(self, person_id: str) -> PersonRecord | None:
        """The account of an id, or None."""
        value = self._store.person(person_id)
        return self._opened(person_id, value) if value is not None else None

    def bound(self, issuer: str, subject: str) -> PersonRecord | None:
        """The account that is bound to a subject at an institution's sign-in, or None."""
        found = self._store.outside(self._outside((issuer, subject)))
        if found is None:
            return None
        record = self._opened(*found)
        if record.outside != (issuer, subject):
            raise _moved()
        return record

    def change(self, person_id: str, change: Change, *, end_sessions: bool = False, kept: bytes = b"") -> PersonRecord:
        """A record read, changed and written with nobody between; what ``change`` raises leaves it as it was.

        ``end_sessions``: every session but ``kept`` (a token's digest) ends with it. Raises ``NoSuchPerson``.
        """
        with self._store.alone() as work:
            value = work.person(person_id)
            if value is None:
                raise NoSuchPerson("The account is gone.")
            before = self._opened(person_id, value)
            after = msgspec.structs.replace(change(before), changed=self._clock())
            digest = self._outside(after.outside)
            if after.outside != before.outside and set(work.held_outside(digest)) - {person_id}:
                raise PersonExists("Another account is bound to that subject.", remedy="Choose another.")
            work.put(person_id, digest, self._sealed(after))
            if end_sessions:
                work.end_all(person_id, kept)
        return after

    def grant(self, name: str, *grants: Grant) -> PersonRecord:
        """More seats for an account."""
        return self.change(
            self.needed(name).id, lambda one: msgspec.structs.replace(one, grants=_granted((*one.grants, *grants)))
        )

    def withdraw(self, name: str, seat: str, subject: str | None = None) -> PersonRecord:
        """Take a seat away, at once; ``subject`` None: for whomever it was."""
        person_id = self.needed(name).id
        return self.change(
            person_id,
            lambda one: msgspec.structs.replace(
                one,
                grants=tuple(held for held in one.grants if held.seat != seat or subject not in (None, held.subject)),
            ),
            end_sessions=True,
        )

    def bind(self, name: str, issuer: str, subject: str) -> PersonRecord:
        """Let an account sign in at an institution: the subject there is this person."""
        return self.change(self.needed(name).id, lambda one: msgspec.structs.replace(one, outside=(issuer, subject)))

    def remove(self, name: str) -> None:
        """Take an account away; its sessions end at once."""
        person_id = self.needed(name).id
        self._store.do(lambda work: work.drop(person_id))

    def reset(self, name: str, password: str, *, renew: bool = True) -> PersonRecord:
        """A new password; second factors are taken away and every session ends."""
        record = self.needed(name)
        check_password(password, name=record.name)
        kept = self._passwords.hash(password)
        return self.change(
            record.id,
            lambda one: msgspec.structs.replace(
                one, password=kept, totp_secret=b"", totp_step=0, recovery=(), passkeys=(), renew=renew
            ),
            end_sessions=True,
        )

    def rehash(self, record: PersonRecord, password: str) -> None:
        """Keep a password under today's parameters, unless it was changed meanwhile."""
        kept = self._passwords.hash(password)
        self.change(
            record.id,
            lambda one: msgspec.structs.replace(one, password=kept) if one.password == record.password else one,
        )

    def _sealed(self, record: PersonRecord) -> bytes:
        return self._seal.seal(_KIND, record.id.encode(), record)

    def _opened(self, person_id: str, value: bytes) -> PersonRecord:
        record = self._seal.open(PersonRecord, _KIND, person_id.encode(), value)
        if record.id != person_id:
            raise _moved()
        return record

    def _outside(self, outside: tuple[str, str]) -> str:
        return self._seal.digest("outside", *outside).hex() if all(outside) else ""


def _granted(grants: Iterable[Grant]) -> tuple[Grant, ...]:
    """Grants without repetitions, in the order given."""
    found = tuple(dict.fromkeys(grants))
    GRANTS.check(len(found))
    return found


def _check_name(name: str, label: str) -> None:
    typed = name.strip()
    NAME_CHARACTERS.check(len(typed))
    LABEL_CHARACTERS.check(len(label))
    if not typed or not all(one.isprintable() for one in typed + label):
        raise MalformedMessage("That is no name for an account.", remedy="Use letters, digits, '.', '-' or '@'.")


def _moved() -> PeopleTampered:
    return PeopleTampered("A stored account stands where another was.", remedy="Restore people.db from a backup.")
