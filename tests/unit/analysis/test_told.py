"""Figures under packs that round counts: they follow from rounded counts alone, so that none gives one back."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.unit.analysis.pooling import category, flag, number, tables_of
from tests.unit.analysis.test_packed import PACK, run_under, ward_run

from xinglin.analysis.algorithm import AlgorithmSpec, NamedFailure, Result
from xinglin.analysis.errors import PackRefused
from xinglin.kernel.verdict import Denied
from xinglin.privacy.packs import shipped
from xinglin.privacy.packs.model import Rounding
from xinglin.privacy.packs.rounding import rounded, rounded_sum, told_counts

PACKS = ("opensafely", "opensafely-midpoint6", "codex")


@pytest.fixture(scope="module")
def ward() -> Any:
    rng, n = np.random.default_rng(11), 240
    domain = (number("age", 18, 90, integer=True), flag("sick"), category("arm", "a", "b"))
    age, sick = rng.integers(20, 88, n).astype(float), (rng.random(n) < 0.4).astype(float)
    return domain, {"age": age, "sick": sick, "arm": rng.choice(2, n)}


def answered(pack: str, name: str, columns: dict[str, Any], /, *domain: Any, **params: Any) -> Any:
    n = len(next(iter(columns.values())))
    parts = [n // 3, n // 3, n - 2 * (n // 3)]
    return run_under([pack], AlgorithmSpec(name, params), domain, tables_of(domain, columns, parts))[0]


def dealt(n: int, ones: int, seed: int = 3) -> Any:
    found = np.zeros(n)
    found[np.random.default_rng(seed).choice(n, ones, replace=False)] = 1
    return found


def alike(pack: str, count: int) -> list[int]:
    """The counts that the pack tells like this one."""
    near = np.arange(max(count - 20, 0), count + 21)
    told = told_counts(shipped(pack).settings, near)
    return [int(one) for one in near[told == told_counts(shipped(pack).settings, [count])[0]]]


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(PACKS), st.integers(40, 150), st.floats(0.25, 0.75), st.data())
def test_two_values_tell_their_rounded_counts_and_nothing_else(
    pack: str, n: int, part: float, data: st.DataObject
) -> None:
    """Whatever other counts the rounding leaves possible: the whole answer is the same (describe, covariance)."""
    ones = round(n * part)
    other_n, other_ones = data.draw(st.sampled_from(alike(pack, n))), data.draw(st.sampled_from(alike(pack, ones)))
    assume(20 <= other_ones <= other_n - 20 and 20 <= ones <= n - 20)
    assert len(alike(pack, n)) >= 5 and len(alike(pack, ones)) >= 5
    x = number("x", 0, 2)
    first = answered(pack, "describe", {"x": 2 * dealt(n, ones)}, x, columns=["x"])
    again = answered(pack, "describe", {"x": 2 * dealt(other_n, other_ones)}, x, columns=["x"])
    assert isinstance(first, Result) and first.payload == again.payload
    # Of two booleans: also of the rounded number of rows in which they agree, which is the same here.
    both = (flag("x"), flag("y"))
    a, b = dealt(n, ones), dealt(other_n, other_ones)
    told = answered(pack, "covariance", {"x": a, "y": a}, *both, columns=["x", "y"])
    same = answered(pack, "covariance", {"x": b, "y": b}, *both, columns=["x", "y"])
    assert isinstance(told, NamedFailure | Result) and told == same


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(PACKS), st.integers(60, 200), st.integers(0, 10**6))
def test_a_mean_and_a_variance_follow_from_rounded_sums(pack: str, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 71, n) + 20.0
    found = answered(pack, "describe", {"age": values}, number("age", 20, 90), columns=["age"])
    (cell,) = found.payload["cells"]
    base, z = shipped(pack).settings.rounding, (values - 55) / 35
    rows, first, second = int(rounded(base, [n])[0]), rounded_sum(base, ((1 + z) / 2).sum()), rounded_sum(base, z @ z)
    mean = 2 * first / rows - 1
    assert cell["rows"] == rows and cell["mean"] == pytest.approx(55 + 35 * mean, rel=6e-4)
    spread = second / rows - mean * mean
    assert cell["variance"] == (pytest.approx(35**2 * spread, rel=6e-4) if spread > 1e-12 else None)
    steps = base.base / n * 70
    assert abs(cell["mean"] - values.mean()) <= 2.5 * steps, "and are of use"


@given(st.sampled_from(("nearest", "midpoint", "up")), st.integers(2, 12), st.integers(0, 10**4))
def test_a_sum_reads_as_a_count_of_as_many_rows(kind: str, base: int, count: int) -> None:
    rounding = Rounding(kind, base)
    told = int(rounded(rounding, [count])[0])
    assert rounded_sum(rounding, float(count)) == told == rounded_sum(rounding, count + 1e-7 * (count > 0))
    assert rounded_sum(rounding, count + 0.5) in (told, int(rounded(rounding, [count + 1])[0]))


@cache
def shares(n: int, ones: int) -> str:
    """The told model of a share."""
    found = answered("opensafely", "glm", {"y": dealt(n, ones)}, flag("y"), formula="y ~ 1", family="binomial")
    return repr(found.payload) if isinstance(found, Result) else repr(found)


@pytest.mark.parametrize(("n", "ones"), [(103, 37), (63, 21), (98, 50), (142, 110)])
def test_a_model_of_a_share_leaves_its_counts_open(n: int, ones: int) -> None:
    """The attack: pearson_chi2 was n, and coefficient and error gave the ones."""
    found = [
        (m, c) for m in alike("opensafely", n) for c in range(ones - 3, ones + 4) if shares(m, c) == shares(n, ones)
    ]
    assert len({m for m, _ in found}) >= 3 and len({c for _, c in found}) >= 3


def test_a_model_is_told_as_coarsely_as_counts(ward: Any) -> None:
    exact = ward_run(ward, ["sacro"], "glm", formula="age ~ sick", family="gaussian").payload
    told = ward_run(ward, ["opensafely"], "glm", formula="age ~ sick", family="gaussian").payload
    for one, other, step in zip(exact["coefficients"], told["coefficients"], told["coefficient_steps"], strict=True):
        assert abs(one - other) <= step / 2 + 0.06 and step >= 5 * 70 / 240, "a mean of all rows is the least"
    for one, other in zip(exact["standard_errors"], told["standard_errors"], strict=True):
        assert other == pytest.approx(one, rel=0.6)
    lost = ward_run(ward, [PACK.format(setting="rounding", value='{ kind = "nearest", base = 99 }')], "glm",
                    formula="sick ~ age", family="binomial")  # fmt: skip
    assert isinstance(lost, Denied) and lost.codes == ("privacy.too_coarse",)
    with pytest.raises(PackRefused, match="Gamma"):
        ward_run(ward, ["opensafely"], "glm", formula="age ~ sick", family="gamma")


def test_quantiles_are_at_steps_of_the_rounding(ward: Any) -> None:
    """At whatever probability: a column of two values flips only where a rounded count does."""
    probabilities = [k / 400 for k in range(200, 231)]
    flips = set()
    for n, below in ((103, 58), (103, 59), (104, 62), (107, 61), (105, 60)):
        values = {"x": 2 * dealt(n, n - below)}
        found = answered("opensafely", "quantiles", values, number("x", 0, 2), column="x", probabilities=probabilities)
        flips.add(tuple(one["value"] for one in found.payload["quantiles"]))
    assert len(flips) == 1, "58 to 62 of 103 to 107 rows read 60 of 105"
    told = ward_run(ward, ["opensafely"], "quantiles", column="age", probabilities=[0.25, 0.5]).payload["quantiles"]
    exact = ward_run(ward, ["sacro"], "quantiles", column="age", probabilities=[0.25, 0.5]).payload["quantiles"]
    assert all(abs(a["value"] - b["value"]) <= 3 for a, b in zip(told, exact, strict=True))


def test_comparisons_are_of_told_groups(ward: Any) -> None:
    found = ward_run(ward, ["opensafely"], "ttest", column="age", by="sick").payload
    one, other = found["groups"]
    assert found["difference"] == pytest.approx(one["mean"] - other["mean"], abs=0.02)
    pooled = ((one["rows"] - 1) * one["variance"] + (other["rows"] - 1) * other["variance"]) / found["student"]["df"]
    error = math.sqrt(pooled * (1 / one["rows"] + 1 / other["rows"]))
    assert found["student"]["standard_error"] == pytest.approx(error, rel=2e-3)
    variance = ward_run(ward, ["opensafely"], "anova", column="age", by="sick").payload
    assert variance["df_within"] == found["student"]["df"]
    told = ward_run(ward, ["opensafely"], "covariance", columns=["age", "sick"]).payload
    assert all(abs(one) <= 1 for row in told["correlation"] for one in row)
