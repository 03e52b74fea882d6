"""The console's accounts, sessions and attempts. Records are sealed before they come here: columns only find them.

Columns are declared here, and nowhere else. Tokens and names that were tried are kept as digests.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import Index, MetaData, Table, bindparam, func, select, text

from xinglin.kernel.instants import Instant
from xinglin.stores.columns import counter, number, octets, words
from xinglin.stores.database import Database, Work, sqlite_url

SCHEMA_VERSION = 1
meta = MetaData()

person = Table(
    "person", meta, words("id", key=True), words("name", unique=True), words("outside", index=True), octets("value")
)
"""One row an account; ``name`` folded, ``outside``: digest of issuer and subject, or empty."""

session = Table(
    "session",
    meta,
    octets("digest", key=True),
    words("person", index=True),
    number("seen", index=True),
    octets("value"),
)
"""One row a browser; ``person`` is empty until somebody is signed in there, ``used`` once its form has served."""

attempt = Table(
    "attempt",
    meta,
    counter("number"),
    octets("name"),
    octets("address"),
    number("at", index=True),
    Index("attempt_of_name", "name", "at"),
    Index("attempt_from", "address", "at"),
)
"""One row a try that was not right, or is not known to be yet."""

_ADD_PERSON = text(
    "INSERT INTO person (id, name, outside, value) VALUES (:id, :name, :outside, :value) ON CONFLICT DO NOTHING"
)
_PUT_PERSON = text("UPDATE person SET outside = :outside, value = :value WHERE id = :id")
_DROP_PERSON = text("DELETE FROM person WHERE id = :id")
_BY_ID = select(person.c.id, person.c.value).where(person.c.id == bindparam("key"))
_BY_NAME = select(person.c.id, person.c.value).where(person.c.name == bindparam("key"))
_BY_OUTSIDE = select(person.c.id, person.c.value).where(person.c.outside == bindparam("key"))
_ALL = select(person.c.id, person.c.value).order_by(person.c.name)
_COUNT = select(func.count().label("number")).select_from(person)

_PUT_SESSION = text(
    "INSERT INTO session (digest, person, seen, value) VALUES (:digest, :person, :seen, :value) "
    "ON CONFLICT (digest) DO UPDATE SET person = excluded.person, seen = excluded.seen, value = excluded.value"
)
_SESSION = select(session.c.value).where(session.c.digest == bindparam("key"))
_SESSIONS_OF = (
    select(session.c.digest, session.c.value).where(session.c.person == bindparam("key")).order_by(session.c.seen)
)
_DROP_SESSION = text("DELETE FROM session WHERE digest = :digest")
_DROP_SESSIONS_OF = text("DELETE FROM session WHERE person = :person AND digest <> :kept")
_DROP_OLD_SESSIONS = text("DELETE FROM session WHERE seen < :before")
_DROP_FORMS = text(
    "DELETE FROM session WHERE person = '' AND digest IN "
    "(SELECT digest FROM session WHERE person = '' ORDER BY seen DESC LIMIT -1 OFFSET :kept)"
)

_TRY = text("INSERT INTO attempt (name, address, at) VALUES (:name, :address, :at)")
_OF_NAME = (
    select(attempt.c.at)
    .where((attempt.c.name == bindparam("key")) & (attempt.c.at > bindparam("after")))
    .order_by(attempt.c.at.desc(), attempt.c.number.desc())
    .limit(bindparam("most"))
)
_FROM = (
    select(attempt.c.at)
    .where((attempt.c.address == bindparam("key")) & (attempt.c.at > bindparam("after")))
    .order_by(attempt.c.at.desc(), attempt.c.number.desc())
    .limit(bindparam("most"))
)
_FORGIVE = text("DELETE FROM attempt WHERE name = :name AND address = :address")
_GIVE_BACK = text(
    "DELETE FROM attempt WHERE number = (SELECT max(number) FROM attempt WHERE name = :name AND address = :address)"
)
_DROP_OLD_TRIES = text("DELETE FROM attempt WHERE at < :before")


class PeopleWork:
    """Reads and writes of one transaction; ``ConsolePeople.alone`` hands it out."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def person(self, person_id: str) -> bytes | None:
        """An account's record."""
        return _value(self._work.rows(_BY_ID, key=person_id))

    def add(self, person_id: str, name: str, outside: str, value: bytes) -> bool:
        """A new account; False where its id or name is taken."""
        return self._work.write(_ADD_PERSON, id=person_id, name=name, outside=outside, value=value) == 1

    def put(self, person_id: str, outside: str, value: bytes) -> None:
        """An account's new record."""
        self._work.write(_PUT_PERSON, id=person_id, outside=outside, value=value)

    def drop(self, person_id: str) -> None:
        """Take an account away, and end its sessions."""
        self._work.write(_DROP_PERSON, id=person_id)
        self.end_all(person_id)

    def held_outside(self, outside: str) -> tuple[str, ...]:
        """Ids of accounts that are bound to that subject elsewhere."""
        return tuple(row["id"] for row in self._work.rows(_BY_OUTSIDE, key=outside))

    def count(self) -> int:
        """How many accounts there are."""
        return int(self._work.rows(_COUNT)[0]["number"])

    def session(self, digest: bytes) -> bytes | None:
        """A session's record."""
        return _value(self._work.rows(_SESSION, key=digest))

    def sessions_of(self, person_id: str) -> tuple[tuple[bytes, bytes], ...]:
        """Digest and record of a person's sessions, least recently seen first."""
        return tuple((row["digest"], row["value"]) for row in self._work.rows(_SESSIONS_OF, key=person_id))

    def put_session(self, digest: bytes, person_id: str, seen: Instant, value: bytes) -> None:
        """A session's record, new or changed."""
        self._work.write(_PUT_SESSION, digest=digest, person=person_id, seen=seen, value=value)

    def end(self, digest: bytes) -> None:
        """End a session."""
        self._work.write(_DROP_SESSION, digest=digest)

    def end_all(self, person_id: str, kept: bytes = b"") -> None:
        """End every session of a person but ``kept``."""
        self._work.write(_DROP_SESSIONS_OF, person=person_id, kept=kept)

    def sweep(self, before: Instant, forms: int) -> None:
        """Forget what was not seen since, and the oldest of sign-in forms beyond so many."""
        self._work.write(_DROP_OLD_SESSIONS, before=before)
        self._work.write(_DROP_FORMS, kept=forms)

    def tries_of(self, name: bytes, after: Instant, most: int) -> tuple[Instant, ...]:
        """When a name was last tried, newest first."""
        return tuple(row["at"] for row in self._work.rows(_OF_NAME, key=name, after=after, most=most))

    def tries_from(self, address: bytes, after: Instant, most: int) -> tuple[Instant, ...]:
        """When an address last tried, newest first."""
        return tuple(row["at"] for row in self._work.rows(_FROM, key=address, after=after, most=most))

    def tried(self, name: bytes, address: bytes, at: Instant) -> None:
        """Remember a try."""
        self._work.write(_TRY, name=name, address=address, at=at)

    def forgive(self, name: bytes, address: bytes) -> None:
        """Forget an address's tries of a name."""
        self._work.write(_FORGIVE, name=name, address=address)

    def give_back(self, name: bytes, address: bytes) -> None:
        """Forget an address's last try of a name."""
        self._work.write(_GIVE_BACK, name=name, address=address)

    def forget_tries(self, before: Instant) -> None:
        """Forget tries that no longer count."""
        self._work.write(_DROP_OLD_TRIES, before=before)


class ConsolePeople:
    """The database ``people.db`` of a console's folder. Every write is durable when its call returns."""

    def __init__(self, file: Path) -> None:
        self._database = Database(sqlite_url(file), "")
        self._database.install(meta, SCHEMA_VERSION)

    @contextlib.contextmanager
    def alone(self) -> Iterator[PeopleWork]:
        """A transaction beside which nobody writes: what it read still holds when it writes."""
        with self._database.alone() as work:
            yield PeopleWork(work)

    def person(self, person_id: str) -> bytes | None:
        """An account's record."""
        return _value(self._database.rows(_BY_ID, key=person_id))

    def named(self, name: str) -> tuple[str, bytes] | None:
        """Id and record of the account of that folded name."""
        return _first(self._database.rows(_BY_NAME, key=name))

    def outside(self, digest: str) -> tuple[str, bytes] | None:
        """Id and record of the account that is bound to that subject elsewhere."""
        return _first(self._database.rows(_BY_OUTSIDE, key=digest)) if digest else None

    def persons(self) -> tuple[tuple[str, bytes], ...]:
        """Id and record of every account, by name."""
        return tuple((row["id"], row["value"]) for row in self._database.rows(_ALL))

    def session(self, digest: bytes) -> bytes | None:
        """A session's record."""
        return _value(self._database.rows(_SESSION, key=digest))

    def do(self, work: Callable[[PeopleWork], None]) -> None:
        """One piece of work, alone."""
        with self.alone() as here:
            work(here)

    def close(self) -> None:
        """Close every connection."""
        self._database.close()


def _value(rows: list[dict[str, bytes]]) -> bytes | None:
    return rows[0]["value"] if rows else None


def _first(rows: list[dict[str, object]]) -> tuple[str, bytes] | None:
    return (str(rows[0]["id"]), bytes(rows[0]["value"])) if rows else None  # type: ignore[call-overload]
