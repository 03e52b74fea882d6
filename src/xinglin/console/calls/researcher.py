"""What a seat with the role ``researcher`` may ask."""

from __future__ import annotations

from xinglin.console.calls.base import SeatCalls


class ResearcherCalls(SeatCalls):
    """Calls of a seat with the role ``researcher``."""
