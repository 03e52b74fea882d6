"""Synthetic sets: rows that nobody lived, for a stated cost in privacy; asked for, followed, judged and kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xinglin.console.addresses import segment
from xinglin.console.calls.handed_rows import reasons_of
from xinglin.console.calls.researcher_synthetic import SetLooked, TakenSet, WantedSet, wanted_set_of
from xinglin.console.charts import Bar, Budget, Chart, bars, gauge
from xinglin.console.code_shown import in_python, in_shell
from xinglin.console.errors import NotThere
from xinglin.console.frame import Done, File, Head, Nav, Page, Rail, Same, Step, act, live, screen
from xinglin.console.handed_lanes import lanes_of, waiting_of
from xinglin.console.listing import EXPORT_ROWS, Empty, csv_of
from xinglin.console.screens.extracts import begun, choose, handed_listing, study_step
from xinglin.console.visit import Form, Visit
from xinglin.kernel.errors import XinglinError
from xinglin.stores.looking_tables import CELLS
from xinglin.wire.synthetic import TableTold
from xinglin.words import N_

if TYPE_CHECKING:
    from xinglin.console.calls.handed_rows import Ground, HandedShown
    from xinglin.sdk.budgets import Budget as Told

RESEARCHER = ("researcher",)
NAV = (Nav(roles=RESEARCHER, path="/synthetic", label=N_("Synthetic sets"), order=121),)
CSS = ("screens/leaves.css", "screens/workbench.css", "screens/charts.css", "screens/runs.css")
STATIONS = (N_("asked"), N_("measured"), N_("sealed"), N_("taken"))
METHODS = {"aim": N_("aim, the better one"), "mst": N_("mst, the quicker one")}
UNITS = 10**12
ROWS_SHOWN, BARS_SHOWN = 8, 24


@screen("/synthetic", roles=RESEARCHER)
def sets(visit: Visit) -> Page:
    """Every synthetic set that this seat asked for or receives."""
    _ = visit.words.text
    empty = Empty(_("No synthetic set was asked for yet."), _("Ask for a synthetic set"), "/synthetic/new")
    found = handed_listing(visit, "synthetic", visit.calls.synthetic.every(), "/synthetic", empty)
    same = Same("from xinglin.sdk.synthetic import synthetic_views\n\nprint(synthetic_views(space))",
                "xinglin synthetic list")  # fmt: skip
    lead = _("Rows that nobody lived, for a stated cost in privacy: to write and try code on, and to look for what to "
             "ask. Confirm what you find on the data before anybody acts on it.")  # fmt: skip
    values = {"found": found, "title": _("Synthetic sets"), "lead": lead,
              "more": ("/synthetic/new", _("Ask for a synthetic set"))}  # fmt: skip
    return Page("handed/list.html", title=_("Synthetic sets"), values=values, listing=found, same=same)


@screen("/synthetic/new", roles=RESEARCHER)
def new(visit: Visit) -> Page:
    """A set to ask for: of the study named, or of an earlier request."""
    run, calls = visit.query.get("run", ""), visit.calls.synthetic
    if run:
        wanted = calls.wanted(run)
        return _asking(visit, calls.ground(wanted.study), calls.look(visit.words, wanted))
    study = visit.query.get("study", "")
    if not study:
        grounds = calls.grounds()
        if len(grounds) != 1:
            return choose(visit, grounds, visit.words.text("Ask for a synthetic set"), "/synthetic", _CHOOSE, _NONE)
        study = grounds[0].id
    ground = calls.ground(study)
    wanted = WantedSet(study, begun(ground))
    return _asking(visit, ground, calls.look(visit.words, wanted) if ground.permitted else SetLooked(wanted))


@act("/synthetic/look", roles=RESEARCHER)
def look(visit: Visit, form: Form) -> Page:
    """What the set of the form would cost and hold; nothing is sent."""
    calls, wanted = visit.calls.synthetic, _wanted(form)
    return _asking(visit, calls.ground(wanted.study), calls.look(visit.words, wanted))


@act("/synthetic/ask", roles=RESEARCHER)
def ask(visit: Visit, form: Form) -> Done | Page:
    """Ask each hospital; it is paid there before a row is read."""
    calls, wanted = visit.calls.synthetic, _wanted(form)
    ground = calls.ground(wanted.study)
    try:
        started = calls.start(wanted)
    except XinglinError as error:
        looked = calls.look(visit.words, wanted)
        return _asking(visit, ground, SetLooked(wanted, looked.columns, reasons_of(error)), status=409)
    return Done(
        f"/synthetic/{segment(started)}", visit.words.text("Asked. It goes on by itself: paid, measured, sealed.")
    )


@screen("/synthetic/{run:str}", roles=RESEARCHER)
def one(visit: Visit, run: str) -> Page:
    """One request: where each hospital is; of a set that was taken, what it is worth and what it cost."""
    _ = visit.words.text
    calls = visit.calls.synthetic
    shown, found = calls.one(run), calls.found(run)
    owner, _why = waiting_of(visit, shown)
    line = shown.line
    return Page(
        "synthetic/set.html",
        title=_("Synthetic set of %(who)s", who=line.hospital),
        values={
            **_followed(visit, shown),
            "found": found,
            "wanted": _asked(shown),
            "cost": () if found is None else _cost(visit, found),
            "tables": () if found is None else _tables(visit, found),
            "files": () if found is None else _files(found),
        },
        crumbs=(Step(_("Synthetic sets"), "/synthetic"), *study_step(line)),
        head=Head("object.synthetic", run, f"state.{line.view.state}", owner, line.view.changed),
        rail=Rail(run, shown.entries, "" if shown.plan is None else shown.plan.digest()),
        same=Same(
            in_python("made = space.synthetic_set({}).result()\nprint(made, made.report)\nframe = made.pandas()", run),
            in_shell("xinglin synthetic fetch {} --to FOLDER", run),
        ),
        css=(*CSS, "screens/results.css"),
        data={"run": run, "state": line.view.state} if found is None else found.told,
    )  # fmt: skip


@screen("/synthetic/{run:str}/files/{name:str}", roles=RESEARCHER)
def file(visit: Visit, run: str, name: str) -> File:
    """A file of a set that was taken and is sealed to this account; a table also as CSV."""
    found = visit.calls.synthetic.found(run)
    if found is None or found.rows is None or name not in {path for path, _size in _files(found)}:
        raise NotThere("The set has no such file.", remedy="Choose one of its page.")
    table = name.removesuffix(".csv")
    if name != table:
        rows = found.rows.rows(table, EXPORT_ROWS.value)
        return File(csv_of(found.rows.columns(table), rows), f"{run}-{name}", "text/csv; charset=utf-8")
    return File(found.rows.file(name), f"{run}-{name}")


@live("/synthetic/{run:str}/live", roles=RESEARCHER, every_s=2.0)
def follow(visit: Visit, run: str) -> Page:
    """The lanes, every other second."""
    shown = visit.calls.synthetic.one(run)
    return Page("handed/lanes.html", values=_followed(visit, shown), final=shown.over)


@act("/synthetic/{run:str}/take", roles=RESEARCHER)
def take(visit: Visit, form: Form, run: str) -> Done:
    """Fetch it, verify it, keep it."""
    visit.calls.synthetic.take(run)
    return Done(f"/synthetic/{segment(run)}", visit.words.text("Taken and verified. Its report is below."))


@act("/synthetic/{run:str}/cancel", roles=RESEARCHER)
def cancel(visit: Visit, form: Form, run: str) -> Done:
    """No longer wanted."""
    visit.calls.synthetic.cancel(run)
    return Done(f"/synthetic/{segment(run)}", visit.words.text("Cancelled. What was paid for it is spent."))


@act("/synthetic/{run:str}/again", roles=RESEARCHER)
def again(visit: Visit, form: Form, run: str) -> Done:
    """Have it handed over once more."""
    visit.calls.synthetic.again(run)
    return Done(f"/synthetic/{segment(run)}", visit.words.text("The hospital was asked to hand it over once more."))


_CHOOSE = N_("Under which study do you ask for a synthetic set?")
_NONE = N_("No study of yours in force permits synthetic sets. An application can ask for the operation.")


def _wanted(form: Form) -> WantedSet:
    return WantedSet(
        form.needed("study"), form.text("sql"), form.many("column"), form.many("hospital"), form.whole("rows"),
        form.text("epsilon"), form.text("method") or "aim", form.whole("rows_per_person", 1), form.text("recipient"),
        form.ticked("fresh"),
    )  # fmt: skip


def _asking(visit: Visit, ground: Ground, looked: SetLooked, status: int = 200) -> Page:
    _, wanted = visit.words.text, looked.wanted
    names = tuple(column.name for column in looked.columns)
    said = "data = space.study({}).sql({})\n(made,) = space.synthetic(data, rows={}, epsilon={}, columns={})"
    python = in_python(said, ground.title, wanted.sql, wanted.rows, wanted.epsilon, wanted.columns)
    chosen = " --column {}" * len(wanted.columns)
    cli = in_shell(
        "xinglin synthetic ask --study {} --sql @rows.sql --rows {} --epsilon {}" + chosen,
        ground.title, str(wanted.rows), wanted.epsilon, *wanted.columns,
    )  # fmt: skip
    return Page(
        "synthetic/new.html",
        title=_("Ask for a synthetic set: %(study)s", study=ground.title),
        values={
            "ground": ground,
            "looked": looked,
            "wanted": wanted,
            "names": {name: name for name in names},
            "chosen": [name for name in wanted.columns if name in names] or names,
            "methods": {key: _(said) for key, said in METHODS.items()},
            "recipients": visit.calls.synthetic.recipients(ground) if ground.permitted else {},
            "gauges": [_gauge(visit, told, looked.units) for told in looked.budgets],
        },
        crumbs=(Step(_("Synthetic sets"), "/synthetic"), Step(ground.title, f"/studies/{segment(ground.id)}")),
        same=Same(python, cli),
        css=CSS,
        wide=True,
        status=status,
    )


def _gauge(visit: Visit, told: Told, units: int) -> Chart:
    """A hospital's budget towards the study, with a mark where it would stand after this."""
    _ = visit.words.text
    # What everybody together may still spend can be less than the study's own cap leaves.
    cap = min(told.cap, told.spent + told.reserved + told.left)
    after = max(0, told.left - units)
    said = _("after it, left: %(n)s ρ", n=f"{after / UNITS:.6g}")
    if units > told.left:
        said = _("more than is left")
    at = min(cap, told.spent + told.reserved + units) / UNITS
    budget = Budget(told.spent / UNITS, told.reserved / UNITS, cap / UNITS, at, said)
    return gauge(_("Budget of this study at %(who)s", who=told.name), budget, unit="ρ", say=_)


def _followed(visit: Visit, shown: HandedShown) -> dict[str, Any]:
    owner, why = waiting_of(visit, shown)
    return {
        "shown": shown,
        "view": shown.view,
        "path": "/synthetic",
        "drawn": lanes_of(visit, shown, STATIONS),
        "owner": owner,
        "waiting": why,
        "takes": visit.words.text("Take it"),
        "elsewhere": in_shell("xinglin synthetic receive {} --workspace-folder FOLDER", shown.view.run_id),
    }


def _asked(shown: HandedShown) -> WantedSet | None:
    try:
        return None if shown.plan is None else wanted_set_of(shown.plan)
    except NotThere:
        return None  # sets of several tables are asked for by verb


def _cost(visit: Visit, found: TakenSet) -> list[tuple[str, str]]:
    """What protects it, and what it cost."""
    _, made = visit.words.text, found.manifest
    unit = _("a person with at most %(n)s rows", n=made.rows_per_person) if made.rows_per_person > 1 else _("a person")
    if len(made.tables) > 1:
        unit = _("a person with all rows in all tables")
    epsilon = f"{float(made.epsilon):g}"
    paid = _("nothing more: its model was paid for before") if made.again else _("paid by the study")
    return [
        (_("Guarantee"), _("(%(e)s, %(d)s)-differential privacy of %(unit)s", e=epsilon, d=made.delta, unit=unit)),
        (_("Cost"), f"ρ = {made.rho_units / UNITS:.6g} · {paid}"),
        (_("Method"), made.method),
        (_("Left out to judge it"), _("1 person in %(n)s", n=made.held_out)),
        (_("Tables as they were"), visit.words.instant(made.as_of)),
        (_("Model"), made.model[:24] + "…" if len(made.model) > 24 else made.model),
        (_("Mark"), _("every copy names its recipient, agreement and time")),
    ]  # fmt: skip


def _tables(visit: Visit, found: TakenSet) -> list[dict[str, Any]]:
    """Of each table: how far the noise moved it, and its first rows where they are this account's."""
    _ = visit.words.text
    judged = {one.name: one for one in found.figures.tables}
    tables = []
    for table in found.manifest.tables:
        quality = judged.get(table.name, TableTold(table.name))
        measured = [*quality.alone, *quality.together]
        moved = [Bar(" × ".join(told.columns), told.distance, visit.words.percent(told.distance)) for told in measured]
        drawn = bars(
            _("How far the noise alone moves the counts, in the mean"),
            sorted(moved, key=lambda bar: -bar.value)[:BARS_SHOWN],
            counted=_("Distance"), named=_("Columns"), say=_,
        ) if moved else None  # fmt: skip
        own = found.rows
        tables.append({"name": table.name, "rows": table.rows, "total": quality.total, "measured": measured,
                       "drawn": drawn, "columns": () if own is None else own.columns(table.name),
                       "first": () if own is None else visit.calls.synthetic.first(own, table.name, ROWS_SHOWN),
                       })  # fmt: skip
    return tables


def _files(found: TakenSet) -> list[tuple[str, int]]:
    """What can be kept: each file with its size in bytes, tables also as CSV where they are not too long.

    Of a set that is sealed to a workspace, nothing.
    """
    if found.rows is None:
        return []
    listed = [(each.name, each.size_bytes) for each in found.manifest.files]
    tables = [(f"{table.name}.csv", 0) for table in found.manifest.tables if table.rows <= EXPORT_ROWS.value
              and table.rows * len(found.rows.columns(table.name)) <= CELLS.value]  # fmt: skip
    return [*listed, *tables, ("manifest.json", 0), ("proof.json", 0)]


ROUTES = (sets, new, look, ask, one, file, follow, take, cancel, again)
