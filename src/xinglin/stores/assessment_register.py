"""Security assessments that a node was given, with their whole history; each and its evidence are one write."""

from __future__ import annotations

import msgspec

from xinglin.kernel.canonical import sha256_digest
from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.stores import assessment_tables as sql
from xinglin.stores.intake_ledger import IntakeLedger
from xinglin.stores.intake_tables import ADD_OUTBOX, SCHEMA_VERSION
from xinglin.trust.envelope import Signed

EVIDENCE_KIND = "change"
REGISTERED = Limit("registrations of assessments at a node", 10_000, "registrations")


class AssessmentRegister:
    """Signed assessments by name, in the database of a node's ledger.

    Guarantee: each write is whole or not at all, and durable when it returns; each is in the outbox of the log as a
    digest. Nothing here changes or deletes a row: the newest of a name speaks alone.
    """

    def __init__(self, ledger: IntakeLedger) -> None:
        self._ledger, self._database = ledger, ledger.database
        self._database.install(sql.meta, SCHEMA_VERSION)

    def close(self) -> None:
        """Close the ledger that it was given."""
        self._ledger.close()

    def keep(self, name: str, signed: Signed, at: Instant) -> str:
        """Register one, in the place of an earlier one of its name; the digest by which the log knows it."""
        return self._add(name, signed.to_bytes(), sha256_digest(signed.payload), at)

    def end(self, name: str, at: Instant) -> str:
        """From now on none of this name stands; the digest by which the log knows that."""
        told = sha256_digest(msgspec.json.encode({"ended": name, "at": at}))
        return self._add(name, b"", told, at)

    def last(self) -> int:
        """The number of the last registration; 0 where there is none."""
        found = self._database.one(sql.LAST)
        return int(found["number"]) if found else 0

    def newest(self) -> tuple[Signed, ...]:
        """The newest of each name, those apart that were ended; nothing is verified."""
        values = (bytes(row["value"]) for row in self._database.rows(sql.NEWEST))
        return tuple(Signed.from_bytes(value) for value in values if value)

    def history(self) -> tuple[tuple[str, Signed | None], ...]:
        """Every registration and end (``None``) by name, oldest first."""
        rows = self._database.rows(sql.ALL, limit=REGISTERED.value)
        return tuple((row["name"], Signed.from_bytes(bytes(row["value"])) if row["value"] else None) for row in rows)

    def _add(self, name: str, value: bytes, digest: str, at: Instant) -> str:
        REGISTERED.check(self.last() + 1)
        with self._database.alone() as work:
            work.write(sql.ADD, name=name, value=value)
            told = msgspec.msgpack.encode({"what": digest})
            work.write(ADD_OUTBOX, kind=EVIDENCE_KIND, subject=digest, at=at, values=told, batch=0)
        return digest
