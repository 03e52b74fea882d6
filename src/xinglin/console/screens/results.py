"""A result: its tables and pictures, the receipt that proves its release, files to keep, an earlier one beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.console.addresses import segment
from xinglin.console.code_shown import in_python, in_shell
from xinglin.console.errors import NotThere
from xinglin.console.frame import File, Head, Page, Rail, Same, Step, screen
from xinglin.console.listing import csv_of
from xinglin.console.preview import operation_words, pack_of, rule_lines
from xinglin.console.questions import python_of, question_of_plan
from xinglin.console.result_charts import charts_of, rule_of
from xinglin.console.visit import Visit
from xinglin.kernel.verdict import Reason
from xinglin.sdk.errors import RunEnded
from xinglin.wire.errors import Refused

if TYPE_CHECKING:
    from xinglin.console.calls.researcher_runs import ResultShown

RESEARCHER = ("researcher",)
CSS = ("screens/charts.css", "screens/results.css")
FACTS = (
    "persons_used", "persons_missing", "rows_used", "rows_missing", "family", "link", "aic", "deviance",
    "null_deviance", "log_likelihood", "df_residual", "df_model", "scale", "total", "tolerance",
)  # fmt: skip
_KINDS = {"csv": "text/csv; charset=utf-8", "json": "application/json", "py": "text/x-python; charset=utf-8"}


@screen("/results/{run:str}", roles=RESEARCHER)
def result(visit: Visit, run: str) -> Page:
    """The verified result of a run, or why there is none and what would mend it."""
    _ = visit.words.text
    try:
        shown = visit.calls.work.result(run)
    except (Refused, RunEnded) as error:
        return _none(visit, run, error)
    rows = _rows(shown)
    columns = tuple(rows[0]) if rows else ()
    other = visit.query.get("with", "")
    compared = _compared(visit, shown, other) if other else None
    what = operation_words(visit.words, shown.plan.algorithm)
    return Page(
        "results/result.html",
        title=what,
        values={
            "shown": shown,
            "columns": columns,
            "cells": [[row.get(name) for name in columns] for row in rows],
            "charts": charts_of(shown.found, visit.words.text),
            "facts": _facts(visit, shown),
            "why": tuple(dict.fromkeys(shown.found.why().values())),
            "rule": rule_of(shown.found.payload),
            "hidden": sum(value is None for row in rows for value in row.values()),
            "rules": rule_lines(visit.words, pack_of(shown.plan.rules, _packs(shown))),
            "others": visit.calls.work.comparable(run),
            "compared": compared,
            "python": _python(shown),
        },
        crumbs=(Step(_("Runs and results"), "/runs"), Step(shown.title, f"/studies/{segment(shown.plan.study)}")),
        head=Head("object.result", run, "state.released", since=shown.at),
        rail=Rail(run, (shown.index,), shown.plan.digest()),
        same=Same(in_python("result = space.run({}).result()\nprint(result)\nprint(result.receipt.verify())", run),
                  in_shell("xinglin run result {}", run)),
        css=CSS,
        data=shown.found.to_dict(),
    )  # fmt: skip


@screen("/results/{run:str}/files/{kind:str}", roles=RESEARCHER)
def file(visit: Visit, run: str, kind: str) -> File:
    """The result as CSV or JSON, or the Python that asked for it."""
    shown = visit.calls.work.result(run)
    if kind not in _KINDS:
        raise NotThere("There is no such file of a result.", remedy="Choose CSV, JSON or Python.")
    if kind == "json":
        data = msgspec.json.format(msgspec.json.encode(shown.found.to_dict()))
    elif kind == "py":
        data = _python(shown).encode()
    else:
        rows = _rows(shown)
        data = csv_of(tuple(rows[0]) if rows else (), [list(row.values()) for row in rows])
    return File(data, f"{run}.{kind}", _KINDS[kind])


def _none(visit: Visit, run: str, error: Refused | RunEnded) -> Page:
    """A run without a result: every reason, and edits of the question, each judged."""
    _ = visit.words.text
    shown = visit.calls.work.run(run)
    told = visit.words.error(error)
    reasons = error.reasons or (Reason(error.code, error.what, error.remedy),)
    looked = visit.calls.work.mended(visit.words, visit.calls.work.question(run), error)
    return Page(
        "results/none.html",
        title=operation_words(visit.words, shown.plan.algorithm),
        values={"shown": shown, "told": told, "reasons": reasons, "looked": looked, "run": run},
        crumbs=(Step(_("Runs and results"), "/runs"), Step(shown.title, f"/studies/{segment(shown.plan.study)}")),
        head=Head("object.run", run, f"state.{shown.view.state}", since=shown.at),
        rail=Rail(run, shown.entries, shown.plan.digest()),
        css=(*CSS, "screens/workbench.css"),
    )


def _rows(shown: ResultShown) -> list[dict[str, Any]]:
    """The table of a result; a correlation's where it was asked for as one."""
    return shown.found.rows()


def _packs(shown: ResultShown) -> object:
    return None if shown.plan.disclosure is msgspec.UNSET else shown.plan.disclosure


def _facts(visit: Visit, shown: ResultShown) -> list[tuple[str, str]]:
    payload = shown.found.payload
    found = []
    for name in FACTS:
        if name in payload:
            value = payload[name]
            found.append((name, visit.words.text("hidden") if value is None else _text(visit, value)))
    found += [
        (f"p ({name})", f"{value:.4g}") for name, value in shown.found.p_values().items() if shown.found.kind != "glm"
    ]
    return found


def _text(visit: Visit, value: Any) -> str:
    return visit.words.number(value) if isinstance(value, int | float) else str(value)


def _python(shown: ResultShown) -> str:
    return python_of(question_of_plan(shown.plan, shown.names), shown.title)


def _compared(visit: Visit, shown: ResultShown, other: str) -> dict[str, Any] | None:
    """Both results' tables side by side, row by row by their first column; and what was asked otherwise."""
    from xinglin.console.preview import differences, told_plan

    earlier = visit.calls.work.result(other)
    if earlier.found.kind != shown.found.kind:
        return None
    mine, theirs = _rows(shown), _rows(earlier)
    key = _key(mine)
    known = {tuple(row.get(name) for name in key): row for row in theirs}
    names = [name for name in (mine[0] if mine else {}) if name not in key and name in (theirs[0] if theirs else {})]
    return {
        "run": other,
        "at": earlier.at,
        "key": key,
        "names": names,
        "rows": [(row, known.get(tuple(row.get(name) for name in key), {})) for row in mine],
        "changes": differences(
            told_plan(visit.words, earlier.plan, earlier.names), told_plan(visit.words, shown.plan, shown.names)
        ),
    }


def _key(rows: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """The columns that name a row: texts, or the edges of a bin."""
    if not rows:
        return ()
    texts = tuple(name for name, value in rows[0].items() if isinstance(value, str))
    return texts or tuple(name for name in ("low", "high", "probability") if name in rows[0]) or tuple(rows[0])[:1]


ROUTES = (result, file)
