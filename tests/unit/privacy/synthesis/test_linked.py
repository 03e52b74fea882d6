"""Tables that hang on a person: counts, relations, rules across tables, the bound on one person's rows."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from xinglin.privacy.noise import rho_for_epsilon
from xinglin.privacy.synthesis import (
    BadColumns,
    BadModel,
    BadSchema,
    Child,
    Column,
    Columns,
    Linked,
    Ordered,
    Schema,
    fit_linked,
    linked_from_bytes,
)

RHO = rho_for_epsilon(Fraction(2), Fraction(1, 10**6))
PERSONS = Schema(
    (
        Column("sex", levels=("female", "male"), missing=False),
        Column("born", "date", low=0, high=20_000, bins=8, missing=False),
    )
)
VISITS = Schema(
    (
        Column("ward", levels=("a", "b", "c"), missing=False),
        Column("day", "date", low=0, high=20_000, bins=8, missing=False),
    ),
    (Ordered("persons.born", "day"),),
)
LINKED = Linked("persons", PERSONS, "patient", (Child("visits", VISITS, "patient", 4, ("sex", "born")),))


def seeded(seed: int):
    return np.random.default_rng(seed).bytes


def tables(persons: int) -> dict[str, Columns]:
    """Women come three times to ward a, men once to ward b or c; nobody before birth."""
    random = np.random.default_rng(0)
    male = random.random(persons) < 0.5
    born = random.integers(0, 15_000, persons)
    keys = np.array([f"p{number}" for number in range(persons)], dtype=object)
    owner = np.repeat(np.arange(persons), np.where(male, 1, 3))
    ward = np.where(male[owner], np.array(["b", "c"])[random.integers(0, 2, len(owner))], "a").astype(object)
    return {
        "persons": {"patient": keys, "sex": np.where(male, "male", "female").astype(object), "born": born},
        "visits": {"patient": keys[owner], "ward": ward, "day": born[owner] + random.integers(0, 5_000, len(owner))},
    }


def test_counts_relations_and_rules_hold_over_tables() -> None:
    model = fit_linked(tables(4_000), LINKED, RHO, seeded(1))
    drawn = linked_from_bytes(model.to_bytes()).draw(3_000, seeded(2))
    persons, visits = drawn["persons"], drawn["visits"]
    assert list(persons) == ["patient", "sex", "born"] and list(visits) == ["patient", "ward", "day"]
    assert len(set(persons["patient"])) == 3_000
    place = {key: number for number, key in enumerate(persons["patient"])}
    owner = np.array([place[key] for key in visits["patient"]])
    counts = np.bincount(owner, minlength=3_000)
    male = persons["sex"] == "male"
    assert counts.max() <= 4
    assert abs(counts[male].mean() - 1) < 0.2 and abs(counts[~male].mean() - 3) < 0.2
    at_a = visits["ward"] == "a"
    assert at_a[~male[owner]].mean() > 0.9 and at_a[male[owner]].mean() < 0.1
    assert (visits["day"] >= persons["born"][owner]).all()


def test_the_guarantee_is_for_a_person_over_all_tables() -> None:
    model = fit_linked(tables(300), LINKED, RHO, seeded(3), "mst")
    said = model.guarantee(Fraction(1, 10**6))
    assert model.rho_units == RHO and said.epsilon_spent <= 2
    assert said.rows_per_person == 5 and said.unit == "a person with all rows in all tables"
    spent = sum(one.rho_units for part in (model.person, *model.children) for one in part.spends)
    assert RHO * 0.99 < spent <= RHO
    assert model.children[0].rows_per_person == 4


def test_more_rows_than_the_bound_and_rows_of_nobody_are_left_out() -> None:
    data = tables(50)
    keys = np.array(["p0"] * 500 + ["nobody"] * 500, dtype=object)
    data["visits"] = {"patient": keys, "ward": np.array(["a"] * 1000, dtype=object), "day": np.full(1000, 16_000)}
    data["persons"] = {name: np.concatenate([values, values[:5]]) for name, values in data["persons"].items()}
    model = fit_linked(data, LINKED, 10**12, seeded(4), "mst")
    assert abs(model.person.total - 50) < 20
    assert model.children[0].total < 30


def test_empty_tables_are_tables() -> None:
    model = fit_linked(tables(0), LINKED, RHO, seeded(5), "mst")
    drawn = model.draw(5, seeded(6))
    assert len(drawn["persons"]["patient"]) == 5
    assert fit_linked(tables(10), LINKED, RHO, seeded(5), "mst").draw(0, seeded(6))["visits"]["ward"].size == 0


def test_what_does_not_fit_is_refused() -> None:
    data = tables(5)
    with pytest.raises(BadColumns, match="visits"):
        fit_linked({"persons": data["persons"]}, LINKED, RHO, seeded(7))
    without = {name: values for name, values in data["visits"].items() if name != "patient"}
    with pytest.raises(BadColumns, match="keys"):
        fit_linked({**data, "visits": without}, LINKED, RHO, seeded(7))
    with pytest.raises(BadSchema):
        Linked("persons", PERSONS, "patient", (Child("persons", VISITS, "patient", 4),))
    with pytest.raises(BadSchema):
        Linked("persons", PERSONS, "patient", (Child("visits", VISITS, "patient", 0),))
    with pytest.raises(BadSchema, match="key"):
        Linked("persons", PERSONS, "patient", (Child("visits", VISITS, "ward", 4),))
    with pytest.raises(BadSchema):
        Linked("persons", PERSONS, "patient", (Child("visits", VISITS, "patient", 4, ("height",)),))
    with pytest.raises(BadSchema):
        Linked("persons", PERSONS, "patient", (Child("visits", VISITS, "patient", 4, weight=0),))
    with pytest.raises(BadModel):
        linked_from_bytes(b"nothing")
