"""Two cohorts a person apart, within a study and across two, are told apart before anything is released."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin.kernel.errors import LimitExceeded
from xinglin.kernel.verdict import Allowed, Denied
from xinglin.privacy.differencing import (
    ReleasedCell,
    check_differences,
    check_layout,
    check_rosters,
    difference_counts,
    difference_layout,
)
from xinglin.privacy.disclosure import DisclosureRules
from xinglin.privacy.errors import BadLayout

RULES = DisclosureRules()
OLD = ReleasedCell("run-1", "all")
people = st.frozensets(st.integers(0, 60))


def pooled(now: list[frozenset[int]], before: list[frozenset[int]]) -> tuple[int, ...]:
    """What the secure sum of the nodes' counts gives."""
    layout = difference_layout([OLD], ["all"])
    each = [difference_counts(layout, {"all": n}, {OLD: b}) for n, b in zip(now, before, strict=True)]
    return tuple(map(sum, zip(*each, strict=True)))


@given(st.lists(st.tuples(people, people), min_size=1, max_size=4))
def test_allowed_means_nobody_or_enough(sites: list[tuple[frozenset[int], frozenset[int]]]) -> None:
    counts = pooled([n for n, _ in sites], [b for _, b in sites])
    new_only = sum(len(n - b) for n, b in sites)
    old_only = sum(len(b - n) for n, b in sites)
    allowed = isinstance(check_differences(RULES, difference_layout([OLD], ["all"]), counts), Allowed)
    assert allowed == (new_only == old_only == 0 or max(new_only, old_only) >= 10)


def test_one_person_apart() -> None:
    layout = difference_layout([OLD], ["all"])
    everyone, without = frozenset(range(100)), frozenset(range(99))
    for now, before in ((everyone, without), (without, everyone)):
        verdict = check_differences(RULES, layout, pooled([now], [before]))
        assert isinstance(verdict, Denied)
        assert "run-1" not in verdict.reasons[0].words, "the other release is not named"
    assert check_differences(RULES, layout, pooled([everyone], [everyone]))
    assert check_differences(RULES, layout, pooled([everyone], [frozenset(range(90))]))
    assert not check_differences(RULES, layout, pooled([everyone], [frozenset(range(91))]))


def test_one_swapped_person_hides_behind_an_equal_count() -> None:
    """The near miss: as many persons, and yet one of them is another."""
    layout = difference_layout([OLD], ["all"])
    assert not check_differences(RULES, layout, pooled([frozenset(range(50))], [frozenset(range(1, 51))]))


def test_the_layout_is_everybodys() -> None:
    first = difference_layout([OLD, ReleasedCell("run-0", "b")], ["x", "y"])
    assert first == difference_layout([ReleasedCell("run-0", "b"), OLD, OLD], ["y", "x", "y"])
    assert len(first) == 8 and len(set(first)) == 8
    difference_layout([ReleasedCell("r", str(i)) for i in range(128)], [str(i) for i in range(256)])
    with pytest.raises(LimitExceeded):
        difference_layout([ReleasedCell("r", str(i)) for i in range(129)], [str(i) for i in range(256)])


def test_nothing_kept_is_left_out() -> None:
    assert check_layout([OLD, ReleasedCell("another", "all")], [OLD])
    assert not check_layout([], [OLD])
    assert not check_layout([ReleasedCell("run-1", "sex=F")], [OLD])


def test_counts_fit_the_layout() -> None:
    layout = difference_layout([OLD], ["all"])
    for wrong in ([], [0], [0, 0, 0], [-1, 0]):
        with pytest.raises(BadLayout):
            check_differences(RULES, layout, wrong)
    with pytest.raises(BadLayout):
        difference_counts(layout, {"other": frozenset()}, {})
    assert difference_counts(layout, {"all": frozenset({1})}, {}) == (1, 0), "it took no part in that release"


def test_rosters_one_hospital_apart() -> None:
    assert check_rosters(RULES, "abcd", ["abcd"])
    assert not check_rosters(RULES, "abcd", ["abcd", "abc"])
    assert not check_rosters(RULES, "abc", ["abcd"])
    assert check_rosters(RULES, "abcdefg", ["abcd"])
    assert check_rosters(RULES, "abc", [])
