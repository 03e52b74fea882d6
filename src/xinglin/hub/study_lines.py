"""Studies of an account in lines: its applications, and agreements that it offered without one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from xinglin.access.application import Application
from xinglin.access.team import team_of
from xinglin.hub.access_desk import AccessDesk
from xinglin.hub.agreement_index import Indexed
from xinglin.wire.studies import STUDIES_PAGE, StudiesPage, StudyLine

_STATE_OF = {"SUBMITTED": "applied", "PRE_SCREENING": "applied", "PROCESSING": "applied", "WITHDRAWN": "withdrawn"}
_OVER = ("terminated", "expired", "revoked", "ended")


def study_page(
    desk: AccessDesk, asker: str, *, text: str = "", states: Sequence[str] = (), offset: int = 0, most: int = 50
) -> StudiesPage:
    """Studies of ``asker`` whose title or id holds ``text``, in one of ``states`` (all without any).

    Raises ``LimitExceeded`` for more than a page. Why a study waits is worked out for the page alone.
    """
    STUDIES_PAGE.check(most)
    wanted = text.casefold()
    offers = desk.offers.by_study(asker)
    found = sorted(_studies(desk, asker, offers), key=lambda one: -one[0].changed)
    kept = [
        one
        for one in found
        if (not states or one[0].state in states)
        and (wanted in one[0].title.casefold() or wanted in one[0].study or wanted in one[0].data_set.casefold())
    ]
    page = kept[max(0, offset) : max(0, offset) + max(0, most)]
    lines = tuple(_waiting(desk, line, application, offers.get(line.study, ())) for line, application in page)
    return StudiesPage(lines, len(kept))


def operator_page(
    desk: AccessDesk, *, text: str = "", states: Sequence[str] = (), offset: int = 0, most: int = 50, due: bool = False
) -> StudiesPage:
    """Applications as the operator sees them, newest first; with ``due`` those that wait for it, oldest first.

    Raises ``LimitExceeded`` for more than a page. Who has one until when is worked out for the page alone.
    """
    STUDIES_PAGE.check(most)
    wanted, by_study = text.casefold(), desk.offers.by_study()
    offers = {one.id: desk.offered(one, by_study.get(one.form.study, ())) for one in desk.every()}
    kept = [
        (line, one)
        for one in desk.every()
        for line in (_line(one.form.study, offers[one.id], one),)
        if (not due or (one.state != "WITHDRAWN" and not one.outcome))
        and (not states or line.state in states)
        and (wanted in line.title.casefold() or wanted in line.application)
    ]
    kept.sort(key=lambda pair: pair[1].since if due else -pair[1].since)
    page = kept[max(0, offset) : max(0, offset) + max(0, most)]
    lines = tuple(_waiting(desk, line, one, offers[one.id]) for line, one in page)
    return StudiesPage(lines, len(kept))


def _studies(
    desk: AccessDesk, asker: str, offers: Mapping[str, Sequence[Indexed]]
) -> Iterator[tuple[StudyLine, Application | None]]:
    found: dict[str, list[Application]] = {}
    for one in desk.every():
        if desk.parts(one, asker) & {"applicant", "member"}:
            found.setdefault(one.form.study, []).append(one)
    for study, applications in found.items():
        application = _shown(desk, asker, applications)
        yield _line(study, offers.get(study, []), application), application
    for study, agreements in offers.items():
        if study not in found:
            yield _line(study, agreements, None), None


def _shown(desk: AccessDesk, asker: str, applications: Sequence[Application]) -> Application:
    """The newest of those whom the asker's own applications name, or the study's team: anybody may name the asker."""
    own = [one for one in applications if one.applicant == asker]
    if len(applications) == 1:
        return applications[0]
    team = team_of(applications[0].form.study, own or desk.every())
    return max(reversed(applications), key=lambda one: (one.applicant in team, one.history[0].at))


def _line(study: str, agreements: Sequence[Indexed], application: Application | None) -> StudyLine:
    states = {one.line.provider: one.line.state for one in agreements}
    changed = max([one.made for one in agreements] + [application.history[-1].at if application else 0])
    form = application.form if application is not None else None
    return StudyLine(
        study=study,
        state=_state(application, list(states.values())),
        title=form.project.title if form is not None else "",
        application=application.id if application is not None else "",
        data_set=form.data.data_set if form is not None else agreements[-1].data_set,
        since=application.since if application is not None else changed,
        asked=len(form.data.hospitals) if form is not None else len(states),
        offered=sum(one == "offered" for one in states.values()),
        active=sum(one == "active" for one in states.values()),
        questions=len(application.open_questions) if application is not None else 0,
        changed=changed,
    )


def _state(application: Application | None, states: Sequence[str]) -> str:
    if "active" in states:
        return "in-force"
    if "offered" in states:
        return "offered"
    if application is not None and application.state == "WITHDRAWN":
        return "withdrawn"
    if states:
        return "ended" if any(one in _OVER for one in states) else "refused"
    if application is None:
        return "ended"
    if application.state == "DECISION_ISSUED":
        return "approved" if application.outcome == "positive" else "refused"
    return "asked" if application.open_questions else _STATE_OF.get(application.state, "applied")


def _waiting(
    desk: AccessDesk, line: StudyLine, application: Application | None, offers: Sequence[Indexed]
) -> StudyLine:
    if application is None:
        return line
    shown, waiting, waiting_zh = desk.waiting(application, offers)
    now = next((one for one in shown if not one.done and one.due is not None), None)
    now = now or next((one for one in shown if not one.done), None)
    told = {"waiting": waiting, "waiting_zh": waiting_zh}
    if now is None or line.state in ("withdrawn", "refused", "ended"):
        return msgspec.structs.replace(line, **told)
    return msgspec.structs.replace(line, owner=now.name, since=now.since, due=now.due or 0, **told)
