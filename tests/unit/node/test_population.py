"""Which populations a cohort may hold: only what every row is certain to exclude is left out."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin.catalogue import ColumnDescription, DataSetDescription, TableDescription
from xinglin.node.population import ADULT_AT, NEWBORN_UNTIL, OLDER_AT, populations
from xinglin.terms.agreed import CohortView
from xinglin.terms.vocabulary import POPULATIONS

ALL = tuple(sorted(POPULATIONS))
CHILDREN, GROWN = {"minors", "newborns"}, {"adults", "older-adults"}


def described(unit: str = "a", kind: str = "integer") -> DataSetDescription:
    columns = (
        ColumnDescription("age", kind, unit=unit),
        ColumnDescription("num"),
        ColumnDescription("p", "text", "person"),
    )
    return DataSetDescription("heart", "did:xinglin:x", "Heart", (TableDescription("heart", columns, "p"),))


def left_out(*selects: str, of: DataSetDescription | None = None) -> set[str]:
    views = tuple(CohortView(f"v{number}", select) for number, select in enumerate(selects))
    found = populations(views, of or described())
    assert found is not None
    return set(ALL) - set(found)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("age >= 18", CHILDREN),
        ("age > 17", {"newborns"}),
        ("18 <= age", CHILDREN),
        ("age < 18", GROWN),
        ("18 > age", GROWN),
        ("age <= 18", {"older-adults"}),
        ("age BETWEEN 18 AND 59", {*CHILDREN, "older-adults"}),
        ("age = 30", {*CHILDREN, "older-adults"}),
        ("(age >= 18) AND num = 1 AND age < 60", {*CHILDREN, "older-adults"}),
        ("heart.age >= 65", CHILDREN),
        ("age >= 18 OR num = 1", set()),
        ("NOT age < 18", set()),
        ("age >= 10 + 8", set()),
        ("age >= '18'", set()),
        ("num >= 18", set()),
        ("age >= -18", set()),
        ("age IN (20, 30)", set()),
    ],
)
def test_what_a_where_excludes(where: str, expected: set[str]) -> None:
    assert left_out(f"SELECT age FROM heart WHERE {where}") == expected


@pytest.mark.parametrize(
    "select",
    [
        "SELECT age FROM heart",
        "SELECT h.age FROM heart h JOIN other o ON h.p = o.p WHERE h.age >= 18",
        "SELECT age FROM (SELECT age FROM heart) WHERE age >= 18",
        "SELECT age FROM heart WHERE age >= 18 UNION ALL SELECT age FROM heart",
        "SELECT age FROM heart AS h(weight, age) WHERE age >= 18",
        "SELECT age FROM heart UNPIVOT (age FOR kind IN (age, weight)) WHERE age >= 18",
        "WITH heart AS (SELECT 20 AS age) SELECT age FROM heart WHERE age >= 18",
        "SELECT age FROM heart, other WHERE age >= 18",
        "SELECT age FROM elsewhere WHERE age >= 18",
        "SELECT ; ; FROM",
        "",
    ],
)
def test_what_is_not_plain_excludes_nobody(select: str) -> None:
    assert left_out(select) == set()


def test_ages_in_other_units_tell_nothing() -> None:
    query = "SELECT age FROM heart WHERE age >= 18"
    for of in (described("mo"), described(""), described("a", "text")):
        assert left_out(query, of=of) == set()
    assert left_out(query, of=described("a_g", "number")) == CHILDREN


def test_several_views_hold_what_any_of_them_holds() -> None:
    grown = "SELECT age FROM heart WHERE age >= 18"
    assert left_out(grown, grown) == CHILDREN
    assert left_out(grown, "SELECT age FROM heart") == set()
    assert populations((CohortView("v", grown),), None) is None


COMPARED = st.builds(
    lambda operator, number, turned: f"{number} {operator} age" if turned else f"age {operator} {number}",
    st.sampled_from(["<", "<=", ">", ">=", "=", "<>"]),
    st.sampled_from([0, 0.5, 1, 17, 17.9, 18, 18.5, 59, 60, 61]),
    st.booleans(),
)


@given(st.lists(COMPARED, min_size=1, max_size=4), st.sampled_from([" AND ", " OR "]))
def test_nobody_of_an_excluded_population_is_in_the_rows(parts: list[str], joined: str) -> None:
    ages = [0.0, 0.04, 0.9, 1.0, 10.0, 17.0, 17.95, 18.0, 18.2, 40.0, 59.9, 60.0, 61.5, 90.0]
    where = joined.join(parts)
    without = left_out(f"SELECT age FROM heart WHERE {where}")
    rows = ", ".join(f"({one})" for one in (*ages, "NULL"))
    kept = duckdb.sql(f"SELECT age FROM (VALUES {rows}) AS heart(age) WHERE {where}").fetchall()
    for (age,) in kept:
        is_in = {"adults"} if age >= ADULT_AT else {"minors"}
        is_in |= {"older-adults"} if age >= OLDER_AT else set()
        is_in |= {"newborns"} if age < NEWBORN_UNTIL else set()
        assert not is_in & without
