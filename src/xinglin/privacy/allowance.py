"""The allowance of exact answers of one data set, over all studies, with its charges.

A charge is taken before any computation and given back only if provably nothing left the node; it is
kept by run, so that doing it twice is doing it once. An agreement that amends or renews another one goes on with
the count: what was used under any agreement of its chain counts against the allowance of each.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from xinglin.kernel.instants import Instant
from xinglin.kernel.states import StateTable
from xinglin.kernel.verdict import Denied, Reason, deny

_NOISED = "ask with proven noise (epsilon=…)"

CHARGE_STATES = StateTable(
    "charge",
    "reserved",
    (("reserved", "spend", "spent"), ("reserved", "give_back", "returned")),
)


class Charge(msgspec.Struct, frozen=True):
    """One run's exact answer on the data set, under one agreement."""

    run: str
    agreement: str
    at: Instant
    state: str = "reserved"

    @property
    def counts(self) -> bool:
        """Whether it uses up an answer: reserved and spent do, returned does not."""
        return self.state != "returned"


class Allowance(msgspec.Struct, frozen=True):
    """All charges on one data set; every method gives a new value and changes nothing.

    >>> one = Allowance("heart", cap=1).reserve("run-1", "sha256:a", 5, at=0)
    >>> one.reserve("run-2", "sha256:b", 5, at=1).codes
    ('privacy.no_answers',)
    """

    data_set: str
    cap: int = 200
    charges: tuple[Charge, ...] = ()

    def charge(self, run: str) -> Charge | None:
        """The charge of ``run``, or ``None``."""
        return next((charge for charge in self.charges if charge.run == run), None)

    @property
    def left(self) -> int:
        """Exact answers left on the data set, over all studies."""
        return max(0, self.cap - sum(charge.counts for charge in self.charges))

    def used_of(self, agreement: str, chain: Collection[str] = ()) -> int:
        """Answers used under an agreement and under those of its ``chain`` of replacements, whichever way."""
        line = {agreement, *chain}
        return sum(charge.counts for charge in self.charges if charge.agreement in line)

    def left_of(self, agreement: str, allowance: int, chain: Collection[str] = ()) -> int:
        """Answers left of one agreement that was given ``allowance``, the uses of its ``chain`` counted."""
        return max(0, allowance - self.used_of(agreement, chain))

    def reserve(
        self, run: str, agreement: str, allowance: int, at: Instant, chain: Collection[str] = ()
    ) -> Allowance | Denied:
        """Take one answer for ``run``; the same run again changes nothing.

        Denied with every reason: the data set's or the agreement's answers are used up, or the run was
        ended, or charged to another agreement.
        """
        found = self.charge(run)
        if found is not None:
            if found.agreement == agreement and found.counts:
                return self
            return deny("privacy.charged_otherwise", "This run was ended or charged before.", "Start a new run.")
        reasons = []
        if self.left < 1:
            words = "The data set's exact answers are used up, over all studies."
            reasons.append(Reason("privacy.no_answers", words, f"Use the answers given so far, or {_NOISED}."))
        if self.left_of(agreement, allowance, chain) < 1:
            words = "The agreement's allowance of exact answers is used up."
            reasons.append(Reason("privacy.no_allowance", words, f"Have the allowance amended, or {_NOISED}."))
        if reasons:
            return Denied(tuple(reasons))
        return msgspec.structs.replace(self, charges=(*self.charges, Charge(run, agreement, at)))

    def spend(self, run: str) -> Allowance:
        """The answer is used; again changes nothing; ``IllegalMove`` when it was given back or never taken."""
        return self._move(run, "spend", "spent")

    def give_back(self, run: str) -> Allowance:
        """Nothing left the node; again changes nothing; ``IllegalMove`` when it was spent or never taken."""
        return self._move(run, "give_back", "returned")

    def _move(self, run: str, event: str, end: str) -> Allowance:
        found = self.charge(run)
        if found is not None and found.state == end:
            return self
        state = CHARGE_STATES.move(found.state if found is not None else "never taken", event)
        moved = tuple(msgspec.structs.replace(c, state=state) if c.run == run else c for c in self.charges)
        return msgspec.structs.replace(self, charges=moved)
