"""What charging needs from outside: a ledger whose writes are whole, durable and in order."""

from __future__ import annotations

from typing import Protocol

from xinglin.kernel.instants import Instant
from xinglin.kernel.verdict import Verdict
from xinglin.privacy.noise.budget import Entry, Outcome, Scope
from xinglin.privacy.noise.reserving import Held, Reservation


class PrivacyLedger(Protocol):
    """The budgets of one hospital's data sets.

    Guarantee: however many ask at once, a scope's spending never passes its cap, nor does what is spent and what
    ``reserve`` holds together; what ``reserve``, ``charge`` and ``keep`` returned is there after a crash; of one charge
    at most one release is ever kept. Reading raises ``BrokenChain`` where rows were changed behind the ledger's back.
    """

    def set_cap(self, data_set: str, study: str, rho_units: int, at: Instant) -> Verdict:
        """Set the cap of a study, or of ``EVERYBODY``; the same cap again changes nothing."""
        ...

    def begin(self, data_set: str, study: str, everybody_units: int, study_units: int, at: Instant) -> None:
        """Set the two caps where there are none yet; one that is set stays as it is."""
        ...

    def inherit(self, data_set: str, of: str, at: Instant) -> Verdict:
        """A new version ``data_set`` of ``of`` shares its budget, history and caps; again changes nothing."""
        ...

    def reserve(self, data_set: str, study: str, run: str, query_digest: str, rho_units: int, at: Instant) -> Held:
        """Hold the price of a run in progress in both scopes, durably, or say why not; see ``reserving.reserve``."""
        ...

    def give_back(self, run: str, at: Instant) -> tuple[str, ...]:
        """What the run holds is free again, as it ended and did not pay; the data sets it asked for.

        Again, or for a run that holds nothing, changes nothing.
        """
        ...

    def charge(self, data_set: str, study: str, run: str, query_digest: str, rho_units: int, at: Instant) -> Outcome:
        """Pay for one query in both scopes, durably, or say why not; see ``budget.decide``. Other runs keep what they
        hold; what this run held becomes the charge in the same transaction.

        ``query_digest``: of all that determines the answer's distribution, the snapshot of the data among it.
        """
        ...

    def look(self, data_set: str, study: str, run: str, query_digest: str, rho_units: int, at: Instant = 0) -> Outcome:
        """What ``charge`` would come to at ``at``; nothing is paid and nothing is written."""
        ...

    def paid(self, data_set: str, run: str) -> Entry | None:
        """The entry by which a run paid, if it did."""
        ...

    def keep(self, data_set: str, run: str, release: bytes, at: Instant) -> bytes:
        """Keep what a run that paid releases; gives the bytes that may leave: the first kept, whatever is kept later.

        Raises ``BadNoise`` for a run that did not pay, ``LimitExceeded``.
        """
        ...

    def release(self, data_set: str, run: str) -> bytes | None:
        """What a run kept."""
        ...

    def scope(self, data_set: str, study: str) -> Scope | None:
        """One scope of a data set."""
        ...

    def caps(self, data_set: str) -> tuple[Scope, ...]:
        """Every scope of a data set, everybody's first."""
        ...

    def standing(self, data_set: str, at: Instant) -> tuple[Scope, ...]:
        """``caps`` with what runs in progress hold at ``at``."""
        ...

    def reservations(self, data_set: str, at: Instant) -> tuple[Reservation, ...]:
        """What runs in progress hold at ``at``, oldest first."""
        ...

    def spent(self, data_set: str, study: str = "*") -> int:
        """Units spent in a scope; 0 where there is none."""
        ...

    def entries(self, data_set: str) -> tuple[Entry, ...]:
        """The whole history, verified."""
        ...

    def head(self, data_set: str) -> str:
        """The hash of the newest entry, to be committed elsewhere; empty where there is none."""
        ...
