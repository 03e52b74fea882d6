"""What a hospital asks about its own data: reconciliation, drift, statements and lineage, over its folder.

Reads the lake, the ledger and the raw store beside a running intake; writes only frozen days and kept runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Protocol

import msgspec

from xinglin.catalogue.confirming import SettledGrade
from xinglin.catalogue.lineage import LineageGraph
from xinglin.catalogue.model import DataSetDescription
from xinglin.catalogue.quality import quality_statement
from xinglin.catalogue.statement import DataSetStatement, data_set_statement
from xinglin.intake.drift import DayProfile, drift
from xinglin.intake.lineage import TracedFact, source_graph, trace, with_products
from xinglin.intake.model import HeldRow, ObjectRow, Source
from xinglin.intake.quality import Alarm
from xinglin.intake.reconcile import Objects as RawObjects
from xinglin.intake.reconcile import Reconciled, SourceCount
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Instant
from xinglin.lake.delta import Lake
from xinglin.lake.lineage import product_edges, versions_of_fact
from xinglin.lake.quality import last_run
from xinglin.lake.quality_coverage import count_for_statement
from xinglin.lake.quality_days import CHINA, DayRow, day_profiles, first_day, keep_days, kept_days
from xinglin.node.intake.comparing import Since, compare
from xinglin.node.intake.wiring import node_reading
from xinglin.terms.consent import PersonFilter
from xinglin.trust.keys import PrivateKeys

HELD_PAGE = 1_000
BACK_DAYS = 60
"""Days that are frozen at the first call."""
LATE_MS = 4 * 3_600_000
"""So long after a day's end its rows still come in; the nights sum it up later than that."""


class DayGoesOn(XinglinError):
    """A day that is to be summed up, and is not over at the hospital, or was not long ago."""

    code = "node.day_goes_on"


class DayWithoutRows(XinglinError):
    """A day that is to be summed up, and is before every row of the lake."""

    code = "node.day_without_rows"


class Accounts(Protocol):
    """The ledger's accounts, as far as they are asked here."""

    def held(self, after: int = 0, limit: int = 100) -> tuple[HeldRow, ...]:
        """Open quarantined and rejected records."""
        ...

    def object(self, digest: str) -> ObjectRow | None:
        """What became of one object."""
        ...


def reconcile_counts(
    counts: Iterable[SourceCount], lake: Lake, accounts: Accounts | None, raw: RawObjects | None, objects: Since
) -> tuple[Reconciled, ...]:
    """Each count against the lake; reasons from the ledger and, where ``raw`` is there, from the raw objects."""
    held = tuple(_every_held(accounts)) if accounts is not None else ()
    return tuple(compare(theirs, lake, held, raw, objects) for theirs in counts)


def reconciled(
    folder: Path, counts: tuple[SourceCount, ...], keys: Callable[[], PrivateKeys]
) -> tuple[Reconciled, ...]:
    """The same over a node's folder; raw objects are opened, with ``keys``, only where records are named."""
    given = keys() if any(one.keys for one in counts) else None
    with node_reading(folder, given) as reading:
        return reconcile_counts(counts, reading.lake, reading.accounts, reading.raw, reading.objects_since)


def drifted(
    lake: Lake, day: str, at: Instant, source: str = "", back_days: int = BACK_DAYS
) -> tuple[int, tuple[Alarm, ...]]:
    """Freeze the days up to ``day`` and compare it with those before: how many days of tables were new, and alarms.

    What is frozen stands for ever, so a day is taken once its rows are in. Raises ``DayGoesOn``, ``DayWithoutRows``.
    """
    here = datetime.fromtimestamp((at - LATE_MS) / 1000, timezone(timedelta(minutes=CHINA))).date()
    if date.fromisoformat(day) >= here:
        words = "This day is not over, or its rows still come in: it would be summed up for ever."
        raise DayGoesOn(words, remedy="Name an earlier day.")
    first = first_day(lake)
    if not first or day < first:
        raise DayWithoutRows("No row is of this day, or of one before it.", remedy="Name a later day.")
    return frozen_days(lake, day, at, back_days=back_days), drift_alarms(lake, day, source)


def frozen_days(lake: Lake, last: str, at: Instant, *, back_days: int = BACK_DAYS, zone_minutes: int = CHINA) -> int:
    """Freeze the days that end with ``last``; how many were new. Days before today only: a day that goes on is not."""
    first = date.fromordinal(max(1, date.fromisoformat(last).toordinal() - back_days + 1))
    return keep_days(lake, day_profiles(lake, first.isoformat(), last, zone_minutes), at)


def drift_alarms(lake: Lake, day: str, source: str = "") -> tuple[Alarm, ...]:
    """Alarms of one frozen day. A source's table that was there before and has no row that day counts as silent."""
    days = [_profile(one) for one in kept_days(lake, source)]
    found: list[Alarm] = []
    for about in sorted({(one.source, one.table) for one in days}):
        own = [one for one in days if (one.source, one.table) == about]
        today = next((one for one in own if one.day == day), DayProfile(*about, day, 0))
        found += drift(today, own)
    return tuple(found)


def make_statement(
    lake: Lake,
    description: DataSetDescription,
    at: Instant,
    *,
    words: str = "",
    grades: Iterable[SettledGrade] = (),
    persons: PersonFilter | None = None,
) -> DataSetStatement:
    """The public statement of a described data set, with the newest kept quality run; ``persons``: who is counted."""
    counted = count_for_statement(lake, description, at, persons)
    card = last_run(lake)
    return data_set_statement(
        description,
        counted.measured,
        counted.population,
        at,
        words=words,
        quality=quality_statement(card) if card else None,
        grades=grades,
    )


def whole_graph(lake: Lake, sources: Iterable[Source]) -> LineageGraph:
    """Lineage from the registered sources' fields to every product, of the tables that the lake has."""
    held = set(lake.names())
    graph = source_graph(sources)
    graph = LineageGraph(
        tuple(edge for edge in graph.edges if edge.target.layer == "resource" or edge.target.dataset in held)
    )
    products = [edge for name in sorted(held) for edge in product_edges(lake, name)]
    targets = {edge.target for edge in (*graph.edges, *products) if edge.target.layer != "resource"}
    return with_products(graph, products).upstream(targets)


def trace_fact(lake: Lake, accounts: Accounts | None, table: str, fact: str) -> tuple[TracedFact, ...]:
    """Versions of a fact with the raw object and the place that each came from."""
    return trace(table, versions_of_fact(lake, table, fact), accounts.object if accounts is not None else _unknown)


def _unknown(digest: str) -> ObjectRow | None:
    """No ledger, no objects."""
    return None


def _every_held(accounts: Accounts) -> Iterable[HeldRow]:
    after = 0
    while page := accounts.held(after, HELD_PAGE):
        yield from page
        after = page[-1].id


def _profile(one: DayRow) -> DayProfile:
    return DayProfile(**msgspec.structs.asdict(one))
