"""What a hospital says of its budgets of privacy, signed: to each study its own, and everybody's sum."""

from __future__ import annotations

import msgspec

from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit

BUDGET_CONTEXT = "privacy-budget/1"
"""Signing context of a ``BudgetTold``."""

ANY_STUDY = ""
"""The study of the statement that holds for every study without one of its own."""

TOLD = Limit("budgets that a hospital tells", 4_096, "statements")


class BudgetTold(msgspec.Struct, frozen=True):
    """One hospital's budgets of a data set towards one study, and towards everybody; units of 10⁻¹² rho.

    Version 1; append-only. ``head``: of the ledger's chain, as it is committed in leaves of the log. ``reserved``: what
    runs in progress hold of the study's, and of everybody's.
    """

    node: str
    data_set: str
    study: str
    cap: int
    spent: int
    everybody_cap: int
    everybody_spent: int
    at: Instant
    head: str = ""
    version: int = 1
    reserved: int = 0
    everybody_reserved: int = 0


class BudgetReport(msgspec.Struct, frozen=True, tag="budget-report"):
    """A ``BudgetTold`` under the node's signature (``Signed`` as bytes); the newest of a data set and study holds."""

    signed: bytes
