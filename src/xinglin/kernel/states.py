"""Table-driven state machines that print their own diagram."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from xinglin.kernel.errors import XinglinError


class IllegalMove(XinglinError):
    """An event that the present state does not take; names both."""

    code = "kernel.illegal_move"

    def __init__(self, machine: str, state: str, event: str, possible: tuple[str, ...]) -> None:
        super().__init__(
            f"{machine}: '{event}' is not possible in state '{state}'.",
            remedy=f"Possible here: {', '.join(possible) or 'nothing, this state is final'}.",
        )
        self.machine, self.state, self.event, self.possible = machine, state, event, possible


class StateTable(msgspec.Struct, frozen=True):
    """Transitions as data: ``moves`` holds (state, event, next state); the first state starts.

    >>> door = StateTable("door", "shut", (("shut", "open", "ajar"), ("ajar", "close", "shut")))
    >>> door.move("shut", "open")
    'ajar'
    """

    name: str
    start: str
    moves: tuple[tuple[str, str, str], ...]

    def __post_init__(self) -> None:
        pairs = [(state, event) for state, event, _ in self.moves]
        if len(set(pairs)) != len(pairs):
            raise ValueError(f"{self.name}: a state takes an event in one way only")
        if self.start not in self.states:
            raise ValueError(f"{self.name}: start state {self.start!r} is not in the table")

    @property
    def states(self) -> tuple[str, ...]:
        """Every state, in order of first mention."""
        return tuple(dict.fromkeys(s for a, _, b in self.moves for s in (a, b)))

    @property
    def final(self) -> frozenset[str]:
        """States that no event leaves."""
        return frozenset(self.states) - {state for state, _, _ in self.moves}

    def events(self, state: str) -> tuple[str, ...]:
        """Events that ``state`` takes."""
        return tuple(event for s, event, _ in self.moves if s == state)

    def move(self, state: str, event: str) -> str:
        """The next state; ``IllegalMove`` when the table has no such transition."""
        for s, e, following in self.moves:
            if s == state and e == event:
                return following
        raise IllegalMove(self.name, state, event, self.events(state))

    def diagram(self) -> str:
        """The table as a Mermaid state diagram, for the docs."""
        lines = ["stateDiagram-v2", f"    [*] --> {self.start}"]
        lines += [f"    {a} --> {b}: {event}" for a, event, b in self.moves]
        lines += [f"    {state} --> [*]" for state in _in_order(self.states, self.final)]
        return "\n".join(lines)


def _in_order(states: Iterable[str], chosen: frozenset[str]) -> list[str]:
    return [state for state in states if state in chosen]
