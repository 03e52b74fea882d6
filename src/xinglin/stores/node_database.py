"""A node's database: agreements, runs, receipts, and the ports ``gate.Ledger`` and ``gate.ReleaseStore``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    delete,
    event,
    insert,
    select,
    update,
)

from xinglin.gate import Record, RecordMoved, Use
from xinglin.kernel.canonical import sha256_digest
from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.instants import Clock
from xinglin.kernel.verdict import Allowed, Denied, Verdict, deny
from xinglin.privacy.allowance import Allowance, Charge
from xinglin.privacy.differencing import ReleasedCell, check_layout, is_finer
from xinglin.stores.database import create_tables, open_database, sqlite_url
from xinglin.stores.node_rows import AgreementRow, CellRow, ReceiptRow, RunRow

SCHEMA_VERSION = 1
_meta = MetaData()
_key = String(200)
agreement = Table(
    "agreement",
    _meta,
    Column("agreement_id", _key, primary_key=True),
    Column("state", String(40), nullable=False),
    Column("study", _key, nullable=False),
    Column("consumer", _key, nullable=False),
    Column("data_set", _key, nullable=False),
    Column("offered", LargeBinary, nullable=False),
    Column("countersigned", LargeBinary, nullable=False),
    Column("index", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
)
run = Table(
    "run",
    _meta,
    Column("run", _key, primary_key=True),
    Column("state", String(40), nullable=False),
    Column("request", LargeBinary, nullable=False),
    Column("plan", LargeBinary, nullable=False),
    Column("pinned", LargeBinary, nullable=False),
    Column("cells", LargeBinary, nullable=False),
    Column("party", LargeBinary, nullable=False),
    Column("states", LargeBinary, nullable=False),
    Column("uploaded", Boolean, nullable=False),
    Column("concluded", LargeBinary, nullable=False),
)
record = Table(
    "record",
    _meta,
    Column("run", _key, primary_key=True),
    Column("nonce", _key, nullable=False, unique=True),
    Column("request", _key, nullable=False),
    Column("record", LargeBinary, nullable=False),
)
charge = Table(
    "charge",
    _meta,
    Column("run", _key, primary_key=True),
    Column("data_set", _key, nullable=False, index=True),
    Column("agreement", _key, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("state", String(20), nullable=False),
)
cell = Table(
    "cell",
    _meta,
    Column("data_set", _key, primary_key=True),
    Column("release", _key, primary_key=True),
    Column("cell", String(400), primary_key=True),
    Column("file", String(400), nullable=False),
)
receipt = Table(
    "receipt",
    _meta,
    Column("key", _key, primary_key=True),
    Column("index", BigInteger, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("subject", _key, nullable=False),
    Column("entry", LargeBinary, nullable=False),
    Column("receipt", Text, nullable=False),
)


class NodeDatabase:
    """SQLite in the node's folder; every write is durable when its call returns."""

    def __init__(self, url: str, clock: Clock, answers_cap: int = 200) -> None:
        self._engine = open_database(url)
        self._clock = clock
        self._cap = answers_cap
        if self._engine.dialect.name == "sqlite":
            _take_the_write_lock_first(self._engine)
        create_tables(self._engine, _meta, SCHEMA_VERSION)

    @classmethod
    def in_folder(cls, folder: Path, clock: Clock, answers_cap: int = 200) -> NodeDatabase:
        """The database file ``node.db`` in ``folder``."""
        return cls(sqlite_url(folder / "node.db"), clock, answers_cap)

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    # --- agreements --------------------------------------------------------------------------

    def put_agreement(self, row: AgreementRow) -> None:
        """Insert or replace an agreement."""
        self._put(agreement, "agreement_id", msgspec.structs.asdict(row))

    def agreement(self, agreement_id: str) -> AgreementRow | None:
        """One agreement by its digest."""
        rows = self._rows(select(agreement).where(agreement.c.agreement_id == agreement_id))
        return AgreementRow(**rows[0]) if rows else None

    def agreements(self) -> tuple[AgreementRow, ...]:
        """All agreements, oldest first."""
        return tuple(AgreementRow(**row) for row in self._rows(select(agreement).order_by(agreement.c.since)))

    # --- runs --------------------------------------------------------------------------------

    def put_run(self, row: RunRow) -> None:
        """Insert or replace a run."""
        self._put(run, "run", msgspec.structs.asdict(row))

    def change_run(self, run_id: str, **values: Any) -> None:
        """Change some columns of a run, in one durable write."""
        with self._engine.begin() as connection:
            connection.execute(update(run).where(run.c.run == run_id).values(**values))

    def run(self, run_id: str) -> RunRow | None:
        """One run."""
        rows = self._rows(select(run).where(run.c.run == run_id))
        return RunRow(**rows[0]) if rows else None

    def open_runs(self) -> tuple[RunRow, ...]:
        """Runs that have not ended at this node."""
        return tuple(RunRow(**row) for row in self._rows(select(run).where(run.c.state == "open")))

    # --- receipts ----------------------------------------------------------------------------

    def intend(self, kind: str, subject: str, entry: bytes) -> ReceiptRow:
        """Keep an entry that is about to be submitted; it has no index yet."""
        key = sha256_digest(entry)
        row = ReceiptRow(key, -1, kind, subject, entry, "")
        self._put(receipt, "key", msgspec.structs.asdict(row))
        return row

    def included(self, row: ReceiptRow, index: int, text: str) -> None:
        """Keep where the entry is, and the receipt."""
        self._put(receipt, "key", msgspec.structs.asdict(msgspec.structs.replace(row, index=index, receipt=text)))

    def receipts(self, subject: str = "") -> tuple[ReceiptRow, ...]:
        """Receipts, of one subject or all, in order of index."""
        query = select(receipt).order_by(receipt.c.index)
        query = query.where(receipt.c.subject == subject) if subject else query
        return tuple(ReceiptRow(**row) for row in self._rows(query))

    # --- gate.Ledger -------------------------------------------------------------------------

    def allowance(self, data_set: str, connection: Connection | None = None) -> Allowance:
        """All charges on one data set."""
        query = select(charge.c.run, charge.c.agreement, charge.c.at, charge.c.state)
        query = query.where(charge.c.data_set == data_set).order_by(charge.c.at)
        rows = self._rows(query) if connection is None else [dict(r) for r in connection.execute(query).mappings()]
        return Allowance(data_set, self._cap, tuple(Charge(**row) for row in rows))

    def reserve_for(self, use: Use, agreement_id: str, allowance: int) -> Verdict:
        """Take one answer of the agreement and the data set for the run, in one transaction."""
        with self._engine.begin() as connection:
            following = self.allowance(use.plan.data_set, connection).reserve(
                use.run, agreement_id, allowance, self._clock()
            )
            if isinstance(following, Denied):
                return following
            self._write_charge(connection, use.plan.data_set, following, use.run)
        return Allowed()

    def move_charge(self, run_id: str, event_name: str) -> None:
        """``spend`` or ``give_back`` a run's charge; for a run never charged, giving back changes nothing."""
        with self._engine.begin() as connection:
            found = connection.execute(select(charge.c.data_set).where(charge.c.run == run_id)).scalar()
            if found is None and event_name == "give_back":
                return
            held = self.allowance(found or "", connection)
            following = held.spend(run_id) if event_name == "spend" else held.give_back(run_id)
            self._write_charge(connection, held.data_set, following, run_id)

    def _write_charge(self, connection: Connection, data_set: str, allowance: Allowance, run_id: str) -> None:
        found = allowance.charge(run_id)
        if found is not None:
            values = msgspec.structs.asdict(found) | {"data_set": data_set}
            _replace(connection, charge, "run", values)

    # --- gate.ReleaseStore -------------------------------------------------------------------

    async def open(self, fresh: Record) -> Record | Denied:
        """See the port."""
        with self._engine.begin() as connection:
            query = select(record).where((record.c.run == fresh.run) | (record.c.nonce == fresh.nonce))
            found = [dict(row) for row in connection.execute(query).mappings()]
            if not found:
                values = {"run": fresh.run, "nonce": fresh.nonce, "request": fresh.request}
                connection.execute(insert(record).values(**values, record=encode_msgpack(fresh)))
                return fresh
        same = [row for row in found if row["run"] == fresh.run and row["request"] == fresh.request]
        if len(found) == 1 and same:
            return decode_msgpack(same[0]["record"], Record)
        return deny("gate.replayed", "This request, or its nonce, was used before.", "Sign a fresh request.")

    async def save(self, before: Record, after: Record) -> None:
        """See the port."""
        held = (record.c.run == before.run) & (record.c.record == encode_msgpack(before))
        with self._engine.begin() as connection:
            if connection.execute(update(record).where(held).values(record=encode_msgpack(after))).rowcount != 1:
                raise RecordMoved("The record was changed by somebody else.", remedy="Carry the use through again.")

    def record(self, run_id: str) -> Record | None:
        """The gate's record of a run."""
        rows = self._rows(select(record.c.record).where(record.c.run == run_id))
        return decode_msgpack(rows[0]["record"], Record) if rows else None

    def nonce_used(self, nonce: str, run_id: str) -> bool:
        """Whether another run used this nonce."""
        return bool(self._rows(select(record.c.run).where((record.c.nonce == nonce) & (record.c.run != run_id))))

    def cells_of(self, data_set: str) -> tuple[CellRow, ...]:
        """Released cells of a data set, with the files that hold their persons."""
        return tuple(CellRow(**row) for row in self._rows(select(cell).where(cell.c.data_set == data_set)))

    def keep_cell_rows(self, run_id: str, rows: tuple[CellRow, ...], compared: tuple[ReleasedCell, ...]) -> Verdict:
        """Keep a run's cells, unless a cell that another run keeps was not compared with; one transaction."""
        data_set = rows[0].data_set if rows else ""
        with self._engine.begin() as connection:
            of_others = (cell.c.data_set == data_set) & (cell.c.release != run_id)
            others = select(cell.c.release, cell.c.cell).where(of_others)
            # A finer set is compared with its like alone: one of a column that this run does not read is not missed.
            own = {row.cell for row in rows}
            found = connection.execute(others)
            kept = [ReleasedCell(r.release, r.cell) for r in found if not is_finer(r.cell) or r.cell in own]
            verdict = check_layout(compared, kept)
            if isinstance(verdict, Denied):
                return verdict
            connection.execute(delete(cell).where(cell.c.release == run_id))
            for row in rows:
                connection.execute(insert(cell).values(**msgspec.structs.asdict(row)))
        return Allowed()

    async def drop_cells(self, run: str) -> None:
        """See the port."""
        with self._engine.begin() as connection:
            connection.execute(delete(cell).where(cell.c.release == run))

    # --- inside ------------------------------------------------------------------------------

    def _rows(self, query: Any) -> list[dict[str, Any]]:
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def _put(self, table: Table, key: str, values: dict[str, Any]) -> None:
        with self._engine.begin() as connection:
            _replace(connection, table, key, values)


def _replace(connection: Connection, table: Table, key: str, values: dict[str, Any]) -> None:
    if connection.execute(update(table).where(table.c[key] == values[key]).values(**values)).rowcount == 0:
        connection.execute(insert(table).values(**values))


def _take_the_write_lock_first(engine: Any) -> None:
    # A transaction that reads and then writes must not find that another wrote in between.
    @event.listens_for(engine, "connect")
    def _manual(connection: Any, _record: Any) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
