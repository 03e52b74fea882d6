"""The hospital's own codes and the patient index, as clerks review them; both in the node's folder, at the hospital."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.console.errors import NotThere
from xinglin.console.lines import Lines
from xinglin.console.seats import Seat
from xinglin.kernel.instants import Instant

if TYPE_CHECKING:
    from xinglin.node.intake.local_codes import Share
    from xinglin.node.intake.persons import NodePersons
    from xinglin.patients.model import Counts, Review
    from xinglin.records.terminology.local import Decision, LocalCode
    from xinglin.records.terminology.suggestions import Candidate
    from xinglin.records.terminology.unmapped import Unmapped

UNMAPPED_SHOWN = 200
FRESH_MS = 300_000
"""So long what was counted in the lake stands before it is counted again."""
QUEUE = ("open", "supported", "deferred", "confirmed", "rejected", "withdrawn")


class Mapped(msgspec.Struct, frozen=True):
    """How much of what was coded has a standard code, by column, and when that was counted."""

    shares: tuple[Share, ...]
    at: Instant

    @property
    def share(self) -> float | None:
        """Over all columns; None where nothing is coded."""
        coded = sum(one.coded for one in self.shares)
        return sum(one.mapped for one in self.shares) / coded if coded else None


class Pair(msgspec.Struct, frozen=True):
    """Two records that may be one person's, side by side: field, the one's, the other's."""

    review: Review
    fields: tuple[tuple[str, Any, Any], ...]


class MappingCalls:
    """Unmapped codes, proposals and decisions; nothing of a patient."""

    def __init__(self, seat: Seat, lines: Lines) -> None:
        self._folder, self._lines = seat.folder, lines
        self._lock = threading.Lock()
        self._mapped: Mapped | None = None
        self._unmapped: tuple[Instant, tuple[Unmapped, ...]] | None = None

    def mapped(self) -> Mapped:
        """Shares of mapped codes in the lake, counted at most every five minutes."""
        from xinglin.node.intake.local_codes import mapped_shares

        with self._lock:
            if self._mapped is None or self._lines.clock() - self._mapped.at > FRESH_MS:
                self._mapped = Mapped(mapped_shares(self._folder), self._lines.clock())
            return self._mapped

    def unmapped(self) -> tuple[Unmapped, ...]:
        """Local codes that nobody decided about, the most frequent first; counted at most every five minutes."""
        from xinglin.node.intake.local_codes import open_terms, unmapped_codes
        from xinglin.records.terminology.unmapped import undecided

        with self._lock:
            if self._unmapped is None or self._lines.clock() - self._unmapped[0] > FRESH_MS:
                self._unmapped = (self._lines.clock(), unmapped_codes(self._folder, UNMAPPED_SHOWN))
            counted = self._unmapped[1]
        with open_terms(self._folder) as store:
            return undecided(counted, store.local())

    def codes(self) -> tuple[LocalCode, ...]:
        """Every local code that was proposed, accepted or rejected."""
        from xinglin.node.intake.local_codes import open_terms

        with open_terms(self._folder) as store:
            return store.local()

    def candidates(self, text: str, unit: str = "") -> tuple[Candidate, ...]:
        """Standard codes that a name may mean, the best first."""
        from xinglin.node.intake.local_codes import name_index, open_terms
        from xinglin.records.terminology.suggestions import LocalItem

        with open_terms(self._folder) as store:
            return name_index(store).suggest(LocalItem("", text, unit), 5)

    def propose(self, by: str) -> None:
        """Put the best candidate for each unmapped measurement into the review."""
        from xinglin.node.intake.local_codes import propose_codes

        propose_codes(self._folder, by, self._lines.clock())

    def decide(self, decisions: Sequence[Decision]) -> tuple[LocalCode, ...]:
        """Take decisions, all or none. Raises ``BadRequest`` or ``IllegalMove``."""
        from xinglin.node.intake.local_codes import decide_codes

        changed, _logged = decide_codes(self._folder, decisions, self._lines.clock())
        self._mapped = None
        return changed


class LinkCalls:
    """The patient index: pairs under review and decisions on them. Opened with the node's own keys for each call."""

    def __init__(self, seat: Seat, lines: Lines) -> None:
        self._folder, self._lines = seat.folder, lines
        self._lock = threading.Lock()

    def counts(self) -> Counts:
        """How the index stands; numbers only."""
        with self._persons() as persons:
            return persons.store.counts()

    def pairs(self, state: str = "open", after: int = 0, limit: int = 20) -> tuple[Pair, ...]:
        """Pairs in a state, oldest first, both sides read."""
        with self._persons() as persons:
            return tuple(_pair(persons, one) for one in persons.store.reviews(state, after, limit))

    def reviews(self, state: str, limit: int) -> tuple[Review, ...]:
        """Pairs in a state, oldest first, as a list of them says: neither side is read."""
        with self._persons() as persons:
            return tuple(persons.store.reviews(state, 0, limit))

    def pair(self, number: int) -> Pair:
        """One pair; raises ``NotThere``."""
        with self._persons() as persons:
            for state in QUEUE:
                for one in persons.store.reviews(state, number - 1, 1):
                    if one.number == number:
                        return _pair(persons, one)
        raise NotThere("There is no such pair.", remedy="Go back to the list.")

    def decide(self, verb: str, number: int, by: str, why: str) -> Review:
        """Confirm, reject, defer or reopen a pair; what follows is written to the lake."""
        from xinglin.patients.deciding import Clerks

        deeds = {"confirm": Clerks.confirm, "reject": Clerks.reject, "defer": Clerks.defer, "reopen": Clerks.reopen}
        if verb not in deeds:
            raise NotThere("There is no such deed.")
        with self._persons() as persons:
            decided = deeds[verb](Clerks(persons.index), number, by, self._lines.clock(), why)
            persons.publish()
            return decided

    def unlink(self, record: str, by: str, why: str, other: str = "") -> tuple[str, ...]:
        """Part a record from its person; no rule links them again."""
        from xinglin.patients.deciding import Clerks

        with self._persons() as persons:
            parted = Clerks(persons.index).unlink(record, other, by, self._lines.clock(), why)
            persons.publish()
            return parted

    @contextmanager
    def _persons(self) -> Iterator[NodePersons]:
        from xinglin.node.intake.wiring import open_persons
        from xinglin.node.joining import open_node_keys
        from xinglin.node.settings import node_settings

        with self._lock:
            persons = open_persons(self._folder, node_settings(self._folder).settings, open_node_keys(self._folder))
            try:
                yield persons
            finally:
                persons.store.close()


def _pair(persons: NodePersons, review: Review) -> Pair:
    from xinglin.patients.folding import COLUMNS

    sides = [persons.store.record(key) for key in review.doubtful.pair]
    values = [side.state.values if side else (None,) * len(COLUMNS) for side in sides]
    fields = tuple(
        (name, mine, theirs)
        for name, mine, theirs in zip(COLUMNS, *values, strict=True)
        if mine is not None or theirs is not None
    )
    return Pair(review, fields)
