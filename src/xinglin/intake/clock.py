"""A clock that never goes back, over a system clock that may."""

from __future__ import annotations

from xinglin.kernel.instants import Clock, Instant


class HybridClock:
    """Instants that only grow: the system's, or one millisecond after the last where that jumped back.

    ``last``: the newest instant that was ever given out, as the ledger remembers it. Source: Kulkarni et al.,
    "Logical physical clocks" (2014), with the counter folded into the milliseconds.

    >>> clock = HybridClock(iter([10, 5, 12]).__next__, last=0)
    >>> clock.tick(), clock.tick(), clock.tick()
    (10, 11, 12)
    """

    def __init__(self, system: Clock, last: Instant) -> None:
        self._system, self._last = system, last

    def tick(self) -> Instant:
        """An instant later than every one before."""
        self._last = max(self._last + 1, self._system())
        return self._last
