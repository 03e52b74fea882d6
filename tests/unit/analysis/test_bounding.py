"""A query is given the same domain at hospitals that publish different ranges; its rows keep their values."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin.analysis.admit import Admitted, OutputColumn, ViewColumn, ViewSchema, admit
from xinglin.analysis.bounding import Fit, fit_of, fitted


def published(low: float, high: float, levels: tuple[str, ...]) -> dict[str, ViewSchema]:
    """One hospital's view."""
    columns = (
        ViewColumn("bp", "number", low, high),
        ViewColumn("visits", "number", int(low), int(high) + 1, integer=True),
        ViewColumn("sex", "category", levels=levels),
        ViewColumn("smoker", "boolean"),
    )
    return {"visit": ViewSchema(columns)}


HOSPITALS = (published(50, 250, ("F", "M")), published(40.5, 180, ("F", "M", "it's")), published(60, 90, ("M",)))


def columns_at(sql: str, hospital: dict[str, ViewSchema]) -> tuple[OutputColumn, ...]:
    found = admit(sql, hospital)
    assert isinstance(found, Admitted), (sql, found)
    return found.columns


def fits(sql: str) -> dict[str, Fit]:
    at = [{one.name: one for one in columns_at(sql, each)} for each in HOSPITALS]
    made = {name: fit_of([one.get(name) for one in at]) for name in at[0]}
    return {name: fit for name, fit in made.items() if fit is not None}


def domains(sql: str) -> set[tuple[object, ...]]:
    return {
        tuple((one.name, one.kind, one.low, one.high, one.levels, one.integer) for one in columns_at(sql, each))
        for each in HOSPITALS
    }


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT bp, visits, sex FROM visit",
        "SELECT bp AS pressure, sex AS s FROM visit v WHERE bp > 70 AND sex = 'F'",
        "SELECT bp * 2 AS twice, sex FROM visit",
        "SELECT avg(bp) AS mean, sex FROM visit GROUP BY sex",
        "SELECT DISTINCT visits, sex FROM visit",
        "WITH w AS (SELECT bp, sex FROM visit) SELECT bp, sex FROM w",
        "SELECT bp FROM visit UNION ALL SELECT bp FROM visit",
        "SELECT * FROM (SELECT bp, sex FROM visit) t",
        "SELECT DISTINCT bp, sex FROM visit;",
        "WITH w AS (SELECT bp, sex FROM visit) SELECT bp, sex FROM w -- as published\n",
    ],
)
def test_every_hospital_derives_the_same_domain(sql: str) -> None:
    assert len(domains(sql)) == 3, "as it stands they differ"
    names = [one.name for one in columns_at(sql, HOSPITALS[0])]
    made = fitted(sql, names, fits(sql))
    assert len(domains(made)) == 1, made
    assert [one.name for one in columns_at(made, HOSPITALS[0])] == names


@pytest.mark.parametrize("value", ["round(bp)", "floor(visits / 10)", "greatest(bp, 70)", "abs(bp - 60)"])
def test_what_may_not_be_bounded_again_is_left_alone(value: str) -> None:
    """A stepped number meets no second bound, and its values are counted one by one: the same everywhere, or not."""
    assert fits(f"SELECT {value} AS x FROM visit") == {}


def test_what_reads_well_is_rewritten_where_it_stands() -> None:
    made = fitted("SELECT bp, sex FROM visit WHERE bp > 70", ["bp", "sex"], {"bp": Fit(40.5, 250)})
    assert " ".join(made.split()) == "SELECT LEAST(GREATEST(bp, 40.5), 250) AS bp, sex FROM visit WHERE bp > 70"
    assert fitted("SELECT bp FROM visit", ["bp"], {}) == "SELECT bp FROM visit"


def test_rows_keep_their_values_and_what_is_missing_stays_missing() -> None:
    sql = "SELECT bp, sex FROM visit"
    made = fitted(sql, ["bp", "sex"], fits(sql))
    with duckdb.connect() as rows:
        rows.execute(
            "CREATE TABLE visit AS SELECT i::BIGINT AS __person, CASE WHEN i % 7 <> 0 THEN 45 + i * 3 END AS bp, "
            "i AS visits, CASE WHEN i % 5 <> 0 THEN ['F', 'M', 'X'][1 + i % 3] END AS sex, i % 2 = 0 AS smoker "
            "FROM range(60) t(i)"
        )
        for hospital in HOSPITALS:
            before, after = (admit(text, hospital) for text in (sql, made))
            assert isinstance(before, Admitted) and isinstance(after, Admitted)
            as_published = rows.execute(before.sql_rewritten + " ORDER BY ALL").fetchall()
            assert rows.execute(after.sql_rewritten + " ORDER BY ALL").fetchall() == as_published
            assert any(row[1] is None for row in as_published) and any(row[2] is None for row in as_published)


def number(low: float | None = 0, high: float | None = 1, *, integer: bool = False) -> OutputColumn:
    return OutputColumn("x", "number", low, high, (), integer, "L1", ())


def test_what_no_bound_makes_the_same_is_left_alone() -> None:
    text = OutputColumn("x", "category", None, None, ("a",), False, "L1", ())
    assert fit_of((number(), number(integer=True))) is None
    assert fit_of((number(), text)) is None and fit_of((number(), None)) is None
    assert fit_of((number(None), number())) is None
    assert fit_of((text, OutputColumn("x", "category", None, None, (), False, "L1", ()))) is None
    many = OutputColumn("x", "category", None, None, tuple(map(str, range(101))), False, "L1", ())
    assert fit_of((text, many)) is None, "nobody reads a list of a hundred levels"


@given(
    st.lists(st.tuples(*[st.floats(-1e9, 1e9, allow_nan=False)] * 2).map(sorted), min_size=2, max_size=5),
    st.sampled_from(["a", "select", "Height_cm", "身高"]),
)
def test_any_ranges_meet_in_one_that_holds_them_all(ranges: list[list[float]], name: str) -> None:
    views = [{"v": ViewSchema((ViewColumn(name, "number", low, high),))} for low, high in ranges]
    sql = f'SELECT "{name}" FROM v'
    fit = fit_of([columns_at(sql, one)[0] for one in views])
    assert fit is not None and (fit.low, fit.high) == (min(low for low, _ in ranges), max(high for _, high in ranges))
    for made in (fitted(sql, [name], {name: fit}), fitted(f"SELECT DISTINCT * FROM ({sql}) t", [name], {name: fit})):
        assert {(one.name, one.low, one.high) for each in views for one in columns_at(made, each)} == {
            (name, fit.low, fit.high)
        }
