"""A recipient is found in what was leaked, whatever was done to it; nobody else is named."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from tests.unit.privacy.watermark.leaks import (
    KEY,
    LABELLED,
    PLAN,
    SIGMA,
    changed,
    colluded,
    copies,
    labelled,
    people,
    recipients,
    shuffled,
)

from xinglin.privacy.watermark import Detection, detect, mark
from xinglin.privacy.watermark.model import Columns

WHO = recipients(200)
ROWS = 40_000


@functools.cache
def leaked() -> Columns:
    return mark(people(ROWS), KEY, WHO[17], PLAN).columns


def named(found: Detection) -> list[int]:
    return [WHO.index(one.recipient) for one in found.accused]


ATTACKS = {
    "none": lambda given: given,
    "95 % of the rows deleted": lambda given: shuffled(given, 0.05),
    "noise of 3": lambda given: changed(given, "noise"),
    "rounded to 10": lambda given: changed(given, "rounded"),
    "half of the cells replaced": lambda given: changed(given, "replaced"),
    "two of six columns kept": lambda given: {k: v for k, v in given.items() if k not in list(SIGMA)[2:]},
    "ids taken away": lambda given: {k: v for k, v in given.items() if k != "id"},
    "ids and stable columns taken away": lambda given: {k: v for k, v in given.items() if k in SIGMA},
    "ids drawn anew": lambda given: {**given, "id": np.random.default_rng(1).permutation(len(given["id"]))},
    "deleted, noised, rounded": lambda given: changed(changed(shuffled(given, 0.2), "noise"), "rounded"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_one_recipient_is_found_and_nobody_else(attack: str) -> None:
    found = detect(ATTACKS[attack](dict(leaked())), KEY, PLAN, WHO)
    assert named(found) == [17], (attack, found)
    assert found.accused[0].bound <= 1e-6


@pytest.mark.parametrize("how", ["mix", "average", "median", "extremes"])
def test_of_five_colluders_some_are_found_and_no_innocent(how: str) -> None:
    guilty = [3, 50, 99, 120, 199]
    given = copies(people(ROWS), [WHO[place] for place in guilty])
    found = named(detect(colluded(given, how), KEY, PLAN, WHO))
    assert found and set(found) <= set(guilty)
    some = named(detect(shuffled(colluded(given, how), 0.3), KEY, PLAN, WHO))
    assert set(some) <= set(guilty)


def test_an_unmarked_table_a_foreign_key_and_a_stranger_name_nobody() -> None:
    assert not detect(people(ROWS), KEY, PLAN, WHO).accused
    assert not detect(dict(leaked()), bytes(32), PLAN, WHO).accused
    assert not detect(dict(leaked()), KEY, PLAN, WHO[18:]).accused
    assert not detect({"id": people(10)["id"]}, KEY, PLAN, WHO).accused


def test_codes_and_orders_carry_marks_too() -> None:
    table = labelled(6000)
    marked = mark(table, KEY, WHO[5], LABELLED)
    assert named(detect(marked.columns, KEY, LABELLED, WHO)) == [5]
    assert named(detect(shuffled(marked.columns, 0.3), KEY, LABELLED, WHO)) == [5]
    meant = {"I10.x00": "I10", "E11.900": "E11.9"}
    for old, new in zip(table["diagnosis"], marked.columns["diagnosis"], strict=True):
        assert meant.get(old, old) == meant.get(new, new)
    for old, new in zip(table["allergies"], marked.columns["allergies"], strict=True):
        assert sorted(old.split(";")) == sorted(new.split(";"))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ten_thousand_unmarked_trials_name_nobody() -> None:
    """Tables that carry nobody's mark, drawn anew each time, and each asked about ten recipients."""
    who, table, draw = recipients(10), people(200), np.random.default_rng(21)
    for trial in range(10_000):
        fresh = {name: np.rint(draw.normal(10 * sigma, sigma, 200)) for name, sigma in SIGMA.items()}
        fresh["id"] = table["id"] + 1000 * trial
        assert not detect(fresh, KEY, PLAN, who).accused, trial
