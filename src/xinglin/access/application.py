"""An application as the fold of signed acts on it; who may do what in which state, and whose clock runs.

States after the EHDS workflow (TEHDAS2 D6.4). An act is signed by the person who does it and numbered, so that the
hub can neither invent, drop nor reorder one; whoever has the acts folds the same application.
"""

from __future__ import annotations

from typing import Any

import msgspec

from xinglin.access.clocks import (
    ANSWER_DAYS,
    DAY_MS,
    DECISION_DAYS,
    DECISION_FAST_DAYS,
    EXTENSION_DAYS,
    EXTENSION_FAST_DAYS,
    SCREENING_DAYS,
    Clock,
)
from xinglin.access.errors import NotThisAct
from xinglin.access.form import TEXT_CHARACTERS, Form, gaps
from xinglin.kernel.canonical import canonical_bytes
from xinglin.kernel.codec import decode_json
from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.kernel.states import StateTable
from xinglin.kernel.verdict import Denied, Reason, deny
from xinglin.terms.request import is_digest, is_name
from xinglin.trust.envelope import Signed, open_signed, sign
from xinglin.trust.keys import PrivateKeys
from xinglin.trust.ports import Directory

ACT = "access-act/1"
"""Signing context of an act."""
ACTS = Limit("acts on an application", 1_000, "acts")
ACT_SKEW_MS = 120_000
"""How far from the reader's clock an act may be dated."""

APPLICATION_STATES = StateTable(
    "application",
    "SUBMITTED",
    (
        ("SUBMITTED", "screen", "PRE_SCREENING"),
        ("SUBMITTED", "withdraw", "WITHDRAWN"),
        ("PRE_SCREENING", "accept", "PROCESSING"),
        ("PRE_SCREENING", "ask", "AWAITING_ADDITIONAL_INFORMATION"),
        ("PRE_SCREENING", "withdraw", "WITHDRAWN"),
        ("PROCESSING", "ask", "AWAITING_ADDITIONAL_INFORMATION"),
        ("PROCESSING", "decide", "DECISION_ISSUED"),
        ("PROCESSING", "withdraw", "WITHDRAWN"),
        ("AWAITING_ADDITIONAL_INFORMATION", "complete", "PRE_SCREENING"),
        ("AWAITING_ADDITIONAL_INFORMATION", "answer", "PROCESSING"),
        ("AWAITING_ADDITIONAL_INFORMATION", "withdraw", "WITHDRAWN"),
        ("AWAITING_ADDITIONAL_INFORMATION", "lapse", "WITHDRAWN"),
    ),
)
"""``complete``: an answer before the operator accepted the application; ``lapse``: none came in time."""


class Submit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="submit"):
    """The applicant hands a complete form in."""

    form: Form


class Accept(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="accept"):
    """The operator finds the application fit to be decided; ``fast``: the accelerated procedure."""

    fast: bool = False


class Ask(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="ask"):
    """Operator, hospital or committee asks the applicant; the clock stands until the answer."""

    text: str


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="answer"):
    """The applicant answers question ``question`` (1, 2, …), with a changed form where one is needed."""

    question: int
    text: str
    form: Form | None = None


class Extend(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="extend"):
    """The operator takes the one extension of the decision's term, and says why."""

    reason: str


class Withdraw(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="withdraw"):
    """The applicant withdraws."""


class Decide(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="decide"):
    """The decision: ``positive`` or ``negative``, with the committee's ``resolution`` (digest) where one reviewed."""

    outcome: str
    words: str
    resolution: str = ""


Deed = Submit | Accept | Ask | Answer | Extend | Withdraw | Decide


class Act(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One deed on one application, the ``number``-th; version 1, append-only."""

    application: str
    number: int
    at: Instant
    deed: Deed
    version: int = 1


class Question(msgspec.Struct, frozen=True):
    """A question, who asked it when, and the answer."""

    number: int
    by: str
    at: Instant
    text: str
    answer: str = ""
    answered: Instant = 0


class Step(msgspec.Struct, frozen=True):
    """One line of the history: what was done, by whom, when, and the state it led to."""

    number: int
    what: str
    by: str
    at: Instant
    state: str


class Application(msgspec.Struct, frozen=True):
    """An application as its acts make it. ``accepted``: whether the operator did; ``clock``: of the present stage."""

    id: str
    applicant: str
    state: str
    since: Instant
    form: Form
    clock: Clock
    decision: Clock
    accepted: bool = False
    fast: bool = False
    extended: str = ""
    questions: tuple[Question, ...] = ()
    history: tuple[Step, ...] = ()
    outcome: str = ""
    words: str = ""
    resolution: str = ""
    titled: str = ""
    """The study's title when it was handed in: an id may follow from it."""

    @property
    def number(self) -> int:
        """Number of the last act."""
        return self.history[-1].number

    @property
    def open_questions(self) -> tuple[Question, ...]:
        """Questions without an answer."""
        return tuple(one for one in self.questions if not one.answered)


class Actor(msgspec.Struct, frozen=True):
    """Who acts, and as what on this application: some of applicant, operator, hospital, committee, chair."""

    did: str
    parts: frozenset[str]


_WHO: dict[type[Any], frozenset[str]] = {
    Submit: frozenset({"applicant"}),
    Accept: frozenset({"operator"}),
    Ask: frozenset({"operator", "hospital", "committee", "chair"}),
    Answer: frozenset({"applicant"}),
    Extend: frozenset({"operator"}),
    Withdraw: frozenset({"applicant"}),
    Decide: frozenset({"operator", "chair"}),
}
"""Which parts may do what; anything else is refused."""


def sign_act(private: PrivateKeys, act: Act) -> Signed:
    """The envelope of an act."""
    return sign(private, ACT, act)


def open_act(signed: Signed, directory: Directory, *, at: int | None = None) -> Act:
    """The act, verified; raises what ``open_signed`` raises, ``MalformedMessage`` and ``NotThisAct``."""
    payload = open_signed(signed, ACT, directory, at=at)
    act = decode_json(payload, Act)
    if act.version != 1 or canonical_bytes(act) != payload:
        raise NotThisAct("The act is not of version 1 in its canonical form.", remedy="Sign it with this software.")
    if not is_name(act.application) or act.number < 1:
        raise NotThisAct("The act names no application, or no number.", remedy="Sign it anew.")
    return act


def apply_act(present: Application | None, act: Act, actor: Actor, now: Instant) -> Application | Denied:
    """The application after ``act``, or every reason why it has no effect.

    ``IllegalMove`` where the state does not take the deed. ``now`` is the reader's clock when the act came in.
    """
    reasons = _faults(present, act, actor, now)
    if reasons:
        return Denied(tuple(reasons))
    deed = act.deed
    if isinstance(deed, Submit):
        return _submitted(act, deed, actor.did)
    if present is None:
        raise NotThisAct("An application begins with its form.", remedy="Submit it.")
    if isinstance(deed, Answer):
        return _answered(present, act, deed, actor.did)
    return _moved(present, act, actor.did)


def lapse_if_silent(present: Application, now: Instant) -> Application:
    """The application as the clock makes it: unanswered questions end it after their term."""
    if present.state != "AWAITING_ADDITIONAL_INFORMATION" or not present.clock.missed(now):
        return present
    at = present.clock.due or now
    state = APPLICATION_STATES.move(present.state, "lapse")
    step = Step(present.number, "lapse", "", at, state)
    return _replaced(
        present, state=state, since=at, clock=present.clock.stop(at), history=(*present.history, step),
        words="No answer came in time.",
    )  # fmt: skip


def _faults(present: Application | None, act: Act, actor: Actor, now: Instant) -> list[Reason]:
    reasons = []
    expected = 1 if present is None else present.number + 1
    if act.number != expected:
        words = f"This would be act {expected}, not {act.number}: somebody acted meanwhile."
        reasons.append(Reason("access.other_number", words, "Look at the application, then act again."))
    if act.number > ACTS.value:
        reasons.append(Reason("access.acts", f"An application takes {ACTS.value} acts.", "Apply anew."))
    if abs(now - act.at) > ACT_SKEW_MS:
        reasons.append(Reason("access.clock", "The act is dated away from this clock.", "Set the clock right."))
    if isinstance(act.deed, Submit) != (present is None):
        words = "An application begins with its form, and has one."
        reasons.append(Reason("access.submitted", words, "Answer a question to change it, or copy it as new."))
    may = _WHO[type(act.deed)]
    if not may & actor.parts:
        words = f"This is done by the {' or the '.join(sorted(may))}."
        reasons.append(Reason("access.not_yours", words, "Ask them."))
    return reasons + _content(present, act, actor)


def _content(present: Application | None, act: Act, actor: Actor) -> list[Reason]:
    deed = act.deed
    if isinstance(deed, Submit):
        return _form_faults(deed.form, act.at)
    if isinstance(deed, Ask):
        return _text_faults(deed.text)
    if isinstance(deed, Extend):
        twice = present is not None and bool(present.extended)
        again = Reason("access.extended_before", "The term was extended once already.", "Decide.")
        return [*_text_faults(deed.reason), *([again] if twice else [])]
    if isinstance(deed, Answer):
        faults = _text_faults(deed.text) + (_form_faults(deed.form, act.at) if deed.form is not None else [])
        asked = present is not None and deed.question in [one.number for one in present.open_questions]
        if not asked:
            words = f"There is no open question {deed.question}."
            faults.append(Reason("access.no_question", words, "Look at the open ones."))
        if present is not None and deed.form is not None and deed.form.study != present.form.study:
            faults.append(Reason("access.other_study", "The changed form is another study's.", "Keep the study's id."))
        return faults
    if isinstance(deed, Decide):
        return _decision_faults(present, deed, actor)
    return []


def _decision_faults(present: Application | None, deed: Decide, actor: Actor) -> list[Reason]:
    faults = _text_faults(deed.words)
    if deed.outcome not in ("positive", "negative"):
        faults.append(Reason("access.outcome", "A decision is positive or negative.", "Say which."))
    reviewed = present is not None and bool(present.form.committees)
    if reviewed and deed.outcome == "positive" and not ("chair" in actor.parts and is_digest(deed.resolution)):
        words = "This study needs its committee's approval."
        faults.append(Reason("access.needs_committee", words, "Let the committee vote."))
    if not reviewed and "operator" not in actor.parts:
        faults.append(Reason("access.not_yours", "Without a committee the operator decides.", "Ask the operator."))
    return faults


def _form_faults(form: Form, at: Instant) -> list[Reason]:
    return [
        Reason("access.incomplete", f"{gap.section}.{gap.field}: {gap.words}", gap.remedy) for gap in gaps(form, at)
    ]


def _text_faults(text: str) -> list[Reason]:
    if text.strip() and len(text) <= TEXT_CHARACTERS.value:
        return []
    words = f"A text has 1 to {TEXT_CHARACTERS.value} characters."
    return [Reason("access.text", words, "Write it, or shorten it.")]


def _submitted(act: Act, deed: Submit, applicant: str) -> Application:
    """A complete form is screened by the machine at once; the operator's clock runs from here."""
    screened = APPLICATION_STATES.move(APPLICATION_STATES.start, "screen")
    first = Step(act.number, "submit", applicant, act.at, APPLICATION_STATES.start)
    second = Step(act.number, "screen", "", act.at, screened)
    return Application(
        id=act.application,
        applicant=applicant,
        state=screened,
        since=act.at,
        form=deed.form,
        clock=Clock(SCREENING_DAYS * DAY_MS).start(act.at),
        decision=Clock(DECISION_DAYS * DAY_MS).start(act.at),
        history=(first, second),
        titled=deed.form.project.title,
    )


def _moved(present: Application, act: Act, by: str) -> Application | Denied:
    deed = act.deed
    if isinstance(deed, Extend):
        return _extended(present, act, deed, by)
    if isinstance(deed, Ask) and present.state == "AWAITING_ADDITIONAL_INFORMATION":
        # A second question joins the first; the applicant's clock starts anew, and the decision's stands still.
        return _step(present, act, "ask", by, present.state, _asked(present, act, deed, by))
    event = {Accept: "accept", Ask: "ask", Withdraw: "withdraw", Decide: "decide"}[type(deed)]
    state = APPLICATION_STATES.move(present.state, event)
    changes: dict[str, Any] = {"since": act.at}
    if isinstance(deed, Ask):
        changes |= _asked(present, act, deed, by)
    elif isinstance(deed, Accept):
        days = DECISION_FAST_DAYS if deed.fast else DECISION_DAYS
        decision = Clock(days * DAY_MS, present.decision.ran_ms, present.decision.since)
        changes |= {"accepted": True, "fast": deed.fast, "decision": decision, "clock": decision}
    elif isinstance(deed, Decide):
        stopped = present.decision.stop(act.at)
        changes |= {"outcome": deed.outcome, "words": deed.words, "resolution": deed.resolution}
        changes |= {"decision": stopped, "clock": stopped}
    else:
        changes |= {"decision": present.decision.stop(act.at), "clock": present.clock.stop(act.at)}
    return _step(present, act, event, by, state, changes)


def _extended(present: Application, act: Act, deed: Extend, by: str) -> Application | Denied:
    if present.state in APPLICATION_STATES.final or not present.accepted:
        return deny("access.not_processing", "Only a decision in progress is extended.", "Accept the application.")
    decision = present.decision.extended(EXTENSION_FAST_DAYS if present.fast else EXTENSION_DAYS)
    changes: dict[str, Any] = {"extended": deed.reason, "decision": decision}
    if present.state == "PROCESSING":
        changes["clock"] = decision
    return _step(present, act, "extend", by, present.state, changes)


def _asked(present: Application, act: Act, deed: Ask, by: str) -> dict[str, Any]:
    question = Question(len(present.questions) + 1, by, act.at, deed.text)
    return {
        "questions": (*present.questions, question),
        "decision": present.decision.stop(act.at),
        "clock": Clock(ANSWER_DAYS * DAY_MS).start(act.at),
    }


def _answered(present: Application, act: Act, deed: Answer, by: str) -> Application:
    questions = tuple(
        msgspec.structs.replace(one, answer=deed.text, answered=act.at) if one.number == deed.question else one
        for one in present.questions
    )
    changes: dict[str, Any] = {"questions": questions, "form": deed.form or present.form}
    if any(not one.answered for one in questions):
        return _step(present, act, "answer", by, present.state, changes)
    event = "answer" if present.accepted else "complete"
    state = APPLICATION_STATES.move(present.state, event)
    decision = present.decision.start(act.at)
    clock = decision if present.accepted else Clock(SCREENING_DAYS * DAY_MS).start(act.at)
    return _step(
        present, act, event, by, state, changes | {"since": act.at, "decision": decision, "clock": clock}
    )  # fmt: skip


def _step(present: Application, act: Act, what: str, by: str, state: str, changes: dict[str, Any]) -> Application:
    step = Step(act.number, what, by, act.at, state)
    return _replaced(present, state=state, history=(*present.history, step), **changes)


def _replaced(present: Application, **changes: Any) -> Application:
    return msgspec.structs.replace(present, **changes)
