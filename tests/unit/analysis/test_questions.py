"""What is refused before any row is read, and bytes that do not fit."""

from __future__ import annotations

import numpy as np
import pytest
from tests.unit.analysis.pooling import category, flag, number

from xinglin.analysis.algorithm import AlgorithmSpec, build
from xinglin.analysis.errors import AnalysisError, BadParameters, BadTable, BadVector, NoPublishedRange, UnknownColumn
from xinglin.analysis.table import Table
from xinglin.kernel.errors import LimitExceeded
from xinglin.terms.thresholds import DisclosureRules

N = 20
DOMAIN = (
    number("x", -10, 10),
    number("z", -10, 10),
    flag("y"),
    number("k", 0, 100, integer=True),
    category("g", "a", "b"),
)


def columns(**changed):
    given = {name: np.zeros(N) for name in ("x", "z", "y", "k")} | {"g": np.zeros(N, dtype=int)}
    return given | changed


@pytest.mark.parametrize(
    ("name", "params", "error"),
    [
        ("sum", {}, BadParameters),
        ("describe", {}, BadParameters),
        ("describe", {"columns": []}, BadParameters),
        ("describe", {"columns": ["x", "x"]}, BadParameters),
        ("describe", {"columns": ["nothing"]}, UnknownColumn),
        ("describe", {"columns": ["g"]}, BadParameters),
        ("describe", {"columns": ["x"], "by": ["x"]}, BadParameters),
        ("describe", {"columns": ["x"], "python": "1"}, BadParameters),
        ("describe", {"columns": "x"}, BadParameters),
        ("histogram", {"column": "x", "bins": 0}, BadParameters),
        ("histogram", {"column": "x", "bins": 257}, LimitExceeded),
        ("histogram", {"column": "x", "edges": [1, 1]}, BadParameters),
        ("quantiles", {"column": "x", "probabilities": [1.1]}, BadParameters),
        ("quantiles", {"column": "x", "probabilities": [0.5] * 33}, LimitExceeded),
        ("crosstab", {"rows": "g", "columns": "g"}, BadParameters),
        ("crosstab", {"rows": "g", "columns": "x"}, BadParameters),
        ("crosstab", {"rows": "g", "columns": "k"}, LimitExceeded),
        ("ttest", {"column": "x", "by": "k"}, LimitExceeded),
        ("anova", {"column": "x", "by": "g", "levels": ["a"]}, BadParameters),
        ("anova", {"column": "x", "by": "g", "levels": ["a", "c"]}, BadParameters),
        ("flow", {"steps": ["x"]}, BadParameters),
        ("flow", {"steps": []}, BadParameters),
        ("table1", {"columns": ["g"], "by": "g"}, BadParameters),
        ("glm", {"formula": "y ~ x", "family": "binomial", "link": "probit"}, BadParameters),
        ("glm", {"formula": "y ~ x", "family": "tweedie"}, BadParameters),
        ("glm", {"formula": "k ~ x", "family": "binomial"}, NoPublishedRange),
        ("glm", {"formula": "x ~ k", "family": "poisson"}, NoPublishedRange),
        ("glm", {"formula": "k ~ x", "family": "gamma"}, NoPublishedRange),
        ("glm", {"formula": 7, "family": "gamma"}, BadParameters),
    ],
)
def test_questions_that_cannot_be_asked(name, params, error) -> None:
    with pytest.raises(error) as refusal:
        build(AlgorithmSpec(name, params), DOMAIN, DisclosureRules())
    assert refusal.value.code.startswith(("analysis.", "kernel."))


def test_a_newer_algorithm_and_a_huge_run_are_refused() -> None:
    with pytest.raises(AnalysisError):
        build(AlgorithmSpec("flow", {"steps": ["y"]}, version=2), DOMAIN, DisclosureRules())
    with pytest.raises(AnalysisError):
        build(AlgorithmSpec("flow", {"steps": ["y"]}), DOMAIN, DisclosureRules(), max_rows=2**26 + 1)


@pytest.mark.parametrize("total", [[], [0.0] * 3, [float("nan")] * 11, [float("inf")] * 11])
def test_a_total_of_another_shape_is_no_total(total) -> None:
    algorithm = build(AlgorithmSpec("flow", {"steps": ["y"]}), DOMAIN, DisclosureRules())
    with pytest.raises(BadVector):
        algorithm.update(algorithm.initial_state(), total, 4)


@pytest.mark.parametrize(
    "wrong",
    [
        {"x": np.zeros(3)},
        {"x": ["a"] * N},
        {"g": np.full(N, 2)},
        {"g": np.full(N, -2)},
        {"g": np.full(N, 0.5)},
    ],
)
def test_a_table_that_does_not_fit_its_domain(wrong) -> None:
    with pytest.raises(BadTable):
        Table.of(DOMAIN, columns(**wrong), np.arange(N))
