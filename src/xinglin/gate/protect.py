"""The disclosure rules on the pooled total, applied by the gate whatever the computation applied itself."""

from __future__ import annotations

from xinglin.evidence.commitments import commit, derive_salt
from xinglin.gate.extracts import check_guard
from xinglin.gate.model import RESULT_BYTES, Computed, PooledGuard
from xinglin.gate.synthetic import check_synthetic_guard
from xinglin.kernel.verdict import Allowed, Verdict, deny, every
from xinglin.privacy.differencing import check_differences, check_rosters, is_finer
from xinglin.privacy.disclosure import check_dominance, check_total
from xinglin.privacy.errors import BadLayout
from xinglin.terms.extracts import is_extract
from xinglin.terms.request import Plan
from xinglin.terms.synthetic import is_synthetic


def protect(plan: Plan, node: str, computed: Computed) -> Verdict:
    """Whether the outcome may leave under the plan's rules; pure, with every reason about the pooled data.

    Of an extract: ``gate.extracts.check_guard``; of a synthetic set: ``gate.synthetic``. Of a total: checks persons a
    cell, contributors (of the roster, this node among them), degrees of freedom, parameters, dominance where rows are
    not persons, difference counts, and the size of the result.
    """
    guard = computed.guard
    if is_extract(plan) or computed.extract is not None:
        return every([_contributors(plan, node, guard), _size(computed.result), check_guard(plan, computed.extract)])
    if is_synthetic(plan) or computed.synthetic is not None:
        parts = [_contributors(plan, node, guard), _size(computed.result)]
        return every([*parts, check_synthetic_guard(plan, computed.synthetic)])
    verdicts = [
        check_total(
            plan.rules,
            persons=guard.persons,
            hospitals=len(set(guard.contributors)),
            dof=guard.dof,
            parameters=guard.parameters,
        ),
        _contributors(plan, node, guard),
        _differences(plan, guard),
        _size(computed.result),
    ]
    if guard.rows is not None or guard.rows_squared is not None:
        verdicts.append(check_dominance(plan.rules, rows=guard.rows or 0, rows_squared=guard.rows_squared or 0))
    return every(verdicts)


def _contributors(plan: Plan, node: str, guard: PooledGuard) -> Verdict:
    listed = guard.contributors
    if set(listed) <= set(plan.roster) and node in listed and len(set(listed)) == len(listed):
        return Allowed()
    return deny("gate.contributors", "The total is not of the plan's hospitals.", "Start the run again.")


def _differences(plan: Plan, guard: PooledGuard) -> Verdict:
    # A count of the query itself (of clipped values) has no earlier release, and compares no cell.
    compared = {slot.cell for slot in guard.layout if slot.earlier.release}
    if compared and not set(guard.persons) <= compared:
        return deny("gate.uncompared", "A released cell was not compared with earlier ones.", "Plan the run again.")
    if len(guard.layout) != len(guard.differences):
        return deny("gate.uncompared", "Difference counts are missing.", "Start the run again.")
    # Cells that are not released (suppressed ones) give no difference either.
    counted = zip(guard.layout, guard.differences, strict=True)
    pairs = [(s, n) for s, n in counted if s.cell in guard.persons or is_finer(s.cell)]
    slots, counts = [slot for slot, _ in pairs], [count for _, count in pairs]
    if not {slot.earlier.release for slot in slots if slot.earlier.release} <= guard.rosters.keys():
        return deny("gate.uncompared", "It is not known whose an earlier release was.", "Start the run again.")
    try:
        return every(
            [
                check_differences(plan.rules, slots, counts),
                check_rosters(plan.rules, slots, counts, guard.rosters, guard.contributors),
            ]
        )
    except BadLayout as error:
        return deny(error.code, error.what, "Start the run again.")


def _size(result: bytes) -> Verdict:
    if 0 < len(result) <= RESULT_BYTES.value:
        return Allowed()
    return deny("gate.result_size", "The result is empty or too large to be released.", "Ask for less at a time.")


def mark_of(salt: bytes, did: str, commitment: str) -> str:
    """What a contributor's release-authorised leaf carries beside its commitment: proof that it is that contributor's.

    ``salt``: the secret that all contributors derive alike. Guarantee: who does not know it (the log's operator)
    cannot make a mark in anybody's name; a contributor could, and holds the result anyway.
    """
    return commit(derive_salt(salt, f"authorised by {did}"), commitment)
