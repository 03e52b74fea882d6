"""The intake's ledger (port ``intake.Ledger``): what became of each object and record."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import URL, Executable

from xinglin.evidence.commitments import derive_salt
from xinglin.intake.digests import SIZE_BYTES
from xinglin.intake.errors import BadSource, LedgerMoved
from xinglin.intake.model import (
    BATCH_STATES,
    OBJECT_STATES,
    SOURCES,
    BatchState,
    ObjectRow,
    OutboxEntry,
    Part,
    Plan,
    Position,
    Source,
    SourceVersion,
    Tally,
)
from xinglin.intake.ports import Judged
from xinglin.kernel.canonical import sha256_digest
from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.instants import Instant
from xinglin.records.model import Unread
from xinglin.stores import intake_tables as sql
from xinglin.stores.database import Database, Row, Work, sqlite_url
from xinglin.stores.intake_judging import judge, split

KEY_BYTES = 32
_ROWS = dict[str, tuple[bytes, bytes]]


class IntakeLedger:
    """SQLite in the node's folder, or PostgreSQL by URL; every write is durable when its call returns.

    Guarantee: at most one batch is planned and not committed; batch numbers have no gap; a batch's objects,
    records, quarantine and evidence entry change in one write.
    """

    def __init__(
        self,
        url: str | URL,
        *,
        schema: str = sql.SCHEMA,
        entropy: Callable[[int], bytes] = os.urandom,
        accept_loss: bool = False,
    ) -> None:
        self.database = Database(url, schema)
        self.database.install(sql.meta, sql.SCHEMA_VERSION, accept_loss=accept_loss)
        self._is_sqlite = self.database.is_sqlite
        if self.database.one(sql.SECRET, key="key") is None:
            self.database.write(sql.PUT_SECRET, name="key", value=entropy(KEY_BYTES))
        (secret,) = self.database.rows(sql.SECRET, key="key")
        self._key = bytes(secret["value"])

    @classmethod
    def in_folder(cls, folder: Path) -> IntakeLedger:
        """The database file ``intake.db`` in ``folder``."""
        return cls(sqlite_url(folder / "intake.db"))

    def close(self) -> None:
        """Close every connection."""
        self.database.close()

    def key(self) -> bytes:
        """See the port."""
        return self._key

    # --- sources -----------------------------------------------------------------------------

    def register(self, source: Source, at: Instant) -> SourceVersion:
        """See the port."""
        if not source.name or len(source.name) > 128 or not source.name.isprintable():
            raise BadSource("A source's name has 1 to 128 printable characters.")
        with self.database.alone() as work:
            found = work.one(sql.SOURCE_NOW, key=source.name)
            before = _source_version(found) if found else None
            if before is not None and before.source == source:
                return before
            if before is not None and before.source.tenant != source.tenant:
                raise BadSource("A source does not change hands.", remedy="Register it under another name.")
            if before is None:
                SOURCES.check(len(work.rows(sql.SOURCES)) + 1)
            following = SourceVersion(source, before.version + 1 if before else 1, at)
            work.write(sql.ADD_SOURCE, name=source.name, version=following.version, at=at, value=encode_msgpack(source))
            if before is None or before.source.mapping_digest() != source.mapping_digest():
                values = {"source": source.digest(), "mapping": source.mapping_digest(), "version": following.version}
                _tell(work, "change", source.digest(), at, values)
            return following

    def source(self, name: str, version: int = 0) -> SourceVersion | None:
        """See the port."""
        if version:
            found = self.database.one(sql.SOURCE_THEN, key=name, then=version)
        else:
            found = self.database.one(sql.SOURCE_NOW, key=name)
        return _source_version(found) if found else None

    def sources(self) -> tuple[SourceVersion, ...]:
        """See the port."""
        return tuple(map(_source_version, self.database.rows(sql.SOURCES)))

    def versions_of(self, name: str) -> tuple[SourceVersion, ...]:
        """Every version of a source, oldest first."""
        return tuple(map(_source_version, self.database.rows(sql.SOURCE_VERSIONS, key=name)))

    # --- batches -----------------------------------------------------------------------------

    def position(self) -> Position:
        """See the port."""
        found = self.database.one(sql.POSITION)
        return Position(found["sequence"], found["parts"]) if found else Position()

    def unfinished(self) -> BatchState | None:
        """See the port."""
        found = self.database.one(sql.OPEN_BATCH)
        return _batch_state(found) if found else None

    def batch(self, number: int) -> BatchState | None:
        """See the port."""
        found = self.database.one(sql.BATCH, key=number)
        return _batch_state(found) if found else None

    def next_batch(self, now: Instant) -> tuple[int, Instant]:
        """See the port."""
        last = self.database.one(sql.LAST_BATCH)
        if last is None:
            return 1, now
        return last["number"] + 1, max(now, last["recorded_at"] + 1, last["committed_at"] + 1)

    def judge(self, batch: int, rows: Mapping[str, tuple[bytes, bytes]], *, planned: bool) -> Judged:
        """See the port.

        The answer is the same before and after ``plan``.
        """
        return judge(rows, lambda facts: self._known(facts, batch if planned else -1))

    def _known(self, facts: bytes, batch: int) -> dict[bytes, bytes]:
        """Contents that the ledger has of these facts, but for what ``batch`` itself put there."""
        known: dict[bytes, bytes] = {}
        for rows in self._chunks(facts, sql.FIND_SQLITE, sql.FIND_POSTGRES):
            known.update((bytes(row["fact"]), bytes(row["content"])) for row in rows if row["batch"] != batch)
        return known

    def _chunks(self, facts: bytes, sqlite: Executable, postgres: Executable) -> Iterator[list[Row]]:
        """What a statement finds of these facts, many at a time."""
        for chunk in _cut(facts):
            yield self.database.rows(sqlite if self._is_sqlite else postgres, facts=self._given(chunk))

    def _given(self, joined: bytes) -> bytes | list[bytes]:
        """Digests as a statement takes them."""
        return joined if self._is_sqlite else split(joined)

    def plan(self, plan: Plan, fresh: tuple[bytes, bytes], persons: Mapping[int, Iterable[bytes]]) -> None:
        """See the port."""
        tally = plan.tally
        with self.database.alone() as work:
            last = work.one(sql.LAST_BATCH)
            if work.rows(sql.OPEN_BATCH) or (last["number"] if last else 0) != plan.number - 1:
                raise LedgerMoved("Another worker planned a batch.", remedy="Run one worker a ledger.")
            work.write(
                sql.ADD_BATCH,
                number=plan.number,
                state=BATCH_STATES.start,
                recorded_at=plan.recorded_at,
                committed_at=0,
                plan=encode_msgpack(plan),
                versions=encode_msgpack({}),
                objects=sum(part.last for part in plan.parts),
                **msgspec.structs.asdict(tally),
            )
            self._remember(work, plan.number, fresh)
            people = [{"person": one, "sequence": at} for at, found in sorted(persons.items()) for one in sorted(found)]
            work.write_many(sql.ADD_PERSON, people)
            if plan.kind == "new" and plan.parts:
                work.write(sql.PUT_POSITION, name="new", **_behind(plan.parts[-1]))

    def _remember(self, work: Work, batch: int, fresh: tuple[bytes, bytes]) -> None:
        # They come in the order of the index, which writes each of its pages once.
        for facts, contents in zip(_cut(fresh[0]), _cut(fresh[1]), strict=True):
            statement = sql.PUT_SQLITE if self._is_sqlite else sql.PUT_POSTGRES
            work.write(statement, facts=self._given(facts), contents=self._given(contents), batch=batch)

    def written(self, batch: int, versions: Mapping[str, int]) -> None:
        """See the port."""
        with self.database.alone() as work:
            state = _open_batch(work, batch)
            then = BATCH_STATES.move(state.state, "write")
            work.write(sql.WRITTEN, key=batch, then=then, found=encode_msgpack(dict(versions)))

    def committed(self, batch: int, at: Instant) -> BatchState:
        """See the port."""
        with self.database.alone() as work:
            state = _open_batch(work, batch)
            then = BATCH_STATES.move(state.state, "commit")
            settled = max(at, state.plan.recorded_at)
            for part in state.plan.parts:
                if part.again and part.number == 0:
                    work.write(sql.EMPTY_OBJECT, key=part.sequence)
                    work.write(sql.RESOLVE, key=part.sequence, by=batch)
            work.write_many(sql.PUT_OBJECT, (_row_of(part, batch, settled) for part in state.plan.parts))
            work.write_many(sql.ADD_HELD, (row for part in state.plan.parts for row in _held_rows(part, settled)))
            kept = msgspec.structs.replace(state.plan, taken_back={})
            work.write(sql.COMMITTED, key=batch, then=then, instant=settled, kept=encode_msgpack(kept))
            _tell(work, "intake", state.plan.digest, settled, _told(state.plan), batch)
        return msgspec.structs.replace(state, state=then, committed_at=settled)

    # --- what is read again --------------------------------------------------------------------

    def interrupted(self) -> tuple[int, ...]:
        """See the port."""
        return tuple(row["sequence"] for row in self.database.rows(sql.INTERRUPTED))

    def held_objects(self, after: int, limit: int, *, source: str = "", code: str = "") -> tuple[int, ...]:
        """See the port."""
        statement, values = sql.held_objects(source, code)
        return tuple(row["sequence"] for row in self.database.rows(statement, after=after, limit=limit, **values))

    def objects_of(self, source: str, after: int, limit: int) -> tuple[ObjectRow, ...]:
        """See the port."""
        return tuple(map(_object_of, self.database.rows(sql.OBJECTS_OF, key=source, after=after, limit=limit)))

    def newest_of(self, source: str, limit: int) -> tuple[ObjectRow, ...]:
        """A source's objects, newest first."""
        return tuple(map(_object_of, self.database.rows(sql.NEWEST_OF, key=source, limit=limit)))

    def object_at(self, sequence: int) -> ObjectRow | None:
        """See the port."""
        found = self.database.one(sql.OBJECT_AT, key=sequence)
        return _object_of(found) if found else None

    def erased(self) -> frozenset[bytes]:
        """See the port."""
        return frozenset(bytes(row["person"]) for row in self.database.rows(sql.ERASED))

    def start_remap(self) -> None:
        """See the port."""
        self.database.write(sql.FORGET_ARISING)

    def arise(self, names: bytes) -> None:
        """See the port."""
        with self.database.alone() as work:
            work.write_many(sql.MARK_ARISING, ({"fact": name} for name in sorted(set(split(names)))))

    def arisen(self, names: Sequence[bytes]) -> set[bytes]:
        """See the port."""
        found: set[bytes] = set()
        for rows in self._chunks(b"".join(names), sql.FIND_ARISING_SQLITE, sql.FIND_ARISING_POSTGRES):
            found.update(bytes(row["fact"]) for row in rows)
        return found

    def unknow(self, facts: Iterable[bytes]) -> None:
        """See the port."""
        with self.database.alone() as work:
            work.write_many(sql.DROP_RECORD, ({"key": fact} for fact in facts))

    # --- erasure -------------------------------------------------------------------------------

    def mark_erased(self, persons: Collection[bytes], at: Instant) -> None:
        """See the port."""
        with self.database.alone() as work:
            work.write_many(sql.ADD_ERASED, ({"person": one, "at": at} for one in sorted(persons)))

    def objects_about(self, persons: Collection[bytes]) -> tuple[ObjectRow, ...]:
        """See the port."""
        found = {
            row["sequence"]: _object_of(row)
            for one in sorted(persons)
            for row in self.database.rows(sql.PERSON_OBJECTS, key=one)
            if row["state"] != "erased"
        }
        return tuple(found[sequence] for sequence in sorted(found))

    def object(self, digest: str) -> ObjectRow | None:
        """See the port."""
        found = self.database.one(sql.OBJECT, key=digest)
        return _object_of(found) if found else None

    def forget_objects(
        self,
        objects: Sequence[ObjectRow],
        persons: Collection[bytes],
        moved: Mapping[str, str],
        at: Instant,
        told: Mapping[str, int],
    ) -> None:
        """See the port."""
        digest = sha256_digest(b"".join(sorted(persons)) + "".join(one.digest for one in objects).encode())
        with self.database.alone() as work:
            for one in objects:
                OBJECT_STATES.move(one.state, "erase")
                work.write(sql.ERASE_OBJECT, key=one.sequence, instant=at)
                work.write(sql.DROP_HELD, key=one.sequence)
                work.write(sql.DROP_PERSONS_OF, key=one.sequence)
            for old, new in moved.items():
                work.write(sql.PUT_LINEAGE, old=old, new=new, at=at)
            for one_person in persons:
                work.write(sql.DROP_PERSON, key=one_person)
            _tell(work, "erasure", digest, at, {"what": digest, **told})

    # --- evidence ----------------------------------------------------------------------------

    def outbox(self, limit: int = 100) -> tuple[OutboxEntry, ...]:
        """See the port."""
        return tuple(self._entry(row) for row in self.database.rows(sql.OUTBOX, limit=limit))

    def logged(self, number: int, index: int) -> None:
        """See the port."""
        with self.database.alone() as work:
            entry = work.one(sql.OUTBOX_ONE, key=number)
            if entry is None or entry["index"] >= 0:
                return
            work.write(sql.LOGGED, key=number, place=index)
            if entry["batch"]:
                (batch,) = work.rows(sql.BATCH, key=entry["batch"])
                work.write(sql.MOVE_BATCH, key=entry["batch"], then=BATCH_STATES.move(batch["state"], "log"))

    def tell(self, kind: str, subject: str, at: Instant, values: Mapping[str, Any]) -> None:
        """Put an entry of digests and counts into the outbox."""
        with self.database.alone() as work:
            _tell(work, kind, subject, at, values)

    def _entry(self, row: Row) -> OutboxEntry:
        salt = derive_salt(self._key, f"outbox {row['number']}")
        values = msgspec.msgpack.decode(row["values"])
        return OutboxEntry(row["number"], row["kind"], row["subject"], row["at"], salt, values, row["batch"])


def _object_of(row: Row) -> ObjectRow:
    """A row of the table of objects."""
    tally = Tally(**{name: row[name] for name in sql.COUNT_NAMES})
    return ObjectRow(tally=tally, **{name: value for name, value in row.items() if name not in sql.COUNT_NAMES})


def _cut(digests: bytes) -> list[bytes]:
    """As many as one statement is given."""
    size = sql.FACTS_AT_ONCE * SIZE_BYTES
    return [digests[start : start + size] for start in range(0, len(digests), size)]


def _source_version(row: Row) -> SourceVersion:
    return SourceVersion(decode_msgpack(row["value"], Source), row["version"], row["at"])


def _batch_state(row: Row) -> BatchState:
    versions = msgspec.msgpack.decode(row["versions"], type=dict[str, int])
    return BatchState(decode_msgpack(row["plan"], Plan), row["state"], versions, row["committed_at"])


def _open_batch(work: Work, batch: int) -> BatchState:
    found = work.one(sql.BATCH, key=batch)
    if found is None:
        raise LedgerMoved("The batch is not in the ledger.", remedy="Run xinglin doctor.")
    return _batch_state(found)


def _behind(part: Part) -> Row:
    if part.last:
        return {"sequence": part.sequence, "parts": 0}
    return {"sequence": part.sequence - 1, "parts": part.number + 1}


def _row_of(part: Part, batch: int, settled: Instant) -> Row:
    tally = msgspec.structs.replace(part.tally, repeated=0) if part.again else part.tally
    return {
        "sequence": part.sequence,
        "digest": part.digest,
        "source": part.source,
        "media_type": part.media_type,
        "received_at": part.received_at,
        "day": part.day,
        "size_bytes": part.size_bytes,
        "version": part.version,
        "state": part.outcome if part.last else "read",
        "code": part.code,
        "parts": part.number + 1,
        "batch": batch,
        "settled_at": settled,
        **msgspec.structs.asdict(tally),
    }


def _held_rows(part: Part, at: Instant) -> Iterable[Row]:
    def row(one: Unread, outcome: str) -> Row:
        return {
            "digest": part.digest,
            "sequence": part.sequence,
            "source": part.source,
            "version": part.version,
            "place": one.place,
            "code": one.code,
            "words": one.words,
            "outcome": outcome,
            "at": at,
            "resolved": 0,
        }

    yield from (row(one, "quarantined") for one in part.unread)
    yield from (row(one, "rejected") for one in part.rejects)


def _told(plan: Plan) -> dict[str, Any]:
    objects = sha256_digest("\n".join(f"{part.digest} {part.number}" for part in plan.parts).encode())
    counts = msgspec.structs.asdict(plan.tally)
    return {"batch": plan.number, "objects": objects, "rows": plan.digest, "tables": dict(plan.rows), "records": counts}


def _tell(work: Work, kind: str, subject: str, at: Instant, values: Mapping[str, Any], batch: int = 0) -> None:
    work.write(sql.ADD_OUTBOX, kind=kind, subject=subject, at=at, values=msgspec.msgpack.encode(values), batch=batch)
