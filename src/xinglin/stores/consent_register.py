"""What persons chose, and what the hospital says of studies, with all of its history; a choice and its evidence are
one write."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import Executable

from xinglin.kernel.canonical import canonical_digest
from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.stores import consent_tables as sql
from xinglin.stores.database_errors import DatabaseTooNew
from xinglin.stores.intake_ledger import IntakeLedger
from xinglin.stores.intake_tables import ADD_OUTBOX, SCHEMA_VERSION
from xinglin.terms.consent import Choice
from xinglin.terms.consent_use import StudyWord

CHOICES_AT_ONCE = Limit("choices recorded at once", 100_000, "choices")
EVIDENCE_KIND = "change"
"""The kind of every administrative change: the log does not even say that it was about a person."""
_PAGE = 10_000
FEW = 1_000
"""Of so many persons at most choices are read one person at a time."""
_CHOICES = msgspec.msgpack.Decoder(Choice)


class ChoiceReceipt(msgspec.Struct, frozen=True):
    """What the person is told at once: the choice's id and digest, when it was recorded, and its leaf (-1: on its way).

    With the id, which the log does not know, anybody can compute the digest again from what was said.
    """

    id: str
    digest: str
    recorded_at: Instant
    leaf: int = -1
    known: bool = False


class Reading(msgspec.Struct, frozen=True):
    """Up to which choice (``number``) a run reads, at which instant, and the word on its study, if any."""

    number: int
    at: Instant
    word: StudyWord | None


class _Versioned(msgspec.Struct, frozen=True):
    version: int = 1


class ConsentRegister:
    """Choices and words on studies, in the database of a node's ledger.

    Guarantee: ``keep`` is whole or not at all, and durable when it returns; each choice is in the outbox of the log
    as a digest that holds a random id, and in nothing else that leaves. Nothing here changes or deletes a row.
    """

    def __init__(self, ledger: IntakeLedger, *, accept_loss: bool = False) -> None:
        self._ledger, self._database = ledger, ledger.database
        self._database.install(sql.meta, SCHEMA_VERSION, accept_loss=accept_loss)

    def close(self) -> None:
        """Close the ledger that it was given."""
        self._ledger.close()

    def keep(self, choices: Sequence[Choice], at: Instant) -> tuple[ChoiceReceipt, ...]:
        """Add choices, each with its id, in order; one that was recorded before changes nothing. ``LimitExceeded``."""
        CHOICES_AT_ONCE.check(len(choices))
        receipts = []
        with self._database.alone() as work:
            for choice in choices:
                content = canonical_digest(msgspec.structs.replace(choice, id="", identity=None))
                if choice.identity is not None:
                    content = canonical_digest({"said": content, "checked": True})
                row = {"id": choice.id, "content": content, "person": choice.person, "recorded_at": at}
                digest = choice.digest()
                if work.write(sql.ADD_CHOICE, **row, value=encode_msgpack(choice)):
                    told = msgspec.msgpack.encode({"what": digest})
                    work.write(ADD_OUTBOX, kind=EVIDENCE_KIND, subject=digest, at=at, values=told, batch=0)
                    receipts.append(ChoiceReceipt(choice.id, digest, at))
                else:
                    before = _choice(work.rows(sql.KNOWN, key=content)[0]["value"])
                    receipts.append(ChoiceReceipt(before.id, before.digest(), at, known=True))
        return tuple(receipts)

    def leaf(self, digest: str) -> int:
        """The index of a choice's leaf in the log; -1 while it is on its way."""
        found = self._database.one(sql.LOGGED_AT, key=digest)
        return int(found["index"]) if found else -1

    def choice(self, choice_id: str) -> Choice | None:
        """One choice by its id."""
        found = self._database.one(sql.CHOICE, key=choice_id)
        return _choice(found["value"]) if found else None

    def choices(self, most: int | None = None, after: int = 0) -> Iterator[Choice]:
        """Every choice, oldest first; with ``most``, as the register was when that was its last number.

        ``after``: only those with a greater number.
        """
        last = self.last() if most is None else most
        return (choice for _, choice in self._pages(sql.CHOICES, after, most=last))

    def id_at(self, number: int) -> str | None:
        """The id of the choice with this number: random, so that another register's is another one."""
        found = self._database.one(sql.ID_AT, key=number)
        return str(found["id"]) if found else None

    def said_more(self, most: int) -> frozenset[str]:
        """Who said more than one thing, as the register was when its last number was ``most``."""
        return frozenset(row["person"] for row in self._database.rows(sql.SAID_MORE, most=most))

    def history(self, person: str) -> Iterator[tuple[Instant, Choice]]:
        """Everything that was recorded of one person, with when, oldest first."""
        return self._pages(sql.OF_PERSON, about=person)

    def chose_since(self, number: int) -> tuple[str, ...] | None:
        """Who said something after the choice with this number; ``None`` where they are more than ``FEW``."""
        found = self._database.rows(sql.CHOSE_SINCE, after=number, limit=FEW + 1)
        return tuple(row["person"] for row in found) if len(found) <= FEW else None

    def choices_of(self, persons: Iterable[str], most: int) -> Iterator[Choice]:
        """The choices of some persons, as the register was when its last number was ``most``."""
        for person in persons:
            yield from (choice for _, choice in self._pages(sql.OF_PERSON_THEN, about=person, most=most))

    def last(self) -> int:
        """The number of the last choice; 0 where there is none."""
        found = self._database.one(sql.LAST)
        return int(found["number"]) if found else 0

    def say(self, word: StudyWord) -> None:
        """Add a word on a study."""
        self._database.write(sql.ADD_STUDY, study=word.study, value=encode_msgpack(word))

    def word(self, study: str) -> StudyWord | None:
        """The newest word on a study."""
        found = self._database.one(sql.STUDY, about=study)
        return _word(found["value"]) if found else None

    def words(self) -> tuple[StudyWord, ...]:
        """Every word on every study, oldest first."""
        return tuple(_word(row["value"]) for row in self._database.rows(sql.STUDIES))

    def reading(self, run: str, study: str, at: Instant) -> Reading:
        """What a run reads: at the first call everything there is now, and the same ever after."""
        word = self.word(study)
        value = b"" if word is None else encode_msgpack(word)
        self._database.write(sql.PUT_READ, run=run, number=self.last(), at=at, word=value)
        (row,) = self._database.rows(sql.READ, key=run)
        return Reading(row["number"], row["at"], _given(row["word"]))

    def read_by(self, run: str) -> Reading | None:
        """What a run has read, if it has."""
        found = self._database.rows(sql.READ, key=run)
        return Reading(found[0]["number"], found[0]["at"], _given(found[0]["word"])) if found else None

    def read_anew(self, run: str, study: str) -> bool:
        """Forget what a run read, where choices or a word on its study came since or it read nothing; whether so."""
        word = self.word(study)
        value = b"" if word is None else encode_msgpack(word)
        found = self._database.rows(sql.READ, key=run)
        if found and (found[0]["number"], bytes(found[0]["word"])) == (self.last(), value):
            return False
        self._database.write(sql.DROP_READ, run=run)
        return True

    def _pages(self, statement: Executable, after: int = 0, **values: Any) -> Iterator[tuple[Instant, Choice]]:
        while page := self._database.rows(statement, **values, after=after, limit=_PAGE):
            yield from ((row["recorded_at"], _choice(row["value"])) for row in page)
            after = page[-1]["number"]


def _choice(value: bytes) -> Choice:
    try:
        choice: Choice | None = _CHOICES.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError):
        choice = None
    if choice is None or choice.version != 1:  # it is said which version it is before what is wrong with it
        _known_version(value, "A recorded choice")
        return decode_msgpack(bytes(value), Choice)
    return choice


def _given(value: bytes) -> StudyWord | None:
    return _word(value) if value else None


def _word(value: bytes) -> StudyWord:
    _known_version(value, "A word on a study")
    return decode_msgpack(bytes(value), StudyWord)


def _known_version(value: bytes, what: str) -> None:
    version = decode_msgpack(bytes(value), _Versioned).version
    if version != 1:
        words = f"{what} has version {version}; this program knows version 1."
        raise DatabaseTooNew(words, remedy="Update the package.")
