"""Disclosure rules on a pooled total: every count is of distinct persons.

A rule set is an argument. Each hospital states its own in its agreement; a run obeys the strictest of
all of them. A refusal says which rule, never the count: "none" and "a few" read the same, so that an
empty answer is no oracle for one person's presence.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from xinglin.kernel.verdict import Allowed, Reason, Verdict, deny, every
from xinglin.privacy.errors import PrivacyError
from xinglin.terms.thresholds import DisclosureRules, strictest

__all__ = [
    "DisclosureRules",
    "MissingReport",
    "check_dominance",
    "check_total",
    "hidden_reason",
    "report_missing",
    "strictest",
]


def check_total(
    rules: DisclosureRules,
    *,
    persons: Mapping[str, int],
    hospitals: int,
    dof: int | None = None,
    parameters: int = 0,
) -> Verdict:
    """Whether a pooled total may leave: persons of every cell, contributors, model size.

    ``persons``: distinct persons by cell name (at least one cell; a statistic without groups has the one
    cell ``all``). ``hospitals``: contributors whose keys the agreements pin. ``dof``: residual degrees of
    freedom, ``None`` when no model is fitted. ``parameters``: fitted parameters; they are measured
    against the largest cell. Every broken rule gives its reason; no reason holds a count.

    >>> check_total(DisclosureRules(), persons={"all": 9}, hospitals=4).codes
    ('privacy.small_cell',)
    """
    verdicts: list[Verdict] = [_cells(rules, persons), _contributors(rules, hospitals)]
    if dof is not None:
        verdicts.append(_freedom(rules, dof))
    if parameters:
        verdicts.append(_parameters(rules, parameters, max(persons.values(), default=0)))
    return every(verdicts)


def _cells(rules: DisclosureRules, persons: Mapping[str, int]) -> Verdict:
    if not persons:
        return deny("privacy.uncounted", "No persons were counted.", "Count the persons of every cell.")
    small = sorted(name for name, count in persons.items() if count < rules.min_cell)
    if not small:
        return Allowed((f"min_cell={rules.min_cell}",))
    named = ", ".join(f"'{name}'" for name in small[:5]) + (" and others" if len(small) > 5 else "")
    return deny(
        "privacy.small_cell",
        f"Fewer than {rules.min_cell} persons stand behind {named}.",
        "Widen the cohort, or merge groups.",
    )


def _contributors(rules: DisclosureRules, hospitals: int) -> Verdict:
    if hospitals >= rules.min_hospitals:
        return Allowed((f"min_hospitals={rules.min_hospitals}",))
    return deny(
        "privacy.few_hospitals",
        f"Fewer than {rules.min_hospitals} hospitals contribute.",
        "Add hospitals whose agreements name each other.",
    )


def _freedom(rules: DisclosureRules, dof: int) -> Verdict:
    if dof >= rules.min_dof:
        return Allowed((f"min_dof={rules.min_dof}",))
    return deny(
        "privacy.few_degrees_of_freedom",
        f"The model leaves fewer than {rules.min_dof} degrees of freedom.",
        "Use fewer terms, or a wider cohort.",
    )


def _parameters(rules: DisclosureRules, parameters: int, persons: int) -> Verdict:
    if 0 < parameters <= rules.max_params_share * persons + 1e-9:
        return Allowed((f"max_params_share={rules.max_params_share:.6g}",))
    return deny(
        "privacy.many_parameters",
        f"The model has {parameters} parameters, too many for the persons behind it.",
        "Use fewer terms or levels, or a wider cohort.",
    )


def check_dominance(rules: DisclosureRules, *, rows: int, rows_squared: int) -> Verdict:
    """Whether no one person can hold too large a part of the pooled rows.

    ``rows``: the pooled number of rows; ``rows_squared``: the pooled sum over persons of (rows of that
    person)². The largest share is at most sqrt(rows_squared) / rows, so passing this guarantees that no
    person holds more than ``max_person_share`` of the rows. The bound is one-sided: it may refuse a
    total whose true largest share is smaller, never the reverse.

    >>> bool(check_dominance(DisclosureRules(), rows=49, rows_squared=40 * 40 + 9))
    False
    """
    if rows > 0 and rows <= rows_squared <= (rules.max_person_share * rows) ** 2:
        return Allowed((f"max_person_share={rules.max_person_share:.6g}",))
    return deny(
        "privacy.dominance",
        "Most of the rows may be of one person.",
        "Take one row a person (the first, or a mean), or widen the cohort.",
    )


class MissingReport(msgspec.Struct, frozen=True):
    """What may be said about persons used and left out; ``None`` reads "fewer than ``min_cell``"."""

    used: int | None
    missing: int | None
    eligible: int | None
    min_cell: int


def report_missing(rules: DisclosureRules, *, used: int, missing: int) -> MissingReport:
    """Persons used, left out, and eligible, such that no difference of shown figures is small.

    ``used + missing`` are the eligible persons. Only what is at least ``min_cell`` is shown; when one
    of the two parts is hidden the eligible total is hidden too, since it would give the part back.

    >>> report_missing(DisclosureRules(), used=297, missing=6)
    MissingReport(used=297, missing=None, eligible=None, min_cell=10)
    """
    if min(used, missing) < 0:
        raise PrivacyError("A count of persons is not negative.")
    shown_used = used if used >= rules.min_cell else None
    shown_missing = missing if missing >= rules.min_cell else None
    both = shown_used is not None and shown_missing is not None
    return MissingReport(shown_used, shown_missing, used + missing if both else None, rules.min_cell)


def hidden_reason(rules: DisclosureRules) -> Reason:
    """Why a cell of a released table is blank, in words that quote the rule."""
    return Reason(
        "privacy.hidden_cell",
        f"Hidden by the rule of at least {rules.min_cell} persons a cell, or to protect a cell that is.",
        "Merge levels, or widen the cohort.",
    )
