"""The disclosure rules that parties agree on; how they are applied is the privacy room's."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from xinglin.terms.errors import TermsError


class DisclosureRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a pooled total must satisfy before anyone outside the roster sees it.

    ``min_cell``: persons in every released cell. ``min_hospitals``: contributors. ``min_dof``: residual
    degrees of freedom of a fitted model. ``max_params_share``: fitted parameters over persons, in (0, 1].
    ``max_person_share``: the largest part of the rows that one person may hold, in (0, 1].
    ``publish_zeros``: show empty cells of a table whose margins are shown (off: a zero is hidden like
    any small cell). ``exact_answers_cap``: exact answers on one data set over all studies.

    >>> DisclosureRules().min_cell
    10
    """

    min_cell: int = 10
    min_hospitals: int = 3
    min_dof: int = 10
    max_params_share: float = 1 / 3
    max_person_share: float = 0.5
    publish_zeros: bool = False
    exact_answers_cap: int = 200

    def __post_init__(self) -> None:
        if min(self.min_cell, self.min_hospitals, self.min_dof) < 1 or self.exact_answers_cap < 0:
            raise TermsError("Thresholds are positive whole numbers.", remedy="State at least 1.")
        for share in (self.max_params_share, self.max_person_share):
            if not (math.isfinite(share) and 0 < share <= 1):
                raise TermsError("A share lies above 0 and is at most 1.", remedy="State a fraction such as 0.5.")


def strictest(rules: Sequence[DisclosureRules]) -> DisclosureRules:
    """The rule set that satisfies every one of ``rules``; an empty list raises ``TermsError``.

    >>> strictest([DisclosureRules(min_cell=5), DisclosureRules(min_cell=12, min_dof=3)]).min_cell
    12
    """
    if not rules:
        raise TermsError("No disclosure rules were named.", remedy="Name those of every hospital in the roster.")
    return DisclosureRules(
        min_cell=max(r.min_cell for r in rules),
        min_hospitals=max(r.min_hospitals for r in rules),
        min_dof=max(r.min_dof for r in rules),
        max_params_share=min(r.max_params_share for r in rules),
        max_person_share=min(r.max_person_share for r in rules),
        publish_zeros=all(r.publish_zeros for r in rules),
        exact_answers_cap=min(r.exact_answers_cap for r in rules),
    )


def at_least_as_strict(rules: DisclosureRules, demanded: DisclosureRules) -> bool:
    """Whether ``rules`` loosen nothing that ``demanded`` demands (the cap of answers is the hospital's own)."""
    own = msgspec.structs.replace(demanded, exact_answers_cap=rules.exact_answers_cap)
    return strictest([rules, own]) == rules
