"""Connecting a source: what lies in the drop folder, what it would become, and how far it is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xinglin.console.code_shown import in_shell
from xinglin.console.frame import Done, Nav, Page, Same, Step, act, live, screen
from xinglin.console.people.service import FRESH_S
from xinglin.console.visit import Form, Visit
from xinglin.words import N_

if TYPE_CHECKING:
    from xinglin.console.calls.connecting import Connecting
    from xinglin.node.intake.connecting import Proposal
    from xinglin.node.intake.looks import Sample

ROLE = ("hospital",)
NAV = (Nav(roles=ROLE, path="/hospital/connect", label=N_("Connect a source"), order=100),)
CSS = ("screens/hospital.css",)
COLUMNS_SHOWN = 100
UNREAD_SHOWN = 20
_SOURCE = "/hospital/connect/source"


@screen("/hospital/connect", roles=ROLE)
def connect(visit: Visit) -> Page:
    """What lies in the drop folder."""
    calls = visit.calls.connecting
    return Page(
        "hospital/join_connect.html",
        title=visit.words.text("Connect a source"),
        values={"drop": str(calls.drop()), "entries": calls.dropped(), "state": calls.state(), "source": _SOURCE},
        crumbs=_crumbs(visit),
        same=Same(cli="xinglin connect FILE, FOLDER or ADDRESS"),
        css=CSS,
    )


@act("/hospital/connect", roles=ROLE)
def look(visit: Visit, form: Form) -> Done:
    """Look at an entry of the drop folder; it is read in a process of its own with limits."""
    visit.calls.connecting.look(form.needed("name"))
    return Done(_SOURCE)


@screen(_SOURCE, roles=ROLE)
def source(visit: Visit) -> Page | Done:
    """The source as far as it has come."""
    state: Connecting = visit.calls.connecting.state()
    if not state.stage:
        return Done("/hospital/connect")
    return Page(
        "hospital/join_source.html",
        title=state.name,
        values=_values(state),
        crumbs=(*_crumbs(visit), Step(visit.words.text("Connect a source"), "/hospital/connect")),
        same=Same(cli=in_shell("xinglin connect {}", f"drop/{state.name}")),
        css=CSS,
        wide=True,
    )


@live(f"{_SOURCE}/live", roles=ROLE, every_s=0.5)
def follow(visit: Visit) -> Page:
    """The same as it goes on."""
    state: Connecting = visit.calls.connecting.state()
    return Page("hospital/join_source_now.html", values=_values(state), fragment=True, final=not state.busy)


@act("/hospital/connect/start", roles=ROLE, fresh_s=FRESH_S)
def start(visit: Visit, form: Form) -> Done:
    """Start the source that was shown."""
    visit.calls.connecting.start(form.needed("name"))
    return Done(_SOURCE)


@act("/hospital/connect/forget", roles=ROLE)
def forget(visit: Visit, form: Form) -> Done:
    """Forget what was read, and choose another."""
    visit.calls.connecting.forget()
    return Done("/hospital/connect")


def _crumbs(visit: Visit) -> tuple[Step, ...]:
    _ = visit.words.text
    return (Step(_("Hospital"), "/hospital"), Step(_("Joining the space"), "/hospital/joining"))


def _values(state: Connecting) -> dict[str, Any]:
    tried = state.tried
    pairs = zip(tried.proposals, tried.samples, strict=True) if tried is not None else ()
    unread = tried.unread if tried is not None else ()
    return {
        "state": state,
        "sources": [_shown(proposal, sample) for proposal, sample in pairs],
        "unread": unread[:UNREAD_SHOWN],
        "more_unread": max(0, len(unread) - UNREAD_SHOWN),
    }


def _shown(proposal: Proposal, sample: Sample) -> dict[str, Any]:
    """What a person decides by: proposed meanings, rows, what is not read."""
    guesses = proposal.suggestion.columns if proposal.suggestion is not None else ()
    return {
        "name": proposal.source.name,
        "files": len(proposal.files),
        "held": proposal.held,
        "wanted": proposal.wanted,
        "sample": sample,
        "notes": (*proposal.notes, *(proposal.suggestion.notes if proposal.suggestion is not None else ())),
        "guesses": guesses[:COLUMNS_SHOWN],
        "rows": {
            table: [", ".join(f"{name} {value}" for name, value in row.items())[:240] for row in rows]
            for table, rows in sample.rows.items()
        },
    }


ROUTES = (connect, look, source, follow, start, forget)
