"""Breaches as a consumer sees them: papers read from the hub, verified here, and borne out by the verified log."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from xinglin.contract.breach import (
    ANSWER_KIND,
    NOTICE_KIND,
    BreachAnswer,
    BreachNotice,
    Case,
    Paper,
    cases,
    check_next,
    check_parties,
    open_paper,
    sign_paper,
)
from xinglin.contract.negotiation import AGREEMENT_STATES
from xinglin.contract.replay import History
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Instant
from xinglin.kernel.verdict import Denied, Verdict, deny
from xinglin.sdk.contracts import change_agreement
from xinglin.sdk.errors import NoAgreement, Refused
from xinglin.wire.calls import PaperCall, PaperView

if TYPE_CHECKING:
    from xinglin.sdk.session import Held, Session

LOG_WAIT_S = 10.0


def notices(space: Session, held: Held) -> tuple[Case, ...]:
    """Every case about an agreement, oldest first.

    Guarantee: a paper that neither party signed, or that is about another agreement, is left out, whoever carried it.
    """
    space.log.refresh()
    agreement = held.agreement
    parties = (agreement.digest(), agreement.provider, agreement.consumer)
    found: list[Paper] = []
    for view in space.client.get(_path(held), list[PaperView]):
        try:
            paper = open_paper(view.kind, view.signed, space.log.record.directory)
        except XinglinError:
            continue
        if not isinstance(check_parties(paper, *parties), Denied):
            found.append(paper)
    return cases(found, space.log.record.agreements.of(*parties), space.clock())


def give_notice(
    space: Session, held: Held, what: str, words: str, *, answer_by: Instant = 0, suspend: bool = False
) -> Case:
    """Give the hospital a notice of breach; ``suspend`` suspends the agreement in the same call.

    Raises ``NotThisNotice`` and ``Refused``; then nothing was given.
    """
    state = _history(space, held).standing.state
    if suspend and "suspend" not in AGREEMENT_STATES.events(state):
        words = f"The agreement is {state}, and is not suspended any more."
        raise Refused(deny("contract.not_now", words, "Give the notice alone.").reasons)
    me, agreement = space.account.did, held.agreement
    paper = BreachNotice(agreement.digest(), me, agreement.provider, what, words, space.clock(), answer_by)
    _give(space, held, NOTICE_KIND, paper, "notice")
    if suspend:
        change_agreement(space, held, "suspend")
    return case_of(space, held, paper.digest())


def answer_notice(
    space: Session, held: Held, notice: str, answer: str, words: str, *, remedy_by: Instant = 0
) -> Case:  # fmt: skip
    """Answer the hospital's notice: ``accepted`` (to be remedied by a date), ``contested`` or ``remedied``."""
    case, me = case_of(space, held, notice), space.account.did
    if case.against != me:
        raise Refused(deny("contract.not_yours", "A notice is answered by the party that it accuses.").reasons)
    _refuse_unless(check_next(case, answer))
    agreement, now = held.agreement, space.clock()
    paper = BreachAnswer(agreement.digest(), case.notice, me, agreement.provider, answer, words, now, remedy_by)
    _give(space, held, ANSWER_KIND, paper, "answer", case.notice)
    return case_of(space, held, case.notice)


def close_notice(space: Session, held: Held, notice: str) -> Case:
    """Close one's own notice."""
    case = case_of(space, held, notice)
    _refuse_unless(check_next(case, "close"))
    _borne_out(space, change_agreement(space, held, "breach", step="close", about=case.notice))
    return case_of(space, held, case.notice)


def case_of(space: Session, held: Held, notice: str) -> Case:
    """The case whose notice has this digest, or one that begins so; ``NoAgreement`` where there is none."""
    start = "sha256:" + notice.removeprefix("sha256:")
    found = [one for one in notices(space, held) if one.notice.startswith(start)]
    if len(found) != 1:
        raise NoAgreement("There is no such notice, or more than one begins so.", remedy="See: xinglin study breaches.")
    return found[0]


def _give(space: Session, held: Held, kind: str, paper: Paper, step: str, about: str = "") -> None:
    call = PaperCall(kind, sign_paper(space.account.keys, paper))
    # Handed in first, so that no leaf names a paper that nobody has; and again, for a hospital that was away.
    space.client.post(_path(held), call, list[PaperView])
    index = change_agreement(space, held, "breach", step=step, document=paper.digest(), about=about)
    space.client.post(_path(held), call, list[PaperView])
    _borne_out(space, index)


def _borne_out(space: Session, index: int) -> None:
    """Wait until the verified log has the leaf; after ``LOG_WAIT_S`` the case is shown as it stands."""
    end = time.monotonic() + LOG_WAIT_S
    space.log.refresh()
    while space.log.record.size <= index and time.monotonic() < end:
        time.sleep(0.1)
        space.log.refresh()


def _history(space: Session, held: Held) -> History:
    space.log.refresh()
    agreement = held.agreement
    found = space.log.record.agreements.of(agreement.digest(), agreement.provider, agreement.consumer)
    if found is None:
        raise NoAgreement("The agreement was never in force.", remedy="Nothing of it can be broken.")
    return found


def _path(held: Held) -> str:
    return f"/v1/agreements/{held.view.agreement_id}/papers"


def _refuse_unless(verdict: Verdict) -> None:
    if isinstance(verdict, Denied):
        raise Refused(verdict.reasons)
