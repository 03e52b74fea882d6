"""Agreements of a hospital: offered, in force and ended; the paper beside the machine's terms; what an end touches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xinglin.console.addresses import segment
from xinglin.console.calls.hospital_agreements import countersigned, signed_title, uncovered
from xinglin.console.code_shown import in_python, in_shell
from xinglin.console.errors import NotThere
from xinglin.console.frame import Done, Head, Nav, Page, Rail, Same, Step, act, screen
from xinglin.console.listing import Column, Empty, Filter, listing
from xinglin.console.people.service import FRESH_S
from xinglin.console.visit import Form, Visit
from xinglin.contract.breach import BREACHES
from xinglin.kernel.instants import from_text
from xinglin.words import N_

NAV = (Nav(roles=("hospital",), path="/agreements", label=N_("Agreements"), order=20),)
HOSPITAL = ("hospital",)
_STATES = ("offered", "countersigned", "active", "suspended", "refused", "terminated", "expired", "amended", "renewed")
_WAITS_FOR_US = frozenset({"offered"})
_ENDINGS = {"suspend": N_("Suspended."), "resume": N_("Resumed."), "end": N_("Ended.")}


@screen("/agreements", roles=HOSPITAL)
def agreements(visit: Visit) -> Page:
    """Every agreement of this hospital."""
    _ = visit.words.text
    rows = [_row(visit, one) for one in visit.calls.agreements.all()]
    states = {one: visit.words.term(f"state.{one}") for one in _STATES}
    found = listing(
        visit,
        "agreements",
        (
            Column("study", _("Study"), link="/agreements/{id}"),
            Column("consumer", _("Asked by")),
            Column("data_set", _("Data set")),
            Column("grade", _("Grade")),
            Column("shown", _("State"), "state"),
            Column("since", _("Since"), "date"),
            Column("expires", _("Until"), "date"),
        ),
        rows,
        filters=(Filter("state", _("State"), states),),
        empty=Empty(
            _("Nobody offered this hospital an agreement yet. Publish a data set, so that it is found."),
            _("Publish a data set"),
            "/publish",
        ),
    )
    same = Same(cli="xinglin node agreements")
    return Page("agreements/list.html", title=_("Agreements"), values={"found": found}, listing=found, same=same)


@screen("/agreements/{agreement:str}", roles=HOSPITAL)
def agreement_page(visit: Visit, agreement: str) -> Page:
    """One agreement: the paper, the machine's terms, what would leave, and its cases."""
    _ = visit.words.text
    one = visit.calls.agreements.one(agreement)
    offered = one["state"] in _WAITS_FOR_US
    owner = visit.seat.label if offered and visit.seat else ""
    explained = visit.calls.agreements.explain(agreement) if offered else None
    what = f"{one['data_set']} · {one['grade']}"
    # What is countersigned is called as its papers say, and never by a name of the hub's.
    title = signed_title(one) or what if offered else visit.calls.agreements.title(one)
    short = agreement.removeprefix("sha256:")[:12]
    return Page(
        "agreements/agreement.html",
        title=title,
        values={
            "one": one,
            "terms": one["terms"],
            "offered": offered,
            "explained": explained,
            "uncovered": uncovered(one),
            "leaves": visit.calls.agreements.leaves(one, visit.words),
            "path": visit.path,
            "breaches": {key: visit.words.term(f"breach.{key}") for key in BREACHES},
        },
        crumbs=(Step(_("Agreements"), "/agreements"),),
        head=Head("object.agreement", agreement, f"state.{one['state']}", owner, one.get("since", 0)),
        rail=Rail(agreement, (one["index"],) if one["index"] >= 0 else (), agreement),
        same=Same(
            python=in_python("study = space.study_by_id({})\nstudy.agreements", one["study"]),
            cli=in_shell("xinglin node agreements show {0}\nxinglin node approve {0}", short),
        ),
        css=("screens/agreements.css", "screens/leaves.css"),
        data=one,
    )


@act("/agreements/{agreement:str}/approve", roles=HOSPITAL, fresh_s=FRESH_S)
def approve(visit: Visit, form: Form, agreement: str) -> Done:
    """Countersign an offer."""
    _ = visit.words.text
    visit.calls.agreements.answer(agreement, "approve")
    found = countersigned(visit.calls.agreements, agreement)
    said = (
        _("Countersigned, and in force.")
        if found["state"] == "active"
        else _("Countersigned; its leaf waits for a quorum.")
    )
    return Done("/inbox" if form.text("next") == "inbox" else f"/agreements/{segment(agreement)}", said)


@act("/agreements/{agreement:str}/refuse", roles=HOSPITAL)
def refuse(visit: Visit, form: Form, agreement: str) -> Done:
    """Refuse an offer, in words that the asker reads."""
    visit.calls.agreements.answer(agreement, "refuse", words=form.text("words"))
    return Done(f"/agreements/{segment(agreement)}", visit.words.text("Refused. The asker reads your words."))


@screen("/agreements/{agreement:str}/end", roles=HOSPITAL)
def radius(visit: Visit, agreement: str) -> Page:
    """What ending an agreement touches, before anything is ended."""
    _ = visit.words.text
    one = visit.calls.agreements.one(agreement)
    if one["state"] not in ("active", "suspended"):
        raise NotThere("Only an agreement in force can be ended.", remedy="Look at its state.")
    return Page(
        "agreements/radius.html",
        title=_("What ending this agreement touches"),
        values={"one": one, "found": visit.calls.agreements.radius(agreement)},
        crumbs=(
            Step(_("Agreements"), "/agreements"),
            Step(visit.calls.agreements.title(one), f"/agreements/{segment(agreement)}"),
        ),
        head=Head("object.agreement", agreement, f"state.{one['state']}"),
        same=Same(cli=in_shell("xinglin node end {} --preview", agreement.removeprefix("sha256:")[:12])),
    )


@act("/agreements/{agreement:str}/change", roles=HOSPITAL, fresh_s=FRESH_S)
def change(visit: Visit, form: Form, agreement: str) -> Done:
    """Suspend, resume or end an agreement in force."""
    verb = form.needed("verb")
    if verb not in _ENDINGS:
        raise NotThere("There is no such deed.")
    visit.calls.agreements.answer(agreement, verb)
    return Done(f"/agreements/{segment(agreement)}", visit.words.text(_ENDINGS[verb]))


@act("/agreements/{agreement:str}/breach", roles=HOSPITAL)
def breach(visit: Visit, form: Form, agreement: str) -> Done:
    """Give a notice of breach, answer one, or close one."""
    names = ("step", "about", "what", "words", "answer", "suspend")
    given = {name: form.text(name) for name in names if form.text(name)}
    if form.text("by"):
        given["by"] = f"{form.text('by')}T23:59:59.000Z"
        from_text(given["by"])  # a date that is none is refused here, with its field
    visit.calls.agreements.breach(agreement, **given)
    return Done(
        f"/agreements/{segment(agreement)}", visit.words.text("Noted, sent to the other party, and its digest logged.")
    )


def _row(visit: Visit, one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": one["id"],
        "study": visit.calls.agreements.title(one),
        "consumer": one["consumer"],
        "data_set": one["data_set"],
        "grade": one["grade"],
        "state": one["state"],
        "shown": f"state.{one['state']}",
        "since": one.get("since", 0),
        "expires": one["expires"],
    }


ROUTES = (agreements, agreement_page, approve, refuse, radius, change, breach)
