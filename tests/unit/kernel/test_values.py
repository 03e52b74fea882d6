"""State tables, verdicts, limits, ids, instants, errors."""

from __future__ import annotations

import pytest

from xinglin.kernel import (
    Allowed,
    Denied,
    IllegalMove,
    Limit,
    LimitExceeded,
    MalformedMessage,
    Reason,
    StateTable,
    XinglinError,
    new_id,
)
from xinglin.kernel.instants import from_text, to_text
from xinglin.kernel.verdict import deny, every

DOOR = StateTable("door", "shut", (("shut", "open", "ajar"), ("ajar", "close", "shut"), ("ajar", "break", "broken")))


def test_a_state_table_moves_and_knows_its_final_states() -> None:
    assert DOOR.move("shut", "open") == "ajar"
    assert DOOR.states == ("shut", "ajar", "broken")
    assert DOOR.final == {"broken"}
    assert DOOR.events("ajar") == ("close", "break")


@pytest.mark.parametrize(("state", "event"), [("shut", "close"), ("broken", "open"), ("nowhere", "open"), ("shut", "")])
def test_an_illegal_move_names_state_event_and_what_is_possible(state: str, event: str) -> None:
    with pytest.raises(IllegalMove) as refused:
        DOOR.move(state, event)
    assert (refused.value.state, refused.value.event) == (state, event)
    assert refused.value.possible == DOOR.events(state)
    assert f"'{event}'" in str(refused.value)
    assert f"'{state}'" in str(refused.value)


def test_a_table_that_is_ambiguous_or_starts_nowhere_is_refused() -> None:
    with pytest.raises(ValueError, match="one way only"):
        StateTable("t", "a", (("a", "x", "b"), ("a", "x", "c")))
    with pytest.raises(ValueError, match="not in the table"):
        StateTable("t", "z", (("a", "x", "b"),))


def test_the_diagram_is_the_table() -> None:
    assert DOOR.diagram().splitlines() == [
        "stateDiagram-v2",
        "    [*] --> shut",
        "    shut --> ajar: open",
        "    ajar --> shut: close",
        "    ajar --> broken: break",
        "    broken --> [*]",
    ]


def test_yes_is_true_and_no_is_false() -> None:
    assert Allowed(("noise",))
    assert not deny("a.b", "No.")
    with pytest.raises(ValueError, match="at least one"):
        Denied(())


def test_every_gathers_all_reasons_and_all_conditions() -> None:
    no, also_no = deny("a.one", "One."), Denied((Reason("a.two", "Two."), Reason("a.three", "Three.")))
    verdict = every([Allowed(("x",)), no, also_no])
    assert isinstance(verdict, Denied)
    assert verdict.codes == ("a.one", "a.two", "a.three")
    assert every([Allowed(("x", "y")), Allowed(("y", "z"))]) == Allowed(("x", "y", "z"))


def test_no_rule_at_all_is_a_no() -> None:
    verdict = every([])
    assert isinstance(verdict, Denied)
    assert verdict.codes == ("kernel.no_rules",)


def test_a_limit_lets_the_last_one_in_and_refuses_one_more() -> None:
    limit = Limit("runs", 2, "runs")
    limit.check(2)
    with pytest.raises(LimitExceeded, match="limited to 2 runs; 3"):
        limit.check(3)


def test_ids_carry_their_kind_and_128_random_bits() -> None:
    assert new_id("run", lambda count: bytes(count)) == "run-" + "a" * 26
    assert new_id("run") != new_id("run")
    asked: list[int] = []
    new_id("run", lambda count: (asked.append(count), bytes(count))[1])  # type: ignore[func-returns-value]
    assert asked == [16]
    for kind in ("", "Run", "run-1", "run 1"):
        with pytest.raises(ValueError, match="lower-case"):
            new_id(kind)


@pytest.mark.parametrize("instant", [0, 1, 999, 1_763_755_200_123, 4_102_444_800_000])
def test_instants_come_back_from_their_text(instant: int) -> None:
    assert from_text(to_text(instant)) == instant


def test_an_instant_without_a_zone_or_with_nonsense_is_refused() -> None:
    assert from_text("2025-11-21T20:00:00+08:00") == from_text("2025-11-21T12:00:00Z")
    for text in ("2025-11-21T20:00:00", "yesterday", ""):
        with pytest.raises(MalformedMessage):
            from_text(text)


def test_an_error_says_what_why_and_what_to_do() -> None:
    error = XinglinError("It broke.", why="Rain.", remedy="Wait.")
    assert str(error) == "It broke. Why: Rain. What to do: Wait."
    assert error.code == "kernel.error"
    assert str(XinglinError("It broke.")) == "It broke."
