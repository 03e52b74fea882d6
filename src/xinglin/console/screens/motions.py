"""An ethics committee's work: applications to put, motions to vote on blind, votes to count, approvals to end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xinglin.access.approval import Resolution
from xinglin.access.clocks import VOTE_DAYS
from xinglin.access.register import PermitEntry
from xinglin.access.review import CHOICES
from xinglin.access.screening import Screening
from xinglin.console.addresses import segment
from xinglin.console.calls.ethics import Reviewed
from xinglin.console.code_shown import in_python, in_shell
from xinglin.console.errors import BadField, NotThere
from xinglin.console.frame import Done, Head, Nav, Page, Rail, Same, Step, act, screen
from xinglin.console.listing import PAGE_ROWS, Column, Empty, Filter, listing
from xinglin.console.people.service import FRESH_S
from xinglin.console.visit import Form, Visit
from xinglin.terms.grades import REQUIREMENTS
from xinglin.wire.committee_work import COMMITTEE_PAGE, CommitteeLine
from xinglin.words import N_

ETHICS = ("ethics",)
NAV = (
    Nav(roles=ETHICS, path="/applications", label=N_("Applications"), order=10),
    Nav(roles=ETHICS, path="/approvals", label=N_("Approvals"), order=20),
)
VOTE_DAYS_MOST = 90


@screen("/applications", roles=ETHICS)
def applications(visit: Visit) -> Page:
    """Applications that this member's committees have a part in."""
    _, query = visit.words.text, visit.query
    text, state = query.get("q", "").strip()[:200], query.get("state", "")
    asked, states = visit.number("page", 1, least=1), (state,) if state else ()
    told = visit.calls.page(text, states, offset=(asked - 1) * PAGE_ROWS, most=PAGE_ROWS)

    def every() -> list[Mapping[str, object]]:
        page = visit.calls.page(text, states, most=COMMITTEE_PAGE.value)
        return [_line(visit, one) for one in page.lines]

    found = listing(
        visit,
        "applications",
        (
            Column("title", _("Study"), link="/applications/{id}", sort=False),
            Column("shown", _("State"), "state", sort=False),
            Column("waiting", _("Waits for"), sort=False),
            Column("since", _("Since"), "date", sort=False),
        ),
        [_line(visit, one) for one in told.lines],
        filters=(Filter("state", _("State"), {one: visit.words.term(f"state.{one}") for one in told.states}),),
        empty=Empty(_("No application names a committee of yours.")),
        total=told.total,
        every=every,
    )
    values = {"found": found}
    return Page(
        "motions/list.html",
        title=_("Applications"),
        values=values,
        listing=found,
        same=Same(cli="xinglin access status"),
    )


def _line(visit: Visit, one: CommitteeLine) -> Mapping[str, object]:
    waiting = one.waiting_zh if visit.words.language == "zh" else one.waiting
    return {
        "id": one.application, "title": one.title, "state": one.state, "shown": f"state.{one.state}",
        "waiting": waiting, "since": one.since,
    }  # fmt: skip


@screen("/applications/{application:str}", roles=ETHICS)
def application_page(visit: Visit, application: str) -> Page:
    """An application in its five safes, its questions and motions; a chair puts it to the vote here."""
    _ = visit.words.text
    view, committees, names = visit.calls.application(application)
    found = view.application
    task = next((one for one in view.tasks if not one.done), None)
    return Page(
        "motions/application.html",
        title=found.form.project.title,
        values={
            "view": view,
            "form": found.form,
            "names": names,
            "committees": {one.id: one.name for one in committees},
            "days": VOTE_DAYS,
            "days_most": VOTE_DAYS_MOST,
            "needs": _needs(view.screenings),
        },
        crumbs=(Step(_("Applications"), "/applications"),),
        head=Head(
            "object.application",
            found.id,
            f"state.{found.state}",
            task.name if task else "",
            task.since if task else found.since,
            (task.due or 0) if task else 0,
            view.waiting_zh if visit.words.language == "zh" else view.waiting,
        ),
        rail=Rail(found.id, (), found.form.digest()),
        same=Same(
            python=in_python("Access(space).application({})", found.id),
            cli=in_shell("xinglin access status {}", found.id),
        ),
        css=("screens/agreements.css",),
    )


@act("/applications/{application:str}/put", roles=ETHICS)
def put(visit: Visit, form: Form, application: str) -> Done:
    """As a chair: put the application to the vote."""
    days = form.whole("days", round(VOTE_DAYS))
    if not 1 <= days <= VOTE_DAYS_MOST:
        raise BadField("days", "The vote is open for 1 to 90 days.", remedy="Choose a number of days.")
    conditions = [line.strip() for line in form.text("conditions").split("\n") if line.strip()]
    view = visit.calls.put(application, form.needed("committee"), conditions, float(days), form.needed("shown"))
    return Done(
        f"/motions/{segment(view.motion)}", visit.words.text("Put to the vote, word for word as the approval will say.")
    )


@act("/applications/{application:str}/ask", roles=ETHICS)
def ask(visit: Visit, form: Form, application: str) -> Done:
    """Ask the applicant something."""
    visit.calls.ask(application, form.needed("text"))
    return Done(f"/applications/{segment(application)}", visit.words.text("Asked. The clock stands until the answer."))


@screen("/motions/{motion:str}", roles=ETHICS)
def motion_page(visit: Visit, motion: str) -> Page:
    """A motion: the application as reviewed, the machine's verdict, and the vote."""
    _ = visit.words.text
    found: Reviewed = visit.calls.motion(motion)
    view = found.motion
    return Page(
        "motions/motion.html",
        title=view.form.project.title,
        values={
            "found": found,
            "view": view,
            "form": view.form,
            "names": found.names,
            "may": _may(found),
            "needs": _needs(found.application.screenings),
            "path": visit.path,
        },
        crumbs=(
            Step(_("Applications"), "/applications"),
            Step(_("The application"), f"/applications/{segment(view.content.application)}"),
        ),
        head=Head(
            "object.motion",
            motion,
            f"state.{view.state}",
            found.committee.name if view.state == "voting" else "",
            view.content.made,
            view.content.closes if view.state == "voting" else 0,
        ),
        rail=Rail(motion, (), view.content.form),
        same=Same(
            python=in_python('Access(space).vote({}, "approve", reason="…")', motion),
            cli=in_shell("xinglin access vote {} approve --reason '…'", motion),
        ),
        css=("screens/agreements.css",),
        js=("review.js",),
    )


@act("/motions/{motion:str}/vote", roles=ETHICS, fresh_s=FRESH_S)
def vote(visit: Visit, form: Form, motion: str) -> Done:
    """Vote once, blind, on the form that was read."""
    choice = form.needed("choice")
    if choice not in CHOICES:
        raise BadField("choice", "That is no choice.", remedy="Approve, reject or abstain.")
    visit.calls.motion(motion)  # of a committee of this member's, or it is not there
    visit.calls.vote(motion, choice, form.text("words"), form.needed("shown"))
    said = visit.words.text("Your vote is in, sealed. Votes are opened when all are in, or when the vote closes.")
    return Done(f"/motions/{segment(motion)}", said)


@act("/motions/{motion:str}/recuse", roles=ETHICS)
def recuse(visit: Visit, form: Form, motion: str) -> Done:
    """Say that an interest keeps this member from voting."""
    visit.calls.motion(motion)
    visit.calls.recuse(motion)
    return Done(f"/motions/{segment(motion)}", visit.words.text("Noted: you do not vote on this, nor see the votes."))


@act("/motions/{motion:str}/resolve", roles=ETHICS, fresh_s=FRESH_S)
def resolve(visit: Visit, form: Form, motion: str) -> Done:
    """As a chair: open and count the votes, and sign what they come to."""
    visit.calls.motion(motion)
    done = visit.calls.resolve(motion, form.text("words"))
    if done.index >= 0:
        said = visit.words.text("Approved and signed; entry %(n)s of the log.", n=done.index)
        return Done(f"/approvals/{segment(done.digest)}", said)
    return Done(
        f"/motions/{segment(motion)}", visit.words.text("Counted and signed: %(words)s", words=done.outcome.words)
    )


@screen("/approvals", roles=ETHICS)
def approvals(visit: Visit) -> Page:
    """The register of permits: what committees approved, and how it stands."""
    _ = visit.words.text
    rows = [_entry(one) for one in visit.calls.register()]
    found = listing(
        visit,
        "approvals",
        (
            Column("title", _("Study"), link="/approvals/{permit}"),
            Column("shown", _("State"), "state"),
            Column("hospitals", _("Hospitals"), "number"),
            Column("until", _("Until"), "date"),
        ),
        rows,
        empty=Empty(_("No approval was given yet."), _("To the inbox"), "/inbox"),
    )
    return Page(
        "motions/approvals.html", title=_("Approvals"), values={"found": found}, listing=found,
        same=Same(cli="xinglin access register"),
    )  # fmt: skip


@screen("/approvals/{approval:str}", roles=ETHICS)
def approval_page(visit: Visit, approval: str) -> Page:
    """An approval as a document, its votes counted anew here; a chair may revoke it."""
    _ = visit.words.text
    resolution, entry, names = _approval(visit, approval)
    return Page(
        "motions/approval.html",
        title=entry.title if entry is not None else _("Approval"),
        values={"resolution": resolution, "entry": entry, "names": names, "motion": resolution.motion},
        crumbs=(Step(_("Approvals"), "/approvals"),),
        head=Head(
            "object.approval", approval, f"state.{entry.status}" if entry is not None else "", since=resolution.made
        ),
        rail=Rail(approval, (entry.log_index,) if entry is not None and entry.log_index >= 0 else (), approval),
        same=Same(
            python=in_python("Access(space).approval({})", approval),
            cli=in_shell("xinglin access approval {}", approval),
        ),
        css=("screens/agreements.css",),
    )


@act("/approvals/{approval:str}/revoke", roles=ETHICS, fresh_s=FRESH_S)
def revoke(visit: Visit, form: Form, approval: str) -> Done:
    """As a chair: revoke an approval; it cannot be undone."""
    done = visit.calls.revoke(approval)
    return Done(f"/approvals/{segment(approval)}", visit.words.text("Revoked: entry %(n)s of the log.", n=done.index))


def _approval(visit: Visit, approval: str) -> tuple[Resolution, PermitEntry | None, dict[str, str]]:
    found: tuple[Resolution, PermitEntry | None, dict[str, str]] = visit.calls.approval(approval)
    if found[1] is None:
        raise NotThere("The register holds no such approval.", remedy="See the list.")
    return found


def _entry(one: PermitEntry) -> dict[str, Any]:
    return {
        "permit": one.permit,
        "title": one.title,
        "shown": f"state.{one.status}",
        "hospitals": len(one.hospitals),
        "until": one.until,
    }


def _needs(screenings: tuple[Screening, ...]) -> tuple[str, ...]:
    """What a use of this grade and operation requires, as keys of the glossary."""
    asked = {need for one in screenings for need in one.needs}
    return tuple(f"requirement.{name}" for name, words in REQUIREMENTS.items() if words in asked)


def _may(found: Reviewed) -> dict[str, bool]:
    """What this member may do with the motion now."""
    view = found.motion
    voting = view.state == "voting" and not view.over
    return {
        "vote": voting and found.me in view.may_vote and not view.cast,
        "count": view.over and view.state == "closed" and found.chair,
        "cast": view.cast,
    }


ROUTES = (
    applications, application_page, put, ask, motion_page, vote, recuse, resolve, approvals, approval_page, revoke,
)  # fmt: skip
