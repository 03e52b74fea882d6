"""What persons add up to, held against a slow count of one person after the other."""

from __future__ import annotations

import bisect
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.analysis import noisy_people
from xinglin.analysis.cells import Crossing
from xinglin.analysis.noisy import HALF
from xinglin.analysis.noisy_people import (
    binned,
    counted,
    crossed,
    first_place,
    on_grid,
    one_row_each,
    person_means,
    summed,
)
from xinglin.analysis.table import Column, Table, present

AGE = Column("age", "number", 0.0, 120.0)
DOMAIN = (AGE, Column("sex", "category", levels=("f", "m")), Column("stage", "category", levels=("i", "ii", "iii")))
EDGES = st.lists(st.integers(-20, 140), min_size=2, max_size=8, unique=True).map(sorted)
AGES = st.one_of(st.integers(-10, 130).map(float), st.floats(0, 120), st.sampled_from([math.nan, math.inf, -math.inf]))
ROWS = st.lists(st.tuples(st.integers(0, 5), AGES, st.integers(-1, 1), st.integers(-1, 2)), max_size=40)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noisy_people, "_BLOCK", 7)


def table(rows: list[tuple[int, float, int, int]], alone: bool) -> Table:
    """A row a person where ``alone``, else several."""
    persons = list(range(len(rows))) if alone else [row[0] for row in rows]
    columns = {"age": [r[1] for r in rows], "sex": [r[2] for r in rows], "stage": [r[3] for r in rows]}
    kinds = {"age": np.float64, "sex": np.int64, "stage": np.int64}
    arrays = {name: np.array(values, dtype=kinds[name]) for name, values in columns.items()}
    return Table.of(DOMAIN, arrays, np.array(persons, dtype=np.int64))


def rows_of(found: Table) -> dict[int, list[tuple[float, int, int]]]:
    """Each person's rows, as plain numbers; by the row's place where everybody has one."""
    people: dict[int, list[tuple[float, int, int]]] = {}
    lists = [found.columns[name].tolist() for name in ("age", "sex", "stage")]
    persons = range(found.n_rows) if one_row_each(found) else found.persons.tolist()
    for person, *values in zip(persons, *lists, strict=True):
        people.setdefault(person, []).append(tuple(values))  # type: ignore[arg-type]
    return people


def slow_bin(value: float, edges: tuple[float, ...]) -> int | None:
    if not edges[0] <= value <= edges[-1]:
        return None
    return min(bisect.bisect_right(edges, value) - 1, len(edges) - 2)


def mean_of(rows: list[tuple[float, int, int]]) -> float | None:
    ages = [min(max(age, 0.0), 120.0) for age, *_ in rows if math.isfinite(age)]
    return min(max(math.fsum(ages) / len(ages), 0.0), 120.0) if ages else None


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, edges=EDGES, alone=st.booleans())
def test_a_histogram_counts_each_person_once_at_the_mean(rows: Any, edges: list[int], alone: bool) -> None:
    found, marks = table(rows, alone), tuple(float(edge) for edge in edges)
    expected = [0] * (len(marks) - 1)
    means, someone = person_means(found, AGE, present(found, "age"))
    for person, own in rows_of(found).items():
        slow = mean_of(own)
        assert bool(someone[person]) == (slow is not None)
        if slow is not None:
            assert means[person] == pytest.approx(slow, rel=1e-15)
            place = slow_bin(float(means[person]), marks)
            expected[place if place is not None else 0] += place is not None
    assert binned(means, someone, AGE, marks).tolist() == expected
    if alone:
        assert binned(found.columns["age"], None, AGE, marks).tolist() == expected


@pytest.mark.parametrize("bins", [1, 16, 32, 33, 100, 256])
@pytest.mark.parametrize("even", [True, False])
def test_bins_of_every_number_hold_their_edges(bins: int, even: bool) -> None:
    drawn = np.random.default_rng(bins)
    marks = tuple(np.linspace(3.7, 119.3, bins + 1)) if even else tuple(np.sort(drawn.uniform(0, 120, bins + 1)))
    near = [np.nextafter(mark, side) for mark in marks for side in (-np.inf, np.inf)]
    values = np.array([*marks, *near, *drawn.uniform(-10, 130, 500), math.nan, math.inf, -math.inf])
    expected = [0] * bins
    for value in values[np.isfinite(values)].tolist():
        place = slow_bin(min(max(value, 0.0), 120.0), marks)
        expected[place if place is not None else 0] += place is not None
    assert binned(values, None, AGE, marks).tolist() == expected


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, alone=st.booleans())
def test_a_crosstab_counts_each_person_once_in_the_first_cell(rows: Any, alone: bool) -> None:
    found, crossing = table(rows, alone), Crossing.of(DOMAIN, ("sex", "stage"))
    expected = [0] * 6
    for own in rows_of(found).values():
        cells = [sex * 3 + stage for _, sex, stage in own if sex >= 0 and stage >= 0]
        if cells:
            expected[min(cells)] += 1
    places = crossed(found, crossing)
    assert places.tolist() == crossing.index(found).tolist()
    assert counted(first_place(found, places, 6), 6).tolist() == expected


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, alone=st.booleans(), grouped=st.booleans())
def test_sums_are_of_whole_places_on_the_grid(rows: Any, alone: bool, grouped: bool) -> None:
    found = table(rows, alone)
    means, someone = person_means(found, AGE, present(found, "age"))
    home = first_place(found, found.columns["sex"], 2) if grouped else None
    expected = [[0, 0], [0, 0], [0, 0]]
    for person in range(found.n_persons):
        cell = int(home[person]) if home is not None else 0
        if not someone[person] or cell < 0:
            continue
        place = round(Fraction((float(means[person]) - 60.0) / 60.0 * HALF))
        expected[0][cell] += 1
        expected[1][cell] += place
        expected[2][cell] += place * place // HALF - HALF // 2
    length = 2 if grouped else 1
    sums = [part.tolist() for part in summed(means, someone, home, AGE, length)]
    assert sums == [part[:length] for part in expected]
    assert not found.n_persons or on_grid(means, AGE).max() <= HALF
