"""Table and statements of confirmed grades; they lie beside the intake's ledger, whose outbox tells the log of them."""

from __future__ import annotations

from sqlalchemy import Index, MetaData, Table, bindparam, func, select, text

from xinglin.stores.columns import counter, octets, words

meta = MetaData()

grade_word = Table(
    "grade_word",
    meta,
    counter("number"),
    words("data_set"),
    words("name"),
    octets("value"),
    Index("grade_word_of", "data_set", "name", "number"),
)
"""One row a person's word on a column (``name``: ``table.column``). Rows are added, and never changed or deleted."""

ADD_WORD = text("INSERT INTO grade_word (data_set, name, value) VALUES (:data_set, :name, :value)")
WORDS = (
    select(grade_word.c.number, grade_word.c.value)
    .where((grade_word.c.data_set == bindparam("about")) & (grade_word.c.number > bindparam("after")))
    .order_by(grade_word.c.number)
    .limit(bindparam("limit"))
)
_newest = (
    select(func.max(grade_word.c.number)).where(grade_word.c.data_set == bindparam("about")).group_by(grade_word.c.name)
)
NEWEST = select(grade_word.c.value).where(grade_word.c.number.in_(_newest)).order_by(grade_word.c.number)
