"""Applications before the committees of a member, in lines, and what of them waits for that member."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from xinglin.access.application import Application
from xinglin.access.ports import MotionRow
from xinglin.access.review import REVIEW_STATES, is_over
from xinglin.hub.access_desk import AccessDesk
from xinglin.hub.agreement_index import Indexed
from xinglin.hub.catalogue_desk import Told
from xinglin.kernel.instants import Instant
from xinglin.wire.committee_work import COMMITTEE_PAGE, COUNT, PUT, VOTE, CommitteeLine, CommitteePage

_VERDICTS = ("yes", "ask", "no")
_LAST: Instant = 2**62


def committee_page(
    desk: AccessDesk,
    asker: str,
    *,
    text: str = "",
    states: Sequence[str] = (),
    waiting: bool = False,
    offset: int = 0,
    most: int = 50,
) -> CommitteePage:
    """Applications before the committees of ``asker``: newest first; with ``waiting`` those with a task of theirs.

    Those are the nearest deadline first. Raises ``LimitExceeded`` for more than a page. Why an application waits, and
    what the machine found in it, is worked out for the page alone.
    """
    COMMITTEE_PAGE.check(most)
    now = desk.clock()
    wanted, motions = text.casefold(), _motions(desk)
    kept, present = [], set()
    for one in desk.every():
        parts = desk.parts(one, asker)
        if "committee" not in parts:
            continue
        present.add(one.state)
        line = _line(desk, one, asker, now, motions.get(one.id, ()), "chair" in parts)
        named = wanted in line.title.casefold() or wanted in line.application
        if named and (line.task or not waiting) and (not states or line.state in states):
            kept.append((line, one))
    kept.sort(key=lambda pair: (pair[0].due or _LAST) if waiting else -pair[0].since)
    page = kept[max(0, offset) : max(0, offset) + max(0, most)]
    offers, told = desk.offers.by_study(), desk.catalogue.told()
    lines = (_whole(desk, line, one, offers.get(one.form.study, ()), told) for line, one in page)
    return CommitteePage(tuple(lines), len(kept), tuple(sorted(present)))


def _motions(desk: AccessDesk) -> dict[str, list[MotionRow]]:
    """Motions by application."""
    found: dict[str, list[MotionRow]] = defaultdict(list)
    for row in desk.access.motions():
        found[row.application].append(row)
    return found


def _line(
    desk: AccessDesk, one: Application, asker: str, now: Instant, motions: Sequence[MotionRow], chair: bool
) -> CommitteeLine:
    form = one.form
    line = CommitteeLine(
        one.id, form.project.title, one.applicant, one.state, one.since, summary=form.project.plain_summary
    )
    for row in motions:
        if row.state != REVIEW_STATES.start:
            continue
        motion = desk.motion_of(row)
        charter = desk.approvals.charters[motion.committee].charter
        if asker not in charter.members:
            continue
        may, voted = desk.turnout(motion)
        over = is_over(motion, may, voted, now)
        if not over and asker in may and asker not in voted:
            return msgspec.structs.replace(line, task=VOTE, motion=row.motion, since=motion.made, due=motion.closes)
        if over and asker in charter.chairs:
            return msgspec.structs.replace(line, task=COUNT, motion=row.motion, since=motion.closes)
    reviewing = one.state == "DATA_PERMIT_DECISION" or one.accepted
    if chair and reviewing and not motions and not one.outcome:
        return msgspec.structs.replace(line, task=PUT, due=one.clock.due or 0)
    return line


def _whole(
    desk: AccessDesk,
    line: CommitteeLine,
    one: Application,
    offers: Sequence[Indexed],
    told: Told,
) -> CommitteeLine:
    _tasks, waiting, waiting_zh = desk.waiting(one, desk.offered(one, offers))
    found = desk.screenings(one, told)
    worst = max(found, key=lambda each: _VERDICTS.index(each.verdict), default=None)
    reasons = tuple(dict.fromkeys(reason for each in found for reason in each.reasons))
    return msgspec.structs.replace(
        line, waiting=waiting, waiting_zh=waiting_zh, verdict=worst.verdict if worst else "", reasons=reasons
    )
