"""Rows of reservations beside a ledger of privacy budgets: within its transactions, and no part of its chain."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from sqlalchemy import BigInteger, Index, MetaData, Table, bindparam, delete, insert, or_, select, update

from xinglin.kernel.instants import Instant
from xinglin.privacy.noise.reserving import DAY_MS, OPEN, RESERVED_MS, Reservation
from xinglin.stores.columns import number, words
from xinglin.stores.database import Work

meta = MetaData()
reserved = Table(
    "budget_reserved",
    meta,
    words("data_set", key=True),
    words("run", key=True),
    words("study"),
    words("query"),
    number("rho_units"),
    number("at"),
    words("asked"),
    number("ended"),
    Index("budget_reserved_run", "run"),
)
"""A row goes when its run pays, and a day after a reservation that was not paid."""

_ADD = insert(reserved)
_OF_BUDGET = select(reserved).where(reserved.c.data_set == bindparam("one")).order_by(reserved.c.at, reserved.c.run)
_OF_RUN = select(reserved).where(reserved.c.run == bindparam("of_run")).order_by(reserved.c.data_set)
_HELD = _OF_BUDGET.where(
    (reserved.c.ended == OPEN) | or_(reserved.c.run == bindparam("of_run"), reserved.c.study == bindparam("by"))
)
_OPEN = _OF_BUDGET.where(reserved.c.ended == OPEN)
_NOW, _RUN = bindparam("now", type_=BigInteger()), reserved.c.run == bindparam("of_run")
_IS_OPEN = reserved.c.ended == OPEN
_END = update(reserved).where(_RUN & _IS_OPEN).values(ended=_NOW)
_PAID = delete(reserved).where(_RUN)
_TIMED_OUT = (reserved.c.at <= _NOW - RESERVED_MS.value) | (reserved.c.at >= _NOW + RESERVED_MS.value)
_LAPSE = update(reserved).where(_IS_OPEN & _TIMED_OUT).values(ended=reserved.c.at + RESERVED_MS.value)
_OLD = (reserved.c.at <= _NOW - DAY_MS) | (reserved.c.at > _NOW + DAY_MS)
_FORGET = delete(reserved).where((reserved.c.ended != OPEN) & _OLD)


def known(work: Work, root: str, study: str, run: str) -> tuple[Reservation, ...]:
    """What matters to a run of ``study``: open reservations of a budget, and the study's and the run's own."""
    return tuple(Reservation(**row) for row in work.rows(_HELD, one=root, by=study, of_run=run))


def holding(work: Work, root: str, now: Instant) -> tuple[Reservation, ...]:
    """Reservations of a budget that hold at ``now``."""
    found = (Reservation(**row) for row in work.rows(_OPEN, one=root))
    return tuple(one for one in found if one.holds(now))


def sweep(work: Work, now: Instant) -> None:
    """End what is over, for good, and forget what is a day old."""
    work.write(_LAPSE, now=now)
    work.write(_FORGET, now=now)


def add(work: Work, reservations: Iterable[Reservation]) -> None:
    """Keep them."""
    for one in reservations:
        work.write(_ADD, **msgspec.structs.asdict(one))


def end(work: Work, run: str, now: Instant) -> tuple[str, ...]:
    """End what a run holds in any budget; the data sets it asked for."""
    asked = {str(row["asked"]) for row in work.rows(_OF_RUN, of_run=run) if row["ended"] == OPEN}
    if asked:
        work.write(_END, of_run=run, now=now)
    return tuple(sorted(asked))


def pay(work: Work, run: str) -> None:
    """The run paid: what it held is a charge now, in the same transaction."""
    work.write(_PAID, of_run=run)
