"""Which data sets a study may use, and why not: every policy judged with what the study states of itself.

The same evaluator decides again when an offer is made and at each use, there with facts that are proven. What a study
only states (a recipient's class, a basis) is stated; what nobody can know yet (the hour, the place) stays open. *No*
means that no later fact can help.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import msgspec

from xinglin.catalogue.errors import CatalogueError
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Allowed, Denied, Reason, Verdict
from xinglin.terms.care import lane_reasons
from xinglin.terms.constraints import Value
from xinglin.terms.evaluate import Asked, compile_policy
from xinglin.terms.grades import OPERATIONS, REQUIREMENTS, required
from xinglin.terms.policy import Policy
from xinglin.terms.purposes import check_purpose
from xinglin.terms.vocabulary import OPERANDS, includes, nearest

FACTS = Limit("facts that a study states", 64, "facts")
FACT_VALUES = Limit("values of a fact", 2_000, "values")

YES, OPEN, NO, ASK = "yes", "open", "no", "ask"
ANSWERS = {
    YES: ("your study may use it under its terms", "可以使用"),
    OPEN: ("your study may use it if what is open holds", "满足待定条件后可以使用"),
    ASK: ("its hospital has published no terms: ask", "尚未公布条款，请询问医院"),
    NO: ("your study may not use it", "不可使用"),
}
"""The four answers, best first, in English and Chinese."""


class UnknownFact(CatalogueError):
    """A fact that no policy can ask for."""

    code = "catalogue.unknown_fact"


class StudyFacts(msgspec.Struct, frozen=True):
    """A study as it states itself: what it would do, and facts by operand (``purpose``, ``recipientClass`` …)."""

    action: str = "statistics"
    values: dict[str, str | tuple[str, ...]] = {}


class Standing(msgspec.Struct, frozen=True):
    """The answer for one data set: ``open``: operands not known yet; ``owed``: duties; ``asked``: what its grade asks.

    ``reasons``: every reason, each with what would change it.
    """

    answer: str
    reasons: tuple[Reason, ...] = ()
    open: tuple[str, ...] = ()
    owed: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()


def check_study(study: StudyFacts) -> None:
    """Every fact must be one that policies know; raises ``UnknownFact`` with the nearest, or ``LimitExceeded``."""
    FACTS.check(len(study.values))
    for name, value in study.values.items():
        if name not in OPERANDS:
            like = nearest(name, OPERANDS)
            remedy = f"Did you mean '{like}'?" if like else f"Known: {', '.join(sorted(OPERANDS))}."
            raise UnknownFact(f"'{name[:80]}' is not a fact that terms know.", remedy=remedy)
        if isinstance(value, tuple):
            FACT_VALUES.check(len(value))


def standing(policy: Policy | None, grade: str, study: StudyFacts) -> Standing:
    """What the study may expect of a data set of this grade under this policy."""
    reasons: list[Reason] = []
    asked: tuple[str, ...] = ()
    if study.action in OPERATIONS and grade:
        needed = required(grade, study.action)
        if isinstance(needed, Denied):
            reasons += needed.reasons
        else:
            asked = tuple(word for word in needed if word in REQUIREMENTS)
    reasons += lane_reasons(study.action, _texts(study.values.get("purpose")))
    for purpose in _texts(study.values.get("purpose")):
        checked = check_purpose(purpose)
        reasons += checked.reasons if isinstance(checked, Denied) else ()
    if policy is None:
        return Standing(NO, tuple(reasons), asked=asked) if reasons else Standing(ASK, asked=asked)
    judged = prospect(policy, grade, study.action, dict(study.values))
    if isinstance(judged, Denied):
        reasons += judged.reasons
    if reasons:
        return Standing(NO, tuple(dict.fromkeys(reasons)), asked=asked)
    conditions = judged.conditions if isinstance(judged, Allowed) else ()
    open_ = tuple(one.removeprefix("open:") for one in conditions if one.startswith("open:"))
    owed = tuple(one.removeprefix("duty:") for one in conditions if one.startswith("duty:"))
    return Standing(OPEN if open_ else YES, (), open_, owed, asked)


def purposes_of(policy: Policy, purposes: Mapping[str, object], action: str = "statistics") -> tuple[str, ...]:
    """The purposes for which some study could use a data set with this policy."""
    study = {code: StudyFacts(action, {"purpose": code}) for code in purposes}
    compiled = compile_policy(policy)
    return tuple(
        code
        for code, facts in study.items()
        if isinstance(compiled.prospect(Asked(facts.action, dict(facts.values))), Allowed)
    )


def prospect(policy: Policy, grade: str, action: str, values: dict[str, Value]) -> Verdict:
    """What a policy says of an action before any use: the same in the catalogue and for an offer.

    A wide action (``use``) is what may be done of it with data of this grade: where each part is forbidden, so is the
    whole, whatever a permission of the whole says.
    """
    compiled = compile_policy(policy)
    found = [compiled.prospect(Asked(one, values)) for one in parts_of(action, grade)]
    possible = [one for one in found if isinstance(one, Allowed)]
    if possible:
        return Allowed(tuple(dict.fromkeys(condition for one in possible for condition in one.conditions)))
    return Denied(tuple(dict.fromkeys(reason for one in found if isinstance(one, Denied) for reason in one.reasons)))


@lru_cache(maxsize=256)
def parts_of(action: str, grade: str) -> tuple[str, ...]:
    """What an action may mean with data of a grade: itself, or the narrower ones that are offered.

    >>> parts_of("use", "L2"), parts_of("statistics", "L2"), parts_of("use", "L1")
    (('statistics', 'training', 'extract'), ('statistics',), ('read', 'transfer'))
    """
    handed_out = ("transfer",) if isinstance(required(grade, "read"), tuple) else ()
    offered = (*(one for one in OPERATIONS if isinstance(required(grade, one), tuple)), *handed_out)
    return tuple(one for one in offered if includes(action, one)) or (action,)


def _texts(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value or ()
