"""Runs the catalogue's checks over current views on a locked engine, and keeps what each run found.

Counts and failing rows are for the hospital's own eyes; ``catalogue.quality.quality_statement`` is what may leave.
Runs are rows of the lake's table ``quality_run``: no key of a person is in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
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
RUNS_SHOWN = Limit("kept runs shown", 400, "runs")
Tell = Callable[[int, int], None]
"""Told after each read of a table how many checks are done, and of how many; what it raises ends the run."""


def quiet(_done: int, _all: int) -> None:
    """A ``Tell`` that nobody listens to."""


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
    lake: Lake,
    at: Instant,
    *,
    tables: Iterable[str] | None = None,
    limits: QueryLimits | None = None,
    tell: Tell = quiet,
) -> Scorecard:
    """Every check of the canonical tables that exist (or of ``tables`` alone), over their newest versions.

    A check whose columns or tables are not there is left out. Raises ``QueryFailed``.
    """
    snapshot = _pinned(lake)
    with read_current(lake, snapshot, limits or NIGHTLY) as session:
        known = known_columns(session, snapshot)
        wanted = set(known if tables is None else tables)
        chosen = [one for one in quality_checks() if one.table in wanted and able(one, known)]
        results = run_checks(session, chosen, known, tell)
    return Scorecard(at, snapshot.digest(), results)


def checked(lake: Lake, at: Instant, tables: Sequence[str] = (), *, tell: Tell = quiet) -> Scorecard:
    """Run the checks of ``tables`` (none named: of all); only a run of all of them is kept."""
    card = run_quality(lake, at, tables=tables or None, tell=tell)
    if not tables and card.results:
        keep_run(lake, card)
    return card


def run_checks(
    session: QuerySession, checks: Sequence[QualityCheck], known: Mapping[str, Sequence[str]], tell: Tell = quiet
) -> tuple[CheckResult, ...]:
    """Results in the order of ``checks``; a table is read once for all checks of the same join."""
    found: dict[str, CheckResult] = {}
    tell(0, len(checks))
    for group in grouped(checks):
        (row,) = session.run(counts_select(group, known)).to_pylist()
        counts = list(row.values())
        for number, check in enumerate(group):
            found[check.id] = judge(check, *(int(one) for one in counts[4 * number : 4 * number + 4]))
        tell(len(found), len(checks))
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
    found = kept_runs(lake, 1)
    return found[0] if found else None


def kept_runs(lake: Lake, most: int = 60) -> tuple[Scorecard, ...]:
    """The newest kept scorecards, oldest first. Raises ``LimitExceeded`` beyond ``RUNS_SHOWN``."""
    import pyarrow.compute as pc

    RUNS_SHOWN.check(most)
    if QUALITY_RUN not in lake.names():
        return ()
    table = lake.open(QUALITY_RUN).to_pyarrow_table()
    newest = sorted(pc.unique(table.column("at")).to_pylist())[-most:]
    names = [field.name for field in msgspec.structs.fields(CheckResult)]
    rows: dict[int, list[dict[str, Any]]] = {}
    for row in table.filter(pc.greater_equal(table.column("at"), newest[0])).to_pylist() if newest else ():
        rows.setdefault(row["at"], []).append(row)
    return tuple(_scorecard(at, of, names) for at, of in sorted(rows.items()))


def _scorecard(at: Instant, rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Scorecard:
    results = tuple(CheckResult(**{name: row[name] for name in names}) for row in rows)
    return Scorecard(at, rows[0]["snapshot"], results, rows[0]["rules"])


def _pinned(lake: Lake) -> Snapshot:
    held = set(lake.names())
    return lake.pin_newest(table.name for table in CANONICAL_TABLES if table.name in held)
