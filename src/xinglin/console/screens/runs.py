"""Runs: the list, and one with a lane for each hospital that moves while it is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xinglin.console.addresses import segment
from xinglin.console.calls.researcher_runs import FINAL
from xinglin.console.charts import Lane, Station, lanes
from xinglin.console.code_shown import in_python, in_shell
from xinglin.console.frame import Done, Head, Nav, Page, Rail, Same, Step, act, live, screen
from xinglin.console.listing import Column, Empty, Filter, listing
from xinglin.console.preview import operation_words
from xinglin.console.visit import Form, Visit
from xinglin.words import N_

if TYPE_CHECKING:
    from xinglin.console.calls.researcher_runs import RunShown
    from xinglin.wire.calls import NodeProgress

NAV = (Nav(roles=("researcher",), path="/runs", label=N_("Runs and results"), order=50),)
RESEARCHER = ("researcher",)
CSS = ("screens/charts.css", "screens/runs.css")
STATIONS = (N_("queued"), N_("admitted"), N_("computing"), N_("checking"), N_("released"))
_AT = {"asked": 0, "ready": 1, "preparing": 2, "computing": 2, "in review": 3, "releasing": 3, "released": 4}
"""At which station a hospital is, by its state at the hub."""
_STATES = ("deciding", "preparing", "computing", "releasing", *sorted(FINAL))
_DAY_MS = 86_400_000
NODE = {
    "asked": N_("asked; it decides by its own rules"),
    "ready": N_("admitted it"),
    "preparing": N_("prepares the masks of the secure sum"),
    "computing": N_("computes its part"),
    "in review": N_("two persons of the hospital look at the answer"),
    "waiting": N_("waits for something of its own"),
    "released": N_("signed the answer"),
    "nothing": N_("signed that nothing leaves"),
    "refused": N_("said no"),
    "stopped": N_("stopped it"),
    "left out": N_("was left out: it was away too long"),
}


@screen("/runs", roles=RESEARCHER)
def runs(visit: Visit) -> Page:
    """Every run of this seat."""
    _ = visit.words.text
    rows = [
        {
            "id": one.id,
            "title": one.title,
            "what": operation_words(visit.words, one.algorithm),
            "sql": one.sql,
            "at": one.at,
            "state": one.state or "unknown",
            "hospitals": one.hospitals,
        }
        for one in visit.calls.work.runs()
    ]
    found = listing(
        visit,
        "runs",
        (
            Column("what", _("What it asks"), link="/runs/{id}"),
            Column("title", _("Study")),
            Column("state", _("State"), "state"),
            Column("at", _("Asked"), "instant"),
            Column("hospitals", _("Hospitals"), "number"),
            Column("id", _("Run"), "id"),
        ),
        rows,
        filters=(Filter("state", _("State"), {one: visit.words.term(f"state.{one}") for one in _STATES}),),
        empty=Empty(_("Nothing was asked yet."), _("Ask a question"), "/workbench"),
    )
    same = Same("for run_id in space.runs():\n    print(space.run(run_id).view())", "xinglin run list")
    return Page("runs/runs.html", title=_("Runs and results"), values={"found": found}, listing=found, same=same)


@screen("/runs/{run:str}", roles=RESEARCHER)
def run(visit: Visit, run: str) -> Page:
    """One run: where each hospital is, why it waits, what it asked."""
    _ = visit.words.text
    shown = visit.calls.work.run(run)
    what = operation_words(visit.words, shown.plan.algorithm)
    owner, _why = _waiting(visit, shown)
    return Page(
        "runs/run.html",
        title=what,
        values=_values(visit, shown),
        crumbs=(Step(_("Runs and results"), "/runs"), Step(shown.title, f"/studies/{segment(shown.plan.study)}")),
        head=Head("object.run", run, f"state.{shown.view.state}", owner, shown.at),
        rail=Rail(run, shown.entries, shown.plan.digest()),
        same=Same(
            in_python("run = space.run({})\nprint(run.view())\nresult = run.result()", run),
            in_shell("xinglin run result {}", run),
        ),
        css=CSS,
        data={"run": run, "state": shown.view.state, "hospitals": [(n.name, n.state) for n in shown.view.nodes]},
    )  # fmt: skip


@live("/runs/{run:str}/live", roles=RESEARCHER, every_s=1.0)
def follow(visit: Visit, run: str) -> Page:
    """The lanes, each second."""
    shown = visit.calls.work.run(run)
    return Page("runs/lanes.html", values=_values(visit, shown), final=shown.over)


@act("/runs/{run:str}/cancel", roles=RESEARCHER)
def cancel(visit: Visit, form: Form, run: str) -> Done:
    """Stop it."""
    visit.calls.work.cancel(run)
    return Done(
        f"/runs/{segment(run)}", visit.words.text("Stopped. What was charged stays charged once anything has left.")
    )


@act("/runs/{run:str}/again", roles=RESEARCHER)
def again(visit: Visit, form: Form, run: str) -> Done:
    """Ask the same once more, on today's tables."""
    started = visit.calls.work.again(run)
    return Done(f"/runs/{segment(started)}", visit.words.text("Asked once more. You may leave: the run goes on."))


def _values(visit: Visit, shown: RunShown) -> dict[str, Any]:
    _ = visit.words.text
    view = shown.view
    owner, waiting = _waiting(visit, shown)
    drawn = lanes(
        _("Where each hospital is"),
        tuple(_(one) for one in STATIONS),
        [_lane(visit, shown, node) for node in view.nodes],
        say=visit.words.text,
    )
    took = (view.ended or visit.now) - (view.started or shown.at)
    return {
        "shown": shown,
        "view": view,
        "drawn": drawn,
        "owner": owner,
        "waiting": waiting,
        "took_s": round(max(0, took) / 1000, 1 if shown.over else None),
        "usual_s": round(shown.usual_ms / 1000, 1),
        "what": operation_words(visit.words, shown.plan.algorithm),
    }


def _lane(visit: Visit, shown: RunShown, node: NodeProgress) -> Lane:
    _ = visit.words.text
    at, state = _AT.get(node.state, 2), shown.view.state
    bad = node.state in ("refused", "stopped", "left out")
    if bad:
        at = 1 if node.state == "refused" else 2
    if state == "releasing" and node.state == "computing":
        at = 3
    stations = []
    for number, name in enumerate(STATIONS):
        told = f"{node.name}: {_(name)}"
        if shown.over and state != "done" and number == len(STATIONS) - 1:
            stations.append(Station("skipped", told))
        elif number < at or (node.state == "released" and number == at):
            stations.append(Station("done", told))
        elif number == at and bad:
            stations.append(Station("skipped" if node.state == "left out" else "failed", told))
        elif number == at and not shown.over:
            stations.append(Station("now", told))
        else:
            stations.append(Station("skipped" if shown.over else "next", told))
    return Lane(node.name, tuple(stations), _note(visit, shown, node))


def _note(visit: Visit, shown: RunShown, node: NodeProgress) -> str:
    """What a hospital does, and when it was last seen."""
    _ = visit.words.text
    nothing = node.state == "released" and shown.over and shown.view.state != "done"
    does = _(NODE.get("nothing" if nothing else node.state, node.state))
    if shown.over or node.connected:
        return does if shown.over else _("%(does)s; connected", does=does)
    away = shown.away_ms.get(node.did, 0)
    seen = visit.words.ago(visit.now - away, visit.now) if away else _("not yet")
    return _("%(does)s; away, last seen %(ago)s", does=does, ago=seen)


def _waiting(visit: Visit, shown: RunShown) -> tuple[str, str]:
    """Who has to act now, and why it waits, in one sentence that names them and the day."""
    _ = visit.words.text
    if shown.over:
        return "", ""
    view, day = shown.view, (visit.now - shown.at) // _DAY_MS + 1
    for states, sentence in _SENTENCES:
        names = ", ".join(node.name for node in view.nodes if node.state in states)
        if names:
            return names, _(sentence, who=names, day=visit.words.number(day))
    away = ", ".join(node.name for node in view.nodes if not node.connected)
    if away:
        return away, _("Day %(day)s: it waits for %(who)s, away just now.", who=away, day=visit.words.number(day))
    return "", _("It does not wait: the hospitals compute.")


_SENTENCES = (
    (("in review",), N_("Day %(day)s: persons at %(who)s look at the answer before it leaves; it goes on by itself.")),
    (("waiting",), N_("Day %(day)s: it waits for %(who)s, which waits for something of its own.")),
    (("asked",), N_("Day %(day)s: it waits for the decision of %(who)s, made by rules within seconds.")),
)
ROUTES = (runs, run, follow, cancel, again)
