"""Durable jobs: what runs by a schedule or when asked, and goes on after a crash where it was. DBOS on SQLite.

A *job* has a name, parts and perhaps a schedule; a *run* does the parts in order. A part that ended is remembered
and not done again; one that was cut off is begun again, and finds its own state as it last kept it. Two runs of a
job never overlap. Nothing listens on a port, and nothing is sent anywhere.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec

from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Clock, Instant, system_clock
from xinglin.kernel.limits import Limit

log = logging.getLogger("xinglin.feeds.jobs")

JOBS_FILE = "jobs.db"
AT_ONCE = Limit("jobs at once", 4, "jobs")
PARTS = Limit("parts of one job", 10_000, "parts")
RETRY_S = (60.0, 240.0, 960.0)
"""Waits before a part that can be tried again is; after the last the run ends as failed, until the next time."""
REMEMBERED_MS = 90 * 24 * 3600 * 1000
"""Runs older than this are forgotten by ``prune``."""
_NAME, _QUEUE, _WORKFLOW, _VERSION = "xinglin-intake", "xinglin-intake", "xinglin-job", "1"
_POLL_S = 1.0
_ENDED = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")

JobState = Literal["waiting", "running", "done", "failed", "cancelled"]
_STATES: dict[str, JobState] = {
    "ENQUEUED": "waiting",
    "DELAYED": "waiting",
    "PENDING": "running",
    "SUCCESS": "done",
    "CANCELLED": "cancelled",
}


class JobError(XinglinError):
    """Anything that goes wrong with a job itself."""

    code = "feeds.job"


class BadSchedule(JobError):
    """A schedule that is no crontab line, or a time zone that is not known."""

    code = "feeds.bad_schedule"


class _Stopped(BaseException):
    """The process ends. Not an ``Exception``: the run is left as it is, and taken up at the next start."""


class Schedule(msgspec.Struct, frozen=True):
    """When a job runs: ``cron`` has five fields (six: seconds first), in the zone of an IANA name."""

    job: str
    cron: str
    zone: str = "UTC"


class Done(msgspec.Struct, frozen=True):
    """How a part ended: ``failed`` is an error's code or empty, ``again`` whether it is worth another try."""

    failed: str = ""
    again: bool = False
    counts: dict[str, int] = {}


class JobRun(msgspec.Struct, frozen=True):
    """One run. ``asked_at``: when it was to run; ``ended_at``: 0 while it has not."""

    id: str
    job: str
    state: JobState
    asked_at: Instant
    ended_at: Instant
    failed: str = ""
    counts: dict[str, int] = {}


class Turn:
    """What a part is told: for when its run was asked, when that began, and whether it is to stop."""

    def __init__(self, asked_at: Instant, began_at: Instant, check: Callable[[], None]) -> None:
        self.asked_at, self.began_at, self._check = asked_at, began_at, check

    def check(self) -> None:
        """Between two steps of the part's own: does not return when the process ends or the run was cancelled.

        What it raises goes through whatever the part does; states that were kept by then are found again.
        """
        self._check()


class Works(Protocol):
    """What a job does."""

    def parts(self, job: str, asked_at: Instant) -> tuple[str, ...]:
        """The names of its parts, in order; none where nothing is left to do."""
        ...

    def do(self, job: str, part: str, turn: Turn) -> Done:
        """One part, from wherever its state stands. Errors that are expected are told, not raised."""
        ...


class Jobs:
    """The jobs of one process: DBOS allows one at a time. ``open`` takes up what was cut off; ``close`` ends it."""

    def __init__(
        self,
        folder: Path,
        works: Works,
        *,
        retry_s: tuple[float, ...] = RETRY_S,
        clock: Clock = system_clock,
    ) -> None:
        self._works, self._retry_s, self._clock = works, retry_s, clock
        self._path = folder / JOBS_FILE
        self._stopping = threading.Event()
        self._cancelled: set[str] = set()
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()
        self._dbos: Any = None
        self._workflow: Any = None
        self._engine: Any = None

    def open(self) -> None:
        """Start, and take up the runs that a stop or a crash cut off."""
        from dbos import DBOS, DBOSPortableJSONSerializer

        self._engine = _engine(self._path)
        self._dbos = DBOS
        DBOS(
            config={
                "name": _NAME,
                "system_database_engine": self._engine,
                "application_version": _VERSION,
                "executor_id": _NAME,
                "enable_otlp": False,
                # A trace of an unexpected error may quote what it was about.
                "log_level": "CRITICAL",
                "serializer": DBOSPortableJSONSerializer(),
                "scheduler_polling_interval_sec": 5.0,
            }
        )
        self._workflow = self._registered()
        DBOS.launch()
        DBOS.register_queue(_QUEUE, worker_concurrency=AT_ONCE.value, polling_interval_sec=_POLL_S)

    def close(self, timeout_s: float = 15.0) -> bool:
        """Stop at the next check of each part; whether all parts ended in time. What is left goes on at the next start.

        No further call is allowed, not even after False: the process is to end then.
        """
        self._stopping.set()
        end = time.monotonic() + timeout_s
        while self._busy() and time.monotonic() < end:
            time.sleep(0.05)
        ended = not self._busy()
        self._dbos.destroy(destroy_registry=True)
        self._engine.dispose()
        return ended

    def follow(self, schedules: Iterable[Schedule]) -> dict[str, str]:
        """Make the schedules these and no others; problems by job. A run that was missed is made up, once or more."""
        from dbos import error

        wanted, problems = {one.job: one for one in schedules}, {}
        for held in self._dbos.list_schedules():
            if held["schedule_name"] not in wanted:
                self._dbos.delete_schedule(held["schedule_name"])
        for one in wanted.values():
            entry = {
                "schedule_name": one.job,
                "workflow_fn": self._workflow,
                "schedule": one.cron,
                "context": {"job": one.job},
                "automatic_backfill": True,
                "cron_timezone": one.zone,
                "queue_name": _QUEUE,
            }
            try:
                self._dbos.apply_schedules([entry])
            except error.DBOSException:
                bad = BadSchedule(
                    f"'{one.cron}' in '{one.zone}' is no schedule.", remedy="Write five fields of a crontab line."
                )
                problems[one.job] = str(bad)
        return problems

    def run_now(self, job: str) -> str:
        """Run a job soon, whatever its schedule; the run's id, also where one runs already."""
        for run in self.runs(open_only=True):
            if run.job == job:
                return run.id
        from dbos import SetWorkflowID

        now = self._clock()
        with SetWorkflowID(f"now-{job}-{now}"):
            handle = self._dbos.start_workflow(self._workflow, _text(now), {"job": job})
        return str(handle.workflow_id)

    def cancel(self, job: str) -> tuple[str, ...]:
        """Cancel the open runs of a job: what they kept stays, what they had not reached is left to the next run."""
        found = tuple(run.id for run in self.runs(open_only=True) if run.job == job)
        for run in found:
            self._cancelled.add(run)
            self._dbos.cancel_workflow(run)
        return found

    def runs(self, *, open_only: bool = False, limit: int = 100) -> list[JobRun]:
        """Runs, the newest first."""
        wanted = ["ENQUEUED", "DELAYED", "PENDING"] if open_only else None
        found = self._dbos.list_workflows(name=_WORKFLOW, status=wanted, limit=limit, sort_desc=True)
        return [_run(one) for one in found]

    def prune(self) -> int:
        """Forget runs that ended long ago; how many."""
        before = _text(self._clock() - REMEMBERED_MS)
        found = self._dbos.list_workflows(
            name=_WORKFLOW, status=list(_ENDED), end_time=before, limit=1000, load_input=False, load_output=False
        )
        if found:
            self._dbos.delete_workflows([one.workflow_id for one in found])
        return len(found)

    # --- a run -------------------------------------------------------------------------------

    def _registered(self) -> Any:
        """The one workflow and its two steps, as DBOS knows them; ids and plain values only go into its tables."""
        dbos = self._dbos

        @dbos.step(name="xinglin-begin")  # type: ignore[untyped-decorator]
        def begin(job: str, asked_at: int) -> dict[str, Any]:
            with self._typed(job):
                found = list(self._works.parts(job, asked_at))
                PARTS.check(len(found))
            return {"parts": found, "began_at": self._clock()}

        @dbos.step(name="xinglin-part")  # type: ignore[untyped-decorator]
        def part(job: str, name: str, asked_at: int, began_at: int, run: str) -> dict[str, Any]:
            with self._typed(job):
                done = self._works.do(job, name, Turn(asked_at, began_at, lambda: self._check(run)))
            plain: dict[str, Any] = msgspec.to_builtins(done)
            return plain

        @dbos.workflow(name=_WORKFLOW)  # type: ignore[untyped-decorator]
        def run(scheduled_at: Any, context: Any) -> dict[str, Any]:
            job, own, asked_at = str(context["job"]), str(dbos.workflow_id), _instant(scheduled_at)
            with self._alone(job, own):
                counts: dict[str, int] = {}
                begun = begin(job, asked_at)
                for name in begun["parts"]:
                    found = self._tried(partial(part, job, name, asked_at, begun["began_at"], own), own)
                    for word, count in found.counts.items():
                        counts[word] = counts.get(word, 0) + count
                    if found.failed:
                        log.error("job %s failed: %s", job, found.failed)
                        return {"failed": found.failed, "counts": counts}
                log.info("job %s is done", job)
                return {"failed": "", "counts": counts}

        return run

    def _tried(self, part: Callable[[], dict[str, Any]], run: str) -> Done:
        done = msgspec.convert(part(), Done)
        for wait_s in self._retry_s:
            if not done.failed or not done.again:
                break
            self._wait(wait_s, run)
            done = msgspec.convert(part(), Done)
        return done

    def _wait(self, seconds: float, run: str) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._check(run)
            self._stopping.wait(min(left, 0.5))
        self._check(run)

    def _check(self, run: str) -> None:
        if self._stopping.is_set():
            raise _Stopped
        if run in self._cancelled:
            from dbos import error

            raise error.DBOSWorkflowCancelledError("cancelled")

    @contextlib.contextmanager
    def _alone(self, job: str, run: str) -> Iterator[None]:
        with self._guard:
            lock = self._locks.setdefault(job, threading.Lock())
        while not lock.acquire(timeout=0.2):
            self._check(run)
        try:
            self._check(run)
            yield
        finally:
            lock.release()

    def _busy(self) -> bool:
        return any(lock.locked() for lock in self._locks.values())

    @contextlib.contextmanager
    def _typed(self, job: str) -> Iterator[None]:
        """What nobody expected becomes an error without the words of its cause, which DBOS would keep."""
        try:
            yield
        except XinglinError as error:
            log.error("job %s broke: %s", job, error.code)
            raise JobError(f"A part of a job broke ({error.code}).") from None
        except Exception as error:
            if type(error).__name__ == "DBOSWorkflowCancelledError":
                raise
            log.error("job %s broke: %s", job, type(error).__name__)
            raise JobError(f"A part of a job broke ({type(error).__name__}).") from None


def _engine(path: Path) -> Any:
    from sqlalchemy import URL, create_engine, event

    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    engine = create_engine(URL.create("sqlite", database=str(path)))

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        for pragma in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def _text(instant: Instant) -> str:
    return datetime.fromtimestamp(instant / 1000, UTC).isoformat()


def _instant(given: Any) -> Instant:
    moment = given if isinstance(given, datetime) else datetime.fromisoformat(str(given).replace("Z", "+00:00"))
    return round(moment.timestamp() * 1000)


def _run(found: Any) -> JobRun:
    scheduled_at, context = (found.input or {}).get("args", ("1970-01-01T00:00:00+00:00", {"job": ""}))
    told = found.output if isinstance(found.output, dict) else {}
    failed = str(told.get("failed", "")) or ("feeds.job" if found.status in ("ERROR", _ENDED[3]) else "")
    state = "failed" if failed else _STATES.get(found.status, "failed")
    ended = int(found.updated_at or 0) if found.status in _ENDED else 0
    counts = {str(word): int(count) for word, count in (told.get("counts") or {}).items()}
    return JobRun(str(found.workflow_id), str(context["job"]), state, _instant(scheduled_at), ended, failed, counts)
