"""Extracts at the hospital: reviewers and their votes, what each mark stands for, synthetic sets that failed."""

from __future__ import annotations

from pathlib import Path

import msgspec
from sqlalchemy import URL, MetaData, Table, bindparam, delete, select, update

from xinglin.access.output_review import CastOutputVote
from xinglin.kernel.codec import decode_json
from xinglin.kernel.instants import Instant
from xinglin.stores.columns import number, octets, words
from xinglin.stores.database import Database, insert_or, sqlite_url

SCHEMA_VERSION = 1
SCHEMA = "xinglin_node_extracts"
"""Where the tables lie in PostgreSQL, unless the URL or the role sets a search path."""
_meta = MetaData()
mark = Table(
    "mark",
    _meta,
    words("run", key=True),
    words("agreement"),
    words("recipient"),
    number("at"),
    octets("plan"),
)
vote = Table(
    "vote", _meta, words("key", key=True), words("run", index=True), words("shown"), words("reviewer"), octets("cast")
)
unmade = Table("unmade", _meta, words("run", key=True), words("data_set"), words("study"), number("at"))
reviewer = Table("reviewer", _meta, words("did", key=True), number("since"))
_ADD_MARK = insert_or(mark, "run", replace=False)
_MARKS = select(mark).order_by(mark.c.at, mark.c.run)
_MARK_OF = select(mark).where(mark.c.run == bindparam("one_run"))
_SET_PLAN = update(mark).where(mark.c.run == bindparam("one_run")).values(plan=bindparam("how"))
_BEGIN_MAKING = insert_or(unmade, "run", replace=False)
_MADE = delete(unmade).where(unmade.c.run == bindparam("one_run"))
_OF_STUDY = (unmade.c.data_set == bindparam("which")) & (unmade.c.study == bindparam("whose"))
_UNMADE = select(unmade.c.run).where(_OF_STUDY)
_FORGIVE = delete(unmade).where(_OF_STUDY)
_ADD_VOTE = insert_or(vote, "key", replace=False)
_VOTES = (
    select(vote)
    .where((vote.c.run == bindparam("one_run")) & (vote.c.shown == bindparam("what")))
    .order_by(vote.c.reviewer)
)
_ADD_REVIEWER = insert_or(reviewer, "did", replace=False)
_REVIEWERS = select(reviewer).order_by(reviewer.c.did)
_DROP_REVIEWER = delete(reviewer).where(reviewer.c.did == bindparam("who"))


class MarkRow(msgspec.Struct, frozen=True):
    """What a mark's codeword stands for: to whom, under which agreement, when; and how it was set (JSON)."""

    run: str
    agreement: str
    recipient: str
    at: Instant
    plan: bytes = b""


class NodeExtractStore:
    """SQLite in the node's folder, or PostgreSQL by URL; every write is durable when its call returns."""

    def __init__(self, url: str | URL, *, accept_loss: bool = False) -> None:
        self._database = Database(url, SCHEMA)
        self._database.install(_meta, SCHEMA_VERSION, accept_loss=accept_loss)

    @classmethod
    def in_folder(cls, folder: Path) -> NodeExtractStore:
        """The database file ``extracts.db`` in ``folder``."""
        return cls(sqlite_url(folder / "extracts.db"))

    def close(self) -> None:
        """Close every connection."""
        self._database.close()

    def add_mark(self, row: MarkRow) -> None:
        """Keep what a mark stands for, before it is set; the first word on it stands."""
        self._database.write(_ADD_MARK, **msgspec.structs.asdict(row))

    def set_mark_plan(self, run: str, plan: bytes) -> None:
        """Keep how the mark of a run's extract was set, which finding it again needs."""
        self._database.write(_SET_PLAN, one_run=run, how=plan)

    def mark_of(self, run: str) -> MarkRow | None:
        """The mark of a run's extract."""
        found = self._database.one(_MARK_OF, one_run=run)
        return msgspec.convert(found, MarkRow) if found else None

    def marks(self) -> tuple[MarkRow, ...]:
        """Every mark that was ever set, oldest first."""
        return tuple(msgspec.convert(row, MarkRow) for row in self._database.rows(_MARKS))

    def begin_making(self, run: str, data_set: str, study: str, now: Instant) -> None:
        """A synthetic set is measured from now on; it stands as one that failed until ``made``."""
        self._database.write(_BEGIN_MAKING, run=run, data_set=data_set, study=study, at=now)

    def made(self, run: str) -> None:
        """The set's model is kept, or nobody learns what became of it."""
        self._database.write(_MADE, one_run=run)

    def unmade(self, data_set: str, study: str) -> frozenset[str]:
        """Runs of a study whose synthetic sets of a data set were begun and not made."""
        return frozenset(row["run"] for row in self._database.rows(_UNMADE, which=data_set, whose=study))

    def forgive_unmade(self, data_set: str, study: str) -> int:
        """Count anew how many fail; how many did."""
        return self._database.write(_FORGIVE, which=data_set, whose=study)

    def add_vote(self, run: str, shown: str, who: str, cast: CastOutputVote) -> bool:
        """Keep a reviewer's vote on what was shown; False when they gave one before: the first one stands."""
        values = {"run": run, "shown": shown, "reviewer": who, "cast": msgspec.json.encode(cast)}
        return self._database.write(_ADD_VOTE, key=f"{run}/{shown}/{who}", **values) == 1

    def votes(self, run: str, shown: str) -> dict[str, CastOutputVote]:
        """The votes on what was shown, by reviewer."""
        rows = self._database.rows(_VOTES, one_run=run, what=shown)
        return {row["reviewer"]: decode_json(row["cast"], CastOutputVote) for row in rows}

    def appoint(self, did: str, now: Instant) -> None:
        """A person reviews outputs from now on; again changes nothing."""
        self._database.write(_ADD_REVIEWER, did=did, since=now)

    def dismiss(self, did: str) -> None:
        """A person reviews no longer; votes that they gave stand."""
        self._database.write(_DROP_REVIEWER, who=did)

    def reviewers(self) -> tuple[str, ...]:
        """DIDs of the persons who review outputs, sorted."""
        return tuple(row["did"] for row in self._database.rows(_REVIEWERS))
