"""Suggestions stay apart from facts until a person accepts them; a correction is a version with its own source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.unit.lake.clinic import RECORDED, clinic, rates, shaped

from xinglin.kernel.states import IllegalMove
from xinglin.lake import Lake, check_lake, erase_person, read_current
from xinglin.lake.lineage import versions_of_fact
from xinglin.lake.quality_suggest import (
    SUGGESTION,
    FactMoved,
    UnknownSuggestion,
    accept,
    propose,
    refuse,
    suggestions,
)

FEVER: dict[str, Any] = {
    **rates(1)[0],
    "id": "Observation/fever",
    "code": "8310-5",
    "value_unit": "Cel",
    "value_number": 101.3,
    "version_at": RECORDED,
}


def value(lake: Lake, fact: str = "Observation/fever") -> list[Any]:
    with read_current(lake, lake.current(["observation"])) as session:
        rows = session.run(f"SELECT value_number, status, source FROM observation WHERE id = '{fact}'")
    return [tuple(row.values()) for row in rows.to_pylist()]


def test_a_rule_suggests_and_changes_nothing(tmp_path: Path) -> None:
    lake = clinic(tmp_path, observation=[FEVER])
    assert propose(lake, RECORDED) == 1
    (one,) = suggestions(lake)
    assert (one.column, one.current, one.suggested, one.rule) == ("value_number", "101.3", "38.5", "fahrenheit")
    assert (one.fact, one.patient, one.rule_version) == ("Observation/fever", "Patient/0", 1)
    assert value(lake) == [(101.3, "final", "his")]
    assert propose(lake, RECORDED + 1) == 0
    assert "Observation/fever" not in repr(one)


def test_an_accepted_one_is_a_version_with_its_own_source(tmp_path: Path) -> None:
    lake = clinic(tmp_path, observation=[FEVER])
    propose(lake, RECORDED)
    (one,) = suggestions(lake)
    done = accept(lake, one.id, "Dr Wang", RECORDED + 5)
    assert (done.state, done.by) == ("accepted", "Dr Wang")
    assert value(lake) == [(38.5, "final", "correction")]
    newest, original = versions_of_fact(lake, "observation", "Observation/fever")
    assert (newest.source, newest.place, newest.batch) == ("correction", f"suggestion {one.id}", None)
    assert original.source == "his"
    assert suggestions(lake) == ()
    assert [one.by for one in suggestions(lake, "accepted")] == ["Dr Wang"]
    assert not check_lake(lake, {1: {"observation": 41, "patient": 40, "encounter": 40, "condition": 40}})
    with pytest.raises(IllegalMove):
        accept(lake, one.id, "Dr Li", RECORDED + 6)


def test_a_later_word_of_the_source_wins(tmp_path: Path) -> None:
    lake = clinic(tmp_path, observation=[FEVER])
    propose(lake, RECORDED)
    accept(lake, suggestions(lake)[0].id, "Dr Wang", RECORDED + 5)
    amended = {**FEVER, "value_number": 37.0, "version_at": RECORDED + 60_000}
    lake.append_batch(2, {"observation": shaped("observation", [amended], batch=2, at=RECORDED + 60_000)})
    assert value(lake) == [(37.0, "final", "his")]


def test_a_fact_that_moved_is_not_corrected(tmp_path: Path) -> None:
    lake = clinic(tmp_path, observation=[FEVER])
    propose(lake, RECORDED)
    (one,) = suggestions(lake)
    amended = {**FEVER, "value_number": 38.4, "version_at": RECORDED + 60_000}
    lake.append_batch(2, {"observation": shaped("observation", [amended], batch=2)})
    with pytest.raises(FactMoved):
        accept(lake, one.id, "Dr Wang", RECORDED + 70_000)
    assert value(lake) == [(38.4, "final", "his")]


def test_a_refused_one_stays_refused(tmp_path: Path) -> None:
    lake = clinic(tmp_path, observation=[FEVER])
    propose(lake, RECORDED)
    (one,) = suggestions(lake)
    refuse(lake, one.id, "Dr Wang", RECORDED + 5)
    assert (propose(lake, RECORDED + 6), suggestions(lake)) == (0, ())
    assert value(lake) == [(101.3, "final", "his")]
    with pytest.raises(IllegalMove):
        accept(lake, one.id, "Dr Wang", RECORDED + 7)
    with pytest.raises(UnknownSuggestion):
        refuse(lake, "none", "Dr Wang", RECORDED)


def test_repeated_facts_are_suggested_to_be_taken_back(tmp_path: Path) -> None:
    lake = clinic(tmp_path, observation=[{**rates(2)[1], "id": "Observation/again"}])
    assert propose(lake, RECORDED) == 1
    (one,) = suggestions(lake)
    assert (one.fact, one.column, one.suggested) == ("Observation/again", "status", "entered-in-error")
    accept(lake, one.id, "Dr Wang", RECORDED + 5)
    assert value(lake, "Observation/again") == []
    assert len(value(lake, "Observation/1")) == 1


def test_an_erased_person_leaves_no_suggestion(tmp_path: Path) -> None:
    lake = clinic(tmp_path, observation=[FEVER])
    propose(lake, RECORDED)
    accept(lake, suggestions(lake)[0].id, "Dr Wang", RECORDED + 5)
    erase_person(lake, ["Patient/0"])
    assert lake.open(SUGGESTION).to_pyarrow_table().num_rows == 0
    assert value(lake) == []
