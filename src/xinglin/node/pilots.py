"""Regulatory sandbox pilots at the node: a file that their supervisor signed, their uses here, and their report."""

from __future__ import annotations

from pathlib import Path

from xinglin.kernel.instants import Clock
from xinglin.kernel.limits import Limit
from xinglin.node.logview import LogView
from xinglin.stores.law_words import LawWords
from xinglin.stores.node_database import NodeDatabase
from xinglin.terms.law_file import LawFile
from xinglin.terms.sandbox import Pilot, PilotError, PilotEvent, PilotReport, open_pilot, pilot_report
from xinglin.trust.envelope import Signed

PILOT_BYTES = Limit("file of a pilot", 1024 * 1024, "bytes")


class NodePilots:
    """Pilots of this node's folder. Uses and persons are counted here alone: other hospitals count their own."""

    def __init__(self, node: str, folder: Path, view: LogView, database: NodeDatabase, clock: Clock) -> None:
        self._node = node
        self._folder, self._view, self._database, self._clock = folder, view, database, clock

    def opened(self, name: str) -> Pilot:
        """The pilot of a file, verified anew; raises ``PilotError`` and what an envelope raises."""
        if not name or "/" in name or "\\" in name or name.startswith("."):
            raise PilotError("A pilot is named by its file in the node's folder.", remedy="Name the file alone.")
        try:
            data = (self._folder / name).read_bytes()
        except OSError as error:
            words = "The pilot's file cannot be read."
            raise PilotError(words, why=type(error).__name__, remedy="Put the signed pilot there.") from error
        PILOT_BYTES.check(len(data))
        return open_pilot(Signed.from_bytes(data), self._view.record.directory)

    def uses(self, pilot: Pilot, run: str) -> int:
        """Charged uses of the pilot's participants on its data sets in its time, ``run`` included."""
        rows = {row.agreement_id: row.consumer for row in self._database.agreements()}
        charges = [one for data_set in pilot.data_sets for one in self._database.allowance(data_set).charges]
        counted = {
            one.run
            for one in charges
            if one.counts
            and pilot.begins <= one.at < pilot.ends
            and rows.get(one.agreement, "") in pilot.participants
            and one.run != run
        }
        return len(counted) + 1

    def persons(self, pilot: Pilot, said: LawFile) -> int:
        """Persons that the law file states for the pilot's data sets, which no use exceeds; -1 is not known."""
        stated = [said.of(data_set, "", self._clock()).subject.persons for data_set in pilot.data_sets]
        known = [one for one in stated if one is not None]
        return sum(known) if len(known) == len(stated) else -1

    def report(self, pilot: Pilot, words: LawWords | None, persons: int) -> PilotReport:
        """What the pilot came to here, from this node's copy of the log and what it kept of its decisions."""
        kept = words.uses(pilot.digest()) if words is not None else ()
        by_run = {run: [one for one in kept if one.run == run] for run in {one.run for one in kept}}
        events = []
        for index in range(self._view.size) if by_run else ():
            entry = self._view.entry(index)
            if entry.subject not in by_run or entry.submitter != self._node:
                continue
            decisions = by_run[entry.subject]
            events.append(
                PilotEvent(
                    index=index,
                    kind=entry.kind,
                    at=entry.at,
                    participant=decisions[-1].participant,
                    codes=tuple(sorted({code for one in decisions for code in one.codes})),
                    relaxed=tuple(sorted({code for one in decisions for code in one.relaxed})),
                )
            )
        return pilot_report(pilot, events, persons=max(persons, 0), at=self._clock())
