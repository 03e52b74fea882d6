"""Live parts of pages: how many at once, in all and for each person, and the few threads that draw them.

Threads of their own, so that whoever opens live parts without end waits for them alone: pages are drawn elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from xinglin.console.errors import TooMany
from xinglin.console.turns import Turns
from xinglin.kernel.limits import Limit

STREAMS = Limit("streams at once", 256, "streams")
OF_ONE = Limit("streams of one person at once", 16, "streams")
THREADS = 8
"""Live parts that are drawn at one time."""
TURNS = 2
"""Of them for one person."""
T = TypeVar("T")


class Streams:
    """Counts streams by whose they are, and draws them. Counted in the event loop alone."""

    def __init__(self) -> None:
        self._of: dict[str, int] = {}
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="console-live")
        self._turns = Turns(TURNS, self._threads)

    @property
    def open(self) -> int:
        """How many there are."""
        return sum(self._of.values())

    def check(self, who: str) -> None:
        """Raise ``TooMany`` where one more of ``who`` is not served."""
        remedy = "Load the page again in a moment."
        if self._of.get(who, 0) >= OF_ONE.value:
            remedy = "Close a page of this console in another window, and load this one again."
            raise TooMany("You have as many live parts open as one person may.", remedy=remedy)
        if self.open >= STREAMS.value:
            raise TooMany("The console serves as many live parts as it can.", remedy=remedy)

    def enter(self, who: str) -> None:
        """One more stream of ``who``, until ``leave``; raises ``TooMany``."""
        self.check(who)
        self._of[who] = self._of.get(who, 0) + 1

    def leave(self, who: str) -> None:
        """A stream of ``who`` is over."""
        self._of[who] -= 1
        if not self._of[who]:
            del self._of[who]

    async def draw(self, who: str, work: Callable[[], T]) -> T:
        """What ``work`` gives, done in one of the threads; a stream that is hung up keeps its turn while it draws."""
        return await self._turns.do(who, work)

    def close(self) -> None:
        """Draw nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)
