"""When what is pulled and tidied: by durable schedules where a source has one, by a plain clock where none has.

The library of durable schedules needs memory that a node of listeners alone can do without: it is loaded when the
first source has a schedule, or is pulled by hand.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.feeds.jobs import JOBS_FILE, RETRY_S, Done, JobError, Jobs, Schedule, Turn, Works
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Clock, Instant, system_clock
from xinglin.node.intake.carrier import Carrier
from xinglin.node.intake.chores import CRONS, Chores
from xinglin.node.intake.nightly import JOBS, NAMES, Nights
from xinglin.node.intake.noticed import job_of
from xinglin.node.intake.pullers import Pullers
from xinglin.node.intake.sources import Nightly, SourceFile, read_nightly, read_sources
from xinglin.node.intake.wiring import OpenIntake

if TYPE_CHECKING:
    from xinglin.feeds.fhir_push import Changed

log = logging.getLogger("xinglin.node.intake")
LOOK_S, STOP_S = 30.0, 15.0
ASKED_AGAIN_MS = 15 * 60 * 1000
"""What was noticed and could not be asked for is asked for again after this."""
SHOWN = 20
_HOURS = {
    f"{sign}{hours:02d}:00": f"Etc/GMT{'-' if sign == '+' else '+'}{hours}" for sign in "+-" for hours in range(15)
}
_OTHERS = {
    "Z": "UTC", "+03:30": "Asia/Tehran", "+04:30": "Asia/Kabul", "+05:30": "Asia/Kolkata", "+05:45": "Asia/Kathmandu",
    "+06:30": "Asia/Yangon", "+09:30": "Australia/Darwin", "-03:30": "America/St_Johns",
}  # fmt: skip


class _Ends(BaseException):
    """The process ends. Not an ``Exception``: whatever a job does, it goes through."""


class Schedules:
    """The jobs of one intake process, from ``follow`` to ``close``."""

    def __init__(
        self,
        opened: OpenIntake,
        pullers: Pullers,
        carrier: Carrier,
        nights: Nights,
        clock: Clock = system_clock,
    ) -> None:
        self._folder, self._pullers, self._clock = opened.folder, pullers, clock
        self._opening = asyncio.Lock()
        self._jobs: Jobs | None = None
        self._sources: tuple[SourceFile, ...] = ()
        self._night = Nightly()
        self.chores, self._nights = Chores(opened, carrier, self._prune, clock), nights
        self._timer: asyncio.Task[None] | None = None
        self._stopping, self._idle = threading.Event(), threading.Event()
        self._idle.set()
        self._asked: dict[str, Instant] = {}

    async def follow(self, sources: Iterable[SourceFile]) -> dict[str, str]:
        """Make the schedules those of the sources; problems by source."""
        self._sources, self._night = tuple(one for one in sources if one.enabled), read_nightly(self._folder)
        if self._timer is None:
            self._timer = asyncio.create_task(self._tick())
        if self._jobs is None and not self._wanted() and not self._cut_off():
            return {}
        jobs = await self._open()
        return await asyncio.to_thread(jobs.follow, (*self._wanted(), *self._nightly()))

    async def pull(self, name: str) -> str:
        """Pull a source now; the id of the run."""
        sources = await asyncio.to_thread(read_sources, self._folder)
        if not any(one.name == name and one.enabled and (one.fhir or one.sql) for one in sources):
            raise JobError(f"'{name[:80]}' is no server or database of sources.toml.", remedy="xinglin intake status")
        jobs = await self._open()
        return await asyncio.to_thread(jobs.run_now, name)

    async def night(self, name: str) -> str:
        """Do a job of the night now (``nightly.JOBS``), also one that is off; the id of the run."""
        if name not in JOBS:
            raise JobError(f"'{name[:80]}' is no job of the night.", remedy=f"One of {', '.join(JOBS)}.")
        jobs = await self._open()
        return await asyncio.to_thread(jobs.run_now, JOBS[name])

    async def noticed(self, server: str, changed: Changed) -> None:
        """A notification told of what it did not carry: durable when this returns, and asked for soon.

        ``server``: name of a ``fhir`` source; empty: the only one there is. Where there is none, nothing can be asked.
        """
        servers = [one.name for one in self._sources if one.fhir is not None and server in ("", one.name)]
        if len(servers) != 1:
            log.warning("fhir.notification_unasked servers=%d", len(servers))
            return
        await asyncio.to_thread(self._pullers.noticed.add, servers[0], changed)
        await self._ask(servers[0])

    async def cancel(self, name: str) -> tuple[str, ...]:
        """Cancel what is pulled from a source now; ids of the runs."""
        return await asyncio.to_thread(self._jobs.cancel, name) if self._jobs is not None else ()

    def status(self) -> dict[str, Any]:
        """The last runs, what is pulled now, and what the chores found."""
        runs = self._jobs.runs(limit=SHOWN) if self._jobs is not None else []
        nights = self._nights.status(self._night)
        pulling = self._pullers.status()
        return {"runs": msgspec.to_builtins(runs), "pulling": pulling, "nightly": nights, **self.chores.found}

    async def close(self) -> bool:
        """Stop every job where it may be cut off; whether all of them did in time."""
        self._stopping.set()
        if self._timer is not None:
            self._timer.cancel()
            await asyncio.wait((self._timer,))
        ended = await asyncio.to_thread(self._idle.wait, STOP_S)
        return (await asyncio.to_thread(self._jobs.close) if self._jobs is not None else True) and ended

    # --- jobs --------------------------------------------------------------------------------

    def parts(self, job: str, asked_at: Instant) -> tuple[str, ...]:
        """See ``feeds.jobs.Works``."""
        return self._works(job).parts(job, asked_at)

    def do(self, job: str, part: str, turn: Turn) -> Done:
        """See ``feeds.jobs.Works``."""
        return self._works(job).do(job, part, turn)

    def _works(self, job: str) -> Works:
        if job in NAMES:
            return self._nights
        return self.chores if job in CRONS else self._pullers

    async def _open(self) -> Jobs:
        async with self._opening:
            if self._jobs is None:
                jobs = Jobs(self._folder, self, clock=self._clock)
                await asyncio.to_thread(jobs.open)
                # From here on the durable clock does what the plain one did, whoever opened it.
                await asyncio.to_thread(jobs.follow, (*self._wanted(), *self._nightly()))
                self._jobs = jobs
            return self._jobs

    def _wanted(self) -> tuple[Schedule, ...]:
        found = []
        for one in self._sources:
            way = one.fhir or one.sql
            if way is not None and way.schedule:
                found.append(Schedule(one.name, way.schedule, cron_zone(one.zone)))
        return tuple(found)

    def _nightly(self) -> tuple[Schedule, ...]:
        zone = cron_zone(self._night.zone)
        return (*(Schedule(job, cron, zone) for job, cron in CRONS.items()), *self._nights.schedules(self._night, zone))

    def _cut_off(self) -> bool:
        """Whether a job was done by hand before: a stop may have cut it off."""
        return bool(self._sources) and (self._folder / JOBS_FILE).exists()

    async def _ask(self, source: str) -> None:
        jobs = await self._open()
        self._asked[source] = self._clock()
        await asyncio.to_thread(jobs.run_now, job_of(source))

    async def _ask_again(self) -> None:
        """What a run left: it had ended when the next notification came, or the server was away."""
        for one in self._sources:
            if one.fhir is None or not await asyncio.to_thread(self._pullers.noticed.waits, one.name):
                continue
            runs = await asyncio.to_thread(self._jobs.runs) if self._jobs is not None else []
            newest = next((run for run in runs if run.job == job_of(one.name)), None)
            soon = self._clock() - self._asked.get(one.name, 0) < ASKED_AGAIN_MS
            if newest is None or newest.state == "done" or not soon:
                await self._ask(one.name)

    def _prune(self) -> int:
        return self._jobs.prune() if self._jobs is not None else 0

    async def _tick(self) -> None:
        """What waits to be asked for; chores and nights by a plain clock, as long as there are no durable schedules."""
        while True:
            await asyncio.sleep(LOOK_S)
            with contextlib.suppress(XinglinError):
                await self._ask_again()
            if self._jobs is None:
                for job in await asyncio.to_thread(self._due):
                    await asyncio.to_thread(self._by_clock, job)

    def _due(self) -> tuple[str, ...]:
        now = self._clock()
        return (*self.chores.due(now), *self._nights.due(self._night, now))

    def _by_clock(self, job: str) -> None:
        self._idle.clear()
        try:
            now = self._clock()
            turn = Turn(now, now, self._wanted_still)
            for part in self._works(job).parts(job, now):
                if (failed := self._tried(job, part, turn)) != "":
                    log.error("chore %s failed: %s", job, failed)
                    return
        except _Ends:
            log.info("chore %s goes on at the next start", job)
        except (XinglinError, OSError) as error:
            log.error("chore %s failed: %s", job, type(error).__name__)
        finally:
            self._idle.set()

    def _tried(self, job: str, part: str, turn: Turn) -> str:
        """Do a part, again where that is worth it; the code of what failed at last."""
        done = self._works(job).do(job, part, turn)
        for wait_s in RETRY_S if job in NAMES else ():
            if not done.failed or not done.again:
                break
            self._stopping.wait(wait_s)
            turn.check()
            done = self._works(job).do(job, part, turn)
        return done.failed

    def _wanted_still(self) -> None:
        if self._stopping.is_set():
            raise _Ends


def cron_zone(zone: str) -> str:
    """The IANA name of a source's zone, which may be an offset; UTC where an offset has no name.

    >>> cron_zone("+08:00"), cron_zone("Asia/Shanghai"), cron_zone("-05:00"), cron_zone("+05:30")
    ('Etc/GMT-8', 'Asia/Shanghai', 'Etc/GMT+5', 'Asia/Kolkata')
    """
    if zone[:1] in "+-":
        return _HOURS.get(zone) or _OTHERS.get(zone, "UTC")
    return _OTHERS.get(zone, zone)
