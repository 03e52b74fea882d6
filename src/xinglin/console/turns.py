"""Threads that one person may hold at once: whoever has more to do waits for a turn, and holds no thread meanwhile.

A turn ends with its thread, not with the request: whoever hangs up goes on holding what still works for them.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

PAGES_OF_ONE = 16
"""Pages and deeds of one signed-in person that are worked on at one time; a third of the console's threads."""
T = TypeVar("T")


class Turns:
    """So many turns for each, in ``threads`` (None: those of the event loop). For the event loop alone."""

    def __init__(self, most: int, threads: ThreadPoolExecutor | None = None) -> None:
        self._most, self._threads = most, threads
        self._lines: dict[str, _Line] = {}

    def __len__(self) -> int:
        """How many have something to do."""
        return len(self._lines)

    async def do(self, who: str, work: Callable[[], T]) -> T:
        """What ``work`` gives, done in a thread once ``who`` has a turn."""
        line = self._lines.setdefault(who, _Line(self._most))
        line.count += 1
        try:
            await line.free.acquire()
        except asyncio.CancelledError:
            self._left(who, line)
            raise
        try:
            loop = asyncio.get_running_loop()
            going = loop.run_in_executor(self._threads, contextvars.copy_context().run, work)
        except RuntimeError:  # the threads were closed
            self._over(who, line)
            raise
        going.add_done_callback(lambda _: self._over(who, line))
        return await asyncio.shield(going)

    def _over(self, who: str, line: _Line) -> None:
        line.free.release()
        self._left(who, line)

    def _left(self, who: str, line: _Line) -> None:
        line.count -= 1
        if not line.count:
            del self._lines[who]


class _Line:
    """The turns of one, and how many of theirs work or wait."""

    def __init__(self, most: int) -> None:
        self.free, self.count = asyncio.Semaphore(most), 0
