"""Runs the catalogue's checks over current views on a locked engine, and keeps what each run found.

Counts and failing rows are for the hospital's own eyes; ``catalogue.quality.quality_statement`` is what may leave.
Runs are rows of the lake's table ``quality_run``: no key of a person is in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from xinglin.catalogue.canonical_tables import CANONICAL_TABLES
from xinglin.catalogue.quality import CheckResult, QualityCheck, Scorecard, judge
from xinglin.catalogue.quality_checks import quality_check, quality_checks
from xinglin.catalogue.quality_sql import able, counts_select, failing_select, grouped
from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.lake.delta import Lake
from xinglin.lake.errors import LakeError
from xinglin.lake.model import NIGHTLY, QueryLimits, Snapshot
from xinglin.lake.query import QuerySession
from xinglin.lake.reading import read_current

QUALITY_RUN = "quality_run"
SHOWN_ROWS = Limit("failing rows shown", 1_000, "rows")


class UnknownCheck(LakeError):
    """No check has that id."""

    code = "lake.unknown_check"


class FailingRow(msgspec.Struct, frozen=True):
    """A row that fails a check: which fact, whose, and the message and place that it came from.

    For the hospital's own eyes.
    """

    id: str
    patient: str | None
    source: str | None
    message: str | None
    place: str | None
    value: str | None

    def __repr__(self) -> str:
        """Without anything of the row: a log shows no patient's data."""
        return "FailingRow(…)"


def run_quality(
    lake: Lake, at: Instant, *, tables: Iterable[str] | None = None, limits: QueryLimits | None = None
) -> Scorecard:
    """Every check of the canonical tables that exist (or of ``tables`` alone), over their newest versions.

    A check whose columns or tables are not there is left out. Raises ``QueryFailed``.
    """
    snapshot = _pinned(lake)
    with read_current(lake, snapshot, limits or NIGHTLY) as session:
        known = known_columns(session, snapshot)
        wanted = set(known if tables is None else tables)
        chosen = [one for one in quality_checks() if one.table in wanted and able(one, known)]
        results = run_checks(session, chosen, known)
    return Scorecard(at, snapshot.digest(), results)


def run_checks(
    session: QuerySession, checks: Sequence[QualityCheck], known: Mapping[str, Sequence[str]]
) -> tuple[CheckResult, ...]:
    """Results in the order of ``checks``; a table is read once for all checks of the same join."""
    found: dict[str, CheckResult] = {}
    for group in grouped(checks):
        (row,) = session.run(counts_select(group, known)).to_pylist()
        counts = list(row.values())
        for number, check in enumerate(group):
            found[check.id] = judge(check, *(int(one) for one in counts[4 * number : 4 * number + 4]))
    return tuple(found[check.id] for check in checks)


def failing_rows(lake: Lake, check_id: str, limit: int = 20) -> tuple[FailingRow, ...]:
    """Rows that fail a check now, newest first, with the message and place of each.

    Raises ``UnknownCheck``, ``LimitExceeded`` (more than ``SHOWN_ROWS`` asked for) or ``QueryFailed``.
    """
    SHOWN_ROWS.check(limit)
    check = quality_check(check_id)
    if check is None:
        raise UnknownCheck("There is no check of this id.", remedy="See xinglin quality show.")
    snapshot = _pinned(lake)
    with read_current(lake, snapshot, NIGHTLY) as session:
        known = known_columns(session, snapshot)
        if not able(check, known):
            return ()
        rows = session.run(failing_select(check, known, limit)).to_pylist()
    return tuple(FailingRow(**row) for row in rows)


def known_columns(session: QuerySession, snapshot: Snapshot) -> dict[str, tuple[str, ...]]:
    """The columns of each pinned table's current view."""
    return {pinned.name: session.columns(pinned.name) for pinned in snapshot.tables}


def keep_run(lake: Lake, card: Scorecard) -> int:
    """Append a scorecard to ``quality_run``; the table's version."""
    import pyarrow as pa

    count = len(card.results)
    columns: dict[str, Any] = {
        "at": pa.array([card.at] * count, pa.int64()),
        "snapshot": pa.array([card.snapshot] * count, pa.string()),
        "rules": pa.array([card.rules] * count, pa.int64()),
    }
    for field in msgspec.structs.fields(CheckResult):
        kind = {str: pa.string(), int: pa.int64(), float: pa.float64()}.get(field.type, pa.string())
        columns[field.name] = pa.array([getattr(one, field.name) for one in card.results], kind)
    return lake.append(QUALITY_RUN, pa.table(columns))


def last_run(lake: Lake) -> Scorecard | None:
    """The newest scorecard that was kept; ``None`` where there is none."""
    import pyarrow.compute as pc

    if QUALITY_RUN not in lake.names():
        return None
    table = lake.open(QUALITY_RUN).to_pyarrow_table()
    if not table.num_rows:
        return None
    newest = pc.max(table.column("at")).as_py()
    rows = table.filter(pc.equal(table.column("at"), newest)).to_pylist()
    names = [field.name for field in msgspec.structs.fields(CheckResult)]
    results = tuple(CheckResult(**{name: row[name] for name in names}) for row in rows)
    return Scorecard(newest, rows[0]["snapshot"], results, rows[0]["rules"])


def _pinned(lake: Lake) -> Snapshot:
    held = set(lake.names())
    return lake.pin_newest(table.name for table in CANONICAL_TABLES if table.name in held)
