"""The rules on an extract, applied by the gate whatever the computation applied itself."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from xinglin.gate.model import EXTRACT_BYTES, ExtractGuard
from xinglin.kernel.verdict import Allowed, Denied, Reason, Verdict, deny
from xinglin.terms.extracts import ExtractAsk, ask_of, decimal, is_extract
from xinglin.terms.request import Plan

LOWEST_GRADE = 2
"""Of GB/T 42460-2023: with direct identifiers left (grade 1), rows go nowhere."""
_COARSER = "Ask for coarser columns, or for fewer of them."


def check_guard(plan: Plan, guard: ExtractGuard | None) -> Verdict:
    """Whether an extract may be shown to its reviewers, and leave if they agree; pure, with every reason.

    1. It is what the plan asks for, and says what protects it. 2. It was de-identified by the plan's profile.
    3. Every combination of quasi-identifying values is shared by k persons or more, l and t hold where they are asked.
    4. It is marked, for the plan's workspace, and was compared with earlier extracts. 5. It is neither empty nor too
    large. A protection that is not told is missing: nothing leaves without one.
    """
    if guard is None or not is_extract(plan):
        return deny("gate.unprotected", "It is not told what protects the extract.", "Ask for it again.")
    ask = ask_of(plan)
    if isinstance(ask, Denied):
        return ask
    reasons = tuple(_faults(plan, ask, guard))
    return Denied(reasons) if reasons else Allowed()


def _faults(plan: Plan, ask: ExtractAsk, guard: ExtractGuard) -> Iterator[Reason]:
    least, most = max(ask.k, plan.min_cell), decimal(ask.suppressed)
    if guard.version != 1:
        yield _reason("gate.unprotected", "The extract's account of itself is of an unknown version.", "Upgrade.")
    if guard.profile != ask.profile or not guard.profile_digest:
        yield _reason("gate.not_deidentified", "The extract was not de-identified by the plan's profile.")
    if guard.grade < LOWEST_GRADE:
        words = "Direct identifiers of persons are left in the extract."
        yield _reason("gate.grade", words, "Name a profile that leaves none; the hospital's own may keep some.")
    if not guard.mark or guard.recipient != ask.workspace:
        yield _reason("gate.not_marked", "The extract does not carry its recipient's mark.")
    yield from _groups(ask, guard, least)
    if guard.compared < 0:
        words = "The extract was not compared with the hospital's earlier ones."
        yield _reason("gate.not_compared", words)
    if guard.persons < least:
        yield _reason("gate.few_persons", "Too few persons are in the extract.", "Ask for a larger cohort.")
    if guard.left_out > most * (guard.rows + guard.left_out):
        yield _reason("gate.suppressed", "More rows would be left out than the plan allows.", _COARSER)
    if guard.rows < 1 or not 0 < guard.size_bytes <= EXTRACT_BYTES.value:
        yield _reason("gate.result_size", "The extract is empty or too large.", "Ask for less at a time.")


def _groups(ask: ExtractAsk, guard: ExtractGuard, least: int) -> Iterator[Reason]:
    if guard.k < least:
        words = "A combination of quasi-identifying values is shared by fewer persons than k."
        yield _reason("gate.k_missed", words, _COARSER)
    if ask.l and guard.l < ask.l:
        yield _reason("gate.l_missed", "A group has too few distinct sensitive values.", _COARSER)
    if ask.t and not _holds(guard.t, ask.t):
        yield _reason("gate.t_missed", "A group's sensitive values differ too much from the whole's.", _COARSER)


def _holds(measured: str, asked: str) -> bool:
    try:
        return Fraction(measured) <= decimal(asked)
    except (ValueError, ZeroDivisionError):
        return False  # not measured


def _reason(code: str, words: str, remedy: str = "Ask for it again; tell the hospital if it happens twice.") -> Reason:
    return Reason(code, words, remedy)
