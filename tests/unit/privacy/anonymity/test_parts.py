"""A table in parts holds the same as the table at once, read in whatever batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.privacy.anonymity.tables import ILLNESSES, QUASI, table

from xinglin.kernel.errors import LimitExceeded
from xinglin.privacy.anonymity import (
    BadRules,
    Quasi,
    Rules,
    Sensitive,
    TooFewPersons,
    UncuttablePart,
    anonymise,
    anonymise_parts,
    check,
    first_cuts,
)


def reading(columns: dict[str, np.ndarray], batch: int) -> Any:
    def read() -> Iterator[dict[str, np.ndarray]]:
        for begin in range(0, len(columns["age"]), batch):
            yield {name: column[begin : begin + batch] for name, column in columns.items()}

    return read


HELD = (
    (),
    (Sensitive("illness", l=2),),
    (Sensitive("stage", t=0.45, distance="ordered"), Sensitive("illness", t=0.45)),
    (Sensitive("illness", t=0.45, distance="hierarchy", hierarchy=ILLNESSES),),
)


@settings(max_examples=20)
@given(st.integers(0, 100), st.integers(2, 6), st.sampled_from(HELD), st.booleans())
def test_all_parts_together_hold_what_the_table_at_once_holds(seed: int, k: int, held: Any, texts: bool) -> None:
    columns = table(600, seed)
    if texts:
        columns["stage"] = np.array([None if n == 4 else float(n) for n in columns["stage"].tolist()], dtype=float)
    rules = Rules(k, sensitive=held)
    parts = list(anonymise_parts(reading(columns, 77), QUASI, rules, 200))
    assert len(parts) == parts[0].parts >= 3
    assert all(len(part.rows) <= 200 for part in parts)
    rows = np.concatenate([part.rows[part.table.kept] for part in parts])
    assert sorted(rows.tolist()) == list(range(600))
    classes = np.concatenate([part.table.classes + 1000 * part.number for part in parts])
    together = {n: np.concatenate([part.table.columns[n] for part in parts]) for n in columns} | {"class": classes}
    found = check(together, ["class"], sensitive=[one.name for one in held])
    assert found.k >= k and check(together, [one.name for one in QUASI]).k >= k
    for one in held:
        assert not one.l or found.sensitive[one.name].distinct >= one.l
        if one.t is not None and one.distance != "hierarchy":
            shown = found.sensitive[one.name]
            assert (shown.t if one.distance == "equal" else shown.t_ordered) <= one.t + 1e-9
    again = list(anonymise_parts(reading(columns, 250), QUASI, rules, 200))
    assert [part.rows.tolist() for part in parts] == [part.rows.tolist() for part in again]


def test_a_table_that_fits_is_one_part_and_the_same_as_at_once() -> None:
    columns = table(300, 2)
    whole = anonymise(columns, QUASI, Rules(5))
    (part,) = anonymise_parts(reading(columns, 64), QUASI, Rules(5), 300)
    assert np.array_equal(part.table.classes, whole.classes) and part.table.loss == whole.loss


def test_persons_are_counted_in_each_part_and_not_handed_on() -> None:
    columns = table(600, 3) | {"person": np.arange(600) // 3}
    parts = list(anonymise_parts(reading(columns, 100), QUASI[:2], Rules(4), 300, "person"))
    assert all(part.table.k >= 4 and "person" not in part.table.columns for part in parts)


def test_batches_are_told_their_parts() -> None:
    columns = table(600, 4)
    cuts = first_cuts(reading(columns, 100), QUASI, Rules(5), 200)
    told = np.concatenate([cuts.part_of(batch) for batch in reading(columns, 33)()])
    assert np.bincount(told).tolist() == cuts.sizes[cuts.parts].tolist()


def test_what_cannot_be_cut_is_refused() -> None:
    alike = {"age": np.array([30] * 50)}
    with pytest.raises(UncuttablePart) as caught:
        list(anonymise_parts(reading(alike, 10), [Quasi("age")], Rules(5), 49))
    assert caught.value.remedy
    with pytest.raises(TooFewPersons):
        list(anonymise_parts(reading(alike, 10), [Quasi("age")], Rules(51), 60))
    columns = table(100, 1) | {"person": np.arange(100)}
    with pytest.raises(BadRules):
        list(anonymise_parts(reading(columns, 10), QUASI, Rules(5, t=0.5, sensitive=("stage",)), 60, "person"))


def test_one_more_than_the_parts_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    from xinglin.privacy.anonymity import parts

    monkeypatch.setattr(parts, "PARTS", parts.PARTS.__class__("parts", 2, "parts"))
    with pytest.raises(LimitExceeded):
        list(anonymise_parts(reading(table(600, 1), 100), QUASI, Rules(5), 200))
