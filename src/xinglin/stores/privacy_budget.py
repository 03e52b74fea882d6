"""The ledger of privacy budgets in a node's database: both scopes, the chain and the release, each write whole."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec
from sqlalchemy import URL, CheckConstraint, Index, MetaData, Table, bindparam, insert, select, text, union, update

from xinglin.kernel.canonical import sha256_digest
from xinglin.kernel.instants import Instant
from xinglin.kernel.verdict import Allowed, Denied, Verdict, deny
from xinglin.privacy.noise.budget import (
    EVERYBODY,
    NAME_LETTERS,
    RELEASE_BYTES,
    Ask,
    Cached,
    Charged,
    Entry,
    Forecast,
    Outcome,
    Position,
    Preview,
    Scope,
    decide,
    following,
    forecast,
    preview,
    recap,
    verify,
)
from xinglin.privacy.noise.errors import BadNoise, BrokenChain
from xinglin.privacy.noise.reserving import Held, Reservation, Reserved, Waits, held_by_others, reserve
from xinglin.stores import privacy_reserved as holds
from xinglin.stores.columns import number, octets, words
from xinglin.stores.database import Database, Row, Work, sqlite_url
from xinglin.stores.node_database import SCHEMA, SCHEMA_VERSION

_meta = MetaData()
lineage = Table("budget_lineage", _meta, words("data_set", key=True), words("root"))
scope = Table(
    "budget_scope",
    _meta,
    words("data_set", key=True),
    words("study", key=True),
    number("cap"),
    number("spent"),
    CheckConstraint("spent >= 0 AND spent <= cap", name="never_overspent"),
)
entry = Table(
    "budget_entry",
    _meta,
    words("data_set", key=True),
    number("seq", key=True),
    number("at"),
    words("kind"),
    words("study"),
    words("run"),
    words("query"),
    number("rho_units"),
    words("told"),
    number("study_spent"),
    number("all_spent"),
    words("prev"),
    words("hash"),
    number("version"),
    Index("budget_entry_run", "data_set", "run"),
    Index("budget_entry_study", "data_set", "study", "seq"),
)
covered = Table("budget_covered", _meta, words("data_set", key=True), words("lake_table", key=True))
"""Lake tables that a budget was ever asked about: rows are only added, whatever is published later."""
release = Table(
    "budget_release",
    _meta,
    words("data_set", key=True),
    words("run", key=True),
    words("study"),
    words("query"),
    number("seq"),
    octets("release"),
    Index("budget_release_query", "data_set", "query", "seq"),
)

_ROOT = select(lineage.c.root).where(lineage.c.data_set == bindparam("one"))
_INHERIT = insert(lineage)
_BEGUN = union(select(lineage.c.data_set), select(scope.c.data_set))
_COVER = insert(covered)
_COVERED = select(covered.c.lake_table).where(covered.c.data_set == bindparam("one"))
_COVERING = select(covered.c.data_set).where(covered.c.lake_table == bindparam("name"))
_SCOPES = select(scope).where(scope.c.data_set == bindparam("one")).order_by(scope.c.study != EVERYBODY, scope.c.study)
_TWO_SCOPES = select(scope).where(
    (scope.c.data_set == bindparam("one")) & ((scope.c.study == bindparam("all")) | (scope.c.study == bindparam("by")))
)
_ADD_SCOPE = insert(scope)
_RAISE_CAP = (
    update(scope)
    .where((scope.c.data_set == bindparam("one")) & (scope.c.study == bindparam("by")))
    .values(cap=bindparam("units"))
)
_SPEND = text("UPDATE budget_scope SET spent = spent + :units WHERE data_set = :one AND study = :by")
_ADD_ENTRY = insert(entry)
_ENTRIES = select(entry).where(entry.c.data_set == bindparam("one")).order_by(entry.c.seq)
_LAST = _ENTRIES.order_by(None).order_by(entry.c.seq.desc()).limit(1)
_LAST_OF_STUDY = _LAST.where(entry.c.study == bindparam("by"))
_PAID_BY_RUN = _LAST.where(
    (entry.c.run == bindparam("of_run")) & ((entry.c.kind == "charge") | (entry.c.kind == "share"))
)
_SHARED = _LAST_OF_STUDY.where((entry.c.query == bindparam("about")) & (entry.c.kind == "share"))
_ADD_RELEASE = insert(release)
_RELEASE = select(release).where((release.c.data_set == bindparam("one")) & (release.c.run == bindparam("of_run")))
_RELEASES = (
    select(release)
    .where((release.c.data_set == bindparam("one")) & (release.c.query == bindparam("about")))
    .order_by(release.c.study != bindparam("by"), release.c.seq)
    .limit(1)
)
_AT_SEQ = _ENTRIES.where(entry.c.seq == bindparam("place"))


class BudgetLedger:
    """See ``privacy.noise.ports.PrivacyLedger``, which it is; safe from several threads and processes."""

    def __init__(self, url: str | URL, *, accept_loss: bool = False) -> None:
        self._database = Database(url, SCHEMA)
        for tables in (_meta, holds.meta):
            self._database.install(tables, SCHEMA_VERSION, accept_loss=accept_loss)

    @classmethod
    def in_folder(cls, folder: Path) -> BudgetLedger:
        """In the node's own file ``node.db``."""
        return cls(sqlite_url(folder / "node.db"))

    def close(self) -> None:
        """Close every connection."""
        self._database.close()

    # --- by the hospital ---------------------------------------------------------------------

    def set_cap(self, data_set: str, study: str, rho_units: int, at: Instant) -> Verdict:
        """See the port."""
        _named(data_set, study)
        with self._database.alone() as work:
            return _cap(work, _root(work, data_set), study, rho_units, at)

    def begin(self, data_set: str, study: str, everybody_units: int, study_units: int, at: Instant) -> None:
        """See the port; also of the budgets that share a lake table, which pay too."""
        _named(data_set, study)
        with self._database.alone() as work:
            for root in _roots(work, data_set):
                for name, units in ((EVERYBODY, everybody_units), (study, study_units)):
                    denied = None if _scope(work, root, name) else _cap(work, root, name, units, at)
                    if isinstance(denied, Denied):
                        raise BadNoise("Such caps cannot be set.", why=denied.reasons[0].words)

    def cover(self, data_set: str, tables: Iterable[str], at: Instant) -> None:
        """Note that ``data_set`` reads these lake tables, for good; whoever shares one shares what is spent.

        One that has no budget yet goes on with that of the data set it shares a table with (the least left, of
        several); one that has its own pays from each that it shares a table with.
        """
        wanted = frozenset(tables)
        _named(data_set, data_set)
        with self._database.alone() as work:
            if not work.rows(_ROOT, one=data_set) and not work.rows(_SCOPES, one=data_set):
                _adopt(work, data_set, _covering(work, wanted), at)
            root = _root(work, data_set)
            for name in sorted(wanted - {row["lake_table"] for row in work.rows(_COVERED, one=root)}):
                work.write(_COVER, data_set=root, lake_table=name)

    def sharing(self, data_set: str) -> tuple[str, ...]:
        """The budgets that pay for an answer about ``data_set``: its own first, then those that share a table."""
        with self._database.alone() as work:
            return _roots(work, data_set)

    def inherit(self, data_set: str, of: str, at: Instant) -> Verdict:
        """See the port; denied where the new version has a budget of its own already."""
        _named(data_set, of)
        with self._database.alone() as work:
            root = _root(work, of)
            if _root(work, data_set) == root:
                return Allowed()
            if work.rows(_ROOT, one=data_set) or work.rows(_SCOPES, one=data_set):
                return deny("privacy.has_budget", "It has a budget already.", "Spend that, or use a new data set.")
            last = _last(work, root)
            if last is None:
                return deny(
                    "privacy.no_budget", "There is no budget to inherit.", "Set the older version's caps first."
                )
            _go_on(work, data_set, root, last, at)
        return Allowed()

    # --- by a run ----------------------------------------------------------------------------

    def reserve(self, data_set: str, study: str, run: str, query_digest: str, rho_units: int, at: Instant) -> Held:
        """See the port. One transaction: of all budgets that share a table, or of none."""
        ask = Ask(data_set, study, run, query_digest, rho_units)
        with self._database.alone() as work:
            holds.sweep(work, at)
            first, *others = (_held(work, root, ask, at) for root in _roots(work, data_set))
            if not isinstance(first, Reserved):
                return first
            for kind in (Denied, Waits):
                for one in others:
                    if isinstance(one, kind):
                        return one
            found = [one for one in (first, *others) if isinstance(one, Reserved) and not one.again]
            holds.add(work, [one.reservation for one in found])
        return first

    def give_back(self, run: str, at: Instant) -> tuple[str, ...]:
        """See the port."""
        with self._database.alone() as work:
            return holds.end(work, run, at)

    def charge(self, data_set: str, study: str, run: str, query_digest: str, rho_units: int, at: Instant) -> Outcome:
        """See the port. One transaction: what it read still holds when it writes, and all that share a table pay.

        What the run held becomes the charge in the same transaction.
        """
        ask = Ask(data_set, study, run, query_digest, rho_units)
        with self._database.alone() as work:
            outcome, others = _decided(work, ask, at)
            for one in others:
                _pay(work, msgspec.structs.replace(one, told=data_set).sealed(), (EVERYBODY, study))
            if isinstance(outcome, Charged) and not outcome.again:
                _pay(work, outcome.entry, (EVERYBODY, study))
            elif isinstance(outcome, Cached) and outcome.entry is not None:
                _pay(work, outcome.entry, (study,))
            if isinstance(outcome, Charged):
                holds.pay(work, run)
        return outcome

    def look(self, data_set: str, study: str, run: str, query_digest: str, rho_units: int, at: Instant = 0) -> Outcome:
        """See the port."""
        ask = Ask(data_set, study, run, query_digest, rho_units)
        with self._database.alone() as work:
            return _decided(work, ask, at)[0]

    def paid(self, data_set: str, run: str) -> Entry | None:
        """See the port."""
        with self._database.alone() as work:
            found = work.one(_PAID_BY_RUN, one=_root(work, data_set), of_run=run)
        return _whole(Entry(**found)) if found else None

    def keep(self, data_set: str, run: str, release: bytes, at: Instant) -> bytes:
        """See the port."""
        RELEASE_BYTES.check(len(release))
        with self._database.alone() as work:
            root = _root(work, data_set)
            found = work.one(_RELEASE, one=root, of_run=run)
            if found is not None:
                return _intact(work, found)
            paid, last = work.one(_PAID_BY_RUN, one=root, of_run=run), _last(work, root)
            if paid is None or last is None or paid["kind"] != "charge":
                raise BadNoise("This run did not pay for a release.", remedy="Charge before anything is computed.")
            about = {"study": paid["study"], "run": run, "query": paid["query"]}
            spent = work.rows(_LAST_OF_STUDY, one=root, by=paid["study"])[0]["study_spent"]
            told = {"told": sha256_digest(release), "study_spent": spent}
            line = following(last, data_set=root, at=at, kind="release", **about, **told)
            _add(work, line)
            work.write(_ADD_RELEASE, data_set=root, **about, seq=line.seq, release=release)
        return release

    # --- reading -----------------------------------------------------------------------------

    def release(self, data_set: str, run: str) -> bytes | None:
        """See the port."""
        with self._database.alone() as work:
            found = work.one(_RELEASE, one=_root(work, data_set), of_run=run)
            return _intact(work, found) if found else None

    def scope(self, data_set: str, study: str) -> Scope | None:
        """See the port."""
        with self._database.alone() as work:
            return _scope(work, _root(work, data_set), study)

    def caps(self, data_set: str) -> tuple[Scope, ...]:
        """See the port."""
        with self._database.alone() as work:
            return _scopes(work, _root(work, data_set))

    def standing(self, data_set: str, at: Instant) -> tuple[Scope, ...]:
        """See the port."""
        with self._database.alone() as work:
            root = _root(work, data_set)
            found, held = _scopes(work, root), holds.holding(work, root, at)
        return tuple(_with(one, held, "", at) for one in found)

    def begun(self) -> frozenset[str]:
        """Data sets that have a budget of their own, or go on with another's."""
        return frozenset(str(row["data_set"]) for row in self._database.rows(_BEGUN))

    def reservations(self, data_set: str, at: Instant) -> tuple[Reservation, ...]:
        """See the port."""
        with self._database.alone() as work:
            return holds.holding(work, _root(work, data_set), at)

    def spent(self, data_set: str, study: str = EVERYBODY) -> int:
        """See the port."""
        found = self.scope(data_set, study)
        return found.spent if found else 0

    def entries(self, data_set: str) -> tuple[Entry, ...]:
        """See the port; also held against what the ledger goes by."""
        with self._database.alone() as work:
            root = _root(work, data_set)
            found, scopes = tuple(Entry(**row) for row in work.rows(_ENTRIES, one=root)), _scopes(work, root)
        verify(found, scopes)
        return found

    def head(self, data_set: str) -> str:
        """See the port."""
        with self._database.alone() as work:
            last = _last(work, _root(work, data_set))
        return last.hash if last else ""

    def preview(self, data_set: str, study: str, rho_units: int, at: Instant = 0) -> Preview | Denied:
        """What one more release would cost at ``at``, beside what runs hold then; charges nothing."""
        scopes = {one.study: one for one in self.standing(data_set, at)}
        of_study, everybody = scopes.get(study), scopes.get(EVERYBODY)
        if of_study is None or everybody is None:
            return deny("privacy.no_budget", "The data set has no privacy budget.", "The hospital has to set its caps.")
        return preview(of_study, everybody, rho_units)

    def forecast(self, data_set: str, study: str, now: Instant, window_days: int = 30) -> Forecast | Denied:
        """How long a scope lasts at the pace of the last days."""
        found = next((one for one in self.standing(data_set, now) if one.study == study), None)
        if found is None:
            return deny("privacy.no_budget", "There is no such budget.", "The hospital has to set its caps.")
        return forecast(found, self.entries(data_set), now, window_days)


def _named(data_set: str, other: str) -> None:
    for name in (data_set, other):
        NAME_LETTERS.check(len(name))
        if not name or not name.isprintable():
            raise BadNoise("A budget names a data set and a study.")


def _cap(work: Work, root: str, study: str, rho_units: int, at: Instant) -> Verdict:
    found = _scope(work, root, study)
    if found is not None and found.cap == rho_units:
        return Allowed()
    line = recap(found, _last(work, root), root, study, rho_units, at)
    if isinstance(line, Denied):
        return line
    if found is None:
        work.write(_ADD_SCOPE, data_set=root, study=study, cap=rho_units, spent=0)
    else:
        work.write(_RAISE_CAP, one=root, by=study, units=rho_units)
    _add(work, line)
    return Allowed()


def _decided(work: Work, ask: Ask, at: Instant) -> tuple[Outcome, tuple[Entry, ...]]:
    """What a charge comes to, and what the budgets that share a table pay with it; denied where one of them lacks."""
    root, *others = _roots(work, ask.data_set)
    outcome = decide(_position(work, root, ask, at), ask, at)
    entry = None if isinstance(outcome, Denied) or (isinstance(outcome, Charged) and outcome.again) else outcome.entry
    if entry is None:
        return outcome, ()
    lines = []
    for other in others:
        theirs = decide(_position(work, other, ask, at), ask, at)
        if isinstance(theirs, Denied):
            return theirs, ()
        if isinstance(theirs, Charged) and not theirs.again:
            lines.append(theirs.entry)
    return outcome, tuple(lines)


def _held(work: Work, root: str, ask: Ask, at: Instant) -> Held:
    return reserve(_position(work, root, ask, at), ask, holds.known(work, root, ask.study, ask.run), at)


def _with(one: Scope, held: Iterable[Reservation], run: str, at: Instant) -> Scope:
    """The scope with what runs other than ``run`` hold of it."""
    units = held_by_others(held, run, at, "" if one.study == EVERYBODY else one.study)
    return msgspec.structs.replace(one, reserved=units) if units else one


def _covering(work: Work, tables: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({str(row["data_set"]) for name in tables for row in work.rows(_COVERING, name=name)}))


def _roots(work: Work, data_set: str) -> tuple[str, ...]:
    root = _root(work, data_set)
    tables = [str(row["lake_table"]) for row in work.rows(_COVERED, one=root)]
    return (root, *(one for one in _covering(work, tables) if one != root))


def _adopt(work: Work, data_set: str, roots: Iterable[str], at: Instant) -> None:
    """Have a new data set go on with the budget, of those that cover its tables, that has the least left."""
    left = {one: found.left for one in roots if (found := _scope(work, one, EVERYBODY)) is not None}
    if left:
        root = min(left, key=lambda one: (left[one], one))
        last = _last(work, root)
        if last is not None:
            _go_on(work, data_set, root, last, at)


def _go_on(work: Work, data_set: str, root: str, last: Entry, at: Instant) -> None:
    spent = {"study_spent": last.all_spent, "all_spent": last.all_spent}
    work.write(_INHERIT, data_set=data_set, root=root)
    _add(work, following(last, data_set=root, at=at, kind="inherit", told=data_set, **spent))


def _root(work: Work, data_set: str) -> str:
    found = work.one(_ROOT, one=data_set)
    return str(found["root"]) if found else data_set


def _scopes(work: Work, root: str) -> tuple[Scope, ...]:
    return tuple(Scope(**row) for row in work.rows(_SCOPES, one=root))


def _scope(work: Work, root: str, study: str) -> Scope | None:
    return next((one for one in _scopes(work, root) if one.study == study), None)


def _last(work: Work, root: str) -> Entry | None:
    found = work.one(_LAST, one=root)
    return _whole(Entry(**found)) if found else None


def _whole(line: Entry) -> Entry:
    if not line.is_whole:
        raise BrokenChain(
            f"Entry {line.seq} of the budget's history was changed.",
            remedy="Compare with the heads that the log holds.",
        )
    return line


def _add(work: Work, line: Entry) -> None:
    work.write(_ADD_ENTRY, **msgspec.structs.asdict(line))


def _pay(work: Work, line: Entry, studies: tuple[str, ...]) -> None:
    for study in studies:
        work.write(_SPEND, one=line.data_set, by=study, units=line.rho_units)
    _add(work, line)


def _intact(work: Work, row: Row) -> bytes:
    """A release, held against the digest in its entry."""
    line = work.one(_AT_SEQ, one=row["data_set"], place=row["seq"])
    kept = bytes(row["release"])
    if line is None or _whole(Entry(**line)).told != sha256_digest(kept):
        raise BrokenChain("A kept release is not the one that its entry tells.", remedy="Restore it from a backup.")
    return kept


def _position(work: Work, root: str, ask: Ask, at: Instant) -> Position:
    """All that the charge depends on; ``BrokenChain`` where the scopes are not what the newest entries say."""
    two = {row["study"]: Scope(**row) for row in work.rows(_TWO_SCOPES, one=root, all=EVERYBODY, by=ask.study)}
    everybody, study, last = two.get(EVERYBODY), two.get(ask.study), _last(work, root)
    if everybody is None or study is None or last is None:
        return Position(None, None, last)
    of_study = work.one(_LAST_OF_STUDY, one=root, by=ask.study)
    told = _whole(Entry(**of_study)).study_spent if of_study else -1
    if (everybody.spent, study.spent) != (last.all_spent, told):
        raise BrokenChain("What was spent is not what the entries say.", remedy="Stop answering, and compare.")
    of_run = work.one(_PAID_BY_RUN, one=root, of_run=ask.run)
    kept = work.one(_RELEASES, one=root, about=ask.query, by=ask.study)
    shared = kept is not None and work.one(_SHARED, one=root, by=ask.study, about=ask.query) is not None
    held = holds.holding(work, root, at)
    own = any((one.run, one.study, one.query, one.rho_units) == _named_by(ask) for one in held)
    others: tuple[Reservation, ...] = () if own else held  # what a run held for itself is its own to spend
    return Position(
        _with(everybody, others, ask.run, at),
        _with(study, others, ask.run, at),
        last,
        of_run=Entry(**of_run) if of_run else None,
        release=_intact(work, kept) if kept else None,
        paid=kept is not None and (kept["study"] == ask.study or shared),
        held=own,
    )


def _named_by(ask: Ask) -> tuple[str, str, str, int]:
    return ask.run, ask.study, ask.query, ask.rho_units
