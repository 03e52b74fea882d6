"""What persons answered to questions of law, and what was checked; a word and its evidence are one write."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from sqlalchemy import Executable

from xinglin.kernel.canonical import canonical_digest
from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.stores import law_tables as sql
from xinglin.stores.database_errors import DatabaseTooNew
from xinglin.stores.intake_ledger import IntakeLedger
from xinglin.stores.intake_tables import ADD_OUTBOX, SCHEMA_VERSION
from xinglin.terms.law.answers import Answer
from xinglin.terms.law_kept import AgreementCheck, PilotDecision

EVIDENCE_KIND = "change"
_PAGE = 1_000


class _Versioned(msgspec.Struct, frozen=True):
    version: int = 1


class LawWords:
    """Answers, reports and pilots' uses, in the database of a node's ledger.

    Guarantee: each write is whole or not at all, and durable when it returns; answers and reports are in the outbox
    of the log as digests, and in nothing else that leaves. Nothing here changes or deletes a row.
    """

    def __init__(self, ledger: IntakeLedger) -> None:
        self._ledger, self._database = ledger, ledger.database
        self._database.install(sql.meta, SCHEMA_VERSION)

    def close(self) -> None:
        """Close the ledger that it was given."""
        self._ledger.close()

    def keep(self, answer: Answer) -> str:
        """Add an answer; the digest by which the log knows it."""
        digest = canonical_digest(answer)
        with self._database.alone() as work:
            work.write(sql.ADD_ANSWER, matter=answer.matter, rule=answer.rule, value=encode_msgpack(answer))
            told = msgspec.msgpack.encode({"what": digest})
            work.write(ADD_OUTBOX, kind=EVIDENCE_KIND, subject=digest, at=answer.at, values=told, batch=0)
        return digest

    def answers(self, matter: str = "") -> tuple[Answer, ...]:
        """Every answer on a matter (or on all), oldest first."""
        if matter:
            return tuple(_answer(value) for value in self._pages(sql.ANSWERS_ON, about=matter))
        return tuple(_answer(value) for value in self._pages(sql.ANSWERS))

    def keep_check(self, agreement: str, check: AgreementCheck) -> None:
        """Keep how an agreement was checked."""
        digest, report = canonical_digest(check), check.report
        with self._database.alone() as work:
            work.write(sql.ADD_REPORT, agreement=agreement, at=report.at, value=encode_msgpack(check))
            told = msgspec.msgpack.encode({"what": digest})
            work.write(ADD_OUTBOX, kind=EVIDENCE_KIND, subject=digest, at=report.at, values=told, batch=0)

    def check_of(self, agreement: str) -> AgreementCheck | None:
        """How an agreement was checked last; None where it was not."""
        found = self._database.one(sql.REPORT, about=agreement)
        return decode_msgpack(bytes(found["value"]), AgreementCheck) if found else None

    def keep_use(self, decision: PilotDecision) -> None:
        """Keep a decision on a pilot's use; the same outcome for the same run changes nothing."""
        key = canonical_digest(msgspec.structs.replace(decision, at=0))
        row = {"key": key, "pilot": decision.pilot, "run": decision.run, "at": decision.at}
        self._database.write(sql.ADD_USE, **row, value=encode_msgpack(decision))

    def uses(self, pilot: str) -> tuple[PilotDecision, ...]:
        """Every decision on a pilot's uses, by time."""
        rows = self._database.rows(sql.USES, about=pilot)
        return tuple(decode_msgpack(bytes(row["value"]), PilotDecision) for row in rows)

    def _pages(self, statement: Executable, **values: Any) -> Iterator[bytes]:
        after = 0
        while page := self._database.rows(statement, **values, after=after, limit=_PAGE):
            yield from (bytes(row["value"]) for row in page)
            after = page[-1]["number"]


def _answer(value: bytes) -> Answer:
    version = decode_msgpack(value, _Versioned).version
    if version != 1:
        words = f"An answer has version {version}; this program knows version 1."
        raise DatabaseTooNew(words, remedy="Update the package.")
    return decode_msgpack(value, Answer)
