"""Budgets of privacy: as a hospital's own ledger has them, and as hospitals tell them to a study, signed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from xinglin.console.lines import Lines
from xinglin.console.seats import Seat
from xinglin.kernel.instants import Instant

DAY_MS = 86_400_000


class Scope(msgspec.Struct, frozen=True):
    """What one study, or everybody together, may spend of a data set; rho as exact decimals."""

    study: str
    cap_rho: str
    spent_rho: str
    reserved_rho: str
    left_rho: str
    epsilon_spent: str
    epsilon_cap: str
    delta: str

    @property
    def share(self) -> float:
        """Of the cap, what is spent or held; 0 … 1."""
        cap = Decimal(self.cap_rho)
        return float(1 - Decimal(self.left_rho) / cap) if cap else 1.0


class Spent(msgspec.Struct, frozen=True):
    """One entry of a data set's history; units of 10⁻¹² rho. ``all_spent``: by everybody, after it."""

    seq: int
    kind: str
    at: Instant
    study: str = ""
    rho_units: int = 0
    run: str = ""
    hash: str = ""
    all_spent: int = 0


class DataSetBudget(msgspec.Struct, frozen=True):
    """A data set's budgets, everybody's first; ``days_left`` -1: no pace to tell. ``broken``: what ails the chain."""

    data_set: str
    scopes: tuple[Scope, ...]
    a_new_study: str
    entries: int
    head: str
    whole: bool
    broken: str
    days_left: int
    history: tuple[Spent, ...] = ()

    @property
    def everybody(self) -> Scope:
        """The scope over all studies."""
        return self.scopes[0]

    @property
    def studies(self) -> tuple[Scope, ...]:
        """Studies with a scope of their own, those that spent most first."""
        return tuple(sorted(self.scopes[1:], key=lambda one: Decimal(one.spent_rho), reverse=True))


class NodeBudgetCalls:
    """Budgets as the hospital's own ledger has them."""

    def __init__(self, seat: Seat, lines: Lines) -> None:
        self._folder, self._lines = seat.folder, lines

    def every(self, *, history: bool = False) -> tuple[DataSetBudget, ...]:
        """Budgets of every published data set."""
        return self._asked(step="show", entries="yes" if history else "")

    def of(self, data_set: str) -> DataSetBudget:
        """One data set's budgets with their history; raises ``Refused`` where it is not published."""
        return self._asked(step="show", data_set=data_set, entries="yes")[0]

    def cap(self, data_set: str, rho: str, study: str = "") -> None:
        """Set what may be spent (``study`` empty: by everybody together); refused below what is spent."""
        self._asked(step="cap", data_set=data_set, rho=rho, study=study)

    def _asked(self, **given: str) -> tuple[DataSetBudget, ...]:
        found: Any = self._lines.desk(self._folder, "budget", timeout_s=60.0, **given)
        return msgspec.convert(found, tuple[DataSetBudget, ...])


class StudyBudget(msgspec.Struct, frozen=True):
    """What a hospital says, signed, is spent and left of its budget towards a study."""

    hospital: str
    did: str
    data_set: str
    spent_rho: str
    reserved_rho: str
    left_rho: str
    cap_rho: str
    epsilon_spent: str
    everybody_left_rho: str
    at: str
    head: str


NEWEST_STUDIES = 50
"""So many studies are offered to choose from."""


class StudyBudgetCalls:
    """Budgets as hospitals tell them to a researcher; each statement's signature was verified."""

    def __init__(self, seat: Seat, lines: Lines) -> None:
        self._folder, self._lines = seat.folder, lines

    def studies(self, also: str = "") -> tuple[tuple[str, str], ...]:
        """The newest studies of this account with their data set, and the one with the id ``also``."""
        from xinglin.console.calls.researcher_studies import line_of
        from xinglin.sdk.access import Access

        with self._lines.space(self._folder) as space:
            found = Access(space).studies(most=NEWEST_STUDIES).lines
            if also and also not in {one.study for one in found}:
                asked = line_of(space, also)
                found += (asked,) if asked is not None else ()
        return tuple((one.study, one.data_set) for one in found if one.active)

    def of(self, study: str) -> tuple[StudyBudget, ...]:
        """What each hospital says about one of this account's studies; nothing about another's."""
        with self._lines.space(self._folder) as space:
            sets = [one.agreement.data_set for one in space.agreements(study)]
            told = [one for name in dict.fromkeys(sets) for one in space.budget(name, study)]
        return tuple(msgspec.convert(one.to_dict(), StudyBudget) for one in told)
