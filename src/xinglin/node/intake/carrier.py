"""The thread that carries what was kept into the lake, batch by batch, as long as the process runs."""

from __future__ import annotations

import logging
import threading

from xinglin.intake.procedure import Intake
from xinglin.kernel.errors import XinglinError

log = logging.getLogger("xinglin.node.intake")
IDLE_S = 1.0
"""Without news the ledger is looked at this often."""
BACK_OFF_S = (1.0, 2.0, 5.0, 15.0, 60.0)


class Carrier:
    """One worker thread; ``wake`` after something was kept, ``stop`` to end after the batch in hand."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._news, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="intake carrier", daemon=True)
        self._turn = threading.Lock()
        self.failing = ""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """There is something new."""
        self._news.set()

    @property
    def turn(self) -> threading.Lock:
        """Held around a batch; whoever else carries objects (a replay, a loading) takes it first."""
        return self._turn

    def stop(self, timeout_s: float = 60.0) -> bool:
        """End after the batch in hand; whether it did in time. What is left is carried at the next start."""
        self._stop.set()
        self._news.set()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            try:
                with self._turn:
                    batch = self._intake.run_once(linger=True, stopped=self._stop.is_set)
                failures, self.failing = 0, ""
            except (XinglinError, OSError, MemoryError) as error:
                self.failing = error.code if isinstance(error, XinglinError) else type(error).__name__
                log.error("a batch was not committed: %s; nothing is lost", self.failing)
                self._stop.wait(BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)])
                failures += 1
                continue
            if batch is None:
                self._news.wait(IDLE_S)
                self._news.clear()
