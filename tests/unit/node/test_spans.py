"""A node's share of the common span and its judgement, from files as a run keeps them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xinglin.node import engine_sets
from xinglin.node.spans import KEPT, Pooled, judge, share_of
from xinglin.privacy.differencing import SPAN_ROWS, SPAN_TABLES, DifferenceSlot, ReleasedCell, span_layout, span_of

PRIME = 8388617
OLD = [ReleasedCell("run-1", "all"), ReleasedCell("run-2", "all")]
Persons = dict[str, list[int]]


def codes(persons: list[int] | range) -> np.ndarray:
    return np.array(sorted(persons), dtype=np.uint64)


class Site:
    """One node's kept files."""

    def __init__(self, folder: Path, name: str, earlier: Persons, now: list[int] | range) -> None:
        self.keep, self.earlier = folder / f"{name}.now", {run: folder / f"{name}.{run}" for run in earlier}
        before = {run: {"all": codes(persons)} for run, persons in earlier.items()}
        for run, path in self.earlier.items():
            engine_sets.write_sets(str(path), before[run])
        self.slots = span_layout(OLD, ["all"], PRIME, 0)
        cells = {"all": codes(now)}
        self.share, kept = share_of(self.slots, cells, before)
        engine_sets.write_sets(str(self.keep), cells | kept)

    def judge(self, total: list[int], **changed: object) -> object:
        pooled = Pooled(self.slots, tuple(total), frozenset({"all"}), 10)
        import msgspec

        return judge(self.keep, self.earlier, msgspec.structs.replace(pooled, **changed))


@pytest.fixture
def sites(tmp_path: Path) -> list[Site]:
    """(0..59 and the target) + (60..119) - (everybody but the target), which is person 119 of the first."""
    first = Site(tmp_path, "a", {"run-1": [*range(60), 119], "run-2": [*range(60, 120)]}, range(119))
    others = [
        Site(tmp_path, name, {"run-1": [*range(50)], "run-2": [*range(50, 100)]}, range(100)) for name in ("b", "c")
    ]
    return [first, *others]


def total(sites: list[Site]) -> list[int]:
    return [sum(numbers) for numbers in zip(*(site.share for site in sites), strict=True)]


def test_the_hospital_of_the_person_says_no_and_no_other(sites: list[Site]) -> None:
    assert [bool(site.judge(total(sites))) for site in sites] == [False, True, True]
    assert sites[0].judge(total(sites)).codes == ("privacy.linear_differencing",)  # type: ignore[attr-defined]


def test_a_cell_that_is_not_released_is_not_judged(sites: list[Site]) -> None:
    assert sites[0].judge(total(sites), released=frozenset())


def test_what_cannot_be_read_is_a_no(sites: list[Site]) -> None:
    site = sites[1]
    assert site.judge(total(sites))
    kept = engine_sets.read_sets(str(site.keep))
    assert set(kept) == {"all", KEPT}
    engine_sets.write_sets(str(site.keep), {"all": kept["all"]})
    assert site.judge(total(sites)).codes == ("privacy.linear_unjudged",)  # type: ignore[attr-defined]
    site.keep.unlink()
    assert not site.judge(total(sites))


def test_earlier_releases_without_a_span_are_a_no(sites: list[Site]) -> None:
    slot = DifferenceSlot(OLD[0], "all", "new_only")
    assert not sites[1].judge([0], slots=(slot,))
    assert sites[1].judge([], slots=()), "nothing was released before"


def test_whole_cohorts_come_first_and_tables_while_there_is_room() -> None:
    assert span_layout([], ["all", "a"], PRIME, 0) == ()
    assert span_layout([ReleasedCell("run-1", "#rows")], ["all"], PRIME, 0) == (), "finer sets are no cells"
    many = [ReleasedCell(f"run-{i:03}", "all") for i in range(300)]
    rows, prime = span_of(span_layout(many, ["all", "sex=F"], PRIME, 0))
    assert len(rows) == SPAN_ROWS.value and prime == PRIME
    assert rows[0] == ReleasedCell("", "all") and {row.cell for row in rows} == {"all"}
    table = [ReleasedCell("run-1", f"age={i}") for i in range(300)]
    rows, _ = span_of(span_layout([*table, ReleasedCell("run-1", "all")], ["all"], PRIME, 0))
    assert len(rows) == SPAN_TABLES and [row.cell for row in rows[:2]] == ["all", "all"]
    rows, _ = span_of(span_layout(many, ["all"], PRIME, 65_536 - 100))
    assert len(rows) == 10, "as many as there are places left"
