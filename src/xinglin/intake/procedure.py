"""The order, as one visible procedure: keep, read, map, match, check, commit, log.

A batch is *planned* in the ledger, *written* to the tables, *committed* in the ledger, then *logged*. Each step
is keyed by the batch's number, so that twice is once; a crash anywhere is resumed by doing the unfinished
batch again before anything else: nothing acknowledged is lost, and no row is there twice.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from itertools import groupby
from typing import Any

import msgspec

from xinglin.catalogue.canonical_tables import canonical_table
from xinglin.evidence.commitments import commit, derive_salt
from xinglin.intake.errors import BatchRefused, IntakeError, RawDamaged, RawErased, RawMissing, ReaderFailed
from xinglin.intake.gathering import Due, Gathering
from xinglin.intake.model import (
    NO_READER,
    RAW_LOST,
    TOO_LARGE,
    UNKNOWN_SOURCE,
    BatchKind,
    BatchLimits,
    BatchState,
    OutboxEntry,
    Part,
    Plan,
    TakenBack,
)
from xinglin.intake.ports import (
    Consents,
    Evidence,
    Judged,
    Ledger,
    Persons,
    Prepared,
    Preparer,
    Quality,
    RawStore,
    Tables,
    Work,
)
from xinglin.intake.preparing import Origin
from xinglin.kernel.canonical import canonical_digest
from xinglin.kernel.errors import LimitExceeded, MalformedMessage, XinglinError
from xinglin.kernel.instants import Clock, system_clock
from xinglin.lake.errors import LakeError
from xinglin.records.errors import RecordsError
from xinglin.records.model import Mapped, Unread
from xinglin.records.shape import shape_parts

log = logging.getLogger("xinglin.intake")

DELETED = "deleted"
"""The status of a fact that no longer arises; one of ``TAKEN_BACK``."""
PAGE = 1_000
"""Objects that are looked up in the raw store at once."""
POLL_S = 0.05

Step = Callable[[str], None]
"""Called with the name of each step that was just done; tests stop the process there."""


def no_step(name: str) -> None:
    """Goes on."""


def never() -> bool:
    """Nobody wants it to stop."""
    return False


UNREADABLE = (RecordsError, ReaderFailed, LimitExceeded, MalformedMessage, RawMissing, RawDamaged)
"""What is said of an object that cannot be read."""


class Ports(msgspec.Struct, frozen=True):
    """Everything outside that an intake uses; ``quality``, ``persons`` and ``consents`` where they are configured."""

    raw: RawStore
    ledger: Ledger
    preparer: Preparer
    tables: Tables
    quality: Quality | None = None
    persons: Persons | None = None
    consents: Consents | None = None


class Intake:
    """The one way into one lake. One worker a ledger: a second one finds ``LedgerMoved`` and changes nothing."""

    def __init__(
        self,
        ports: Ports,
        limits: BatchLimits | None = None,
        clock: Clock = system_clock,
        step: Step = no_step,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._ports, self._limits, self._clock = ports, limits or BatchLimits(), clock
        self._step, self._sleep = step, sleep
        self._alone = 0
        self._reading: tuple[tuple[int, int, bool], Iterator[Prepared]] | None = None

    def run_once(self, *, linger: bool = False, stopped: Callable[[], bool] = never) -> BatchState | None:
        """Carry the next batch of kept objects into the lake; None when there is nothing to carry.

        1. keep: a feed did, before it acknowledged (``RawStore``).
        2. read: each object's bytes by the reader of its media type, within a time and a memory.
        3. map: resources to rows of the canonical tables by the views, and their codes to standard codes.
        4. match: every row is said of a person by the source's own key; who is who is the patient index's.
        5. check: findings become flags; only what cannot be read or attributed is quarantined.
        6. commit: planned in the ledger; what persons chose recorded; written to the tables; committed in the ledger.
        7. log: an entry of digests and counts waits in the outbox (``post_outbox``).

        ``linger``: wait for more objects, up to ``linger_ms``, while the batch has room. ``stopped`` is asked
        between objects; what was gathered is committed. Raises ``BatchRefused`` when the tables or the ledger do
        not take the batch: nothing is lost, call again.
        """
        self.recover()
        self._ports.preparer.refuse(self._ports.ledger.erased())
        with _few_collections():
            gathering = self._gather(self._waiting(linger and not self._alone), stopped)
        if gathering.empty:
            return None
        try:
            return self._commit(gathering, "new")
        except ReaderFailed as error:
            return self._apart(gathering.objects, error)

    def drain(
        self, stopped: Callable[[], bool] = never, progress: Callable[[BatchState], None] | None = None
    ) -> list[BatchState]:
        """Batches until nothing waits, or until ``stopped``; told to ``progress`` one by one."""
        done = []
        while not stopped():
            batch = self.run_once(stopped=stopped)
            if batch is None:
                break
            done.append(batch)
            if progress is not None:
                progress(batch)
        return done

    def recover(self) -> BatchState | None:
        """Finish the batch that a crash cut off, and read again what was being read again; None: there was none."""
        ledger = self._ports.ledger
        cut_off = ledger.unfinished()
        if cut_off is not None:
            log.info("batch %d is %s: finished now", cut_off.plan.number, cut_off.state)
            if cut_off.state == "planned":
                self._redo(cut_off.plan)
            return self._settle(cut_off.plan.number)
        open_part = ledger.position()
        left = [one for one in ledger.interrupted() if not (open_part.parts and one == open_part.sequence + 1)]
        if left:
            self.read_again(left)
        return None

    def read_again(self, sequences: Iterable[int], seen: Callable[[bytes], None] | None = None) -> list[BatchState]:
        """Read these settled objects again, under their sources as they are now; known rows are not doubled.

        ``seen`` is told the names of the facts (``RowKeys.names``) before a batch is planned.
        """
        done = []
        self._ports.preparer.forget()
        self._ports.preparer.refuse(self._ports.ledger.erased())
        due = self._again(sequences, seen is not None)
        pending = next(due, None)
        while pending is not None:
            gathering = Gathering(self._limits)
            with _few_collections():
                while pending is not None and not gathering.full:
                    pending = self._one(gathering, pending) or next(due, None)
            if seen is not None:
                seen(b"".join(gathering.names))
            done.append(self._commit(gathering, "replay" if seen is None else "remap"))
        return done

    def take_back(self, source: str, facts: Mapping[str, tuple[TakenBack, ...]]) -> BatchState:
        """Write a deleted version of each of these facts (by table), as one batch."""
        ledger = self._ports.ledger
        number, recorded_at = ledger.next_batch(self._clock())
        rows = {table: len(found) for table, found in sorted(facts.items()) if found}
        told = canonical_digest(rows)
        plan = Plan(number, "remap", recorded_at, (), rows, told, source=source, taken_back=dict(facts))
        ledger.plan(plan, (b"", b""), {})
        self._step("planned")
        self._write(number, _deleted(plan))
        return self._settle(number)

    # --- gathering: 2 to 5 ---------------------------------------------------------------------

    def _waiting(self, linger: bool) -> Iterator[Due]:
        """Kept objects behind the ledger's position, as long as there are any."""
        position = self._ports.ledger.position()
        after, skip = position.sequence, position.parts
        end = time.monotonic() + self._limits.linger_ms / 1000
        source = cache(self._ports.ledger.source)
        while True:
            page = self._ports.raw.after(after, PAGE)
            for kept in page:
                yield Due(kept, source(kept.source), skip)
                after, skip = kept.sequence, 0
            if not page and not (linger and after > position.sequence and time.monotonic() < end):
                return
            if not page:
                self._sleep(POLL_S)

    def _again(self, sequences: Iterable[int], named: bool) -> Iterator[Due]:
        source = cache(self._ports.ledger.source)
        for sequence in sequences:
            found = self._ports.raw.after(sequence - 1, 1)
            if found and found[0].sequence == sequence:
                yield Due(found[0], source(found[0].source), again=True, named=named)

    def _gather(self, due: Iterator[Due], stopped: Callable[[], bool]) -> Gathering:
        self._ports.preparer.forget()
        gathering = Gathering(self._limits)
        for one in due:
            self._one(gathering, one)
            if gathering.full or self._alone or stopped():
                break
        self._alone = max(0, self._alone - 1)
        return gathering

    def _apart(self, objects: int, error: ReaderFailed) -> BatchState | None:
        """Rows of a batch do not fit their tables: its objects come one by one, and the one at fault is held."""
        self._reading = None
        if objects > 1:
            self._alone = objects
            return self.run_once()
        due = next(self._waiting(False))
        gathering = Gathering(self._limits)
        gathering.turn_away(due, due.skip, "quarantined", _why(error))
        return self._commit(gathering, "new")

    def _one(self, gathering: Gathering, due: Due) -> Due | None:
        """Prepare one object, until it ends or the batch is full: then the rest is given back."""
        number = due.skip
        refusal = self._refusal(due)
        if refusal is not None:
            gathering.turn_away(due, number, "rejected", refusal)
            return None
        try:
            parts = self._parts(due)
            for prepared in parts:
                gathering.take(due, number, prepared)
                number += 1
                if gathering.full and not prepared.last:
                    self._reading = ((due.kept.sequence, number, due.again), parts)
                    return msgspec.structs.replace(due, skip=number)
        except UNREADABLE as error:
            gathering.turn_away(due, number, "quarantined", _why(error))
        except RawErased as error:
            gathering.turn_away(due, number, "rejected", Unread("", RAW_LOST, error.what))
        self._step("read")
        return None

    def _parts(self, due: Due) -> Iterator[Prepared]:
        """The object's parts after ``skip``; where the batch before ended inside it, its reader goes on."""
        reading, self._reading = self._reading, None
        if reading is not None and reading[0] == (due.kept.sequence, due.skip, due.again):
            return reading[1]
        return self._ports.preparer.prepare(self._work(due), self._ports.raw.read(due.kept.digest))

    def _refusal(self, due: Due) -> Unread | None:
        kept = due.kept
        if due.version is None:
            return Unread("", UNKNOWN_SOURCE, "No source of this name is registered.")
        if kept.size_bytes > self._limits.object_bytes:
            return Unread("", TOO_LARGE, f"Objects have at most {self._limits.object_bytes} bytes.")
        if not self._ports.preparer.reads(_media_type(due)):
            return Unread("", NO_READER, "There is no reader of this media type.")
        return None

    def _work(self, due: Due) -> Work:
        if due.version is None:
            raise ReaderFailed(UNKNOWN_SOURCE, "No source of this name is registered.")
        return Work(due.kept, due.version.source, _media_type(due), due.skip, due.named)

    # --- 6. commit -----------------------------------------------------------------------------

    def _commit(self, gathering: Gathering, kind: BatchKind) -> BatchState:
        """a. planned: which rows are new, and everything but the rows. b. written. c. committed."""
        ledger = self._ports.ledger
        number, recorded_at = ledger.next_batch(self._clock())
        with _few_collections():
            judged = ledger.judge(number, gathering.rows(), planned=False)
            parts, rows = gathering.settle(judged.repeated)
            plan = Plan(number, kind, recorded_at, parts, rows, judged.digest)
            tables = self._ports.preparer.tables(judged.repeated, number, recorded_at)
        self._step("prepared")
        ledger.plan(plan, judged.fresh, gathering.persons)
        self._step("planned")
        self._write(number, tables)
        return self._settle(number)

    def rows_of(self, number: int) -> Mapping[str, Any] | None:
        """The rows of a batch as Arrow tables, read again from its messages: to write again what a disk lost.

        None where they are not what was committed: an object of it is gone, a later version reads one in another
        way, a later batch changed a fact back, or what was taken back is no longer known.
        """
        state = self._ports.ledger.batch(number)
        if state is None or not state.plan.parts:
            return None
        try:
            judged = self._judged(state.plan)
        except BatchRefused:
            return None
        if judged.digest != state.plan.digest:
            return None
        return self._ports.preparer.tables(judged.repeated, number, state.plan.recorded_at)

    def _redo(self, plan: Plan) -> None:
        """Read the parts of a planned batch again, and write what is not written yet."""
        if plan.taken_back:
            self._write(plan.number, _deleted(plan))
            return
        judged = self._judged(plan)
        if judged.digest != plan.digest:
            log.warning("batch %d: a newer version reads its objects in another way", plan.number)
        self._write(plan.number, self._ports.preparer.tables(judged.repeated, plan.number, plan.recorded_at))

    def _judged(self, plan: Plan) -> Judged:
        """The parts of a batch read again, its rows held against what the ledger knew before it."""
        preparer = self._ports.preparer
        preparer.forget()
        preparer.refuse(self._ports.ledger.erased())
        self._reading = None
        gathering = Gathering(self._limits)
        for _, parts in groupby(plan.parts, key=lambda part: part.sequence):
            self._reread(gathering, [part for part in parts if not part.code])
        return self._ports.ledger.judge(plan.number, gathering.rows(), planned=True)

    def _reread(self, gathering: Gathering, parts: list[Part]) -> None:
        if not parts:
            return
        first = parts[0]
        version = self._ports.ledger.source(first.source, first.version)
        kept = self._ports.raw.find(first.digest)
        if kept is None or version is None:
            raise BatchRefused("An object of a planned batch is gone.", remedy="Run xinglin lake fsck.")
        due = Due(kept, version, first.number, first.again)
        number = first.number
        try:
            for prepared in self._parts(due):
                gathering.take(due, number, prepared)
                number += 1
                if number > parts[-1].number:
                    return
        except UNREADABLE as error:
            raise BatchRefused("An object of a planned batch is not read as it was.", why=error.what) from error

    def _write(self, number: int, tables: Mapping[str, Any]) -> None:
        ports = self._ports
        if ports.consents is not None:
            self._heard(ports.consents, number)
        checked = dict(tables) if ports.quality is None else ports.quality.check(number, tables)
        try:
            versions = ports.tables.append_batch(number, checked) if checked else {}
        except LakeError as error:
            raise BatchRefused("The tables did not take the batch.", why=str(error), remedy="Call again.") from error
        self._step("appended")
        if ports.persons is not None and "patient" in checked:
            ports.persons.took(number, checked["patient"])
        ports.ledger.written(number, versions)
        self._step("written")

    def _heard(self, consents: Consents, number: int) -> None:
        try:
            consents.took(number)
        except (IntakeError, OSError) as error:
            words = "What persons chose could not be recorded: no row of the batch is written before it is."
            raise BatchRefused(words, why=str(error), remedy="Call again.") from error
        self._step("heard")

    def _settle(self, number: int) -> BatchState:
        state = self._ports.ledger.committed(number, self._clock())
        self._step("committed")
        return state


async def post_outbox(ledger: Ledger, evidence: Evidence, limit: int = 100) -> int:
    """7. log: post what waits in the outbox, in order; how many were posted.

    An entry is posted again when a crash falls between its posting and the ledger: the values are the same, and
    so are the commitments.
    """
    waiting = ledger.outbox(limit)
    for entry in waiting:
        index = await evidence.post(entry.kind, entry.subject, commitments(entry), entry.at)
        ledger.logged(entry.number, index)
    return len(waiting)


def commitments(entry: OutboxEntry) -> dict[str, str]:
    """What the log is shown of an entry: each value under a salt of its own, which an auditor can be given."""
    return {label: commit(derive_salt(entry.salt, label), value) for label, value in entry.values.items()}


@contextlib.contextmanager
def _few_collections() -> Iterator[None]:
    """What is parsed has no cycles: looking for them in it would cost as much as parsing."""
    before = gc.get_threshold()
    gc.set_threshold(1_000_000, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _deleted(plan: Plan) -> dict[str, Any]:
    """Arrow tables of the versions that take facts back."""
    tables = {}
    for name, facts in plan.taken_back.items():
        table = canonical_table(name)
        if table is None or not facts:
            continue
        columns = ("id", "version_at", "partial", table.status[0], *(("patient",) if table.of_person else ()))
        rows = [(f.id, f.version_at, True, DELETED, *((f.patient,) if table.of_person else ())) for f in facts]
        origin = Origin(plan.source, "", "", plan.recorded_at, "Z")
        tables[name] = shape_parts(name, [(Mapped(name, columns, rows), origin)], plan.number, plan.recorded_at)
    return tables


def _media_type(due: Due) -> str:
    declared = due.version.source.media_type if due.version else ""
    return (declared or due.kept.media_type).partition(";")[0].strip().lower()


def _why(error: XinglinError) -> Unread:
    if isinstance(error, ReaderFailed):
        return Unread("", error.reason, error.what)
    if isinstance(error, RawMissing | RawDamaged):
        return Unread("", RAW_LOST, error.what)
    return Unread(getattr(error, "place", ""), error.code, error.what)
