"""Results: verified before they are shown, drawn by kind, kept as files; what is withheld says what would mend it."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from tests.unit.console.desk_of_work import SQL, Work

from xinglin.console.result_charts import charts_of, rule_of
from xinglin.kernel.verdict import Reason
from xinglin.sdk.results import StudyResult
from xinglin.wire.calls import RunView


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Work]:
    made = Work(tmp_path_factory.mktemp("work"))
    yield made
    made.hall.close()


@pytest.fixture
def work(desk: Work) -> Work:
    desk.reset()
    return desk


def result(kind: str, **payload: Any) -> StudyResult:
    receipt: Any = SimpleNamespace()
    return StudyResult("run-x", kind, payload, receipt, b"", b"")


def say(text: str, /, **values: Any) -> str:
    return text % values if values else text


def test_a_result_is_verified_shown_and_kept_as_files(work: Work) -> None:
    run = work.ask(operation="glm", **{"f.formula": "disease ~ age", "f.family": "binomial"})
    page = work.get(f"/results/{run}")
    assert page.status_code == 200
    assert "Verified here" in page.text and "Odds ratios" in page.text
    assert "/evidence/" in page.text  # its receipt
    csv = work.get(f"/results/{run}/files/csv")
    assert csv.content.startswith(b"\xef\xbb\xbfterm,") and "attachment" in csv.headers["content-disposition"]
    assert work.get(f"/results/{run}/files/json").json()["kind"] == "glm"
    assert "data.glm(" in work.get(f"/results/{run}/files/py").text
    assert work.get(f"/results/{run}/files/exe").status_code == 404


def test_a_result_that_was_altered_is_not_shown(work: Work) -> None:
    run = work.ask()

    def altered(answer: Any) -> Any:
        return answer if isinstance(answer, RunView | bytes) else SimpleNamespace(attestations=(), sealed=answer.sealed)

    work.hub.turn = altered
    page = work.get(f"/results/{run}")
    assert page.status_code >= 400 and "sdk.not_verified" in page.text


def test_a_run_that_goes_on_has_no_result_yet(work: Work) -> None:
    run = work.ask()
    view = RunView(run, "computing", 2, 1, ())
    work.hub.turn = lambda answer: view if isinstance(answer, RunView) else answer
    assert work.get(f"/results/{run}").status_code == 404


def test_what_was_refused_says_why_and_offers_judged_edits(work: Work) -> None:
    sql = f"{SQL} WHERE age > 110"
    work.hub.end = (
        "refused",
        "",
        (Reason("privacy.small_cell", "Fewer than 10 persons stand behind 'all'.", "Widen."),),
    )
    run = work.ask(sql=sql)
    page = work.get(f"/results/{run}")
    assert page.status_code == 200
    assert "Fewer than 10 persons" in page.text and "privacy.small_cell" in page.text
    assert "without the last WHERE" in page.text and "then it may be asked" in page.text


def test_two_results_are_compared_row_by_row(work: Work) -> None:
    first, second = work.ask(), work.ask(**{"f.by": "sex"})
    page = work.get(f"/results/{second}?with={first}")
    assert page.status_code == 200 and "Comparison" in page.text


def test_hidden_entries_are_hatched_and_name_their_rule() -> None:
    payload = {
        "rows": "sex",
        "columns": "site",
        "row_levels": ["f", "m"],
        "column_levels": ["a"],
        "counts": [[30], [None]],
    }
    (drawn,) = charts_of(result("crosstab", **payload), say)
    assert "min_cell" in str(drawn.svg) and rule_of(payload) == "min_cell"
    assert rule_of({"why": [{"rule": "threshold", "cells": [], "words": ""}]}) == "threshold"


def test_a_hidden_bin_is_not_drawn_as_zero() -> None:
    (drawn,) = charts_of(result("histogram", column="age", edges=[0, 1, 2], counts=[None, 12]), say)
    assert ("0 – 1", "not shown") in drawn.rows


def test_ratios_are_drawn_where_the_link_makes_them(work: Work) -> None:
    model = {"formula": "y ~ x", "terms": ["Intercept", "x"], "coefficients": [1.0, 0.0], "standard_errors": [0.1, 0.1]}
    (odds,) = charts_of(result("glm", link="logit", family="binomial", **model), say)
    assert odds.title.startswith("Odds ratios") and odds.rows[0][1] == "1"
    (plain,) = charts_of(result("glm", link="identity", family="gaussian", **model), say)
    assert plain.title.startswith("Coefficients")


def test_a_kind_that_nobody_draws_is_a_table_alone() -> None:
    assert charts_of(result("table1"), say) == ()
