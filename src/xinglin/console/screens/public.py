"""What everybody sees without signing in: which studies use the data, how much happens, and how to check it."""

from __future__ import annotations

from typing import Any

from xinglin.access.register import PermitEntry
from xinglin.console.calls.public import PublicCalls
from xinglin.console.frame import File, Page, Same, Step, screen
from xinglin.console.listing import Column, Empty, Filter, listing
from xinglin.console.visit import Visit
from xinglin.words import N_

NAV = ()
CSS = ("screens/evidence.css",)
STATUSES = {
    "GRANTED": N_("running"),
    "AMENDED": N_("changed since"),
    "RENEWED": N_("prolonged since"),
    "REVOKED": N_("stopped"),
    "EXPIRED": N_("over"),
}
_COLOURED = {"GRANTED": "state.active", "REVOKED": "state.revoked"}


@screen("/public", roles=())
def public(visit: Visit) -> Page:
    """The register of studies in plain words, counts, and the newest checkpoint."""
    _, calls = visit.words.text, _calls(visit)
    rows = [_row(visit, one) for one in calls.register()]
    columns = (
        Column("title", _("Study"), "text", "/public/{permit}"),
        Column("institution", _("Who")),
        Column("purpose", _("What for"), "term"),
        Column("status_words", _("State")),
        Column("granted", _("Since"), "date"),
    )
    choices = {key: _(label) for key, label in STATUSES.items()}
    empty = Empty(_("No study was permitted yet. When one is, it stands here in plain words."))
    found = listing(visit, "register", columns, rows, empty=empty, filters=(Filter("status", _("State"), choices),))
    return Page(
        "public/register.html",
        title=_("Studies in this space"),
        values={
            "found": found,
            "space": calls.space_name,
            "counts": calls.counts(),
            "checkpoint": calls.checkpoint(),
        },
        listing=found,
        same=Same(python="", cli="xinglin access register"),
        css=CSS,
    )


@screen("/public/checkpoint", roles=())
def checkpoint(visit: Visit) -> Page:
    """The newest checkpoint, and how anybody checks it."""
    _, calls = visit.words.text, _calls(visit)
    return Page(
        "public/checkpoint.html",
        title=_("How to check it yourself"),
        crumbs=(Step(_("Studies in this space"), "/public"),),
        values={"checkpoint": calls.checkpoint(), "space": calls.space_name},
        css=CSS,
    )


@screen("/public/checkpoint.txt", roles=())
def checkpoint_file(visit: Visit) -> File:
    """The newest checkpoint with its signatures."""
    note = _calls(visit).checkpoint().note
    return File(note.encode(), "checkpoint.txt", "text/plain; charset=utf-8")


@screen("/public/policy.txt", roles=())
def policy_file(visit: Visit) -> File:
    """Who has to cosign before a checkpoint counts."""
    text = _calls(visit).book.record.policy_text
    return File(text.encode(), "policy.txt", "text/plain; charset=utf-8")


@screen("/public/receipts/{index:str}", roles=())
def receipt(visit: Visit, index: str) -> File:
    """The receipt of a permit's own entry; of no other entry."""
    calls = _calls(visit)
    known = {str(one.log_index) for one in calls.register() if one.log_index >= 0}
    if index not in known:
        from xinglin.console.errors import NotThere

        raise NotThere("No permit of the register is that entry.", remedy="Look at the list.")
    return File(calls.book.receipt(int(index)), f"entry-{index}.tlog-proof", "text/plain; charset=utf-8")


@screen("/public/{permit:str}", roles=())
def study(visit: Visit, permit: str) -> Page:
    """One permit in plain words."""
    _, calls = visit.words.text, _calls(visit)
    one = calls.permit(permit)
    return Page(
        "public/study.html",
        title=one.title,
        crumbs=(Step(_("Studies in this space"), "/public"),),
        values={"one": one, "status": _(STATUSES[one.status]), "state": _COLOURED.get(one.status, "state.ended")},
        css=CSS,
    )


ROUTES = (public, checkpoint, checkpoint_file, policy_file, receipt, study)


def _calls(visit: Visit) -> PublicCalls:
    found: PublicCalls = visit.public
    found.space_name  # noqa: B018 (raises where there is no space)
    return found


def _row(visit: Visit, one: PermitEntry) -> dict[str, Any]:
    return {
        "permit": one.permit,
        "title": one.title,
        "institution": one.institution,
        "purpose": f"purpose.{one.purpose}",
        "status": one.status,
        "status_words": visit.words.text(STATUSES[one.status]),
        "granted": one.granted,
    }
