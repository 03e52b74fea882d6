"""Data: what is refused before anything is sent, plans that repeat, previews that read nothing."""

from __future__ import annotations

import msgspec
import pytest
from tests.unit.sdk.fake_hub import FakeHub

from xinglin.analysis.errors import BadParameters, FormulaRefused, UnknownColumn
from xinglin.kernel.canonical import canonical_bytes
from xinglin.sdk.data import ALGORITHMS, Data
from xinglin.sdk.errors import Refused, Unreachable
from xinglin.sdk.plans import REQUEST_LIFE_MS
from xinglin.sdk.study import Study
from xinglin.terms.request import USE_REQUEST, UseRequest, check_plan, check_request
from xinglin.trust.envelope import open_signed

SQL = "SELECT age, sex, disease, age >= 18 AS adult FROM cardiac"


@pytest.fixture
def data(study: Study) -> Data:
    return study.sql(SQL)


def test_sql_that_is_not_admitted_is_refused_with_every_reason_and_nothing_is_sent(hub: FakeHub, study: Study) -> None:
    before = len(hub.posted())
    for sql in ("SELECT chol FROM cardiac", "SELECT * FROM read_csv('/etc/passwd')", "DROP TABLE cardiac"):
        with pytest.raises(Refused) as refused:
            study.sql(sql)
        assert refused.value.reasons
    assert len(hub.posted()) == before


@pytest.mark.parametrize(
    ("algorithm", "params", "error"),
    [
        ("glm", {"formula": "disease ~ weight", "family": "binomial"}, UnknownColumn),
        ("glm", {"formula": "disease ~ __import__('os').system('id')", "family": "binomial"}, FormulaRefused),
        ("describe", {"columns": ["sex"]}, BadParameters),
        ("describe", {"column": ["age"]}, BadParameters),
        ("median", {"column": "age"}, BadParameters),
        ("ttest", {"column": "age", "by": "sex", "levels": ["female", "unknown"]}, BadParameters),
    ],
)
def test_bad_parameters_raise_before_anything_is_sent(
    hub: FakeHub, data: Data, algorithm: str, params: dict[str, object], error: type[Exception]
) -> None:
    before = len(hub.posted())
    with pytest.raises(error):
        data.ask(algorithm, **params)
    with pytest.raises(error):
        data.preview(algorithm, **params)
    assert len(hub.posted()) == before
    assert not hub.runs


def test_equal_questions_at_one_instant_give_equal_plans(study: Study, data: Data) -> None:
    plan = data.plan("glm", as_of=1000, formula="disease ~ age", family="binomial")
    again = study.sql(SQL).plan("glm", as_of=1000, family="binomial", formula="disease ~ age")
    assert canonical_bytes(plan) == canonical_bytes(again)
    assert plan.digest() != data.plan("glm", as_of=1001, formula="disease ~ age", family="binomial").digest()
    assert check_plan(plan)
    assert plan.roster == tuple(sorted(plan.roster))
    assert set(plan.agreements) == set(plan.roster)


def test_the_request_is_signed_short_lived_and_names_the_plan(hub: FakeHub, data: Data) -> None:
    run = data.ask("describe", columns=["age"])
    signed, plan = hub.runs[run.id]
    data.study.space.log.refresh()
    request = msgspec.json.decode(
        open_signed(signed, USE_REQUEST, data.study.space.log.record.directory), type=UseRequest
    )
    assert check_request(request)
    assert request.plan == plan.digest()
    assert request.nodes == plan.roster == hub.dids
    assert request.recipients == (request.requester,) == (hub.asker.did,)
    assert request.expires - request.issued == REQUEST_LIFE_MS
    assert plan.as_of <= data.study.space.clock()


def test_two_questions_never_share_a_nonce(hub: FakeHub, data: Data) -> None:
    nonces = {hub.request_of(data.ask("describe", columns=["age"]).id).nonce for _ in range(5)}
    assert len(nonces) == 5


def test_an_answer_that_was_lost_is_asked_for_again_as_the_same_run(hub: FakeHub, data: Data) -> None:
    plan = data.plan("describe", columns=["age"])
    hub.lose = [Unreachable("lost")]
    from xinglin.sdk.plans import send

    run = send(data.study.space, plan, "health-research")  # type: ignore[arg-type]
    assert list(hub.runs) == [run.id]
    assert hub.posted().count("/v1/runs") == 2


def test_a_preview_sends_nothing_and_names_cells_hospitals_rules_and_allowance(hub: FakeHub, data: Data) -> None:
    before = len(hub.calls)
    found = data.preview("crosstab", rows="sex", columns="disease")
    assert hub.calls[before:] == []
    assert set(found.hospitals) == {"north", "south", "west"}
    assert found.cells[0] == "all"
    assert "sex=female" in found.cells
    assert {column.name for column in found.columns} == {"sex", "disease"}
    assert (found.rules.min_cell, found.allowance, found.grade) == (10, 50, "L2")
    assert found.reads == ("cardiac.age", "cardiac.disease", "cardiac.sex")
    assert "reads no row" in str(found)
    assert msgspec.json.encode(found.to_dict())


def test_a_preview_of_describe_needs_no_columns(data: Data) -> None:
    assert data.preview("describe").params == data.preview().params == {"columns": data.numbers()}
    assert data.preview("describe", columns=["age"]).params == {"columns": ["age"]}
    assert data.preview("describe", by=["sex"]).params == {"columns": data.numbers(), "by": ["sex"]}


def test_a_preview_is_the_same_whatever_rows_a_hospital_holds(data: Data) -> None:
    # It is made of texts alone: nothing that could differ by rows goes in.
    assert data.preview().to_dict() == data.preview().to_dict()
    assert data.preview().algorithm == "describe"
    assert data.preview().params == {"columns": ["age"]}


def test_every_statistic_has_a_method_that_builds_a_valid_plan(hub: FakeHub, data: Data) -> None:
    asked = (
        data.describe, lambda: data.mean("age", by="sex"), lambda: data.crosstab("sex", "disease"),
        lambda: data.histogram("age", bins=5), lambda: data.quantiles("age"), lambda: data.covariance("age", "disease"),
        lambda: data.correlation("age", "disease"), lambda: data.ttest("age", "disease"),
        lambda: data.anova("age", "sex"), lambda: data.glm("disease ~ age", family="binomial"),
        lambda: data.table1("sex", ["age", "disease"]), lambda: data.flow("adult", "disease"),
        lambda: data.count(epsilon="0.5"), lambda: data.histogram("age", epsilon=1),
        lambda: data.mean("age", rho="0.01"),
        lambda: data.crosstab("sex", "disease", epsilon="1/2", delta="1/10000000"),
        lambda: data.quantiles("age", epsilon="1", colluders=1), lambda: data.linear("disease", "age", epsilon="1"),
    )  # fmt: skip
    for ask in asked:
        ask()
    assert {plan.algorithm for _, plan in hub.runs.values()} == set(ALGORITHMS)
    assert all(check_plan(plan) for _, plan in hub.runs.values())
