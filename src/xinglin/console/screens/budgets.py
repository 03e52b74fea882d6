"""Budgets of privacy as fuel gauges: for a hospital what its data sets have left, for a researcher what a study has."""

from __future__ import annotations

import re
from decimal import Decimal

from xinglin.console.addresses import segment
from xinglin.console.calls.budgets import DAY_MS, DataSetBudget, Scope, StudyBudget
from xinglin.console.charts import Bar, Budget, Chart, Line, Mark, bars, gauge, lines
from xinglin.console.code_shown import in_python, in_shell
from xinglin.console.errors import BadField, NotThere
from xinglin.console.frame import Done, Nav, Page, Same, Step, act, screen
from xinglin.console.listing import Column, Empty, listing
from xinglin.console.people.service import FRESH_S
from xinglin.console.visit import Form, Visit
from xinglin.words import N_

HOSPITAL, RESEARCHER = ("hospital",), ("researcher",)
NAV = (
    Nav(roles=HOSPITAL, path="/budgets", label=N_("Budgets"), order=65),
    Nav(roles=RESEARCHER, path="/study-budgets", label=N_("Budgets"), order=60),
)
CSS = ("screens/charts.css", "screens/hospital.css")
AHEAD_DAYS = 30
"""So many days ahead a gauge's forecast looks, at the pace of the last thirty."""
UNITS = 10**12
_DECIMAL = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")
TOP = 8


@screen("/budgets", roles=HOSPITAL)
def budgets(visit: Visit) -> Page:
    """Every published data set's budget."""
    found = visit.calls.budgets.every()
    return Page(
        "budgets/hospital.html",
        title=visit.words.text("Budgets of privacy"),
        values={"found": [(one, _gauge(visit, one, one.everybody)) for one in found]},
        same=Same(cli="xinglin node budget"),
        css=CSS,
        data=[{"data_set": one.data_set, "left_rho": one.everybody.left_rho, "days": one.days_left} for one in found],
    )


@screen("/budgets/{data_set:str}", roles=HOSPITAL)
def budget(visit: Visit, data_set: str) -> Page:
    """One data set: its gauge, who spent, how it went down, its history."""
    _ = visit.words.text
    found = visit.calls.budgets.of(data_set)
    rows = [
        {
            "seq": one.seq,
            "at": one.at,
            "kind": _(KINDS.get(one.kind, one.kind)),
            "study": "" if one.study == "*" else one.study,
            "rho": _rho(one.rho_units),
            "run": one.run,
        }
        for one in reversed(found.history)
    ]
    return Page(
        "budgets/data_set.html",
        title=_("Budget of “%(name)s”", name=data_set),
        values={
            "found": found,
            "gauge": _gauge(visit, found, found.everybody),
            "spenders": _spenders(visit, found),
            "burn": _burn(visit, found),
            "studies": [(one, _study_gauge(visit, one)) for one in found.studies[:TOP]],
        },
        crumbs=(Step(_("Budgets"), "/budgets"),),
        listing=listing(
            visit,
            "budget-history",
            (
                Column("seq", _("Entry"), "number"),
                Column("at", _("When"), "instant"),
                Column("kind", _("What")),
                Column("study", _("Study"), "id"),
                Column("rho", "ρ", "number"),
                Column("run", _("Run"), "id"),
            ),
            rows,
            empty=Empty(_("Nothing was set or spent yet: exact answers cost nothing, answers with noise do.")),
        ),
        same=Same(cli=in_shell("xinglin node budget --data-set {} --entries", data_set)),
        css=CSS,
    )


@act("/budgets/{data_set:str}/cap", roles=HOSPITAL, fresh_s=FRESH_S)
def cap(visit: Visit, form: Form, data_set: str) -> Done:
    """Set what may be spent of a data set, by everybody or by one study."""
    visit.calls.budgets.cap(data_set, _cap_of(form.needed("rho")), form.text("study"))
    return Done(f"/budgets/{segment(data_set)}", visit.words.text("The cap is set."))


@screen("/study-budgets", roles=RESEARCHER)
def study_budgets(visit: Visit) -> Page:
    """What each hospital says is left for each study of this account."""
    studies = visit.calls.budgets.studies(visit.query.get("study", ""))
    chosen = visit.query.get("study", "") or (studies[0][0] if studies else "")
    if chosen and chosen not in {one for one, _data_set in studies}:
        raise NotThere("There is no such study of yours.", remedy="Choose one of the list.")
    titles = {one.study: one.title for one in visit.calls.studies.page().lines}
    told = visit.calls.budgets.of(chosen) if chosen else ()
    named = {one: f"{titles.get(one) or one} · {data_set}" for one, data_set in studies}
    return Page(
        "budgets/study.html",
        title=visit.words.text("Budgets of privacy"),
        values={
            "studies": named,
            "chosen": chosen,
            "found": [(one, _told_gauge(visit, one)) for one in told],
            "least": min(told, key=lambda one: Decimal(one.left_rho), default=None),
        },
        same=Same(
            python=in_python("space.budget({}, {})", dict(studies).get(chosen, ""), chosen), cli="xinglin budget TITLE"
        ),
        css=CSS,
        data=[{"hospital": one.hospital, "left_rho": one.left_rho} for one in told],
    )


KINDS = {
    "cap": N_("a cap was set"),
    "charge": N_("an answer was paid"),
    "share": N_("paid for an earlier answer"),
    "release": N_("an answer was kept"),
    "inherit": N_("shares another's budget"),
}


def _gauge(visit: Visit, found: DataSetBudget, scope: Scope) -> Chart:
    """Everybody's gauge, with a mark where it will stand in thirty days at this pace."""
    _ = visit.words.text
    spent, reserved, cap_ = float(scope.spent_rho), float(scope.reserved_rho), float(scope.cap_rho)
    forecast, said = None, ""
    if found.days_left >= 0:
        a_day = float(scope.left_rho) / max(found.days_left, 1)
        forecast = min(cap_, spent + reserved + a_day * AHEAD_DAYS)
        if found.days_left <= AHEAD_DAYS:
            said = _("empty on %(date)s", date=visit.words.date(visit.now + found.days_left * DAY_MS))
        else:
            said = _("in %(days)s days", days=AHEAD_DAYS)
    title = _("Budget of “%(name)s”", name=found.data_set)
    return gauge(title, Budget(spent, reserved, cap_, forecast, said), unit="ρ", say=_)


def _study_gauge(visit: Visit, scope: Scope) -> Chart:
    _ = visit.words.text
    title = _("Budget of the study %(study)s", study=scope.study)
    drawn = Budget(float(scope.spent_rho), float(scope.reserved_rho), float(scope.cap_rho))
    return gauge(title, drawn, unit="ρ", say=_)


def _told_gauge(visit: Visit, one: StudyBudget) -> Chart:
    _ = visit.words.text
    title = _("Budget at %(hospital)s", hospital=one.hospital)
    return gauge(title, Budget(float(one.spent_rho), float(one.reserved_rho), float(one.cap_rho)), unit="ρ", say=_)


def _spenders(visit: Visit, found: DataSetBudget) -> Chart:
    _ = visit.words.text
    told = [Bar(one.study, float(one.spent_rho), f"{one.spent_rho} ρ") for one in found.studies[:TOP]]
    return bars(_("Studies that spent most"), told, named=_("Study"), counted=_("Spent"), say=_)


def _burn(visit: Visit, found: DataSetBudget) -> Chart:
    """What was left of the cap after each charge, by days before now."""
    _ = visit.words.text
    cap_ = float(found.everybody.cap_rho)
    paid = [one for one in found.history if one.kind == "charge"]
    points = [Mark(-(visit.now - one.at) / DAY_MS, cap_ - one.all_spent / UNITS) for one in paid]
    if points:
        first = min(points[0].x, -1.0)  # a day at least: an axis of seconds would say nothing
        points = [Mark(first, cap_), Mark(points[0].x, cap_), *points, Mark(0.0, points[-1].y)]
    drawn = (Line(_("left"), tuple(points)),) if points else ()
    return lines(_("What was left"), drawn, across=_("days from now"), counted="ρ", zero=True, say=_)


def _cap_of(text: str) -> str:
    """A cap as plain digits; raises ``BadField``. Length and form are bounded before anything is counted with it."""
    if not _DECIMAL.fullmatch(text):
        raise BadField(
            "rho", "A cap is a decimal, 0 or more, of at most 12 digits before and after the point.",
            remedy="Write a decimal such as 0.1.",
        )  # fmt: skip
    return text


def _rho(units: int) -> str:
    return f"{Decimal(units) / UNITS:f}".rstrip("0").rstrip(".") or "0"


ROUTES = (budgets, budget, cap, study_budgets)
