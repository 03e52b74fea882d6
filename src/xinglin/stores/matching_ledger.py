"""Matchings of this institution with others: how many were begun under each agreement, and with whom."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import URL, MetaData, Table, bindparam, func, insert, select

from xinglin.kernel.instants import Instant
from xinglin.kernel.verdict import Allowed, Denied, Verdict
from xinglin.secure.blind.matching_terms import Matching, MatchingRule, judge_matching
from xinglin.stores.columns import number, octets, words
from xinglin.stores.database import Database, sqlite_url

SCHEMA_VERSION = 1

_meta = MetaData()
begun = Table(
    "matching_begun",
    _meta,
    octets("domain", key=True),
    words("agreement", index=True),
    words("learner"),
    words("helper"),
    words("shows"),
    number("at"),
)
_COUNT = select(func.count().label("many")).where(begun.c.agreement == bindparam("under"))
_SAME = select(begun.c.at).where(begun.c.domain == bindparam("named"))
_ADD = insert(begun)
_ALL = select(begun).order_by(begun.c.at, begun.c.domain)


class MatchingLedger:
    """SQLite in the node's folder, or PostgreSQL by URL; what is begun is counted, however it ends."""

    def __init__(self, url: str | URL, schema: str = "", *, accept_loss: bool = False) -> None:
        self._database = Database(url, schema)
        self._database.install(_meta, SCHEMA_VERSION, accept_loss=accept_loss)

    @classmethod
    def in_folder(cls, folder: Path) -> MatchingLedger:
        """The database file ``matching.db`` in ``folder``."""
        return cls(sqlite_url(folder / "matching.db"))

    def begin(self, rule: MatchingRule, matching: Matching, me: str, at: Instant) -> Verdict:
        """Judge by the rule and note, in one transaction and durable; one that was noted before is ``Denied``."""
        domain = matching.domain()
        with self._database.alone() as work:
            many = work.one(_COUNT, under=matching.agreement)
            earlier = int(many["many"]) if many is not None else 0
            if work.one(_SAME, named=domain) is not None:
                earlier = max(earlier, rule.matchings_most)
            verdict = judge_matching(rule, matching, me, earlier)
            if isinstance(verdict, Denied):
                return verdict
            work.write(
                _ADD,
                domain=domain,
                agreement=matching.agreement,
                learner=matching.learner,
                helper=matching.helper,
                shows=matching.shows,
                at=at,
            )
        return Allowed()

    def all(self) -> list[dict[str, object]]:
        """Every matching that was begun, oldest first."""
        return [{**row, "domain": row["domain"].hex()} for row in self._database.rows(_ALL)]

    def close(self) -> None:
        """Close every connection."""
        self._database.close()
