"""What every node does by night beside its chores: drift, quality, reconciliation, matching; each at its own time.

The parts of a job that ended are remembered under the job's name, with what came of them: a process that is killed
goes on with the next part. Alarms are kept (``alarms``) and logged by kind; a person reads their words.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.feeds.jobs import RETRY_S, Done, Schedule, Turn
from xinglin.intake.quality import Alarm
from xinglin.intake.reconcile import alarms_of
from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Clock, Instant, system_clock
from xinglin.lake.errors import LakeError
from xinglin.node.intake.alarms import raise_alarms
from xinglin.node.intake.persons import POLICY_FILE
from xinglin.node.intake.pullers import may_go_well
from xinglin.node.intake.sources import Nightly, SourceFile, read_nightly, read_sources
from xinglin.node.intake.wiring import OpenIntake
from xinglin.node.tables import Tables
from xinglin.records.moments import zone_of

if TYPE_CHECKING:
    from xinglin.catalogue.quality import Scorecard

log = logging.getLogger("xinglin.node.intake")

JOBS = {"match": "patients.match", "drift": "quality.drift", "quality": "quality.run", "reconcile": "quality.reconcile"}
"""Jobs by their key in ``[nightly]``; their names hold a full stop, as no source's does."""
NAMES = {job: key for key, job in JOBS.items()}
MATCH, DRIFT, QUALITY, RECONCILE = JOBS.values()
OUTCOME, END = "outcome", ".end"
CARRIED_S = 600.0
"""So long a reconciliation waits for what was kept before it to be carried into the lake."""
MISSED_DAYS = 7
_LOOK_S = 1.0


class Told(msgspec.Struct, frozen=True):
    """What came of a part. ``failed``: an error's code; ``alarms``: new ones by kind. Version 1; append-only."""

    failed: str = ""
    counts: dict[str, int] = {}
    alarms: dict[str, int] = {}
    tries: int = 0
    done: bool = True


class Outcome(msgspec.Struct, frozen=True):
    """What came of a job so far; ``ended_at``: 0 while it goes on. Version 1; append-only."""

    asked_at: Instant
    began_at: Instant
    ended_at: Instant = 0
    parts: dict[str, Told] = {}
    version: int = 1

    @property
    def failed(self) -> str:
        """The code of the first part that failed; empty where none did."""
        return next((one.failed for one in self.parts.values() if one.failed and one.done), "")


class Nights:
    """The work of these jobs. ``tries``: how often a part that may go well a little later is tried."""

    def __init__(
        self,
        opened: OpenIntake,
        clock: Clock = system_clock,
        *,
        ca_file: Path | None = None,
        tries: int = len(RETRY_S) + 1,
        carried_s: float = CARRIED_S,
    ) -> None:
        self._opened, self._marks, self._clock, self._ca_file = opened, opened.marks, clock, ca_file
        self._tries, self._carried_s, self._since = tries, carried_s, clock()
        self._doing: dict[str, str] = {}

    # --- when ------------------------------------------------------------------------------------

    def schedules(self, nightly: Nightly, zone: str) -> tuple[Schedule, ...]:
        """The jobs that are on, for the durable clock; ``zone``: IANA name."""
        found = []
        for key, job in JOBS.items():
            hours, _, minutes = self._time(nightly, key).partition(":")
            if hours:
                found.append(Schedule(job, f"{int(minutes)} {int(hours)} * * *", zone))
        return tuple(found)

    def due(self, nightly: Nightly, now: Instant) -> tuple[str, ...]:
        """Jobs whose time has come since they last began, or since this process began; missed nights count once."""
        found = []
        for key, job in JOBS.items():
            at = self._time(nightly, key)
            last = self._marks.last(job)
            before = self._since if last is None else last.began_at
            if at and before < _newest(at, nightly.zone, now):
                found.append(job)
        return tuple(found)

    def _time(self, nightly: Nightly, key: str) -> str:
        """When a job runs; empty where it is off, or nobody decided about it."""
        undecided = key == "match" and not (self._opened.folder / POLICY_FILE).exists()
        return "" if undecided else str(getattr(nightly, key))

    # --- work ------------------------------------------------------------------------------------

    def parts(self, job: str, asked_at: Instant) -> tuple[str, ...]:
        """See ``feeds.jobs.Works``; what was missed for many nights is done once."""
        last = self._marks.last(job)
        if last is not None and last.began_at >= asked_at:
            return ()
        if job == DRIFT:
            return ("days", "compare", END)
        if job == RECONCILE:
            return (*(one.name for one in self._servers()), END)
        return (NAMES[job], END)

    def do(self, job: str, part: str, turn: Turn) -> Done:
        """See ``feeds.jobs.Works``. A part that fails for good is told at the end: the others are done first."""
        if part == END:
            return self._end(job, turn)
        self._doing[job] = part
        before = self._outcome(job, turn).parts.get(part, Told())
        try:
            told = self._work(job, part)(turn, part)
        except (XinglinError, OSError) as error:
            code = error.code if isinstance(error, XinglinError) else f"node.{type(error).__name__.lower()}"
            again = before.tries + 1 < self._tries and _may_go_well(error)
            log.warning("nightly.failed job=%s part=%s code=%s", job, part, code)
            self._put(job, turn, part, Told(code, tries=before.tries + 1, done=not again))
            return Done(code, True) if again else Done(counts={"failed": 1})
        finally:
            self._doing.pop(job, None)
        self._put(job, turn, part, told)
        return Done(counts={**told.counts, **({"alarms": sum(told.alarms.values())} if told.alarms else {})})

    def status(self, nightly: Nightly) -> list[dict[str, Any]]:
        """Each job: its time (empty: off), what it does now, and what came of it last; names, codes and counts."""
        found = []
        for key, job in JOBS.items():
            kept = self._marks.get(job, OUTCOME)
            outcome = decode_msgpack(kept, Outcome) if kept else Outcome(0, 0)
            counts, alarms = Counter[str](), Counter[str]()
            for one in outcome.parts.values():
                counts.update(one.counts)
                alarms.update(one.alarms)
            told = {
                "job": key, "at": self._time(nightly, key), "doing": self._doing.get(job, ""),
                "began_at": outcome.began_at, "ended_at": outcome.ended_at, "failed": outcome.failed,
                "parts": {part: one.failed or "done" for part, one in outcome.parts.items() if one.done},
                "counts": dict(counts), "alarms": dict(alarms),
            }  # fmt: skip
            found.append(told)
        return found

    def _work(self, job: str, part: str) -> Callable[[Turn, str], Told]:
        if job == DRIFT:
            return self._days if part == "days" else self._drift
        return {MATCH: self._match, QUALITY: self._quality, RECONCILE: self._reconcile}[job]

    def _end(self, job: str, turn: Turn) -> Done:
        now, outcome = self._clock(), self._outcome(job, turn)
        ended = msgspec.structs.replace(outcome, ended_at=now)
        self._marks.put(job, OUTCOME, encode_msgpack(ended), now)
        self._marks.ended(job, turn.began_at, now)
        alarms = sum(sum(one.alarms.values()) for one in ended.parts.values())
        log.info("nightly.done job=%s failed=%s alarms=%d", job, ended.failed or "nothing", alarms)
        return Done(ended.failed)

    def _outcome(self, job: str, turn: Turn) -> Outcome:
        """What came of this run so far; of another run, nothing."""
        kept = self._marks.get(job, OUTCOME)
        outcome = decode_msgpack(kept, Outcome) if kept else None
        same = outcome is not None and outcome.asked_at == turn.asked_at
        return outcome if outcome is not None and same else Outcome(turn.asked_at, turn.began_at)

    def _put(self, job: str, turn: Turn, part: str, told: Told) -> None:
        outcome = self._outcome(job, turn)
        parts = {**outcome.parts, part: told}
        self._marks.put(job, OUTCOME, encode_msgpack(msgspec.structs.replace(outcome, parts=parts)), self._clock())

    # --- the jobs --------------------------------------------------------------------------------

    def _match(self, _turn: Turn, _part: str) -> Told:
        found = self._opened.persons.match()
        return Told(counts={"records": found.records, "pairs": found.pairs, "reviews": found.opened})

    def _days(self, turn: Turn, _part: str) -> Told:
        from xinglin.node.intake.quality import frozen_days
        from xinglin.node.intake.reconciling import day_before, zone_minutes

        zone = read_nightly(self._opened.folder).zone
        last = day_before(zone, turn.began_at)
        minutes = zone_minutes(zone, last)
        new = frozen_days(self._opened.lake, last.isoformat(), self._clock(), zone_minutes=minutes)
        return Told(counts={"days": new})

    def _drift(self, turn: Turn, part: str) -> Told:
        from xinglin.node.intake.quality import drift_alarms

        days = self._due_days(DRIFT, part, read_nightly(self._opened.folder).zone, turn)
        found = [one for day in days for one in drift_alarms(self._opened.lake, day.isoformat())]
        told = self._raised(found, {})
        self._did_days(DRIFT, part, days)
        return told

    def _quality(self, turn: Turn, _part: str) -> Told:
        from xinglin.lake.quality import keep_run, last_run, run_quality

        lake = self._opened.lake
        before = last_run(lake)
        card = run_quality(lake, self._clock())
        if card.results:
            keep_run(lake, card)
        published = {table.name for one in Tables(self._opened.folder, "").published.values() for table in one.tables}
        unchecked = published - {one.table for one in card.results}
        counts = {"checks": len(card.results), "failing": len(card.failed()), "unchecked_tables": len(unchecked)}
        return self._raised(newly_failing(before, card, self._today(turn)), counts)

    def _reconcile(self, turn: Turn, part: str) -> Told:
        from xinglin.node.intake.reconciling import reconcile_day

        source = next((one for one in self._servers() if one.name == part), None)
        if source is None:
            return Told()
        self._carried(turn)
        days = self._due_days(RECONCILE, part, source.zone, turn)
        done = []
        for day in days:
            for one in reconcile_day(self._opened, source, day, self._ca_file):
                turn.check()
                done.append(one)
        counts = {"counted": len(done), "agreeing": sum(one.agrees for one in done)}
        told = self._raised(alarms_of(done), counts)
        self._did_days(RECONCILE, part, days)
        return told

    def _raised(self, alarms: Sequence[Alarm], counts: dict[str, int]) -> Told:
        new = raise_alarms(self._opened.lake, alarms, self._clock())
        return Told(counts=counts, alarms=dict(Counter(one.kind for one in new)))

    def _carried(self, turn: Turn) -> None:
        """Wait until what was kept before this run is in the lake; not for ever."""
        end = time.monotonic() + self._carried_s
        while time.monotonic() < end:
            turn.check()
            waiting = self._opened.raw.after(self._opened.ledger.position().sequence, 1)
            if not waiting or waiting[0].received_at >= turn.began_at:
                return
            time.sleep(_LOOK_S)
        log.warning("nightly.backlog job=%s", RECONCILE)

    def _servers(self) -> tuple[SourceFile, ...]:
        sources = read_sources(self._opened.folder)
        return tuple(one for one in sources if one.enabled and (one.fhir is not None or one.sql is not None))

    def _due_days(self, job: str, part: str, zone: str, turn: Turn) -> list[date]:
        """The day before, and days before it that nights without this process left out; at most ``MISSED_DAYS``."""
        from xinglin.node.intake.reconciling import day_before

        last = day_before(zone, turn.began_at)
        kept = self._marks.get(job, f"day {part}")
        done = date.fromisoformat(kept.decode()) if kept else last - timedelta(days=1)
        missed = min(max((last - done).days, 1), MISSED_DAYS)
        return [last - timedelta(days=number) for number in reversed(range(missed))]

    def _did_days(self, job: str, part: str, days: Sequence[date]) -> None:
        self._marks.put(job, f"day {part}", days[-1].isoformat().encode(), self._clock())

    def _today(self, turn: Turn) -> str:
        zone = zone_of(read_nightly(self._opened.folder).zone)
        return datetime.fromtimestamp(turn.began_at / 1000, zone).date().isoformat()


def newly_failing(before: Scorecard | None, card: Scorecard, day: str) -> tuple[Alarm, ...]:
    """An alarm for each check that fails now and did not fail before; none where nothing was checked before."""
    from xinglin.catalogue.quality_checks import quality_check

    if before is None:
        return ()
    known = {one.check for one in before.failed()}
    found = []
    for one in card.failed():
        check = quality_check(one.check)
        if one.check in known or check is None:
            continue
        words = f"{one.check}: {one.failing:,} of {one.rows:,} rows: {check.words}"
        words_zh = f"{one.check}：{one.rows:,} 行中有 {one.failing:,} 行：{check.words_zh}"
        found.append(Alarm("check_failed", "", day, one.check, words, words_zh, round(one.share, 6)))
    return tuple(found)


def _newest(at: str, zone: str, now: Instant) -> Instant:
    """The newest instant at or before ``now`` that a clock in ``zone`` shows ``at``."""
    here = datetime.fromtimestamp(now / 1000, zone_of(zone))
    then = here.replace(hour=int(at[:2]), minute=int(at[3:]), second=0, microsecond=0)
    return round((then if then <= here else then - timedelta(days=1)).timestamp() * 1000)


def _may_go_well(error: XinglinError | OSError) -> bool:
    return isinstance(error, LakeError | OSError) or may_go_well(error)
