"""The state tables are those of the reference, with who may make each move."""

from __future__ import annotations

import itertools

import pytest

from xinglin.wire.dsp.errors import BadMove
from xinglin.wire.dsp.states import (
    NEGOTIATION,
    NEGOTIATION_MOVES,
    START,
    TABLES,
    TRANSFER,
    TRANSFER_MOVES,
    diagram,
    may_move,
    move,
    other_side,
)

NEGOTIATION_REFERENCE = """
START REQUESTED C
START OFFERED P
REQUESTED OFFERED P
REQUESTED AGREED P
REQUESTED TERMINATED C/P
OFFERED REQUESTED C
OFFERED ACCEPTED C
OFFERED TERMINATED C/P
ACCEPTED AGREED P
ACCEPTED TERMINATED P
AGREED VERIFIED C
AGREED TERMINATED C
VERIFIED FINALIZED P
VERIFIED TERMINATED P
"""
TRANSFER_REFERENCE = """
START REQUESTED C
REQUESTED STARTED P
REQUESTED TERMINATED C/P
STARTED COMPLETED C/P
STARTED SUSPENDED C/P
STARTED TERMINATED C/P
SUSPENDED STARTED C/P
SUSPENDED TERMINATED C/P
"""
SHORT = {("consumer",): "C", ("provider",): "P", ("consumer", "provider"): "C/P"}


@pytest.mark.parametrize(
    ("moves", "reference"), [(NEGOTIATION_MOVES, NEGOTIATION_REFERENCE), (TRANSFER_MOVES, TRANSFER_REFERENCE)]
)
def test_the_tables_equal_the_reference(moves: tuple, reference: str) -> None:
    assert {f"{a} {b} {SHORT[sides]}" for a, _, b, sides in moves} == set(reference.split("\n")[1:-1])


def test_final_states() -> None:
    assert {"FINALIZED", "TERMINATED"} == NEGOTIATION.final
    assert {"COMPLETED", "TERMINATED"} == TRANSFER.final


@pytest.mark.parametrize("kind", sorted(TABLES))
def test_whatever_is_not_in_the_table_is_refused_for_each_side(kind: str) -> None:
    table = TABLES[kind]
    moves = {"negotiation": NEGOTIATION_MOVES, "transfer": TRANSFER_MOVES}[kind]
    legal = {(a, event, side): b for a, event, b, sides in moves for side in sides}
    events = {event for _, event, _ in table.moves}
    tried = list(itertools.product(table.states, events, ("consumer", "provider")))
    for state, event, side in tried:
        assert may_move(kind, state, event, side) == ((state, event, side) in legal)
        if (state, event, side) in legal:
            assert move(kind, state, event, side) == legal[state, event, side]
        else:
            with pytest.raises(BadMove):
                move(kind, state, event, side)
    assert len(legal) < len(tried) / 2


@pytest.mark.parametrize(
    ("kind", "state", "event", "side"),
    [
        ("negotiation", "OFFERED", "offer", "provider"),
        ("negotiation", "OFFERED", "agree", "provider"),
        ("negotiation", "FINALIZED", "terminate", "consumer"),
        ("negotiation", "AGREED", "finalize", "provider"),
        ("negotiation", "REQUESTED", "request", "consumer"),
        ("transfer", "SUSPENDED", "complete", "provider"),
        ("transfer", "REQUESTED", "start", "consumer"),
        ("transfer", "STARTED", "start", "provider"),
    ],
)
def test_the_moves_that_the_kit_tries_are_refused(kind: str, state: str, event: str, side: str) -> None:
    with pytest.raises(BadMove):
        move(kind, state, event, side)


def test_diagrams_name_the_sides() -> None:
    assert "OFFERED --> REQUESTED: request (C)" in diagram("negotiation")
    assert "SUSPENDED --> STARTED: start (C/P)" in diagram("transfer")
    assert f"[*] --> {START}" in diagram("transfer")


def test_sides() -> None:
    assert other_side("consumer") == "provider"
    assert other_side("provider") == "consumer"
