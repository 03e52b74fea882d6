"""Notices of breach and their answers: what one party says that the other did, and what that one says to it.

A paper is signed by who gives it (Ed25519 and ML-DSA-65) and is carried to the other party; the log holds its digest
alone. How a *case* stands follows from the papers that the log bears out.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from xinglin.contract.errors import NotThisNotice
from xinglin.contract.negotiation import CASE_STATES
from xinglin.contract.replay import Breach, History
from xinglin.kernel.canonical import canonical_bytes, canonical_digest
from xinglin.kernel.codec import decode_json
from xinglin.kernel.instants import Instant, from_text
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Allowed, Denied, Reason, Verdict, deny
from xinglin.terms.request import is_did, is_digest
from xinglin.trust.envelope import Signed, open_signed, sign
from xinglin.trust.keys import PrivateKeys
from xinglin.trust.ports import Directory

NOTICE, ANSWER = "breach-notice/1", "breach-answer/1"
"""Signing contexts."""

BREACHES = {
    "purpose": ("used for another purpose than agreed", "超出约定目的使用"),
    "recipient": ("passed on to somebody who is not agreed", "提供给约定以外的接收方"),
    "re-identification": ("somebody tried to find out who a person is", "尝试重新识别个人"),
    "not-deleted": ("not deleted in time", "未按期删除"),
    "not-published": ("results not published in time", "未按期公布结果"),
    "not-paid": ("not paid", "未付款"),
    "not-delivered": ("the data or the service was not provided as agreed", "未按约定提供数据或服务"),
    "security-incident": ("a security incident at the other party", "对方发生安全事件"),
    "other": ("another duty was not carried out", "其他违约"),
}
"""What may be said to be broken, in English and Chinese; a closed list."""

ANSWERS = {
    "accepted": ("accept", "it is so, and will be put right by a date", "承认违约，并承诺按期整改"),
    "contested": ("contest", "it is not so", "对违约提出异议"),
    "remedied": ("remedy", "it has been put right", "已完成整改"),
}
"""Answers, each with its event of ``CASE_STATES``, in English and Chinese."""

NOTICE_CHARACTERS = Limit("words of a notice", 4_000, "characters")
ANSWER_DAYS = Limit("days for an answer where a notice names no date", 30, "days")
NOTICE_KIND, ANSWER_KIND, APPLICATION_KIND = "notice", "answer", "application"
PAPER_KINDS = (NOTICE_KIND, ANSWER_KIND)
"""What parties send each other; an application comes with its offer."""
DAY_MS = 86_400_000
LAST_DATE = from_text("9998-12-31T00:00:00Z")
"""No paper names a later instant: it could not be written as a date, with the days that are added to it."""


class BreachNotice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``by`` says that ``against`` broke ``agreement``: ``what`` of ``BREACHES``, in ``words``.

    ``answer_by``: until when an answer is asked for. ``notice``: unused since answers have a form of their own.
    """

    agreement: str
    by: str
    against: str
    what: str
    words: str
    made: Instant
    answer_by: Instant = 0
    notice: str = ""
    version: int = 1

    @property
    def due(self) -> Instant:
        """Until when an answer is asked for: as it says, or ``ANSWER_DAYS`` after it was made."""
        return self.answer_by or self.made + ANSWER_DAYS.value * DAY_MS

    def digest(self) -> str:
        """``sha256:…`` of the canonical bytes: what the log names."""
        return canonical_digest(self)


class BreachAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``by`` answers the notice with digest ``notice`` that ``to`` gave: ``answer`` of ``ANSWERS``, in ``words``.

    ``remedy_by``: until when what was accepted is put right; of no other answer.
    """

    agreement: str
    notice: str
    by: str
    to: str
    answer: str
    words: str
    made: Instant
    remedy_by: Instant = 0
    version: int = 1

    def digest(self) -> str:
        """``sha256:…`` of the canonical bytes: what the log names."""
        return canonical_digest(self)


Paper = BreachNotice | BreachAnswer


class Case(msgspec.Struct, frozen=True):
    """A notice and what came of it. ``due``: when the next step is asked for (0: none), ``overdue``: it was missed.

    ``logged``: the log bears the notice out; until then it is a paper and nothing else.
    """

    notice: str
    agreement: str
    by: str
    against: str
    what: str
    words: str
    made: Instant
    state: str
    logged: bool
    due: Instant = 0
    overdue: bool = False
    answers: tuple[BreachAnswer, ...] = ()


def check_notice(notice: BreachNotice) -> Verdict:
    """Whether a notice is well formed, with every reason why not."""
    reasons = _stranger_reasons(notice.agreement, notice.by, notice.against, notice.words)
    reasons += _instant_reasons(notice.made, notice.answer_by)
    if notice.version != 1 or notice.notice:
        reasons.append(_reason("A notice is of version 1 and answers nothing.", "Give an answer as an answer."))
    if notice.what not in BREACHES:
        reasons.append(_reason(f"'{notice.what[:40]}' is not on the list.", f"Use one of {', '.join(BREACHES)}."))
    if notice.answer_by and notice.answer_by <= notice.made:
        reasons.append(_reason("An answer is asked for after the notice.", "Set the date."))
    return Denied(tuple(reasons)) if reasons else Allowed()


def check_answer(answer: BreachAnswer) -> Verdict:
    """Whether an answer is well formed, with every reason why not."""
    reasons = _stranger_reasons(answer.agreement, answer.by, answer.to, answer.words)
    reasons += _instant_reasons(answer.made, answer.remedy_by)
    if answer.version != 1 or not is_digest(answer.notice):
        reasons.append(_reason("An answer is of version 1 and names its notice by digest.", "Name it."))
    if answer.answer not in ANSWERS:
        reasons.append(_reason(f"'{answer.answer[:40]}' is no answer.", f"Use one of {', '.join(ANSWERS)}."))
    if (answer.answer == "accepted") != (answer.remedy_by > answer.made):
        reasons.append(_reason("Whoever accepts says until when it is put right; nobody else.", "Set the date."))
    return Denied(tuple(reasons)) if reasons else Allowed()


def sign_paper(private: PrivateKeys, paper: Paper) -> Signed:
    """The envelope of ``paper.by``; ``NotThisNotice`` for another's keys or a paper that is not well formed."""
    _well_formed(paper)
    if private.did != paper.by:
        raise NotThisNotice("A paper is signed by the party that gives it.")
    return sign(private, NOTICE if isinstance(paper, BreachNotice) else ANSWER, paper, pq=True)


def open_paper(kind: str, signed: Signed, directory: Directory, *, at: int | None = None) -> Paper:
    """The notice or answer, verified; raises what ``open_signed`` raises, ``MalformedMessage``, ``NotThisNotice``."""
    shape: type[Paper] = BreachNotice if kind == NOTICE_KIND else BreachAnswer
    if kind not in PAPER_KINDS:
        raise NotThisNotice("There is no such kind of paper.", remedy=f"Kinds: {', '.join(PAPER_KINDS)}.")
    context = NOTICE if kind == NOTICE_KIND else ANSWER
    payload = open_signed(signed, context, directory, at=at, need_pq=True)
    paper: Paper = decode_json(payload, shape)
    if canonical_bytes(paper) != payload:
        raise NotThisNotice("The paper is not written in its canonical form.")
    _well_formed(paper)
    if paper.by != signed.signer:
        raise NotThisNotice("The paper was signed by somebody other than the party that gives it.")
    return paper


def other_party(paper: Paper) -> str:
    """Whom a paper is for."""
    return paper.against if isinstance(paper, BreachNotice) else paper.to


def check_parties(paper: Paper, agreement: str, provider: str, consumer: str) -> Verdict:
    """Whether a paper is about this agreement, by one of its parties and for the other."""
    if paper.agreement != agreement:
        return deny("contract.other_agreement", "The paper is about another agreement.", "Give one about this one.")
    if {paper.by, other_party(paper)} != {provider, consumer}:
        words = "A paper is given by one party of the agreement to the other."
        return deny("contract.not_a_party", words, "Ask one of its two parties.")
    return Allowed()


def cases(papers: Iterable[Paper], history: History | None, now: Instant) -> tuple[Case, ...]:
    """Every notice among ``papers`` and how it stands, oldest first.

    What the log does not bear out counts for nothing: a notice that it does not name is *unlogged*, and an answer
    that it does not name, or that the state does not take, changes no case.
    """
    given = list(papers)
    logged = {one.notice: one for one in history.breaches} if history is not None else {}
    answers = {one.digest(): one for one in given if isinstance(one, BreachAnswer)}
    notices = {one.digest(): one for one in given if isinstance(one, BreachNotice)}
    found = [_case(digest, one, logged.get(digest), answers, now) for digest, one in notices.items()]
    return tuple(sorted(found, key=lambda one: (one.made, one.notice)))


def check_next(case: Case, answer: str) -> Verdict:
    """Whether a case takes this answer as it stands."""
    if not case.logged:
        return deny("contract.notice_unlogged", "The log does not bear this notice out.", "Wait for the log.")
    event = ANSWERS[answer][0] if answer in ANSWERS else answer
    if event not in CASE_STATES.events(case.state):
        possible = ", ".join(CASE_STATES.events(case.state)) or "nothing"
        return deny("contract.not_now", f"The case is {case.state}.", f"Possible: {possible}.")
    return Allowed()


def _case(
    digest: str, notice: BreachNotice, logged: Breach | None, answers: dict[str, BreachAnswer], now: Instant
) -> Case:
    state, due, taken = CASE_STATES.start, notice.due, []
    borne = logged is not None and logged.by == notice.by
    for named in logged.answers if logged is not None and borne else ():
        answer = answers.get(named)
        if answer is None or answer.notice != digest or answer.to != notice.by:
            continue
        event = ANSWERS[answer.answer][0]
        if event in CASE_STATES.events(state):
            state, due = CASE_STATES.move(state, event), answer.remedy_by
            taken.append(answer)
    if logged is not None and borne and logged.state == "closed":
        state, due = CASE_STATES.move(state, "close"), 0
    due = due if borne else 0
    return Case(
        digest,
        notice.agreement,
        notice.by,
        notice.against,
        notice.what,
        notice.words,
        notice.made,
        state if borne else "unlogged",
        borne,
        due,
        bool(due) and now > due,
        tuple(taken),
    )


def _stranger_reasons(agreement: str, by: str, to: str, words: str) -> list[Reason]:
    reasons = []
    if not is_digest(agreement):
        reasons.append(_reason("The agreement is named by its digest.", "Name it."))
    if not is_did(by) or not is_did(to) or by == to:
        reasons.append(_reason("A paper is by one party to the other.", "Name both DIDs."))
    if not words.strip() or len(words) > NOTICE_CHARACTERS.value:
        reasons.append(_reason(f"A paper has 1 to {NOTICE_CHARACTERS.value} characters.", "Say what happened."))
    return reasons


def _instant_reasons(*instants: Instant) -> list[Reason]:
    """What cannot be written as a date would break whoever lists the papers."""
    if all(0 <= one <= LAST_DATE for one in instants):
        return []
    return [_reason("A paper's instants lie between 1970 and 9998.", "Set the dates.")]


def _well_formed(paper: Paper) -> None:
    verdict = check_notice(paper) if isinstance(paper, BreachNotice) else check_answer(paper)
    if isinstance(verdict, Denied):
        why = " ".join(one.words for one in verdict.reasons)
        raise NotThisNotice("The paper is not well formed.", why=why, remedy=verdict.reasons[0].remedy)


def _reason(words: str, remedy: str) -> Reason:
    return Reason("contract.bad_notice", words, remedy)
