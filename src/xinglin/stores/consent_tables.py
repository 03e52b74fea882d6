"""Tables and statements of persons' choices, beside the intake's ledger, whose outbox tells the log of them."""

from __future__ import annotations

from sqlalchemy import Index, MetaData, Table, bindparam, func, select, text

from xinglin.stores.columns import counter, number, octets, words
from xinglin.stores.intake_tables import outbox

meta = MetaData()

choice = Table(
    "consent_choice",
    meta,
    counter("number"),
    words("id", unique=True),
    words("content", unique=True),
    words("person"),
    number("recorded_at"),
    octets("value"),
    Index("consent_choice_of", "person", "number"),
)
"""One row a choice; ``content``: digest of what was said, whatever its id. Rows are added, never changed or deleted."""

study = Table(
    "consent_study",
    meta,
    counter("number"),
    words("study", index=True),
    octets("value"),
)
"""One row a word of the hospital on a study. Rows are added, and never changed or deleted."""

read = Table(
    "consent_read",
    meta,
    words("run", key=True),
    number("number"),
    number("at"),
    octets("word"),
)
"""Up to which choice a run's rows were filtered, at which instant, by which word: once the run is admitted, asked
again, it is the same."""

ADD_CHOICE = text(
    "INSERT INTO consent_choice (id, content, person, recorded_at, value) "
    "VALUES (:id, :content, :person, :recorded_at, :value) ON CONFLICT (content) DO NOTHING"
)
KNOWN = select(choice.c.value).where(choice.c.content == bindparam("key"))
_choices = select(choice.c.number, choice.c.recorded_at, choice.c.value).where(choice.c.number > bindparam("after"))
CHOICES = _choices.where(choice.c.number <= bindparam("most")).order_by(choice.c.number).limit(bindparam("limit"))
OF_PERSON = _choices.where(choice.c.person == bindparam("about")).order_by(choice.c.number).limit(bindparam("limit"))
OF_PERSON_THEN = (
    _choices.where((choice.c.person == bindparam("about")) & (choice.c.number <= bindparam("most")))
    .order_by(choice.c.number)
    .limit(bindparam("limit"))
)
CHOSE_SINCE = select(choice.c.person).where(choice.c.number > bindparam("after")).distinct().limit(bindparam("limit"))
SAID_MORE = (
    select(choice.c.person)
    .where(choice.c.number <= bindparam("most"))
    .group_by(choice.c.person)
    .having(func.count() > 1)
)
ID_AT = select(choice.c.id).where(choice.c.number == bindparam("key"))
CHOICE = select(choice.c.value).where(choice.c.id == bindparam("key"))
LAST = select(func.coalesce(func.max(choice.c.number), 0).label("number"))
ADD_STUDY = text("INSERT INTO consent_study (study, value) VALUES (:study, :value)")
STUDY = select(study.c.value).where(study.c.study == bindparam("about")).order_by(study.c.number.desc()).limit(1)
STUDIES = select(study.c.value).order_by(study.c.number)
PUT_READ = text(
    "INSERT INTO consent_read (run, number, at, word) VALUES (:run, :number, :at, :word) ON CONFLICT (run) DO NOTHING"
)
DROP_READ = text("DELETE FROM consent_read WHERE run = :run")
READ = select(read.c.number, read.c.at, read.c.word).where(read.c.run == bindparam("key"))
LOGGED_AT = select(outbox.c.index).where(outbox.c.subject == bindparam("key")).order_by(outbox.c.number).limit(1)
