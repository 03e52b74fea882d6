"""Extracts one after the other: whoever holds them all finds nobody among fewer than k, whatever the cohorts."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.privacy.anonymity.tables import AGES, AREAS, table

from xinglin.kernel.errors import LimitExceeded
from xinglin.kernel.verdict import Allowed, Denied
from xinglin.privacy.anonymity import (
    BadIndex,
    Quasi,
    ReleaseIndex,
    Rules,
    TooFewPersons,
    Unreachable,
    anonymise,
    anonymise_among,
    check,
    compare_releases,
    index_release,
)
from xinglin.privacy.anonymity.releases import RELEASES

KEY = bytes(range(32))
CHOICES = ([Quasi("age", AGES), Quasi("sex")], [Quasi("area", AREAS)], [Quasi("weight"), Quasi("sex")])
Where = dict[Any, Any]


def indexed(out: Any, persons: np.ndarray, k: int, sensitive: tuple[str, ...] = (), l: int = 1) -> ReleaseIndex:  # noqa: E741
    return index_release("one", out.columns, out.classes, persons[out.kept], KEY, k, sensitive, l)


def standing(out: Any, persons: np.ndarray) -> Where:
    return dict(zip(persons[out.kept].tolist(), out.classes.tolist(), strict=True))


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.lists(st.integers(2, 20), min_size=3, max_size=3), st.booleans())
def test_all_releases_together_tell_nobody_of_the_newest_from_k(seed: int, ks: list[int], grown: bool) -> None:
    draw = np.random.default_rng(seed)
    everybody, data = np.arange(200), table(200, seed)
    indexes: list[ReleaseIndex] = []
    before: list[Where] = []
    for turn, k in enumerate(ks):
        some = everybody[: 100 + 50 * turn] if grown else draw.permutation(everybody)[: int(draw.integers(60, 200))]
        columns = {name: values[some] for name, values in data.items()}
        quasi = CHOICES[int(draw.integers(0, 3))]
        try:
            out = anonymise_among(columns, quasi, Rules(k), some, indexes, KEY)
        except TooFewPersons:
            continue
        now = standing(out, some)
        joint = Counter(tuple(one.get(person, -1) for one in (*before, now)) for person in now)
        assert min(joint.values()) >= min(ks[: turn + 1])
        assert check(out.columns, [one.name for one in quasi], some[out.kept]).k >= k
        index = indexed(out, some, k)
        assert isinstance(compare_releases(indexes, index), Allowed)
        indexes.append(index)
        before.append(now)
    assert indexes


def test_the_same_again_is_the_same_and_another_view_of_it_keeps_the_classes() -> None:
    data, who = table(400, 1), np.arange(400)
    first = anonymise(data, CHOICES[0], Rules(5), who)
    index = indexed(first, who, 5)
    again = anonymise_among(data, CHOICES[0], Rules(5), who, [index], KEY)
    assert again.columns["age"].tolist() == first.columns["age"].tolist() and len(again.kept) == 400
    other = anonymise_among(data, CHOICES[1], Rules(5), who, [index], KEY)
    plain = anonymise(data, CHOICES[1], Rules(5), who)
    assert isinstance(compare_releases(index, indexed(plain, who, 5)), Denied), "an attack on what was made alone"
    assert len(other.kept) == 400 and other.loss.granularity > plain.loss.granularity


def test_what_would_difference_a_small_group_is_left_out() -> None:
    data, who = table(400, 2), np.arange(400)
    first = anonymise(data, CHOICES[0], Rules(5), who)
    index, classes = indexed(first, who, 5), standing(first, who)
    some = np.delete(who, 7)  # all but one person
    out = anonymise_among(
        {name: values[some] for name, values in data.items()}, CHOICES[0], Rules(5), some, [index], KEY
    )
    gone = set(range(400)) - {7} - set(some[out.kept].tolist())
    assert gone == {one for one, number in classes.items() if number == classes[7]} - {7}
    few = np.arange(390, 404)
    more = {name: np.concatenate([values[390:], values[:4]]) for name, values in data.items()}
    with pytest.raises(TooFewPersons):
        anonymise_among(more, CHOICES[0], Rules(5), few, [index], KEY)


def test_rows_of_a_person_stay_together_and_rules_hold() -> None:
    data, who = table(600, 3), np.arange(600) // 2
    rules = Rules(5, l=2, sensitive=("illness",))
    first = anonymise(data, CHOICES[0], rules, who)
    index = indexed(first, who, 5, ("illness",), 2)
    out = anonymise_among(data, CHOICES[1], rules, who, [index], KEY)
    report = check(out.columns, ["area"], who[out.kept], ("illness",))
    assert report.linked_k >= 5 and (report.l or 0) >= 2
    assert isinstance(compare_releases([index], indexed(out, who, 5, ("illness",), 2)), Allowed)
    with pytest.raises((TooFewPersons, Unreachable)):
        anonymise_among(data, CHOICES[1], Rules(5, l=50, sensitive=("illness",)), who, [index], KEY)


def test_other_keys_and_one_release_more_than_the_limit() -> None:
    data, who = table(50, 4), np.arange(50)
    index = indexed(anonymise(data, CHOICES[0], Rules(5), who), who, 5)
    with pytest.raises(BadIndex):
        anonymise_among(data, CHOICES[0], Rules(5), who, [index], bytes(32))
    with pytest.raises(LimitExceeded):
        anonymise_among(data, CHOICES[0], Rules(5), who, [index] * (RELEASES.value + 1), KEY)


def test_a_gap_in_a_column_makes_no_other_values_of_it() -> None:
    who, whole = np.arange(20), {"stage": np.arange(20) % 4}
    gaps = {"stage": np.where(who == 3, np.nan, whole["stage"].astype(np.float64))}
    classes = np.zeros(20, dtype=np.int32)
    one, other = (index_release("one", each, classes, who, KEY, 5, ("stage",), 2) for each in (whole, gaps))
    assert isinstance(compare_releases(one, other), Allowed)
