"""Table and statements of security assessments; they lie beside the intake's ledger, whose outbox tells the log."""

from __future__ import annotations

from sqlalchemy import MetaData, Table, bindparam, func, select, text

from xinglin.stores.columns import counter, octets, words

meta = MetaData()

assessment = Table("assessment", meta, counter("number"), words("name", index=True), octets("value"))
"""One row a registration (a signed envelope) or, with an empty value, its end. Rows are added, never changed."""

ADD = text("INSERT INTO assessment (name, value) VALUES (:name, :value)")
LAST = select(func.coalesce(func.max(assessment.c.number), 0).label("number"))
_newest = select(func.max(assessment.c.number)).group_by(assessment.c.name)
NEWEST = select(assessment.c.value).where(assessment.c.number.in_(_newest)).order_by(assessment.c.name)
ALL = select(assessment.c.name, assessment.c.value).order_by(assessment.c.number).limit(bindparam("limit"))
