"""数字合约 at the hub: each contract as it was opened, and every call about it, in order; calls are only ever added."""

from __future__ import annotations

from pathlib import Path

import msgspec
from sqlalchemy import URL, MetaData, Table, bindparam, insert, select

from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.stores.columns import number, octets, words
from xinglin.stores.database import Database, insert_or, sqlite_url

SCHEMA_VERSION = 1
CALLS = Limit("calls about a digital contract", 1_024, "calls")
CALLS_BYTES = Limit("calls about a digital contract, together", 16 * 1024 * 1024, "bytes")

_meta = MetaData()
contract = Table(
    "national_contract",
    _meta,
    words("contract_id", key=True),
    words("digest", unique=True),
    words("provider"),
    words("consumer"),
    words("opened_by"),
    octets("body"),
)
call = Table(
    "national_call",
    _meta,
    words("contract_id", key=True),
    number("number", key=True),
    words("path"),
    words("by"),
    number("at"),
    octets("body"),
)
_PUT = insert_or(contract, "digest", replace=True)
_OF_ID = select(contract).where(contract.c.contract_id == bindparam("named"))
_OF_DIGEST = select(contract).where(contract.c.digest == bindparam("about"))
_ALL = select(contract).order_by(contract.c.contract_id)
_CALLS = select(call).where(call.c.contract_id == bindparam("named")).order_by(call.c.number)
_ADD = insert(call)


class ContractRow(msgspec.Struct, frozen=True):
    """A contract: its 47 characters, its agreement's digest, its parties, who opened it, and its face as opened."""

    contract_id: str
    digest: str
    provider: str
    consumer: str
    opened_by: str
    body: bytes


class CallRow(msgspec.Struct, frozen=True):
    """A call about a contract, numbered from 0: which, by whom, when, and its body as the hub took it."""

    contract_id: str
    number: int
    path: str
    by: str
    at: Instant
    body: bytes


class NationalContracts:
    """SQLite in the hub's folder, or PostgreSQL by URL; a call is durable when its call here returns."""

    def __init__(self, url: str | URL, schema: str, *, accept_loss: bool = False) -> None:
        self._database = Database(url, schema)
        self._database.install(_meta, SCHEMA_VERSION, accept_loss=accept_loss)

    @classmethod
    def in_folder(cls, folder: Path) -> NationalContracts:
        """The database file ``contracts.db`` in ``folder``."""
        return cls(sqlite_url(folder / "contracts.db"), "")

    def close(self) -> None:
        """Close every connection."""
        self._database.close()

    def put(self, row: ContractRow) -> None:
        """Open a contract, or open it under another id."""
        self._database.write(_PUT, **msgspec.structs.asdict(row))

    def of_id(self, contract_id: str) -> ContractRow | None:
        """The contract with this id."""
        found = self._database.one(_OF_ID, named=contract_id)
        return ContractRow(**found) if found else None

    def of_agreement(self, digest: str) -> ContractRow | None:
        """The contract of an agreement."""
        found = self._database.one(_OF_DIGEST, about=digest)
        return ContractRow(**found) if found else None

    def all(self) -> tuple[ContractRow, ...]:
        """Every contract."""
        return tuple(ContractRow(**row) for row in self._database.rows(_ALL))

    def calls(self, contract_id: str) -> tuple[CallRow, ...]:
        """Every call about a contract, oldest first."""
        return tuple(CallRow(**row) for row in self._database.rows(_CALLS, named=contract_id))

    def add(self, row: CallRow) -> bool:
        """Add a call at its place; False where another one took it.

        ``LimitExceeded`` beyond ``CALLS`` and ``CALLS_BYTES``: whoever looks at a contract reads all of them.
        """
        CALLS.check(row.number + 1)
        with self._database.alone() as work:
            before = work.rows(_CALLS, named=row.contract_id)
            if len(before) != row.number:
                return False
            CALLS_BYTES.check(sum(len(one["body"]) for one in before) + len(row.body))
            work.write(_ADD, **msgspec.structs.asdict(row))
        return True
