"""Budgets of privacy at this hospital: what noised answers may cost, what they did, and what was answered before.

A noised answer takes no exact answer. It is looked at when it is asked for, and pays irrevocably right before its one
upload: nothing that was computed has left by then, and whatever happens after it is paid. The same question on the same
tables is not computed again: the earlier release is named, and stands.

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
from xinglin.privacy.noise.accounting import to_epsilon
from xinglin.privacy.noise.budget import EVERYBODY, Cached, Charged, Entry, Forecast, Scope
from xinglin.terms.noise_asked import DEFAULT_DELTA, NOISE, RHO_UNIT, exact, noise_of
from xinglin.trust.envelope import sign
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.budgets import ANY_STUDY, BUDGET_CONTEXT, BudgetReport, BudgetTold

if TYPE_CHECKING:
    from xinglin.catalogue import DataSetDescription
    from xinglin.gate import Record, Use
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

    def close(self) -> None:
        """Close the ledger's connections."""
        self._ledger.close()

    # --- by a run ----------------------------------------------------------------------------

    def look(self, use: Use) -> Verdict:
        """Whether the use's noise would be paid for now; charges nothing. Denied names an answer given before."""
        plan, noise = use.plan, _noise(use)
        self._cover(plan.data_set)
        self._ledger.begin(plan.data_set, plan.study, self._caps.everybody, self._caps.study, self._clock())
        outcome = self._ledger.look(plan.data_set, plan.study, use.run, self.query(use), noise.rho_units)
        return Allowed() if isinstance(outcome, Charged) else self._no(use, outcome)

    def charge(self, use: Use) -> Charged | Denied:
        """Pay, once and for good; again for the same run changes nothing."""
        plan, noise, now = use.plan, _noise(use), self._clock()
        outcome = self._ledger.charge(plan.data_set, plan.study, use.run, self.query(use), noise.rho_units, now)
        if isinstance(outcome, Charged):
            self.tell((plan.data_set, *self._sharing(plan.data_set)))
            return outcome
        return self._no(use, outcome)

    def released(self, data_set: str, record: Record) -> None:
        """Remember that the result of the record's run answers its question; again changes nothing."""
        kept = canonical_bytes(Earlier(record.run, record.commitment))
        self._ledger.keep(data_set, record.run, kept, self._clock())

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

    def known(self, data_set: str) -> tuple[Scope, ...]:
        """Everybody's scope, then those of studies that have one of their own."""
        everybody = self.scopes(data_set, EVERYBODY)[1]
        return (everybody, *(one for one in self._ledger.caps(data_set) if one.study != EVERYBODY))

    def tell(self, data_sets: Iterable[str]) -> None:
        """Say how the budgets stand, to each study and to one that has asked for nothing yet."""
        if self.teller is None:
            return
        for data_set in data_sets:
            everybody, *studies = self.known(data_set)
            head, now = self._ledger.head(data_set), self._clock()
            for one in (Scope(data_set, ANY_STUDY, self._caps.study), *studies):
                self.teller(
                    BudgetTold("", data_set, one.study, one.cap, one.spent, everybody.cap, everybody.spent, now, head)
                )

    # --- what stands -------------------------------------------------------------------------

    def scopes(self, data_set: str, study: str) -> tuple[Scope, Scope]:
        """The study's scope and everybody's, as set by the hospital or by default."""
        known = {one.study: one for one in self._ledger.caps(data_set)}
        return (
            known.get(study, Scope(data_set, study, self._caps.study)),
            known.get(EVERYBODY, Scope(data_set, EVERYBODY, self._caps.everybody)),
        )

    def epsilon(self, use: Use) -> str | None:
        """What the study will have spent on the data set with this use, as ε (exact decimal, rounded up).

        ``None`` for an exact answer: it has no ε. At ``POLICY_DELTA``. The most, of the budgets that share a table.
        """
        noise = noise_of(use.plan.algorithm, use.plan.params)
        if noise is None:
            return None
        self._cover(use.plan.data_set)
        roots = self._ledger.sharing(use.plan.data_set)
        spent = max(self.scopes(one, use.plan.study)[0].spent for one in roots)
        units = spent + (0 if self.paid(use.plan.data_set, use.run) is not None else noise.rho_units)
        return decimal_up(to_epsilon(units, POLICY_DELTA))

    def uses(self, use: Use) -> int:
        """Noised answers that the study was given of the data set, this one not included."""
        self._cover(use.plan.data_set)
        if not self.scopes(use.plan.data_set, use.plan.study)[0].spent:
            return 0
        entries = self._ledger.entries(use.plan.data_set)
        # A charge that tells a data set was paid with another one's answer, over a table that both read.
        return sum(
            one.study == use.plan.study and one.run != use.run and one.kind in ("charge", "share") and not one.told
            for one in entries
        )

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
        study, everybody = self.scopes(use.plan.data_set, use.plan.study)
        noise = _noise(use)
        reasons = [*_short(study, noise, "The study's"), *_short(everybody, noise, "The data set's, over all studies,")]
        for other in self._ledger.sharing(use.plan.data_set)[1:]:
            for scope in self.scopes(other, use.plan.study):
                reasons += _short(scope, noise, f"Data set '{other}' shares a table, and its")
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
    found = noise_of(use.plan.algorithm, use.plan.params)
    if found is None:
        raise ValueError("an exact answer spends no privacy")
    return found


def _short(scope: Scope, noise: NoiseAsked, whose: str) -> list[Reason]:
    if scope.left >= noise.rho_units:
        return []
    code = "privacy.everybody_spent" if scope.study == EVERYBODY else "privacy.study_spent"
    left, cost = rho_text(scope.left), rho_text(noise.rho_units)
    words = f"{whose} budget of privacy has {left} rho left, and this costs {cost}."
    remedy = "Ask with a smaller epsilon, use the answers given so far, or have the hospital raise the cap."
    return [Reason(code, words, remedy)]


def _answered(earlier: Earlier) -> Denied:
    words = f"This very question was answered on the same tables by {earlier.run}."
    remedy = f"That answer stands and costs nothing more: space.run('{earlier.run}').result(); or ask {NOISE} fresh."
    return deny("privacy.answered_before", words, remedy)
