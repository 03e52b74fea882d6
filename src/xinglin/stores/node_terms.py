"""What a node keeps of its decisions and of the hospital's own policy, in the node's database.

Decisions are kept up to a number and an age; acts on the policy are added, and never changed or deleted.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
from sqlalchemy import URL, MetaData, Table, bindparam, delete, func, insert, select

from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.stores.columns import number, octets, words
from xinglin.stores.database import Database, sqlite_url
from xinglin.stores.node_database import SCHEMA, SCHEMA_VERSION

DECISIONS = Limit("decisions a node keeps", 20_000, "decisions")
DECISION_DAYS = Limit("days a node keeps a decision", 400, "days")
DECISION_BYTES = Limit("a kept decision", 256 * 1024, "bytes")
DAY_MS = 24 * 3600 * 1000

_meta = MetaData()
decision = Table(
    "policy_decision",
    _meta,
    words("decision", key=True),
    number("number", index=True),
    number("at", index=True),
    octets("body"),
)
act = Table("policy_act", _meta, number("number", key=True), octets("body"))
"""Acts on the hospital's own policy, numbered from 0."""

_NEWEST = select(func.coalesce(func.max(decision.c.number), -1).label("number"))
_DROP = delete(decision).where(decision.c.decision == bindparam("key"))
_ADD = insert(decision)
_PRUNE = delete(decision).where((decision.c.number <= bindparam("least")) | (decision.c.at < bindparam("since")))
_LAST = (
    select(decision)
    .where(decision.c.at >= bindparam("since"))
    .order_by(decision.c.number.desc())
    .limit(bindparam("most"))
)
_ACTS = select(act).order_by(act.c.number)
_ADD_ACT = insert(act)


class DecisionRow(msgspec.Struct, frozen=True):
    """A decision by its name, when it was made, and what is kept of it."""

    decision: str
    at: Instant
    body: bytes


class NodeTerms:
    """Decisions and policy acts of a node, beside its other tables."""

    def __init__(self, url: str | URL, most: int = DECISIONS.value) -> None:
        self._database = Database(url, SCHEMA)
        self._database.install(_meta, SCHEMA_VERSION)
        self._most = most

    @classmethod
    def in_folder(cls, folder: Path, most: int = DECISIONS.value) -> NodeTerms:
        """In the node's own file ``node.db``."""
        return cls(sqlite_url(folder / "node.db"), most)

    def close(self) -> None:
        """Close every connection."""
        self._database.close()

    def keep(self, row: DecisionRow) -> None:
        """Keep a decision in place of an earlier one of its name; those beyond number or age go, in one transaction."""
        DECISION_BYTES.check(len(row.body))
        with self._database.alone() as work:
            newest = work.one(_NEWEST)
            following = (newest["number"] if newest else -1) + 1
            work.write(_DROP, key=row.decision)
            work.write(_ADD, number=following, **msgspec.structs.asdict(row))
            work.write(_PRUNE, least=following - self._most, since=row.at - DECISION_DAYS.value * DAY_MS)

    def last(self, most: int, now: Instant) -> tuple[DecisionRow, ...]:
        """The newest decisions, newest first; none that is older than decisions are kept."""
        rows = self._database.rows(_LAST, most=most, since=now - DECISION_DAYS.value * DAY_MS)
        return tuple(DecisionRow(row["decision"], row["at"], row["body"]) for row in rows)

    def acts(self) -> tuple[bytes, ...]:
        """Every act, oldest first."""
        return tuple(row["body"] for row in self._database.rows(_ACTS))

    def add_act(self, place: int, body: bytes) -> bool:
        """Add an act at its place; False where another one is there already or the place before it is empty."""
        with self._database.alone() as work:
            if len(work.rows(_ACTS)) != place:
                return False
            work.write(_ADD_ACT, number=place, body=body)
        return True
