"""The node's patient index: told of each batch, and of whom each fact is; its links go to the lake.

The index's database is the truth. A link is written there first, with a row for ``person_link`` under a number
without gap; the lake has the rows of a number under an application transaction of its own (``xinglin.patients``).
What a crash left between the two is published at the next start, and never twice. Each publication leaves an entry
of digests and counts for the log, as batches do; a crash may leave a second one with the same number and digest.
"""

from __future__ import annotations

import os
import tomllib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from xinglin.intake.digests import person_digest
from xinglin.intake.erasing import Erasable, FoundPersons
from xinglin.intake.ports import Tables
from xinglin.kernel.canonical import sha256_digest
from xinglin.kernel.instants import Clock, Instant, system_clock
from xinglin.lake.current import PATIENT, PERSON_LINK
from xinglin.lake.delta import Lake
from xinglin.node.vault import Vault
from xinglin.patients.crosswalk import read_crosswalk
from xinglin.patients.deciding import Clerks
from xinglin.patients.errors import BadPolicy
from xinglin.patients.folding import COLUMNS, PLACES, Version
from xinglin.patients.forgetting import forget_texts
from xinglin.patients.index import PatientIndex, Taken
from xinglin.patients.linkage import match
from xinglin.patients.model import Policy, Publication
from xinglin.patients.traits import traits_of
from xinglin.stores.patient_index import KEY_BYTES, PatientStore
from xinglin.stores.tls import write_private

if TYPE_CHECKING:
    import pyarrow as pa

APP_ID = "xinglin.patients"
"""The application whose transactions are publications of the patient index."""
KEY_FILE = "patients-key.sealed"
POLICY_FILE = "patients.toml"
TABLE = "patient"
_KNOWN_BY = "Patient/i-"
_DATE, _PRECISION = "birth_date", "birth_date_precision"
_SYSTEM = (PATIENT, "id", "version_at", "partial", "cleared", "recorded_at", "batch", "message", "place")
_LENGTHS = {"year": 4, "month": 7}
_CHUNK = 20_000


def open_key(folder: Path, vault: Vault) -> bytes:
    """The key of the index of ``folder``, drawn at the first call, sealed under the node's own keys."""
    path = folder / KEY_FILE
    try:
        return vault.open(path.read_bytes())
    except FileNotFoundError:
        key = os.urandom(KEY_BYTES)
        write_private(path, vault.seal(key))
        return key


def read_policy(folder: Path) -> Policy:
    """What the hospital decided in ``patients.toml``; the defaults where there is no such file.

    Raises ``BadPolicy`` for a file that says something else.
    """
    try:
        text = (folder / POLICY_FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return Policy()
    try:
        return msgspec.convert(tomllib.loads(text), Policy)
    except (msgspec.ValidationError, tomllib.TOMLDecodeError) as error:
        raise BadPolicy(f"{POLICY_FILE} cannot be read.", why=str(error), remedy="See docs/patients.md.") from error


class Outbox(Protocol):
    """Of the intake's ledger, what waits for the log: the node posts it as it posts the entries of batches."""

    def key(self) -> bytes:
        """32 secret bytes under which persons are digested."""
        ...

    def tell(self, kind: str, subject: str, at: Instant, values: Mapping[str, Any]) -> None:
        """Put an entry of digests and counts into the outbox."""
        ...


class NodePersons:
    """Port ``intake.Persons`` over one index and one lake. ``outbox``: where its publications leave their entries."""

    def __init__(
        self,
        store: PatientStore,
        lake: Lake,
        policy: Policy | None = None,
        clock: Clock = system_clock,
        outbox: Outbox | None = None,
    ) -> None:
        self.store, self.index = store, PatientIndex(store, policy)
        self._lake, self._clock, self._outbox = lake, clock, outbox

    def took(self, batch: int, patients: Any) -> None:
        """See the port."""
        versions = versions_of(patients)
        self.index.take(versions, max((one.stamp[1] for one in versions), default=0) or self._clock())
        self.publish()

    def met(self, tables: Mapping[str, Any], at: Instant | None = None) -> None:
        """Facts whose patient is named by a number alone: whoever has that number is meant."""
        named = {key for table in tables.values() for key in named_by_number(table)}
        if named:
            self.index.meet(named, self._clock() if at is None else at)
            self.publish()

    def publish(self) -> int:
        """Write what waits to the lake, in order; how many publications. Done again after a crash, it writes none
        twice. Raises ``LakeError``: then it still waits."""
        with self.store.alone() as work:
            waiting = work.waiting()
            for one in waiting:
                if one.rows:
                    self._lake.append_batch(one.number, {PERSON_LINK: link_rows(one)}, app_id=APP_ID)
                    self._tell(one)
                work.published(one.number)
        return len(waiting)

    def _tell(self, publication: Publication) -> None:
        if self._outbox is not None:
            told = told_links(self._outbox.key(), publication)
            self._outbox.tell("change", told["what"], publication.at, told)

    def catch_up(self) -> Taken:
        """Take everything that the lake has and the index perhaps has not (a lake older than its index); idempotent."""
        records = changed = rows = 0
        for name in self._lake.names():
            if name == TABLE:
                for part in self._parts(name):
                    done = self.index.take(versions_of(part), self._clock())
                    records, changed, rows = records + done.records, changed + done.changed, rows + done.rows
            elif name != PERSON_LINK:
                for part in self._parts(name, (PATIENT,)):
                    self.met({name: part})
        self.publish()
        return Taken(records, changed, rows)

    def match(self) -> Found:
        """Take what is missing, then look for probable matches among all records and put them under review.

        Raises ``NoLinkage`` without splink: what is certain is linked all the same.
        """
        taken = self.catch_up()
        policy = self.index.policy
        found = match((traits_of(one.key, one.since, one.state) for one in self.store.records()), policy.lower)
        opened = Clerks(self.index).propose(found.links, self._clock())
        self.publish()
        return Found(taken, found.records, found.trained, len(found.links), opened)

    def import_index(self, body: bytes, index: str, by: str) -> Taken:
        """Import the hospital's master index (``crosswalk``). Raises ``BadCrosswalk``."""
        done = self.index.name(read_crosswalk(body), index, self._clock(), by)
        self.publish()
        return done

    def forget(self, persons: Collection[str], keys: Collection[str] = ()) -> int:
        """Erase persons (as current views show them, or records of theirs) from the index; how many records."""
        with self.store.alone() as work:
            gone = work.members(persons) | set(keys)
        self.store.forget(gone)
        forget_texts()
        return len(gone)

    def _parts(self, name: str, columns: Sequence[str] = ()) -> Iterator[Any]:
        dataset: Any = self._lake.open(name).to_pyarrow_dataset()
        wanted = [c for c in (columns or (*_SYSTEM, *COLUMNS, _PRECISION)) if c in dataset.schema.names]
        if not columns or wanted:
            yield from dataset.to_batches(columns=wanted, batch_size=_CHUNK)


class Found(msgspec.Struct, frozen=True):
    """What a matching did: what was taken before it, records compared, whether the model learned from them,
    pairs at least as probable as the policy's ``lower``, pairs newly under review."""

    taken: Taken
    records: int
    trained: bool
    pairs: int
    opened: int


class WatchedTables:
    """The lake as the intake writes it (port ``intake.Tables``): the index hears whom a batch's facts are of."""

    def __init__(self, tables: Tables, persons: NodePersons) -> None:
        self._tables, self._persons = tables, persons

    def append_batch(self, batch: int, tables: Mapping[str, Any]) -> dict[str, int]:
        """See the port."""
        versions = self._tables.append_batch(batch, tables)
        self._persons.met(tables)
        return versions


class ErasableIndex:
    """The lake and the index as an erasure sees them (port ``intake.Erasable``)."""

    def __init__(self, lake: Erasable, persons: NodePersons) -> None:
        self._lake, self._persons = lake, persons

    def find(self, persons: Sequence[str]) -> FoundPersons:
        """See the port."""
        found = self._lake.find(persons)
        with self._persons.store.alone() as work:
            keys = work.members(persons)
        return FoundPersons(tuple(sorted({*found.keys, *keys})), found.messages)

    def erase(self, persons: Sequence[str]) -> dict[str, int]:
        """See the port: the index first, so that it publishes nothing of theirs meanwhile."""
        self._persons.forget(persons, self._lake.find(persons).keys)
        return self._lake.erase(persons)


def told_links(key: bytes, publication: Publication) -> dict[str, Any]:
    """What the log's entry of a publication commits to: its number, a digest of its rows, links by rule, counts.

    Guarantee: persons are in it as digests under ``key`` alone, so that nobody tries names with it.
    """
    rows = publication.rows
    digests = [
        person_digest(key, one.patient) + (person_digest(key, one.person) if one.person else b"") for one in rows
    ]
    rules = Counter(one.reason.partition(":")[0].partition(" ")[0] for one in rows if one.person)
    what = sha256_digest(publication.number.to_bytes(8, "big") + b"\x00".join(digests))
    linked = sum(bool(one.person) for one in rows)
    told = {"what": what, "publication": publication.number, "linked": linked, "unlinked": len(rows) - linked}
    return {**told, "rules": dict(rules)}


def link_rows(publication: Publication) -> pa.Table:
    """Rows of ``person_link``; a record that is of a person of its own has none."""
    import pyarrow as pa

    instants = pa.array([publication.at * 1000] * len(publication.rows), pa.timestamp("us", tz="UTC"))
    return pa.table(
        {
            PATIENT: pa.array([one.patient for one in publication.rows], pa.string()),
            "person": pa.array([one.person or None for one in publication.rows], pa.string()),
            "version_at": instants,
            "recorded_at": instants,
            "reason": pa.array([one.reason for one in publication.rows], pa.string()),
        }
    )


def named_by_number(table: Any) -> set[str]:
    """Keys in the column ``patient`` that name a person by a business number (``Patient/i-…``)."""
    import pyarrow.compute as pc

    if PATIENT not in table.schema.names:
        return set()
    keys = pc.unique(table.column(PATIENT))
    return set(keys.filter(pc.fill_null(pc.match_substring(keys, _KNOWN_BY), False)).to_pylist())


def versions_of(patients: Any) -> list[Version]:
    """Arrow rows of ``patient`` (a table or a batch of rows) as the index takes them; rows of nobody are left out."""
    import pyarrow as pa

    table = pa.Table.from_batches([patients]) if isinstance(patients, pa.RecordBatch) else patients
    given = set(table.schema.names)
    nothing = [None] * table.num_rows

    def column(name: str) -> list[Any]:
        if name not in given:
            return nothing
        found = table.column(name)
        return list(_milliseconds(found) if pa.types.is_timestamp(found.type) else found.to_pylist())

    system = zip(*(column(name) for name in _SYSTEM), strict=True)
    values = zip(*(_births(column) if name == _DATE else column(name) for name in COLUMNS), strict=True)
    return list(_versions(system, values))


def _versions(system: Iterable[tuple[Any, ...]], values: Iterable[tuple[Any, ...]]) -> Iterator[Version]:
    for (patient, fact, version_at, partial, cleared, recorded_at, batch, message, place), row in zip(
        system, values, strict=True
    ):
        key = patient or fact
        if key is None:
            continue
        oldest = -(2**61)
        stamp = (
            oldest if version_at is None else version_at,
            recorded_at or 0,
            batch or 0,
            len(place or ""),
            place or "",
            message or "",
        )
        empties = tuple(PLACES[name] for name in cleared.split() if name in PLACES) if cleared else ()
        yield Version(key, stamp, bool(partial), empties, row)


def _births(column: Any) -> list[str | None]:
    """Birth dates as text, as far as they are known."""
    return [
        None if day is None else day.isoformat()[: _LENGTHS.get(precision, 10)]
        for day, precision in zip(column(_DATE), column(_PRECISION), strict=True)
    ]


def _milliseconds(column: Any) -> list[int | None]:
    import pyarrow as pa
    import pyarrow.compute as pc

    return list(pc.cast(pc.cast(column, pa.timestamp("ms", tz="UTC"), safe=False), pa.int64()).to_pylist())
