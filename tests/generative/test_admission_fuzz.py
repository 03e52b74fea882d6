"""Whatever the text, admission answers a verdict; what it admits runs, and never mixes persons."""

from __future__ import annotations

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.unit.analysis_admit.conftest import VIEWS, Engine

from xinglin.analysis.admit import Admitted, admit
from xinglin.kernel.verdict import Denied

TEXT = """SELECT FROM WHERE GROUP BY HAVING QUALIFY JOIN LEFT ON USING UNION ALL DISTINCT CASE WHEN THEN ELSE END AS
WITH OVER PARTITION ORDER visit obs age sex bp enc seen value code t x ( ) , . * + - / = < > ' 1 0.5 'F' NULL NOT AND
OR IN count sum avg lag coalesce INTERVAL DATE '2020-01-01' :: INT [ ] { } ; -- /* $1 ? @ # " __person"""
WORDS = st.sampled_from(TEXT.split())
NUMBERS = st.sampled_from(["age", "bp", "chol", "gene", "1", "97", "0.5", "smoker::INT", "NULL", "sum(1) OVER ()", "z"])
LONE = "visit LEFT JOIN (SELECT 1 AS z FROM visit WHERE age > {limit}) b ON TRUE"
"""Beside each row a constant, or nothing, as a condition has it."""


def expressions() -> st.SearchStrategy[str]:
    def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        two = st.tuples(inner, inner)
        return st.one_of(
            st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda p: f"({p[0]} {p[1]} {p[2]})"),
            two.map(lambda p: f"CASE WHEN {p[0]} > {p[1]} THEN {p[0]} END"),
            two.map(lambda p: f"coalesce({p[0]}, {p[1]})"),
            two.map(lambda p: f"greatest({p[0]}, {p[1]})"),
            inner.map(lambda p: f"CASE WHEN {p} > 3 THEN 1 ELSE 0 END"),
            st.tuples(st.sampled_from(["ln", "abs", "floor", "sqrt", "exp", "round", "sign"]), inner).map(
                lambda p: f"{p[0]}({p[1]})"
            ),
            inner.map(lambda p: f"max({p}) OVER (PARTITION BY sex ORDER BY seen, age)"),
            inner.map(lambda p: f"nullif({p}, 1)"),
            inner.map(lambda p: f"({p} IS NULL)::INT"),
        )

    return st.recursive(NUMBERS, grow, max_leaves=5)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=300))
@example("SELECT \x00 FROM visit")
@example("SELECT '" + "\ud800" + "' AS x FROM visit")
@example("SELECT 'a\nb' AS x FROM visit")
def test_any_text_gets_a_verdict(text: str) -> None:
    assert isinstance(admit(text, VIEWS), Admitted | Denied)


@settings(max_examples=400, deadline=None)
@given(st.lists(WORDS, max_size=40))
def test_any_words_get_a_verdict(words: list[str]) -> None:
    assert isinstance(admit(" ".join(words), VIEWS), Admitted | Denied)


ENGINE = Engine()


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(expressions(), expressions())
def test_what_is_admitted_runs_and_keeps_to_its_range(first: str, second: str) -> None:
    verdict = admit(f"SELECT {first} AS x FROM {LONE.format(limit=60)} WHERE {second} > 0", VIEWS)
    assert isinstance(verdict, Admitted | Denied)
    if isinstance(verdict, Admitted):
        rows = ENGINE.rows(verdict)
        column = verdict.columns[0]
        for _, value in rows:
            if value is not None and column.low is not None:
                assert value >= column.low - 1e-6 * max(1, abs(column.low))
            if value is not None and column.high is not None:
                assert value <= column.high + 1e-6 * max(1, abs(column.high))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(expressions())
def test_what_is_admitted_never_mixes_persons(first: str) -> None:
    verdict = admit(f"SELECT {first} AS x, count(*) OVER () AS n FROM {LONE.format(limit=60)}", VIEWS)
    if isinstance(verdict, Admitted):
        assert ENGINE.rows(verdict) == ENGINE.rows_one_by_one(verdict)


class Lone(Engine):
    """One row of each person."""

    def __init__(self) -> None:
        super().__init__()
        self._all.execute(
            "CREATE TABLE one AS SELECT * FROM visit QUALIFY row_number() OVER (PARTITION BY __person) = 1"
        )
        self._all.execute("DROP TABLE visit")
        self._all.execute("ALTER TABLE one RENAME TO visit")


LONE_ROWS = Lone()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(expressions())
@example("bp * (1 - (z IS NULL)::INT)")
@example("greatest(bp, 1000 * (z IS NULL)::INT)")
def test_a_condition_makes_a_plain_value_missing_and_nothing_else(first: str) -> None:
    """Of nobody, of some, of everybody the condition holds: a value that no guard counts is the same, or missing."""
    known: dict[int, set[float]] = {}
    for limit in (0, 60, 1000):
        verdict = admit(f"SELECT {first} AS x FROM {LONE.format(limit=limit)}", VIEWS)
        if not isinstance(verdict, Admitted) or verdict.columns[0].chosen or verdict.columns[0].kind != "number":
            return
        for person, value in LONE_ROWS.rows(verdict):
            if value is not None:
                known.setdefault(person, set()).add(value)
    assert all(len(values) == 1 for values in known.values()), known
