"""The patient index's database (port ``patients.IndexStore``): SQLite in the node's folder, or PostgreSQL by URL.

What a record says is sealed (AES-256-GCM) under a key of the node's; the numbers that records meet under are keyed
digests of 64 bits. Two texts that share one cost a comparison, no more: rules compare what the records say.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import URL, text

from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.instants import Instant
from xinglin.patients.errors import IndexSealed
from xinglin.patients.folding import REPLACED_BY, State
from xinglin.patients.model import (
    SHARED,
    Counts,
    Happened,
    Link,
    Pair,
    PersonOf,
    Publication,
    Review,
    Statement,
)
from xinglin.patients.ports import Stored
from xinglin.patients.rules import into_key
from xinglin.stores import patient_tables as sql
from xinglin.stores.database import Database, Row, Work, sqlite_url

DATABASE_FILE = "patients.db"
KEY_BYTES = 32
_NONCE = 12
_PAGE = 5_000


class PatientStore:
    """One hospital's index. ``key``: 32 secret bytes, the node's; without them the file says nothing of anybody.

    Guarantee: a transaction is whole or not at all, and on the disk when it ends.
    """

    def __init__(self, url: str | URL, key: bytes, *, schema: str = sql.SCHEMA, accept_loss: bool = False) -> None:
        if len(key) != KEY_BYTES:
            raise IndexSealed(f"The key of a patient index has {KEY_BYTES} bytes.")
        self.database = Database(url, schema)
        self.database.install(sql.meta, sql.SCHEMA_VERSION, accept_loss=accept_loss)
        self._statements = sql.statements(self.database.is_sqlite)
        self._secrets = _Secrets(key)

    @classmethod
    def in_folder(cls, folder: Path, key: bytes) -> PatientStore:
        """The database file ``patients.db`` in ``folder``."""
        return cls(sqlite_url(folder / DATABASE_FILE), key)

    def close(self) -> None:
        """Close every connection."""
        self.database.close()

    @contextlib.contextmanager
    def alone(self) -> Iterator[PatientWork]:
        """See the port."""
        with self.database.alone() as work:
            yield PatientWork(work, self._statements, self._secrets, self.database.is_sqlite)

    # --- what is asked ---------------------------------------------------------------------------

    def records(self) -> Iterator[Stored]:
        """Every record, by key."""
        after = ""
        while page := self.database.rows(sql.ALL_RECORDS, after=after, limit=_PAGE):
            yield from map(self._secrets.stored, page)
            after = page[-1]["patient"]

    def reviews(self, state: str = "open", after: int = 0, limit: int = 50) -> list[Review]:
        """Reviews in a state, oldest first."""
        return [_review(row) for row in self.database.rows(sql.WAITING, state=state, after=after, limit=limit)]

    def history(self, patient: str, limit: int = 1_000) -> list[Happened]:
        """What happened to a record's links, oldest first."""
        rows = self.database.rows(sql.HISTORY, key=patient, limit=limit)
        return [msgspec.structs.replace(decode_msgpack(row["value"], Happened), number=row["number"]) for row in rows]

    def persons(self) -> dict[str, PersonOf]:
        """Whom each record is of, where that is a person of several."""
        return {row["patient"]: PersonOf(**row) for row in self.database.rows(sql.PERSONS)}

    def person_history(self, patient: str) -> list[tuple[Instant, PersonOf]]:
        """Whom the record was of, since when, and why."""
        rows = self.database.rows(sql.ROWS_OF, key=patient)
        return [(row["at"], PersonOf(patient, row["person"], row["reason"])) for row in rows]

    def counts(self) -> Counts:
        """How it stands."""
        (found,) = self.database.rows(sql.COUNTS)
        rules = {row["rule"]: row["n"] for row in self.database.rows(sql.LINK_RULES)}
        reviews = {row["state"]: row["n"] for row in self.database.rows(sql.REVIEW_COUNTS)}
        (crowded,) = self.database.rows(sql.CROWDED, shared=SHARED.value)
        return Counts(links=rules, reviews=reviews, crowded=crowded["n"], **found)

    def record(self, patient: str) -> Stored | None:
        """One record."""
        with self.alone() as work:
            return work.records([patient]).get(patient)

    def forget(self, keys: Collection[str]) -> None:
        """Delete everything about these records, what others say of them too, and leave tombstones.

        SQLite overwrites what it deletes, in its log of writes as well; what the disk itself remembers is for the
        disk's encryption. A database server's own files are for its owner.
        """
        with self.alone() as work:
            work.forget(keys)
        if self.database.is_sqlite:
            self.database.rows(_EMPTY_LOG)


class _Secrets:
    """What only the key's holder can do."""

    def __init__(self, key: bytes) -> None:
        self._seal = AESGCM(hashlib.blake2b(b"", key=key, digest_size=32, person=b"patients.seal").digest())
        self._text = hashlib.blake2b(key=key, digest_size=8, person=b"patients.text")
        self._basis = hashlib.blake2b(key=key, digest_size=16, person=b"patients.basis")
        self._erased = hashlib.blake2b(key=key, digest_size=8, person=b"patients.erased")

    def seal(self, patient: str, state: State) -> bytes:
        nonce = os.urandom(_NONCE)
        return nonce + self._seal.encrypt(nonce, encode_msgpack(state), patient.encode("utf-8", "surrogatepass"))

    def stored(self, row: Row) -> Stored:
        patient, sealed = row["patient"], bytes(row["state"])
        try:
            plain = self._seal.decrypt(sealed[:_NONCE], sealed[_NONCE:], patient.encode("utf-8", "surrogatepass"))
        except (InvalidTag, ValueError) as error:
            raise IndexSealed("A record of the patient index cannot be opened.", remedy="Restore the keys.") from error
        return Stored(patient, row["since"], decode_msgpack(plain, State))

    def digest(self, words: str) -> int:
        return _number(self._text, words)

    def tombstone(self, patient: str) -> int:
        return _number(self._erased, patient)

    def basis(self, one: bytes, other: bytes) -> str:
        found = self._basis.copy()
        found.update(one + b"\x00" + other)
        return found.hexdigest()


class PatientWork:
    """One transaction (port ``patients.IndexWork``)."""

    def __init__(self, work: Work, statements: sql.Statements, secrets: _Secrets, sqlite: bool) -> None:
        self._work, self._sql, self._secrets, self._sqlite = work, statements, secrets, sqlite

    def records(self, keys: Collection[str]) -> dict[str, Stored]:
        """See the port."""
        return {row["patient"]: self._secrets.stored(row) for row in self._rows(self._sql.records, keys)}

    def put_records(self, records: Sequence[Stored]) -> None:
        """See the port."""
        ordered = sorted(records, key=lambda one: one.key)
        seal = self._secrets.seal
        self._work.write_many(
            sql.PUT_RECORD,
            ({"patient": one.key, "since": one.since, "state": seal(one.key, one.state)} for one in ordered),
        )

    def put_keys(self, texts: Mapping[str, Sequence[str]], known: Collection[str]) -> None:
        """See the port."""
        if known:
            self._work.write(self._sql.drop_keys, given=self._listed(known))
        digest = self._secrets.digest
        pairs = sorted((digest(one), patient) for patient, found in texts.items() for one in found)
        self._work.write_many(sql.PUT_KEY, ({"digest": number, "patient": patient} for number, patient in pairs))

    def sharing(self, texts: Collection[str], least: int) -> dict[str, tuple[str, ...]]:
        """See the port."""
        digest = self._secrets.digest
        by_digest = {digest(one): one for one in texts}
        if not by_digest:
            return {}
        counted = self._work.rows(self._sql.counts, given=self._listed(by_digest), least=least)
        few = [row["digest"] for row in counted if row["n"] <= 2 * SHARED.value]
        found: dict[str, list[str]] = {}
        for row in self._rows(self._sql.sharing, few):
            found.setdefault(by_digest[row["digest"]], []).append(row["patient"])
        return {words: tuple(sorted(keys)) for words, keys in found.items()}

    def links_of(self, keys: Collection[str]) -> list[Link]:
        """See the port."""
        return [
            Link((row["one"], row["other"]), row["rule"], tuple(row["fields"].split()), row["probability"])
            for row in self._rows(self._sql.paired["link"], keys)
        ]

    def statements_of(self, keys: Collection[str]) -> list[Statement]:
        """See the port."""
        rows = self._rows(self._sql.paired["statement"], keys)
        return [Statement((row["one"], row["other"]), row["said"], row["at"], row["by"], row["heard"]) for row in rows]

    def persons_of(self, keys: Collection[str]) -> dict[str, PersonOf]:
        """See the port."""
        return {row["patient"]: PersonOf(**row) for row in self._rows(self._sql.persons, keys)}

    def reviews_of(self, keys: Collection[str]) -> list[Review]:
        """See the port."""
        return [_review(row) for row in self._rows(self._sql.paired["review"], keys)]

    def proposed(self) -> list[Review]:
        """See the port."""
        return [_review(row) for row in self._work.rows(sql.PROPOSED)]

    def review(self, number: int) -> Review | None:
        """See the port."""
        found = self._work.one(sql.REVIEW, key=number)
        return _review(found) if found else None

    def put_links(self, added: Sequence[Link], dropped: Sequence[Pair], at: Instant) -> None:
        """See the port."""
        self._work.write_many(sql.DROP_LINK, ({"one": one, "other": other} for one, other in sorted(dropped)))
        rows = (
            {
                "one": link.pair[0],
                "other": link.pair[1],
                "rule": link.rule,
                "fields": " ".join(link.fields),
                "probability": link.probability,
                "at": at,
            }
            for link in sorted(added, key=lambda one: one.pair)
        )
        self._work.write_many(sql.PUT_LINK, rows)

    def put_statements(self, statements: Sequence[Statement]) -> list[Statement]:
        """See the port."""
        fresh = []
        for one in statements:
            row = {"by": one.by, "said": one.said, "at": one.at, "heard": one.heard}
            if self._work.write(sql.PUT_STATEMENT, one=one.pair[0], other=one.pair[1], **row):
                fresh.append(one)
        return fresh

    def put_review(self, review: Review) -> Review:
        """See the port."""
        values: dict[str, Any] = {"state": review.state, "probability": review.doubtful.probability}
        if review.number:
            self._work.write(sql.CHANGE_REVIEW, number=review.number, value=encode_msgpack(review), **values)
            return review
        one, other = review.doubtful.pair
        (row,) = self._work.rows(sql.ADD_REVIEW, one=one, other=other, value=encode_msgpack(review), **values)
        return msgspec.structs.replace(review, number=row["number"])

    def happened(self, events: Iterable[Happened]) -> None:
        """See the port."""
        rows = ({"one": e.pair[0], "other": e.pair[1], "at": e.at, "value": encode_msgpack(e)} for e in events)
        self._work.write_many(sql.ADD_EVENT, rows)

    def publish(self, rows: Sequence[PersonOf], at: Instant) -> Instant:
        """See the port."""
        last = self._work.one(sql.LAST_PUBLICATION)
        number = last["number"] + 1 if last else 1
        then = max(at, last["at"] + 1) if last else at
        self._work.write(sql.ADD_PUBLICATION, number=number, at=then)
        self._work.write_many(sql.ADD_PUBLISHED_ROW, (msgspec.structs.asdict(one) | {"number": number} for one in rows))
        self._work.write_many(sql.PUT_PERSON, (msgspec.structs.asdict(one) for one in rows if one.person))
        self._work.write_many(sql.DROP_PERSON, ({"key": one.patient} for one in rows if not one.person))
        return then

    def basis(self, one: bytes, other: bytes) -> str:
        """See the port."""
        return self._secrets.basis(one, other)

    def forgotten(self, keys: Collection[str]) -> set[str]:
        """See the port."""
        marks = {self._secrets.tombstone(key): key for key in keys}
        return {marks[row["digest"]] for row in self._rows(self._sql.erased, marks)}

    # --- the lake, and erasure -------------------------------------------------------------------

    def waiting(self) -> list[Publication]:
        """Publications that the lake does not have for sure, in order."""
        return [
            Publication(
                row["number"],
                row["at"],
                tuple(
                    PersonOf(one["patient"], one["person"], one["reason"])
                    for one in self._work.rows(sql.PUBLISHED_ROWS, key=row["number"])
                ),
            )
            for row in self._work.rows(sql.WAITING_PUBLICATIONS)
        ]

    def published(self, number: int) -> None:
        """The lake has it."""
        self._work.write(sql.PUBLISHED, key=number)

    def members(self, persons: Collection[str]) -> set[str]:
        """Records of these persons, and records of these keys with everybody they are linked to."""
        known = {row["patient"] for row in self._rows(self._sql.members, persons)}
        own = {one.person for one in self.persons_of(persons).values()}
        known |= {row["patient"] for row in self._rows(self._sql.members, own)}
        return known | set(self.records(persons))

    def forget(self, keys: Collection[str]) -> None:
        """See ``PatientStore.forget``."""
        if self._sqlite:
            self._work.rows(_OVERWRITE)
        others = self.sharing({into_key(key) for key in keys}, 1).values()
        left = {key for found in others for key in found} - set(keys)
        self.put_records([_unmerged(one) for one in self.records(left).values()])
        if not keys:
            return
        for statement in self._sql.forget:
            self._work.write(statement, given=self._listed(keys))
        marks = sorted(self._secrets.tombstone(key) for key in keys)
        self._work.write_many(sql.ADD_ERASED, ({"digest": mark} for mark in marks))

    def _listed(self, values: Collection[Any]) -> Any:
        return msgspec.json.encode(list(values)).decode() if self._sqlite else list(values)

    def _rows(self, statement: Any, values: Collection[Any]) -> list[Row]:
        return self._work.rows(statement, given=self._listed(values)) if values else []


_OVERWRITE = text("PRAGMA secure_delete=ON")
_EMPTY_LOG = text("PRAGMA wal_checkpoint(TRUNCATE)")


def _unmerged(one: Stored) -> Stored:
    """A record that no longer names the one it was merged into."""
    values = (*one.state.values[:REPLACED_BY], None, *one.state.values[REPLACED_BY + 1 :])
    return Stored(one.key, one.since, msgspec.structs.replace(one.state, values=values))


def _number(keyed: Any, words: str) -> int:
    found = keyed.copy()
    found.update(words.encode("utf-8", "surrogatepass"))
    return int.from_bytes(found.digest(), "little", signed=True)


def _review(row: Row) -> Review:
    return msgspec.structs.replace(decode_msgpack(row["value"], Review), number=row["number"])
