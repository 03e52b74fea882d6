"""How many evaluations a hospital may have: its own patients and a margin, for each study and period.

Blinded elements do not show whose they are, so the count is what a holder can hold a hospital to. The hospital says
its number of patients in each signed question (its patient index counts them, where it has one); a holder keeps the
first number of a period, holds it against that of the last period before, and its operator may set a ceiling. A batch
that was answered is answered again at no charge: the same blinded elements under the same key tell nothing new. Each
holder counts for itself, so a hospital and one holder together gain nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Allowed, Verdict, deny
from xinglin.secure.blind.hashing import sized

PATIENTS = Limit("patients that a hospital may declare", 50_000_000, "patients")
DAY_MS = 86_400_000
CEILING = 2_000_000
"""Patients that a holder believes of a hospital, unless its settings say otherwise."""


class QuotaRule(msgspec.Struct, frozen=True):
    """A holder's rule: ``margin_permille`` above the patients, at least ``margin_least``, in ``period_days`` days.

    ``growth_permille``: by how much the number may grow from one period to the next in which the hospital asks, by at
    least ``growth_least`` patients. ``ceiling``: the most patients that a holder believes of any hospital;
    ``ceilings``: of one, by DID, in its place, whatever it grew by; ``studies_most``: studies for which one hospital
    may ask within a period.
    """

    margin_permille: int = 20
    margin_least: int = 10
    period_days: int = 90
    studies_most: int = 20
    ceilings: dict[str, int] = {}
    ceiling: int = CEILING
    growth_permille: int = 250
    growth_least: int = 1_000

    def grown(self, before: int) -> int:
        """The most patients that are believed of a hospital that declared ``before`` in an earlier period."""
        return before + max(self.growth_least, before * self.growth_permille // 1000)

    def period(self, now: Instant) -> int:
        """The number of the period that ``now`` (milliseconds) lies in."""
        return now // (self.period_days * DAY_MS)

    def allowance(self, node: str, patients: int) -> int:
        """How many evaluations ``node`` with ``patients`` patients has in one period for one study."""
        believed = max(min(patients, self.ceilings.get(node, self.ceiling)), 0)
        return believed + max(self.margin_least, -(-believed * self.margin_permille // 1000))


class Standing(msgspec.Struct, frozen=True):
    """What a holder has noted of a hospital in a period.

    ``patients``: declared first (−1: nothing yet); ``spent``: evaluations in this study; ``begun``: whether it has
    asked in this study; ``studies``: in how many it has. ``before``: patients of the last earlier period (−1: none).
    """

    patients: int = -1
    spent: int = 0
    begun: bool = False
    studies: int = 0
    before: int = -1


def judge(rule: QuotaRule, node: str, standing: Standing, patients: int, elements: int) -> Verdict:
    """Whether ``elements`` more evaluations are within the quota; a ``Denied`` says what is left."""
    if not 0 <= patients <= PATIENTS.value:
        return deny("secure.quota_patients", "A number of patients that no hospital has.")
    if elements < 1:
        return deny("secure.quota_empty", "A batch holds at least one element.")
    if standing.patients >= 0 and patients != standing.patients:
        return deny(
            "secure.quota_declared",
            f"Another number of patients ({standing.patients}) was declared for this period.",
            "Ask with the number declared first, or wait for the next period.",
        )
    most = rule.grown(standing.before)
    if standing.patients < 0 <= standing.before and node not in rule.ceilings and patients > most:
        return deny(
            "secure.quota_growth",
            f"{patients} patients are declared after {standing.before} earlier: no hospital grows so fast.",
            f"Declare at most {most}, or show the holder why: it can set a ceiling for this hospital alone.",
        )
    if not standing.begun and standing.studies >= rule.studies_most:
        return deny(
            "secure.quota_studies",
            f"A hospital asks for at most {rule.studies_most} studies within {rule.period_days} days.",
            "Wait for the next period.",
        )
    allowance = rule.allowance(node, patients)
    if standing.spent + elements > allowance:
        return deny(
            "secure.quota_spent",
            f"{standing.spent} of {allowance} evaluations of this period are spent; {elements} more are asked for.",
            f"Ask for at most {max(allowance - standing.spent, 0)}, or wait for the next period.",
        )
    return Allowed()


def batch_digest(study: str, blinded: Sequence[bytes]) -> bytes:
    """32 bytes that name a batch of blinded elements in a study: the same batch is charged once."""
    return hashlib.sha256(b"".join(map(sized, (b"xinglin blind batch/1", study.encode(), *blinded)))).digest()
