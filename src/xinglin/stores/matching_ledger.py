"""Matchings of this institution with others: how many were begun under each agreement, and with whom; their leaves.

A leaf is kept with the salts and values behind its commitments, which open it to an auditor: agreements, sizes and
digests, never an item. Keys of filters are kept as digests, so that none is used twice.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
from sqlalchemy import URL, MetaData, Table, bindparam, func, insert, select, update

from xinglin.kernel.instants import Instant
from xinglin.kernel.verdict import Allowed, Denied, Verdict, deny
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
leaf = Table(
    "matching_leaf",
    _meta,
    octets("session", key=True),
    words("kind", key=True),
    number("at"),
    number("index"),
    octets("opening"),
)
used = Table("matching_key", _meta, octets("digest", key=True), octets("session"))
_COUNT = select(func.count().label("many")).where(begun.c.agreement == bindparam("under"))
_SAME = select(begun.c.at).where(begun.c.domain == bindparam("named"))
_ADD = insert(begun)
_LEAF = select(leaf).where(leaf.c.session == bindparam("named"), leaf.c.kind == bindparam("of"))
_ADD_LEAF = insert(leaf)
_PLACE = (
    update(leaf)
    .where(leaf.c.session == bindparam("named"), leaf.c.kind == bindparam("of"))
    .values(index=bindparam("place"))
)
_LEAVES = select(leaf).order_by(leaf.c.at, leaf.c.session, leaf.c.kind)
_KEY = select(used.c.session).where(used.c.digest == bindparam("named"))
_ADD_KEY = insert(used)
_ALL = select(begun).order_by(begun.c.at, begun.c.domain)


class Leaf(msgspec.Struct, frozen=True):
    """One leaf about a session: ``index`` in the log (-1: not known yet), ``opening``: MessagePack.

    It maps labels to salt and value.
    """

    session: bytes
    kind: str
    at: Instant
    index: int
    opening: bytes

    def __repr__(self) -> str:
        return f"Leaf({self.kind!r}, {self.index})"


class MatchingLedger:
    """SQLite in the node's folder, or PostgreSQL by URL; what is begun is counted, however it ends."""

    def __init__(self, url: str | URL, schema: str = "", *, accept_loss: bool = False) -> None:
        self._database = Database(url, schema)
        self._database.install(_meta, SCHEMA_VERSION, accept_loss=accept_loss)

    @classmethod
    def in_folder(cls, folder: Path) -> MatchingLedger:
        """The database file ``matching.db`` in ``folder``."""
        return cls(sqlite_url(folder / "matching.db"))

    def begin(self, rule: MatchingRule, matching: Matching, me: str, at: Instant, *, resumed: bool = False) -> Verdict:
        """Judge by the rule and note, in one transaction and durable; one that was noted before is ``Denied``.

        ``resumed``: this side goes on with a matching whose journal it has: the same one again is ``Allowed``.
        """
        domain = matching.domain()
        with self._database.alone() as work:
            many = work.one(_COUNT, under=matching.agreement)
            earlier = int(many["many"]) if many is not None else 0
            if work.one(_SAME, named=domain) is not None:
                if resumed:
                    return Allowed()
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

    def leaf(self, session: bytes, kind: str) -> Leaf | None:
        """What is kept of one leaf of a session."""
        found = self._database.one(_LEAF, named=session, of=kind)
        return None if found is None else Leaf(**found)

    def keep_leaf(self, session: bytes, kind: str, at: Instant, opening: bytes) -> Leaf:
        """Keep a leaf and what opens it before it is sent."""
        one = Leaf(session, kind, at, -1, opening)
        self._database.write(_ADD_LEAF, **msgspec.structs.asdict(one))
        return one

    def placed(self, session: bytes, kind: str, index: int) -> None:
        """The leaf's index in the log is known."""
        self._database.write(_PLACE, named=session, of=kind, place=index)

    def leaves(self) -> tuple[Leaf, ...]:
        """Every leaf, oldest first."""
        return tuple(Leaf(**row) for row in self._database.rows(_LEAVES))

    def use_key(self, digest: bytes, session: bytes) -> Verdict:
        """Note that a key of filters is used in a session; ``Denied`` where another session had it."""
        with self._database.alone() as work:
            before = work.one(_KEY, named=digest)
            if before is None:
                work.write(_ADD_KEY, digest=digest, session=session)
            elif bytes(before["session"]) != session:
                words = "This key of filters was used before, for another linkage."
                return deny("secure.match_key", words, "Draw a fresh key for each linkage.")
        return Allowed()

    def all(self) -> list[dict[str, object]]:
        """Every matching that was begun, oldest first."""
        return [{**row, "domain": row["domain"].hex()} for row in self._database.rows(_ALL)]

    def close(self) -> None:
        """Close every connection."""
        self._database.close()
