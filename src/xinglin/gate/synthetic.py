"""The rules on a synthetic set, applied by the gate whatever the computation applied itself."""

from __future__ import annotations

from collections.abc import Iterator

from xinglin.gate.model import EXTRACT_BYTES, SyntheticGuard
from xinglin.kernel.verdict import Allowed, Denied, Reason, Verdict, deny
from xinglin.terms.request import Plan
from xinglin.terms.synthetic import SyntheticAsk, is_synthetic, synthetic_of


def check_synthetic_guard(plan: Plan, guard: SyntheticGuard | None) -> Verdict:
    """Whether a synthetic set may leave; pure, with every reason.

    1. It is what the plan asks for, and says what protects it. 2. Its model was paid for before it was measured, and
    cost no more than the plan says. 3. It carries its recipient's mark. 4. It has the rows that were asked for, and is
    neither empty nor too large. A protection that is not told is missing: nothing leaves without one.
    """
    if guard is None or not is_synthetic(plan):
        return deny("gate.unprotected", "It is not told what protects the synthetic set.", "Ask for it again.")
    ask = synthetic_of(plan)
    if isinstance(ask, Denied):
        return ask
    reasons = tuple(_faults(ask, guard))
    return Denied(reasons) if reasons else Allowed()


def _faults(ask: SyntheticAsk, guard: SyntheticGuard) -> Iterator[Reason]:
    if guard.version != 1:
        yield _reason("gate.unprotected", "The set's account of itself is of an unknown version.", "Upgrade.")
    if not guard.entry or not guard.model:
        yield _reason("gate.not_paid", "No entry of the budget of privacy paid for the set.")
    if not 0 < guard.rho_units <= ask.rho_units:
        yield _reason("gate.overspent", "The set's model cost more privacy than the plan says, or does not tell.")
    if not guard.mark or guard.recipient != ask.recipient:
        yield _reason("gate.not_marked", "The set does not carry its recipient's mark.")
    if guard.rows != ask.rows or not 0 < guard.size_bytes <= EXTRACT_BYTES.value:
        yield _reason("gate.result_size", "The set has other rows than were asked for, or is too large.", "Ask anew.")


def _reason(code: str, words: str, remedy: str = "Ask for it again; tell the hospital if it happens twice.") -> Reason:
    return Reason(code, words, remedy)
