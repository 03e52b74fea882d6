"""Tables and statements of the patient index."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import (
    Column,
    Float,
    Integer,
    MetaData,
    Table,
    bindparam,
    delete,
    func,
    select,
    text,
)

from xinglin.stores.columns import counter, number, octets, words
from xinglin.stores.database import insert_or

SCHEMA_VERSION = 1
SCHEMA = "xinglin_patients"
"""Where the tables lie in PostgreSQL, unless the URL or the role sets a search path."""

meta = MetaData()

record = Table(
    "record",
    meta,
    words("patient", key=True),
    number("since"),
    octets("state"),
    sqlite_with_rowid=False,
)
key = Table(
    "key",
    meta,
    number("digest", key=True),
    words("patient", key=True, index=True),
    sqlite_with_rowid=False,
)
link = Table(
    "link",
    meta,
    words("one", key=True),
    words("other", key=True, index=True),
    words("rule"),
    words("fields"),
    Column("probability", Float, nullable=False),
    number("at"),
)
statement = Table(
    "statement",
    meta,
    words("one", key=True),
    words("other", key=True, index=True),
    words("by", key=True),
    words("said"),
    number("at"),
    number("heard"),
)
review = Table(
    "review",
    meta,
    counter("number"),
    words("one", index=True),
    words("other", index=True),
    words("state", index=True),
    Column("probability", Float, nullable=False),
    octets("value"),
)
person = Table(
    "person",
    meta,
    words("patient", key=True),
    words("person", index=True),
    words("reason"),
)
event = Table(
    "event",
    meta,
    counter("number"),
    words("one", index=True),
    words("other", index=True),
    number("at"),
    octets("value"),
)
publication = Table(
    "publication",
    meta,
    number("number", key=True),
    number("at"),
    Column("published", Integer, nullable=False, index=True),
)
published_row = Table(
    "published_row",
    meta,
    number("number", key=True),
    words("patient", key=True, index=True),
    words("person"),
    words("reason"),
)
erased = Table(
    "erased",
    meta,
    number("digest", key=True),
)

_PAIRED = (link, statement, review, event)
_OF_ONE = (record, key, person, published_row)


def among(column: str, *, sqlite: bool, holds: str = "text") -> str:
    """A condition: the column's value is one of the list ``:given`` (``listed`` makes it)."""
    if sqlite:
        return f"{column} IN (SELECT value FROM json_each(:given))"  # noqa: S608 (names of ours)
    return f"{column} = ANY(CAST(:given AS {holds}[]))"


class Statements:
    """What is asked with lists, in the words of one of the two databases."""

    def __init__(self, sqlite: bool) -> None:
        texts = among("patient", sqlite=sqlite)
        numbers = among("digest", sqlite=sqlite, holds="bigint")
        one, other = among("one", sqlite=sqlite), among("other", sqlite=sqlite)
        self.records = text(f"SELECT patient, since, state FROM record WHERE {texts}")  # noqa: S608 (names of ours)
        self.counts = text(
            f"SELECT digest, count(*) AS n FROM key WHERE {numbers} GROUP BY digest HAVING count(*) >= :least"  # noqa: S608
        )
        self.sharing = text(f"SELECT digest, patient FROM key WHERE {numbers}")  # noqa: S608 (names of ours)
        self.persons = text(f"SELECT patient, person, reason FROM person WHERE {texts}")  # noqa: S608 (names of ours)
        self.erased = text(f"SELECT digest FROM erased WHERE {numbers}")  # noqa: S608 (names of ours)
        self.members = text(f"SELECT patient FROM person WHERE {among('person', sqlite=sqlite)}")  # noqa: S608
        self.drop_keys = text(f"DELETE FROM key WHERE {texts}")  # noqa: S608 (names of ours)
        self.paired = {
            table.name: text(
                f"SELECT * FROM {table.name} WHERE {one} UNION SELECT * FROM {table.name} WHERE {other}"  # noqa: S608
            )
            for table in _PAIRED
        }
        self.forget = [
            *(text(f"DELETE FROM {table.name} WHERE {one} OR {other}") for table in _PAIRED),  # noqa: S608
            *(text(f"DELETE FROM {table.name} WHERE {texts}") for table in _OF_ONE),  # noqa: S608 (names of ours)
        ]


PUT_RECORD = insert_or(record, "patient", replace=True)
PUT_KEY = text("INSERT INTO key (digest, patient) VALUES (:digest, :patient) ON CONFLICT DO NOTHING")
PUT_LINK = text(
    'INSERT INTO link (one, other, rule, fields, probability, "at") '
    "VALUES (:one, :other, :rule, :fields, :probability, :at) ON CONFLICT (one, other) DO UPDATE "
    "SET rule = excluded.rule, fields = excluded.fields, probability = excluded.probability"
)
DROP_LINK = text("DELETE FROM link WHERE one = :one AND other = :other")
PUT_STATEMENT = text(
    'INSERT INTO statement (one, other, "by", said, "at", heard) VALUES (:one, :other, :by, :said, :at, :heard) '
    'ON CONFLICT (one, other, "by") DO UPDATE SET said = excluded.said, "at" = excluded."at", heard = excluded.heard '
    'WHERE excluded."at" > statement."at" OR (excluded."at" = statement."at" AND (excluded.heard > statement.heard '
    "OR (excluded.heard = statement.heard AND excluded.said <> statement.said)))"
)
ADD_REVIEW = text(
    "INSERT INTO review (one, other, state, probability, value) VALUES (:one, :other, :state, :probability, :value) "
    "RETURNING number"
)
CHANGE_REVIEW = text(
    "UPDATE review SET state = :state, probability = :probability, value = :value WHERE number = :number"
)
REVIEW = select(review).where(review.c.number == bindparam("key"))
WAITING = (
    select(review)
    .where((review.c.state == bindparam("state")) & (review.c.number > bindparam("after")))
    .order_by(review.c.number)
    .limit(bindparam("limit"))
)
PROPOSED = text("SELECT * FROM review WHERE probability > 0 ORDER BY number")
ADD_EVENT = text('INSERT INTO event (one, other, "at", value) VALUES (:one, :other, :at, :value)')
HISTORY = (
    select(event)
    .where((event.c.one == bindparam("key")) | (event.c.other == bindparam("key")))
    .order_by(event.c.number)
    .limit(bindparam("limit"))
)
PUT_PERSON = insert_or(person, "patient", replace=True)
DROP_PERSON = delete(person).where(person.c.patient == bindparam("key"))
PERSONS = select(person).order_by(person.c.patient)
LAST_PUBLICATION = select(publication.c.number, publication.c.at).order_by(publication.c.number.desc()).limit(1)
ADD_PUBLICATION = text('INSERT INTO publication (number, "at", published) VALUES (:number, :at, 0)')
ADD_PUBLISHED_ROW = text(
    "INSERT INTO published_row (number, patient, person, reason) VALUES (:number, :patient, :person, :reason)"
)
WAITING_PUBLICATIONS = select(publication).where(publication.c.published == 0).order_by(publication.c.number)
PUBLISHED_ROWS = (
    select(published_row).where(published_row.c.number == bindparam("key")).order_by(published_row.c.patient)
)
PUBLISHED = text("UPDATE publication SET published = 1 WHERE number = :key")
ROWS_OF = text(
    'SELECT p."at", r.number, r.person, r.reason FROM published_row AS r JOIN publication AS p ON p.number = r.number '
    "WHERE r.patient = :key ORDER BY r.number"
)
ADD_ERASED = text("INSERT INTO erased (digest) VALUES (:digest) ON CONFLICT DO NOTHING")
ALL_RECORDS = (
    select(record).where(record.c.patient > bindparam("after")).order_by(record.c.patient).limit(bindparam("limit"))
)
LINK_RULES = select(link.c.rule, func.count().label("n")).group_by(link.c.rule).order_by(link.c.rule)
REVIEW_COUNTS = select(review.c.state, func.count().label("n")).group_by(review.c.state).order_by(review.c.state)
CROWDED = text(
    "SELECT count(*) AS n FROM (SELECT digest FROM key GROUP BY digest HAVING count(*) > :shared) AS crowded"
)
COUNTS: Any = text(
    "SELECT (SELECT count(*) FROM record) AS records, (SELECT count(DISTINCT person) FROM person) AS persons_linked, "
    "(SELECT count(*) FROM person) AS records_linked, "
    "(SELECT count(*) FROM publication WHERE published = 1) AS published, "
    "(SELECT count(*) FROM publication WHERE published = 0) AS waiting"
)


@cache
def statements(sqlite: bool) -> Statements:
    """The statements for SQLite, or for PostgreSQL; made once."""
    return Statements(sqlite)
