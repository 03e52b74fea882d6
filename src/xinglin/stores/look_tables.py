"""Tables and statements of a hospital's book of looks."""

from __future__ import annotations

from sqlalchemy import MetaData, Table, bindparam, func, insert, select, text, update

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
WAITING = select(look.c.number, look.c.value, look.c.mark).where(look.c.page == 0).order_by(look.c.number)
COUNT_WAITING = select(func.count().label("looks")).where((look.c.page == 0) & look.c.use.not_like("choice:%"))
PUT_ON = update(look).where((look.c.page == 0) & (look.c.number <= bindparam("last"))).values(page=bindparam("onto"))
ON_PAGES = (
    select(look.c.page, look.c.value, look.c.mark)
    .where((look.c.page > bindparam("after")) & (look.c.page <= bindparam("until")))
    .order_by(look.c.page, look.c.number)
)
LAST_PAGE = select(page).order_by(page.c.number.desc()).limit(1)
PAGES = (
    select(page)
    .where((page.c.number > bindparam("after")) & (page.c.number <= bindparam("until")))
    .order_by(page.c.number)
)
UNPOSTED = select(page).where(page.c.index < 0).order_by(page.c.number)
LAST_POSTED = select(page.c.number).where(page.c.index >= 0).order_by(page.c.number.desc()).limit(1)
ADD_PAGE = insert(page)
POSTED = update(page).where(page.c.number == bindparam("key")).values(index=bindparam("leaf"))
ADD_COMPLAINT = insert_or(complaint, "id", replace=False)
COMPLAINTS = select(complaint).order_by(complaint.c.at, complaint.c.id)
COMPLAINTS_OF = COMPLAINTS.where(complaint.c.person == bindparam("about_person"))
COMPLAINT = select(complaint).where(complaint.c.id == bindparam("key"))
ANSWER = (
    update(complaint)
    .where((complaint.c.id == bindparam("key")) & (complaint.c.answered_at < 0))
    .values(answer=bindparam("said"), answered_at=bindparam("when"), answered_by=bindparam("whose"))
)
