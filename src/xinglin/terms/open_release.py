"""The L1 pack ``l1/1``: what a plan must be for its release to be of grade L1, which anyone may read.

It is named in the plan, so every hospital decides on it, computes and protects under its thresholds, and authorises
that release and no other. Rules stricter than the pack's are welcome, looser ones are refused before anything is read.
"""

from __future__ import annotations

import msgspec

from xinglin.kernel.verdict import Reason
from xinglin.terms.thresholds import DisclosureRules, at_least_as_strict, strictest

L1_PACK = "l1/1"
L1_RULES = DisclosureRules(min_cell=20, max_person_share=0.25)
"""Twice the persons of a usual cell; nobody holds more than a quarter of the rows."""
L1_ALGORITHMS = ("crosstab", "describe", "flow", "histogram", "dp_count", "dp_crosstab", "dp_describe", "dp_histogram")
"""Tables of statistics. Models, covariances and quantiles stay with the parties of their study."""


def open_rules(rules: DisclosureRules) -> DisclosureRules:
    """The rules of a plan that names the pack: the strictest of the hospitals' and the pack's.

    >>> open_rules(DisclosureRules(min_cell=30)).min_cell
    30
    """
    found = strictest([rules, L1_RULES])
    return msgspec.structs.replace(found, exact_answers_cap=rules.exact_answers_cap)


def check_open(packs: tuple[str, ...], algorithm: str, rules: DisclosureRules) -> list[Reason]:
    """Every reason why a plan that names the pack does not pass it; nothing where it does not name it.

    >>> [one.code for one in check_open(("disclosure/1", "l1/1"), "glm", DisclosureRules())]
    ['terms.not_open', 'terms.not_open']
    """
    if L1_PACK not in packs:
        return []
    reasons = []
    if algorithm not in L1_ALGORITHMS:
        words = f"The pack {L1_PACK} is for tables of statistics, not for '{algorithm[:40]}'."
        reasons.append(Reason("terms.not_open", words, f"Ask for one of {', '.join(L1_ALGORITHMS)}, or drop the pack."))
    if not at_least_as_strict(rules, L1_RULES):
        words = f"The plan's disclosure rules are looser than the pack {L1_PACK} demands."
        reasons.append(Reason("terms.not_open", words, f"At least {L1_RULES.min_cell} persons a cell."))
    return reasons
