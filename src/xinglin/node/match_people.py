"""Whose lines of a file may take part in a matching: persons whom the hospital knows and whose choices allow the study.

1. Each line is looked for in the patient index, by its key (a record of the lake) and by its identity number; all
   records that the index says are of one person are one person, and what was said of one holds for all.
2. Who objected, or whose consent does not cover the use where the law pack asks for one, is left out.
3. A line that the index does not know is nobody whose choices could be looked up: it is left out, unless the hospital
   wrote ``unknown = "keep"`` into ``matching.toml``, which counts only where nobody has to consent.

Where the register cannot be read nothing is matched. How many were left out stays with the hospital.
"""

from __future__ import annotations

import contextlib
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from xinglin.kernel.verdict import deny
from xinglin.node.consent_held import HeldChoices
from xinglin.node.intake.persons import open_key
from xinglin.node.intake.wiring import known_consent_register
from xinglin.node.vault import Vault
from xinglin.patients.identity import parse_id
from xinglin.stores.patient_index import DATABASE_FILE, PatientStore
from xinglin.terms.consent import ConsentUse, PersonFilter, person_filter
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.errors import Refused

RULES_FILE = "matching.toml"
Unknown = Literal["leave-out", "keep"]
Row = tuple[str, str]
"""A line's key, and its identity number ("" where the file has none)."""
_CHUNK = 5_000


class Sifted(msgspec.Struct, frozen=True):
    """Which lines take part, in order, and how many do not: whose choices say no, and whom the index does not know."""

    keep: tuple[bool, ...]
    objected: int
    unknown: int

    def __repr__(self) -> str:
        return f"Sifted({len(self.keep)} lines)"


class Records(Protocol):
    """What the patient index knows of lines."""

    def of(self, rows: Sequence[Row]) -> list[tuple[frozenset[str], ...]]:
        """For each line the persons it may mean, each as every key under which that person's choices may stand.

        None: nobody that is known. Two: the key is one person's, the identity number another's; both are meant.
        """
        ...


class NoIndex:
    """A node that has no patient index: it knows nobody."""

    def of(self, rows: Sequence[Row]) -> list[tuple[frozenset[str], ...]]:
        """See the port."""
        return [()] * len(rows)


class IndexRecords:
    """The node's patient index."""

    def __init__(self, store: PatientStore) -> None:
        self._store = store
        self._person = {record: one.person for record, one in store.persons().items()}
        self._records: dict[str, set[str]] = defaultdict(set)
        for record, person in self._person.items():
            self._records[person].add(record)

    def of(self, rows: Sequence[Row]) -> list[tuple[frozenset[str], ...]]:
        """See the port."""
        found: list[tuple[frozenset[str], ...]] = []
        for at in range(0, len(rows), _CHUNK):
            part = [(key, _text(number)) for key, number in rows[at : at + _CHUNK]]
            with self._store.alone() as work:
                known = work.records([key for key, _ in part])
                sharing = work.sharing({text for _, text in part if text}, 1)
            for key, text in part:
                records = {key} & known.keys() | set(sharing.get(text, ()))
                found.append(tuple({self._together(one) for one in sorted(records)}))
        return found

    def persons(self) -> int:
        """How many distinct persons the index holds."""
        counts = self._store.counts()
        return counts.records - counts.records_linked + counts.persons_linked

    def _together(self, record: str) -> frozenset[str]:
        person = self._person.get(record)
        return frozenset({record}) if person is None else frozenset({record, person, *self._records[person]})


@contextlib.contextmanager
def open_records(folder: Path, keys: PrivateKeys) -> Iterator[IndexRecords | NoIndex]:
    """The patient index of ``folder``; one that knows nobody where there is none."""
    if not (folder / DATABASE_FILE).exists():
        yield NoIndex()
        return
    store = PatientStore.in_folder(folder, open_key(folder, Vault(keys)))
    try:
        yield IndexRecords(store)
    finally:
        store.close()


def persons_of(folder: Path, keys: PrivateKeys) -> int | None:
    """How many distinct persons the node's patient index holds; ``None`` where it has no index."""
    with open_records(folder, keys) as records:
        return records.persons() if isinstance(records, IndexRecords) else None


def sift(rows: Sequence[Row], allowed: PersonFilter, records: Records, unknown: Unknown) -> Sifted:
    """Who of ``rows`` takes part, by what their choices come to for one use (``allowed``)."""
    without, only = frozenset(allowed.without), None if allowed.only is None else frozenset(allowed.only)
    keep, objected, strangers = [], 0, 0
    for (key, _), persons in zip(rows, records.of(rows), strict=True):
        meant = persons or (frozenset({key}),)
        if any(one & without for one in meant):
            objected += 1
            keep.append(False)
        elif only is not None:
            consents = all(one & only for one in meant)
            strangers += not persons and not consents
            objected += bool(persons) and not consents
            keep.append(consents)
        else:
            strangers += not persons
            keep.append(bool(persons) or unknown == "keep")
    return Sifted(tuple(keep), objected, strangers)


def sifted(folder: Path, keys: PrivateKeys, rows: Sequence[Row], use: ConsentUse) -> Sifted:
    """The same, by the register and index of the node in ``folder``; one that cannot be read raises."""
    register = known_consent_register(folder)
    if register is None:
        allowed = person_filter((), use)
    else:
        try:
            allowed = HeldChoices(register).persons(register.last(), use)
        finally:
            register.close()
    with open_records(folder, keys) as records:
        return sift(rows, allowed, records, unknown_policy(folder))


def unknown_policy(folder: Path) -> Unknown:
    """What ``matching.toml`` says of lines that the patient index does not know; they are left out unless it does."""
    path = folder / RULES_FILE
    written = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    said = written.get("unknown", "leave-out")
    if said not in ("leave-out", "keep"):
        words = f"'unknown' in {RULES_FILE} is neither leave-out nor keep."
        raise Refused(deny("node.match_rules", words, "Write one of the two.").reasons)
    return "keep" if said == "keep" else "leave-out"


def some_left(found: Sifted) -> Sifted:
    """``found``, if anybody takes part; ``Refused`` otherwise, with what to do."""
    if any(found.keep):
        return found
    words = "Nobody of this file takes part: they objected, did not consent, or are not known here."
    remedy = f'Use the keys of the patient records; unknown = "keep" in {RULES_FILE} where nobody has to consent.'
    raise Refused(deny("node.match_nobody", words, remedy).reasons)


def _text(number: str) -> str:
    """The text under which the patient index finds an identity number."""
    parsed = parse_id(number)
    return "" if parsed is None or parsed.kind == "damaged" else f"id {parsed.kind} {parsed.number}"
