"""What the ledger tells a person: accounts by source, day and batch, how the intake stands, what is held."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, bindparam, func, select

from xinglin.intake.model import Account, HeldRow, ObjectRow, Status, Tally
from xinglin.kernel.instants import Instant
from xinglin.stores import intake_tables as sql
from xinglin.stores.database import Row
from xinglin.stores.intake_ledger import IntakeLedger

NEWEST = 1_000
"""Objects over which rate and lateness are told."""


def _grouped(column: ColumnElement[Any]) -> Any:
    return select(column.label("key"), func.count().label("objects"), *sql.COUNTS).group_by(column).order_by(column)


_o = sql.object_.c
_BY_SOURCE = _grouped(_o.source)
_BY_DAY = _grouped(_o.day).where((_o.day >= bindparam("first")) & (_o.day <= bindparam("final")))
_BY_DAY_OF = _BY_DAY.where(_o.source == bindparam("about"))
_READ_BEFORE = (
    select(_o.source, func.count().label("objects"))
    .where((_o.state != "erased") & (_o.settled_at < bindparam("instant")))
    .group_by(_o.source)
    .order_by(_o.source)
)
_BY_BATCH = (
    select(sql.batch.c.number.label("key"), sql.batch.c.objects, *(sql.batch.c[name] for name in sql.COUNT_NAMES))
    .where(sql.batch.c.number > bindparam("after"))
    .order_by(sql.batch.c.number)
    .limit(bindparam("limit"))
)


class IntakeAccounts:
    """Questions to a ledger; nothing here changes it."""

    def __init__(self, ledger: IntakeLedger) -> None:
        self._ledger, self._database = ledger, ledger.database

    def by_source(self) -> tuple[Account, ...]:
        """All objects and records, a source a row."""
        return tuple(map(_account, self._database.rows(_BY_SOURCE)))

    def by_day(self, first: str, last: str, source: str = "") -> tuple[Account, ...]:
        """A day a row (``2024-03-01``, the day at the source), both ends included."""
        if source:
            return tuple(map(_account, self._database.rows(_BY_DAY_OF, first=first, final=last, about=source)))
        return tuple(map(_account, self._database.rows(_BY_DAY, first=first, final=last)))

    def by_batch(self, after: int = 0, limit: int = 100) -> tuple[Account, ...]:
        """A batch a row, those after ``after``; records as they were counted when it was planned."""
        return tuple(map(_account, self._database.rows(_BY_BATCH, after=after, limit=limit)))

    def read_before(self, at: Instant) -> dict[str, int]:
        """Objects by source that were last read before ``at``: what has changed since is not in their rows."""
        return {row["source"]: int(row["objects"]) for row in self._database.rows(_READ_BEFORE, instant=at)}

    def object(self, digest: str) -> ObjectRow | None:
        """What became of one object, by its SHA-256."""
        return self._ledger.object(digest)

    def held(self, after: int = 0, limit: int = 100) -> tuple[HeldRow, ...]:
        """Open quarantined and rejected records with an id after ``after``, oldest first."""
        return tuple(HeldRow(**row) for row in self._database.rows(sql.HELD_OPEN, after=after, limit=limit))

    def held_codes(self) -> dict[str, int]:
        """Open quarantined and rejected records by code."""
        return {row["code"]: row["records"] for row in self._database.rows(sql.HELD_CODES)}

    def moved_to(self, digest: str) -> str:
        """The object that took the place of one from which a person was erased; empty where there is none."""
        found = self._database.one(sql.LINEAGE, key=digest)
        return str(found["new"]) if found else ""

    def status(self, kept: int) -> Status:
        """How the intake stands; ``kept``: objects that the raw store holds."""
        states = {row["state"]: row["objects"] for row in self._database.rows(sql.STATES)}
        (total,) = self._database.rows(sql.TOTAL)
        last = self._database.one(sql.LAST_BATCH)
        newest = self._database.rows(sql.NEWEST_OBJECTS, limit=NEWEST)
        settled = sum(count for state, count in states.items() if state not in ("read", "erased"))
        return Status(
            backlog=max(0, kept - settled),
            last_batch=last["number"] if last else 0,
            last_at=last["committed_at"] if last else 0,
            tally=_tally(total),
            objects=states,
            held=self.held_codes(),
            late_ms=_late(newest),
            rate=_rate(newest),
        )


def _tally(row: Row) -> Tally:
    return Tally(**{name: int(row[name]) for name in sql.COUNT_NAMES})


def _account(row: Row) -> Account:
    return Account(str(row["key"]), int(row["objects"]), _tally(row))


def _late(newest: list[Row]) -> tuple[int, int]:
    """Median, and the one that a twentieth exceeds, of the time from received to committed."""
    waits = sorted(max(0, row["settled_at"] - row["received_at"]) for row in newest)
    if not waits:
        return 0, 0
    return waits[len(waits) // 2], waits[min(len(waits) - 1, len(waits) * 19 // 20)]


def _rate(newest: list[Row]) -> float:
    """Records a second from the first receipt to the last commit among the newest objects."""
    if not newest:
        return 0.0
    span_ms = max(row["settled_at"] for row in newest) - min(row["received_at"] for row in newest)
    return sum(row["received"] for row in newest) * 1000 / max(span_ms, 1)
