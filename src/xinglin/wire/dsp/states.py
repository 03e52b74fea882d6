"""States of a negotiation and of a transfer, and which side may make which move.

Source: Dataspace Protocol 2025-1, state diagrams of the Contract Negotiation and Transfer Process protocols. The text's
"termination may be sent at any state" is read with the diagram: by the side that it names.
"""

from __future__ import annotations

from xinglin.kernel.errors import XinglinError
from xinglin.kernel.states import IllegalMove, StateTable
from xinglin.wire.dsp.errors import BadMove

CONSUMER, PROVIDER = "consumer", "provider"
START = "START"
_C, _P, _CP = (CONSUMER,), (PROVIDER,), (CONSUMER, PROVIDER)

NEGOTIATION_MOVES: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    (START, "request", "REQUESTED", _C),
    (START, "offer", "OFFERED", _P),
    ("REQUESTED", "offer", "OFFERED", _P),
    ("REQUESTED", "agree", "AGREED", _P),
    ("REQUESTED", "terminate", "TERMINATED", _CP),
    ("OFFERED", "request", "REQUESTED", _C),
    ("OFFERED", "accept", "ACCEPTED", _C),
    ("OFFERED", "terminate", "TERMINATED", _CP),
    ("ACCEPTED", "agree", "AGREED", _P),
    ("ACCEPTED", "terminate", "TERMINATED", _P),
    ("AGREED", "verify", "VERIFIED", _C),
    ("AGREED", "terminate", "TERMINATED", _C),
    ("VERIFIED", "finalize", "FINALIZED", _P),
    ("VERIFIED", "terminate", "TERMINATED", _P),
)
TRANSFER_MOVES: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    (START, "request", "REQUESTED", _C),
    ("REQUESTED", "start", "STARTED", _P),
    ("REQUESTED", "terminate", "TERMINATED", _CP),
    ("STARTED", "complete", "COMPLETED", _CP),
    ("STARTED", "suspend", "SUSPENDED", _CP),
    ("STARTED", "terminate", "TERMINATED", _CP),
    ("SUSPENDED", "start", "STARTED", _CP),
    ("SUSPENDED", "terminate", "TERMINATED", _CP),
)
"""(state, event, next state, sides that may make it)."""

NEGOTIATION = StateTable("negotiation", START, tuple(move[:3] for move in NEGOTIATION_MOVES))
TRANSFER = StateTable("transfer", START, tuple(move[:3] for move in TRANSFER_MOVES))
ENDS = frozenset(("FINALIZED", "TERMINATED", "COMPLETED"))
"""States in which a process has ended: no move leads out of them."""
TABLES = {"negotiation": NEGOTIATION, "transfer": TRANSFER}
_MOVERS = {
    kind: {(state, event): sides for state, event, _, sides in moves}
    for kind, moves in (("negotiation", NEGOTIATION_MOVES), ("transfer", TRANSFER_MOVES))
}


def move(kind: str, state: str, event: str, side: str) -> str:
    """The state after ``side`` made ``event``; ``BadMove`` where the table or the side forbids it.

    >>> move("negotiation", "REQUESTED", "offer", PROVIDER)
    'OFFERED'
    """
    try:
        following = TABLES[kind].move(state, event)
    except IllegalMove as error:
        raise _bad(error) from error
    sides = _MOVERS[kind][state, event]
    if side not in sides:
        raise BadMove(f"In state {state} only the {sides[0]} may send '{event}'.", remedy="Wait for the other side.")
    return following


def may_move(kind: str, state: str, event: str, side: str) -> bool:
    """Whether ``move`` would be done."""
    return side in _MOVERS[kind].get((state, event), ())


def other_side(side: str) -> str:
    """The counterparty's side."""
    return CONSUMER if side == PROVIDER else PROVIDER


def diagram(kind: str) -> str:
    """The state table as a Mermaid diagram whose arrows name the sides."""
    table = TABLES[kind]
    short = {_C: "C", _P: "P", _CP: "C/P"}
    moves = tuple((a, f"{event} ({short[_MOVERS[kind][a, event]]})", b) for a, event, b in table.moves)
    return StateTable(table.name, table.start, moves).diagram()


def _bad(error: XinglinError) -> BadMove:
    return BadMove(error.what, remedy=error.remedy)
