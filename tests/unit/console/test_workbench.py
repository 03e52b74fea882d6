"""The workbench: admitted while it is typed, refused with edits that mend it, asked without waiting."""

from __future__ import annotations

import ast
import shlex
from collections.abc import Iterator

import msgspec
import pytest
import typer
from tests.unit.console.desk_of_work import SQL, TITLE, Work
from tests.unit.sdk.fake_hub import described

from xinglin.analysis.admit import OutputColumn
from xinglin.analysis.algorithm import AlgorithmSpec, build
from xinglin.analysis.table import Column
from xinglin.cli.app import app
from xinglin.console.hidden import Known, predicted
from xinglin.console.questions import ASKED, Question, call_of, cli_of, python_of, with_defaults
from xinglin.console.repairs import repairs_of
from xinglin.kernel.verdict import Reason
from xinglin.sdk.data import Data
from xinglin.terms.thresholds import DisclosureRules
from xinglin.words import Words

EN = Words.of("en")
COLUMNS = (
    OutputColumn("age", "number", 0, 120, (), True, "L2", ("cardiac.age",)),
    OutputColumn("sex", "category", None, None, ("female", "male"), False, "L2", ("cardiac.sex",)),
    OutputColumn("disease", "boolean", None, None, (), False, "L2", ("cardiac.disease",)),
)
VIEWS = {"cardiac": ("age", "sex", "disease")}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Work]:
    made = Work(tmp_path_factory.mktemp("work"))
    yield made
    made.hall.close()


@pytest.fixture
def work(desk: Work) -> Work:
    desk.reset()
    return desk


def test_the_only_study_in_force_is_opened_with_a_question_to_run(work: Work) -> None:
    page = work.get("/workbench")
    assert page.status_code == 200
    assert TITLE in page.text and "FROM cardiac" in page.text
    assert "It may be asked" in page.text
    assert "Stays here" in page.text and "Computed here" in page.text and "Leaves" in page.text
    assert not work.hub.runs  # nothing was sent


def test_a_check_while_typing_gives_the_part_alone_and_sends_nothing(work: Work) -> None:
    before = len(work.hub.runs)
    token = work.hall.console.people.session(work.hall._tokens["researcher"])
    assert token is not None
    fields = {"csrf": token.csrf, "study": work.study, "sql": SQL, "operation": "crosstab", "f.rows": "sex"}
    headers = work.hall._cookie("researcher") | {"hx-request": "true"}
    answer = work.hall.client.post("/workbench/check?part=found", data=fields, headers=headers)
    assert answer.status_code == 200
    assert "<html" not in answer.text and "What would leave" in answer.text
    assert len(work.hub.runs) == before


def test_sql_that_is_not_admitted_says_why_and_offers_an_edit_that_mends_it(work: Work) -> None:
    answer = work.post("/workbench/check", sql="SELECT agee FROM cardiac", operation="describe")
    assert "sql.unknown_column" in answer.text
    assert "Write age in place of agee" in answer.text and "then it may be asked" in answer.text
    mended = work.post("/workbench/repair", sql="SELECT agee FROM cardiac", operation="describe", repair="0")
    assert "It may be asked" in mended.text and "SELECT age FROM cardiac" in mended.text
    assert work.post("/workbench/repair", sql=SQL, operation="describe", repair="7").status_code == 404


def test_a_question_is_asked_without_waiting_and_a_refused_one_is_not(work: Work) -> None:
    run = work.ask()
    assert run in work.hub.runs
    before = len(work.hub.runs)
    refused = work.post("/workbench/run", sql="DROP TABLE cardiac", operation="describe")
    assert refused.status_code == 409
    assert "It cannot be asked like this" in refused.text
    assert len(work.hub.runs) == before


def test_a_study_of_somebody_else_is_not_there(work: Work) -> None:
    assert work.get("/workbench?study=study-aaaa").status_code == 404
    assert work.get("/workbench?run=run-aaaa").status_code == 404


def test_a_hostile_select_is_shown_as_text(work: Work) -> None:
    hostile = "SELECT '</textarea><script>alert(1)</script>' AS x FROM cardiac"
    answer = work.post("/workbench/check", sql=hostile, operation="describe")
    assert "<script>alert" not in answer.text


def test_an_earlier_question_is_opened_again(work: Work) -> None:
    run = work.ask(operation="histogram", **{"f.column": "age", "f.bins": "12"})
    page = work.get(f"/workbench?run={run}")
    assert 'value="12"' in page.text


def test_where_hospitals_publish_different_ranges_the_first_question_can_be_asked(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any real hospitals do: each publishes what its own rows reach."""
    monkeypatch.setitem(work.hub.published, work.hub.dids[1], described(work.hub.dids[1], high=90.0))
    page = work.get(f"/workbench?study={work.study}")
    assert "LEAST(GREATEST(age, 0), 120) AS age" in page.text and "It may be asked" in page.text
    many = described(work.hub.dids[1], levels=tuple(f"level {n}" for n in range(30)))
    monkeypatch.setitem(work.hub.published, work.hub.dids[1], many)
    page = work.get(f"/workbench?study={work.study}")
    assert "It may be asked" in page.text and "WHEN sex" not in page.text, "no list of thirty levels to begin with"
    monkeypatch.setitem(work.hub.published, work.hub.dids[1], described(work.hub.dids[1], high=90.0))
    refused = work.post("/workbench/check", sql=SQL, operation="describe")
    assert "sdk.domain_differs" in refused.text and "The same ranges and levels at every hospital" in refused.text
    assert "LEAST(GREATEST(age, 0), 120) AS age" in refused.text


def test_published_persons_make_a_prediction(work: Work) -> None:
    work.hub.persons = 20
    answer = work.post("/workbench/check", sql=SQL, operation="crosstab", **{"f.rows": "sex", "f.columns": "disease"})
    assert "60" in answer.text and "An estimate from what is published" in answer.text


def test_a_count_that_hospitals_refuse_is_told_and_holds_up_nobody(work: Work) -> None:
    answer = work.post("/workbench/count", sql=SQL, operation="describe", view="cardiac")
    assert answer.status_code == 200
    assert "being asked" in answer.text or "Not told" in answer.text
    assert work.post("/workbench/count", sql=SQL, operation="describe", view="patient").status_code == 404


def test_fewer_persons_than_entries_can_hold_must_hide_some() -> None:
    domain = (Column("sex", "category", levels=("f", "m")), Column("site", "category", levels=tuple("abcdefghij")))
    built = build(AlgorithmSpec("crosstab", {"rows": "sex", "columns": "site"}), domain, DisclosureRules())
    seen = predicted(built, 10, Known(100, "published", {"sex": {"f": 0.9, "m": 0.1}, "site": {"a": 0.5}}))
    assert seen.entries == 20 and seen.least == 200 and seen.surely
    entries = {one.name: one for one in seen.shown}
    assert entries["sex=f & site=a"].guess == "unlikely"
    assert entries["sex=m & site=a"].guess == "likely"
    assert entries["sex=f & site=b"].guess == "unknown"
    assert not predicted(built, 10, Known()).surely


def test_bins_without_a_published_share_are_not_guessed() -> None:
    built = build(
        AlgorithmSpec("histogram", {"column": "age", "bins": 4}), (Column("age", "number", 0, 100),), DisclosureRules()
    )
    assert {one.guess for one in predicted(built, 10, Known(1000, "published")).shown} == {"unknown"}


@pytest.mark.parametrize("operation", sorted(ASKED))
def test_every_operation_is_the_same_in_python_and_as_a_command(operation: str) -> None:
    question = with_defaults(Question("study-x", SQL, operation), COLUMNS)
    if operation == "glm":
        question = msgspec.structs.replace(question, fields={"formula": ("disease ~ age",), "family": ("binomial",)})
    call_of(question)
    code = python_of(question, TITLE)
    ast.parse(code)
    assert f"data.{operation}(" in code and hasattr(Data, operation)
    words = shlex.split(cli_of(question, TITLE))[1:]
    command = typer.main.get_command(app)
    verb = command.commands[operation]  # type: ignore[attr-defined]
    verb.make_context(operation, words[1:])  # raises on an unknown option


def test_edits_speak_to_the_reason() -> None:
    question = Question(
        "study-x", "SELECT age FROM cardiac WHERE age > 110", "histogram", {"column": ("age",), "bins": ("20",)}
    )
    few = (Reason("privacy.small_cell", "Fewer than 10 persons stand behind 'all'.", ""),)
    labels = [one.label for one in repairs_of(EN, question, few, COLUMNS, VIEWS)]
    assert labels == ["10 bins", "Everybody: without the last WHERE"]
    named = (Reason("privacy.small_cell", "Fewer than 10 persons stand behind 'sex=other', 'sex=unknown'.", ""),)
    left_out = repairs_of(EN, Question("study-x", SQL, "describe"), named, COLUMNS, VIEWS)
    assert left_out[0].question.sql.endswith("WHERE sex NOT IN ('other', 'unknown')")
    spent = (Reason("privacy.study_spent", "The study's budget is spent.", ""),)
    (half,) = repairs_of(EN, Question("study-x", SQL, "describe", epsilon="1"), spent, COLUMNS, VIEWS)
    assert half.question.epsilon == "0.5"
    assert repairs_of(EN, question, (Reason("terms.revoked", "Revoked.", ""),), COLUMNS, VIEWS) == ()
