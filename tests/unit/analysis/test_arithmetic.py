"""Is the arithmetic of ``update`` right, and the same whatever the machine's libraries?"""

from __future__ import annotations

import ast
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special
from tests.unit.analysis.pooling import number, tables_of

from xinglin.analysis import arithmetic as exact
from xinglin.analysis.algorithm import AlgorithmSpec, build
from xinglin.analysis.families import log_gamma
from xinglin.terms.thresholds import DisclosureRules


@pytest.mark.parametrize("size", [1, 2, 5, 12])
def test_cholesky_solve_and_inverse(size) -> None:
    rng = np.random.default_rng(size)
    half = rng.normal(0, 1, (size + 3, size))
    matrix = half.T @ half
    matrix = (matrix + matrix.T) / 2
    lower = exact.cholesky(matrix.tolist(), 1e-12)
    assert not isinstance(lower, int)
    np.testing.assert_allclose(lower, np.linalg.cholesky(matrix), rtol=1e-10, atol=1e-12)
    right = rng.normal(0, 1, size).tolist()
    np.testing.assert_allclose(exact.solve(lower, right), np.linalg.solve(matrix, right), rtol=1e-8)
    inverse = exact.inverse(lower)
    np.testing.assert_allclose(inverse, np.linalg.inv(matrix), rtol=1e-8)
    assert np.array_equal(inverse, np.transpose(inverse))
    transform = rng.normal(0, 1, (size, size)).tolist()
    full = exact.sandwich(transform, inverse)
    np.testing.assert_allclose(full, np.asarray(transform) @ inverse @ np.transpose(transform), rtol=1e-7, atol=1e-9)
    assert np.array_equal(full, np.transpose(full))


@pytest.mark.parametrize(
    ("matrix", "column"),
    [
        ([[1.0, 1.0], [1.0, 1.0]], 1),
        ([[0.0, 0.0], [0.0, 1.0]], 0),
        ([[1.0, 2.0], [2.0, 1.0]], 1),
        ([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 2.0]], 2),
        ([[math.nan]], 0),
        ([[math.inf]], 0),
    ],
)
def test_a_dependent_column_is_named(matrix, column) -> None:
    assert exact.cholesky(matrix, 1e-12) == column


@settings(max_examples=100, deadline=None)
@given(st.floats(1e-300, 1e300))
def test_logarithms_and_gamma(value) -> None:
    assert exact.log(value) == pytest.approx(math.log(value), rel=1e-15, abs=1e-300)
    assert exact.log_gamma(value) == pytest.approx(float(special.gammaln(value)), rel=1e-13, abs=1e-14)


@given(st.lists(st.floats(1, 1e9), min_size=1, max_size=20))
def test_the_gamma_function_of_rows(values) -> None:
    array = np.asarray(values)
    np.testing.assert_allclose(log_gamma(array), special.gammaln(array), rtol=1e-13, atol=1e-13)


@given(st.floats(1e-30, 1e30))
def test_the_roof_is_the_next_power_of_two(value) -> None:
    roof = exact.roof(value)
    assert math.frexp(roof)[0] == 0.5
    assert roof / 2 < value <= roof


def test_packed_triangles() -> None:
    assert exact.symmetric([1, 2, 3, 4, 5, 6], 3) == [[1, 2, 3], [2, 4, 5], [3, 5, 6]]


def test_nothing_on_the_way_of_update_calls_a_library_that_rounds_as_it_likes() -> None:
    """``advance`` and what it calls in these modules: no numpy, no exponential or power of the C library."""
    room = Path(exact.__file__).parent
    for name in ("arithmetic", "glm_result", "glm_scaling", "missing"):
        tree = ast.parse((room / f"{name}.py").read_text())
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert not names & {"np", "numpy", "pow", "sum"}, name
        attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
        calls = {node.attr for node in attributes if getattr(node.value, "id", "") == "math"}
        assert calls <= {"fsum", "sqrt", "isfinite", "frexp", "ldexp", "pi"}, name
        assert not any(isinstance(node, ast.Pow | ast.MatMult) for node in ast.walk(tree)), name


def test_the_same_total_gives_the_same_state_on_every_node() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1, 200).clip(-5, 5)
    domain = (number("x", -5, 5), number("y", -9, 9))
    table = tables_of(domain, {"x": x, "y": x + rng.normal(0, 1, 200).clip(-3, 3)}, [200])[0]
    spec = AlgorithmSpec("glm", {"formula": "y ~ poly(x, 2)", "family": "gaussian"})
    first, second = (build(spec, domain, DisclosureRules()) for _ in range(2))
    state = first.initial_state()
    for _ in range(2):
        total = first.local(table, state)
        # The second node has no table, and holds the state that came from bytes.
        other = second.update(second.decode_state(second.encode_state(state)), total.tolist(), 4)
        state = first.update(state, total, 4)
        assert first.encode_state(state) == second.encode_state(other)
