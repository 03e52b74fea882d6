"""Whether an ethics approval covers a use: one answer for a decision, for a node's own books and for an offer."""

from __future__ import annotations

from xinglin.kernel.verdict import Allowed, Denied, Reason, Verdict
from xinglin.terms.facts import AgreementFacts, ApprovalFacts
from xinglin.terms.purposes import covers
from xinglin.terms.request import UseRequest


def approval_covers(approval: ApprovalFacts, held: AgreementFacts, request: UseRequest | None) -> Verdict:
    """Whether ``approval`` covers the agreement and, where one is given, the request under it; its end apart.

    1. The study, the data set, the cohort and the variables are those approved, to the letter.
    2. No operation and no purpose of the agreement or the request goes beyond the approved ones.
    3. Who signed the agreement and who asks are among those whom the committee was told of.
    """
    reasons = [*_data(approval, held, request), *_use(approval, held, request)]
    return Denied(tuple(reasons)) if reasons else Allowed()


def _data(approval: ApprovalFacts, held: AgreementFacts, request: UseRequest | None) -> list[Reason]:
    reasons, terms = [], held.terms
    if {held.study, request.study if request is not None else held.study} != {approval.study}:
        reasons.append(Reason("access.other_study", "The approval is for another study.", "Apply for this study."))
    if held.data_set not in approval.data_sets:
        reasons.append(Reason("access.other_data_set", "The data set is not approved.", "Have it amended."))
    if terms.cohort_digest != approval.cohort_digest:
        reasons.append(Reason("access.other_cohort", "The cohort is not the approved one.", "Use the approved views."))
    if terms.variables_digest != approval.variables_digest:
        words = "The variables are not exactly the approved ones."
        reasons.append(Reason("access.other_variables", words, "Ask for the approved variables, or have them amended."))
    return reasons


def _use(approval: ApprovalFacts, held: AgreementFacts, request: UseRequest | None) -> list[Reason]:
    reasons, asked = [], () if request is None else (request,)
    operations = {*held.terms.operations, *(one.operation for one in asked)}
    purposes = {*held.terms.purposes, *(one.purpose for one in asked)}
    if not operations <= set(approval.operations):
        reasons.append(
            Reason(
                "access.other_operation",
                "The approval does not name every operation that is agreed or asked for.",
                "Agree on the approved operations alone, or have the approval amended.",
            )
        )
    if not all(covers(approval.purposes, one) for one in purposes):
        reasons.append(
            Reason(
                "access.other_purpose",
                "The approval is not for every purpose that is agreed or asked for.",
                "Agree on the approved purposes alone, or have the approval amended.",
            )
        )
    if not {held.consumer, *(one.requester for one in asked)} <= set(approval.people):
        reasons.append(
            Reason(
                "access.other_people",
                "The approval was given to others: it does not name who asks.",
                "Apply for a study of your own, or have the approval amended to name you.",
            )
        )
    return reasons
