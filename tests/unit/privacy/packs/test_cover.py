"""No hidden entry is confined below what it needs, by any method that says so; the attacker is another solver."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from xinglin.privacy.packs import apply, count_table, shipped, sum_table
from xinglin.privacy.packs import cover as cover_module
from xinglin.privacy.packs.cover import LINEAR, LINES, NETWORK, cover, interval, widths
from xinglin.privacy.packs.table import with_margins


def additions(shape: tuple[int, ...]) -> np.ndarray:
    """The attacker's equations: every line of the table."""
    rows = []
    for axis, size in enumerate(shape):
        others = [range(n) if a != axis else [0] for a, n in enumerate(shape)]
        for place in itertools.product(*others):
            row = np.zeros(shape)
            for i in range(size):
                at = list(place)
                at[axis] = i
                row[tuple(at)] = 1.0 if i < size - 1 else -1.0
            rows.append(row.ravel())
    return np.array(rows)


def attack(figures: np.ndarray, hidden: np.ndarray) -> dict[tuple[int, ...], float]:
    """The width to which each hidden entry can be confined."""
    equations = additions(figures.shape)
    bounds = [(0, None) if h else (v, v) for h, v in zip(hidden.ravel(), figures.ravel(), strict=True)]
    found = {}
    for place in map(tuple, np.argwhere(hidden)):
        goal = np.zeros(figures.shape)
        goal[place] = 1.0
        right = np.zeros(len(equations))
        low = linprog(goal.ravel(), A_eq=equations, b_eq=right, bounds=bounds)
        high = linprog(-goal.ravel(), A_eq=equations, b_eq=right, bounds=bounds)
        found[place] = np.inf if high.status == 3 else -high.fun - low.fun
    return found


shapes = st.sampled_from([(3,), (5,), (2, 3), (3, 4), (2, 2, 2), (2, 3, 2)])
tables = shapes.flatmap(
    lambda shape: st.lists(
        st.one_of(st.integers(0, 12), st.integers(0, 60)), min_size=int(np.prod(shape)), max_size=int(np.prod(shape))
    ).map(lambda cells: np.array(cells).reshape(shape))
)


@settings(max_examples=12)
@given(tables, st.integers(2, 10))
def test_small_tables_are_proved_by_linear_programming(cells: np.ndarray, least: int) -> None:
    full = with_margins(cells).astype(float)
    own = (full > 0) & (full < least)
    covered = cover(full, widths(full, least), own, whole=True)
    assert covered.proved and np.all(covered.hidden[own])
    if covered.hidden.all():
        return
    if own.any() and own.sum() <= cover_module.LINEAR_HIDDEN:
        assert covered.method == LINEAR
    assert all(width >= least - 1e-6 for width in attack(full, covered.hidden).values())


@settings(max_examples=15)
@given(tables.filter(lambda cells: cells.ndim <= 2), st.integers(2, 10))
def test_networks_prove_the_same(cells: np.ndarray, least: int) -> None:
    full = with_margins(cells).astype(float)
    own = (full > 0) & (full < least)
    found = cover_module._network(full, widths(full, least), own, True)
    assert found.method == NETWORK and np.all(found.hidden[own])
    if own.any() and not found.hidden.all():
        assert all(width >= least - 1e-6 for width in attack(full, found.hidden).values())


def test_whole_numbers_confine_more_than_fractions_in_three_axes() -> None:
    """The zero-one case: an integer programme computes the interval, not its relaxation."""
    full = with_margins(np.ones((2, 2, 2), dtype=int)).astype(float)
    hidden = np.zeros_like(full, dtype=bool)
    hidden[:2, :2, :2] = True
    low, high = interval(full, hidden, (0, 0, 0), whole=True)
    assert (low, high) == (0.0, 2.0)
    covered = cover(full, widths(full, 3), full == 1, whole=True)
    assert covered.proved
    for place in map(tuple, np.argwhere(covered.hidden)):
        low, high = interval(full, covered.hidden, place, whole=True)
        assert covered.hidden.all() or high - low >= 3


def test_one_hidden_cell_in_a_line_is_never_alone() -> None:
    protected = apply(
        shipped("sacro"), count_table("t", {"a": "xyz", "b": "uvw"}, [[40, 3, 25], [30, 20, 45], [33, 50, 60]])
    )
    rules = {why.rule for why in protected.inside.values()}
    assert protected.method == LINEAR and protected.proved and rules == {"threshold", "complementary"}
    hidden = np.isnan(protected.cells)
    assert hidden.sum() >= 4
    assert np.array_equal(np.argwhere(hidden), sorted(protected.hidden))


def test_words_of_a_hidden_entry_quote_rule_and_pack_and_narrow_nothing() -> None:
    protected = apply(shipped("sacro"), count_table("t", {"a": "xyz"}, [3, 20, 30]))
    told = set(protected.hidden.values())
    assert len(told) == 1, "the same words for every hidden entry of a table"
    (why,) = told
    assert (why.rule, why.pack) == ("threshold", "sacro") and "10 persons" in why.words and "10 人" in why.words_zh
    assert protected.inside[(0,)].rule == "threshold" and "safe_threshold 10" in protected.inside[(0,)].source
    assert {w.rule for p, w in protected.inside.items() if p != (0,)} == {"complementary"}


def test_larger_tables_are_covered_by_networks() -> None:
    rng = np.random.default_rng(5)
    cells = rng.poisson(25, size=(15, 15))
    cells[rng.random((15, 15)) < 0.1] = rng.integers(1, 10)
    protected = apply(
        shipped("sacro"), count_table("t", {"a": [str(i) for i in range(15)], "b": [str(i) for i in range(15)]}, cells)
    )
    assert protected.method == NETWORK and protected.proved
    assert np.all(np.isnan(protected.cells[:-1, :-1][(cells > 0) & (cells < 10)]))


def test_beyond_that_a_heuristic_says_so_and_leaves_no_line_with_one_hidden_entry() -> None:
    rng = np.random.default_rng(6)
    cells = rng.poisson(30, size=(8, 6, 5))
    cells[rng.random(cells.shape) < 0.1] = 4
    axes = {name: [str(i) for i in range(n)] for name, n in zip("abc", cells.shape, strict=True)}
    protected = apply(shipped("sacro"), count_table("t", axes, cells))
    assert protected.method == LINES and not protected.proved
    assert [ask.code for ask in protected.asks] == ["privacy.unproved_cover"]
    hidden = np.isnan(protected.cells)
    for axis in range(3):
        assert not np.any(hidden.sum(axis=axis) == 1)


def test_a_dominated_sum_cannot_be_worked_out_from_its_margins() -> None:
    rng = np.random.default_rng(7)
    where = rng.integers(0, 3, size=(2, 400))
    values = rng.uniform(5, 15, size=400)
    chosen = np.flatnonzero((where[0] == 1) & (where[1] == 1))
    values[chosen[0]] = 50_000.0
    table = sum_table("cost", {"a": "xyz", "b": "uvw"}, values, where)
    protected = apply(shipped("sacro"), table)
    assert protected.inside[(1, 1)].rule == "dominance"
    hidden = np.isnan(protected.cells)
    width = attack(table.figures, hidden)
    assert hidden.all() or width[(1, 1)] >= 0.1 * 50_000 - 1e-3


def test_means_are_protected_as_sums() -> None:
    where = np.array([[0] * 40 + [1] * 40 + [2] * 4])
    table = sum_table("bmi", {"a": "xyz"}, np.full(84, 25.0), where, kind="mean")
    protected = apply(shipped("sacro"), table)
    assert protected.inside[(2,)].rule == "threshold" and len(protected.hidden) >= 2


@pytest.mark.parametrize("margins", [True, False])
def test_margins_that_are_not_told_need_no_cover(margins: bool) -> None:
    protected = apply(shipped("sacro"), count_table("t", {"a": "xyz"}, [3, 20, 30], margins=margins))
    assert (len(protected.hidden) > 1) is margins
