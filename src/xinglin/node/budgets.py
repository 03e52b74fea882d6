"""Budgets of privacy at this hospital: what noised answers may cost, what they did, and what was answered before.

A noised answer takes no exact answer. Its price is reserved when it is admitted, so that a run which another hospital
cannot be paid by ends before anybody paid; it is charged irrevocably right before the one upload: nothing that was
computed has left by then, and whatever happens after it is paid. What a run holds is free again when it ends without
having paid. The same question on the same tables is not computed again: the earlier release is named, and stands.

Persons are in lake tables, not in names: a data set that shares a lake table with one asked before goes on with that
one's budget when it is first asked; one that has a budget of its own pays from both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING

import msgspec

from xinglin.kernel.canonical import canonical_bytes, canonical_digest
from xinglin.kernel.codec import decode_msgpack
from xinglin.kernel.instants import Clock
from xinglin.kernel.verdict import Allowed, Denied, Reason, Verdict, deny
from xinglin.node.outbox import Outbox
from xinglin.privacy.noise.accounting import LARGEST_RHO_UNITS, to_epsilon
from xinglin.privacy.noise.budget import EVERYBODY, Cached, Charged, Entry, Forecast, Scope
from xinglin.privacy.noise.reserving import Reservation, Reserved, Waits
from xinglin.terms.noise_asked import DEFAULT_DELTA, NOISE, RHO_UNIT, exact
from xinglin.terms.synthetic import is_synthetic, paid_noise, synthetic_of
from xinglin.trust.envelope import sign
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.budgets import ANY_STUDY, BUDGET_CONTEXT, BudgetReport, BudgetTold

if TYPE_CHECKING:
    from xinglin.catalogue import DataSetDescription
    from xinglin.gate import Use
    from xinglin.stores.node_database import NodeDatabase
    from xinglin.stores.privacy_budget import BudgetLedger
    from xinglin.terms.noise_asked import NoiseAsked

POLICY_DELTA = exact(DEFAULT_DELTA)
"""Delta at which this node says ε to policies and people, whatever delta a question names."""

_MICRO = 10**6


class Caps(msgspec.Struct, frozen=True):
    """What a scope may spend before the hospital says otherwise, in units of 10⁻¹² rho."""

    study: int
    everybody: int


class Earlier(msgspec.Struct, frozen=True):
    """What the ledger keeps as a release: which run's result answers the question. Version 1; append-only."""

    run: str
    commitment: str
    version: int = 1


class NodeBudgets:
    """Looks, charges and remembers; ``ledger`` has the caps that the hospital set, ``caps`` those it did not."""

    def __init__(
        self,
        ledger: BudgetLedger,
        database: NodeDatabase,
        caps: Caps,
        clock: Clock,
        tables: Callable[[], Mapping[str, frozenset[str]]] = dict,
    ) -> None:
        """``tables``: the lake tables of each data set that is published now."""
        self._ledger, self._database, self._caps, self._clock = ledger, database, caps, clock
        self._tables = tables
        self.teller: Callable[[BudgetTold], None] | None = None
        self.persons: Callable[[str], str] = lambda _run: ""
        """Whose rows a run may see, as a digest: a set that is kept was made of these persons."""

    def close(self) -> None:
        """Close the ledger's connections."""
        self._ledger.close()

    # --- by a run ----------------------------------------------------------------------------

    def look(self, use: Use) -> Verdict:
        """Whether the use's noise would be paid for now; charges nothing. Denied names an answer given before."""
        plan, noise, now = use.plan, _noise(use), self._begun(use)
        outcome = self._ledger.look(plan.data_set, plan.study, use.run, self.query(use), noise.rho_units, now)
        return Allowed() if isinstance(outcome, Charged) else self._no(use, outcome)

    def reserve(self, use: Use) -> Verdict | Waits:
        """Hold the use's price until it pays or ends; ``Waits`` where runs in progress hold what it needs."""
        plan, noise, now = use.plan, _noise(use), self._begun(use)
        outcome = self._ledger.reserve(plan.data_set, plan.study, use.run, self.query(use), noise.rho_units, now)
        if isinstance(outcome, Waits):
            return outcome
        if isinstance(outcome, Cached) and is_synthetic(plan):
            return Allowed()  # its model was paid for: rows are drawn from it again
        if isinstance(outcome, Reserved | Charged):
            self._tell_all(plan.data_set)
            return Allowed()
        return self._no(use, outcome)

    def give_back(self, run: str) -> None:
        """The run ended and did not pay: what it holds is free again; again changes nothing."""
        for data_set in self._ledger.give_back(run, self._clock()):
            self._tell_all(data_set)

    def charge(self, use: Use) -> Charged | Denied:
        """Pay, once and for good; again for the same run changes nothing."""
        outcome = self.pay(use)
        return self._no(use, outcome) if isinstance(outcome, Cached) else outcome

    def pay(self, use: Use) -> Charged | Cached | Denied:
        """Pay, once and for good; or the release that answers the same question already, which costs nothing."""
        plan, noise, now = use.plan, _noise(use), self._clock()
        outcome = self._ledger.charge(plan.data_set, plan.study, use.run, self.query(use), noise.rho_units, now)
        if isinstance(outcome, Denied):
            return self._no(use, outcome)
        if isinstance(outcome, Charged):
            self._tell_all(plan.data_set)
        return outcome

    def pay_own(self, data_set: str, study: str, run: str, query: str, rho_units: int) -> Charged | Cached | Denied:
        """Pay for what the hospital makes itself, of everybody's budget: ``study`` has no cap of its own beside it."""
        now = self._clock()
        self._cover(data_set)
        self._ledger.begin(data_set, study, self._caps.everybody, LARGEST_RHO_UNITS, now)
        outcome = self._ledger.charge(data_set, study, run, query, rho_units, now)
        if isinstance(outcome, Charged):
            self._tell_all(data_set)
        return outcome

    def keep_release(self, data_set: str, run: str, release: bytes) -> bytes:
        """Keep what a run paid for; the bytes that are given back are what may leave: the first that were kept."""
        return self._ledger.keep(data_set, run, release, self._clock())

    def released(self, data_set: str, run: str, commitment: str) -> None:
        """Remember that the result of a run that paid answers its question; again changes nothing."""
        self._ledger.keep(data_set, run, canonical_bytes(Earlier(run, commitment)), self._clock())

    def paid(self, data_set: str, run: str) -> Entry | None:
        """The entry by which the run paid; ``None`` before."""
        return self._ledger.paid(data_set, run)

    def query(self, use: Use) -> str:
        """The digest of all that determines the answer: the plan but for its instant, and the tables' versions here.

        One asked ``fresh`` on purpose is a question of its own.
        """
        from xinglin.lake.model import Snapshot

        row = self._database.run(use.run)
        pinned = decode_msgpack(row.pinned, Snapshot) if row is not None and row.pinned else None
        tables = msgspec.to_builtins(pinned.tables) if pinned is not None else []
        plan = msgspec.structs.replace(use.plan, as_of=0)
        again = use.run if _noise(use).fresh or pinned is None else ""
        ask = synthetic_of(plan) if is_synthetic(plan) else None
        if ask is not None and not isinstance(ask, Denied):
            about = msgspec.structs.replace(plan, params=ask.question()).digest()
            return canonical_digest({"plan": about, "tables": tables, "fresh": again, "persons": self.persons(use.run)})
        return canonical_digest({"plan": plan.digest(), "tables": tables, "fresh": again})

    # --- by the hospital ---------------------------------------------------------------------

    def set_cap(self, data_set: str, study: str, rho_units: int) -> Verdict:
        """Set what a scope may spend (``study`` empty: everybody's); denied below what is spent already."""
        verdict = self._ledger.set_cap(data_set, study or EVERYBODY, rho_units, self._clock())
        self.tell((data_set,))
        return verdict

    def inherit(self, data_set: str, of: str) -> Verdict:
        """Have ``data_set``, a new version of ``of``, go on with its budget."""
        verdict = self._ledger.inherit(data_set, of, self._clock())
        self.tell((data_set,))
        return verdict

    def entries(self, data_set: str) -> tuple[Entry, ...]:
        """The data set's history, its chain verified; raises ``BrokenChain``."""
        return self._ledger.entries(data_set)

    def forecast(self, data_set: str, study: str = EVERYBODY) -> Forecast | None:
        """How long a scope lasts at the pace of the last 30 days; ``None`` where nothing was set or spent yet."""
        found = self._ledger.forecast(data_set, study, self._clock())
        return found if isinstance(found, Forecast) else None

    def begun(self) -> frozenset[str]:
        """Data sets of whose budget something was set, held or spent."""
        return self._ledger.begun()

    def new_study(self) -> int:
        """What a study may spend of a data set that the hospital set nothing for, in units."""
        return self._caps.study

    def untouched(self, data_set: str) -> Scope:
        """Everybody's scope of a data set that has not ``begun``."""
        return Scope(data_set, EVERYBODY, self._caps.everybody)

    def known(self, data_set: str) -> tuple[Scope, ...]:
        """Everybody's scope, then those of studies that have one of their own."""
        everybody = self.scopes(data_set, EVERYBODY)[1]
        return (everybody, *(one for one in self._standing(data_set) if one.study != EVERYBODY))

    def tell(self, data_sets: Iterable[str]) -> None:
        """Say how the budgets stand, to each study and to one that has asked for nothing yet."""
        if self.teller is None:
            return
        for data_set in data_sets:
            everybody, *studies = self.known(data_set)
            head, now = self._ledger.head(data_set), self._clock()
            for one in (Scope(data_set, ANY_STUDY, self._caps.study), *studies):
                sums = (one.cap, one.spent, everybody.cap, everybody.spent)
                held = {"reserved": one.reserved, "everybody_reserved": everybody.reserved}
                self.teller(BudgetTold("", data_set, one.study, *sums, now, head, **held))

    # --- what stands -------------------------------------------------------------------------

    def scopes(self, data_set: str, study: str) -> tuple[Scope, Scope]:
        """The study's scope and everybody's, as set by the hospital or by default."""
        known = {one.study: one for one in self._standing(data_set)}
        return (
            known.get(study, Scope(data_set, study, self._caps.study)),
            known.get(EVERYBODY, Scope(data_set, EVERYBODY, self._caps.everybody)),
        )

    def epsilon(self, use: Use) -> str | None:
        """What the study will have spent on the data set with this use, as ε (exact decimal, rounded up).

        ``None`` for an exact answer: it has no ε. At ``POLICY_DELTA``. The most, of the budgets that share a table.
        What the study's other runs hold counts as spent, where they held it before this one.
        """
        noise = paid_noise(use.plan)
        if noise is None:
            return None
        self._cover(use.plan.data_set)
        paid = self.paid(use.plan.data_set, use.run) is not None or self.is_kept(use)
        roots = self._ledger.sharing(use.plan.data_set)
        units = max(
            self.scopes(one, use.plan.study)[0].spent
            + (0 if paid else noise.rho_units + sum(held.rho_units for held in self._held_before(use, one)))
            for one in roots
        )
        return decimal_up(to_epsilon(units, POLICY_DELTA))

    def _held_before(self, use: Use, data_set: str) -> tuple[Reservation, ...]:
        """What other runs of the study hold, of what came before this one's reservation, if it has one."""
        held = self._ledger.reservations(data_set, self._clock())
        own = next((place for place, one in enumerate(held) if one.run == use.run), len(held))
        return tuple(one for one in held[:own] if one.study == use.plan.study)

    def is_kept(self, use: Use) -> bool:
        """Whether it is a synthetic set of a model that was paid for before."""
        if not is_synthetic(use.plan):
            return False
        plan, units, now = use.plan, _noise(use).rho_units, self._clock()
        outcome = self._ledger.look(plan.data_set, plan.study, use.run, self.query(use), units, now)
        return isinstance(outcome, Cached) and outcome.entry is None

    def uses(self, use: Use) -> int:
        """Noised answers that the study was given of the data set, or runs that hold the price of; not this one."""
        self._cover(use.plan.data_set)
        paid = self.paid(use.plan.data_set, use.run) is not None
        held = 0 if paid else len(self._held_before(use, use.plan.data_set))
        if not self.scopes(use.plan.data_set, use.plan.study)[0].spent:
            return held
        entries = self._ledger.entries(use.plan.data_set)
        # A charge that tells a data set was paid with another one's answer, over a table that both read.
        return held + sum(
            one.study == use.plan.study and one.run != use.run and one.kind in ("charge", "share") and not one.told
            for one in entries
        )

    def _begun(self, use: Use) -> int:
        """Now, the budgets that would pay being known and having caps."""
        plan, now = use.plan, self._clock()
        self._cover(plan.data_set)
        self._ledger.begin(plan.data_set, plan.study, self._caps.everybody, self._caps.study, now)
        return now

    def _standing(self, data_set: str) -> tuple[Scope, ...]:
        return self._ledger.standing(data_set, self._clock())

    def _tell_all(self, data_set: str) -> None:
        self.tell((data_set, *self._sharing(data_set)))

    def _cover(self, data_set: str) -> None:
        """Note which lake tables the published data sets with a budget read, then this one's: it may share theirs."""
        published, now = self._tables(), self._clock()
        for name, tables in published.items():
            if name != data_set and self._ledger.caps(name):
                self._ledger.cover(name, tables, now)
        if data_set in published:
            self._ledger.cover(data_set, published[data_set], now)

    def _sharing(self, data_set: str) -> tuple[str, ...]:
        """Other published data sets whose budgets change with this one's."""
        published = self._tables()
        mine = published.get(data_set, frozenset())
        return tuple(name for name, tables in published.items() if name != data_set and tables & mine)

    def _no(self, use: Use, outcome: Cached | Denied) -> Denied:
        """Why nothing is computed, in words that name the earlier answer, or say how much is left."""
        if isinstance(outcome, Cached):
            return _answered(msgspec.json.decode(outcome.release, type=Earlier))
        if not set(outcome.codes) <= {"privacy.study_spent", "privacy.everybody_spent"}:
            return outcome
        study, everybody = self.scopes(use.plan.data_set, use.plan.study)
        noise = _noise(use)
        reasons = [*_short(study, noise, "The study's"), *_short(everybody, noise, "The data set's, over all studies,")]
        for other in self._ledger.sharing(use.plan.data_set)[1:]:
            for scope in self.scopes(other, use.plan.study):
                reasons += _short(scope, noise, None)
        return Denied(tuple(reasons)) if reasons else outcome


def lake_tables(published: Mapping[str, DataSetDescription]) -> dict[str, frozenset[str]]:
    """The lake tables that each published data set reads, by its name."""
    return {name: frozenset(table.name for table in one.tables) for name, one in published.items()}


def tell_budget(keys: PrivateKeys, outbox: Outbox, told: BudgetTold) -> None:
    """Sign how a budget stands, and hand it to the channel."""
    own = msgspec.structs.replace(told, node=keys.did)
    outbox.told(BudgetReport(sign(keys, BUDGET_CONTEXT, own).to_bytes()))


def rho_text(units: int) -> str:
    """Units of rho as a decimal, exactly.

    >>> rho_text(5_000_000_000)
    '0.005'
    """
    whole, part = divmod(units, RHO_UNIT)
    return f"{whole}.{part:012d}".rstrip("0").rstrip(".")


def decimal_up(value: float) -> str:
    """A number as a decimal of six places, rounded up.

    >>> decimal_up(0.12345601)
    '0.123457'
    """
    whole, part = divmod(math.ceil(Fraction(value) * _MICRO), _MICRO)
    return f"{whole}.{part:06d}"


def _noise(use: Use) -> NoiseAsked:
    found = paid_noise(use.plan)
    if found is None:
        raise ValueError("an exact answer spends no privacy")
    return found


def _short(scope: Scope, noise: NoiseAsked, whose: str | None) -> list[Reason]:
    """Why the scope does not pay; ``whose`` is None where the asker may not know of the data set."""
    if scope.left >= noise.rho_units:
        return []
    code = "privacy.everybody_spent" if scope.study == EVERYBODY else "privacy.study_spent"
    if whose is None:
        words = "The budget of privacy of another data set that shares a table is used up."
        return [Reason(code, words, "Use the answers given so far, or have the hospital raise the cap.")]
    left, cost = rho_text(scope.left), rho_text(noise.rho_units)
    held = f", beside {rho_text(scope.reserved)} that runs in progress hold," if scope.reserved else ","
    words = f"{whose} budget of privacy has {left} rho left{held} and this costs {cost}."
    remedy = "Ask with a smaller epsilon, use the answers given so far, or have the hospital raise the cap."
    return [Reason(code, words, remedy)]


def _answered(earlier: Earlier) -> Denied:
    words = f"This very question was answered on the same tables by {earlier.run}."
    remedy = f"That answer stands and costs nothing more: space.run('{earlier.run}').result(); or ask {NOISE} fresh."
    return deny("privacy.answered_before", words, remedy)
