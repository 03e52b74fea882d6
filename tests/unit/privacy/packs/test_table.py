"""Tables from rows: distinct persons, largest contributions, and what does not fit together."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.kernel.errors import LimitExceeded
from xinglin.privacy.packs import Axis, BadRelease, ReleaseTable, apply, count_table, shipped, sum_table, tally

AXES = {"a": ["x", "y", "z"], "b": ["u", "v"]}
rows = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 2), st.integers(0, 1), st.integers(-5, 30)), min_size=1, max_size=60
)


def entries(a: int, b: int) -> list[tuple[int, int]]:
    return [(a, b), (3, b), (a, 2), (3, 2)]


@settings(max_examples=60)
@given(rows)
def test_entries_count_persons_once_and_keep_the_largest(found: list[tuple[int, int, int, int]]) -> None:
    who, where = [row[0] for row in found], np.array([[row[1] for row in found], [row[2] for row in found]])
    brought: dict[tuple[int, int], dict[int, float]] = defaultdict(lambda: defaultdict(float))
    count: dict[tuple[int, int], int] = defaultdict(int)
    for person, a, b, value in found:
        for place in entries(a, b):
            brought[place][person] += value
            count[place] += 1
    table = tally("t", AXES, [f"p{p}" for p in who], where)
    sums = sum_table("t", AXES, [row[3] for row in found], where, persons=who, top=3)
    for place in np.ndindex(table.shape):
        values = sorted((abs(v) for v in brought[place].values()), reverse=True)
        assert table.persons[place] == sums.persons[place] == len(values)
        assert table.figures[place] == count[place]
        assert sums.figures[place] == pytest.approx(sum(brought[place].values()))
        assert sums.magnitude is not None and sums.magnitude[place] == pytest.approx(sum(values))
        assert sums.largest is not None and sums.largest[place].tolist() == pytest.approx([*values, 0, 0, 0][:3])


def test_persons_of_several_entries_are_judged_as_persons() -> None:
    """Forty rows of nine persons are nine persons."""
    table = tally("t", {"a": ["x", "y"]}, [i % 9 for i in range(40)] + list(range(100, 160)), [[0] * 40 + [1] * 60])
    protected = apply(shipped("sacro"), table)
    assert protected.inside[(0,)].rule == "threshold" and np.isnan(protected.cells[0])


def test_what_does_not_fit_is_refused() -> None:
    axes = (Axis("a", ("x", "y")),)
    persons, figures = np.array([20, 30, 50]), np.array([20.0, 30.0, 50.0])
    for wrong in (
        {"persons": persons[:2]},
        {"figures": figures[:2]},
        {"axes": ()},
        {"axes": (Axis("a", ()),)},
        {"kind": "median"},
        {"persons": np.array([-1, 30, 50])},
        {"figures": np.array([-1.0, 30, 50])},
        {"largest": np.zeros((2, 2))},
    ):
        given_ = {"name": "t", "axes": axes, "persons": persons, "figures": figures} | wrong
        with pytest.raises(BadRelease):
            ReleaseTable(**given_)  # type: ignore[arg-type]
    with pytest.raises(BadRelease):
        tally("t", AXES, [1], [[3], [0]])
    with pytest.raises(BadRelease):
        apply(shipped("sacro"), ReleaseTable("t", axes, persons, figures, "sum"))
    with pytest.raises(BadRelease):
        apply(shipped("uk-llc"), count_table("t", {"a": "xy"}, [20, 30]), round_instead=True)
    with pytest.raises(BadRelease):
        apply(shipped("i2b2"), count_table("t", {"a": "xy"}, [20, 30]))
    with pytest.raises(LimitExceeded):
        count_table("t", {"a": range(256), "b": range(256)}, np.zeros((256, 256)))  # type: ignore[dict-item]


def test_too_few_hospitals_hide_everything() -> None:
    protected = apply(shipped("xinglin"), count_table("t", {"a": "xy"}, [20, 30], hospitals=2))
    assert np.isnan(protected.cells).all() and {why.rule for why in protected.inside.values()} == {"hospitals"}
    assert not apply(shipped("xinglin"), count_table("t", {"a": "xy"}, [20, 30], hospitals=3)).hidden


def test_labels_are_levels() -> None:
    table = count_table("t", AXES, np.full((3, 2), 20))
    assert table.label((1, 2)) == "a=y, b=total"
