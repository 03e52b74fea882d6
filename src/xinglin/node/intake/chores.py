"""What has to be done again and again so that the lake stays fast and the disk does not fill: chores."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from typing import Any

from xinglin.feeds.jobs import Done, Turn
from xinglin.intake.erasing import Erasure
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Clock, Instant, system_clock
from xinglin.lake.errors import LakeError
from xinglin.node.intake.carrier import Carrier
from xinglin.node.intake.wiring import OpenIntake, open_erasure

log = logging.getLogger("xinglin.node.intake")

MAINTAIN, TIDY = "lake.maintain", "intake.tidy"
"""Names of jobs that no source can have: these hold a full stop."""
EVERY_MS = {MAINTAIN: 24 * 3600 * 1000, TIDY: 3600 * 1000}
CRONS = {MAINTAIN: "30 3 * * *", TIDY: "17 * * * *"}
LOW_DISK_BYTES = 5 * 1024**3
LISTED = 1_000
MAINTAIN_PARTS = ("tables", "expired")


class Chores:
    """The work of the jobs that every node has."""

    def __init__(
        self,
        opened: OpenIntake,
        carrier: Carrier,
        prune: Callable[[], int],
        clock: Clock = system_clock,
    ) -> None:
        self._opened, self._marks, self._carrier = opened, opened.marks, carrier
        self._prune, self._clock = prune, clock
        self.found: dict[str, Any] = {}

    def parts(self, job: str, asked_at: Instant) -> tuple[str, ...]:
        """See ``feeds.jobs.Works``; what was missed for many nights is done once."""
        last = self._marks.last(job)
        if last is not None and last.began_at >= asked_at:
            return ()
        return MAINTAIN_PARTS if job == MAINTAIN else ("tidy",)

    def do(self, job: str, part: str, turn: Turn) -> Done:
        """See ``feeds.jobs.Works``."""
        try:
            counts = {"tables": self._tables, "expired": self._expired, "tidy": self._tidy}[part]()
        except LakeError as error:
            return Done(error.code, True)
        except XinglinError as error:
            return Done(error.code)
        if part in ("expired", "tidy"):
            self._marks.ended(job, turn.began_at, self._clock())
        return Done(counts=counts)

    def due(self, now: Instant) -> tuple[str, ...]:
        """Chores whose time has come since they were last done."""
        last = {job: self._marks.last(job) for job in EVERY_MS}
        return tuple(job for job, one in last.items() if one is None or now - one.done_at >= EVERY_MS[job])

    def _tables(self) -> dict[str, int]:
        """Small files gathered, superseded ones removed; a batch waits for that, and no study does."""
        from xinglin.lake.maintenance import maintain

        with self._carrier.turn:
            done = maintain(self._opened.lake)
        return {
            "gathered": sum(one.gathered for one in done),
            "removed": sum(one.removed_files for one in done),
            "commits": sum(one.removed_commits for one in done),
        }

    def _expired(self) -> dict[str, int]:
        """Objects whose time to be kept is over are listed; that they go is for a person to say."""
        expired = self._opened.raw.expire(self._clock(), LISTED)
        self.found["expired"] = len(expired)
        if expired:
            log.warning("%d or more raw objects need not be kept any longer", len(expired))
        return {"expired": len(expired)}

    def _tidy(self) -> dict[str, int]:
        erasure: Erasure = open_erasure(self._opened)
        with self._carrier.turn:
            swept = erasure.sweep()
        free = shutil.disk_usage(self._opened.folder).free
        self.found["low_disk"] = free < LOW_DISK_BYTES
        if free < LOW_DISK_BYTES:
            log.error("only %d MB of disk are free", free // 1024**2)
        return {"swept": swept, "forgotten": self._prune()}
