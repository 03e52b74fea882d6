"""Tables and statements of a hospital's book of looks."""

from __future__ import annotations

from sqlalchemy import MetaData, Table, and_, bindparam, delete, func, insert, select, text, update

from xinglin.stores.columns import counter, number, octets, words
from xinglin.stores.database import insert_or

SCHEMA_VERSION = 1
SCHEMA = "xinglin_node_looks"
"""Where the tables lie in PostgreSQL, unless the URL or the role sets a search path."""
meta = MetaData()
secret = Table("look_secret", meta, words("name", key=True), octets("value"))
reached = Table("look_reached", meta, words("name", key=True), number("value"))
place = Table("look_place", meta, octets("code", key=True), number("place", unique=True))
"""Each person's place, by the code under which uses count them. Rows are added, never changed."""
look = Table(
    "look",
    meta,
    counter("number"),
    words("use", unique=True),
    number("page", index=True),
    octets("value"),
    octets("mark"),
)
"""What was done, and whom it concerns (a bit a place, deflated); ``page`` 0: in none yet. One row a use, for ever."""
seal = Table("look_seal", meta, number("number", key=True), octets("salt"), words("commitment"))
"""What a look's page says of it, and the salt that opens that; empty once whom it named was erased, for ever."""
page = Table(
    "look_page",
    meta,
    number("number", key=True),
    octets("value"),
    octets("level"),
    number("index"),
)
"""Pages; ``index``: of the leaf in the log (-1: on its way). Rows are added; the index alone is written later."""
complaint = Table(
    "look_complaint",
    meta,
    words("id", key=True),
    words("person", index=True),
    number("at"),
    words("about"),
    words("words"),
    words("answer"),
    number("answered_at"),
    words("answered_by"),
)
"""What patients say is wrong, and the hospital's answer (``answered_at`` -1: it waits)."""

PUT_SECRET = insert_or(secret, "name", replace=False)
SECRET = select(secret.c.value).where(secret.c.name == bindparam("key"))
PUT_REACHED = insert_or(reached, "name", replace=True)
REACHED = select(reached.c.value).where(reached.c.name == bindparam("key"))
PLACES = select(place)
PLACE = select(place.c.place).where(place.c.code == bindparam("key"))
ADD_PLACE = insert(place)
KNOWN = select(look.c.number).where(look.c.use == bindparam("key"))
USES = select(look.c.use).where(look.c.use.like("run-%"))
ADD_LOOK = text('INSERT INTO look ("use", page, "value", mark) VALUES (:use, 0, :value, :mark)')
ADD_SEAL = insert(seal)
_SEALED = select(look.c.number, look.c.use, look.c.value, look.c.mark, seal.c.salt, seal.c.commitment).select_from(
    look.outerjoin(seal, seal.c.number == look.c.number)
)
LOOK = _SEALED.where(look.c.use == bindparam("key"))
WAITING = (
    _SEALED.where((look.c.page == 0) & (look.c.number > bindparam("after")))
    .order_by(look.c.number)
    .limit(bindparam("most"))
)
NOT_SHOWN = (
    _SEALED.where(((look.c.page == 0) | (look.c.page > bindparam("shown"))) & (look.c.number > bindparam("after")))
    .order_by(look.c.number)
    .limit(bindparam("most"))
)
_OWN = ("choice:%", "enrolment:%", "complaint:%", "answer:%", "erased:%")
"""Looks that the log has no leaf of its own for: a page for them alone would tell that somebody spoke."""
_COUNTED = select(func.count().label("looks")).where(look.c.page == 0)
COUNT_WAITING = _COUNTED.where(look.c.use.not_like("choice:%"))
COUNT_USES = _COUNTED.where(and_(*(look.c.use.not_like(one) for one in _OWN)))
PUT_ON = update(look).where((look.c.page == 0) & (look.c.number <= bindparam("last"))).values(page=bindparam("onto"))
ON_PAGE = (
    _SEALED.where((look.c.page == bindparam("onto")) & (look.c.number > bindparam("after")))
    .order_by(look.c.number)
    .limit(bindparam("most"))
)
PERSONAL = (
    _SEALED.where(look.c.use.not_like("run-%") & (look.c.number > bindparam("after")))
    .order_by(look.c.number)
    .limit(bindparam("most"))
)
REDACT = (
    update(look).where(look.c.number == bindparam("key")).values(use=bindparam("new_use"), value=bindparam("new_value"))
)
PUT_SEAL = insert_or(seal, "number", replace=True)
FREE_PLACE = update(place).where(place.c.code == bindparam("key")).values(code=bindparam("nobody"))
LAST_PAGE = select(page).order_by(page.c.number.desc()).limit(1)
PAGES = (
    select(page)
    .where((page.c.number > bindparam("after")) & (page.c.number <= bindparam("until")))
    .order_by(page.c.number)
    .limit(bindparam("most"))
)
UNPOSTED = select(page).where(page.c.index < 0).order_by(page.c.number)
LAST_POSTED = select(page.c.number).where(page.c.index >= 0).order_by(page.c.number.desc()).limit(1)
ADD_PAGE = insert(page)
POSTED = update(page).where(page.c.number == bindparam("key")).values(index=bindparam("leaf"))
ADD_COMPLAINT = insert_or(complaint, "id", replace=False)
COMPLAINTS = select(complaint).order_by(complaint.c.at, complaint.c.id)
COMPLAINTS_OF = COMPLAINTS.where(complaint.c.person == bindparam("about_person"))
COUNT_OPEN = select(func.count().label("open")).where(
    (complaint.c.person == bindparam("about_person")) & (complaint.c.answered_at < 0)
)
FORGET_COMPLAINTS = delete(complaint).where(complaint.c.person == bindparam("about_person"))
COMPLAINT = select(complaint).where(complaint.c.id == bindparam("key"))
ANSWER = (
    update(complaint)
    .where((complaint.c.id == bindparam("key")) & (complaint.c.answered_at < 0))
    .values(answer=bindparam("said"), answered_at=bindparam("when"), answered_by=bindparam("whose"))
)
MAKE_ANEW, EMPTY_LOG = text("VACUUM"), text("PRAGMA wal_checkpoint(TRUNCATE)")
"""SQLite writes the file anew without what was overwritten, and empties its log of writes."""
