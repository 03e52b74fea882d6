"""Statistics with noise: exact without it, what one person can change, and noise that is as large as stated."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.analysis.algorithm import AlgorithmSpec, NamedFailure, Result, build
from xinglin.analysis.errors import BadParameters, BadTable
from xinglin.analysis.noisy import HALF, PERSON, Noisy
from xinglin.analysis.noisy_quantiles import LEAVES, consistent
from xinglin.analysis.render import rows_of, summary
from xinglin.analysis.table import Column, Table
from xinglin.kernel.verdict import Denied
from xinglin.privacy.differencing import DifferenceSlot, ReleasedCell
from xinglin.privacy.noise import rho_of_gaussian, rho_of_shares
from xinglin.terms.thresholds import DisclosureRules

DOMAIN = (
    Column("age", "number", 0, 120),
    Column("pressure", "number", 50, 250),
    Column("sex", "category", levels=("f", "m")),
    Column("stage", "category", levels=("i", "ii", "iii")),
    Column("ill", "boolean"),
)
RHO = 5 * 10**10
NOISE = {"rho_units": RHO, "minimum": 3, "colluders": 1}
QUESTIONS: dict[str, dict[str, Any]] = {
    "dp_count": {"by": ["sex", "ill"]},
    "dp_histogram": {"column": "age", "bins": 6},
    "dp_crosstab": {"rows": "sex", "columns": "stage"},
    "dp_describe": {"columns": ["age", "pressure"], "by": ["sex"]},
    "dp_quantiles": {"column": "age"},
    "dp_linear": {"outcome": "pressure", "columns": ["age", "ill"]},
}
RULES = DisclosureRules()


def made(name: str, rules: DisclosureRules = RULES, noise: dict[str, Any] | None = None, **params: Any) -> Noisy:
    found = build(AlgorithmSpec(name, {**(params or QUESTIONS[name]), "noise": noise or NOISE}), DOMAIN, rules)
    assert isinstance(found, Noisy)
    return found


def table(persons: int, rows: int, seed: int = 1) -> Table:
    """``rows`` rows of ``persons`` people; some values are missing."""
    rng = np.random.default_rng(seed)
    whose = rng.integers(0, persons, rows)
    age = rng.uniform(20, 90, persons)[whose]
    pressure = np.clip(80 + age + rng.normal(0, 5, rows), 50, 250)
    age = np.where(rng.random(rows) < 0.05, np.nan, age)
    columns = {
        "age": age,
        "pressure": pressure,
        "sex": rng.integers(0, 2, persons)[whose],
        "stage": rng.integers(-1, 3, rows),
        "ill": rng.integers(0, 2, persons)[whose].astype(float),
    }
    return Table.of(DOMAIN, columns, whose)


def pooled(algorithm: Noisy, tables: Sequence[Table], entropy: Callable[[int], bytes] | None = None) -> Result:
    """The outcome of a sum, with noise from ``entropy`` or without any."""
    state = algorithm.initial_state()
    vectors = [algorithm.local(each, state) for each in tables]
    if entropy is not None:
        vectors = [algorithm.noised(vector, entropy) for vector in vectors]
    found = algorithm.update(state, sum(vectors).tolist(), len(tables))  # type: ignore[union-attr]
    assert isinstance(found, Result), found
    return found


TABLES = [table(200, 700, seed) for seed in (1, 2, 3)]


def means(name: str) -> np.ndarray[Any, Any]:
    """Each person's mean of a column, over the hospitals."""
    found = []
    for each in TABLES:
        values = each.columns[name]
        for person in range(each.n_persons):
            own = values[(each.persons == person) & np.isfinite(values)]
            if own.size:
                found.append(float(own.mean()))
    return np.asarray(found)


def test_without_noise_counts_are_the_counts() -> None:
    counted = pooled(made("dp_count", by=["sex"]), TABLES).payload
    people = sum(each.n_persons for each in TABLES)
    assert counted["total"] == people == sum(cell["count"] for cell in counted["cells"])
    binned = pooled(made("dp_histogram"), TABLES).payload
    expected = np.histogram(means("age"), bins=np.linspace(0, 120, 7))[0]
    assert [count or 0 for count in binned["counts"]] == [n if n >= 10 else 0 for n in expected]
    crossed = pooled(made("dp_crosstab"), TABLES).payload
    assert crossed["total"] == sum(crossed["row_totals"]) == sum(crossed["column_totals"]) <= people
    assert made("dp_crosstab").released_cells(Result("dp_crosstab", crossed))[0] == "all"


def test_without_noise_moments_are_those_of_the_persons_means() -> None:
    (cell,) = pooled(made("dp_describe", columns=["age"]), TABLES).payload["cells"]
    ages = means("age")
    assert cell["persons"] == len(ages)
    assert cell["mean"] == pytest.approx(ages.mean(), abs=120 / HALF)
    assert cell["variance"] == pytest.approx(ages.var(ddof=1), rel=1e-4)
    assert cell["sum"] == pytest.approx(ages.sum(), rel=1e-5)
    assert cell["mean_low"] < ages.mean() < cell["mean_high"]
    alone = pooled(made("dp_describe", columns=["age"], moments=1), TABLES).payload["cells"][0]
    assert "variance" not in alone and alone["mean"] == cell["mean"]
    assert alone["mean_high"] - alone["mean_low"] > cell["mean_high"] - cell["mean_low"]  # nothing known of the spread


def test_without_noise_quantiles_and_lines_are_near_the_exact_ones() -> None:
    found = pooled(made("dp_quantiles"), TABLES).payload
    exact = np.quantile(means("age"), [0.25, 0.5, 0.75])
    assert [one["value"] for one in found["quantiles"]] == pytest.approx(list(exact), abs=3 * 120 / LEAVES)
    line = pooled(made("dp_linear", outcome="pressure", columns=["age"]), TABLES).payload
    assert line["coefficients"][1] == pytest.approx(1.0, abs=0.05)
    assert line["coefficients"][0] == pytest.approx(80, abs=3)
    assert line["ridge"] == 0


@pytest.mark.parametrize("name", sorted(QUESTIONS))
def test_a_noised_answer_is_near_and_says_how_near(name: str) -> None:
    algorithm = made(name, noise=NOISE | {"rho_units": 10**12})
    result = pooled(algorithm, TABLES, random.Random(5).randbytes)
    assert result.payload["noise"]["shares"] == 3 and result.payload["sd"] > 0
    assert rows_of(result) and summary(result)
    assert pooled(algorithm, TABLES, random.Random(6).randbytes).payload != result.payload


@pytest.mark.parametrize("name", sorted(QUESTIONS))
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), persons=st.integers(1, 12), rows=st.integers(1, 40))
def test_one_person_changes_no_measure_by_more_than_it_says(name: str, seed: int, persons: int, rows: int) -> None:
    algorithm, whole = made(name), table(persons, rows, seed)
    gone = int(whole.persons[0])
    keep = whole.persons != gone
    without = Table.of(DOMAIN, {c: values[keep] for c, values in whole.columns.items()}, whole.persons[keep])
    before, after = algorithm.whole(whole), algorithm.whole(without)
    for one in algorithm.measures():
        moved = before[one.name].astype(object) - after[one.name].astype(object)
        assert sum(int(v) ** 2 for v in moved) <= one.squared
        assert max((abs(int(v)) for v in moved), default=0) <= one.most


@pytest.mark.parametrize("name", sorted(QUESTIONS))
@pytest.mark.parametrize(("minimum", "colluders"), [(3, 1), (5, 1), (7, 3)])
def test_honest_shares_cost_no_more_than_the_plan_says(name: str, minimum: int, colluders: int) -> None:
    algorithm = made(name, noise={"rho_units": RHO, "minimum": minimum, "colluders": colluders})
    honest = minimum - colluders
    measures = algorithm.measures()
    costs = [rho_of_shares(one.squared, algorithm.share_variance(one), honest, one.length) for one in measures]
    assert sum(costs) <= RHO
    ideal = [rho_of_gaussian(one.squared, Fraction(algorithm.share_variance(one) * honest)) for one in measures]
    assert sum(ideal) > RHO * 0.999  # and no more noise than that takes


def test_the_noise_has_the_variance_that_is_stated() -> None:
    algorithm = made("dp_count", by=["stage"])
    (measure,) = algorithm.measures()
    share, source, state = algorithm.share_variance(measure), random.Random(7).randbytes, algorithm.initial_state()
    zero = algorithm.local(Table.empty(DOMAIN), state)
    drawn = np.concatenate([algorithm.noised(zero, source)[2:] for _ in range(4000)])
    assert float(drawn.var()) == pytest.approx(share, rel=0.06)  # 30 % off is 16 standard errors away
    assert abs(float(drawn.mean())) < 4 * math.sqrt(share / drawn.size)
    assert (drawn == np.rint(drawn)).all()


def test_intervals_hold_what_they_promise() -> None:
    algorithm = made("dp_histogram")
    true = pooled(algorithm, TABLES).payload["counts"]
    source, inside, asked = random.Random(11).randbytes, 0, 0
    for _ in range(300):
        found = pooled(algorithm, TABLES, source).payload
        for exact, count in zip(true, found["counts"], strict=True):
            if exact is not None and count is not None and exact > 30:
                asked += 1
                inside += abs(count - exact) <= found["half_width"]
    assert 0.93 < inside / asked < 0.97


def test_few_persons_by_the_noised_count_are_hidden_or_refused() -> None:
    few = [table(4, 10, seed) for seed in (1, 2, 3)]
    algorithm = made("dp_histogram", noise=NOISE | {"rho_units": 10**13}, column="age", bins=3)
    state = algorithm.initial_state()
    total = sum(algorithm.local(each, state) for each in few[:1])
    assert isinstance(algorithm.update(state, total.tolist(), 3), Denied)  # type: ignore[union-attr]
    shown = pooled(algorithm, few)
    assert None in shown.payload["counts"] and shown.payload["hidden"]
    guard = algorithm.pooled_guard(state, sum(algorithm.local(each, state) for each in few).tolist())  # type: ignore[union-attr]
    assert guard.cells[0] == shown.payload["total"] and not guard.rows_used and not guard.differences


def test_nothing_exact_travels_beside_the_noise() -> None:
    for name in QUESTIONS:
        algorithm = made(name)
        parts = algorithm.layout(algorithm.initial_state())
        assert [part.name for part in parts] == ["flags", *(one.name for one in algorithm.measures())]
        assert all(part.integer and part.bound < 2**53 for part in parts)


def test_a_value_outside_its_range_is_clipped_and_a_failed_query_is_said() -> None:
    algorithm = made("dp_describe", columns=["age"])
    state = algorithm.initial_state()
    wild = Table.of(DOMAIN, {c: np.asarray([9e9 if c == "age" else 0]).astype(TABLES[0].columns[c].dtype) for c in TABLES[0].columns}, np.zeros(1, dtype=np.int64))  # fmt: skip  # noqa: E501
    assert algorithm.whole(wild)["sums"].tolist() == [HALF]
    assert algorithm.local(wild, state)[:2].tolist() == [0, 0]
    flagged = algorithm.noised(algorithm.failed(state), random.Random(3).randbytes)
    assert flagged[:2].tolist() == [1, 0] and flagged[2:].any()
    failed = algorithm.update(state, flagged.tolist(), 3)
    assert isinstance(failed, NamedFailure) and failed.code == "failed"


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("dp_count", {"noise": {"rho_units": 0.5}}),
        ("dp_count", {}),
        ("dp_count", {"noise": {"rho_units": "5"}}),
        ("dp_crosstab", {"rows": "sex", "columns": "sex", "noise": NOISE}),
        ("dp_linear", {"outcome": "age", "columns": ["age"], "noise": NOISE}),
        ("dp_quantiles", {"column": "age", "probabilities": [1.5], "noise": NOISE}),
        ("dp_describe", {"columns": ["sex"], "noise": NOISE}),
    ],
)
def test_bad_questions_are_refused_before_a_row_is_read(name: str, params: dict[str, Any]) -> None:
    with pytest.raises(BadParameters):
        build(AlgorithmSpec(name, params), DOMAIN, RULES)


def test_differences_have_no_place_in_a_noised_answer() -> None:
    slot = DifferenceSlot(ReleasedCell("run-1", "all"), "all", "new_only")
    with pytest.raises(BadParameters):
        build(AlgorithmSpec("dp_count", {"noise": NOISE}), DOMAIN, RULES, differences=(slot,))
    algorithm = made("dp_count", by=["sex"])
    with pytest.raises(BadTable):
        algorithm.local(TABLES[0], algorithm.initial_state(), (1,))


def test_a_consistent_tree_agrees_with_itself_and_keeps_exact_counts() -> None:
    leaves = [float(k % 7) for k in range(LEAVES)]
    levels = [leaves]
    while len(levels[0]) > 4:
        levels.insert(0, [sum(levels[0][k : k + 4]) for k in range(0, len(levels[0]), 4)])
    assert consistent(levels) == pytest.approx(leaves)
    levels[0][0] += 4.0
    changed = consistent(levels)
    assert 0 < sum(changed[: LEAVES // 4]) - sum(leaves[: LEAVES // 4]) < 4.0
    assert PERSON * LEAVES < 2**53
