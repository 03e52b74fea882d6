"""Tables of answers, of reports kept with agreements, and of pilots' uses, beside the intake's ledger."""

from __future__ import annotations

from sqlalchemy import Index, MetaData, Table, bindparam, select, text

from xinglin.stores.columns import counter, number, octets, words

meta = MetaData()

answer = Table(
    "law_answer",
    meta,
    counter("number"),
    words("matter"),
    words("rule"),
    octets("value"),
    Index("law_answer_of", "matter", "number"),
)
"""One row a person's answer to a question of a rule. Rows are added, and never changed or deleted."""

report = Table(
    "law_report",
    meta,
    counter("number"),
    words("agreement", index=True),
    number("at"),
    octets("value"),
)
"""One row a check of an agreement before it was signed. Rows are added, and never changed or deleted."""

pilot_use = Table(
    "law_pilot_use",
    meta,
    words("key", key=True),
    words("pilot", index=True),
    words("run"),
    number("at"),
    octets("value"),
)
"""One row a decision on a use of a pilot (``key``: digest of run and outcome). Rows are added, and never changed."""

ADD_ANSWER = text("INSERT INTO law_answer (matter, rule, value) VALUES (:matter, :rule, :value)")
_answers = select(answer.c.number, answer.c.value).where(answer.c.number > bindparam("after"))
ANSWERS = _answers.order_by(answer.c.number).limit(bindparam("limit"))
ANSWERS_ON = _answers.where(answer.c.matter == bindparam("about")).order_by(answer.c.number).limit(bindparam("limit"))
ADD_REPORT = text("INSERT INTO law_report (agreement, at, value) VALUES (:agreement, :at, :value)")
REPORT = (
    select(report.c.value).where(report.c.agreement == bindparam("about")).order_by(report.c.number.desc()).limit(1)
)
ADD_USE = text(
    "INSERT INTO law_pilot_use (key, pilot, run, at, value) VALUES (:key, :pilot, :run, :at, :value) "
    "ON CONFLICT (key) DO NOTHING"
)
USES = select(pilot_use.c.value).where(pilot_use.c.pilot == bindparam("about")).order_by(pilot_use.c.at)
