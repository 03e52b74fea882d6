"""What a seat with the role ``regulator`` may ask."""

from __future__ import annotations

from xinglin.console.calls.base import SeatCalls


class RegulatorCalls(SeatCalls):
    """Calls of a seat with the role ``regulator``."""
