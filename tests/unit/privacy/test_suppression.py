"""No hidden entry of a table can be worked out, nor confined below the minimum, from what is shown."""

from __future__ import annotations

import itertools
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from xinglin.kernel.errors import LimitExceeded
from xinglin.privacy.disclosure import DisclosureRules
from xinglin.privacy.errors import BadTable
from xinglin.privacy.suppression import TableMask, suppress_list, suppress_table


def entries(counts: list[list[int]]) -> np.ndarray:
    """The table with its margins."""
    inner = np.array(counts)
    grid = np.zeros((inner.shape[0] + 1, inner.shape[1] + 1), dtype=int)
    grid[:-1, :-1] = inner
    grid[:-1, -1], grid[-1, :-1], grid[-1, -1] = inner.sum(1), inner.sum(0), inner.sum()
    return grid


def flags(mask: TableMask) -> np.ndarray:
    """The mask with its margins, True = hidden."""
    inner = np.array(mask.cells)
    grid = np.zeros((inner.shape[0] + 1, inner.shape[1] + 1), dtype=bool)
    grid[:-1, :-1] = inner
    grid[:-1, -1], grid[-1, :-1], grid[-1, -1] = mask.rows, mask.columns, mask.total
    return grid


def attack(grid: np.ndarray, hidden: np.ndarray) -> dict[tuple[int, int], tuple[float, float]]:
    """The interval of each hidden entry by linear programming: the attacker, written another way."""
    rows, columns = grid.shape[0] - 1, grid.shape[1] - 1
    size = grid.size
    at = np.arange(size).reshape(grid.shape)
    equations, right = [], []
    for i in range(rows + 1):
        line = np.zeros(size)
        line[at[i, :columns]], line[at[i, columns]] = 1, -1
        equations.append(line)
        right.append(0.0)
    for j in range(columns + 1):
        line = np.zeros(size)
        line[at[:rows, j]], line[at[rows, j]] = 1, -1
        equations.append(line)
        right.append(0.0)
    bounds = [(0, None) if h else (v, v) for h, v in zip(hidden.ravel(), grid.ravel(), strict=True)]
    found = {}
    for i, j in zip(*np.nonzero(hidden), strict=True):
        goal = np.zeros(size)
        goal[at[i, j]] = 1
        low = linprog(goal, A_eq=equations, b_eq=right, bounds=bounds)
        high = linprog(-goal, A_eq=equations, b_eq=right, bounds=bounds)
        assert low.status == 0
        found[int(i), int(j)] = (low.fun, np.inf if high.status == 3 else -high.fun)
    return found


tables = st.tuples(st.integers(1, 4), st.integers(1, 4)).flatmap(
    lambda shape: st.lists(
        st.lists(st.one_of(st.integers(0, 12), st.integers(0, 60)), min_size=shape[1], max_size=shape[1]),
        min_size=shape[0],
        max_size=shape[0],
    )
)


@settings(max_examples=60, deadline=None)
@given(tables, st.integers(2, 10), st.booleans())
def test_every_hidden_entry_stays_wide(counts: list[list[int]], least: int, zeros: bool) -> None:
    rules = DisclosureRules(min_cell=least, publish_zeros=zeros)
    grid = entries(counts)
    hidden = flags(suppress_table(rules, counts))
    assert hidden[(grid > 0) & (grid < least)].all()
    if not zeros:
        assert hidden[grid < least].all()
    for low, high in attack(grid, hidden).values():
        assert high - low >= least - 1e-6


@settings(max_examples=60, deadline=None)
@given(tables, st.booleans(), st.randoms(use_true_random=False))
def test_fewer_persons_than_rows_and_kept_columns(counts: list[list[int]], keep: bool, random: Random) -> None:
    grid = entries(counts)
    persons = np.array([[random.randint(min(n, 1), n) if n else 0 for n in row] for row in grid.tolist()])
    hidden = flags(suppress_table(DisclosureRules(), counts, persons.tolist(), keep_columns=keep))
    assert hidden[persons < 10].all()
    for place, (low, high) in attack(grid, hidden).items():
        assert high - low >= 10 - 1e-6
        if persons[place] < 10:
            assert high - low >= grid[place] - 1e-6, "as far as all the rows of those few persons"


EVERY_TABLE = np.array([entries([[a, b], [c, d]]) for a, b, c, d in itertools.product(range(10), repeat=4)])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(0, 4), min_size=2, max_size=2), min_size=2, max_size=2))
def test_brute_force_finds_no_hidden_entry(counts: list[list[int]]) -> None:
    """Of all tables of small numbers that show the same, each hidden entry takes values far apart."""
    grid, hidden = entries(counts), flags(suppress_table(DisclosureRules(min_cell=3), counts))
    alike = EVERY_TABLE[(grid == EVERY_TABLE)[:, ~hidden].all(axis=1)]
    assert (np.ptp(alike, axis=0)[hidden] >= 3).all()


def test_one_small_cell_takes_three_companions() -> None:
    mask = suppress_table(DisclosureRules(), [[40, 3, 70], [50, 60, 80], [90, 30, 20]])
    assert mask.hidden == 4
    assert mask.cells[0][1]
    assert not any(mask.rows + mask.columns) and not mask.total


def test_primary_suppression_alone_would_not_do() -> None:
    """The near miss: only the small cell hidden, and the attacker has it back."""
    counts = [[40, 3], [50, 60]]
    hidden = np.zeros((3, 3), dtype=bool)
    hidden[0, 1] = True
    assert attack(entries(counts), hidden)[0, 1] == pytest.approx((3, 3))
    assert suppress_table(DisclosureRules(), counts).hidden >= 4


def test_a_table_without_small_cells_is_whole() -> None:
    assert suppress_table(DisclosureRules(), [[40, 30], [50, 60]]).hidden == 0
    assert suppress_table(DisclosureRules(), [[10, 10], [10, 10]]).hidden == 0
    assert suppress_table(DisclosureRules(), [[9, 10], [10, 10]]).hidden > 0


def test_small_margins_are_hidden_with_their_row() -> None:
    mask = suppress_table(DisclosureRules(), [[1, 0], [50, 60], [45, 70]])
    assert mask.rows[0] and mask.cells[0] == (True, True)


def test_a_zero_beside_a_small_margin_is_no_oracle() -> None:
    """Published zeros: never where the margin itself is small, since they would place the one person."""
    mask = suppress_table(DisclosureRules(publish_zeros=True), [[1, 0], [50, 60], [45, 70]])
    assert mask.cells[0] == (True, True)


def test_forty_encounters_of_one_person_are_one_person() -> None:
    counts = [[40, 30], [50, 60]]
    persons = [[1, 20, 21], [30, 40, 70], [31, 60, 91]]
    mask = suppress_table(DisclosureRules(), counts, persons)
    assert mask.cells[0][0]
    low, high = attack(entries(counts), flags(mask))[0, 0]
    assert high - low >= 40


def test_kept_columns_stay() -> None:
    mask = suppress_table(DisclosureRules(), [[40, 3], [50, 60]], keep_columns=True)
    assert not any(mask.columns) and not mask.total
    for low, high in attack(entries([[40, 3], [50, 60]]), flags(mask)).values():
        assert high - low >= 10


def test_a_tiny_table_says_nothing() -> None:
    assert suppress_table(DisclosureRules(), [[1, 2], [0, 3]]).hidden == 9


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=6))
def test_lists(counts: list[int]) -> None:
    hidden, total_hidden = suppress_list(DisclosureRules(), counts)
    small = [h for h, c in zip(hidden, counts, strict=True) if c < 10]
    assert all(small)
    unseen = [c for h, c in zip(hidden, counts, strict=True) if h]
    if not total_hidden and unseen:
        assert len(unseen) >= 2 and sum(unseen) >= 10


@pytest.mark.parametrize(
    "counts",
    [[], [[]], [[1, 2], [3]], [[-1, 20], [30, 40]]],
)
def test_what_is_no_table_is_refused(counts: list[list[int]]) -> None:
    with pytest.raises(BadTable):
        suppress_table(DisclosureRules(), counts)


def test_persons_fit_the_table() -> None:
    with pytest.raises(BadTable):
        suppress_table(DisclosureRules(), [[20, 20]], [[20, 20]])
    with pytest.raises(BadTable):
        suppress_table(DisclosureRules(), [[20]], [[21, 20], [20, 20]])


@pytest.mark.parametrize("seed", range(8))
def test_larger_tables_stay_wide(seed: int) -> None:
    random = Random(seed)
    counts = [[random.choice([0, 3, 15, 60]) for _ in range(9)] for _ in range(7)]
    grid, hidden = entries(counts), flags(suppress_table(DisclosureRules(), counts))
    assert not hidden.all()
    assert all(high - low >= 10 - 1e-6 for low, high in attack(grid, hidden).values())


def test_one_more_cell_than_the_limit() -> None:
    suppress_table(DisclosureRules(), [[20] * 63] * 63)
    with pytest.raises(LimitExceeded):
        suppress_table(DisclosureRules(), [[20] * 64] * 63)
