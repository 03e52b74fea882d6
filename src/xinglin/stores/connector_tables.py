"""Tables and statements of a connector's store."""

from __future__ import annotations

from sqlalchemy import Index, MetaData, Table, and_, bindparam, delete, func, insert, select, text, update

from xinglin.stores.columns import counter, number, octets, words
from xinglin.stores.database import insert_or
from xinglin.wire.dsp.states import ENDS

SCHEMA_VERSION = 1
SCHEMA = "xinglin_connector"
"""Where the tables lie in PostgreSQL, unless the URL or the role sets a search path."""

meta = MetaData()
_has_peer = text("peer_pid <> ''")

process = Table(
    "process",
    meta,
    words("pid", key=True),
    words("kind"),
    words("side"),
    words("participant"),
    words("state"),
    words("peer_pid"),
    words("address"),
    words("trail"),
    words("data_set"),
    words("agreement"),
    words("format"),
    octets("offer"),
    words("asked"),
    octets("data_address"),
    words("opening"),
    words("repeat"),
    words("trouble"),
    number("created"),
    number("changed"),
    number("version"),
    Index(
        "process_peer",
        "kind",
        "side",
        "participant",
        "peer_pid",
        unique=True,
        sqlite_where=_has_peer,
        postgresql_where=_has_peer,
    ),
    Index("process_kind", "kind", "pid"),
    Index("process_participant", "participant", "state"),
    Index("process_begun", "participant", "created"),
)
owed = Table(
    "owed",
    meta,
    words("pid", key=True),
    words("kind"),
    words("event"),
    words("url"),
    octets("body"),
    number("attempts"),
    number("next_at"),
    number("since"),
)
contract = Table(
    "contract",
    meta,
    words("agreement", key=True),
    words("side", key=True),
    words("participant"),
    words("data_set"),
    words("state"),
    octets("document"),
    words("negotiation"),
    number("at"),
)
token = Table(
    "token",
    meta,
    words("transfer", key=True),
    words("digest"),
    number("expires"),
)
answer = Table(
    "answer",
    meta,
    words("pid", key=True),
    number("accepted"),
    words("by"),
    words("ground"),
    octets("facts"),
    words("offer"),
    number("at"),
    octets("signed"),
)
seen = Table("seen", meta, words("token", key=True), number("until"))
note = Table(
    "note",
    meta,
    counter("number"),
    words("kind"),
    words("subject"),
    number("at"),
    octets("values"),
)

_names = [column.name for column in process.columns]
ADD_PROCESS = text(
    "INSERT INTO process ({}) VALUES ({}) ON CONFLICT DO NOTHING".format(  # noqa: S608 (names of ours)
        ", ".join(f'"{name}"' for name in _names), ", ".join(f":{name}" for name in _names)
    )
)
PUT_PROCESS = (
    update(process)
    .where((process.c.pid == bindparam("key")) & (process.c.version == bindparam("before")))
    .values({name: bindparam(f"new_{name}") for name in _names if name != "pid"})
)
TAKEN = select(process.c.pid).where(
    (process.c.kind == bindparam("kind"))
    & (process.c.side == bindparam("side"))
    & (process.c.participant == bindparam("participant"))
    & (process.c.peer_pid == bindparam("peer_pid"))
    & (process.c.peer_pid != "")
)
PROCESS = select(process).where(process.c.pid == bindparam("key"))
BY_PEER = select(process).where(
    (process.c.kind == bindparam("kind"))
    & (process.c.side == bindparam("side"))
    & (process.c.participant == bindparam("participant"))
    & (process.c.peer_pid == bindparam("peer_pid"))
    & (process.c.peer_pid != "")
)
PROCESSES = (
    select(process)
    .where((process.c.kind == bindparam("kind")) & (process.c.pid > bindparam("after")))
    .order_by(process.c.pid)
    .limit(bindparam("most"))
)
OPEN = (
    select(func.count().label("count"))
    .select_from(process)
    .where(and_(process.c.participant == bindparam("participant"), *(process.c.state != one for one in sorted(ENDS))))
)
BEGUN = (
    select(func.count().label("count"))
    .select_from(process)
    .where(
        (process.c.participant == bindparam("participant"))
        & (process.c.created >= bindparam("since"))
        & (process.c.opening != "")
    )
)
PUT_OWED = insert_or(owed, "pid", replace=True)
OWED = select(owed).where(owed.c.pid == bindparam("key"))
ALL_OWED = select(owed).order_by(owed.c.next_at, owed.c.pid)
DROP_OWED = delete(owed).where(owed.c.pid == bindparam("key"))
POSTPONE = (
    update(owed)
    .where((owed.c.pid == bindparam("key")) & (owed.c.body == bindparam("same")))
    .values(attempts=bindparam("tried"), next_at=bindparam("then"))
)
_contract_names = [column.name for column in contract.columns]
PUT_CONTRACT = text(
    "INSERT INTO contract ({}) VALUES ({}) ON CONFLICT (agreement, side) DO UPDATE SET {}".format(  # noqa: S608 (ours)
        ", ".join(f'"{name}"' for name in _contract_names),
        ", ".join(f":{name}" for name in _contract_names),
        ", ".join(f'"{name}" = excluded."{name}"' for name in _contract_names if name not in ("agreement", "side")),
    )
)
CONTRACT = select(contract).where((contract.c.agreement == bindparam("key")) & (contract.c.side == bindparam("ours")))
CONTRACTS = select(contract).order_by(contract.c.agreement, contract.c.side)
PUT_TOKEN = insert_or(token, "transfer", replace=True)
TOKEN = select(token).where(token.c.transfer == bindparam("key"))
PUT_ANSWER = insert_or(answer, "pid", replace=True)
ANSWER = select(answer).where(answer.c.pid == bindparam("key"))
REMEMBER = insert_or(seen, "token", replace=False)
FORGET = delete(seen).where(seen.c.until < bindparam("now"))
ADD_NOTE = insert(note).values({name: bindparam(name) for name in ("kind", "subject", "at", "values")})
NOTES = select(note).order_by(note.c.number).limit(bindparam("most"))
DROP_NOTE = delete(note).where(note.c.number == bindparam("key"))
