"""The quality of a hospital's own data: kept runs, a check that goes on beside the page, alarms, days, counts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.console.errors import ConsoleError, NotThere, TooMany
from xinglin.console.lines import Lines
from xinglin.console.seats import Seat
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Instant

if TYPE_CHECKING:
    from xinglin.catalogue.quality import QualityCheck, Scorecard
    from xinglin.intake.quality import Alarm
    from xinglin.intake.reconcile import Reconciled, SourceCount
    from xinglin.lake.quality import FailingRow
    from xinglin.lake.quality_days import DayRow
    from xinglin.node.intake.alarms import KeptAlarm

RUNS_SHOWN, ALARMS_SHOWN, ROWS_SHOWN = 60, 500, 50
CHECKS, DRIFT = "checks", "drift"


class Stopped(ConsoleError):
    """A person stopped it."""

    code = "console.stopped"


class Work(msgspec.Struct, frozen=True):
    """What goes on beside the page, as far as it has come. ``kind``: checks or drift; empty: nothing yet.

    ``card``: of checks; ``alarms`` and ``new_days``: of drift. ``kept``: whether the run is kept: a whole one is.
    ``trouble``: what ended it.
    """

    kind: str = ""
    running: bool = False
    began: Instant = 0
    ended: Instant = 0
    done: int = 0
    of: int = 0
    stopping: bool = False
    stopped: bool = False
    about: str = ""
    card: Scorecard | None = None
    kept: bool = False
    alarms: tuple[Alarm, ...] = ()
    new_days: int = 0
    trouble: XinglinError | None = None


class QualityCalls:
    """Calls about quality; one object a seat, for several threads. One piece of work goes on at a time."""

    def __init__(self, seat: Seat, lines: Lines) -> None:
        self._folder, self._lines = seat.folder, lines
        self._lock = threading.Lock()
        self._work, self._counting = Work(), False
        self._counted: tuple[Reconciled, ...] = ()

    # --- what is kept ----------------------------------------------------------------------------

    def runs(self) -> tuple[Scorecard, ...]:
        """Kept runs of all checks, oldest first."""
        from xinglin.lake.quality import kept_runs

        return kept_runs(self._lake(), RUNS_SHOWN)

    def check(self, check: str) -> QualityCheck:
        """A check by its id; raises ``NotThere``."""
        from xinglin.catalogue.quality_checks import quality_check

        found = quality_check(check)
        if found is None:
            raise NotThere("There is no such check.", remedy="Go back to the list.")
        return found

    def failing(self, check: str) -> tuple[FailingRow, ...]:
        """Rows that fail a check now, for the hospital's own eyes."""
        from xinglin.lake.quality import failing_rows

        return failing_rows(self._lake(), self.check(check).id, ROWS_SHOWN)

    def tables(self) -> tuple[str, ...]:
        """Canonical tables that the lake has."""
        from xinglin.catalogue.canonical_tables import CANONICAL_TABLES

        held = set(self._lake().names())
        return tuple(one.name for one in CANONICAL_TABLES if one.name in held)

    def alarms(self) -> tuple[KeptAlarm, ...]:
        """What the nights found, newest first."""
        from xinglin.node.intake.alarms import kept_alarms

        return kept_alarms(self._lake(), limit=ALARMS_SHOWN)

    def days(self) -> tuple[DayRow, ...]:
        """Frozen days of every source and table, in order."""
        from xinglin.lake.quality_days import kept_days

        return kept_days(self._lake())

    def sources(self) -> tuple[str, ...]:
        """Names of the node's sources."""
        from xinglin.node.intake.sources import read_sources

        return tuple(one.name for one in read_sources(self._folder))

    # --- work beside the page --------------------------------------------------------------------

    def work(self) -> Work:
        """What goes on, or ended last."""
        return self._work

    def start_checks(self, table: str = "") -> None:
        """Check one table, or (empty) all of them and keep what was found. Raises ``NotThere`` or ``TooMany``."""
        from xinglin.lake.quality import checked

        if table and table not in self.tables():
            raise NotThere("There is no such table.", remedy="Choose one of the list.")

        def work() -> None:
            card = checked(self._lake(), self._lines.clock(), (table,) if table else (), tell=self._told)
            self._note(card=card, kept=not table and bool(card.results))

        self._start(CHECKS, table, work)

    def start_drift(self, day: str, source: str = "") -> None:
        """Sum up the days that end with ``day``, and compare it with those before. Raises ``NotThere``, ``TooMany``."""
        from xinglin.node.intake.quality import drifted

        if source and source not in self.sources():
            raise NotThere("There is no such source.", remedy="Choose one of the list.")

        def work() -> None:
            new, alarms = drifted(self._lake(), day, self._lines.clock(), source)
            self._note(new_days=new, alarms=alarms)

        self._start(DRIFT, day, work)

    def stop(self) -> None:
        """End the checks after the table that is being read; what was found of this run is not kept."""
        with self._lock:
            if self._work.running:
                self._work = msgspec.structs.replace(self._work, stopping=True)

    def _start(self, kind: str, about: str, work: Callable[[], None]) -> None:
        with self._lock:
            self._check_free()
            self._work = Work(kind, True, self._lines.clock(), about=about)
        threading.Thread(target=self._run, args=(work,), name="quality", daemon=True).start()

    def _check_free(self) -> None:
        """Raise ``TooMany`` while something goes on; asked under the lock."""
        if self._work.running or self._counting:
            raise TooMany("Something is being checked already.", remedy="Wait for its end, or stop it.")

    def _run(self, work: Callable[[], None]) -> None:
        from xinglin.lake.errors import LakeError

        # What nobody expected is no success: it stays in trouble unless the work came to its end.
        found: dict[str, Any] = {"trouble": LakeError("The work broke off.", remedy="Tell whoever runs the console.")}
        try:
            work()
            found = {}
        except Stopped:
            found = {"stopped": True}
        except XinglinError as error:
            found = {"trouble": error}
        except (OSError, ValueError, RuntimeError, ArithmeticError, LookupError, TypeError) as error:
            found = {"trouble": LakeError("The tables could not be read.", why=type(error).__name__)}
        finally:
            self._note(running=False, ended=self._lines.clock(), **found)

    def _told(self, done: int, of: int) -> None:
        self._note(done=done, of=of)
        if self._work.stopping:
            raise Stopped("It was stopped.")

    def _note(self, **found: Any) -> None:
        with self._lock:
            self._work = msgspec.structs.replace(self._work, **found)

    # --- counts ----------------------------------------------------------------------------------

    def reconcile(self, asked: SourceCount) -> Reconciled:
        """A source's count against what is here; keys are looked for in raw objects with the node's own keys.

        Raises ``NotThere``, and ``TooMany`` while something else goes on.
        """
        from xinglin.node.intake.quality import reconciled
        from xinglin.node.joining import open_node_keys

        if asked.source not in self.sources():
            raise NotThere("There is no such source.", remedy="Choose one of the list.")
        with self._lock:
            self._check_free()
            self._counting = True
        try:
            (done,) = reconciled(self._folder, (asked,), lambda: open_node_keys(self._folder))
        finally:
            with self._lock:
                self._counting = False
        with self._lock:
            self._counted = (done, *self._counted)[:20]
        return done

    def counted(self) -> tuple[Reconciled, ...]:
        """What was compared since the console started, newest first."""
        return self._counted

    def _lake(self) -> Any:
        from xinglin.node.intake.wiring import node_lake

        return node_lake(self._folder)
