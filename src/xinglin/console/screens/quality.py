"""Quality of a hospital's own data: what checks found, how that moves, what the nights noticed, counts compared."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.catalogue.quality_checks import quality_check
from xinglin.console.charts import Chart, Line, Mark, lines
from xinglin.console.code_shown import in_python, in_shell
from xinglin.console.errors import BadField
from xinglin.console.frame import Done, Nav, Page, Same, Step, act, live, screen
from xinglin.console.listing import Column, Empty, Filter, Listing, listing
from xinglin.console.people.service import FRESH_S
from xinglin.console.visit import Form, Visit
from xinglin.intake.reconcile import REASONS, TABLE_OF_KIND, WORDS_ZH, SourceCount
from xinglin.words import N_

if TYPE_CHECKING:
    from xinglin.catalogue.quality import CheckResult, Scorecard
    from xinglin.intake.reconcile import Reconciled

ROLE = ("hospital",)
NAV = (Nav(roles=ROLE, path="/quality", label=N_("Data quality"), order=102),)
CSS = ("screens/charts.css", "screens/hospital.css")
SEVERITIES = {"error": N_("error"), "warning": N_("warning"), "notice": N_("notice")}
STATES = {"failed": N_("failed"), "passed": N_("passed"), "nothing": N_("nothing to check")}
ALARMS = {
    "missing": N_("records missing"),
    "surplus": N_("records too many"),
    "new_code": N_("new local code"),
    "new_unit": N_("new unit"),
    "frequency": N_("frequencies moved"),
    "volume": N_("volume moved"),
    "empty_column": N_("column became empty"),
    "silent": N_("source fell silent"),
    "check_failed": N_("check began to fail"),
}
SECTIONS = (
    (N_("Checks"), "/quality"),
    (N_("Drift and alarms"), "/quality/drift"),
    (N_("Counts compared"), "/quality/reconcile"),
)
_KIND_WORDS = {
    "completeness": N_("completeness"),
    "validity": N_("validity"),
    "plausibility": N_("plausibility"),
    "uniqueness": N_("uniqueness"),
    "integrity": N_("integrity"),
    "timeliness": N_("timeliness"),
}
_COUNTED = {
    "admission": N_("admissions"),
    "discharge": N_("discharges"),
    "visit": N_("visits"),
    "diagnosis": N_("diagnoses"),
    "result": N_("results"),
    "report": N_("reports"),
    "order": N_("orders"),
    "operation": N_("operations"),
    "study": N_("imaging studies"),
    "patient": N_("patients"),
}


@screen("/quality", roles=ROLE)
def checks(visit: Visit) -> Page:
    """The newest kept run, how runs moved, and a run that can be started and stopped."""
    _ = visit.words.text
    work = visit.calls.quality.work()  # first: a run that ends meanwhile shows as going on, and never as kept nowhere
    runs: tuple[Scorecard, ...] = visit.calls.quality.runs()
    card = runs[-1] if runs else None
    return Page(
        "quality/checks.html",
        title=_("Data quality"),
        values={
            "sections": _sections(visit),
            "card": card,
            "stats": _stats(visit, card) if card else [],
            "trend": _trend(visit, runs) if len(runs) > 1 else None,
            "work": work,
            "tables": {one: one for one in visit.calls.quality.tables()},
        },
        listing=_checks(visit, card),
        same=Same(
            python="from xinglin.lake.quality import checked\ncard = checked(lake, at)\ncard.failed()",
            cli="xinglin quality run\nxinglin quality show --all",
        ),
        css=CSS,
    )


@act("/quality/run", roles=ROLE)
def run(visit: Visit, form: Form) -> Done:
    """Start the checks of all tables, or of one."""
    visit.calls.quality.start_checks(form.text("table"))
    return Done("/quality")


@act("/quality/stop", roles=ROLE)
def stop(visit: Visit, form: Form) -> Done:
    """Stop the checks that go on."""
    visit.calls.quality.stop()
    return Done("/quality")


@live("/quality/live", roles=ROLE, every_s=0.5)
def follow(visit: Visit) -> Page:
    """The work as it goes on."""
    work = visit.calls.quality.work()
    return Page("quality/work.html", values={"work": work}, fragment=True, final=not work.running)


@screen("/quality/check/{check:str}", roles=ROLE)
def one_check(visit: Visit, check: str) -> Page:
    """One check: what it asks, how it moved, and, when asked for, rows that fail it."""
    _ = visit.words.text
    asked = visit.calls.quality.check(check)
    runs: tuple[Scorecard, ...] = visit.calls.quality.runs()
    found = [(card.at, one) for card in runs for one in card.results if one.check == check]
    shown = visit.query.get("rows", "") == "shown"
    rows = [msgspec.to_builtins(one) for one in visit.calls.quality.failing(check)] if shown else []
    return Page(
        "quality/check.html",
        title=asked.words_zh if visit.words.language == "zh" else asked.words,
        values={
            "check": asked,
            "severity": _(SEVERITIES[asked.severity]),
            "kind": _(_KIND_WORDS[asked.kind]),
            "newest": found[-1] if found else None,
            "states": {key: _(said) for key, said in STATES.items()},
            "trend": _of_check(visit, found) if len(found) > 1 else None,
            "shown": shown,
        },
        crumbs=(Step(_("Data quality"), "/quality"),),
        listing=_failing(visit, rows) if shown else None,
        same=Same(
            python=in_python("from xinglin.lake.quality import failing_rows\nfailing_rows(lake, {})", asked.id),
            cli=in_shell("xinglin quality drill {}", asked.id),
        ),
        css=CSS,
    )


@screen("/quality/drift", roles=ROLE)
def drift(visit: Visit) -> Page:
    """What the nights noticed, and rows a day of one feed's table."""
    _ = visit.words.text
    work = visit.calls.quality.work()  # before what it writes, as above
    days = visit.calls.quality.days()
    series = sorted({f"{one.source} {one.table}" for one in days})
    chosen = visit.query.get("about", "")
    chosen = chosen if chosen in series else (series[0] if series else "")
    return Page(
        "quality/drift.html",
        title=_("Drift and alarms"),
        values={
            "sections": _sections(visit),
            "series": {one: one for one in series},
            "chosen": chosen,
            "trend": _volume(visit, chosen, [one for one in days if f"{one.source} {one.table}" == chosen]),
            "work": work,
            "sources": {one: one for one in visit.calls.quality.sources()},
        },
        crumbs=(Step(_("Data quality"), "/quality"),),
        listing=_alarms(visit),
        same=Same(
            python='from xinglin.node.intake.quality import drifted\ndrifted(lake, "2024-03-01", at)',
            cli="xinglin quality drift 2024-03-01\nxinglin quality alarms",
        ),
        css=CSS,
    )


@act("/quality/drift", roles=ROLE, fresh_s=FRESH_S)
def run_drift(visit: Visit, form: Form) -> Done:
    """Sum up a day and compare it with those before: later days are compared with it for ever."""
    visit.calls.quality.start_drift(_day(form), form.text("source"))
    return Done("/quality/drift")


@screen("/quality/reconcile", roles=ROLE)
def reconcile(visit: Visit) -> Page:
    """What a source counts against what is here."""
    _, zh = visit.words.text, visit.words.language == "zh"
    counted = visit.calls.quality.counted()
    return Page(
        "quality/reconcile.html",
        title=_("Counts compared"),
        values={
            "sections": _sections(visit),
            "sources": {one: one for one in visit.calls.quality.sources()},
            "kinds": {key: (WORDS_ZH[key] if zh else _(_COUNTED[key])) for key in TABLE_OF_KIND},
            "missing": counted[0].missing if counted else (),
            "reasons": {key: said[zh] for key, said in REASONS.items()},
        },
        crumbs=(Step(_("Data quality"), "/quality"),),
        listing=_counts(visit, counted),
        same=Same(
            python="from xinglin.node.intake.quality import reconciled\nreconciled(folder, counts, keys)",
            cli="xinglin quality reconcile --source NAME --day 2024-03-01 --count 1203",
        ),
        css=CSS,
    )


@act("/quality/reconcile", roles=ROLE)
def run_reconcile(visit: Visit, form: Form) -> Done:
    """Compare one count."""
    kind, keys = form.text("kind", "admission"), form.text("keys").splitlines()
    if kind not in TABLE_OF_KIND:
        raise BadField("kind", "Nothing is counted under this word.", remedy="Choose one of the list.")
    named = tuple(one.strip() for one in keys if one.strip())
    count = form.whole("count") or len(named)
    if not 0 <= count <= 1_000_000_000:
        raise BadField("count", "A count is a number from 0 on.", remedy="Write digits.")
    asked = SourceCount(form.needed("source"), _day(form), kind, count, named)
    done = visit.calls.quality.reconcile(asked)
    return Done("/quality/reconcile", done.words_zh() if visit.words.language == "zh" else done.words(named=False))


def _day(form: Form) -> str:
    text = form.needed("day")
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise BadField("day", f"{text[:20]!r} is no day.", remedy="Write it as 2024-03-01.") from error


def _sections(visit: Visit) -> list[tuple[str, str]]:
    return [(visit.words.text(said), path) for said, path in SECTIONS]


def _sorted(card: Scorecard) -> list[CheckResult]:
    """What failed first, the worst before the others."""
    failed = card.failed()
    return [*failed, *(one for one in card.results if one.state != "failed")]


def _row(visit: Visit, one: CheckResult) -> dict[str, Any]:
    _ = visit.words.text
    check = quality_check(one.check)
    means = (check.words_zh if visit.words.language == "zh" else check.words) if check is not None else ""
    return {
        "check": one.check,
        "severity": one.severity,
        "severity_words": _(SEVERITIES[one.severity]),
        "kind": one.kind,
        "table": one.table,
        "means": means,
        "failing": one.failing,
        "rows": one.rows,
        "share": one.share if one.rows else None,
        "state": one.state,
        "state_words": _(STATES[one.state]),
    }


def _checks(visit: Visit, card: Scorecard | None) -> Listing:
    _ = visit.words.text
    rows = [_row(visit, one) for one in _sorted(card)] if card else []
    empty = Empty(_("Nothing was checked yet. Run the checks above: they read the tables and change nothing."))
    return listing(
        visit,
        "quality",
        (
            Column("severity_words", _("Severity")),
            Column("means", _("What a failing row is"), link="/quality/check/{check}"),
            Column("failing", _("Failing rows"), "number"),
            Column("rows", _("Rows"), "number"),
            Column("share", _("Share"), "percent"),
            Column("state_words", _("State")),
            Column("check", _("Check"), "id"),
        ),
        rows,
        empty=empty,
        filters=(
            Filter("state", _("State"), {key: _(said) for key, said in STATES.items()}),
            Filter("severity", _("Severity"), {key: _(said) for key, said in SEVERITIES.items()}),
            Filter("kind", _("Kind"), {key: _(said) for key, said in _KIND_WORDS.items()}),
            Filter("table", _("Table"), {one: one for one in sorted({row["table"] for row in rows})}),
        ),
    )


def _alarms(visit: Visit) -> Listing:
    _, zh = visit.words.text, visit.words.language == "zh"
    rows = [
        {
            "raised": one.at,
            "kind": one.alarm.kind,
            "kind_words": _(ALARMS[one.alarm.kind]),
            "source": one.alarm.source,
            "day": one.alarm.day,
            "about": one.alarm.about,
            "words": one.alarm.words_zh if zh else one.alarm.words,
        }
        for one in visit.calls.quality.alarms()
    ]
    return listing(
        visit,
        "alarms",
        (
            Column("raised", _("Raised"), "instant"),
            Column("kind_words", _("Kind")),
            Column("source", _("Feed"), "id"),
            Column("day", _("Day"), "id"),
            Column("words", _("What was noticed")),
        ),
        rows,
        empty=Empty(_("No alarm was raised. The nights look by themselves; a day can be looked at above.")),
        filters=(
            Filter("kind", _("Kind"), {key: _(said) for key, said in ALARMS.items()}),
            Filter("source", _("Feed"), {one: one for one in sorted({row["source"] for row in rows if row["source"]})}),
        ),
    )


def _counts(visit: Visit, counted: tuple[Reconciled, ...]) -> Listing:
    _, zh = visit.words.text, visit.words.language == "zh"
    rows = [
        {
            "source": one.theirs.source,
            "day": one.theirs.day,
            "kind": _(_COUNTED[one.theirs.kind]),
            "theirs": one.theirs.count,
            "here": one.here.count,
            "agrees": _("agrees") if one.agrees else _("explained") if one.explained else _("does not agree"),
            "words": one.words_zh() if zh else one.words(named=False),
        }
        for one in counted
    ]
    return listing(
        visit,
        "counts",
        (
            Column("source", _("Feed"), "id"),
            Column("day", _("Day"), "id"),
            Column("kind", _("What was counted")),
            Column("theirs", _("At the source"), "number"),
            Column("here", _("Here"), "number"),
            Column("agrees", _("Outcome")),
            Column("words", _("In words")),
        ),
        rows,
        empty=Empty(_("Nothing was compared since the console started. Give a feed's count of a day above.")),
    )


def _failing(visit: Visit, rows: list[dict[str, Any]]) -> Listing:
    _ = visit.words.text
    columns = (
        Column("id", _("Fact"), "id"),
        Column("patient", _("Person"), "id"),
        Column("value", _("Value"), "id"),
        Column("source", _("Feed"), "id"),
        Column("place", _("Place"), "id"),
        Column("message", _("Message"), "id"),
    )
    return listing(visit, "failing", columns, rows, empty=Empty(_("No row fails this check now.")), search=False)


def _stats(visit: Visit, card: Scorecard) -> list[tuple[str, str, str, str]]:
    _, words = visit.words.text, visit.words
    failed = {key: len(card.failed(key)) for key in ("error", "warning", "notice")}  # type: ignore[arg-type]
    passed = sum(one.state == "passed" for one in card.results)
    return [
        (_("Errors"), words.number(failed["error"]), _("checks that failed"), "bad" if failed["error"] else "good"),
        (
            _("Warnings"),
            words.number(failed["warning"]),
            _("checks that failed"),
            "warn" if failed["warning"] else "good",
        ),
        (_("Notices"), words.number(failed["notice"]), _("checks that failed"), ""),
        (_("Passed"), words.number(passed), _("of %(n)s checks", n=words.number(len(card.results))), ""),
    ]


def _trend(visit: Visit, runs: tuple[Scorecard, ...]) -> Chart:
    """Failed checks by severity, run by run."""
    _ = visit.words.text
    counts = [{key: len(card.failed(key)) for key in SEVERITIES} for card in runs]  # type: ignore[arg-type]
    series = [
        Line(_(said), tuple(Mark(float(number), float(found[key])) for number, found in enumerate(counts, 1)))
        for key, said in SEVERITIES.items()
    ]
    told = _(
        "Failed checks of the newest run: %(error)s errors, %(warning)s warnings, %(notice)s notices.", **counts[-1]
    )
    drawn = lines(
        _("Failed checks, run by run"), series, across=_("Run"), counted=_("Failed checks"), description=told,
        zero=True, whole=True, say=_,
    )  # fmt: skip
    rows = tuple(
        (visit.words.instant(card.at), *(visit.words.number(found[key]) for key in SEVERITIES))
        for card, found in zip(runs, counts, strict=True)
    )
    return msgspec.structs.replace(drawn, columns=(_("When"), *(_(said) for said in SEVERITIES.values())), rows=rows)


def _of_check(visit: Visit, found: list[tuple[int, CheckResult]]) -> Chart:
    _, words = visit.words.text, visit.words
    points = tuple(Mark(float(number), 100 * one.share) for number, (_at, one) in enumerate(found, 1))
    told = _("Newest share of failing rows: %(share)s.", share=words.percent(found[-1][1].share))
    drawn = lines(
        _("Share of failing rows, run by run"), [Line(_("Share"), points)], across=_("Run"), counted="%",
        description=told, zero=True, whole=True, say=_,
    )  # fmt: skip
    rows = tuple(
        (words.instant(at), words.number(one.failing), words.number(one.rows), words.percent(one.share))
        for at, one in found
    )
    heads = (_("When"), _("Failing rows"), _("Rows"), _("Share"))
    return msgspec.structs.replace(drawn, columns=heads, rows=rows)


def _volume(visit: Visit, name: str, days: list[Any]) -> Chart | None:
    """Rows a day of one feed's table; None where no day was summed up, or one alone."""
    _, words = visit.words.text, visit.words
    if len(days) < 2:
        return None
    points = tuple(Mark(float(number), float(one.rows)) for number, one in enumerate(days, 1))
    told = _(
        "From %(first)s to %(last)s; the newest day has %(n)s rows.",
        first=days[0].day, last=days[-1].day, n=words.number(days[-1].rows),
    )  # fmt: skip
    drawn = lines(
        _("Rows a day: %(name)s", name=name), [Line(name, points)], across=_("Day"), counted=_("Rows"),
        description=told, zero=True, whole=True, say=_,
    )  # fmt: skip
    rows = tuple((one.day, words.number(one.rows), words.number(len(one.codes))) for one in days)
    return msgspec.structs.replace(drawn, columns=(_("Day"), _("Rows"), _("Different local codes")), rows=rows)


ROUTES = (checks, run, stop, follow, one_check, drift, run_drift, reconcile, run_reconcile)
