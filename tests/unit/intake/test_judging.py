"""Which rows are new: whole batches at once say what row by row says."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from xinglin.intake.ports import Judged
from xinglin.stores.intake_judging import _one_by_one, judge, split

FEW = st.binary(min_size=16, max_size=16) | st.integers(0, 5).map(lambda number: number.to_bytes(16, "big"))
PAIRS = st.lists(st.tuples(FEW, FEW), max_size=8)


@given(tables=st.dictionaries(st.sampled_from(["a", "b", "c"]), PAIRS), held=PAIRS)
def test_whole_batches_are_judged_as_row_by_row(
    tables: dict[str, list[tuple[bytes, bytes]]], held: list[tuple[bytes, bytes]]
) -> None:
    rows = {name: (b"".join(f for f, _ in pairs), b"".join(c for _, c in pairs)) for name, pairs in tables.items()}
    asked: list[bytes] = []

    def known(facts: bytes) -> dict[bytes, bytes]:
        asked.extend(split(facts))
        return {fact: content for fact, content in dict(held).items() if fact in asked}

    judged: Judged = judge(rows, known)
    assert judged == _one_by_one(rows, dict(held))
    assert asked == sorted(fact for pairs in tables.values() for fact, _ in pairs)
    assert split(judged.fresh[0]) == sorted(split(judged.fresh[0]))
