"""The hospital's complaints: what patients say is wrong with the looks at their data, and its answers."""

from __future__ import annotations

from xinglin.console.calls.complaints import ANSWER_MS
from xinglin.console.code_shown import in_shell
from xinglin.console.frame import Done, Head, Nav, Page, Same, Step, act, screen
from xinglin.console.listing import Column, Empty, Filter, listing
from xinglin.console.visit import Form, Visit
from xinglin.words import N_

ROLE = ("hospital",)
NAV = (Nav(roles=ROLE, path="/complaints", label=N_("Complaints"), order=103),)


@screen("/complaints", roles=ROLE)
def complaints(visit: Visit) -> Page:
    """What patients said, the newest first."""
    _ = visit.words.text
    rows = [
        {
            "id": one.id,
            "at": one.at,
            "person": one.person,
            "words": one.words,
            "state": "waiting" if one.is_open else "done",
            "answered_by": visit.named(one.answered_by),
        }
        for one in visit.calls.complaints.every()
    ]
    found = listing(
        visit,
        "complaints",
        (
            Column("at", _("When"), "instant"),
            Column("person", _("Person")),
            Column("words", _("What is wrong"), link="/complaints/{id}"),
            Column("state", _("State"), "state"),
            Column("answered_by", _("Answered by")),
        ),
        rows,
        filters=(Filter("state", _("State"), {"waiting": _("waits for an answer"), "done": _("answered")}),),
        empty=Empty(_("Nobody has complained."), _("Back to the inbox"), "/inbox"),
    )
    same = Same(cli="xinglin patients complaints --waiting")
    return Page("complaints/list.html", title=_("Complaints"), listing=found, same=same)


@screen("/complaints/{complaint:str}", roles=ROLE)
def complaint_page(visit: Visit, complaint: str) -> Page:
    """One complaint, with its answer or the form for it."""
    _ = visit.words.text
    found = visit.calls.complaints.one(complaint)
    return Page(
        "complaints/complaint.html",
        title=_("Complaint"),
        values={"found": found, "by": visit.named(visit.by)},
        crumbs=(Step(_("Complaints"), "/complaints"),),
        head=Head(
            kind="item.complaint",
            id=found.id,
            state="waiting" if found.is_open else "done",
            owner=_("this hospital") if found.is_open else visit.named(found.answered_by),
            since=found.at,
            due=found.at + ANSWER_MS if found.is_open else 0,
        ),
        same=Same(cli=in_shell("xinglin patients answer {} --words … --by …", found.id)),
    )


@act("/complaints/{complaint:str}/answer", roles=ROLE)
def answer(visit: Visit, form: Form, complaint: str) -> Done:
    """Answer a complaint."""
    visit.calls.complaints.one(complaint)
    visit.calls.complaints.answer(complaint, form.needed("words"), visit.by)
    return Done("/complaints", visit.words.text("Answered. The patient finds it in their list."))


ROUTES = (complaints, complaint_page, answer)
