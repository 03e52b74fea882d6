"""Table and statements of confirmed grades; they lie beside the intake's ledger, whose outbox tells the log of them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table, bindparam, func, insert
from sqlalchemy import select as _select

meta = MetaData()
_long = BigInteger().with_variant(Integer, "sqlite")

grade_word = Table(
    "grade_word",
    meta,
    Column("number", _long, primary_key=True, autoincrement=True),
    Column("data_set", String(), nullable=False),
    Column("name", String(), nullable=False),
    Column("value", LargeBinary, nullable=False),
    Index("grade_word_of", "data_set", "name", "number"),
    sqlite_autoincrement=True,
)
"""One row a person's word on a column (``name``: ``table.column``). Rows are added, and never changed or deleted."""

ADD_WORD = insert(grade_word)
WORDS = (
    _select(grade_word.c.number, grade_word.c.value)
    .where((grade_word.c.data_set == bindparam("about")) & (grade_word.c.number > bindparam("after")))
    .order_by(grade_word.c.number)
    .limit(bindparam("limit"))
)
_newest = (
    _select(func.max(grade_word.c.number)).where(grade_word.c.data_set == bindparam("about")).group_by(grade_word.c.name)
)
NEWEST = _select(grade_word.c.value).where(grade_word.c.number.in_(_newest)).order_by(grade_word.c.number)
