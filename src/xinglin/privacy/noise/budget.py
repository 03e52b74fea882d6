"""Rules of the budget: what one data set's persons may lose in privacy, to one study and to everybody together.

Words: a *scope* is a data set towards one study, or towards everybody (``EVERYBODY``: studies may tell each other
what they learnt); its *cap* is the most rho it may spend. A *reservation* holds the price of a run in progress, so that
nobody else takes it (``reserving``). A *charge* takes rho from both scopes before anything is
computed; it is never given back. A *release* is the bytes that leave; they are kept first, and only kept bytes may
leave. The same query again is answered with the release, for nothing; a study that did not pay for it is charged,
everybody is not, since nothing new is said. An *entry* is one line of a data set's history, chained by hash; what was
spent is in it.

Pure: a store holds the rows and does what ``decide`` says in one transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

import msgspec

from xinglin.kernel.canonical import sha256_digest
from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Denied, Reason, deny
from xinglin.privacy.noise.accounting import LARGEST_RHO_UNITS, to_epsilon
from xinglin.privacy.noise.errors import BadNoise, BrokenChain

EVERYBODY = "*"
ENTRY_VERSION = 1
"""Fields are only ever added, with a new version; an entry of a newer one is refused."""
RELEASE_BYTES = Limit("one release's bytes in the ledger", 64 << 20, "bytes")
NAME_LETTERS = Limit("letters of a name in the ledger", 512, "letters")
KINDS = ("cap", "charge", "share", "release", "inherit")
_DAY_MS = 86_400_000


class Scope(msgspec.Struct, frozen=True):
    """What may be spent of a data set towards ``study``, or ``EVERYBODY``, and what is; whole units of rho.

    ``reserved``: what runs in progress hold of it; of a charge, what *other* runs do.

    >>> Scope("registry", EVERYBODY, cap=1_000, spent=400, reserved=50).left
    550
    """

    data_set: str
    study: str
    cap: int
    spent: int = 0
    reserved: int = 0

    @property
    def left(self) -> int:
        """Units that may still be spent or reserved."""
        return max(0, self.cap - self.spent - self.reserved)

    def epsilon(self, delta: Fraction) -> float:
        """What was spent, as the ε of (ε, δ); rounded up."""
        return to_epsilon(self.spent, delta)


class Entry(msgspec.Struct, frozen=True):
    """One line of a data set's history; ``seq`` from 1 on, without gaps.

    ``kind``: ``cap`` (a scope's cap was set to ``rho_units``), ``charge`` (both scopes paid), ``share`` (the study paid
    for an earlier release), ``release`` (bytes of digest ``told`` were kept), ``inherit`` (data set ``told`` shares
    this budget from now on). ``study_spent`` and ``all_spent``: after it. ``hash`` covers everything else.
    """

    data_set: str
    seq: int
    at: Instant
    kind: str
    study: str
    run: str
    query: str
    rho_units: int
    told: str
    study_spent: int
    all_spent: int
    prev: str
    hash: str = ""
    version: int = ENTRY_VERSION

    def sealed(self) -> Entry:
        """The entry with its hash: the digest of the canonical JSON (RFC 8785) of all else, an array in this order.

        No text in it holds a control character, so any JSON encoder that escapes no more than it must gives it.
        """
        words = msgspec.json.encode([value for name, value in msgspec.structs.asdict(self).items() if name != "hash"])
        return msgspec.structs.replace(self, hash=sha256_digest(words))

    @property
    def is_whole(self) -> bool:
        """Whether the hash is that of the rest."""
        return self.version == ENTRY_VERSION and self.kind in KINDS and self.sealed().hash == self.hash


class Charged(msgspec.Struct, frozen=True, tag="charged"):
    """Paid: compute, keep the noised release, then let it leave. ``again``: this run had paid before.

    ``entry.hash`` is the head of the chain for the caller to commit in a leaf of the log.
    """

    entry: Entry
    again: bool = False


class Cached(msgspec.Struct, frozen=True, tag="cached"):
    """The query was answered before: ``release`` are those bytes; ``entry`` says what the study paid, if anything."""

    release: bytes
    entry: Entry | None = None


Outcome = Charged | Cached | Denied


class Ask(msgspec.Struct, frozen=True):
    """One query of a run: ``query`` is the digest of all that determines the answer's distribution.

    That is the plan with its mechanism, noise and cost, *and* the snapshot of the data: the same question of newer
    data is another query. ``rho_units``: what the release costs (``accounting``).
    """

    data_set: str
    study: str
    run: str
    query: str
    rho_units: int

    def __post_init__(self) -> None:
        for name in (self.data_set, self.study, self.run, self.query):
            NAME_LETTERS.check(len(name))
        if not all((self.data_set, self.study, self.run, self.query)) or self.study == EVERYBODY:
            raise BadNoise("A charge names a data set, a study, a run and a query.", why="'*' is everybody, no study")
        if not all(name.isprintable() for name in (self.data_set, self.study, self.run, self.query)):
            raise BadNoise("A name in a charge holds what is no letter.")
        if not 1 <= self.rho_units <= LARGEST_RHO_UNITS:
            raise BadNoise(f"A charge is 1 to {LARGEST_RHO_UNITS} units.", remedy="Round the cost up to a whole unit.")


class Position(msgspec.Struct, frozen=True):
    """All that a charge depends on, as it stands before.

    ``last``: the data set's newest entry; ``of_run``: the entry by which this run paid; ``release``: one kept for the
    query, the study's own before others'; ``paid``: whether it is the study's own, or was shared with it. ``held``:
    this run holds the price, so it pays for an answer of its own whatever was released meanwhile, here as elsewhere.
    """

    everybody: Scope | None
    study: Scope | None
    last: Entry | None
    of_run: Entry | None = None
    release: bytes | None = None
    paid: bool = False
    held: bool = False


def decide(position: Position, ask: Ask, at: Instant) -> Outcome:
    """What a charge comes to. 1. Already answered? 2. Already paid? 3. Is there enough in both scopes? 4. Pay.

    A ``Charged`` that is not ``again``, and a ``Cached`` with an entry, must be written in the transaction that read
    the position. Denied with every reason: ``privacy.no_budget``, ``privacy.charged_otherwise``,
    ``privacy.study_spent``, ``privacy.everybody_spent``.
    """
    if position.everybody is None or position.study is None:
        return deny("privacy.no_budget", "The data set has no privacy budget.", "The hospital has to set its caps.")
    found = position.of_run
    if found is not None and (found.study, found.query, found.rho_units) != (ask.study, ask.query, ask.rho_units):
        return deny("privacy.charged_otherwise", "This run paid for another query.", "Start a new run.")
    release = None if position.held and found is None else position.release
    if release is not None and position.paid:
        return Cached(release)
    if found is not None and found.kind == "charge":
        return Charged(found, again=True)
    is_new = release is None
    reasons = _short(position.study, position.everybody if is_new else None, ask.rho_units)
    if reasons:
        return Denied(tuple(reasons))
    all_spent = position.everybody.spent + (ask.rho_units if is_new else 0)
    entry = following(
        position.last,
        data_set=position.everybody.data_set,
        at=at,
        kind="charge" if is_new else "share",
        study=ask.study,
        run=ask.run,
        query=ask.query,
        rho_units=ask.rho_units,
        study_spent=position.study.spent + ask.rho_units,
        all_spent=all_spent,
    )
    return Charged(entry) if release is None else Cached(release, entry)


def _short(study: Scope, everybody: Scope | None, rho_units: int) -> list[Reason]:
    reasons = []
    if study.left < rho_units:
        words = "The study's privacy budget on this data set is used up."
        reasons.append(Reason("privacy.study_spent", words, "Ask for less precision, or use the answers given so far."))
    if everybody is not None and everybody.left < rho_units:
        words = "The data set's privacy budget for everybody together is used up."
        reasons.append(Reason("privacy.everybody_spent", words, "Use published releases, or another data set."))
    return reasons


def following(last: Entry | None, **fields: object) -> Entry:
    """The entry that follows ``last`` in its chain, sealed; what is not named is empty, or as it was."""
    known: dict[str, object] = {"study": EVERYBODY, "run": "", "query": "", "rho_units": 0, "told": ""}
    known |= {"study_spent": 0, "all_spent": last.all_spent if last else 0} | fields
    link = {"seq": last.seq + 1 if last else 1, "prev": last.hash if last else ""}
    return msgspec.convert(known | link, Entry).sealed()


def recap(scope: Scope | None, last: Entry | None, data_set: str, study: str, cap: int, at: Instant) -> Entry | Denied:
    """The entry that sets a scope's cap; denied below what is spent (nothing that was told can be untold)."""
    if not 0 <= cap <= LARGEST_RHO_UNITS:
        return deny("privacy.bad_cap", f"A cap is 0 to {LARGEST_RHO_UNITS} units.", "Name a cap in that range.")
    spent = scope.spent if scope else 0
    if cap < spent:
        words = f"More is spent already: {spent} units."
        return deny("privacy.cap_below_spent", words, "Set the cap to what is spent; nothing more is then answered.")
    all_spent = spent if study == EVERYBODY else (last.all_spent if last else 0)
    told = {"study": study, "rho_units": cap, "study_spent": spent, "all_spent": all_spent}
    return following(last, data_set=data_set, at=at, kind="cap", **told)


def verify(entries: Iterable[Entry], scopes: Sequence[Scope] = ()) -> Entry | None:
    """The head of a whole chain, replayed from its first entry; ``None`` of an empty one.

    Raises ``BrokenChain`` where an entry was changed, dropped or put between, where the sums do not add up or pass a
    cap, or where ``scopes`` (what the store goes by) are not what the entries come to. A chain that was cut short at
    its end, or written anew, is whole: only a head that was committed elsewhere (the log) tells.
    """
    last: Entry | None = None
    caps: dict[str, int] = {}
    spent: dict[str, int] = {EVERYBODY: 0}
    for entry in entries:
        _follows(last, entry)
        if entry.kind == "cap":
            caps[entry.study] = entry.rho_units
        elif entry.kind in ("release", "inherit") and entry.rho_units:
            raise _broken(entry.seq, "it spends where nothing is spent")
        if entry.kind in ("charge", "share"):
            spent[entry.study] = spent.get(entry.study, 0) + entry.rho_units
            spent[EVERYBODY] += entry.rho_units if entry.kind == "charge" else 0
        if (entry.study_spent, entry.all_spent) != (spent.get(entry.study, 0), spent[EVERYBODY]):
            raise _broken(entry.seq, "its sums are not those of the entries before it")
        if any(spent.get(name, 0) > caps.get(name, 0) for name in (entry.study, EVERYBODY)):
            raise _broken(entry.seq, "more was spent than the caps of its time allowed")
        last = entry
    for scope in scopes:
        if (scope.spent, scope.cap) != (spent.get(scope.study, 0), caps.get(scope.study)):
            raise _broken(last.seq if last else 0, "what the store goes by is not what the entries come to")
    return last


def _follows(last: Entry | None, entry: Entry) -> None:
    first = (1, "", entry.data_set)
    expected = (last.seq + 1, last.hash, last.data_set) if last else first
    if (entry.seq, entry.prev, entry.data_set) != expected:
        raise _broken(entry.seq, "it does not follow the one before it")
    if not entry.is_whole:
        raise _broken(entry.seq, "its hash is not that of its words, or it is of a newer version")


def _broken(seq: int, why: str) -> BrokenChain:
    remedy = "Stop answering, and compare with the heads that the log holds."
    return BrokenChain(f"The budget's history is broken at entry {seq}.", why=why, remedy=remedy)


class Preview(msgspec.Struct, frozen=True):
    """What a release would cost, before anything is touched: both scopes, now and after (``Scope.epsilon``).

    ``reasons``: why it would not be paid for; ``releases_left``: how many of its kind are left, itself among them.
    """

    rho_units: int
    reasons: tuple[Reason, ...]
    study: Scope
    study_after: Scope
    everybody: Scope
    everybody_after: Scope
    releases_left: int

    @property
    def fits(self) -> bool:
        """Whether it would be paid for."""
        return not self.reasons


def preview(study: Scope, everybody: Scope, rho_units: int) -> Preview:
    """The cost of one more release of ``rho_units``, and how many of the kind are left; charges nothing."""
    Ask(study.data_set, study.study, "preview", "preview", rho_units)

    def after(scope: Scope) -> Scope:
        return msgspec.structs.replace(scope, spent=min(scope.spent + rho_units, LARGEST_RHO_UNITS))

    left = min(study.left, everybody.left) // rho_units
    reasons = tuple(_short(study, everybody, rho_units))
    return Preview(rho_units, reasons, study, after(study), everybody, after(everybody), left)


class Forecast(msgspec.Struct, frozen=True):
    """How long a scope lasts at its present pace: units a day over the window, whole days left (-1: no pace)."""

    left: int
    a_day: int
    days_left: int


def forecast(scope: Scope, entries: Iterable[Entry], now: Instant, window_days: int = 30) -> Forecast:
    """A scope's forecast from the charges of the last ``window_days``; the pace is rounded up, the days down."""
    if window_days < 1:
        raise BadNoise("A pace needs a window of at least a day.")
    since = now - window_days * _DAY_MS
    kinds = ("charge",) if scope.study == EVERYBODY else ("charge", "share")
    taken = sum(
        entry.rho_units
        for entry in entries
        if entry.kind in kinds and since < entry.at <= now and scope.study in (entry.study, EVERYBODY)
    )
    a_day = -(-taken // window_days)
    return Forecast(scope.left, a_day, scope.left // a_day if a_day else -1)
