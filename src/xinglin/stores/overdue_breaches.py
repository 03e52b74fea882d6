"""Breaches that became overdue, as a node noted them: once noted they stay, whatever its clock says later."""

from __future__ import annotations

from pathlib import Path

import msgspec
from sqlalchemy import URL, MetaData, Table, bindparam, select, text

from xinglin.kernel.instants import Instant
from xinglin.stores.columns import number, words
from xinglin.stores.database import Database, sqlite_url
from xinglin.stores.node_database import SCHEMA, SCHEMA_VERSION

_meta = MetaData()
overdue = Table(
    "overdue_breach",
    _meta,
    words("agreement", key=True),
    words("notice", key=True),
    number("due", key=True),
    number("at"),
    words("state"),
    number("rule"),
    words("reason"),
)
_ALL = select(overdue).order_by(overdue.c.at, overdue.c.notice, overdue.c.due)
_ADD = text(
    "INSERT INTO overdue_breach (agreement, notice, due, at, state, rule, reason) "
    "VALUES (:agreement, :notice, :due, :at, :state, :rule, :reason) ON CONFLICT (agreement, notice, due) DO NOTHING"
)
_MOVE = (
    overdue.update()
    .where(
        (overdue.c.agreement == bindparam("of"))
        & (overdue.c.notice == bindparam("about"))
        & (overdue.c.due == bindparam("since"))
    )
    .values(state=bindparam("now"), rule=bindparam("by"), reason=bindparam("why"))
)


class OverdueRow(msgspec.Struct, frozen=True):
    """A date of a notice of breach that was missed: which, when that was noted, and what was done, by which rule.

    ``state``: of ``contract.OVERDUE_STATES``. ``rule``: 0 where none held.
    """

    agreement: str
    notice: str
    due: Instant
    at: Instant
    state: str
    rule: int = 0
    reason: str = ""


class OverdueBreaches:
    """In the node's database; a row is durable when its call returns, and is never deleted."""

    def __init__(self, url: str | URL) -> None:
        self._database = Database(url, SCHEMA)
        self._database.install(_meta, SCHEMA_VERSION)

    @classmethod
    def in_folder(cls, folder: Path) -> OverdueBreaches:
        """In the node's own file ``node.db``."""
        return cls(sqlite_url(folder / "node.db"))

    def close(self) -> None:
        """Close every connection."""
        self._database.close()

    def note(self, row: OverdueRow) -> bool:
        """Note a missed date; False where it is noted already, and nothing changes."""
        return self._database.write(_ADD, **msgspec.structs.asdict(row)) == 1

    def keep(self, row: OverdueRow) -> None:
        """Keep what was done about a missed date that is noted."""
        values = {"of": row.agreement, "about": row.notice, "since": row.due}
        self._database.write(_MOVE, **values, now=row.state, by=row.rule, why=row.reason)

    def all(self) -> tuple[OverdueRow, ...]:
        """Every missed date, in the order in which they were noted."""
        return tuple(OverdueRow(**row) for row in self._database.rows(_ALL))
