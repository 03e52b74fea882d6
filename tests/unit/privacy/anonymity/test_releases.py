"""An attacker with two releases of a table: what is allowed leaves k persons, what is refused was an attack."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.privacy.anonymity.tables import AGES, table

from xinglin.kernel.errors import LimitExceeded
from xinglin.kernel.verdict import Allowed, Denied
from xinglin.privacy.anonymity import (
    BadColumns,
    BadIndex,
    Quasi,
    ReleaseIndex,
    Rules,
    anonymise,
    anonymise_beside,
    compare_releases,
    index_release,
)

KEY = bytes(range(32))
QUASI = [Quasi("age", AGES), Quasi("sex")]


def released(columns: dict[str, np.ndarray], persons: np.ndarray, k: int = 5, **more: Any) -> tuple[Any, ReleaseIndex]:
    out = anonymise(columns, QUASI, Rules(k), persons)
    return out, index_release("first", out.columns, out.classes, persons[out.kept], KEY, k, **more)


def narrowest(one: dict[Any, set[int]], other: dict[Any, set[int]]) -> int:
    """The fewest persons among whom an attacker who intersects and subtracts classes has to look."""
    cells: dict[tuple[int, int], set[Any]] = defaultdict(set)
    for person in one.keys() | other.keys():
        for a in one.get(person, {-1}):
            for b in other.get(person, {-1}):
                cells[a, b].add(person)
    return min(map(len, cells.values()))


def standing(persons: np.ndarray, classes: np.ndarray) -> dict[Any, set[int]]:
    found: dict[Any, set[int]] = defaultdict(set)
    for person, number in zip(persons.tolist(), classes.tolist(), strict=True):
        found[person].add(number)
    return found


@settings(max_examples=60)
@given(st.integers(0, 1000), st.integers(1, 6), st.booleans())
def test_what_is_allowed_is_what_an_attack_leaves_k_persons_in(seed: int, k: int, keyed: bool) -> None:
    draw = np.random.default_rng(seed)
    many = int(draw.integers(20, 120))
    persons = [draw.integers(0, many, many) if keyed else draw.permutation(many * 2)[:many] for _ in range(2)]
    classes = [(people // int(draw.integers(3, 40))).astype(np.int32) for people in persons]
    indexes = [index_release("r", {}, c, p, KEY, k) for c, p in zip(classes, persons, strict=True)]
    left = narrowest(standing(persons[0], classes[0]), standing(persons[1], classes[1]))
    assert bool(compare_releases(indexes[0], indexes[1])) == (left >= k)


def test_the_same_table_again_is_allowed_and_one_person_more_is_not() -> None:
    columns = table(200, 4)
    persons = np.array([f"p{n}" for n in range(200)], dtype=object)
    _, first = released(columns, persons)
    _, again = released(columns, persons)
    assert compare_releases(first, again) == Allowed() == compare_releases([], again)
    fewer = {name: column[:-1] for name, column in columns.items()}
    _, without = released(fewer, persons[:-1])
    verdict = compare_releases(without, again)
    assert isinstance(verdict, Denied) and "privacy.releases.persons" in verdict.codes
    assert verdict.reasons[0].remedy
    assert compare_releases([again, without], again).codes == verdict.codes  # type: ignore[union-attr]


def test_classes_that_show_too_few_values_in_common_are_refused() -> None:
    """Both releases are 2-diverse; together only one illness remains."""
    persons = np.arange(8)
    first = {"illness": np.array(["flu", "ulcer"] * 4, dtype=object)}
    second = {"illness": np.array(["flu", "cancer"] * 4, dtype=object)}
    classes = np.zeros(8, dtype=np.int32)
    one = index_release("1", first, classes, persons, KEY, 2, ["illness"], 2)
    other = index_release("2", second, classes, persons, KEY, 2, ["illness"], 2)
    assert compare_releases(one, other).codes == ("privacy.releases.values",)  # type: ignore[union-attr]
    assert compare_releases(one, one)


@settings(max_examples=25)
@given(st.integers(0, 1000), st.integers(0, 30), st.integers(0, 30))
def test_a_table_that_grew_and_shrank_is_released_beside_the_earlier_one(seed: int, gone: int, new: int) -> None:
    draw = np.random.default_rng(seed)
    columns = table(200, seed)
    persons = draw.permutation(200)
    first_rows = np.arange(0, 150)
    out, first = released({n: c[first_rows] for n, c in columns.items()}, persons[first_rows], 4)
    rows = np.concatenate([draw.permutation(150)[gone:], np.arange(150, 150 + new)])
    later = {name: column[rows] for name, column in columns.items()}
    second = anonymise_beside(later, QUASI, Rules(4), persons[rows], first, KEY)
    people = persons[rows][second.kept]
    assert second.k >= 4
    assert compare_releases(first, index_release("second", second.columns, second.classes, people, KEY, 4))
    assert narrowest(standing(persons[first_rows], out.classes), standing(people, second.classes)) >= 4
    assert len(second.kept) <= len(rows)
    if not gone:
        assert len(second.kept) == len(rows) - (new if new < 4 else 0)


def test_the_index_tells_nobody_without_the_key() -> None:
    columns = table(60, 1)
    persons = np.array([f"110101199001010{n:03}" for n in range(60)], dtype=object)
    out, index = released(columns, persons, sensitive=["illness"], l=2)
    document = index.to_bytes()
    assert ReleaseIndex.from_bytes(document) == index
    for text in ("110101199001010", "flu", "cancer", "p1"):
        assert text.encode() not in document
    other = index_release("x", out.columns, out.classes, persons, bytes(32), 5)
    assert not set(np.frombuffer(index.persons, "V16").tolist()) & set(np.frombuffer(other.persons, "V16").tolist())
    with pytest.raises(BadIndex, match="different keys"):
        compare_releases(index, other)


def test_indexes_and_tables_that_do_not_fit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = table(60, 1)
    persons = np.arange(60)
    out, index = released(columns, persons)
    for document in (b"", b"x", msgspec.msgpack.encode({"release": "x"})):
        with pytest.raises(BadIndex):
            ReleaseIndex.from_bytes(document)
    with pytest.raises(BadIndex, match="version"):
        ReleaseIndex.from_bytes(msgspec.structs.replace(index, version=2).to_bytes())
    with pytest.raises(BadIndex, match="do not match"):
        ReleaseIndex.from_bytes(msgspec.structs.replace(index, classes=index.classes[:-4]).to_bytes())
    with pytest.raises(BadIndex):
        index_release("x", out.columns, out.classes, persons, b"short", 5)
    with pytest.raises(BadColumns):
        index_release("x", out.columns, out.classes, np.array([np.nan] * 60), KEY, 5)
    with pytest.raises(BadIndex):
        anonymise_beside(columns, QUASI, Rules(5), persons, index, bytes(32))
    with pytest.raises(BadColumns, match="several rows"):
        anonymise_beside(columns, QUASI, Rules(5), persons // 2, index, KEY)
    with pytest.raises(LimitExceeded):
        compare_releases([index] * 257, index)
