"""The hospital's home: what to mend next, how everything stands, a self-test; and what it publishes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xinglin.console.addresses import segment
from xinglin.console.calls.hospital_home import CERTIFICATE_DAYS, CLOCK_OFF_MS, SELF_TEST_CHECKS, STALE_S, Standing
from xinglin.console.charts import Bar, bars
from xinglin.console.code_shown import in_shell
from xinglin.console.errors import BadField
from xinglin.console.frame import Done, Nav, Page, Same, Step, act, live, screen
from xinglin.console.listing import Column, Empty, listing
from xinglin.console.visit import Form, Visit
from xinglin.kernel.errors import XinglinError
from xinglin.words import N_

if TYPE_CHECKING:
    from xinglin.catalogue.confirming import SettledGrade

ROLE = ("hospital",)
NAV = (
    Nav(roles=ROLE, path="/hospital", label=N_("Hospital"), order=5),
    Nav(roles=ROLE, path="/publish", label=N_("Publish"), order=40),
)
CSS = ("screens/charts.css", "screens/hospital.css")
GRADES = ("L1", "L2", "L3")


@screen("/hospital", roles=ROLE)
def home(visit: Visit) -> Page:
    """How the hospital stands; what to mend comes first."""
    standing = visit.calls.home.standing(len(_waiting(visit)))
    return Page(
        "hospital/home.html",
        title=visit.words.text("Hospital"),
        values={
            "standing": standing,
            "fixes": visit.calls.home.fixes(standing),
            "stats": _stats(visit, standing),
            "test": visit.calls.home.test(),
            "checks": SELF_TEST_CHECKS,
        },
        same=Same(cli="xinglin node status\nxinglin intake accounts\nxinglin doctor"),
        css=CSS,
        data={"connected": standing.line.connected, "waiting": standing.waiting, "held": standing.intake.held},
    )


@screen("/hospital/mapped", roles=ROLE)
def mapped(visit: Visit) -> Page:
    """How much of what was coded has a standard code; counted in the lake, so that it comes after the page."""
    found = visit.calls.mapping.mapped()
    _ = visit.words.text
    shares = sorted(found.shares, key=lambda one: one.mapped / one.coded)
    told = [
        Bar(one.column, one.mapped / one.coded * 100, visit.words.percent(one.mapped / one.coded)) for one in shares
    ]
    drawn = bars(_("Rows with a standard code"), told, named=_("Column"), counted=_("Mapped"), say=_)
    values = {"found": found, "chart": drawn}
    return Page("hospital/mapped.html", title=_("Mapping quality"), values=values, css=CSS, fragment=_is_part(visit))


@screen("/hospital/quarantine", roles=ROLE)
def quarantine(visit: Visit) -> Page:
    """What is held in quarantine, by reason; never what a record says."""
    _ = visit.words.text
    intake = visit.calls.home.intake()
    rows = [{"code": code, "words": visit.words.reason(code, ""), "records": n} for code, n in intake.held.items()]
    rows.sort(key=lambda row: -row["records"])
    found = listing(
        visit,
        "quarantine",
        (
            Column("code", _("Reason"), "id"),
            Column("words", _("What it means")),
            Column("records", _("Records"), "number"),
        ),
        rows,
        empty=Empty(_("Nothing is in quarantine."), _("Back to the hospital"), "/hospital"),
    )
    return Page(
        "hospital/quarantine.html",
        title=_("Quarantine"),
        values={"intake": intake},
        crumbs=(Step(_("Hospital"), "/hospital"),),
        listing=found,
        same=Same(cli="xinglin intake held\nxinglin intake replay"),
        css=CSS,
    )


@screen("/hospital/self-test", roles=ROLE)
def self_test(visit: Visit) -> Page:
    """The newest self-test; it can be run again."""
    return Page(
        "hospital/self_test.html",
        title=visit.words.text("Self-test"),
        values={"test": visit.calls.home.test(), "checks": SELF_TEST_CHECKS},
        crumbs=(Step(visit.words.text("Hospital"), "/hospital"),),
        same=Same(cli="xinglin doctor"),
        css=CSS,
    )


@act("/hospital/self-test", roles=ROLE)
def run_test(visit: Visit, form: Form) -> Done:
    """Start a self-test."""
    visit.calls.home.start_test()
    return Done("/hospital/self-test")


@live("/hospital/self-test/live", roles=ROLE, every_s=0.5)
def follow_test(visit: Visit) -> Page:
    """The self-test as it goes on."""
    test = visit.calls.home.test()
    values = {"test": test, "checks": SELF_TEST_CHECKS}
    return Page("hospital/findings.html", values=values, fragment=True, final=not test.running)


@screen("/publish", roles=ROLE)
def publish_list(visit: Visit) -> Page:
    """What the hospital publishes: descriptions of tables, never a row."""
    _ = visit.words.text
    rows = [
        {"name": one.name, "title": one.title, "tables": len(one.tables), "columns": _columns(one)}
        for one in visit.calls.home.published()
    ]
    found = listing(
        visit,
        "published",
        (
            Column("name", _("Data set"), link="/publish/{name}"),
            Column("title", _("Title")),
            Column("tables", _("Tables"), "number"),
            Column("columns", _("Columns"), "number"),
        ),
        rows,
        empty=Empty(_("Nothing is published yet. Name a data set below: its tables are described from the lake.")),
    )
    same = Same(cli="xinglin node tables\nxinglin node publish description.json")
    return Page("hospital/publish.html", title=_("Publish"), listing=found, same=same, css=CSS)


@act("/publish", roles=ROLE)
def publish_new(visit: Visit, form: Form) -> Done:
    """Go to the page of a data set that is to be published."""
    name = form.needed("name")
    if len(name) > 64 or not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
        raise BadField("name", "A data set's name is letters, digits, - and _.", remedy="Choose a short name.")
    return Done(f"/publish/{segment(name)}?title={_quoted(form.text('title')[:200])}")


@screen("/publish/{data_set:str}", roles=ROLE)
def publish_one(visit: Visit, data_set: str) -> Page:
    """A data set's columns with the grades that are suggested and those that hold."""
    _ = visit.words.text
    home = visit.calls.home
    described = home.described(data_set, visit.query.get("title", "")[:200])
    settled = home.grades(described)
    public = any(one.name == data_set for one in home.published())
    return Page(
        "hospital/grades.html",
        title=described.title or data_set,
        values={
            "described": described,
            "tables": _by_table(settled),
            "open": [one for one in settled if not one.confirmed],
            "public": public,
            "grades": GRADES,
            "ranges": _ranges(described),
        },
        crumbs=(Step(_("Publish"), "/publish"),),
        same=Same(cli=in_shell("xinglin catalogue grades {0}\nxinglin catalogue grades {0} --all --publish", data_set)),
        css=CSS,
        wide=True,
    )


@act("/publish/{data_set:str}/grades", roles=ROLE)
def confirm_grades(visit: Visit, form: Form, data_set: str) -> Done:
    """Confirm the grades of the chosen columns, as suggested or as given."""
    described = visit.calls.home.described(data_set, form.text("title"))
    asked = {}
    for key in form.many("column"):
        table, _dot, column = key.partition(".")
        grade = form.text(f"grade-{key}")
        if grade and grade not in GRADES:
            raise BadField("grade", "A grade is L1, L2 or L3.")
        asked[table, column] = grade
    if not asked:
        raise BadField("column", "No column was chosen.", remedy="Tick the columns whose grade you confirm.")
    visit.calls.home.confirm_grades(described, asked, visit.by, form.text("reason"))
    said = visit.words.text("Grades confirmed: %(n)s. They hold from the next publication on.", n=len(asked))
    return Done(f"/publish/{segment(data_set)}?title={_quoted(form.text('title'))}", said)


@act("/publish/{data_set:str}/publish", roles=ROLE)
def publish_it(visit: Visit, form: Form, data_set: str) -> Done:
    """Publish the data set with the grades that hold."""
    described = visit.calls.home.described(data_set, form.text("title"))
    visit.calls.home.publish(described, visit.calls.home.grades(described))
    said = visit.words.text("Published: “%(name)s” stands in the catalogue of the space.", name=data_set)
    return Done(f"/publish/{segment(data_set)}", said)


def _stats(visit: Visit, standing: Standing) -> list[tuple[str, str, str, str]]:
    """Tiles: label, value, note, and how well it is."""
    _, words, line = visit.words.text, visit.words, standing.line
    days, age_s = standing.certificate_days, line.trusted_age_ms // 1000
    up = line.runs and line.connected
    ends = words.date(standing.certificate_ends) if standing.certificate_ends else _("of a public authority")
    left = min((one.share for one in standing.budgets), default=None)
    return [
        (_("Line to the hub"), _("up") if up else _("down"), line.hub if up else line.trouble, "good" if up else "bad"),
        (
            _("Newest checkpoint"),
            _("%(s)s s ago", s=age_s) if line.runs else "–",
            _("%(n)s entries in the log", n=words.number(line.log_size)),
            "good" if line.runs and age_s <= STALE_S else "bad",
        ),
        (
            _("Clock"),
            _("%(ms)s ms off", ms=line.clock_off_ms) if line.runs else "–",
            _("against the hub's"),
            "good" if abs(line.clock_off_ms) <= CLOCK_OFF_MS else "bad",
        ),
        (
            _("Certificate"),
            _("%(days)s days", days=days) if standing.certificate_ends else _("valid"),
            ends,
            "good" if days >= CERTIFICATE_DAYS else "warn",
        ),
        (
            _("Waiting for you"),
            words.number(standing.waiting),
            _("requests, offers, reviews"),
            "warn" if standing.waiting else "good",
        ),
        (
            _("Quarantine"),
            words.number(standing.intake.quarantined),
            _("records"),
            "warn" if standing.intake.quarantined else "good",
        ),
        (_("Least budget left"), words.percent(left), _("of privacy, by data set"), _budget_look(left)),
        (_("Runs under way"), words.number(len(line.open_runs)), _("at this hospital"), ""),
    ]


def _budget_look(left: float | None) -> str:
    if left is None:
        return ""
    return "good" if left >= 0.25 else "warn" if left >= 0.1 else "bad"


def _waiting(visit: Visit) -> tuple[Any, ...]:
    try:
        return tuple(visit.calls.inbox())
    except (XinglinError, OSError):
        return ()  # the node is away: that is told by its own tile


def _is_part(visit: Visit) -> bool:
    return visit.headers.get("hx-request", "") == "true" and not visit.headers.get("hx-boosted")


def _columns(described: Any) -> int:
    return sum(len(table.columns) for table in described.tables)


def _ranges(described: Any) -> dict[str, str]:
    """What is published of each column beside its name: levels or a range."""
    found = {}
    for table in described.tables:
        for column in table.columns:
            if column.levels:
                said = ", ".join(map(str, column.levels[:6])) + (" …" if len(column.levels) > 6 else "")
            elif column.low is not None:
                said = f"{column.low:g} – {column.high:g} {column.unit or ''}".strip()
            else:
                said = ""
            found[f"{table.name}.{column.name}"] = said
    return found


def _by_table(settled: tuple[SettledGrade, ...]) -> dict[str, list[SettledGrade]]:
    found: dict[str, list[SettledGrade]] = {}
    for one in settled:
        found.setdefault(one.table, []).append(one)
    return found


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text[:200], safe="")


ROUTES = (
    home,
    mapped,
    quarantine,
    self_test,
    run_test,
    follow_test,
    publish_list,
    publish_new,
    publish_one,
    confirm_grades,
    publish_it,
)
