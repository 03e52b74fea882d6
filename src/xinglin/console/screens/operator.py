"""The operator: the hub's health, participants and invites, applications, products, other catalogs."""

from __future__ import annotations

from typing import Any

from xinglin.console.addresses import segment
from xinglin.console.calls.operator import INVITE_DAYS, INVITED, OUTCOMES, OperatorCalls
from xinglin.console.calls.watching import DAY_MS, WATCHED_DAYS
from xinglin.console.charts import Bar, bars
from xinglin.console.code_shown import in_shell
from xinglin.console.errors import BadField
from xinglin.console.frame import Done, Head, Nav, Page, Rail, Same, Step, act, screen
from xinglin.console.listing import PAGE_ROWS, Column, Empty, Filter, listing
from xinglin.console.members_shown import member_row, member_state
from xinglin.console.people.service import FRESH_S
from xinglin.console.screens.regulator import TROUBLES
from xinglin.console.visit import Form, Visit
from xinglin.wire.studies import STATES, StudyLine
from xinglin.words import N_

ROLES = ("operator",)
NAV = (
    Nav(roles=ROLES, path="/hub", label=N_("Hub"), order=10),
    Nav(roles=ROLES, path="/participants", label=N_("Participants"), order=20),
    Nav(roles=ROLES, path="/hub/applications", label=N_("Applications"), order=30),
    Nav(roles=ROLES, path="/hub/products", label=N_("Products"), order=40),
    Nav(roles=ROLES, path="/hub/federation", label=N_("Other catalogs"), order=50),
)
CSS = ("screens/evidence.css", "screens/charts.css")
CLOCK_OFF_MS = 2_000
"""A clock off by more than this is worth mending."""


@screen("/hub", roles=ROLES)
def hub(visit: Visit) -> Page:
    """How the hub, its log and every hospital's line are."""
    _, calls = visit.words.text, _calls(visit)
    status, book = calls.status(), calls.book
    counts = sorted(calls.counts().items(), key=lambda one: -one[1])[:10]
    troubles = calls.troubles()
    return Page(
        "operator/hub.html",
        title=_("Hub"),
        values={
            "status": status,
            "checkpoint": book.checkpoint(),
            "witnesses": [(book.name(one.name.removeprefix("regulator.")), one) for one in status.witnesses],
            "clock_off_ms": CLOCK_OFF_MS,
            "incidents": [
                {"label": _(TROUBLES[one.kind]), "who": one.who, "at": one.at, "index": one.index, "late": one.late}
                for one in troubles[:8]
            ],
            "activity": bars(
                _("Entries within %(days)s days", days=WATCHED_DAYS),
                [Bar(visit.words.term(f"kind.{kind}"), count) for kind, count in counts],
                say=_,
            ),
            "days": WATCHED_DAYS,
        },
        same=Same(python="space.hub_health()", cli="xinglin hub status"),
        css=CSS,
    )


@screen("/participants", roles=ROLES)
def participants(visit: Visit) -> Page:
    """Everybody who ever joined, and how to let somebody in."""
    _, calls = visit.words.text, _calls(visit)
    rows = [member_row(visit, one) for one in calls.members()]
    columns = (
        Column("name", _("Name"), "text", "/participants/{did}"),
        Column("roles", _("Roles")),
        Column("state", _("State"), "state"),
        Column("connected", _("Line"), "state"),
        Column("in_force", _("Agreements in force"), "number"),
        Column("did", _("DID"), "id"),
    )
    states = {key: visit.words.term(key) for key in ("state.active", "state.revoked", "revocation.frozen")}
    found = listing(
        visit, "participants", columns, rows, empty=Empty(_("Nobody joined yet.")),
        filters=(Filter("state", _("State"), states),),
    )  # fmt: skip
    return Page(
        "operator/participants.html",
        title=_("Participants"),
        values={
            "found": found,
            "roles": {role: visit.words.term(f"role.{role}") for role in INVITED},
            "days": INVITE_DAYS,
        },
        listing=found,
        same=Same(python="space.participants()", cli="xinglin participants\nxinglin hub invite provider --life 1440"),
    )


@act("/participants/invite", roles=ROLES, fresh_s=FRESH_S)
def invite(visit: Visit, form: Form) -> Page:
    """One line that admits one participant once. It is shown once and kept nowhere here."""
    _ = visit.words.text
    made = _calls(visit).invite(form.needed("role"), form.whole("days", 1))
    return Page(
        "operator/invite.html",
        title=_("Invite for: %(role)s", role=visit.words.term(f"role.{made.role}")),
        crumbs=(Step(_("Participants"), "/participants"),),
        values={"made": made, "digest": _calls(visit).space_digest()},
    )


@screen("/participants/{did:str}", roles=ROLES)
def participant(visit: Visit, did: str) -> Page:
    """One participant: keys and how they came, from the log."""
    _, calls = visit.words.text, _calls(visit)
    one = calls.member(did)
    known = calls.book.record.directory.participant(did)
    entries = calls.book.about(did)
    return Page(
        "operator/participant.html",
        title=one.name,
        crumbs=(Step(_("Participants"), "/participants"),),
        head=Head(kind="object.participant", id=did, state=member_state(one)),
        rail=Rail(subject=did, receipts=tuple(each.index for each in entries[-5:])),
        values={
            "one": one,
            "keys": [(index, keys.digest()) for index, keys in known.history],
            "institution": calls.book.name(one.institution) if one.institution else "",
            "reason": visit.words.term(f"revocation.{known.reason}") if known.reason else "",
        },
        same=Same(cli="xinglin participants"),
    )


@screen("/hub/applications", roles=ROLES)
def applications(visit: Visit) -> Page:
    """Every application, and who has it."""
    _, calls = visit.words.text, _calls(visit)
    query = visit.query
    text, states = query.get("q", "").strip()[:200], query.get("state", "").removeprefix("study-state.")
    page = visit.number("page", 1, least=1)
    told = calls.applications(text=text, states=states, offset=(page - 1) * PAGE_ROWS, most=PAGE_ROWS)
    columns = (
        Column("title", _("Study"), "text", "/hub/applications/{id}", sort=False),
        Column("state", _("State"), "state", sort=False),
        Column("owner", _("Who has it"), sort=False),
        Column("since", _("Since"), "date", sort=False),
        Column("waiting", _("Why it waits"), sort=False),
    )

    def every() -> list[dict[str, Any]]:
        return [_line(visit, one) for one in calls.applications(text=text, states=states, most=1_000).lines]

    found = listing(
        visit, "applications", columns, [_line(visit, one) for one in told.lines],
        total=told.total, every=every, empty=Empty(_("Nobody applied yet.")),
        filters=(Filter("state", _("State"), {f"study-state.{key}": visit.words.term(f"study-state.{key}")
                                               for key in STATES}),),
    )  # fmt: skip
    return Page(
        "regulator/list.html",
        title=_("Applications"),
        values={"found": found, "caption": _("Applications"), "words_before": ""},
        listing=found,
    )


@screen("/hub/applications/{application:str}", roles=ROLES)
def application(visit: Visit, application: str) -> Page:
    """One application, and the operator's steps on it."""
    _, calls = visit.words.text, _calls(visit)
    view = calls.application(application)
    found = view.application
    mine = next((task for task in view.tasks if task.desk == "operator"), None)
    owner = next((task for task in view.tasks if not task.done), None)
    name = calls.book.name
    return Page(
        "operator/application.html",
        title=found.form.project.title,
        crumbs=(Step(_("Applications"), "/hub/applications"),),
        head=Head(
            kind="object.application",
            id=found.id,
            state=f"state.{found.state}",
            owner=name(owner.name) if owner is not None else "",
            since=owner.since if owner is not None else found.since,
            due=(owner.due or 0) if owner is not None else 0,
            waiting=view.waiting_zh if visit.words.language == "zh" else view.waiting,
        ),
        rail=Rail(subject=found.form.study),
        values={
            "found": found,
            "view": view,
            "mine": mine,
            "applicant": name(found.applicant),
            "hospitals": [name(did) for did in found.form.data.hospitals],
            "screenings": [(name(one.hospital), one) for one in view.screenings],
            "outcomes": {one: visit.words.term(f"verdict.{one}") for one in OUTCOMES},
        },
        same=Same(cli=in_shell("xinglin access accept {0}\nxinglin access decide {0} positive", found.id)),
    )


@act("/hub/applications/{application:str}/accept", roles=ROLES)
def accept(visit: Visit, form: Form, application: str) -> Done:
    """Take an application as complete."""
    _calls(visit).accept(application, fast=form.ticked("fast"))
    return Done(f"/hub/applications/{segment(application)}", visit.words.text("Accepted: the clocks run."))


@act("/hub/applications/{application:str}/ask", roles=ROLES)
def ask(visit: Visit, form: Form, application: str) -> Done:
    """Ask the applicant."""
    _calls(visit).ask(application, form.needed("text"))
    return Done(
        f"/hub/applications/{segment(application)}", visit.words.text("Asked. The clock stands until the answer.")
    )


@act("/hub/applications/{application:str}/extend", roles=ROLES)
def extend(visit: Visit, form: Form, application: str) -> Done:
    """Take longer, once."""
    _calls(visit).extend(application, form.needed("text"))
    return Done(f"/hub/applications/{segment(application)}", visit.words.text("Extended, once."))


@act("/hub/applications/{application:str}/decide", roles=ROLES, fresh_s=FRESH_S)
def decide(visit: Visit, form: Form, application: str) -> Done:
    """Decide on an application."""
    _calls(visit).decide(application, form.needed("outcome"), form.needed("text"))
    return Done(f"/hub/applications/{segment(application)}", visit.words.text("Decided. The applicant is told."))


@screen("/hub/products", roles=ROLES)
def products(visit: Visit) -> Page:
    """Products that the log names."""
    _, calls = visit.words.text, _calls(visit)
    rows: list[dict[str, Any]] = [
        {"product": product, "event": event, "at": at, "index": index} for product, event, at, index in calls.products()
    ]
    columns = (
        Column("product", _("Product"), "id", "/evidence/{index}"),
        Column("event", _("Newest event")),
        Column("at", _("When"), "instant"),
    )
    found = listing(visit, "products", columns, rows, empty=Empty(_("No product was deposited yet.")))
    return Page(
        "operator/products.html",
        title=_("Products"),
        values={"found": found, "rows": [row for row in rows if "withdraw" not in row["event"]]},
        listing=found,
        same=Same(python="xinglin.sdk.products.products(space)", cli="xinglin product list"),
    )


@act("/hub/products/withdraw", roles=ROLES, fresh_s=FRESH_S)
def withdraw(visit: Visit, form: Form) -> Done:
    """Hand a product to nobody any more."""
    _calls(visit).withdraw(form.needed("product"))
    return Done("/hub/products", visit.words.text("Withdrawn: the hub hands it to nobody any more."))


@screen("/hub/federation", roles=ROLES)
def federation(visit: Visit) -> Page:
    """Catalogs of other participants, and negotiations of the Dataspace Protocol."""
    _, calls = visit.words.text, _calls(visit)
    return Page(
        "operator/federation.html",
        title=_("Other catalogs"),
        values={
            "sources": [(calls.book.name(one.participant), one) for one in calls.sources()],
            "negotiations": [_negotiation(one) for one in calls.negotiations()[:100]],
        },
        same=Same(cli="xinglin catalogue federate DID URL --folder hub\nxinglin dsp list"),
    )


@act("/hub/federation", roles=ROLES, fresh_s=FRESH_S)
def federate(visit: Visit, form: Form) -> Done:
    """Read a participant's catalog from now on, or forget it."""
    address = form.text("address")
    if form.text("what") == "forget":
        _calls(visit).federate(form.needed("participant"), "")
        return Done("/hub/federation", visit.words.text("Forgotten."))
    if not address:
        raise BadField("address", "The address is empty.", remedy="Write where the catalog answers.")
    _calls(visit).federate(form.needed("participant"), address)
    return Done("/hub/federation", visit.words.text("It is read from now on."))


ROUTES = (
    hub,
    participants,
    invite,
    participant,
    applications,
    application,
    accept,
    ask,
    extend,
    decide,
    products,
    withdraw,
    federation,
    federate,
)


def _line(visit: Visit, one: StudyLine) -> dict[str, Any]:
    return {
        "id": one.application,
        "title": one.title,
        "state": f"study-state.{one.state}",
        "owner": one.owner,
        "since": one.since,
        "waiting": one.waiting_zh if visit.words.language == "zh" else one.waiting,
    }


def _calls(visit: Visit) -> OperatorCalls:
    found: OperatorCalls = visit.calls
    return found


def _negotiation(one: dict[str, Any]) -> dict[str, Any]:
    created = one.get("created") or 0
    return {
        "participant": str(one.get("participant", "")),
        "state": str(one.get("state", "")),
        "kind": str(one.get("kind", "")),
        "at": created if isinstance(created, int) and created > DAY_MS else 0,
    }
