"""The table that ``docs/terms.md`` prints: each grade, operation and missing condition, and what the evaluator says."""

from __future__ import annotations

import pytest

from xinglin.kernel.verdict import Allowed, Denied
from xinglin.terms.decide import decide_read
from xinglin.terms.evaluate import Asked
from xinglin.terms.grades import GRADES, OPERATIONS, REQUIRED, REQUIREMENTS
from xinglin.testing.decision_table import (
    CONCERNS,
    MISSING,
    POLICY,
    allowed_use,
    codes,
    not_offered,
    offered,
    read_verdict,
    rows,
    verdict,
)

REQUIREMENT_ROWS = {name.partition(":")[0].removeprefix("no "): name for name in MISSING if name.startswith("no ")}


@pytest.mark.parametrize(("grade", "operation"), list(offered()))
def test_a_use_with_nothing_missing_is_allowed_with_what_it_requires(grade: str, operation: str) -> None:
    found = verdict(grade, operation, "nothing is missing")
    assert found == Allowed((f"grade={grade}", "min_cell=10", *REQUIRED[grade, operation], "duty:log"))


@pytest.mark.parametrize(("grade", "operation"), list(offered()))
@pytest.mark.parametrize("missing", [name for name in MISSING if name not in REQUIREMENT_ROWS.values()][1:])
def test_a_missing_condition_is_refused_with_words_and_a_remedy(grade: str, operation: str, missing: str) -> None:
    found = verdict(grade, operation, missing)
    if operation not in CONCERNS.get(missing, {operation}):
        assert isinstance(found, Allowed)
        return
    assert isinstance(found, Denied)
    assert all(reason.words and reason.remedy for reason in found.reasons)


@pytest.mark.parametrize("requirement", list(REQUIREMENT_ROWS))
@pytest.mark.parametrize(("grade", "operation"), list(offered()))
def test_a_missing_requirement_refuses_exactly_where_the_grade_asks_for_it(
    grade: str, operation: str, requirement: str
) -> None:
    wanted = (f"terms.requires_{requirement}",) if requirement in REQUIRED[grade, operation] else ()
    assert codes(verdict(grade, operation, REQUIREMENT_ROWS[requirement])) == wanted


def test_every_requirement_is_a_row_or_a_rule_of_its_own() -> None:
    assert set(REQUIREMENT_ROWS) | {"authorised_institution", "agreement", "release_allowance", "named_study"} == set(
        REQUIREMENTS
    )


@pytest.mark.parametrize(("grade", "operation"), list(not_offered()))
def test_what_is_not_offered_is_refused_whatever_is_there(grade: str, operation: str) -> None:
    found = read_verdict(grade) if operation == "read" else verdict(grade, operation, "nothing is missing")
    assert "terms.not_offered" in codes(found)


def test_released_aggregates_are_read_by_anyone() -> None:
    assert read_verdict("L1") == Allowed(("grade=L1", "evidence"))
    asked = Asked("read", {"purpose": "health-research", "place": "CN", "count": "1", "outputType": ("table",)})
    assert decide_read("L1", asked, POLICY) == Allowed(("grade=L1", "evidence", "duty:log"))
    assert codes(decide_read("L1", Asked("read"), POLICY)) == (
        "terms.not_ruled_out_use", "terms.unknown_count", "terms.unknown_place", "terms.unknown_purpose",
    )  # fmt: skip
    assert codes(decide_read("L9", asked)) == ("terms.not_offered",)


def test_the_table_is_whole() -> None:
    pairs = {*offered(), *not_offered(), ("L1", "read")}
    assert pairs == {(grade, operation) for grade in GRADES for operation in OPERATIONS}
    assert [row.missing for row in rows()] == list(MISSING)
    assert all(len(row.cells) == len(list(offered())) for row in rows())
    assert allowed_use("L2", "statistics") == allowed_use("L2", "statistics")
