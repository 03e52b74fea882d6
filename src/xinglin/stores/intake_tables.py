"""Tables and statements of the intake's ledger."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Index,
    MetaData,
    Table,
    bindparam,
    delete,
    func,
    insert,
    select,
    text,
    update,
)

from xinglin.intake.digests import SIZE_BYTES
from xinglin.stores.columns import counter, number, octets, words
from xinglin.stores.database import insert_or

SCHEMA_VERSION = 1
SCHEMA = "xinglin_intake"
"""Where the tables lie in PostgreSQL, unless the URL or the role sets a search path."""

meta = MetaData()
_counts = ("received", "accepted", "repeated", "ignored", "quarantined", "rejected")

secret = Table(
    "secret",
    meta,
    words("name", key=True),
    octets("value"),
)
position = Table(
    "position",
    meta,
    words("name", key=True),
    number("sequence"),
    number("parts"),
)
source = Table(
    "source",
    meta,
    words("name", key=True),
    number("version", key=True),
    number("at"),
    octets("value"),
)
batch = Table(
    "batch",
    meta,
    number("number", key=True),
    words("state"),
    number("recorded_at"),
    number("committed_at"),
    octets("plan"),
    octets("versions"),
    number("objects"),
    *(number(name) for name in _counts),
    Index("batch_open", "number", sqlite_where=text("state IN ('planned', 'written')")),
)
object_ = Table(
    "object",
    meta,
    number("sequence", key=True),
    words("digest", unique=True),
    words("source"),
    words("media_type"),
    number("received_at"),
    words("day"),
    number("size_bytes"),
    number("version"),
    words("state"),
    words("code"),
    number("parts"),
    number("batch", index=True),
    number("settled_at"),
    *(number(name) for name in _counts),
    Index("object_source_day", "source", "day"),
)
record = Table(
    "record",
    meta,
    octets("fact", key=True),
    octets("content"),
    number("batch"),
    sqlite_with_rowid=False,
)
person = Table(
    "person",
    meta,
    octets("person", key=True),
    number("sequence", key=True, index=True),
    sqlite_with_rowid=False,
)
erased = Table(
    "erased",
    meta,
    octets("person", key=True),
    number("at"),
)
held = Table(
    "held",
    meta,
    counter("id"),
    words("digest"),
    number("sequence", index=True),
    words("source"),
    number("version"),
    words("place"),
    words("code"),
    words("words"),
    words("outcome"),
    number("at"),
    number("resolved"),
    Index("held_open", "resolved", "code", "source"),
)
outbox = Table(
    "outbox",
    meta,
    counter("number"),
    words("kind"),
    words("subject"),
    number("at"),
    octets("values"),
    number("batch"),
    number("index", index=True),
)
arising = Table(
    "arising",
    meta,
    octets("fact", key=True),
    sqlite_with_rowid=False,
)
lineage = Table(
    "lineage",
    meta,
    words("old", key=True),
    words("new"),
    number("at"),
)

FACTS_AT_ONCE = 50_000
"""Digests that one statement is given."""
# SQLite is given many digests as one value, and takes it apart: cheaper than a value, or a statement, for each.
_PLACES = (
    "WITH RECURSIVE place(at) AS (SELECT 1 WHERE length(:facts) > 0 "  # noqa: S608 (numbers of ours)
    f"UNION ALL SELECT at + {SIZE_BYTES} FROM place WHERE at + {SIZE_BYTES} <= length(:facts)) "
)
_FACT = f"substr(:facts, place.at, {SIZE_BYTES})"

PUT_SECRET = insert_or(secret, "name", replace=False)
SECRET = select(secret.c.value).where(secret.c.name == bindparam("key"))
PUT_POSITION = insert_or(position, "name", replace=True)
POSITION = select(position.c.sequence, position.c.parts).where(position.c.name == "new")
ADD_SOURCE = insert(source)
SOURCE_NOW = (
    select(source.c.version, source.c.at, source.c.value)
    .where(source.c.name == bindparam("key"))
    .order_by(source.c.version.desc())
    .limit(1)
)
SOURCE_THEN = select(source.c.version, source.c.at, source.c.value).where(
    (source.c.name == bindparam("key")) & (source.c.version == bindparam("then"))
)
_newest = select(source.c.name, func.max(source.c.version).label("version")).group_by(source.c.name).subquery()
SOURCES = (
    select(source.c.version, source.c.at, source.c.value)
    .join(_newest, (source.c.name == _newest.c.name) & (source.c.version == _newest.c.version))
    .order_by(source.c.name)
)
SOURCE_VERSIONS = (
    select(source.c.version, source.c.at, source.c.value)
    .where(source.c.name == bindparam("key"))
    .order_by(source.c.version)
)
ADD_BATCH = insert(batch)
BATCH = select(batch).where(batch.c.number == bindparam("key"))
LAST_BATCH = select(batch.c.number, batch.c.recorded_at, batch.c.committed_at).order_by(batch.c.number.desc()).limit(1)
OPEN_BATCH = (
    select(batch).where((batch.c.state == "planned") | (batch.c.state == "written")).order_by(batch.c.number).limit(1)
)
MOVE_BATCH = update(batch).where(batch.c.number == bindparam("key")).values(state=bindparam("then"))
WRITTEN = MOVE_BATCH.values(versions=bindparam("found"))
COMMITTED = MOVE_BATCH.values(committed_at=bindparam("instant"), plan=bindparam("kept"))
FIND_SQLITE = text(
    f"{_PLACES}SELECT fact, content, batch FROM place CROSS JOIN record ON record.fact = {_FACT}"  # noqa: S608 (ours)
)
FIND_POSTGRES = text("SELECT fact, content, batch FROM record WHERE fact = ANY(:facts)")
_changed = "ON CONFLICT (fact) DO UPDATE SET content = excluded.content, batch = excluded.batch"
PUT_SQLITE = text(
    f"{_PLACES}INSERT INTO record (fact, content, batch) SELECT {_FACT}, "  # noqa: S608 (names of ours)
    f"substr(:contents, place.at, {SIZE_BYTES}), :batch FROM place WHERE true {_changed}"
)
PUT_POSTGRES = text(
    "INSERT INTO record (fact, content, batch) SELECT unnest(CAST(:facts AS bytea[])), "
    f"unnest(CAST(:contents AS bytea[])), CAST(:batch AS bigint) {_changed}"
)
ADD_PERSON = text("INSERT INTO person (person, sequence) VALUES (:person, :sequence) ON CONFLICT DO NOTHING")
_columns = [column.name for column in object_.columns]
_added = ", ".join(f'"{name}" = object."{name}" + excluded."{name}"' for name in _counts)
_set = ", ".join(
    f'"{name}" = excluded."{name}"' for name in ("version", "state", "code", "parts", "batch", "settled_at")
)
PUT_OBJECT = text(
    "INSERT INTO object ({}) VALUES ({}) ON CONFLICT (sequence) DO UPDATE SET {}, {}".format(  # noqa: S608 (names of ours)
        ", ".join(f'"{n}"' for n in _columns), ", ".join(f":{n}" for n in _columns), _set, _added
    )
)
EMPTY_OBJECT = (
    update(object_)
    .where(object_.c.sequence == bindparam("key"))
    .values(received=0, accepted=0, ignored=0, quarantined=0, rejected=0)
)
RESOLVE = (
    update(held).where((held.c.sequence == bindparam("key")) & (held.c.resolved == 0)).values(resolved=bindparam("by"))
)
HELD_NAMES = ("digest", "sequence", "source", "version", "place", "code", "words", "outcome", "at", "resolved")
ADD_HELD = text(
    "INSERT INTO held ({}) VALUES ({})".format(  # noqa: S608 (names of ours)
        ", ".join(f'"{n}"' for n in HELD_NAMES), ", ".join(f":{n}" for n in HELD_NAMES)
    )
)
ADD_OUTBOX = text(
    'INSERT INTO outbox (kind, subject, at, "values", batch, "index") '
    "VALUES (:kind, :subject, :at, :values, :batch, -1)"
)
OUTBOX = select(outbox).where(outbox.c.index < 0).order_by(outbox.c.number).limit(bindparam("limit"))
OUTBOX_ONE = select(outbox).where(outbox.c.number == bindparam("key"))
LOGGED = update(outbox).where(outbox.c.number == bindparam("key")).values(index=bindparam("place"))

OBJECT = select(object_).where(object_.c.digest == bindparam("key"))
OBJECT_AT = select(object_).where(object_.c.sequence == bindparam("key"))
OBJECTS_OF = (
    select(object_)
    .where((object_.c.source == bindparam("key")) & (object_.c.sequence > bindparam("after")))
    .order_by(object_.c.sequence)
    .limit(bindparam("limit"))
)
NEWEST_OF = (
    select(object_)
    .where(object_.c.source == bindparam("key"))
    .order_by(object_.c.sequence.desc())
    .limit(bindparam("limit"))
)
INTERRUPTED = select(object_.c.sequence).where(object_.c.state == "read").order_by(object_.c.sequence)
NEWEST_OBJECTS = (
    select(object_.c.received_at, object_.c.settled_at, object_.c.received)
    .where(object_.c.state != "erased")
    .order_by(object_.c.sequence.desc())
    .limit(bindparam("limit"))
)
COUNTS: tuple[Any, ...] = tuple(func.coalesce(func.sum(object_.c[name]), 0).label(name) for name in _counts)
COUNT_NAMES = _counts
STATES = select(object_.c.state, func.count().label("objects")).group_by(object_.c.state)
TOTAL = select(func.count().label("objects"), *COUNTS)
HELD_CODES = select(held.c.code, func.count().label("records")).where(held.c.resolved == 0).group_by(held.c.code)
HELD_OPEN = (
    select(held)
    .where((held.c.resolved == 0) & (held.c.id > bindparam("after")))
    .order_by(held.c.id)
    .limit(bindparam("limit"))
)
HELD_ONE = select(held).where(held.c.id == bindparam("key"))
_held_objects = (
    select(held.c.sequence)
    .distinct()
    .where((held.c.resolved == 0) & (held.c.sequence > bindparam("after")))
    .order_by(held.c.sequence)
    .limit(bindparam("limit"))
)
_HELD_OBJECTS = {
    (False, False): _held_objects,
    (True, False): _held_objects.where(held.c.source == bindparam("about")),
    (False, True): _held_objects.where(held.c.code == bindparam("code")),
    (True, True): _held_objects.where((held.c.source == bindparam("about")) & (held.c.code == bindparam("code"))),
}


def held_objects(source_name: str, code: str) -> tuple[Any, dict[str, str]]:
    """The statement that finds objects with open held records of a source, of a code, or both; and its values."""
    values = {"about": source_name} if source_name else {}
    return _HELD_OBJECTS[bool(source_name), bool(code)], values | ({"code": code} if code else {})


ADD_ERASED = text("INSERT INTO erased (person, at) VALUES (:person, :at) ON CONFLICT DO NOTHING")
ERASED = select(erased.c.person)
PERSON_OBJECTS = (
    select(object_)
    .join(person, person.c.sequence == object_.c.sequence)
    .where(person.c.person == bindparam("key"))
    .order_by(object_.c.sequence)
)
DROP_PERSONS_OF = delete(person).where(person.c.sequence == bindparam("key"))
DROP_PERSON = delete(person).where(person.c.person == bindparam("key"))
DROP_RECORD = delete(record).where(record.c.fact == bindparam("key"))
DROP_HELD = delete(held).where(held.c.sequence == bindparam("key"))
ERASE_OBJECT = (
    update(object_)
    .where(object_.c.sequence == bindparam("key"))
    .values(state="erased", settled_at=bindparam("instant"), **dict.fromkeys(_counts, 0))
)
MARK_ARISING = text("INSERT INTO arising (fact) VALUES (:fact) ON CONFLICT DO NOTHING")
FIND_ARISING_SQLITE = text(f"{_PLACES}SELECT fact FROM place CROSS JOIN arising ON arising.fact = {_FACT}")  # noqa: S608
FIND_ARISING_POSTGRES = text("SELECT fact FROM arising WHERE fact = ANY(:facts)")
FORGET_ARISING = delete(arising)
PUT_LINEAGE = insert_or(lineage, "old", replace=True)
LINEAGE = select(lineage.c.new).where(lineage.c.old == bindparam("key"))
