"""Days of a source as the lake holds them: counts with their keys, for reconciliation, and profiles, for drift.

A day is one at the hospital (``zone_minutes`` from UTC). Profiles are frozen: once kept in ``drift_day``, a day's
profile is what later days are compared with. ``drift_day`` holds local codes with their counts, and no key of a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.lake.current import listed, literal
from xinglin.lake.delta import Lake
from xinglin.lake.model import NIGHTLY
from xinglin.lake.query import QuerySession
from xinglin.lake.reading import ROWS, read_current

DRIFT_DAY = "drift_day"
CHINA = 480
PROFILED_CODES = Limit("codes profiled a day", 10_000, "codes")

MOMENTS: dict[str, str] = {
    "encounter": "started",
    "condition": "recorded",
    "observation": "effective",
    "medication": "authored",
    "procedure": "started",
    "report": "issued",
    "imaging": "started",
    "immunization": "occurred",
}
"""The moment that a fact's day is taken from."""

_WATCHED = {
    "encounter": ("class", "ended", "department"),
    "condition": ("code", "onset"),
    "observation": ("code", "value_number", "value_unit"),
    "medication": ("code", "dose_number"),
    "procedure": ("code",),
    "report": ("code",),
    "imaging": ("modality",),
    "immunization": ("code",),
}
"""Columns whose gaps are watched."""

_LOCAL = {"encounter": "class", "imaging": "modality"}
"""What stands for a local code where the table has no concept of its own."""


class KeyedDay(msgspec.Struct, frozen=True):
    """Facts of one source, table and day. ``keys``: key to fact id; see ``intake.reconcile.HereCount``."""

    count: int
    keys: dict[str, str]
    other_days: frozenset[str]
    taken_back: frozenset[str]

    def __repr__(self) -> str:
        """Without keys."""
        return f"KeyedDay({self.count})"


class DayRow(msgspec.Struct, frozen=True):
    """A day's profile; see ``intake.drift.DayProfile``, which has the same fields."""

    source: str
    table: str
    day: str
    rows: int
    codes: dict[str, int]
    units: dict[str, int]
    missing: dict[str, int]


def keyed_day(
    lake: Lake, source: str, table: str, moment: str, day: str, keys: Iterable[str] = (), zone_minutes: int = CHINA
) -> KeyedDay:
    """What holds now of a source's table on a day; of ``keys`` (as the source writes them), which are elsewhere.

    ``moment``: the column that gives the day; empty: of every day.
    """
    if table not in lake.names():
        return KeyedDay(0, {}, frozenset(), frozenset())
    snapshot = lake.pin_newest([table])
    with read_current(lake, snapshot, NIGHTLY) as session:
        identifier = "identifier" if "identifier" in session.columns(table) else "NULL"
        here = f"source = {literal(source)}"
        on_day = f"{_day(moment, zone_minutes)} = {literal(day)}" if moment else "true"
        select = f'SELECT id, CAST({identifier} AS VARCHAR) AS own FROM "{table}" WHERE {here} AND '  # noqa: S608
        rows = session.run(select + f"({on_day})").to_pylist()
        found = {row["id"]: row["id"] for row in rows} | {row["own"]: row["id"] for row in rows if row["own"]}
        asked = _keys_like(keys)
        if not asked:
            return KeyedDay(len(rows), found, frozenset(), frozenset())
        elsewhere = session.run(f"{select}({on_day}) IS NOT TRUE AND {_matches(asked, identifier)}").to_pylist()
        every = f'SELECT id, CAST({identifier} AS VARCHAR) AS own FROM "{ROWS}{table}" WHERE {here} '  # noqa: S608
        stored = session.run(f"{every} AND {_matches(asked, identifier)}").to_pylist()
    others = frozenset(key for row in elsewhere for key in (row["id"], row["own"]) if key)
    known = {key for row in stored for key in (row["id"], row["own"]) if key}
    return KeyedDay(len(rows), found, others, frozenset(known - set(found) - others))


def day_profiles(lake: Lake, first: str, last: str, zone_minutes: int = CHINA) -> tuple[DayRow, ...]:
    """Profiles of every source, table and day from ``first`` to ``last``, both included.

    Codes beyond ``PROFILED_CODES`` a day are counted in none; units only where the table has them.
    """
    names = [name for name in MOMENTS if name in lake.names()]
    if not names:
        return ()
    found: list[DayRow] = []
    snapshot = lake.pin_newest(names)
    with read_current(lake, snapshot, NIGHTLY) as session:
        for name in names:
            found += _profiles(session, name, first, last, zone_minutes)
    return tuple(sorted(found, key=lambda one: (one.source, one.table, one.day)))


def first_day(lake: Lake, zone_minutes: int = CHINA) -> str:
    """The first day that any fact is of; empty where there is none."""
    names = [name for name in MOMENTS if name in lake.names()]
    if not names:
        return ""
    found: list[str] = []
    snapshot = lake.pin_newest(names)
    with read_current(lake, snapshot, NIGHTLY) as session:
        for name in names:
            if (moment := MOMENTS[name]) in session.columns(name):
                day = _day(moment, zone_minutes)
                select = f'SELECT min({day}) AS day FROM "{name}"'  # noqa: S608 (canonical names)
                found += [row["day"] for row in session.run(select).to_pylist() if row["day"]]
    return min(found, default="")


def keep_days(lake: Lake, days: Sequence[DayRow], at: Instant) -> int:
    """Freeze profiles of days that are over: a day that was kept before is left as it was; how many were new."""
    import pyarrow as pa

    known = {(one.source, one.table, one.day) for one in kept_days(lake)}
    new = [one for one in days if (one.source, one.table, one.day) not in known]
    if not new:
        return 0
    texts = {name: pa.array([getattr(one, name) for one in new], pa.string()) for name in ("source", "table", "day")}
    counts = {
        name: pa.array([msgspec.json.encode(getattr(one, name), order="sorted").decode() for one in new], pa.string())
        for name in ("codes", "units", "missing")
    }
    rows = {"rows": pa.array([one.rows for one in new], pa.int64()), "at": pa.array([at] * len(new), pa.int64())}
    lake.append(DRIFT_DAY, pa.table({**texts, **rows, **counts}))
    return len(new)


def kept_days(lake: Lake, source: str = "") -> tuple[DayRow, ...]:
    """Frozen profiles, in order; of one source where it is named."""
    if DRIFT_DAY not in lake.names():
        return ()
    counts = msgspec.json.Decoder(dict[str, int])
    rows = lake.open(DRIFT_DAY).to_pyarrow_table().to_pylist()
    found = [
        DayRow(
            row["source"],
            row["table"],
            row["day"],
            row["rows"],
            *(counts.decode(row[name]) for name in ("codes", "units", "missing")),
        )
        for row in sorted(rows, key=lambda row: (row["source"], row["table"], row["day"], row["at"]))
        if not source or row["source"] == source
    ]
    return tuple({(one.source, one.table, one.day): one for one in reversed(found)}.values())[::-1]


def _profiles(session: QuerySession, name: str, first: str, last: str, zone_minutes: int) -> list[DayRow]:
    columns = session.columns(name)
    moment = MOMENTS[name]
    if moment not in columns or "source" not in columns:
        return []
    day = _day(moment, zone_minutes)
    of = f'SELECT source, {day} AS day, * EXCLUDE (source) FROM "{name}"'  # noqa: S608 (canonical names)
    span = f"WHERE day BETWEEN {literal(first)} AND {literal(last)} AND source IS NOT NULL"
    watched = [column for column in _WATCHED[name] if column in columns]
    gaps = [f'count(*) FILTER (WHERE "{one}" IS NULL) AS "g{n}"' for n, one in enumerate(watched)]
    counts = ", ".join(["count(*) AS n", *gaps])
    rows = session.run(f"SELECT source, day, {counts} FROM ({of}) {span} GROUP BY source, day").to_pylist()  # noqa: S608
    local = _LOCAL.get(name, "coalesce(code_source, code)")
    needed = {"code_source", "code"} if name not in _LOCAL else {_LOCAL[name]}
    codes = _counted(session, of, span, local) if needed <= set(columns) else {}
    unit = "value_unit_source"
    units = _counted(session, of, span, f"coalesce({unit}, value_unit)") if unit in columns else {}
    return [
        DayRow(
            row["source"],
            name,
            row["day"],
            row["n"],
            codes.get((row["source"], row["day"]), {}),
            units.get((row["source"], row["day"]), {}),
            {column: row[f"g{n}"] for n, column in enumerate(watched)},
        )
        for row in rows
    ]


def _counted(session: QuerySession, of: str, span: str, what: str) -> dict[tuple[str, str], dict[str, int]]:
    found: dict[tuple[str, str], dict[str, int]] = {}
    rows = session.run(
        f"SELECT source, day, what, count(*) AS n FROM (SELECT *, {what} AS what FROM ({of})) {span} "  # noqa: S608
        f"AND what IS NOT NULL GROUP BY source, day, what "
        f"QUALIFY row_number() OVER (PARTITION BY source, day ORDER BY n DESC, what) <= {PROFILED_CODES.value}"
    ).to_pylist()
    for row in rows:
        found.setdefault((row["source"], row["day"]), {})[row["what"]] = row["n"]
    return found


def _day(moment: str, zone_minutes: int) -> str:
    """The day of a moment at the hospital, as text. Dates have no zone."""
    shifted = f'CAST(make_timestamp((epoch_ms("{moment}") + {zone_minutes * 60_000}) * 1000) AS DATE)'
    return f"CAST({shifted} AS VARCHAR)"


def _keys_like(keys: Iterable[str]) -> list[str]:
    return sorted({key.rsplit("/", 1)[-1].partition("#")[0] for key in keys})


def _matches(keys: Sequence[str], identifier: str) -> str:
    last = "string_split(string_split(id, '/')[-1], '#')[1]"
    return f"({last} IN ({listed(keys)}) OR CAST({identifier} AS VARCHAR) IN ({listed(keys)}))"
