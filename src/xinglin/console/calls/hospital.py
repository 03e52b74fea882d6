"""What a seat with the role ``hospital`` may ask."""

from __future__ import annotations

from xinglin.console.calls.base import SeatCalls


class HospitalCalls(SeatCalls):
    """Calls of a seat with the role ``hospital``."""
