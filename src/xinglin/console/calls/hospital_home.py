"""How a hospital stands: its line, its feeds, what waits, what to mend next, its self-test, and what it publishes."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.console.doctor import CERTIFICATE_DAYS, CLOCK_OFF_MS, DAY_MS, STALE_S, Finding, certificate_ends, examining
from xinglin.console.lines import Lines
from xinglin.console.seats import Seat
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Instant
from xinglin.words import N_

if TYPE_CHECKING:
    from xinglin.catalogue import DataSetDescription
    from xinglin.catalogue.confirming import SettledGrade

SELF_TEST_CHECKS = 14
"""About so many findings has a self-test of a healthy node; the bar is drawn to it."""
LITTLE = 0.1
"""A budget with a smaller share left is worth looking at."""


class Feed(msgspec.Struct, frozen=True):
    """One source: whether its listener is open, and what became of its records."""

    name: str
    received: int
    accepted: int
    quarantined: int
    rejected: int
    listening: str = ""


class Intake(msgspec.Struct, frozen=True):
    """What comes in. ``runs``: the intake's process answers; ``held``: what is in quarantine, by code."""

    there: bool = False
    runs: bool = False
    feeds: tuple[Feed, ...] = ()
    held: dict[str, int] = {}
    backlog: int = 0
    last_at: Instant = 0

    @property
    def quarantined(self) -> int:
        """Records in quarantine."""
        return sum(self.held.values())


class Line(msgspec.Struct, frozen=True):
    """The node's own word on itself. ``runs`` False: its process is away, and ``trouble`` says how."""

    runs: bool
    trouble: str = ""
    did: str = ""
    space: str = ""
    hub: str = ""
    connected: bool = False
    clock_off_ms: int = 0
    log_size: int = 0
    trusted_age_ms: int = 0
    fork_protection: bool = False
    open_runs: tuple[str, ...] = ()
    overdue: int = 0


class Left(msgspec.Struct, frozen=True):
    """What is left of everybody's budget of a data set, as a share of its cap."""

    data_set: str
    share: float
    days: int


class Fix(msgspec.Struct, frozen=True):
    """Something to mend: what (English, translated when shown), its values, where, and how urgent (``bad``, ``warn``).

    ``label``: of the way on.
    """

    look: str
    words: str
    path: str
    label: str
    values: dict[str, Any] = {}


class Standing(msgspec.Struct, frozen=True):
    """Everything of the home page but what has to be counted in the lake."""

    line: Line
    intake: Intake
    certificate_ends: Instant
    budgets: tuple[Left, ...]
    waiting: int
    data_sets: int
    proposals: int
    now: Instant

    @property
    def certificate_days(self) -> int:
        """Days until the hub's certificate ends; of one of a public authority a large number."""
        return (self.certificate_ends - self.now) // DAY_MS if self.certificate_ends else 9_999


class TestState(msgspec.Struct, frozen=True):
    """A self-test as far as it has come."""

    running: bool = False
    began: Instant = 0
    ended: Instant = 0
    findings: tuple[Finding, ...] = ()

    @property
    def wrong(self) -> tuple[Finding, ...]:
        """What is not well."""
        return tuple(one for one in self.findings if not one.ok)


class HomeCalls:
    """Calls of a hospital's home page; one object a seat, for several threads."""

    def __init__(self, seat: Seat, lines: Lines) -> None:
        self._folder, self._lines = seat.folder, lines
        self._lock = threading.Lock()
        self._test = TestState()

    # --- how it stands ---------------------------------------------------------------------------

    def standing(self, waiting: int) -> Standing:
        """How the hospital stands now; ``waiting``: how much is in its inbox."""
        line = self.line()
        budgets: tuple[Left, ...] = ()
        data_sets = proposals = 0
        if line.runs:
            budgets = tuple(_left(one) for one in self._lines.desk(self._folder, "budget", step="show"))
            data_sets = len(budgets)
            proposals = len(self._lines.desk(self._folder, "policy", step="show")["open"])
        ends = certificate_ends(self._lines.card(self._folder))
        now = self._lines.clock()
        return Standing(line, self.intake(), ends, budgets, waiting, data_sets, proposals, now)

    def line(self) -> Line:
        """The node's own word on itself; where its process is away, that."""
        try:
            found = self._lines.desk(self._folder, "status", timeout_s=10.0)
        except XinglinError as error:
            return Line(False, error.what)
        except OSError:
            return Line(False)
        names = ("did", "space", "hub", "connected", "clock_off_ms", "log_size", "trusted_age_ms", "fork_protection")
        told = {name: found[name] for name in names}
        return Line(True, **told, open_runs=tuple(found["runs"]), overdue=len(found["overdue"]))

    def intake(self) -> Intake:
        """What comes in: as the running intake says, else by its ledger."""
        from xinglin.node.intake.main import DESK_FOLDER
        from xinglin.node.intake.wiring import LEDGER_FILE
        from xinglin.stores.desk import NotRunning

        if not (self._folder / LEDGER_FILE).exists():
            return Intake()
        feeds = self._feeds()
        try:
            found = self._lines.desk(self._folder / DESK_FOLDER, "status", timeout_s=10.0)
        except (NotRunning, OSError):
            return Intake(True, False, feeds[0], feeds[1])
        open_ = tuple(
            msgspec.structs.replace(one, listening=str(found["listeners"].get(one.name, {}).get("way", "")))
            for one in feeds[0]
        )
        return Intake(True, True, open_, dict(found["held"]), int(found["backlog"]), int(found["last_at"]))

    def fixes(self, standing: Standing) -> tuple[Fix, ...]:
        """What to mend, the most urgent first."""
        line, found = standing.line, list[Fix]()
        if not line.runs:
            found.append(Fix("bad", N_("The node's process is not running."), "/hospital/self-test", N_("Self-test")))
        elif not line.connected:
            found.append(Fix("bad", N_("The line to the hub is down."), "/hospital/self-test", N_("Self-test")))
        if line.runs and line.trusted_age_ms > STALE_S * 1000:
            words = N_("The newest checkpoint is %(s)s seconds old: nothing is released until a witness returns.")
            age = {"s": line.trusted_age_ms // 1000}
            found.append(Fix("bad", words, "/hospital/self-test", N_("Self-test"), age))
        if abs(line.clock_off_ms) > CLOCK_OFF_MS:
            words = N_("The clock is %(ms)s ms off: requests are refused as expired.")
            found.append(Fix("bad", words, "/hospital/self-test", N_("Self-test"), {"ms": line.clock_off_ms}))
        if standing.certificate_days < CERTIFICATE_DAYS:
            days = {"days": standing.certificate_days}
            words = N_("The hub's certificate ends in %(days)s days.")
            found.append(Fix("warn", words, "/hospital/self-test", N_("Self-test"), days))
        if line.overdue:
            words = N_("Breaches with a date that was missed: %(n)s.")
            found.append(Fix("bad", words, "/agreements", N_("Agreements"), {"n": line.overdue}))
        if standing.waiting:
            words = N_("Requests that wait for the hospital: %(n)s.")
            found.append(Fix("warn", words, "/inbox", N_("Decide"), {"n": standing.waiting}))
        return (*found, *_later(standing))

    # --- self-test -------------------------------------------------------------------------------

    def start_test(self) -> None:
        """Start the self-test, unless one is under way."""
        with self._lock:
            if self._test.running:
                return
            self._test = TestState(True, self._lines.clock())
        threading.Thread(target=self._run_test, name="self-test", daemon=True).start()

    def test(self) -> TestState:
        """The newest self-test as far as it has come."""
        return self._test

    def _run_test(self) -> None:
        findings: tuple[Finding, ...] = ()
        try:
            for one in examining(self._folder):
                findings = (*findings, one)
                self._test = msgspec.structs.replace(self._test, findings=findings)
        except (XinglinError, OSError, ValueError) as error:
            what = error.what if isinstance(error, XinglinError) else type(error).__name__
            findings = (*findings, Finding("self-test", False, what, "Run it again: xinglin doctor."))
        finally:
            self._test = TestState(False, self._test.began, self._lines.clock(), findings)

    # --- publishing ------------------------------------------------------------------------------

    def published(self) -> tuple[DataSetDescription, ...]:
        """What the hospital publishes now."""
        from xinglin.catalogue import DataSetDescription

        found = self._lines.desk(self._folder, "tables")
        return tuple(msgspec.convert(one, DataSetDescription) for one in found)

    def described(self, name: str, title: str = "") -> DataSetDescription:
        """A data set's description: as it is published, else as the lake would be described now.

        Raises ``NothingToPublish`` where no table has enough persons.
        """
        from xinglin.node.consent import published_persons
        from xinglin.node.intake.connecting import describe
        from xinglin.node.intake.starting import mappings_of

        known = {one.name: one for one in self.published()}
        if name in known:
            return known[name]
        persons = published_persons(self._folder, self._lines.clock())
        mappings = mappings_of(self._folder)
        return describe(self._lake(), name, title or name, self.line().did, suggestions=mappings, persons=persons)

    def grades(self, description: DataSetDescription) -> tuple[SettledGrade, ...]:
        """The grade of each column: suggested by counting, or a person's word."""
        from xinglin.node.intake.grading import settled_now

        return settled_now(self._folder, self._lake(), description)

    def confirm_grades(
        self, description: DataSetDescription, asked: dict[tuple[str, str], str], by: str, reason: str
    ) -> tuple[SettledGrade, ...]:
        """Keep a person's word on columns (a grade, or empty for the suggested). Raises ``Refused`` with reasons."""
        from xinglin.node.intake.grading import keep_grades

        return keep_grades(self._folder, description.name, self.grades(description), asked, by, reason)

    def publish(self, description: DataSetDescription, settled: tuple[SettledGrade, ...]) -> dict[str, Any]:
        """Publish with the grades that hold; what the node answers, columns that nobody confirmed among it."""
        from xinglin.catalogue.confirming import regraded

        text = msgspec.json.encode(regraded(description, settled)).decode()
        found: dict[str, Any] = self._lines.desk(self._folder, "publish", description=text)
        return found

    def _lake(self) -> Any:
        from xinglin.node.intake.wiring import open_lake
        from xinglin.node.settings import node_settings

        return open_lake(self._folder, node_settings(self._folder).settings)

    def _feeds(self) -> tuple[tuple[Feed, ...], dict[str, int]]:
        from xinglin.node.intake.wiring import open_reading
        from xinglin.node.settings import node_settings

        reading = open_reading(self._folder, node_settings(self._folder).settings)
        try:
            if reading.accounts is None:
                return (), {}
            found = tuple(
                Feed(one.key, one.tally.received, one.tally.accepted, one.tally.quarantined, one.tally.rejected)
                for one in reading.accounts.by_source()
            )
            return found, dict(reading.accounts.held_codes())
        finally:
            reading.close()


def _later(standing: Standing) -> list[Fix]:
    """What can wait until the line stands."""
    found = []
    if standing.intake.there and not standing.intake.runs:
        words = N_("The intake is not running: nothing new comes in.")
        found.append(Fix("warn", words, "/hospital/self-test", N_("Self-test")))
    if standing.intake.quarantined:
        words = N_("Records in quarantine: %(n)s.")
        values = {"n": standing.intake.quarantined}
        found.append(Fix("warn", words, "/hospital/quarantine", N_("See why"), values))
    for one in standing.budgets:
        if one.share < LITTLE:
            words = N_("Little is left of the budget of privacy of “%(name)s”.")
            found.append(Fix("warn", words, "/budgets", N_("Budgets"), {"name": one.data_set}))
    if standing.proposals:
        words = N_("Proposals for the hospital's own policy: %(n)s.")
        found.append(Fix("warn", words, "/policy", N_("Policy"), {"n": standing.proposals}))
    if standing.line.runs and not standing.data_sets:
        found.append(Fix("warn", N_("Nothing is published yet."), "/publish", N_("Publish")))
    return found


def _left(one: dict[str, Any]) -> Left:
    everybody = one["scopes"][0]
    cap = float(everybody["cap_rho"])
    return Left(one["data_set"], float(everybody["left_rho"]) / cap if cap else 0.0, int(one["days_left"]))


def node_did(folder: Path) -> str:
    """The DID under which a node's folder was enrolled; empty before it joined."""
    from xinglin.node.joining import CREDENTIAL_FILE
    from xinglin.wire.calls import Enrolled

    file = folder / CREDENTIAL_FILE
    return msgspec.json.decode(file.read_bytes(), type=Enrolled).did if file.is_file() else ""
