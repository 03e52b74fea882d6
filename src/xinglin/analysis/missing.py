"""What a result says about rows and persons, used and left out, so that no difference is a small cell."""

from __future__ import annotations

from typing import Any

from xinglin.analysis.algorithm import Guard
from xinglin.privacy.disclosure import report_missing
from xinglin.terms.thresholds import DisclosureRules


def counts_payload(guard: Guard, rules: DisclosureRules) -> dict[str, Any]:
    """``rows_used``, ``rows_missing``, ``persons_used``, ``persons_missing`` of the pooled data.

    A missing count is ``None`` when few persons, or none, are behind it (0 is said only by rules that
    publish zeros). Rows missing may belong to persons who are used as well: they are shown only beside
    a shown count of missing persons.
    """
    report = report_missing(rules, used=guard.persons_used, missing=guard.persons_missing)
    none = rules.publish_zeros and guard.rows_missing == 0
    return {
        "rows_used": guard.rows_used,
        "rows_missing": 0 if none else (guard.rows_missing if report.missing is not None else None),
        "persons_used": guard.persons_used,
        "persons_missing": 0 if none else report.missing,
    }
