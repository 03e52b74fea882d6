"""Two cohorts a person apart, within a study and across two, are told apart before anything is released."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin.kernel.errors import LimitExceeded
from xinglin.kernel.verdict import Allowed, Denied, Verdict
from xinglin.privacy.differencing import (
    ReleasedCell,
    check_differences,
    check_layout,
    check_rosters,
    difference_counts,
    difference_layout,
    roster_layout,
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


def around(roster: str, before: str, shared: int, more: int) -> Verdict:
    """A release of ``roster`` after one of ``before``; ``shared`` persons differ where both were, ``more`` are new."""
    cells, rosters = [OLD], {OLD.release: before}
    layout = difference_layout(cells, ["all"]) + roster_layout(cells, ["all"], rosters, roster)
    now = {"all": frozenset(range(100 + shared))}
    here = difference_counts(layout, now, {OLD: frozenset(range(100))})
    away = difference_counts(layout, {"all": frozenset(range(more))}, {})
    return check_rosters(RULES, layout, [a + b for a, b in zip(here, away, strict=True)], rosters, roster)


def test_rosters_one_hospital_apart() -> None:
    """The same persons with one hospital more or less: the difference is that hospital's own part."""
    for shared in (0, 1, 9):
        assert around("abcd", "abc", shared, 300).codes == ("privacy.roster_differencing",)
        assert around("abc", "abcd", shared, 0).codes == ("privacy.roster_differencing",)
        assert around("abd", "abc", shared, 300).codes == ("privacy.roster_differencing",)
        assert around("abc", "abcdefg", shared, 0).codes == ("privacy.roster_differencing",)
    assert around("abcd", "abcd", 0, 0)
    assert around("abcdefg", "abcd", 0, 300), "three hospitals more: nobody's own part"
    assert around("abcd", "abc", 10, 300), "enough other persons at the hospitals of both"
    assert around("abc", "abcd", 10, 0)


def test_shared_places_count_where_the_earlier_release_was_made() -> None:
    layout = roster_layout([OLD], ["all"], {OLD.release: "abc"}, "abcd")
    assert difference_counts(layout, {"all": frozenset({1})}, {}) == (0, 0)
    assert difference_counts(layout, {"all": frozenset({1})}, {OLD: frozenset({2, 3})}) == (1, 2)
    assert roster_layout([OLD], ["all"], {OLD.release: "cba"}, "abc") == ()


def test_shared_places_are_no_matter_to_the_persons_rule() -> None:
    layout = roster_layout([OLD], ["all"], {OLD.release: "abc"}, "abcd")
    assert check_differences(RULES, layout, [1, 0])
    with pytest.raises(BadLayout):
        check_rosters(RULES, layout, [1], {OLD.release: "abc"}, "abcd")
