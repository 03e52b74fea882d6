"""What persons said about the grades of columns, with its whole history; a word and its evidence are one write."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from xinglin.catalogue.confirming import GradeConfirmation
from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.limits import Limit
from xinglin.stores import grade_tables as sql
from xinglin.stores.database_errors import DatabaseTooNew
from xinglin.stores.intake_ledger import IntakeLedger
from xinglin.stores.intake_tables import ADD_OUTBOX, SCHEMA_VERSION

WORDS_AT_ONCE = Limit("grades confirmed at once", 10_000, "grades")
EVIDENCE_KIND = "change"
_PAGE = 1_000


class _Versioned(msgspec.Struct, frozen=True):
    """The version of a word, whatever else it says."""

    version: int = 1


class GradeWords:
    """Words on grades, in the database of a node's ledger.

    Guarantee: ``keep`` is whole or not at all, and durable when it returns; each word is in the outbox of the log
    as a digest, and in nothing else that leaves. Nothing here changes or deletes a word.
    """

    def __init__(self, ledger: IntakeLedger) -> None:
        self._ledger, self._database = ledger, ledger.database
        self._database.install(sql.meta, SCHEMA_VERSION)

    def close(self) -> None:
        """Close the ledger that it was given."""
        self._ledger.close()

    def keep(self, words: Sequence[GradeConfirmation]) -> None:
        """Add words, in order. Raises ``LimitExceeded``."""
        WORDS_AT_ONCE.check(len(words))
        with self._database.alone() as work:
            for word in words:
                name, digest = f"{word.table}.{word.column}", word.digest()
                work.write(sql.ADD_WORD, data_set=word.data_set, name=name, value=encode_msgpack(word))
                told = msgspec.msgpack.encode({"what": digest})
                work.write(ADD_OUTBOX, kind=EVIDENCE_KIND, subject=digest, at=word.at, values=told, batch=0)

    def newest(self, data_set: str) -> tuple[GradeConfirmation, ...]:
        """The newest word on each column of a data set."""
        return tuple(map(_word, (row["value"] for row in self._database.rows(sql.NEWEST, about=data_set))))

    def history(self, data_set: str) -> Iterator[GradeConfirmation]:
        """Every word on a data set, oldest first."""
        after = 0
        while page := self._database.rows(sql.WORDS, about=data_set, after=after, limit=_PAGE):
            yield from (_word(row["value"]) for row in page)
            after = page[-1]["number"]


def _word(value: bytes) -> GradeConfirmation:
    version = decode_msgpack(bytes(value), _Versioned).version
    if version != 1:
        words = f"A confirmed grade has version {version}; this program knows version 1."
        raise DatabaseTooNew(words, remedy="Update the package.")
    return decode_msgpack(bytes(value), GradeConfirmation)
