"""How far the intake's batches were heard for what persons chose, beside the register of choices.

Columns are declared here, and nowhere else. Documents are keys of Consents; nothing here leaves the node.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from sqlalchemy import MetaData, Table, bindparam, select, text

from xinglin.kernel.instants import Instant
from xinglin.stores.columns import number, words
from xinglin.stores.intake_ledger import IntakeLedger
from xinglin.stores.intake_tables import SCHEMA_VERSION

meta = MetaData()

place = Table("consent_place", meta, words("name", key=True), number("batch"))
"""One row: the last batch that was heard."""

document = Table("consent_document", meta, words("document", key=True), words("person", key=True))
"""Whose a Consent is: a deletion names the Consent alone."""

deleted = Table("consent_deleted", meta, words("document", key=True), number("at"))
"""Consents that their source deleted: an older version that comes later says nothing, either."""

held = Table("consent_unheard", meta, number("sequence", key=True), words("digest"), words("code"), number("at"))
"""Objects whose Consents could not be looked for; taken out once they are read again and heard."""

_PLACE = select(place.c.batch).where(place.c.name == "intake")
_FOLLOW = text(
    "INSERT INTO consent_place (name, batch) VALUES ('intake', :batch) "
    "ON CONFLICT (name) DO UPDATE SET batch = excluded.batch WHERE excluded.batch > consent_place.batch"
)
_NAMED = text("INSERT INTO consent_document (document, person) VALUES (:document, :person) ON CONFLICT DO NOTHING")
_PERSONS = select(document.c.person).where(document.c.document == bindparam("key")).order_by(document.c.person)
_DELETE = text(
    "INSERT INTO consent_deleted (document, at) VALUES (:document, :at) "
    "ON CONFLICT (document) DO UPDATE SET at = excluded.at WHERE excluded.at > consent_deleted.at"
)
_DELETED = select(deleted.c.at).where(deleted.c.document == bindparam("key"))
_HOLD = text(
    "INSERT INTO consent_unheard (sequence, digest, code, at) VALUES (:sequence, :digest, :code, :at) "
    "ON CONFLICT (sequence) DO UPDATE SET code = excluded.code, at = excluded.at"
)
_HEARD = text("DELETE FROM consent_unheard WHERE sequence = :sequence")
_HELD = select(held).order_by(held.c.sequence)


class Unheard(msgspec.Struct, frozen=True):
    """An object that may hold Consents and could not be looked through: since when, and the code of why."""

    sequence: int
    digest: str
    code: str
    at: Instant


class ConsentArrivals:
    """The intake's place in the batches, in the database of a node's ledger. Every write is durable at its return."""

    def __init__(self, ledger: IntakeLedger) -> None:
        self._database = ledger.database
        self._database.install(meta, SCHEMA_VERSION)

    def place(self) -> int:
        """The last batch that was heard; 0 at first."""
        found = self._database.one(_PLACE)
        return int(found["batch"]) if found else 0

    def follow(self, batch: int) -> None:
        """Everything up to this batch was heard."""
        self._database.write(_FOLLOW, batch=batch)

    def named(self, documents: Iterable[tuple[str, str]]) -> None:
        """Remember whose these Consents are: pairs of document and person."""
        with self._database.alone() as work:
            for name, person in documents:
                work.write(_NAMED, document=name, person=person)

    def persons_of(self, name: str) -> tuple[str, ...]:
        """Whom any version of a Consent named."""
        return tuple(row["person"] for row in self._database.rows(_PERSONS, key=name))

    def delete(self, name: str, at: Instant) -> None:
        """A Consent was deleted by its source."""
        self._database.write(_DELETE, document=name, at=at)

    def deleted_at(self, name: str) -> Instant | None:
        """When a Consent was last deleted."""
        found = self._database.one(_DELETED, key=name)
        return int(found["at"]) if found else None

    def hold(self, sequence: int, digest: str, code: str, at: Instant) -> None:
        """An object could not be looked through; ``code``: of why."""
        self._database.write(_HOLD, sequence=sequence, digest=digest, code=code, at=at)

    def heard(self, sequence: int) -> None:
        """An object was looked through."""
        self._database.write(_HEARD, sequence=sequence)

    def unheard(self) -> tuple[Unheard, ...]:
        """Objects that wait to be read again, oldest first."""
        return tuple(Unheard(**row) for row in self._database.rows(_HELD))
