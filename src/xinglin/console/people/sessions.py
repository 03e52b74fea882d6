"""Sessions: a random token in a cookie, looked up by its digest; 30 minutes idle or 12 hours in all end it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

import msgspec

from xinglin.console.people.errors import PeopleTampered
from xinglin.console.people.forms import Forms, text_of
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
_USED: Final = "used"
Change = Callable[[SessionRecord], SessionRecord]


class Sessions:
    """Keeps sessions; a record that this console did not write is as good as none."""

    def __init__(
        self, store: ConsolePeople, seal: Seal, clock: Clock, entropy: Callable[[int], bytes] = os.urandom
    ) -> None:
        self._store, self._seal, self._clock, self._entropy = store, seal, clock, entropy
        self._forms = Forms(seal, entropy)

    def begin(self) -> str:
        """The token of a browser in which nobody is signed in; nothing is stored of it."""
        return self._forms.make(self._clock())

    def find(self, token: str, *stages: str) -> SessionRecord | None:
        """The live session of a token, if it is at one of these stages."""
        form = self._form(token)
        if form is None and len(token) != TOKEN_CHARACTERS:
            return None
        record = self._live(form, token_digest(token), self._store.session(token_digest(token)))
        return None if record is None or (stages and record.stage not in stages) else record

    def seen(self, token: str, record: SessionRecord) -> SessionRecord:
        """The session was used: what ends by idleness begins anew."""
        now = self._clock()
        if now - record.seen < SEEN_EVERY_S * 1000:
            return record
        self.change(token, lambda one: msgspec.structs.replace(one, seen=now))
        return msgspec.structs.replace(record, seen=now)

    def change(self, token: str, change: Change) -> SessionRecord | None:
        """Change a live session with nobody between; the record as it was before, or None where there is none."""
        form, digest = self._form(token), token_digest(token)
        with self._store.alone() as work:
            before = self._live(form, digest, work.session(digest))
            if before is None:
                return None
            after = change(before)
            if after != before:
                if form is not None:
                    work.sweep(self._clock() - IDLE_S * 1000, WAITING.value - 1)
                work.put_session(digest, after.person, after.seen, self._seal.seal(_KIND, digest, after))
        return before

    def take(self, token: str) -> SessionRecord | None:
        """The question of a session is answered by this, rightly or not: the record that it was asked by, once."""
        return self.change(token, lambda one: msgspec.structs.replace(one, asked=one.asked + 1))

    def word_of(self, purpose: str, token: str, record: SessionRecord, *parts: str) -> str:
        """A word that this console alone can say of a session and its open question; another one after ``take``."""
        return text_of(self._seal.digest(f"session {purpose}", token, str(record.asked), *parts))

    def replace(self, token: str, record: SessionRecord) -> str:
        """A new token and a new form word for a session; the old token is worth nothing from now on.

        Empty when the old one was ended, or used up, by somebody else meanwhile.
        """
        now = self._clock()
        fresh = msgspec.structs.replace(record, csrf=text_of(self._entropy(TOKEN_BYTES)), seen=now)
        form, digest = self._form(token), token_digest(token)
        with self._store.alone() as work:
            work.sweep(now - IDLE_S * 1000, WAITING.value)
            if self._live(form, digest, work.session(digest)) is None:
                return ""
            work.end(digest)
            if form is not None:  # nothing is stored of a form, so that it was used has to be
                used = msgspec.structs.replace(form, stage=_USED)
                work.put_session(digest, _USED, now, self._seal.seal(_KIND, digest, used))
            self._make_room(work, fresh)
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

    def _make_room(self, work: PeopleWork, fresh: SessionRecord) -> None:
        """End the oldest of a person's sessions beyond the limit; those half way in end none that is in."""
        opened = [(digest, self._opened(digest, value)) for digest, value in work.sessions_of(fresh.person)]
        mine = [digest for digest, one in opened if one is None or one.stage == fresh.stage]
        for digest in mine[: max(0, len(mine) - SESSIONS.value + 1)]:
            work.end(digest)

    def _form(self, token: str) -> SessionRecord | None:
        """What a token of nobody says of itself, if it is one."""
        return None if len(token) == TOKEN_CHARACTERS else self._forms.read(token)

    def _live(self, form: SessionRecord | None, digest: bytes, value: bytes | None) -> SessionRecord | None:
        """What was stored, else what the form itself says; None for what is over, used or somebody else's."""
        record = form if value is None else self._opened(digest, value)
        return None if record is None or record.stage == _USED or self._over(record) else record

    def _put(self, work: PeopleWork, record: SessionRecord) -> str:
        token = text_of(self._entropy(TOKEN_BYTES))
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
