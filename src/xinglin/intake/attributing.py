"""Whose rows are these? Records that cannot be said of anybody are unread; those of erased persons are rejected."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from xinglin.catalogue.canonical_tables import CANONICAL_TABLES
from xinglin.intake.digests import person_digest, qualified
from xinglin.intake.model import ERASED_PERSON, Source
from xinglin.records.model import Turned, Unread

NO_ID = "intake.no_id"
NO_PATIENT = "intake.no_patient"
OTHER_TABLE = "intake.other_table"
_CANONICAL = frozenset(table.name for table in CANONICAL_TABLES)
_OF_PERSON = frozenset(table.name for table in CANONICAL_TABLES if table.of_person and table.name != "patient")
_WORDS = {
    NO_ID: "The record gives a fact without an id.",
    NO_PATIENT: "The record gives a fact about a person without saying about whom.",
    OTHER_TABLE: "The record gives a row of a table that its source may not fill.",
    ERASED_PERSON: "The record is about a person whose data was erased.",
}


class Attribution:
    """The rows of one part of an object of ``source``. ``erased``: digests of persons who were erased.

    ``numbers``: of the records by place; ``unread`` and ``rejects``: those that may not go in.
    """

    def __init__(self, key: bytes, source: Source, erased: frozenset[bytes]) -> None:
        self._key, self._source, self._erased = key, source, erased
        self._digests: dict[str, bytes] = {}
        self._verdicts: dict[str, str] = {}
        self.numbers: dict[str, int] = {}
        self.unread: list[Unread] = []
        self.rejects: list[Unread] = []
        self.unheard = 0

    @property
    def persons(self) -> set[bytes]:
        """Digests of everybody whom the part names."""
        return set(self._digests.values())

    def sort(self, given: list[Turned], records: Mapping[str, int]) -> list[Turned]:
        """The rows of records that may go in; ``records``: how many there are at a place, where it is not one."""
        for one in given:
            self._judge(one)
        for place, code in self._verdicts.items():
            held = [Unread(place, code, _WORDS[code])] * max(1, records.get(place, 0))
            (self.rejects if code == ERASED_PERSON else self.unread).extend(held)
        if not self._verdicts:
            return given
        return [one.only([(place or "") not in self._verdicts for place in one.column("place")]) for one in given]

    def hear(self, named: Iterable[tuple[str, frozenset[str]]], lost: Collection[str]) -> None:
        """Notes whom records without a row name, so that an erasure finds them; rejects those of erased persons.

        ``lost``: places of records that are quarantined already.
        """
        for place, persons in named:
            refused = {self._is_refused(person) for person in persons}
            if True in refused and place not in lost:
                self.rejects.append(Unread(place, ERASED_PERSON, _WORDS[ERASED_PERSON]))
                self.unheard += 1

    def _judge(self, rows: Turned) -> None:
        """Numbers the records and notes what speaks against one of them."""
        names, numbers = rows.columns, self.numbers
        places, ids = rows.column("place"), rows.column("id")
        for place in dict.fromkeys(places):
            if (place or "") not in numbers:
                numbers[place or ""] = len(numbers)
        of_person = rows.table in _OF_PERSON or (rows.table not in _CANONICAL and "patient" in names)
        persons: Sequence[Any] | None = None
        if of_person or rows.table == "patient":
            persons = rows.column("patient") if "patient" in names and of_person else ids
        nobody = of_person and "patient" not in names
        allowed = not self._source.tables or rows.table in self._source.tables
        if allowed and not nobody and self._all_right(ids, persons):
            return
        for at, (given, key) in enumerate(zip(places, ids, strict=True)):
            place = given or ""
            if not allowed:
                self._verdicts[place] = OTHER_TABLE
            elif not key:
                self._verdicts[place] = NO_ID
            elif persons is not None:
                self._see(None if nobody else persons[at], place)

    def _all_right(self, ids: Sequence[Any], persons: Sequence[Any] | None) -> bool:
        """Whether every row has an id, and a person who was not erased."""
        if not all(ids):
            return False
        named = set(persons) if persons is not None else ()
        return all(named) and not any(self._is_refused(person) for person in named)

    def _is_refused(self, person: str) -> bool:
        """Whether the person was erased; everybody asked about is noted."""
        digest = self._digests.get(person)
        if digest is None:
            digest = person_digest(self._key, qualified(self._source.namespace, person))
            self._digests[person] = digest
        return digest in self._erased and not self._source.takes_erased

    def _see(self, person: str | None, place: str) -> None:
        if not person:
            self._verdicts.setdefault(place, NO_PATIENT)
            return
        if self._is_refused(person):
            self._verdicts[place] = ERASED_PERSON
