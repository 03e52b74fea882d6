"""What a seat with the role ``operator`` may ask."""

from __future__ import annotations

from xinglin.console.calls.base import SeatCalls


class OperatorCalls(SeatCalls):
    """Calls of a seat with the role ``operator``."""
