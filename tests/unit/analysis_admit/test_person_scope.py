"""What is admitted never mixes persons: run on one person at a time, it gives the same rows as on all."""

from __future__ import annotations

import pytest
from tests.unit.analysis_admit.conftest import Engine, admitted

from xinglin.analysis.admit_indicators import indicator_slots

QUERIES = [
    "SELECT age, sex, bp, smoker FROM visit WHERE age > 30 AND sex = 'F'",
    "SELECT bp / age AS r, ln(bp) AS l, greatest(least(chol, 40), 0) AS c FROM visit",
    "SELECT floor(age / 10) AS band, round(bp, 1) AS r, abs(bp - 100) AS a, power(bp / 100, 2) AS p FROM visit",
    "SELECT CASE WHEN bp > 140 THEN 1 ELSE 0 END AS high, year(seen) AS y FROM visit",
    "SELECT date_diff('day', DATE '2000-01-01', seen) AS days, seen - DATE '2001-01-01' AS d FROM visit",
    "SELECT count(*) AS n, avg(bp) AS m, stddev(bp) AS s, median(age) AS md FROM visit",
    "SELECT sex, avg(bp) AS m FROM visit GROUP BY sex HAVING count(*) > 1",
    "SELECT DISTINCT sex FROM visit",
    "SELECT v.age, o.value FROM visit v JOIN obs o USING (enc)",
    "SELECT v.age, o.value FROM visit v JOIN obs o ON v.bp < o.value",
    "SELECT v.age, o.value FROM visit v LEFT JOIN obs o ON o.taken BETWEEN v.seen AND v.seen + INTERVAL 30 DAY",
    "SELECT v.age, o.value FROM visit v RIGHT JOIN obs o ON v.enc = o.enc",
    "SELECT v.age, o.value, w.bp FROM visit v FULL JOIN obs o ON v.enc = o.enc FULL JOIN visit w ON w.enc = o.enc",
    "SELECT a.age, b.bp FROM visit a, visit b",
    "SELECT a.age FROM visit a CROSS JOIN obs b",
    "SELECT age FROM visit UNION ALL SELECT age FROM visit WHERE bp > 100",
    "SELECT sex FROM visit UNION SELECT code FROM obs",
    "SELECT bp - lag(bp) OVER (ORDER BY seen, bp) AS delta FROM visit",
    "SELECT rank() OVER (ORDER BY bp) AS r, count(*) OVER () AS n, max(bp) OVER (PARTITION BY sex) AS m FROM visit",
    "SELECT bp FROM visit QUALIFY row_number() OVER (PARTITION BY sex ORDER BY seen DESC, bp) = 1",
    "WITH o AS (SELECT enc, max(CASE WHEN code = 'sbp' THEN value END) AS s, count(*) AS n FROM obs GROUP BY enc) "
    "SELECT v.age, o.s, o.n, p.n AS again FROM visit v LEFT JOIN o ON v.enc = o.enc LEFT JOIN o p ON v.enc = p.enc",
    "SELECT sum(smoker::INT) AS s, count(DISTINCT enc) AS e, arg_max(bp, seen) AS last FROM visit",
    "SELECT z.m FROM (SELECT avg(bp) AS m, sex FROM visit GROUP BY 2) z WHERE z.m > 60",
]


@pytest.mark.parametrize("sql", QUERIES)
def test_no_row_mixes_persons(engine: Engine, sql: str) -> None:
    verdict = admitted(sql)
    assert engine.rows(verdict) == engine.rows_one_by_one(verdict)


@pytest.mark.parametrize(
    ("bound", "value"),
    [
        ("LEAST(GREATEST({}, 0), 300)", "bp"),
        ("GREATEST(60, {})", "bp"),
        ("LEAST(GREATEST({}, 0), 2000)", "2025 - age"),
        ("LEAST({}, 300)", "CASE WHEN age > 30 THEN bp END"),
    ],
)
def test_a_bound_makes_no_value_of_one_that_is_missing(engine: Engine, bound: str, value: str) -> None:
    """DuckDB's greatest(NULL, 0) is 0: whoever bounds a column would count persons without a value at the bound."""
    bounded, bare = (engine.rows(admitted(f"SELECT {one} AS x FROM visit")) for one in (bound.format(value), value))
    missing = [row[0] for row in bare if row[1] is None]
    assert missing and [row[0] for row in bounded if row[1] is None] == missing


@pytest.mark.parametrize("bare", ["LEAST(bp, NULL)", "GREATEST(NULL, bp)", "LEAST(bp, CAST(NULL AS DOUBLE) + 0)"])
def test_an_extreme_with_nothing_is_nothing(engine: Engine, bare: str) -> None:
    assert {row[1] for row in engine.rows(admitted(f"SELECT {bare} AS x FROM visit"))} == {None}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT (b.z IS NOT NULL)::INT AS x FROM visit a LEFT JOIN (SELECT 1 AS z FROM visit WHERE age > 90) b ON TRUE",
        "SELECT b.z AS x FROM visit a LEFT JOIN (SELECT 1 AS z FROM visit WHERE age > 90) b ON TRUE",
        "SELECT sum(1) AS x FROM visit",
        "SELECT least(sum(1), 2) AS x FROM visit",
        "SELECT max(1) FILTER (WHERE age > 90) AS x FROM visit",
        "SELECT lag(1) OVER (ORDER BY seen) AS x FROM visit",
    ],
)
def test_a_constant_that_rows_decide_on_is_counted_as_a_choice(sql: str) -> None:
    (column,) = admitted(sql).columns
    assert column.chosen and indicator_slots((column,), {"x"}), "its mean would be a count of persons"


def test_a_root_of_a_negative_constant_is_missing(engine: Engine) -> None:
    rows = engine.rows(admitted("SELECT age, power((0.1 * (2 / -3)), -0.5) AS x FROM visit"))
    assert {row[2] for row in rows} == {None}


def test_of_several_columns_the_known_ones_are_compared(engine: Engine) -> None:
    for text in ("GREATEST(age, bp)", "GREATEST(age, 0, bp)", "LEAST(GREATEST(age, bp), 1000)"):
        rows = engine.rows(admitted(f"SELECT age, bp, {text} AS x FROM visit"))
        assert all(x == max((v for v in (age, bp) if v is not None), default=None) for _, age, bp, x in rows), text
    assert any(age is None and bp is None for _, age, bp, _x in rows)


@pytest.mark.parametrize("sql", QUERIES)
def test_values_keep_to_the_derived_domain(engine: Engine, sql: str) -> None:
    verdict = admitted(sql)
    for row in engine.rows(verdict):
        for column, value in zip(verdict.columns, row[1:], strict=True):
            if value is None:
                continue
            if column.kind == "category" and column.levels:
                assert value in column.levels
            if column.low is not None:
                assert value >= column.low - 1e-9
            if column.high is not None:
                assert value <= column.high + 1e-9
            if column.integer:
                assert float(value).is_integer()
            if column.values:
                assert value in column.values


def test_a_value_outside_the_published_domain_is_read_as_missing(engine: Engine) -> None:
    rows = engine.rows(admitted("SELECT age, sex, bp FROM visit"))
    assert {row[2] for row in rows} == {"F", "M", None}
    assert all(row[1] is None or 18 <= row[1] <= 100 for row in rows)


def test_failing_expressions_give_null(engine: Engine) -> None:
    sql = "SELECT ln(chol) AS l, sqrt(chol) AS s, CAST(code AS DOUBLE) AS c FROM visit JOIN obs USING (enc)"
    rows = engine.rows(admitted(sql))
    assert any(row[1] is None for row in rows)
    assert all(row[3] is None for row in rows)
    assert engine.rows(admitted("SELECT seen + INTERVAL 900000 YEAR AS x FROM visit", cohort=True))


def test_lineage_and_grades_cover_predicates() -> None:
    verdict = admitted("SELECT age FROM visit WHERE gene = 1")
    assert verdict.grade == "L3"
    assert verdict.columns[0].grade == "L3"
    assert verdict.touched == ("visit.age", "visit.gene")
    assert admitted("SELECT age FROM visit").grade == "L2"


def test_the_digest_binds_the_text() -> None:
    assert admitted("SELECT age FROM visit").digest == admitted("select age from VISIT").digest
    assert admitted("SELECT age FROM visit").digest != admitted("SELECT bp AS age FROM visit").digest


def test_the_meaning_of_date_diff_is_the_engines(engine: Engine) -> None:
    verdict = admitted("SELECT date_diff('day', DATE '2000-01-01', seen) AS d FROM visit")
    assert min(row[1] for row in engine.rows(verdict)) >= 0
