"""A replay store in memory: the reference for every other, and enough for one process."""

from __future__ import annotations

import heapq
from threading import Lock

from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit

REMEMBERED = Limit("one-time values remembered", 1_000_000, "values")


class InMemoryReplayStore:
    """Keeps each key until it is too old; full, it refuses (``LimitExceeded``) and forgets nothing."""

    def __init__(self, limit: Limit = REMEMBERED) -> None:
        self._limit = limit
        self._until: dict[str, Instant] = {}
        self._order: list[tuple[Instant, str]] = []
        self._lock = Lock()

    def remember(self, key: str, until: Instant, now: Instant) -> bool:
        """Record ``key`` and answer ``True``, or ``False`` when it was there already."""
        with self._lock:
            while self._order and self._order[0][0] < now:
                _, old = heapq.heappop(self._order)
                del self._until[old]
            if key in self._until:
                return False
            self._limit.check(len(self._until) + 1)
            self._until[key] = until
            heapq.heappush(self._order, (until, key))
            return True
