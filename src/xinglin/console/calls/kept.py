"""A value that many ask for and one makes: kept for some seconds, so that a crowd costs what one visitor does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from xinglin.kernel.errors import XinglinError

FAILED_S = 3.0
"""For so long nobody tries again what could not be made."""
T = TypeVar("T")


class Kept(Generic[T]):
    """Keeps one value for ``seconds``. While it is made anew others get the old one; the first wait for the first."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._making = threading.Lock()
        self._kept: tuple[T] | XinglinError | None = None
        self._until = 0.0

    def get(self, make: Callable[[], T]) -> T:
        """The value; raises what ``make`` raised, for a while without asking it again."""
        kept = self._kept
        while kept is None or self._clock() >= self._until:
            if not self._making.acquire(blocking=kept is None):
                break
            try:
                if self._clock() >= self._until:
                    self._kept, seconds = self._made(make)
                    self._until = self._clock() + seconds
            finally:
                self._making.release()
            kept = self._kept
        if isinstance(kept, tuple):
            return kept[0]
        raise (kept or XinglinError("Nothing was made.")).with_traceback(None)

    def _made(self, make: Callable[[], T]) -> tuple[tuple[T] | XinglinError, float]:
        try:
            return (make(),), self._seconds
        except XinglinError as error:
            return error, min(FAILED_S, self._seconds)
