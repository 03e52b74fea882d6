"""The output airlock: what would leave a hospital, which rule hid what, and two blind votes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from xinglin.access.output_review import OUTPUT_CHOICES, VOTES_ASKED
from xinglin.console.code_shown import in_shell
from xinglin.console.errors import BadField
from xinglin.console.frame import Done, Head, Nav, Page, Rail, Same, Step, act, screen
from xinglin.console.listing import Column, Empty, listing
from xinglin.console.people.service import FRESH_S
from xinglin.console.result_charts import charts_of
from xinglin.console.visit import Form, Visit
from xinglin.words import N_

REVIEWER = ("reviewer",)
NAV = (Nav(roles=REVIEWER, path="/reviews", label=N_("Output reviews"), order=10),)


@screen("/reviews", roles=REVIEWER)
def reviews(visit: Visit) -> Page:
    """Results and extracts that wait for the hospital's people."""
    _ = visit.words.text
    titles = visit.calls.titles()
    rows = [_row(one, titles) for one in visit.calls.held()]
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
    result = _result(page)
    rows = result.rows() if result else []
    columns = tuple(rows[0]) if rows else ()
    title = visit.calls.titles().get(page.get("study", ""), page.get("data_set", run))
    return Page(
        "reviews/review.html",
        title=_("Before it leaves: %(study)s", study=title),
        values={
            "page_": page,
            "rules": _rules(page),
            "asks": _asks(page),
            "charts": charts_of(result, _) if result else (),
            "columns": columns,
            "cells": [[row.get(name) for name in columns] for row in rows],
            "names": visit.calls.names(page),
            "held": held,
            "path": visit.path,
        },
        crumbs=(Step(_("Output reviews"), "/reviews"),),
        head=Head("object.run", run, "state.held", _("two persons of the hospital, blind to each other")),
        rail=Rail(run, (), str(page["shown"])),
        same=Same(
            cli=in_shell(
                "xinglin node review look {0}\nxinglin node review vote {0} --vote release --account FOLDER", run
            )
        ),
        css=("screens/agreements.css", "screens/charts.css", "screens/results.css"),
        wide=True,
        data={key: page[key] for key in ("run", "study", "shown") if key in page},
    )


@act("/reviews/{held:str}/{run:str}/vote", roles=REVIEWER, fresh_s=FRESH_S)
def vote(visit: Visit, form: Form, held: str, run: str) -> Done:
    """Vote on exactly what was looked at."""
    choice = form.needed("choice")
    if choice not in OUTPUT_CHOICES:
        raise BadField("choice", "That is no choice.", remedy="Release or withhold.")
    found = visit.calls.vote(held, run, form.needed("shown"), choice, form.text("words"))
    said = visit.words.text("Your vote is in, blind: %(n)s of %(all)s.", n=found["votes_in"], all=VOTES_ASKED)
    return Done("/inbox", said)


def _row(one: Mapping[str, Any], titles: Mapping[str, str]) -> dict[str, Any]:
    return {
        **one,
        "study": titles.get(one["study"], one["study"]),
        "shown": f"object.{one['held']}",
        "votes": f"{one['votes_in']} / {VOTES_ASKED}",
    }


def _tables(page: Mapping[str, Any]) -> list[dict[str, Any]]:
    notes = page.get("notes") or {}
    tables: list[dict[str, Any]] = notes.get("tables", [notes] if notes else [])
    return tables


def _rules(page: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Every hidden entry, and the rule that hid it."""
    return [(entry, rule) for one in _tables(page) for entry, rule in one.get("rules", {}).items()]


def _asks(page: Mapping[str, Any]) -> list[str]:
    return [str(ask["words"]) for one in _tables(page) for ask in one.get("asks", ())]


class _Held(msgspec.Struct, frozen=True):
    """A result that did not leave yet, as charts read it."""

    kind: str
    payload: dict[str, Any]

    def rows(self) -> list[dict[str, Any]]:
        """As rows of one table."""
        from xinglin.analysis.algorithm import Result
        from xinglin.analysis.render import rows_of

        return rows_of(Result(self.kind, self.payload))


def _result(page: Mapping[str, Any]) -> _Held | None:
    """The result as it would leave; None for an extract."""
    found = page.get("result")
    return _Held(found["kind"], found["payload"]) if found else None


ROUTES = (reviews, review_page, vote)
