"""What a seat with the role ``ethics`` may ask."""

from __future__ import annotations

from xinglin.console.calls.base import SeatCalls


class EthicsCalls(SeatCalls):
    """Calls of a seat with the role ``ethics``."""
