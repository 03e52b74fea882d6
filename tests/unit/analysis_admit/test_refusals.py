"""Attacks from outside: each is refused, with the reason named."""

from __future__ import annotations

import pytest
from tests.unit.analysis_admit.conftest import VIEWS, admitted

from xinglin.analysis.admit import Admitted, admit
from xinglin.analysis.admit_model import EXPRESSIONS, SQL_CHARACTERS
from xinglin.kernel.verdict import Denied

LONE = "FROM visit a LEFT JOIN (SELECT 1 AS z, DATE '2020-01-01' AS d, 'a' AS t FROM visit WHERE age = 97) b ON TRUE"
TWICE = "SELECT bp FROM visit UNION ALL SELECT bp FROM visit WHERE age = 97"
AT_97 = "(age - 97) * (age - 97)"
ATTACKS = {
    # files, settings, other tables
    "SELECT * FROM read_csv('/etc/passwd')": "not_admitted",
    "SELECT * FROM '/etc/passwd'": "name",
    "SELECT * FROM duckdb_settings()": "not_admitted",
    "SELECT * FROM query('SELECT 1')": "not_admitted",
    "SELECT * FROM query_table('visit')": "not_admitted",
    "SELECT * FROM information_schema.tables": "not_admitted",
    "SELECT * FROM main.visit": "not_admitted",
    "SELECT * FROM sqlite_master": "unknown_relation",
    "SELECT current_setting('memory_limit') AS s FROM visit": "not_admitted",
    "SELECT getenv('HOME') AS s FROM visit": "not_admitted",
    "SELECT version() AS s FROM visit": "not_admitted",
    "PRAGMA database_list": "statement",
    "SET threads = 1": "statement",
    "COPY visit TO '/tmp/x'": "statement",
    "ATTACH 'x.db'": "statement",
    "INSTALL httpfs": "statement",
    "CREATE TABLE x AS SELECT age FROM visit": "statement",
    "SELECT age FROM visit; SELECT age FROM visit": "statement",
    "EXPLAIN SELECT age FROM visit": "statement",
    "": "statement",
    "SELECT": "statement",
    # rows from nothing
    "SELECT x FROM range(1000000000) t(x)": "not_admitted",
    "SELECT x FROM generate_series(1, 10) t(x)": "not_admitted",
    "SELECT unnest([1, 2]) AS x FROM visit": "not_admitted",
    "SELECT * FROM (VALUES (1)) t(x)": "not_admitted",
    "SELECT 1 AS x": "row_generator",
    "WITH RECURSIVE r AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM r) SELECT x FROM r": "not_admitted",
    "SELECT age FROM visit, LATERAL (SELECT 1) z": "not_admitted",
    # persons
    "SELECT __person FROM visit": "reserved_name",
    'SELECT "__person" FROM visit': "reserved_name",
    "SELECT age AS __x FROM visit": "reserved_name",
    "SELECT name FROM visit": "identifier_predicate",
    "SELECT age FROM visit WHERE name = 'n3'": "identifier_predicate",
    "SELECT age FROM visit WHERE enc = '3'": "identifier_predicate",
    "SELECT age FROM visit WHERE enc < enc": "identifier_predicate",
    "SELECT age FROM visit WHERE enc LIKE '1%'": "kind",
    "SELECT enc FROM visit": "output_kind",
    "SELECT seen FROM visit": "output_kind",
    # across persons
    "SELECT age FROM visit ORDER BY age": "order",
    "SELECT age FROM visit LIMIT 1": "order",
    "SELECT age FROM visit OFFSET 5": "order",
    "SELECT age FROM (SELECT age FROM visit ORDER BY age LIMIT 1) t": "order",
    "SELECT age FROM visit UNION ALL SELECT bp FROM visit LIMIT 1": "order",
    "SELECT age FROM visit USING SAMPLE 10": "order",
    "SELECT age FROM visit TABLESAMPLE 10%": "not_admitted",
    "SELECT age FROM visit WHERE age = (SELECT max(age) FROM visit)": "not_admitted",
    "SELECT age FROM visit WHERE age IN (SELECT age FROM visit)": "not_admitted",
    "SELECT age FROM visit EXCEPT SELECT age FROM visit": "statement",
    "SELECT age FROM visit POSITIONAL JOIN obs": "not_admitted",
    "SELECT DISTINCT ON (age) age FROM visit": "not_admitted",
    # a value hidden in a mean
    "SELECT CASE WHEN age = 97 THEN bp ELSE 0 END AS x FROM visit": "hidden_value",
    "SELECT IF(age = 97, bp, age) AS x FROM visit": "hidden_value",
    "SELECT bp * (age = 97)::INT AS x FROM visit": "hidden_value",
    "SELECT bp + 1000000 * (age = 97)::INT AS x FROM visit": "hidden_value",
    "SELECT bp * smoker::INT AS x FROM visit": "hidden_value",
    "SELECT bp * gene AS x FROM visit": "hidden_value",
    "SELECT bp * sign(age - 97) AS x FROM visit": "hidden_value",
    "SELECT bp * count(*) AS x FROM visit GROUP BY bp": "hidden_value",
    "SELECT bp * exp(-1000 * (age - 97) * (age - 97)) AS x FROM visit": "hidden_value",
    "SELECT bp / (age - 97) AS x FROM visit": "hidden_value",
    "SELECT 1 / (age - 97.000001) AS x FROM visit": "hidden_value",
    "SELECT power(age - 97.000001, -2) AS x FROM visit": "hidden_value",
    "SELECT bp * greatest(0, age - 96) AS x FROM visit": "hidden_value",
    "SELECT greatest(0, 1 - abs(age - 97)) AS x FROM visit": "hidden_value",
    "SELECT bp * floor(age / 97) AS x FROM visit": "hidden_value",
    "SELECT bp * (age - 95) * (age - 96) * (age - 98) * (age - 99) AS x FROM visit": "hidden_value",
    "SELECT coalesce(nullif(bp, 97), 0) AS x FROM visit": "hidden_value",
    "SELECT coalesce(b.bp, 0) AS x FROM visit a LEFT JOIN visit b ON a.age = 97": "hidden_value",
    "SELECT coalesce(sum(bp) FILTER (WHERE age = 97), 0) AS x FROM visit": "hidden_value",
    "SELECT coalesce(lag(bp) OVER (ORDER BY seen), 0) AS x FROM visit": "hidden_value",
    "SELECT lag(bp, 1, 0) OVER (ORDER BY seen) AS x FROM visit": "not_admitted",
    "SELECT bp FROM visit WHERE age = 97 UNION ALL SELECT 0 AS bp FROM visit": "hidden_value",
    "SELECT bp FROM visit WHERE age = 97 UNION ALL SELECT bp - bp AS bp FROM visit": "hidden_value",
    "SELECT date_diff('day', IF(age = 97, DATE '2000-01-01', DATE '2001-01-01'), seen) AS x FROM visit": "hidden_value",
    # a constant that a condition made missing, or counted
    f"SELECT bp * (1 - (b.z IS NULL)::INT) AS x {LONE}": "hidden_value",
    f"SELECT bp + 1000 * (b.z IS NOT NULL)::INT AS x {LONE}": "hidden_value",
    f"SELECT bp * coalesce(b.z, 0) AS x {LONE}": "hidden_value",
    f"SELECT bp * (b.d IS NULL)::INT AS x {LONE}": "hidden_value",
    f"SELECT bp * (b.t IS NULL)::INT AS x {LONE}": "hidden_value",
    f"SELECT bp * (b.z + 0 IS NULL)::INT AS x {LONE}": "hidden_value",
    f"SELECT bp * length(coalesce(b.t, '')) AS x {LONE}": "hidden_value",
    "SELECT avg(bp) * (1 - (max(1) FILTER (WHERE age = 97) IS NULL)::INT) AS x FROM visit": "hidden_value",
    "SELECT bp * (lag(1) OVER (ORDER BY seen) IS NULL)::INT AS x FROM visit": "hidden_value",
    f"SELECT avg(bp) * (least(sum(1), 2) - 1) AS x FROM ({TWICE}) t": "hidden_value",
    f"SELECT avg(bp) * sum(0.5) AS x FROM ({TWICE}) t": "hidden_value",
    "SELECT bp * greatest(sum(1) OVER (), 1) AS x FROM visit": "hidden_value",
    "SELECT bp * (nullif(1, 1) IS NULL)::INT AS x FROM visit": "hidden_value",
    f"SELECT (bp - 50) * exp({AT_97} * greatest(NULL, -1000)) AS x FROM visit": "hidden_value",
    f"SELECT (bp - 50) * exp({AT_97} * greatest(CAST(NULL AS DOUBLE) + 0, -1000)) AS x FROM visit": "hidden_value",
    f"SELECT (bp - 50) * exp({AT_97} * greatest(max(0) OVER (ORDER BY seen ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING), "
    "-1000)) AS x FROM visit": "hidden_value",
    # a sum so large that it rounds, or a bound that no column has
    "SELECT bp * (((age - 32.5 + 900000000000000000) - 900000000000000000) / 128) AS x FROM visit": "hidden_value",
    "SELECT bp * 1e17 + age * 64.5 - 2080 - bp * 1e17 AS x FROM visit": "hidden_value",
    "SELECT least(greatest(chol * 1e-9 + 1e9 - 1e9, 0), 1) AS x FROM visit": "hidden_value",
    "SELECT least(greatest(chol + 9e17 - 9e17, 0), 128) AS x FROM visit": "hidden_value",
    "SELECT greatest(bp, 205 + 0 * age) AS x FROM visit": "hidden_value",
    # one column for some, another for others
    "SELECT age AS x FROM visit WHERE age <> 97 UNION ALL SELECT bp AS x FROM visit WHERE age = 97": "hidden_value",
    "SELECT max(x) AS x FROM (SELECT age AS x FROM visit UNION ALL SELECT bp AS x FROM visit WHERE age = 97) t": (
        "hidden_value"
    ),
    # steps of the calendar, and of texts
    "SELECT bp * (date_diff('day', seen + INTERVAL 1 MONTH, seen) + 31) AS x FROM visit": "hidden_value",
    "SELECT bp * (year(seen) - 2000) AS x FROM visit": "hidden_value",
    "SELECT bp * CAST(CASE WHEN age = 97 THEN '500' ELSE '1' END AS DOUBLE) AS x FROM visit": "hidden_value",
    # a tower of functions
    "SELECT bp * exp(exp((age - 100) * 0.146 + 2.48)) AS x FROM visit": "hidden_value",
    # floods
    "SELECT repeat('a', 1000000000) AS x FROM visit": "not_admitted",
    "SELECT code || code AS x FROM obs": "size",
    "SELECT lpad(code, 1000000000, 'x') AS x FROM obs": "not_admitted",
    "SELECT age FROM obs, visit WHERE regexp_matches(code, '(a+)+')": "pattern",
    "SELECT value FROM obs WHERE regexp_matches(code, 'a{999}')": "pattern",
    "SELECT value FROM obs WHERE code LIKE '%a%a%a%a%a%a%a%a%a%'": "pattern",
    # oracles and chance
    "SELECT error('x') AS e FROM visit": "not_admitted",
    "SELECT CASE WHEN age = 97 THEN error('x') ELSE 1 END AS e FROM visit": "not_admitted",
    "SELECT random() AS r FROM visit": "not_admitted",
    "SELECT now() AS r FROM visit": "not_admitted",
    "SELECT uuid() AS r FROM visit": "not_admitted",
    "SELECT date_diff('day', seen, current_date) AS r FROM visit": "not_admitted",
    "SELECT hash(age) AS r FROM visit": "not_admitted",
    "SELECT age % 7 AS r FROM visit": "not_admitted",
    "SELECT first(age) AS r FROM visit": "not_admitted",
    "SELECT list(age) AS r FROM visit": "not_admitted",
    "SELECT string_agg(sex) AS r FROM visit": "not_admitted",
    "SELECT 1e999 AS r FROM visit": "literal",
    # words
    "SELECT age, bp AS AGE FROM visit": "duplicate",
    "SELECT avg(bp) FROM visit": "name",
    "SELECT avg(bp) AS m, age FROM visit": "not_grouped",
    "SELECT nothing FROM visit": "unknown_column",
    "SELECT o.age FROM visit": "unknown_relation",
    "SELECT age FROM visit a, visit a": "ambiguous",
    "SELECT age FROM visit a, visit b": "ambiguous",
    "SELECT age FROM visit WHERE avg(bp) > 1": "aggregate",
    "SELECT age FROM visit WHERE rank() OVER () = 1": "window",
    "SELECT age + sex AS x FROM visit": "kind",
    "SELECT age FROM visit WHERE age": "kind",
    "SELECT age FROM visit WHERE age = 'x'": "kind",
    "SELECT COLUMNS('.*') FROM visit": "not_admitted",
    "SELECT age FROM visit WHERE seen > 'yesterday'": "literal",
}


@pytest.mark.parametrize("sql", ATTACKS)
def test_attacks_are_refused_with_a_reason(sql: str) -> None:
    verdict = admit(sql, VIEWS)
    assert isinstance(verdict, Denied), verdict
    assert f"sql.{ATTACKS[sql]}" in verdict.codes
    assert all(reason.words for reason in verdict.reasons)


def test_every_reason_is_told() -> None:
    verdict = admit("SELECT random() AS a, nothing FROM visit WHERE hash(age) = 1", VIEWS)
    assert isinstance(verdict, Denied)
    assert len(verdict.reasons) == 3


def test_sizes_have_limits() -> None:
    longest = "SELECT age FROM visit WHERE age IN (" + ", ".join(["30"] * 500) + ")"
    assert isinstance(admit(longest, VIEWS), Admitted)
    one_more = longest.replace("(30", "(30, 30")
    assert admit(one_more, VIEWS).codes == ("sql.list",)
    assert admit("SELECT age FROM visit" + " " * SQL_CHARACTERS.value, VIEWS).codes == ("sql.size",)
    assert admit("SELECT " + ", ".join(f"age AS a{i}" for i in range(201)) + " FROM visit", VIEWS).codes == (
        "sql.size",
    )
    assert admit(f"SELECT age FROM visit WHERE sex = '{'a' * 201}'", VIEWS).codes == ("sql.literal",)
    assert EXPRESSIONS.value == 20_000


def test_nesting_has_a_limit() -> None:
    assert isinstance(admit("SELECT " + "(" * 20 + "age" + ")" * 20 + " AS x FROM visit", VIEWS), Admitted)
    for deep in (100, 1500, 4000):
        assert isinstance(admit("SELECT " + "(" * deep + "age" + ")" * deep + " AS x FROM visit", VIEWS), Denied)
        assert isinstance(admit("SELECT age FROM visit WHERE " + "NOT " * deep + "smoker", VIEWS), Denied)
        assert isinstance(admit("SELECT " + "-" * 1 + "+".join(["age"] * deep) + " AS x FROM visit", VIEWS), Denied)


def test_a_long_chain_of_conditions_is_not_a_deep_one() -> None:
    chain = " OR ".join(f"age = {i}" for i in range(300))
    assert isinstance(admit(f"SELECT age FROM visit WHERE {chain}", VIEWS), Admitted)


def test_doubling_subqueries_has_a_limit() -> None:
    text = "WITH c0 AS (SELECT age FROM visit)"
    for i in range(12):
        text += f", c{i + 1} AS (SELECT a.age FROM c{i} a, c{i} b)"
    assert admit(text + " SELECT age FROM c12", VIEWS).codes == ("sql.size",)


def test_case_upon_case_does_not_explode() -> None:
    text = "age"
    for _ in range(25):
        text = f"CASE {text} WHEN 1 THEN 2 WHEN 2 THEN 3 WHEN 3 THEN 1 END"
    assert isinstance(admit(f"SELECT {text} AS x FROM visit", VIEWS), Admitted | Denied)


def test_indicators_name_who_must_be_counted() -> None:
    from xinglin.analysis.admit_indicators import indicator_slots

    sql = (
        "SELECT CASE WHEN age = 97 THEN 5 ELSE 0 END AS flag, greatest(bp, 240) AS top, count(*) OVER () AS n, "
        "age, smoker FROM visit"
    )
    slots = indicator_slots(admitted(sql).columns, ["flag", "top", "n", "age", "smoker"])
    cells = [slot.cell for slot in slots]
    assert cells[:2] == ["?flag=0.0", "?flag=5.0"]
    assert [cell.split(":")[1] for cell in cells[2:5]] == ["above", "below", "inside"]
    assert cells[5:] == ["?n"]
    assert indicator_slots(admitted(sql).columns, ["age", "smoker"]) == ()
