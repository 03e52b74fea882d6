"""What a result says about rows and persons, used and left out, so that no difference is a small cell."""

from __future__ import annotations

from typing import Any

from xinglin.analysis.algorithm import Guard
from xinglin.privacy.disclosure import report_missing
from xinglin.privacy.packs.model import Pack
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


def told_counts_payload(
    guard: Guard, rules: DisclosureRules, pack: Pack, total: int | None, *, whole: bool
) -> dict[str, Any]:
    """The same beside a table that a pack protected: no more than the table itself says.

    ``total``: of the table, as it is told; ``whole``: nothing of the table is hidden. Persons used are told where
    nothing is hidden, or where each person has one row, so that they are the table's total.
    """
    from xinglin.analysis.packed import told_count

    found = counts_payload(guard, rules)
    told = {name: None if count is None else told_count(pack, count) for name, count in found.items()}
    if total is None:
        return {**told, "rows_used": None, "persons_used": None}
    if guard.rows_used == guard.persons_used:
        return {**told, "rows_used": total, "persons_used": total}
    return {**told, "rows_used": total, "persons_used": told["persons_used"] if whole else None}
