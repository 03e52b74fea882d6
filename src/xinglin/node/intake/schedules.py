"""When what is pulled and tidied: by durable schedules where a source has one, by a plain clock where none has.

The library of durable schedules needs memory that a node of listeners alone can do without: it is loaded when the
first source has a schedule, or is pulled by hand.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

import msgspec

from xinglin.feeds.jobs import JOBS_FILE, Done, JobError, Jobs, Schedule, Turn
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Clock, Instant, system_clock
from xinglin.node.intake.carrier import Carrier
from xinglin.node.intake.chores import CRONS, Chores
from xinglin.node.intake.pullers import Pullers
from xinglin.node.intake.sources import SourceFile, read_sources
from xinglin.node.intake.wiring import OpenIntake

log = logging.getLogger("xinglin.node.intake")
LOOK_S = 30.0
SHOWN = 20
_HOURS = {
    f"{sign}{hours:02d}:00": f"Etc/GMT{'-' if sign == '+' else '+'}{hours}" for sign in "+-" for hours in range(15)
}
_OTHERS = {
    "Z": "UTC", "+03:30": "Asia/Tehran", "+04:30": "Asia/Kabul", "+05:30": "Asia/Kolkata", "+05:45": "Asia/Kathmandu",
    "+06:30": "Asia/Yangon", "+09:30": "Australia/Darwin", "-03:30": "America/St_Johns",
}  # fmt: skip


class Schedules:
    """The jobs of one intake process, from ``follow`` to ``close``."""

    def __init__(
        self,
        opened: OpenIntake,
        pullers: Pullers,
        carrier: Carrier,
        clock: Clock = system_clock,
    ) -> None:
        self._folder, self._pullers, self._clock = opened.folder, pullers, clock
        self._opening = asyncio.Lock()
        self._jobs: Jobs | None = None
        self._sources: tuple[SourceFile, ...] = ()
        self.chores = Chores(opened, carrier, self._prune, clock)
        self._timer: asyncio.Task[None] | None = None

    async def follow(self, sources: Iterable[SourceFile]) -> dict[str, str]:
        """Make the schedules those of the sources; problems by source."""
        self._sources = tuple(one for one in sources if one.enabled)
        if self._timer is None:
            self._timer = asyncio.create_task(self._tick())
        if self._jobs is None and not self._wanted() and not self._cut_off():
            return {}
        jobs = await self._open()
        return await asyncio.to_thread(jobs.follow, (*self._wanted(), *_nightly(self._sources)))

    async def pull(self, name: str) -> str:
        """Pull a source now; the id of the run."""
        sources = await asyncio.to_thread(read_sources, self._folder)
        if not any(one.name == name and one.enabled and (one.fhir or one.sql) for one in sources):
            raise JobError(f"'{name[:80]}' is no server or database of sources.toml.", remedy="xinglin intake status")
        jobs = await self._open()
        return await asyncio.to_thread(jobs.run_now, name)

    async def cancel(self, name: str) -> tuple[str, ...]:
        """Cancel what is pulled from a source now; ids of the runs."""
        return await asyncio.to_thread(self._jobs.cancel, name) if self._jobs is not None else ()

    def status(self) -> dict[str, Any]:
        """The last runs, what is pulled now, and what the chores found."""
        runs = self._jobs.runs(limit=SHOWN) if self._jobs is not None else []
        return {"runs": msgspec.to_builtins(runs), "pulling": self._pullers.status(), **self.chores.found}

    async def close(self) -> bool:
        """Stop every job where it may be cut off; whether all of them did in time."""
        if self._timer is not None:
            self._timer.cancel()
            await asyncio.wait((self._timer,))
        return await asyncio.to_thread(self._jobs.close) if self._jobs is not None else True

    # --- jobs --------------------------------------------------------------------------------

    def parts(self, job: str, asked_at: Instant) -> tuple[str, ...]:
        """See ``feeds.jobs.Works``."""
        return (self.chores if job in CRONS else self._pullers).parts(job, asked_at)

    def do(self, job: str, part: str, turn: Turn) -> Done:
        """See ``feeds.jobs.Works``."""
        return (self.chores if job in CRONS else self._pullers).do(job, part, turn)

    async def _open(self) -> Jobs:
        async with self._opening:
            if self._jobs is None:
                jobs = Jobs(self._folder, self, clock=self._clock)
                await asyncio.to_thread(jobs.open)
                self._jobs = jobs
            return self._jobs

    def _wanted(self) -> tuple[Schedule, ...]:
        found = []
        for one in self._sources:
            way = one.fhir or one.sql
            if way is not None and way.schedule:
                found.append(Schedule(one.name, way.schedule, cron_zone(one.zone)))
        return tuple(found)

    def _cut_off(self) -> bool:
        """Whether a source was pulled by hand before: a stop may have cut it off."""
        return any(one.fhir or one.sql for one in self._sources) and (self._folder / JOBS_FILE).exists()

    def _prune(self) -> int:
        return self._jobs.prune() if self._jobs is not None else 0

    async def _tick(self) -> None:
        """Chores by a plain clock, as long as there are no durable schedules."""
        while True:
            await asyncio.sleep(LOOK_S)
            if self._jobs is None:
                for job in self.chores.due(self._clock()):
                    await asyncio.to_thread(self._chore, job)

    def _chore(self, job: str) -> None:
        now = self._clock()
        for part in self.chores.parts(job, now):
            try:
                done = self.chores.do(job, part, Turn(now, now, lambda: None))
            except (XinglinError, OSError) as error:
                log.error("chore %s failed: %s", job, type(error).__name__)
                return
            if done.failed:
                log.error("chore %s failed: %s", job, done.failed)
                return


def _nightly(sources: tuple[SourceFile, ...]) -> tuple[Schedule, ...]:
    zone = cron_zone(sources[0].zone) if sources else "UTC"
    return tuple(Schedule(job, cron, zone) for job, cron in CRONS.items())


def cron_zone(zone: str) -> str:
    """The IANA name of a source's zone, which may be an offset; UTC where an offset has no name.

    >>> cron_zone("+08:00"), cron_zone("Asia/Shanghai"), cron_zone("-05:00"), cron_zone("+05:30")
    ('Etc/GMT-8', 'Asia/Shanghai', 'Etc/GMT+5', 'Asia/Kolkata')
    """
    if zone[:1] in "+-":
        return _HOURS.get(zone) or _OTHERS.get(zone, "UTC")
    return _OTHERS.get(zone, zone)
