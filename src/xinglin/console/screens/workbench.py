"""The query workbench: SQL over a study's views, what is asked of its rows, and what it would let out, while typing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from xinglin.console.addresses import segment
from xinglin.console.errors import NotThere
from xinglin.console.frame import Done, Nav, Page, Step, act, screen
from xinglin.console.questions import ASKED, FIELD_PREFIX, Field, Question, fitting, question_of
from xinglin.console.visit import Form, Visit
from xinglin.kernel.errors import XinglinError
from xinglin.words import N_

if TYPE_CHECKING:
    from xinglin.console.calls.researcher_work import Bench, Looked

NAV = (Nav(roles=("researcher",), path="/workbench", label=N_("Workbench"), order=40),)
RESEARCHER = ("researcher",)
CSS = ("screens/leaves.css", "screens/workbench.css")
PARTS = ("ask", "found")
SQL_WORDS = (
    "SELECT", "FROM", "WHERE", "AND", "OR", "NOT", "NULL", "IS", "IN", "BETWEEN", "AS", "CASE", "WHEN", "THEN", "ELSE",
    "END", "LEAST", "GREATEST", "COALESCE", "JOIN", "LEFT", "ON", "WITH", "GROUP BY", "MAX", "MIN", "COUNT",
)  # fmt: skip


@screen("/workbench", roles=RESEARCHER)
def workbench(visit: Visit) -> Page:
    """A question to build: of the study named, of an earlier run, or of the only study in force."""
    work = visit.calls.work
    asked: Question | None = None
    if visit.query.get("run"):
        asked = work.question(visit.query["run"])
    study = asked.study if asked is not None else visit.query.get("study", "")
    if not study:
        benches = work.studies()
        if len(benches) != 1:
            return _choose(visit, benches)
        study = benches[0].id
    bench = work.bench(study)
    looked = work.look(visit.words, asked) if asked else work.first(visit.words, bench, visit.query.get("view", ""))
    return _page(visit, bench, looked)


@act("/workbench/check", roles=RESEARCHER)
def check(visit: Visit, form: Form) -> Page:
    """What the question of the form would let out; for a script, the part that changed alone."""
    question = question_of(form)
    work = visit.calls.work
    looked = work.look(visit.words, question)
    part = visit.query.get("part", "")
    if visit.headers.get("hx-request") and part in PARTS:
        return Page(f"workbench/{part}.html", values=_values(visit, looked), fragment=True)
    return _page(visit, work.bench(question.study), looked)


@act("/workbench/repair", roles=RESEARCHER)
def repair(visit: Visit, form: Form) -> Page:
    """The question with one of the edits made that mend it."""
    work, question = visit.calls.work, question_of(form)
    looked = work.look(visit.words, question)
    number = form.whole("repair")
    if not 0 <= number < len(looked.repairs):
        raise NotThere("There is no such edit any more.", remedy="Check the question again.")
    edited = looked.repairs[number].question
    return _page(visit, work.bench(edited.study), work.look(visit.words, edited))


@act("/workbench/run", roles=RESEARCHER)
def run(visit: Visit, form: Form) -> Done | Page:
    """Ask it. The run goes on by itself; its page follows it."""
    work, question = visit.calls.work, question_of(form)
    try:
        started = work.start(question)
    except XinglinError as error:
        looked = work.mended(visit.words, question, error)
        return _page(visit, work.bench(question.study), looked, status=409)
    return Done(f"/runs/{segment(started)}", visit.words.text("Asked. You may leave: the run goes on."))


@act("/workbench/count", roles=RESEARCHER)
def count(visit: Visit, form: Form) -> Page:
    """Ask the hospitals how many persons a view has, rounded; the page does not wait for them."""
    work, question = visit.calls.work, question_of(form)
    bench = work.bench(question.study)
    if form.text("view") not in bench.views:
        raise NotThere("The study has no such view.", remedy="Choose one of its views.")
    work.counts.ask(question.study, form.text("view"))
    return _page(visit, bench, work.look(visit.words, question))


def _choose(visit: Visit, benches: Sequence[Bench]) -> Page:
    _ = visit.words.text
    return Page("workbench/choose.html", title=_("Workbench"), values={"benches": benches}, css=CSS)


def _page(visit: Visit, bench: Bench, looked: Looked, status: int = 200) -> Page:
    _ = visit.words.text
    words = [*bench.views, *dict.fromkeys(name for columns in bench.views.values() for name in columns), *SQL_WORDS]
    counts = visit.calls.work.counts.of(bench.id)
    return Page(
        "workbench/workbench.html",
        title=_("Ask: %(study)s", study=bench.title),
        values={
            "bench": bench,
            "completions": words,
            "counts": counts,
            **_values(visit, looked),
        },
        crumbs=(Step(_("Studies"), "/studies"), Step(bench.title, f"/studies/{segment(bench.id)}")),
        css=CSS,
        js=("screens/workbench.js",),
        wide=True,
        status=status,
    )


def _values(visit: Visit, looked: Looked) -> Mapping[str, Any]:
    _ = visit.words.text
    question = looked.question
    operation = ASKED.get(question.operation)
    fields = () if operation is None else operation.fields
    return {
        "looked": looked,
        "question": question,
        "operation": operation,
        "operations": {name: _(one.label) for name, one in ASKED.items()},
        "fields": [(f, FIELD_PREFIX + f.name, _choices(f, looked), _chosen(question, f.name)) for f in fields],
    }  # fmt: skip


def _choices(field: Field, looked: Looked) -> dict[str, str]:
    return {name: name for name in field.choices or fitting(field, looked.columns)}


def _chosen(question: Question, name: str) -> tuple[str, ...]:
    given = question.fields.get(name, ())
    return given or ((question.first(name),) if question.first(name) else ())


ROUTES = (workbench, check, repair, run, count)
