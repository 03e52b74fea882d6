"""The one evaluator: may this use happen at this node? Pure, and closed when in doubt.

1. The request and the plan are well formed and belong together.
2. The requester is who signed, with keys that stand, in time, for the first time.
3. An agreement of this node, in force, covers study, data set, purpose, operation and recipients.
4. The columns lie inside the agreement, and what their grade requires is there; the agreement's policy allows the use;
   an extract is of one hospital, for one workspace, and its k is at least the minimum cell; a synthetic set is of one
   hospital, for the recipient whose mark it carries.
5. The roster is the one this hospital agreed to be summed with, by keys and by number.
6. Where a committee approved the study, its approval stands and covers the use and who asks; the law packs, fences and
   pilot that this hospital set up for itself have nothing against it.
7. The rules are at least the agreed ones, and its disclosure packs at least this hospital's own; answers are left, and
   what was admitted is neither too old nor overtaken by a withdrawal that binds it.
8. Nothing that this rests on is revoked, and the node's view of the log is fresh.

Every broken rule gives its reason, with what would have to change; the order of rules changes nothing
but the order of reasons.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from xinglin.kernel.verdict import Allowed, Denied, Reason, Verdict
from xinglin.terms.agreed import AgreedTerms
from xinglin.terms.approved import approval_covers
from xinglin.terms.asker import asker_reasons
from xinglin.terms.evaluate import Asked, compile_policy
from xinglin.terms.extracts import EXTRACT_TIME, check_extract, is_extract
from xinglin.terms.facts import CHECKPOINT_STALE_MS, RUN_TIME, Facts
from xinglin.terms.grades import REMEDIES, REQUIREMENTS, highest, required
from xinglin.terms.policy import Policy
from xinglin.terms.policy_facts import judge_policy
from xinglin.terms.purposes import NO_DISEASES, check_purpose, covers
from xinglin.terms.request import PLAN_PACKS, Plan, UseRequest, check_plan, check_request
from xinglin.terms.synthetic import check_synthetic, is_handed_over
from xinglin.terms.thresholds import at_least_as_strict

_NOISED = "ask with proven noise: describe(epsilon=…) and its like take no exact answer"
_FROM_FACTS = ("agreement", "named_study", "ethics_approval", "security_assessment", "release_allowance")


def decide(request: UseRequest, plan: Plan, facts: Facts) -> Verdict:
    """``Allowed`` with the conditions to carry out, or ``Denied`` with every reason."""
    policy = judge_policy(request, plan, facts)
    reasons = [
        *_form(request, plan),
        *asker_reasons(request, facts),
        *_agreement(request, plan, facts),
        *_columns(request, plan, facts),
        *check_extract(request, plan),
        *check_synthetic(request, plan),
        *_policy(policy),
        *facts.unapproved,
        *facts.law,
        *facts.packs,
        *_roster(request, plan, facts),
        *_limits(plan, facts),
        *_since_admission(plan, facts),
        *_log(request, plan, facts),
    ]
    if reasons:
        return Denied(tuple(dict.fromkeys(reasons)))
    grade = highest(column.grade for column in facts.touched or ())
    needs = required(grade or "", request.operation)
    if isinstance(needs, Denied):
        return needs
    owed = policy.conditions if isinstance(policy, Allowed) else ()
    return Allowed((f"grade={grade}", f"min_cell={plan.min_cell}", *needs, *owed))


def decide_read(grade: str, asked: Asked, policy: Policy | None = None) -> Verdict:
    """May a released aggregate be read: of L1 by anyone, without agreement; what it is offered under is judged too."""
    needs = required(grade, "read")
    reasons = list(needs.reasons) if isinstance(needs, Denied) else []
    judged = Allowed() if policy is None else compile_policy(policy).judge(asked)
    if isinstance(judged, Denied):
        return Denied((*reasons, *judged.reasons))
    if reasons or isinstance(needs, Denied):
        return Denied(tuple(reasons))
    return Allowed((f"grade={grade}", *needs, *judged.conditions))


def _form(request: UseRequest, plan: Plan) -> Iterator[Reason]:
    for verdict in (check_request(request), check_plan(plan)):
        if isinstance(verdict, Denied):
            yield from verdict.reasons
    if isinstance(check_plan(plan), Allowed) and plan.digest() != request.plan:
        yield Reason("terms.other_plan", "The request was signed for another plan.", "Sign this plan's digest.")
    if plan.study != request.study:
        yield Reason("terms.other_study", "Request and plan name different studies.", "Name one study in both.")
    if plan.roster != request.nodes:
        yield Reason("terms.other_roster", "Request and plan name different hospitals.", "Name the plan's roster.")
    if PLAN_PACKS[0] not in plan.packs:
        yield Reason("terms.no_disclosure", "The plan names no disclosure rules.", f"Name the pack {PLAN_PACKS[0]}.")


def _agreement(request: UseRequest, plan: Plan, facts: Facts) -> Iterator[Reason]:
    held = facts.agreement
    if held is None:
        yield Reason("terms.no_agreement", "This hospital holds no such agreement.", "Negotiate one for this study.")
        return
    if held.digest != plan.agreements.get(facts.node):
        yield Reason("terms.other_agreement", "The plan names another agreement.", "Name the one in force.")
    if held.state != "active":
        words = f"The agreement is {held.state}, not active."
        yield Reason("terms.agreement_not_active", words, "Renew it, or have it signed by both sides.")
    if held.provider != facts.node:
        yield Reason("terms.other_provider", "The agreement is another hospital's.", "Name this hospital's own.")
    if held.consumer not in (request.requester, facts.institution):
        yield Reason("terms.other_consumer", "The agreement is with someone else.", "Ask as the party that signed.")
    if held.study != plan.study:
        yield Reason("terms.study_not_agreed", "The agreement is for another study.", "Negotiate for this study.")
    if held.data_set != plan.data_set:
        yield Reason("terms.data_set_not_agreed", "The agreement is for another data set.", "Name the agreed one.")
    yield from _use(request, held.terms, facts)


def _use(request: UseRequest, terms: AgreedTerms, facts: Facts) -> Iterator[Reason]:
    if facts.now < terms.not_before:
        yield Reason("terms.not_yet", "The agreement is not yet in force.", "Wait until it begins.")
    if facts.now >= terms.expires:
        yield Reason("terms.agreement_expired", "The agreement has expired.", "Renew it.")
    purpose = check_purpose(request.purpose)
    if isinstance(purpose, Denied):
        yield from purpose.reasons
    elif not covers(terms.purposes, request.purpose, facts.diseases or NO_DISEASES):
        yield Reason("terms.purpose_not_agreed", "The purpose is not agreed.", f"Agreed: {_list(terms.purposes)}.")
    if request.operation not in terms.operations:
        agreed = _list(terms.operations)
        yield Reason("terms.operation_not_agreed", "The operation is not agreed.", f"Agreed: {agreed}.")
    if facts.algorithm_operation is None:
        yield Reason("terms.algorithm_unknown", "The algorithm is not one this node runs.", "Use a listed algorithm.")
    elif facts.algorithm_operation != request.operation:
        words = f"The algorithm is for {facts.algorithm_operation}."
        yield Reason("terms.other_operation", words, "Ask for that operation.")
    if not set(request.recipients) <= set(terms.recipients):
        yield Reason("terms.recipient_not_agreed", "A recipient is not agreed.", "Name agreed recipients only.")


def _columns(request: UseRequest, plan: Plan, facts: Facts) -> Iterator[Reason]:
    if facts.not_admitted:
        yield from facts.not_admitted
        return
    if not facts.touched:
        yield Reason("terms.columns_unknown", "It is not known which columns the query reads.", "Have it admitted.")
        return
    grade = highest(column.grade for column in facts.touched)
    if grade is None:
        yield Reason("terms.grade_unknown", "A column has no known grade.", "Have the hospital grade it.")
        return
    held = facts.agreement
    if held is not None:
        outside = sorted({c.variable for c in facts.touched} - set(held.terms.variables))
        if outside:
            words = f"Outside the agreement: {_list(outside)}."
            yield Reason("terms.column_not_agreed", words, "Leave these columns out, or have them agreed.")
        if highest((grade, held.terms.grade)) != held.terms.grade:
            words = f"The query touches grade {grade}, the agreement covers {held.terms.grade}."
            yield Reason("terms.grade_not_agreed", words, "Leave these columns out, or have the grade agreed.")
    needs = required(grade, request.operation)
    if isinstance(needs, Denied):
        yield from needs.reasons
        return
    for name in needs:
        if not _fulfilled(name, request, plan, facts):
            remedy = REMEDIES.get(name, "Provide it.")
            yield Reason(f"terms.requires_{name}", f"Grade {grade} requires: {REQUIREMENTS[name]}.", remedy)


def _policy(verdict: Verdict) -> tuple[Reason, ...]:
    return verdict.reasons if isinstance(verdict, Denied) else ()


def _fulfilled(name: str, request: UseRequest, plan: Plan, facts: Facts) -> bool:
    if name == "authorised_institution":
        return facts.authorised
    if name not in _FROM_FACTS:
        return name in facts.protections
    held = facts.agreement
    if held is None:
        return False
    if name == "named_study":
        return held.study == plan.study
    if name == "ethics_approval":
        approval = facts.approval
        return approval is not None and facts.now < approval.expires and bool(approval_covers(approval, held, request))
    if name == "security_assessment":
        return facts.assessment_expires is not None and facts.now < facts.assessment_expires
    # "agreement" and "release_allowance" have rules of their own with better words.
    return True


def _roster(request: UseRequest, plan: Plan, facts: Facts) -> Iterator[Reason]:
    if facts.node not in request.nodes or facts.node not in plan.roster:
        yield Reason("terms.not_asked", "This hospital is not in the roster.", "Ask the hospitals of the roster.")
    held = facts.agreement
    if held is None:
        return
    pinned = {peer.did: peer.keys for peer in held.terms.peers}
    others = [did for did in plan.roster if did != facts.node]
    strangers = [did for did in others if did not in pinned]
    if strangers:
        words = f"{len(strangers)} hospitals of the roster are not agreed peers."
        yield Reason("terms.peer_not_agreed", words, "Run with agreed peers only, or have them agreed.")
    if any(facts.roster_keys.get(did) != pinned[did] for did in others if did in pinned):
        words = "A peer's keys are not those the agreement pins."
        yield Reason("terms.peer_keys", words, "Have the agreement amended after a key change.")
    counted = 1 + sum(facts.roster_keys.get(did) == pinned.get(did, "") for did in others)
    least = max(held.terms.rules.min_hospitals, plan.rules.min_hospitals)
    if counted < least and not is_handed_over(plan):  # nothing of it is pooled
        words = f"Fewer than {least} hospitals count towards the minimum."
        yield Reason("terms.few_hospitals", words, "Add hospitals whose agreements name each other.")


def _limits(plan: Plan, facts: Facts) -> Iterator[Reason]:
    if facts.agreement is not None and not at_least_as_strict(plan.rules, facts.agreement.terms.rules):
        words = "The plan's disclosure rules are looser than the agreed ones."
        yield Reason("terms.rules_too_loose", words, "Use the strictest rules of all hospitals of the roster.")
    if facts.allowance_left < 1 and not facts.noised:
        words = "The agreement's allowance of exact answers is used up."
        yield Reason("terms.no_allowance", words, f"Have the allowance amended, or {_NOISED}.")
    if facts.answers_left < 1 and not facts.noised:
        words = "The data set's exact answers are used up, over all studies."
        yield Reason("terms.no_answers", words, f"Use the answers given so far, or {_NOISED}.")
    if plan.as_of > facts.now:
        yield Reason("terms.future_snapshot", "The snapshot lies in the future.", "Name an instant that has passed.")


def _since_admission(plan: Plan, facts: Facts) -> Iterator[Reason]:
    looked_at = is_extract(plan) or plan.reviewers > 0
    most_ms = EXTRACT_TIME.value if looked_at else min(facts.run_limit_ms, RUN_TIME.value)
    if facts.admitted is not None and facts.now - facts.admitted > most_ms:
        words = "The run took longer from its admission to its release than this hospital allows."
        yield Reason("terms.run_too_long", words, "Ask again: persons' choices are then read anew.")
    if facts.withdrawn_since:
        words = "A choice that binds this use was made after the run read whose rows it may see."
        yield Reason("terms.withdrawn_since", words, "Ask again: persons' choices are then read anew.")


def _log(request: UseRequest, plan: Plan, facts: Facts) -> Iterator[Reason]:
    rests_on = {request.requester, request.plan, request.study, facts.institution, facts.node}
    if check_request(request):  # a malformed one may have no canonical bytes, and is refused anyway
        rests_on.add(request.digest())
    rests_on |= set(plan.roster) | set(request.recipients) | set(plan.agreements.values())
    if facts.agreement is not None:
        rests_on |= {facts.agreement.digest, facts.agreement.consumer}
    if rests_on & facts.revoked:
        words = "Something that this use rests on has been revoked."
        yield Reason("terms.revoked", words, "Ask the party concerned; a new agreement or key is needed.")
    if facts.checkpoint_age_ms is None or not 0 <= facts.checkpoint_age_ms <= CHECKPOINT_STALE_MS:
        words = "The node has no fresh cosigned checkpoint."
        yield Reason("terms.stale_checkpoint", words, "Wait until the log can be reached.")


def _list(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (" and others" if len(names) > 8 else "")
