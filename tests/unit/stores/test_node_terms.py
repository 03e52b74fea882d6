"""Decisions are kept up to a number and an age and no further; acts on a policy are only ever added."""

from __future__ import annotations

from pathlib import Path

import pytest

from xinglin.kernel.errors import LimitExceeded
from xinglin.stores.node_database import NodeDatabase
from xinglin.stores.node_terms import DAY_MS, DECISION_BYTES, DECISION_DAYS, DecisionRow, NodeTerms

NOW = 1_760_000_000_000


def names(store: NodeTerms, most: int = 100, now: int = NOW) -> list[str]:
    return [row.decision for row in store.last(most, now)]


def test_one_more_than_the_limit_drops_the_oldest(tmp_path: Path) -> None:
    store = NodeTerms.in_folder(tmp_path, most=3)
    for k in range(4):
        store.keep(DecisionRow(f"run-{k}", NOW + k, b"x"))
    assert names(store) == ["run-3", "run-2", "run-1"]
    assert names(store, most=2) == ["run-3", "run-2"]
    store.close()


def test_a_decision_made_again_takes_the_place_of_the_earlier(tmp_path: Path) -> None:
    store = NodeTerms.in_folder(tmp_path)
    for body in (b"first", b"second"):
        store.keep(DecisionRow("run-1", NOW, body))
    assert [row.body for row in store.last(10, NOW)] == [b"second"]
    store.close()


def test_what_is_older_than_its_days_is_neither_shown_nor_kept(tmp_path: Path) -> None:
    store = NodeTerms.in_folder(tmp_path)
    days = DECISION_DAYS.value * DAY_MS
    store.keep(DecisionRow("old", NOW, b"x"))
    assert names(store, now=NOW + days) == ["old"]
    assert names(store, now=NOW + days + 1) == []
    store.keep(DecisionRow("new", NOW + days + 1, b"x"))
    assert names(store) == ["new"]
    store.close()


def test_a_decision_of_one_byte_more_is_refused(tmp_path: Path) -> None:
    store = NodeTerms.in_folder(tmp_path)
    store.keep(DecisionRow("run-1", NOW, bytes(DECISION_BYTES.value)))
    with pytest.raises(LimitExceeded):
        store.keep(DecisionRow("run-2", NOW, bytes(DECISION_BYTES.value + 1)))
    store.close()


def test_acts_stay_in_their_places_beside_the_nodes_other_tables(tmp_path: Path) -> None:
    database, store = NodeDatabase.in_folder(tmp_path, lambda: NOW), NodeTerms.in_folder(tmp_path)
    assert [store.add_act(0, b"one"), store.add_act(0, b"other"), store.add_act(2, b"gap")] == [True, False, False]
    assert store.add_act(1, b"two")
    store.close()
    again = NodeTerms.in_folder(tmp_path)
    assert again.acts() == (b"one", b"two")
    again.close()
    database.close()
