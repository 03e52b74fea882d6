"""What a key holder's evaluations were spent on: hospitals, studies and numbers, never an element or an identity."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
from sqlalchemy import URL, MetaData, Table, bindparam, func, insert, select

from xinglin.kernel.verdict import Denied
from xinglin.secure.blind.keeping import Spending
from xinglin.secure.blind.quota import QuotaRule, Standing, judge
from xinglin.stores.columns import number, octets, words
from xinglin.stores.database import Database, Work, sqlite_url
from xinglin.stores.database_errors import StoreError
from xinglin.stores.tls import write_private

SCHEMA_VERSION = 1

_meta = MetaData()
spent = Table(
    "blind_spending",
    _meta,
    octets("batch", key=True),
    words("node", key=True),
    words("study", index=True),
    number("period"),
    number("patients"),
    number("elements"),
    number("at"),
    octets("salt"),
)
_SAME = select(spent).where(spent.c.batch == bindparam("named"), spent.c.node == bindparam("asker"))
_MINE = (spent.c.node == bindparam("asker"), spent.c.period == bindparam("now"))
_PATIENTS = select(spent.c.patients).where(*_MINE).order_by(spent.c.at).limit(1)
_BEFORE = (
    select(spent.c.patients)
    .where(spent.c.node == bindparam("asker"), spent.c.period < bindparam("now"))
    .order_by(spent.c.period.desc(), spent.c.at)
    .limit(1)
)
_STUDIES = select(spent.c.study, func.sum(spent.c.elements).label("elements")).where(*_MINE).group_by(spent.c.study)
_ADD = insert(spent)
_ALL = select(spent).order_by(spent.c.at, spent.c.batch)


SEED_BYTES = 32


class SeedDamaged(StoreError):
    """A file that should hold a key holder's seed, and does not."""

    code = "stores.seed_damaged"


def private_seed(path: Path, entropy: Callable[[int], bytes]) -> bytes:
    """The seed kept at ``path``, made there at the first call; ``SeedDamaged`` when it has another length.

    A lost seed is a lost key share: every pseudonym of every study has to be made anew.
    """
    if not path.exists():
        write_private(path, entropy(SEED_BYTES))
    seed = path.read_bytes()
    if len(seed) != SEED_BYTES:
        raise SeedDamaged(f"{path.name} does not hold {SEED_BYTES} bytes.", remedy="Restore it from its backup.")
    return seed


class BlindLedger:
    """Port ``Ledger`` of ``secure.blind.keeping`` on SQLite in a folder, or on PostgreSQL by URL."""

    def __init__(self, url: str | URL, schema: str = "", *, accept_loss: bool = False) -> None:
        self._database = Database(url, schema)
        self._database.install(_meta, SCHEMA_VERSION, accept_loss=accept_loss)

    @classmethod
    def in_folder(cls, folder: Path) -> BlindLedger:
        """The database file ``blind.db`` in ``folder``."""
        return cls(sqlite_url(folder / "blind.db"))

    def spend(self, spending: Spending, rule: QuotaRule) -> Spending | Denied:
        """See the port."""
        with self._database.alone() as work:
            before = work.one(_SAME, named=spending.batch, asker=spending.node)
            if before is not None:
                return Spending(**before)
            verdict = judge(rule, spending.node, _standing(work, spending), spending.patients, spending.elements)
            if isinstance(verdict, Denied):
                return verdict
            work.write(_ADD, **msgspec.structs.asdict(spending))
            return spending

    def spendings(self) -> tuple[Spending, ...]:
        """Every note, oldest first, for who opens the commitments to an auditor."""
        return tuple(Spending(**row) for row in self._database.rows(_ALL))

    def close(self) -> None:
        """Close every connection."""
        self._database.close()


def _standing(work: Work, asked: Spending) -> Standing:
    found = work.one(_PATIENTS, asker=asked.node, now=asked.period)
    studies = {row["study"]: int(row["elements"]) for row in work.rows(_STUDIES, asker=asked.node, now=asked.period)}
    patients = -1 if found is None else found["patients"]
    earlier = work.one(_BEFORE, asker=asked.node, now=asked.period)
    before = -1 if earlier is None else earlier["patients"]
    return Standing(patients, studies.get(asked.study, 0), asked.study in studies, len(studies), before)
