"""Budgets of privacy as hospitals tell them: signed by each, verified here; what is spent, left, and lasts for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.kernel.instants import Instant, system_clock, to_text
from xinglin.privacy.noise.reserving import RESERVED_MS
from xinglin.sdk.noise import epsilon_text, rho_text
from xinglin.terms.noise_asked import DEFAULT_DELTA
from xinglin.trust.envelope import Signed, open_signed_as
from xinglin.trust.errors import TrustError
from xinglin.wire.budgets import ANY_STUDY, BUDGET_CONTEXT, BudgetTold

if TYPE_CHECKING:
    from xinglin.sdk.session import Session


class Budget(msgspec.Struct, frozen=True):
    """One hospital's budget of a data set towards a study, and towards everybody; units of 10⁻¹² rho.

    ``hospital`` is its DID, ``name`` its label. ``at``: when the hospital said so. ``reserved``: what runs in progress
    hold of the study's, and of everybody's, until they pay or end.
    """

    hospital: str
    name: str
    data_set: str
    study: str
    cap: int
    spent: int
    everybody_cap: int
    everybody_spent: int
    at: Instant
    head: str
    reserved: int = 0
    everybody_reserved: int = 0

    @property
    def left(self) -> int:
        """Units that the study may still spend there: of its own budget, and of everybody's, beside what runs hold."""
        everybody = self.everybody_cap - self.everybody_spent - self.everybody_reserved
        return max(0, min(self.cap - self.spent - self.reserved, everybody))

    @property
    def epsilon_spent(self) -> str:
        """What the study has spent, as ε at δ 1/1000000: a decimal, rounded up."""
        return epsilon_text(self.spent, DEFAULT_DELTA)

    def questions(self, rho_units: int) -> int:
        """How many more questions of this cost fit."""
        return self.left // rho_units

    def to_dict(self) -> dict[str, Any]:
        """Plain values, rho as exact text."""
        return {
            "hospital": self.name,
            "did": self.hospital,
            "data_set": self.data_set,
            "study": self.study,
            "spent_rho": rho_text(self.spent),
            "reserved_rho": rho_text(self.reserved),
            "left_rho": rho_text(self.left),
            "cap_rho": rho_text(self.cap),
            "epsilon_spent": self.epsilon_spent,
            "everybody_reserved_rho": rho_text(self.everybody_reserved),
            "everybody_left_rho": rho_text(max(0, self.everybody_cap - self.everybody_spent - self.everybody_reserved)),
            "at": to_text(self.at),
            "head": self.head,
        }


def budgets_of(space: Session, data_set: str, study: str) -> list[Budget]:
    """What each hospital says; a statement that its hospital did not sign, or about something else, is left out."""
    found = space.client.get("/v1/budgets", list[Signed], data_set=data_set, study=study)
    space.log.refresh()
    names, now = space.names(), system_clock()  # what was held so long ago has ended, told or not
    told = (_opened(space, signed) for signed in found)
    return [
        Budget(
            one.node,
            names.get(one.node, one.node),
            data_set,
            study,
            one.cap,
            one.spent,
            one.everybody_cap,
            one.everybody_spent,
            one.at,
            one.head,
            *((one.reserved, one.everybody_reserved) if now - one.at < RESERVED_MS.value else ()),
        )
        for one in told
        if one is not None and one.data_set == data_set and one.study in (study, ANY_STUDY)
    ]


def _opened(space: Session, signed: Signed) -> BudgetTold | None:
    try:
        told = open_signed_as(signed, BUDGET_CONTEXT, space.log.record.directory, BudgetTold)
    except TrustError:
        return None
    return told if told.node == signed.signer else None
