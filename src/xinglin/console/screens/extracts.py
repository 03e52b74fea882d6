"""Extracts: reviewed, de-identified rows of a cohort into a workspace, asked for, followed and taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.console.addresses import segment
from xinglin.console.calls.researcher_extracts import PROFILE, ExtractLooked, Wanted
from xinglin.console.code_shown import in_python, in_shell
from xinglin.console.frame import Done, Head, Nav, Page, Rail, Same, Step, act, live, screen
from xinglin.console.handed_lanes import lanes_of, waiting_of
from xinglin.console.listing import Column, Empty, Filter, Listing, listing
from xinglin.console.preview_rows import RIGHTS
from xinglin.console.visit import Form, Visit
from xinglin.kernel.errors import XinglinError
from xinglin.words import N_

if TYPE_CHECKING:
    from xinglin.console.calls.handed_rows import Ground, HandedLine, HandedShown
    from xinglin.sdk.workspace.keeper import Kept

RESEARCHER = ("researcher",)
NAV = (Nav(roles=RESEARCHER, path="/extracts", label=N_("Extracts"), order=120),)
CSS = ("screens/leaves.css", "screens/workbench.css", "screens/charts.css", "screens/runs.css")
STATIONS = (N_("asked"), N_("made"), N_("looked at"), N_("sealed"), N_("taken"))
FORMATS = {"parquet": N_("Parquet: the rows"), "fhir": N_("FHIR: Patient and Observation of the same rows")}
STATES = ("asked", "working", "held", "delivered", "taken", "dropped", "refused", "withheld", "ended", "cancelled",
          "recalled")  # fmt: skip
RIGHT = "right."
_RELEASE = """xinglin workspace release {} describe --folder FOLDER --param 'columns=["…"]'"""


@screen("/extracts", roles=RESEARCHER)
def extracts(visit: Visit) -> Page:
    """Every extract that this seat asked for or receives."""
    _ = visit.words.text
    empty = Empty(_("No extract was asked for yet."), _("Ask for an extract"), "/extracts/new")
    found = handed_listing(visit, "extracts", visit.calls.extracts.every(), "/extracts", empty)
    same = Same("for extract in space.extracts():\n    print(extract.view())", "xinglin extract list")
    values = {"found": found, "title": _("Extracts"), "more": ("/extracts/new", _("Ask for an extract")),
              "lead": _("Rows of a cohort, de-identified at the hospital, looked at by two of its persons, sealed to a "
                        "workspace. Ask for totals first: most questions need no row.")}  # fmt: skip
    return Page("handed/list.html", title=_("Extracts"), values=values, listing=found, same=same)


@screen("/extracts/new", roles=RESEARCHER)
def new(visit: Visit) -> Page:
    """An extract to ask for: of the study named, or of an earlier request."""
    run, calls = visit.query.get("run", ""), visit.calls.extracts
    if run:
        wanted = calls.wanted(run)
        return _asking(visit, calls.ground(wanted.study), calls.look(visit.words, wanted))
    study = visit.query.get("study", "")
    if not study:
        grounds = calls.grounds()
        if len(grounds) != 1:
            return choose(visit, grounds, visit.words.text("Ask for an extract"), "/extracts", _CHOOSE, _NONE)
        study = grounds[0].id
    ground = calls.ground(study)
    wanted = Wanted(study, begun(ground), workspace=next(iter(ground.workspaces), ""))
    return _asking(visit, ground, calls.look(visit.words, wanted) if ground.permitted else ExtractLooked(wanted))


@act("/extracts/look", roles=RESEARCHER)
def look(visit: Visit, form: Form) -> Page:
    """What the request of the form would let out; nothing is sent."""
    calls, wanted = visit.calls.extracts, _wanted(form)
    ground = calls.ground(wanted.study)
    if not wanted.workspace:
        wanted = msgspec.structs.replace(wanted, workspace=next(iter(ground.workspaces), ""))
    return _asking(visit, ground, calls.look(visit.words, wanted))


@act("/extracts/ask", roles=RESEARCHER)
def ask(visit: Visit, form: Form) -> Done | Page:
    """Ask each hospital; its page follows it."""
    calls, wanted = visit.calls.extracts, _wanted(form)
    ground = calls.ground(wanted.study)
    try:
        started = calls.start(wanted)
    except XinglinError as error:
        from xinglin.console.calls.handed_rows import reasons_of

        looked = calls.look(visit.words, wanted)
        refused = ExtractLooked(wanted, looked.columns, reasons_of(error))
        return _asking(visit, ground, refused, status=409)
    return Done(
        f"/extracts/{segment(started)}", visit.words.text("Asked. It goes on by itself; reviews may take days.")
    )


@screen("/extracts/{run:str}", roles=RESEARCHER)
def extract(visit: Visit, run: str) -> Page:
    """One request: where each hospital is, whom it waits for, what came of it."""
    _ = visit.words.text
    calls = visit.calls.extracts
    shown = calls.one(run)
    kept = calls.kept(run) if shown.view.state == "taken" else None
    owner, _why = waiting_of(visit, shown)
    line = shown.line
    return Page(
        "extracts/extract.html",
        title=_("Extract of %(who)s", who=line.hospital),
        values={
            **_followed(visit, shown),
            "kept": kept,
            "facts": _facts(visit, kept),
            "wanted": _asked(visit, shown),
            "release": in_shell(_RELEASE, run),
        },
        crumbs=(Step(_("Extracts"), "/extracts"), *study_step(line)),
        head=Head("object.extract", run, f"state.{line.view.state}", owner, line.view.changed),
        rail=Rail(run, shown.entries, "" if shown.plan is None else shown.plan.digest()),
        same=Same(
            in_python(
                "from xinglin.sdk.extracts import Extract\n\nextract = Extract(space, {})\nprint(extract.view())", run
            ),
            in_shell("xinglin extract show {0}\nxinglin extract fetch {0} --workspace-folder FOLDER", run),
        ),
        css=CSS,
        data={"run": run, "state": line.view.state, "reasons": [one.code for one in line.view.reasons]},
    )  # fmt: skip


@live("/extracts/{run:str}/live", roles=RESEARCHER, every_s=2.0)
def follow(visit: Visit, run: str) -> Page:
    """The lanes, every other second."""
    shown = visit.calls.extracts.one(run)
    return Page("handed/lanes.html", values=_followed(visit, shown), final=shown.over)


@act("/extracts/{run:str}/take", roles=RESEARCHER)
def take(visit: Visit, form: Form, run: str) -> Done:
    """Have the workspace beside this seat fetch it."""
    visit.calls.extracts.take(run)
    return Done(
        f"/extracts/{segment(run)}", visit.words.text("Taken: verified, opened, and kept encrypted in the workspace.")
    )


@act("/extracts/{run:str}/cancel", roles=RESEARCHER)
def cancel(visit: Visit, form: Form, run: str) -> Done:
    """No longer wanted."""
    visit.calls.extracts.cancel(run)
    return Done(f"/extracts/{segment(run)}", visit.words.text("Cancelled: what was not fetched yet never will be."))


@act("/extracts/{run:str}/again", roles=RESEARCHER)
def again(visit: Visit, form: Form, run: str) -> Done:
    """Have it handed over once more."""
    visit.calls.extracts.again(run)
    return Done(f"/extracts/{segment(run)}", visit.words.text("The hospital was asked to hand it over once more."))


_CHOOSE = N_("Under which study do you ask for rows?")
_NONE = N_(
    "No study of yours in force permits extracts. An application can ask for the operation; the agreements then name "
    "the workspace."
)


def handed_listing(visit: Visit, name: str, every: tuple[HandedLine, ...], path: str, empty: Empty) -> Listing:
    """A list of what hospitals hand over."""
    _ = visit.words.text
    rows = [
        {
            "id": one.view.run_id, "title": one.title or one.view.run_id, "hospital": one.hospital,
            "recipient": one.recipient, "state": one.view.state, "at": one.view.asked,
        }
        for one in every
    ]  # fmt: skip
    columns = (
        Column("title", _("Study"), link=path + "/{id}"),
        Column("hospital", _("Hospital")),
        Column("state", _("State"), "state"),
        Column("recipient", _("Sealed to")),
        Column("at", _("Asked"), "instant"),
        Column("id", _("Run"), "id"),
    )
    states = Filter("state", _("State"), {one: visit.words.term(f"state.{one}") for one in STATES})
    hospitals = Filter("hospital", _("Hospital"), {one.hospital: one.hospital for one in every})
    return listing(visit, name, columns, rows, filters=(states, hospitals), empty=empty)


def choose(visit: Visit, grounds: tuple[Ground, ...], title: str, path: str, which: str, none: str) -> Page:
    """Which study to ask under, where there is more than one or none."""
    values = {"grounds": grounds, "path": path, "which": visit.words.text(which), "nothing": visit.words.text(none)}
    return Page(
        "handed/choose.html", title=title, values=values, crumbs=(Step(visit.words.text("Studies"), "/studies"),)
    )


def study_step(line: HandedLine) -> tuple[Step, ...]:
    """The study that it was asked under, as a crumb; nothing where another account asked."""
    return (Step(line.title, f"/studies/{segment(line.study)}"),) if line.study else ()


def begun(ground: Ground) -> str:
    """A SELECT to begin with: every column of the first view, one of persons first."""
    people = sorted(ground.views, key=lambda name: not name.startswith(("patient", "person")))
    return f"SELECT {', '.join(ground.views[people[0]])}\nFROM {people[0]}" if people else ""


def _wanted(form: Form) -> Wanted:
    rights = {
        name.removeprefix(RIGHT): form.text(name)
        for name in form.names()
        if name.startswith(RIGHT) and form.text(name) in RIGHTS
    }
    return Wanted(
        form.needed("study"), form.text("sql"), rights, form.many("hospital"), form.text("workspace"),
        form.text("profile") or PROFILE, form.whole("k"), form.whole("l"), form.text("t"),
        form.text("suppressed") or "0.1", tuple(one for one in form.many("format") if one in FORMATS) or ("parquet",),
    )  # fmt: skip


def _asking(visit: Visit, ground: Ground, looked: ExtractLooked, status: int = 200) -> Page:
    from xinglin.console.preview import domain_words, kind_words
    from xinglin.privacy.deidentify import SHIPPED

    _, wanted = visit.words.text, looked.wanted
    columns = [
        (one, kind_words(visit.words, one.kind), domain_words(visit.words, one), wanted.rights.get(one.name, "quasi"))
        for one in looked.columns
    ]
    return Page(
        "extracts/new.html",
        title=_("Ask for an extract: %(study)s", study=ground.title),
        values={
            "ground": ground,
            "looked": looked,
            "wanted": wanted,
            "columns": columns,
            "rights": {key: _(said) for key, said in RIGHTS.items()},
            "formats": {key: _(said) for key, said in FORMATS.items()},
            "profiles": SHIPPED,
            "right": RIGHT,
        },
        crumbs=(Step(_("Extracts"), "/extracts"), Step(ground.title, f"/studies/{segment(ground.id)}")),
        same=_same(ground, wanted),
        css=CSS,
        wide=True,
        status=status,
    )


def _same(ground: Ground, wanted: Wanted) -> Same:
    sensitive = [name for name, right in wanted.rights.items() if right == "sensitive"]
    said = "extracts = space.study({}).extract({}, profile={}, workspace={}, k={}, sensitive={})"
    least = wanted.k or ground.min_cell
    return Same(
        in_python(said, ground.title, wanted.sql, wanted.profile, wanted.workspace, least, sensitive),
        in_shell(
            "xinglin extract ask --study {} --sql @cohort.sql --profile {} --workspace {}"
            + " --sensitive {}" * len(sensitive),
            ground.title, wanted.profile, wanted.workspace, *sensitive,
        ),
    )  # fmt: skip


def _followed(visit: Visit, shown: HandedShown) -> dict[str, Any]:
    owner, why = waiting_of(visit, shown)
    return {
        "shown": shown,
        "view": shown.view,
        "path": "/extracts",
        "drawn": lanes_of(visit, shown, STATIONS),
        "owner": owner,
        "waiting": why,
        "takes": visit.words.text("Take it into the workspace"),
        "elsewhere": in_shell("xinglin extract fetch {} --workspace-folder FOLDER", shown.view.run_id),
    }


def _asked(visit: Visit, shown: HandedShown) -> Wanted | None:
    from xinglin.console.calls.researcher_extracts import wanted_of
    from xinglin.console.errors import NotThere

    try:
        return None if shown.plan is None else wanted_of(shown.plan)
    except NotThere:
        return None  # whole FHIR resources are asked for by verb


def _facts(visit: Visit, kept: Kept | None) -> list[tuple[str, str]]:
    """What came, by its manifest."""
    if kept is None:
        return []
    _, one, number = visit.words.text, kept.manifest, visit.words.number
    return [
        (_("Rows"), number(one.rows)),
        (_("Persons"), number(one.persons)),
        (_("Left out"), number(one.left_out)),
        ("k", number(one.k)),
        *((("l", number(one.l)),) if one.l else ()),
        *((("t", one.t),) if one.t else ()),
        (_("Profile"), one.profile),
        (_("Grade of GB/T 42460"), number(one.grade)),
        (_("Tables as they were"), visit.words.instant(one.as_of)),
        (_("Smallest count that leaves the workspace"), number(one.min_cell)),
    ]


ROUTES = (extracts, new, look, ask, extract, follow, take, cancel, again)
