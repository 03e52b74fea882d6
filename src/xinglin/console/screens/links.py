"""Who is who: pairs of records that may be one person's, side by side, and a clerk's decision."""

from __future__ import annotations

from xinglin.console.addresses import segment
from xinglin.console.calls.hospital_mapping import QUEUE
from xinglin.console.charts import Bar, bars
from xinglin.console.code_shown import in_shell
from xinglin.console.errors import NotThere
from xinglin.console.frame import Done, Head, Nav, Page, Same, Step, act, screen
from xinglin.console.listing import Column, Empty, Filter, listing
from xinglin.console.people.service import FRESH_S
from xinglin.console.visit import Form, Visit
from xinglin.words import N_

ROLE = ("hospital",)
NAV = (Nav(roles=ROLE, path="/links", label=N_("Record links"), order=102),)
CSS = ("screens/charts.css", "screens/hospital.css")
SHOWN = 200
DEEDS = {
    "confirm": N_("Confirmed: they are one person."),
    "reject": N_("Rejected: they are two persons."),
    "defer": N_("Deferred."),
    "reopen": N_("Reopened: what followed from the decision is undone."),
}


@screen("/links", roles=ROLE)
def links(visit: Visit) -> Page:
    """Pairs under review, by state."""
    _, words = visit.words.text, visit.words
    state = visit.query.get("state", "").rpartition(".")[2]
    chosen = (state,) if state in QUEUE else QUEUE
    counts = visit.calls.links.counts()
    rows = [
        {
            "number": one.number,
            "state": f"state.{one.state}",
            "records": " – ".join(one.doubtful.pair),
            "rule": one.doubtful.rule,
            "probability": one.doubtful.probability or None,
            "differ": ", ".join(one.doubtful.differ),
            "opened": one.opened_at,
            "by": visit.named(one.by),
        }
        for wanted in chosen
        for one in visit.calls.links.reviews(wanted, SHOWN)
    ]
    shown = [Bar(words.term(f"state.{name}"), float(counts.reviews.get(name, 0))) for name in QUEUE]
    return Page(
        "links/list.html",
        title=_("Record links"),
        values={
            "counts": counts,
            "chart": bars(_("Pairs by state"), shown, named=_("State"), counted=_("Pairs"), say=_),
        },
        listing=listing(
            visit,
            "links",
            (
                Column("number", _("Pair"), "number", link="/links/{number}"),
                Column("state", _("State"), "state"),
                Column("records", _("Records"), "id"),
                Column("rule", _("Found by")),
                Column("probability", _("Probability"), "percent"),
                Column("differ", _("Against it")),
                Column("opened", _("Since"), "date"),
                Column("by", _("By")),
            ),
            rows,
            empty=Empty(_("No pair is in this state. The nightly match looks for more.")),
            filters=(Filter("state", _("State"), {f"state.{one}": words.term(f"state.{one}") for one in QUEUE}),),
        ),
        same=Same(cli="xinglin patients review\nxinglin patients status"),
        css=CSS,
    )


@screen("/links/{number:str}", roles=ROLE)
def pair(visit: Visit, number: str) -> Page:
    """One pair, field by field."""
    _ = visit.words.text
    found = visit.calls.links.pair(_number(number))
    review = found.review
    one, other = review.doubtful.pair
    return Page(
        "links/pair.html",
        title=_("Pair %(number)s", number=review.number),
        values={"found": found, "one": one, "other": other, "waits": review.waits},
        crumbs=(Step(_("Record links"), "/links"),),
        head=Head(
            kind="object.pair-of-records",
            id=str(review.number),
            state=f"state.{review.state}",
            owner=_("a clerk of this hospital") if review.waits else "",
            since=review.opened_at if review.waits else 0,
        ),
        same=Same(
            cli=in_shell(
                "xinglin patients confirm {0} --by NAME\nxinglin patients reject {0} --by NAME", str(review.number)
            )
        ),
        css=CSS,
    )


@act("/links/{number:str}/{verb:str}", roles=ROLE)
def decide(visit: Visit, form: Form, number: str, verb: str) -> Done:
    """Confirm, reject, defer or reopen a pair."""
    _ = visit.words.text
    if verb not in DEEDS:
        raise NotThere("There is no such deed.")
    decided = visit.calls.links.decide(verb, _number(number), visit.by, form.text("words"))
    if decided.state == "supported":
        return Done("/links", _("Supported. Another clerk has to confirm it."))
    return Done("/links", _(DEEDS[verb]))


@act("/links/{number:str}/unlink", roles=ROLE, fresh_s=FRESH_S)
def unlink(visit: Visit, form: Form, number: str) -> Done:
    """Part the two records of a pair; no rule links them again."""
    found = visit.calls.links.pair(_number(number))
    one, other = found.review.doubtful.pair
    visit.calls.links.unlink(one, visit.by, form.text("words"), other)
    return Done(f"/links/{segment(number)}", visit.words.text("Parted. No rule links them again."))


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise NotThere("There is no such pair.", remedy="Go back to the list.")
    return int(text)


ROUTES = (links, pair, unlink, decide)
