"""Sessions: a random token in a cookie, looked up by its digest; 30 minutes idle or 12 hours in all end it."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from typing import Any

import msgspec

from xinglin.console.people.errors import PeopleTampered
from xinglin.console.people.model import SESSIONS, WAITING, PersonRecord, SessionRecord
from xinglin.console.people.seal import Seal, token_digest
from xinglin.kernel.instants import Clock
from xinglin.stores.console_people import ConsolePeople, PeopleWork

IDLE_S = 30 * 60
ABSOLUTE_S = 12 * 60 * 60
SEEN_EVERY_S = 60
"""``seen`` is written no more often: reading a page need not cost a write."""

TOKEN_BYTES = 32
TOKEN_CHARACTERS = 43
_KIND = "session"
_SKEW_MS = 60_000


class Sessions:
    """Keeps sessions; a record that this console did not write is as good as none."""

    def __init__(
        self, store: ConsolePeople, seal: Seal, clock: Clock, entropy: Callable[[int], bytes] = os.urandom
    ) -> None:
        self._store, self._seal, self._clock, self._entropy = store, seal, clock, entropy

    def begin(self, **given: Any) -> str:
        """The token of a browser in which nobody is signed in."""
        now = self._clock()
        record = SessionRecord("before", self.word(), now, now, **given)
        with self._store.alone() as work:
            work.sweep(now - IDLE_S * 1000, WAITING.value - 1)
            return self._put(work, record)

    def find(self, token: str, *stages: str) -> SessionRecord | None:
        """The live session of a token, if it is at one of these stages."""
        if len(token) != TOKEN_CHARACTERS:
            return None
        digest = token_digest(token)
        value = self._store.session(digest)
        record = self._opened(digest, value) if value is not None else None
        if record is None or self._over(record) or (stages and record.stage not in stages):
            return None
        return record

    def seen(self, token: str, record: SessionRecord) -> SessionRecord:
        """The session was used: what ends by idleness begins anew."""
        now = self._clock()
        if now - record.seen < SEEN_EVERY_S * 1000:
            return record
        return self.keep(token, msgspec.structs.replace(record, seen=now))

    def keep(self, token: str, record: SessionRecord) -> SessionRecord:
        """The session's new record, unless it was ended meanwhile."""
        digest = token_digest(token)
        value = self._seal.seal(_KIND, digest, record)
        self._store.do(lambda work: work.renew_session(digest, record.seen, value))
        return record

    def replace(self, token: str, record: SessionRecord) -> str:
        """A new token and a new form word for a session; the old token is worth nothing from now on.

        Empty when the old one was ended, or used up, by somebody else meanwhile.
        """
        now = self._clock()
        fresh = msgspec.structs.replace(record, csrf=self.word(), seen=now)
        with self._store.alone() as work:
            if work.session(token_digest(token)) is None:
                return ""
            work.end(token_digest(token))
            mine = work.sessions_of(fresh.person) if fresh.person else ()
            for digest, _ in mine[: max(0, len(mine) - SESSIONS.value + 1)]:
                work.end(digest)
            return self._put(work, fresh)

    def end(self, token: str) -> None:
        """End the session of a token."""
        self._store.do(lambda work: work.end(token_digest(token)))

    def end_all(self, person_id: str, kept_token: str = "") -> None:
        """End every session of a person, but the one of ``kept_token``."""
        kept = token_digest(kept_token) if kept_token else b""
        self._store.do(lambda work: work.end_all(person_id, kept))

    def of(self, person: PersonRecord) -> tuple[tuple[bytes, SessionRecord], ...]:
        """A person's live sessions with their digests, most recently seen first."""
        with self._store.alone() as work:
            rows = work.sessions_of(person.id)
        opened = [(digest, self._opened(digest, value)) for digest, value in rows]
        return tuple(
            (digest, one)
            for digest, one in reversed(opened)
            if one is not None and one.person == person.id and one.stage == "in" and not self._over(one)
        )

    def end_digest(self, digest: bytes) -> None:
        """End a session by its digest."""
        self._store.do(lambda work: work.end(digest))

    def word(self) -> str:
        """256 random bits as text."""
        return base64.urlsafe_b64encode(self._entropy(TOKEN_BYTES)).decode().rstrip("=")

    def _put(self, work: PeopleWork, record: SessionRecord) -> str:
        token = self.word()
        digest = token_digest(token)
        work.put_session(digest, record.person, record.seen, self._seal.seal(_KIND, digest, record))
        return token

    def _opened(self, digest: bytes, value: bytes) -> SessionRecord | None:
        try:
            return self._seal.open(SessionRecord, _KIND, digest, value)
        except PeopleTampered:
            return None

    def _over(self, record: SessionRecord) -> bool:
        now = self._clock()
        return (
            now - record.seen >= IDLE_S * 1000
            or now - record.since >= ABSOLUTE_S * 1000
            or record.since - now > _SKEW_MS
        )
