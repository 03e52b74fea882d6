"""A node's database: agreements, runs, receipts, and the ports ``gate.Ledger`` and ``gate.ReleaseStore``."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import (
    URL,
    Boolean,
    Column,
    MetaData,
    Table,
    Text,
    Update,
    bindparam,
    delete,
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
from xinglin.stores.columns import number, octets, words
from xinglin.stores.database import Database, Row, Work, insert_or, sqlite_url
from xinglin.stores.database_errors import StoreError
from xinglin.stores.node_rows import AgreementRow, CellRow, ReceiptRow, RunRow

SCHEMA_VERSION = 1
SCHEMA = "xinglin_node"
"""Where the tables lie in PostgreSQL, unless the URL or the role sets a search path."""
_meta = MetaData()
agreement = Table(
    "agreement",
    _meta,
    words("agreement_id", key=True),
    words("state"),
    words("study"),
    words("consumer"),
    words("data_set"),
    octets("offered"),
    octets("countersigned"),
    number("index"),
    number("since"),
)
run = Table(
    "run",
    _meta,
    words("run", key=True),
    words("state"),
    octets("request"),
    octets("plan"),
    octets("pinned"),
    octets("cells"),
    octets("party"),
    octets("states"),
    Column("uploaded", Boolean, nullable=False),
    octets("concluded"),
)
record = Table(
    "record",
    _meta,
    words("run", key=True),
    words("nonce", unique=True),
    words("request"),
    octets("record"),
)
charge = Table(
    "charge",
    _meta,
    words("run", key=True),
    words("data_set", index=True),
    words("agreement"),
    number("at"),
    words("state"),
)
cell = Table(
    "cell",
    _meta,
    words("data_set", key=True),
    words("release", key=True),
    words("cell", key=True),
    words("file"),
)
receipt = Table(
    "receipt",
    _meta,
    words("key", key=True),
    number("index"),
    words("kind"),
    words("subject"),
    octets("entry"),
    Column("receipt", Text, nullable=False),
)


_PUT_AGREEMENT = insert_or(agreement, "agreement_id", replace=True)
_AGREEMENT = select(agreement).where(agreement.c.agreement_id == bindparam("key"))
_AGREEMENTS = select(agreement).order_by(agreement.c.since, agreement.c.agreement_id)
_AGREEMENTS_BESIDE = select(agreement).where(
    (agreement.c.study == bindparam("of_study"))
    & (agreement.c.consumer == bindparam("of_consumer"))
    & (agreement.c.data_set == bindparam("of_data_set"))
)
_PUT_RUN = insert_or(run, "run", replace=True)
_RUN = select(run).where(run.c.run == bindparam("key"))
_OPEN_RUNS = select(run).where(run.c.state == "open")
_RUNS_IN = select(run).where(run.c.state == bindparam("wanted")).order_by(run.c.run)
_PUT_RECEIPT = insert_or(receipt, "key", replace=True)
_INTEND = insert_or(receipt, "key", replace=False)
_RECEIPT = select(receipt).where(receipt.c.key == bindparam("key"))
_RECEIPTS = select(receipt).order_by(receipt.c.index, receipt.c.key)
_RECEIPT_PLACES = select(receipt.c.key, receipt.c.index)
_RECEIPTS_OF = _RECEIPTS.where(receipt.c.subject == bindparam("about"))
_CHARGES = (
    select(charge.c.run, charge.c.agreement, charge.c.at, charge.c.state)
    .where(charge.c.data_set == bindparam("key"))
    .order_by(charge.c.at, charge.c.run)
)
_CHARGED_UNDER = select(charge.c.run).where(charge.c.agreement == bindparam("key")).order_by(charge.c.run)
_CHARGED = select(charge.c.data_set).where(charge.c.run == bindparam("key"))
_PUT_CHARGE = insert_or(charge, "run", replace=True)
_SAME_RUN_OR_NONCE = select(record).where(
    (record.c.run == bindparam("one_run")) | (record.c.nonce == bindparam("one_nonce"))
)
_ADD_RECORD = insert(record)
_RECORD = select(record.c.record).where(record.c.run == bindparam("key"))
_RECORDED = select(record.c.run).order_by(record.c.run)
_SAVE_RECORD = update(record).where(record.c.run == bindparam("key")).values(record=bindparam("after"))
_NONCE = select(record.c.run).where((record.c.nonce == bindparam("once")) & (record.c.run != bindparam("key")))
_CELLS = select(cell).where(cell.c.data_set == bindparam("key")).order_by(cell.c.release, cell.c.cell)
_CELLS_OF_OTHERS = select(cell.c.release, cell.c.cell).where(
    (cell.c.data_set == bindparam("key")) & (cell.c.release != bindparam("one_run"))
)
_ADD_CELL = insert(cell)
_DROP_CELLS = delete(cell).where(cell.c.release == bindparam("key"))


@cache
def _change_run(names: tuple[str, ...]) -> Update:
    return update(run).where(run.c.run == bindparam("one_run")).values({name: bindparam(name) for name in names})


class NodeDatabase:
    """SQLite in the node's folder, or PostgreSQL by URL; every write is durable when its call returns."""

    def __init__(self, url: str | URL, clock: Clock, answers_cap: int = 200, *, accept_loss: bool = False) -> None:
        self._database = Database(url, SCHEMA)
        self._database.install(_meta, SCHEMA_VERSION, accept_loss=accept_loss)
        self._clock = clock
        self._cap = answers_cap

    @classmethod
    def in_folder(cls, folder: Path, clock: Clock, answers_cap: int = 200) -> NodeDatabase:
        """The database file ``node.db`` in ``folder``."""
        return cls(sqlite_url(folder / "node.db"), clock, answers_cap)

    def close(self) -> None:
        """Close every connection."""
        self._database.close()

    # --- agreements --------------------------------------------------------------------------

    def put_agreement(self, row: AgreementRow) -> None:
        """Insert or replace an agreement."""
        self._database.write(_PUT_AGREEMENT, **msgspec.structs.asdict(row))

    def agreement(self, agreement_id: str) -> AgreementRow | None:
        """One agreement by its digest."""
        found = self._database.one(_AGREEMENT, key=agreement_id)
        return AgreementRow(**found) if found else None

    def agreements(self) -> tuple[AgreementRow, ...]:
        """All agreements, oldest first."""
        return tuple(AgreementRow(**row) for row in self._database.rows(_AGREEMENTS))

    def agreements_beside(self, row: AgreementRow) -> tuple[AgreementRow, ...]:
        """Agreements and offers of the same consumer for the same study and data set, this one included."""
        about = {"of_study": row.study, "of_consumer": row.consumer, "of_data_set": row.data_set}
        return tuple(AgreementRow(**found) for found in self._database.rows(_AGREEMENTS_BESIDE, **about))

    # --- runs --------------------------------------------------------------------------------

    def put_run(self, row: RunRow) -> None:
        """Insert or replace a run."""
        self._database.write(_PUT_RUN, **msgspec.structs.asdict(row))

    def change_run(self, run_id: str, **values: Any) -> None:
        """Change some columns of a run, in one durable write; ``StoreError`` when there is no such run."""
        if self._database.write(_change_run(tuple(sorted(values))), one_run=run_id, **values) != 1:
            raise StoreError(f"There is no run {run_id} here, so nothing of it was kept.")

    def run(self, run_id: str) -> RunRow | None:
        """One run."""
        found = self._database.one(_RUN, key=run_id)
        return _run_row(found) if found else None

    def open_runs(self) -> tuple[RunRow, ...]:
        """Runs that have not ended at this node."""
        return tuple(_run_row(row) for row in self._database.rows(_OPEN_RUNS))

    # --- receipts ----------------------------------------------------------------------------

    def runs_in(self, state: str) -> tuple[RunRow, ...]:
        """Runs in that state, by id."""
        return tuple(_run_row(row) for row in self._database.rows(_RUNS_IN, wanted=state))

    def intend(self, kind: str, subject: str, entry: bytes) -> ReceiptRow:
        """Keep an entry that is about to be submitted; it has no index yet. A known one stays as it is kept."""
        row = ReceiptRow(sha256_digest(entry), -1, kind, subject, entry, "")
        if self._database.write(_INTEND, **msgspec.structs.asdict(row)):
            return row
        (known,) = self._database.rows(_RECEIPT, key=row.key)
        return ReceiptRow(**known)

    def included(self, row: ReceiptRow, index: int, text: str) -> None:
        """Keep where the entry is, and the receipt."""
        known = msgspec.structs.replace(row, index=index, receipt=text)
        self._database.write(_PUT_RECEIPT, **msgspec.structs.asdict(known))

    def receipts(self, subject: str = "") -> tuple[ReceiptRow, ...]:
        """Receipts, of one subject or all, in order of index."""
        rows = self._database.rows(_RECEIPTS_OF, about=subject) if subject else self._database.rows(_RECEIPTS)
        return tuple(ReceiptRow(**row) for row in rows)

    def receipt_places(self) -> tuple[tuple[str, int], ...]:
        """The key of each receipt and the index of its entry (-1: not known yet)."""
        return tuple((row["key"], row["index"]) for row in self._database.rows(_RECEIPT_PLACES))

    # --- gate.Ledger -------------------------------------------------------------------------

    def allowance(self, data_set: str) -> Allowance:
        """All charges on one data set."""
        return self._allowance(self._database.rows(_CHARGES, key=data_set), data_set)

    def reserve_for(self, use: Use, agreement_id: str, allowance: int, chain: Collection[str] = ()) -> Verdict:
        """Take one answer of the agreement (its ``chain`` counted) and the data set for the run, in one transaction."""
        data_set = use.plan.data_set
        with self._database.alone() as work:
            charged = work.one(_CHARGED, key=use.run)
            if charged and charged["data_set"] != data_set:
                return deny("privacy.charged_otherwise", "This run was charged before.", "Start a new run.")
            held = self._allowance(work.rows(_CHARGES, key=data_set), data_set)
            following = held.reserve(use.run, agreement_id, allowance, self._clock(), chain)
            if isinstance(following, Denied):
                return following
            _put_charge(work, following, use.run)
        return Allowed()

    def runs_under(self, agreement_id: str) -> tuple[str, ...]:
        """Runs that were ever charged to an agreement."""
        return tuple(row["run"] for row in self._database.rows(_CHARGED_UNDER, key=agreement_id))

    def move_charge(self, run_id: str, event_name: str) -> None:
        """``spend`` or ``give_back`` a run's charge; for a run never charged, giving back changes nothing."""
        with self._database.alone() as work:
            charged = work.one(_CHARGED, key=run_id)
            if not charged and event_name == "give_back":
                return
            data_set = charged["data_set"] if charged else ""
            held = self._allowance(work.rows(_CHARGES, key=data_set), data_set)
            _put_charge(work, held.spend(run_id) if event_name == "spend" else held.give_back(run_id), run_id)

    def _allowance(self, rows: list[Row], data_set: str) -> Allowance:
        return Allowance(data_set, self._cap, tuple(Charge(**row) for row in rows))

    # --- gate.ReleaseStore -------------------------------------------------------------------

    async def open(self, fresh: Record) -> Record | Denied:
        """See the port."""
        with self._database.alone() as work:
            found = work.rows(_SAME_RUN_OR_NONCE, one_run=fresh.run, one_nonce=fresh.nonce)
            if not found:
                names = {"run": fresh.run, "nonce": fresh.nonce, "request": fresh.request}
                work.write(_ADD_RECORD, **names, record=encode_msgpack(fresh))
                return fresh
        own = next((row for row in found if row["run"] == fresh.run), None)
        if own is not None and own["request"] != fresh.request:
            return deny("gate.other_request", "This run is another request's.", "Start a new run.")
        if own is None or len(found) > 1:
            return deny("terms.replayed", "A request with this nonce was seen before.", "Draw a fresh nonce and sign.")
        return decode_msgpack(own["record"], Record)

    async def save(self, before: Record, after: Record) -> None:
        """See the port. Records are compared as values: an older version may have written fewer fields."""
        with self._database.alone() as work:
            found = work.one(_RECORD, key=before.run)
            if found is None or decode_msgpack(found["record"], Record) != before:
                raise RecordMoved("The record was changed by somebody else.", remedy="Carry the use through again.")
            work.write(_SAVE_RECORD, key=before.run, after=encode_msgpack(after))

    def record(self, run_id: str) -> Record | None:
        """The gate's record of a run."""
        found = self._database.one(_RECORD, key=run_id)
        return decode_msgpack(found["record"], Record) if found else None

    def recorded_runs(self) -> tuple[str, ...]:
        """Every run that the gate has a record of, by id."""
        return tuple(row["run"] for row in self._database.rows(_RECORDED))

    def nonce_used(self, nonce: str, run_id: str) -> bool:
        """Whether another run used this nonce."""
        return bool(self._database.rows(_NONCE, once=nonce, key=run_id))

    def cells_of(self, data_set: str) -> tuple[CellRow, ...]:
        """Released cells of a data set, with the files that hold their persons."""
        return tuple(CellRow(**row) for row in self._database.rows(_CELLS, key=data_set))

    def keep_cell_rows(self, run_id: str, rows: tuple[CellRow, ...], compared: tuple[ReleasedCell, ...]) -> Verdict:
        """Keep a run's cells, unless a cell that another run keeps was not compared with; one transaction."""
        data_set = rows[0].data_set if rows else ""
        own = {row.cell for row in rows}
        with self._database.alone() as work:
            found = work.rows(_CELLS_OF_OTHERS, key=data_set, one_run=run_id)
            # A finer set is compared with its like alone: one of a column that this run does not read is not missed.
            kept = [ReleasedCell(**row) for row in found if not is_finer(row["cell"]) or row["cell"] in own]
            verdict = check_layout(compared, kept)
            if isinstance(verdict, Denied):
                return verdict
            work.write(_DROP_CELLS, key=run_id)
            for row in rows:
                work.write(_ADD_CELL, **msgspec.structs.asdict(row))
        return Allowed()

    async def drop_cells(self, run: str) -> None:
        """See the port."""
        with self._database.alone() as work:
            work.write(_DROP_CELLS, key=run)


def _run_row(row: Row) -> RunRow:
    return RunRow(**{**row, "uploaded": bool(row["uploaded"])})


def _put_charge(work: Work, allowance: Allowance, run_id: str) -> None:
    found = allowance.charge(run_id)
    if found is not None:
        work.write(_PUT_CHARGE, data_set=allowance.data_set, **msgspec.structs.asdict(found))
