"""What a seat with the role ``patient`` may ask."""

from __future__ import annotations

from xinglin.console.calls.base import SeatCalls


class PatientCalls(SeatCalls):
    """Calls of a seat with the role ``patient``."""
