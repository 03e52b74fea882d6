"""What a seat may ask: one module a role. Each is a client of public calls: the SDK, a desk, the hub's open calls."""

from __future__ import annotations

from importlib import import_module

from xinglin.console.calls.seat_calls import SeatCalls
from xinglin.console.lines import Lines
from xinglin.console.seats import Seat


def calls_of(seat: Seat, lines: Lines) -> SeatCalls:
    """The calls of a seat, by its role."""
    module = import_module(f"{__name__}.{seat.role}")
    made: SeatCalls = getattr(module, f"{seat.role.capitalize()}Calls")(seat, lines)
    return made
