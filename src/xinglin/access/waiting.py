"""Who has an application now, until when, and the plain answer to "why am I waiting?"."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from xinglin.access.application import Application
from xinglin.access.clocks import DAY_MS, HOSPITAL_DAYS, after_days
from xinglin.kernel.instants import Instant


class Review(msgspec.Struct, frozen=True):
    """How one committee's review stands: ``state`` of ``REVIEW_STATES``, or "" before a motion was put."""

    committee: str
    name: str
    state: str = ""
    motion: str = ""
    opened: Instant = 0
    closes: Instant = 0
    voted: int = 0
    may_vote: int = 0


class Task(msgspec.Struct, frozen=True):
    """One desk's part: ``desk`` is applicant, operator, ethics or hospital; ``owner`` a DID or a committee's id.

    ``due``: None while nobody owes an answer (the clock stands). ``waiting`` says in a sentence what is awaited.
    """

    desk: str
    owner: str
    name: str
    state: str
    since: Instant
    due: Instant | None
    waiting: str
    waiting_zh: str
    done: bool = False
    day: int = 0


def tasks(
    application: Application,
    reviews: tuple[Review, ...],
    agreements: Mapping[str, tuple[str, Instant]],
    names: Mapping[str, str],
    operator: str,
    now: Instant,
) -> tuple[Task, ...]:
    """Every desk's part of the application, in the order in which they wait for each other.

    ``agreements``: hospital to (state of its newest agreement with the study, since when).
    """
    found = [_applicant(application, names), _operator(application, names, operator)]
    found += [_ethics(application, review) for review in reviews]
    found += [_hospital(application, did, agreements, names) for did in application.form.data.hospitals]
    return tuple(msgspec.structs.replace(task, day=_day(task, now)) for task in found if task is not None)


def why_waiting(application: Application, tasks_now: tuple[Task, ...], now: Instant) -> tuple[str, str]:
    """One sentence, English and Chinese: who is waited for, since which day of how many."""
    if application.state == "WITHDRAWN":
        return "The application was withdrawn; nobody works on it.", "申请已撤回。"
    if application.state == "DECISION_ISSUED" and application.outcome == "negative":
        return f"The decision was negative: {application.words}", f"决定为不予批准：{application.words}"
    waiting = next((task for task in tasks_now if not task.done and task.due is not None), None)
    if waiting is None:
        waiting = next((task for task in tasks_now if not task.done), None)
    if waiting is None:
        return "Everything is done: the study may run.", "全部完成，研究可以开始。"
    if waiting.due is None:
        return f"{waiting.waiting}", waiting.waiting_zh
    total = max(1, round((waiting.due - waiting.since) / DAY_MS))
    late = now > waiting.due
    tail = f"day {waiting.day} of {total}" + (", overdue" if late else "")
    tail_zh = f"第{waiting.day}天，共{total}天" + ("，已逾期" if late else "")
    return f"{waiting.waiting.removesuffix('.')} ({tail}).", f"{waiting.waiting_zh.removesuffix('。')}（{tail_zh}）。"


def _applicant(application: Application, names: Mapping[str, str]) -> Task | None:
    asked = application.open_questions
    if application.state != "AWAITING_ADDITIONAL_INFORMATION" or not asked:
        return None
    words = f"Waiting for the applicant's answer to {len(asked)} question{'s' if len(asked) > 1 else ''}."
    return Task(
        "applicant",
        application.applicant,
        names.get(application.applicant, application.applicant),
        "answering",
        asked[0].at,
        application.clock.due,
        words,
        f"等待申请人答复{len(asked)}个问题。",
    )


def _operator(application: Application, names: Mapping[str, str], operator: str) -> Task:
    name = names.get(operator, "operator")
    if application.accepted:
        decides = not application.form.committees and application.state == "PROCESSING"
        words = f"Waiting for the decision of {name}." if decides else f"{name} accepted the application."
        words_zh = f"等待{name}作出决定。" if decides else f"{name}已受理。"
        state = "deciding" if decides else "accepted"
        due = application.decision.due if decides else None
        return Task("operator", operator, name, state, application.since, due, words, words_zh, done=not decides)
    due = application.clock.due if application.state == "PRE_SCREENING" else None
    words, words_zh = f"Waiting for {name} to look at the application.", f"等待{name}形式审查。"
    return Task("operator", operator, name, "screening", application.since, due, words, words_zh)


def _ethics(application: Application, review: Review) -> Task:
    name, state = review.name, review.state or "waiting"
    done = state in ("approved", "rejected")
    since, due = review.opened or application.since, review.closes or None
    if state == "voting":
        words = f"Waiting for votes of {name}: {review.voted} of {review.may_vote} are in."
        words_zh = f"等待{name}委员投票：{review.voted}/{review.may_vote}。"
    elif state == "closed":
        words, words_zh = f"Waiting for the chair of {name} to draw up the resolution.", f"等待{name}主任委员出具决议。"
        due = application.decision.due
    elif done:
        words, words_zh, due = f"{name} has resolved: {state}.", f"{name}已作出决议：{state}。", None
    else:
        words, words_zh = f"Waiting for {name} to open its review.", f"等待{name}启动审查。"
        due = application.decision.due if application.accepted else None
    return Task("ethics", review.committee, name, state, since, due, words, words_zh, done=done)


def _hospital(
    application: Application, did: str, agreements: Mapping[str, tuple[str, Instant]], names: Mapping[str, str]
) -> Task:
    name = names.get(did, did)
    state, since = agreements.get(did, ("", application.since))
    if state == "offered":
        due = after_days(HOSPITAL_DAYS, since)
        words, words_zh = f"Waiting for {name} to answer the agreement.", f"等待{name}签署协议。"
        return Task("hospital", did, name, state, since, due, words, words_zh)
    if state:
        words, words_zh = f"{name}: the agreement is {state}.", f"{name}：协议状态为{state}。"
        return Task("hospital", did, name, state, since, None, words, words_zh, done=True)
    decided = application.outcome == "positive"
    words = f"Waiting for the applicant to offer {name} an agreement." if decided else f"{name} waits for the decision."
    words_zh = f"等待申请人向{name}发出协议。" if decided else f"{name}等待审批决定。"
    return Task("hospital", did, name, "waiting", since, None, words, words_zh)


def _day(task: Task, now: Instant) -> int:
    return max(1, (now - task.since) // DAY_MS + 1)
