"""The output airlock: what would leave a hospital, which rule hid what, and two blind votes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xinglin.access.output_review import OUTPUT_CHOICES, VOTES_ASKED
from xinglin.console.errors import BadField
from xinglin.console.frame import Done, Head, Nav, Page, Rail, Same, Step, act, screen
from xinglin.console.listing import Column, Empty, listing
from xinglin.console.visit import Form, Visit
from xinglin.words import N_

REVIEWER = ("reviewer",)
NAV = (Nav(roles=REVIEWER, path="/reviews", label=N_("Output reviews"), order=10),)


@screen("/reviews", roles=REVIEWER)
def reviews(visit: Visit) -> Page:
    """Results and extracts that wait for the hospital's people."""
    _ = visit.words.text
    rows = [
        {**one, "shown": f"object.{one['held']}", "votes": f"{one['votes_in']} / {VOTES_ASKED}"}
        for one in visit.calls.held()
    ]
    found = listing(
        visit,
        "reviews",
        (
            Column("run", _("Run"), "id", link="/reviews/{held}/{run}"),
            Column("shown", _("What it is"), "term"),
            Column("study", _("Study")),
            Column("recipient", _("Recipient")),
            Column("votes", _("Votes in")),
        ),
        rows,
        empty=Empty(_("Nothing waits for your eyes. Results come here where a pack or an agreement asks for people.")),
    )
    same = Same(cli="xinglin node review held")
    return Page("reviews/list.html", title=_("Output reviews"), values={"found": found}, listing=found, same=same)


@screen("/reviews/{held:str}/{run:str}", roles=REVIEWER)
def review_page(visit: Visit, held: str, run: str) -> Page:
    """One of them as it would leave."""
    _ = visit.words.text
    page = visit.calls.page(held, run)
    return Page(
        "reviews/review.html",
        title=_("Before it leaves: %(study)s", study=page.get("study", run)),
        values={
            "page_": page,
            "rules": _rules(page),
            "asks": _asks(page),
            "summary": _summary(page),
            "held": held,
            "path": visit.path,
        },
        crumbs=(Step(_("Output reviews"), "/reviews"),),
        head=Head("object.run", run, "state.held", _("two persons of the hospital, blind to each other")),
        rail=Rail(run, (), str(page["shown"])),
        same=Same(
            cli=f"xinglin node review look {run}\nxinglin node review vote {run} --vote release --account FOLDER"
        ),
        css=("screens/agreements.css",),
        wide=True,
        data={key: page[key] for key in ("run", "study", "shown") if key in page},
    )


@act("/reviews/{held:str}/{run:str}/vote", roles=REVIEWER)
def vote(visit: Visit, form: Form, held: str, run: str) -> Done:
    """Vote on exactly what was looked at."""
    choice = form.needed("choice")
    if choice not in OUTPUT_CHOICES:
        raise BadField("choice", "That is no choice.", remedy="Release or withhold.")
    found = visit.calls.vote(held, run, form.needed("shown"), choice, form.text("words"))
    said = visit.words.text("Your vote is in, blind: %(n)s of %(all)s.", n=found["votes_in"], all=VOTES_ASKED)
    return Done("/inbox", said)


def _tables(page: Mapping[str, Any]) -> list[dict[str, Any]]:
    notes = page.get("notes") or {}
    tables: list[dict[str, Any]] = notes.get("tables", [notes] if notes else [])
    return tables


def _rules(page: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Every hidden entry, and the rule that hid it."""
    return [(entry, rule) for one in _tables(page) for entry, rule in one.get("rules", {}).items()]


def _asks(page: Mapping[str, Any]) -> list[str]:
    return [str(ask["words"]) for one in _tables(page) for ask in one.get("asks", ())]


def _summary(page: Mapping[str, Any]) -> str:
    """The result as it would leave, in text; empty for an extract."""
    from xinglin.analysis.algorithm import Result
    from xinglin.analysis.render import summary

    found = page.get("result")
    return summary(Result(found["kind"], found["payload"])) if found else ""


ROUTES = (reviews, review_page, vote)
