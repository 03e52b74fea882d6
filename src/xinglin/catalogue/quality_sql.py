"""Checks as SELECTs over current views (DuckDB), for a session that has them; text alone, nothing runs here."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from xinglin.catalogue.quality import QualityCheck

TRACE = ("id", "patient", "source", "message", "place")
"""What is shown of a failing row, besides its column."""


def able(check: QualityCheck, tables: Mapping[str, Collection[str]]) -> bool:
    """Whether ``tables`` (name to columns) have what the check looks at."""
    own = tables.get(check.table)
    if own is None or "id" not in own or not set(check.needs) <= set(own):
        return False
    if check.join in ("patient", "death", "encounter") and check.join not in tables:
        return False
    if check.join == "repeats" and "patient" not in own:
        return False
    return check.join != "refers" or check.of in tables


def counts_select(checks: Sequence[QualityCheck], tables: Mapping[str, Collection[str]]) -> str:
    """One row: for each check ``rows``, ``failing``, ``persons``, ``persons_failing``, in this order.

    The checks are of one table and have the same join (``grouped``), so that the table is read once for all.
    """
    person = 'f."patient"' if "patient" in tables[checks[0].table] else "NULL"
    parts = []
    for number, check in enumerate(checks):
        said, bad = f"({check.applies})", f"({check.applies}) AND ({check.fails})"
        parts += [
            f"count(*) FILTER (WHERE {said}) AS c{4 * number}",
            f"count(*) FILTER (WHERE {bad}) AS c{4 * number + 1}",
            f"count(DISTINCT {person}) FILTER (WHERE {said}) AS c{4 * number + 2}",
            f"count(DISTINCT {person}) FILTER (WHERE {bad}) AS c{4 * number + 3}",
        ]
    return f"SELECT {', '.join(parts)} FROM {_relation(checks[0], tables)}"  # noqa: S608 (canonical names)


def failing_select(check: QualityCheck, tables: Mapping[str, Collection[str]], limit: int) -> str:
    """Failing rows: ``TRACE`` and the column looked at (``value``), newest first, at most ``limit``."""
    own = tables[check.table]
    shown = [f'f."{name}"' if name in own else f'NULL AS "{name}"' for name in TRACE]
    value = f'CAST(f."{check.column}" AS VARCHAR)' if check.column in own else "NULL"
    order = "f.recorded_at DESC NULLS LAST, f.id" if "recorded_at" in own else "f.id"
    return (
        f"SELECT {', '.join(shown)}, {value} AS value FROM {_relation(check, tables)} "  # noqa: S608 (canonical names)
        f"WHERE ({check.applies}) AND ({check.fails}) ORDER BY {order} LIMIT {int(limit)}"
    )


def grouped(checks: Sequence[QualityCheck]) -> list[list[QualityCheck]]:
    """Checks that can be counted in one pass."""
    found: dict[tuple[str, ...], list[QualityCheck]] = {}
    for one in checks:
        own = one.needs if one.join == "repeats" else (one.column,) if one.join == "refers" else ()
        found.setdefault((one.table, one.join, *own), []).append(one)
    return list(found.values())


def _relation(check: QualityCheck, tables: Mapping[str, Collection[str]]) -> str:
    table, own = f'"{check.table}"', tables[check.table]
    record = "patient_record" if "patient_record" in own else "patient"
    if check.join == "patient":
        # A record is looked up by the source's own key, whoever the person is now.
        columns = ", ".join(name if name in tables["patient"] else f"NULL AS {name}" for name in _OF_PATIENT)
        people = f"(SELECT id, {columns} FROM patient)"  # noqa: S608 (canonical names)
        return f'{table} AS f LEFT JOIN {people} AS p ON f."{record}" = p.id'
    if check.join == "death":
        deaths = "(SELECT patient, min(died_at) AS died_at FROM death GROUP BY patient)"
        return f'{table} AS f LEFT JOIN {deaths} AS d ON f."patient" = d.patient'
    if check.join == "encounter":
        visits = "(SELECT id, started, ended FROM encounter)"
        return f'{table} AS f LEFT JOIN {visits} AS e ON f."encounter" = e.id'
    if check.join == "refers":
        return f'{table} AS f LEFT JOIN (SELECT id FROM "{check.of}") AS r ON f."{check.column}" = r.id'  # noqa: S608
    if check.join == "repeats":
        same = ", ".join(f'"{name}"' for name in check.needs)
        window = f"OVER (PARTITION BY {same} ORDER BY id)"
        numbered = f'row_number() {window} AS "#n", first_value("patient") {window} AS "#first"'
        return f"(SELECT *, {numbered} FROM {table}) AS f"  # noqa: S608 (canonical names)
    return f"{table} AS f"


_OF_PATIENT = ("birth_date", "sex")
