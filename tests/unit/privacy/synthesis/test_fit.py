"""A table synthesised: what is drawn, what is spent, what is refused."""

from __future__ import annotations

from fractions import Fraction

import msgspec
import numpy as np
import pytest

from xinglin.privacy.noise import rho_for_epsilon
from xinglin.privacy.synthesis import (
    BadColumns,
    BadModel,
    BadSchema,
    Column,
    Columns,
    Model,
    OnlyWhen,
    Ordered,
    Schema,
    TooLittleBudget,
    fit,
    from_bytes,
)

RHO = rho_for_epsilon(Fraction(1), Fraction(1, 10**7))
SCHEMA = Schema(
    (
        Column("sex", levels=("female", "male"), missing=False),
        Column("ward", levels=("a", "b", "c", "d")),
        Column("smoker", "boolean"),
        Column("age", "integer", low=0, high=120, missing=False),
        Column("weight", "number", low=0.0, high=200.0, bins=8),
        Column("came", "date", low=18_000, high=20_000, bins=6, missing=False),
        Column("died", "date", low=18_000, high=20_000, bins=6),
    ),
    (Ordered("came", "died"), OnlyWhen("weight", "ward", ("a", "b", "c"))),
)


def seeded(seed: int):
    random = np.random.default_rng(seed)
    return random.bytes


def table(rows: int, seed: int = 0) -> Columns:
    """Wards by sex, weight by sex, a missing weight in ward d, some deaths."""
    random = np.random.default_rng(seed)
    male = random.random(rows) < 0.5
    ward = np.array(["a", "b", "c", "d"], dtype=object)[np.minimum(random.integers(0, 4, rows), 1 + 2 * male)]
    ward[random.random(rows) < 0.05] = None
    came = random.integers(18_000, 19_500, rows)
    died = np.where(random.random(rows) < 0.2, came + random.integers(0, 400, rows), np.nan)
    return {
        "sex": np.where(male, "male", "female").astype(object),
        "ward": ward,
        "smoker": np.where(random.random(rows) < 0.1, np.nan, random.random(rows) < 0.3),
        "age": np.clip(random.normal(60, 15, rows), 0, 120).astype(np.int64),
        "weight": np.where(ward == "d", np.nan, random.normal(65 + 15 * male, 10)),
        "came": came,
        "died": died,
    }


@pytest.mark.parametrize("method", ["aim", "mst"])
def test_what_is_drawn_looks_like_the_data_and_keeps_the_rules(method: str) -> None:
    data = table(5_000)
    model = fit(data, SCHEMA, RHO, seeded(1), method)
    drawn = model.draw(4_000, seeded(2))
    assert list(drawn) == [column.name for column in SCHEMA.columns]
    assert {name: values.dtype.kind for name, values in drawn.items()} == {
        "sex": "O", "ward": "O", "smoker": "f", "age": "i", "weight": "f", "came": "i", "died": "f",
    }  # fmt: skip
    assert all(len(values) == 4_000 for values in drawn.values())
    assert abs(np.mean(drawn["age"]) - 60) < 3
    men, women = (np.nanmean(drawn["weight"][drawn["sex"] == sex]) for sex in ("male", "female"))
    assert men - women > 8
    assert abs(np.mean(np.isnan(drawn["died"])) - 0.8) < 0.05
    dead = ~np.isnan(drawn["died"])
    assert (drawn["died"][dead] >= drawn["came"][dead]).all()
    assert np.isnan(drawn["weight"][np.isin(drawn["ward"], ["d", None])]).all()


def test_the_budget_is_spent_and_never_passed() -> None:
    model = fit(table(500), SCHEMA, RHO, seeded(3))
    spent = sum(one.rho_units for one in model.spends)
    assert RHO - 3_000 < spent <= RHO == model.rho_units
    said = model.guarantee(Fraction(1, 10**7))
    assert said.epsilon_spent <= 1 and said.rows_per_person == 1


def test_a_model_comes_back_from_its_bytes_and_draws_the_same_rows() -> None:
    model = fit(table(300), SCHEMA, RHO, seeded(4), "mst")
    again = from_bytes(model.to_bytes())
    assert again == model and isinstance(again, Model)
    one, other = model.draw(50, seeded(5)), again.draw(50, seeded(5))
    assert all(np.array_equal(one[name].astype(str), other[name].astype(str)) for name in one)
    for broken in (b"", b"no model", model.to_bytes()[:-9]):
        with pytest.raises(BadModel):
            from_bytes(broken)
    newer = model.to_bytes().replace(b"\xa7version\x01", b"\xa7version\x02")
    with pytest.raises(BadModel, match="version 2"):
        from_bytes(newer)


def test_a_model_whose_parts_do_not_fit_is_refused() -> None:
    model = fit(table(50), SCHEMA, RHO, seeded(4), "mst")
    part = model.potentials[-1]
    holes = msgspec.structs.replace(part, values=np.full(len(part.values) // 8, np.nan).tobytes())
    for changes in (
        {"base": model.base[1:]},
        {"codings": model.codings[::-1]},
        {"potentials": (msgspec.structs.replace(part, attributes=(1, 99)),)},
        {"potentials": (msgspec.structs.replace(part, attributes=(3, 1)),)},
        {"potentials": (msgspec.structs.replace(part, values=part.values[8:]),)},
        {"potentials": (holes,)},
        {"last": (99,)},
    ):
        with pytest.raises(BadModel):
            from_bytes(msgspec.structs.replace(model, **changes).to_bytes())


@pytest.mark.parametrize("rows", [0, 1, 2])
@pytest.mark.parametrize("method", ["aim", "mst"])
def test_next_to_no_rows_are_data_too(rows: int, method: str) -> None:
    drawn = fit(table(rows), SCHEMA, RHO, seeded(6), method).draw(20, seeded(7))
    assert all(len(values) == 20 for values in drawn.values())


def test_constant_columns_and_one_column_alone() -> None:
    schema = Schema((Column("all", levels=("x",), missing=False), Column("flag", "boolean", missing=False)))
    data: Columns = {"all": np.array(["x"] * 400, dtype=object), "flag": np.ones(400, dtype=np.int64)}
    drawn = fit(data, schema, RHO, seeded(8)).draw(400, seeded(9))
    assert set(drawn["all"]) == {"x"} and drawn["flag"].mean() > 0.8
    alone = Schema(schema.columns[1:])
    for method in ("aim", "mst"):
        assert len(fit(data, alone, RHO, seeded(8), method).draw(3, seeded(9))["flag"]) == 3


def test_a_column_of_many_levels_is_kept_apart_from_others_it_would_blow_up() -> None:
    random = np.random.default_rng(0)
    levels = tuple(f"code {number}" for number in range(3_000))
    schema = Schema((Column("code", levels=levels), Column("other", levels=levels), SCHEMA.columns[0]))
    data: Columns = {
        "code": np.array(levels, dtype=object)[random.zipf(1.5, 2_000) % 3_000],
        "other": np.array(levels, dtype=object)[random.integers(0, 3_000, 2_000)],
        "sex": table(2_000)["sex"],
    }
    model = fit(data, schema, RHO, seeded(10))
    assert not any({0, 1} <= set(one.attributes) for one in model.potentials)
    assert len(model.draw(100, seeded(11))["code"]) == 100


def test_what_is_outside_the_published_facts_tells_nothing_by_an_error() -> None:
    data = table(300)
    data["age"][0], data["sex"][1], data["ward"][2], data["weight"][3] = 10_000, "unheard of", "z", np.inf
    drawn = fit(data, SCHEMA, RHO, seeded(12), "mst").draw(300, seeded(13))
    assert drawn["age"].max() <= 120 and set(drawn["sex"]) <= {"female", "male"}
    assert np.nanmax(drawn["weight"]) <= 200


def test_rows_of_a_person_are_bounded_and_cost_by_their_square() -> None:
    data = table(600)
    persons = np.repeat(np.arange(60), 10)
    model = fit(data, SCHEMA, RHO, seeded(14), "mst", persons=persons, rows_per_person=2)
    assert model.rows_per_person == 2 and model.total < 400
    with pytest.raises(BadColumns, match="one person a row"):
        fit(data, SCHEMA, RHO, seeded(14), persons=persons[1:])


def test_what_cannot_be_synthesised_is_refused() -> None:
    data = table(10)
    with pytest.raises(TooLittleBudget):
        fit(data, SCHEMA, 10, seeded(15))
    with pytest.raises(TooLittleBudget):
        fit(data, SCHEMA, 0.5, seeded(15))  # type: ignore[arg-type]
    with pytest.raises(BadSchema, match="no method"):
        fit(data, SCHEMA, RHO, seeded(15), "gan")
    with pytest.raises(BadColumns, match="'died'"):
        fit({name: data[name] for name in data if name != "died"}, SCHEMA, RHO, seeded(15))
    with pytest.raises(BadColumns, match="length"):
        fit(data | {"died": data["died"][:5]}, SCHEMA, RHO, seeded(15))
    with pytest.raises(BadColumns, match="texts"):
        fit(data | {"sex": data["age"]}, SCHEMA, RHO, seeded(15))
    with pytest.raises(BadColumns, match="numbers"):
        fit(data | {"age": data["sex"]}, SCHEMA, RHO, seeded(15))


@pytest.mark.parametrize(
    "columns",
    [
        (),
        (Column("a", levels=("x",)), Column("a", levels=("y",))),
        (Column("a"),),
        (Column("a", levels=("x", "x")),),
        (Column("a", "colour", levels=("x",)),),
        (Column("a", "number"),),
        (Column("a", "number", low=2, high=1),),
        (Column("a", "number", low=0, high=float("inf")),),
        (Column("a", "integer", low=0.5, high=3),),
        (Column("a", "number", low=0, high=1, edges=(0.0, 0.5)),),
        (Column("a", "number", low=0, high=1, edges=(0.0, 0.5, 0.5, 1.0)),),
    ],
)
def test_a_schema_that_contradicts_itself_is_refused(columns: tuple[Column, ...]) -> None:
    with pytest.raises(BadSchema):
        Schema(columns)


@pytest.mark.parametrize(
    "rule",
    [
        Ordered("came", "nobody"),
        Ordered("sex", "died"),
        OnlyWhen("age", "ward", ("a",)),
        OnlyWhen("weight", "ward", ("z",)),
        OnlyWhen("weight", "nobody", ("z",)),
    ],
)
def test_a_rule_on_what_is_not_there_is_refused(rule: Ordered | OnlyWhen) -> None:
    with pytest.raises(BadSchema):
        Schema(SCHEMA.columns, (rule,))
