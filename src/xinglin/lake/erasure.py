"""Erasure of a person: every row, every earlier version that held one, and every trace in the tables' logs.

1. **Who**: the keys asked for and every record that ``person_link`` says is the same person.
2. **What**: rows of these patients; facts whose patient they are, versions without a key among them; in other
   columns, cells that hold such a key (a record that another one was merged into).
3. **Rewrite** each table without them, products too; ``person_link`` last, so that an erasure that was cut off
   finds the same records when it is done again. Every product is then made
   again: it may hold what was a person's without the key.
4. **Remove** every file that the newest version does not have, and every earlier commit: commits name the
   least and greatest value of a column, and a deletion names its condition.

Earlier versions cannot be read afterwards, pinned ones neither: a run that pinned them ends. What the disk
itself remembers of removed files is for the disk's encryption. Ask ``find_person`` first and erase the raw
messages that it names: afterwards nothing here knows them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.kernel.limits import Limit
from xinglin.lake import batches
from xinglin.lake.current import PATIENT, PATIENT_RECORD, PERSON_LINK, links_select, listed, quoted, rule_of
from xinglin.lake.delta import Lake
from xinglin.lake.errors import MaintenanceFailed
from xinglin.lake.locks import removing
from xinglin.lake.maintenance import checkpoint, remove_commits
from xinglin.lake.model import QueryLimits
from xinglin.lake.products import lineage_of, materialise
from xinglin.lake.query import QuerySession
from xinglin.lake.reading import ROWS, open_rows

if TYPE_CHECKING:
    from deltalake import DeltaTable

PERSONS = Limit("persons erased at once", 1000, "persons")
_KEYS_A_CONDITION = 500


class ErasedRows(msgspec.Struct, frozen=True):
    """What was found of persons, or removed. Version 1; append-only.

    ``rows``: by table. ``cells``: emptied, by ``table.column``. ``messages``: digests of the source messages of
    these rows; ``shared``: those of them that rows of other persons came from, too. ``remade``: products that
    were (or would be) made again. ``batches``: the rows by batch and table, for the ledger's counts.
    """

    rows: dict[str, int]
    cells: dict[str, int]
    messages: tuple[str, ...]
    shared: tuple[str, ...]
    remade: tuple[str, ...] = ()
    batches: dict[int, dict[str, int]] = {}
    format: int = 1


class _Plan(msgspec.Struct, frozen=True):
    """Conditions for rows to go, and for cells to be emptied, by column; counts beside them."""

    rows: int
    conditions: tuple[str, ...]
    cells: dict[str, int]
    keys: tuple[str, ...]
    of_person: bool


def find_person(
    lake: Lake, persons: Sequence[str], key_columns: Mapping[str, str] | None = None, limits: QueryLimits | None = None
) -> ErasedRows:
    """What ``erase_person`` would remove; removes nothing."""
    return _found(lake, persons, key_columns or {}, limits)[0]


def erase_person(
    lake: Lake, persons: Sequence[str], key_columns: Mapping[str, str] | None = None, limits: QueryLimits | None = None
) -> ErasedRows:
    """Remove every row of the persons (keys as current views show them) from every version of every table.

    ``key_columns``: the column that holds a person's key, of tables where it is not ``patient``. Done again,
    it removes what is left. Raises ``LimitExceeded``, ``QueryFailed`` or ``MaintenanceFailed``.
    """
    PERSONS.check(len(persons))
    with removing(lake.folder):
        found, plans = _found(lake, persons, key_columns or {}, limits)
        for name in sorted(plans, key=lambda one: (one == PERSON_LINK, one)):
            with _failing(name):
                _rewrite(lake.open(name), plans[name])
                if plans[name].of_person or plans[name].cells or _was_rewritten(lake, name):
                    _forget(lake, name)
    for name in found.remade:
        lineage = lineage_of(lake, name)
        if lineage is not None:
            materialise(lake, name, lineage.select, [source.name for source in lineage.sources], limits=limits)
        with removing(lake.folder), _failing(name):
            _forget(lake, name)
    return found


@contextmanager
def _failing(name: str) -> Iterator[None]:
    from deltalake.exceptions import DeltaError

    try:
        yield
    except (DeltaError, OSError, ValueError) as error:
        raise MaintenanceFailed(
            f"The persons were not removed from {name!r} ({type(error).__name__}).",
            remedy="Check the disk and erase again.",
        ) from error


def _remade(lake: Lake, plans: Mapping[str, _Plan]) -> tuple[str, ...]:
    """Products, each after those that it is made of."""
    sources = {}
    for name in plans:
        lineage = lineage_of(lake, name)
        if lineage is not None:
            sources[name] = {source.name for source in lineage.sources}
    ordered: list[str] = []
    while len(ordered) < len(sources):
        ready = [
            n
            for n, made_of in sorted(sources.items())
            if n not in ordered and not made_of & set(sources) - {*ordered, n}
        ]
        ordered += ready or sorted(set(sources) - set(ordered))
    return tuple(ordered)


def _was_rewritten(lake: Lake, name: str) -> bool:
    """Whether an erasure that was cut off may have left earlier versions."""
    return any(commit["operation"] in ("DELETE", "UPDATE") for commit in lake.open(name).history())


def _found(
    lake: Lake, persons: Sequence[str], key_columns: Mapping[str, str], limits: QueryLimits | None
) -> tuple[ErasedRows, dict[str, _Plan]]:
    session = QuerySession(limits or QueryLimits())
    try:
        columns = {pinned.name: open_rows(lake, session, pinned).names for pinned in lake.current(lake.names()).tables}
        session.lock()
        records = _records(session, persons, PERSON_LINK in columns)
        who = tuple(sorted({*persons, *records}))
        plans = {}
        messages: set[str] = set()
        by_batch: dict[int, dict[str, int]] = {}
        for name, known in columns.items():
            plans[name] = _plan(session, name, known, key_columns.get(name, PATIENT), who, records)
            if "message" in known:
                messages |= _messages(session, name, plans[name].conditions)
            if batches.BATCH_COLUMN in known:
                for batch, count in _by_batch(session, name, plans[name].conditions):
                    by_batch.setdefault(batch, {})[name] = count
        shared = {
            message
            for name, known in columns.items()
            if "message" in known
            for message in _others(session, name, plans[name].conditions, messages)
        }
    finally:
        session.close()
    rows = {name: plan.rows for name, plan in plans.items() if plan.rows}
    cells = {f"{name}.{column}": n for name, plan in plans.items() for column, n in plan.cells.items()}
    return ErasedRows(
        rows, cells, tuple(sorted(messages)), tuple(sorted(shared)), _remade(lake, plans), by_batch
    ), plans


def _records(session: QuerySession, persons: Sequence[str], linked: bool) -> tuple[str, ...]:
    """The sources' keys of the persons: those linked to them, and their own where these are not linked elsewhere."""
    links: dict[str, str] = {}
    if linked:
        rows = session.run(links_select(ROWS + PERSON_LINK)).to_pylist()
        links = {row["patient"]: row["person"] for row in rows}
    own = {person for person in persons if links.get(person, person) in persons}
    return tuple(sorted(own | {patient for patient, person in links.items() if person in persons}))


def _plan(
    session: QuerySession, name: str, columns: Sequence[str], key: str, who: Sequence[str], records: Sequence[str]
) -> _Plan:
    rule = rule_of(name, columns)
    conditions: list[str] = []
    if rule is not None:
        for column in {"id", key} & set(columns):
            conditions += _in(column, records)
        if rule.of_person:
            conditions += _in("id", _facts_of(session, name, rule.columns, records))
    elif name == PERSON_LINK:
        conditions += [*_in(PATIENT, records), *_in("person", who)]
    else:
        for column in {key, PATIENT_RECORD} & set(columns):
            conditions += _in(column, who)
    cells: dict[str, int] = {}
    if rule is not None:
        others = [column for column in columns if column not in ("id", key)]
        cells = _cells(session, name, others, conditions, who)
    of_person = name == PERSON_LINK or bool({key, PATIENT_RECORD} & set(columns))
    return _Plan(_count(session, name, conditions), tuple(conditions), cells, tuple(who), of_person)


def _facts_of(session: QuerySession, name: str, columns: Sequence[str], records: Sequence[str]) -> list[str]:
    """Facts whose patient is one of the records now, and that have rows which do not say so."""
    order = "version_at DESC NULLS LAST, recorded_at DESC NULLS LAST, batch DESC NULLS LAST"
    found: set[str] = set()
    for condition in _in(PATIENT, records):
        sql = (
            f"SELECT id FROM (SELECT id, first({PATIENT} ORDER BY {order}) FILTER (WHERE {PATIENT} IS NOT NULL) "  # noqa: S608
            f"AS {PATIENT}, count(DISTINCT coalesce({PATIENT}, '')) AS said FROM {quoted(ROWS + name)} "
            f"WHERE id IN (SELECT id FROM {quoted(ROWS + name)} WHERE {condition}) GROUP BY id) "
            f"WHERE said > 1 AND {condition}"
        )
        found |= set(session.run(sql).column("id").to_pylist())
    return sorted(found)


def _cells(
    session: QuerySession, name: str, columns: Sequence[str], conditions: Sequence[str], who: Sequence[str]
) -> dict[str, int]:
    """Cells of other rows that hold one of the keys."""
    going = _any(conditions)
    counts = ", ".join(
        "count(*) FILTER (WHERE "
        + " OR ".join(f"CAST({c} AS VARCHAR)" + f" IN ({listed(part)})" for part in _parts(who))
        + f") AS {c}"
        for c in map(quoted, columns)
    )
    (row,) = session.run(f"SELECT {counts} FROM {quoted(ROWS + name)} WHERE NOT ({going})").to_pylist()  # noqa: S608
    return {column: count for column, count in row.items() if count}


def _messages(session: QuerySession, name: str, conditions: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for condition in conditions:
        sql = f"SELECT DISTINCT message FROM {quoted(ROWS + name)} WHERE {condition} AND message IS NOT NULL"  # noqa: S608
        found |= set(session.run(sql).column("message").to_pylist())
    return found


def _by_batch(session: QuerySession, name: str, conditions: Sequence[str]) -> list[tuple[int, int]]:
    found = session.run(
        f"SELECT batch, count(*) AS n FROM {quoted(ROWS + name)} "  # noqa: S608 (a table's checked name)
        f"WHERE batch IS NOT NULL AND ({_any(conditions)}) GROUP BY batch"
    )
    return [(row["batch"], row["n"]) for row in found.to_pylist()]


def _any(conditions: Sequence[str]) -> str:
    return " OR ".join(f"coalesce({condition}, false)" for condition in conditions) or "false"


def _others(session: QuerySession, name: str, conditions: Sequence[str], messages: Iterable[str]) -> set[str]:
    going = _any(conditions)
    found: set[str] = set()
    for condition in _in("message", sorted(messages)):
        sql = f"SELECT DISTINCT message FROM {quoted(ROWS + name)} WHERE {condition} AND NOT ({going})"  # noqa: S608
        found |= set(session.run(sql).column("message").to_pylist())
    return found


def _count(session: QuerySession, name: str, conditions: Sequence[str]) -> int:
    going = _any(conditions)
    count: int = session.run(f"SELECT count(*) AS n FROM {quoted(ROWS + name)} WHERE {going}").column("n")[0].as_py()  # noqa: S608
    return count


def _rewrite(table: DeltaTable, plan: _Plan) -> None:
    properties: Any = batches.writer_properties()
    if plan.rows:
        for condition in plan.conditions:
            table.delete(condition, writer_properties=properties)
    for column in plan.cells:
        for condition in _in(column, plan.keys):
            table.update(updates={column: "NULL"}, predicate=condition, writer_properties=properties)


def _forget(lake: Lake, name: str) -> None:
    """Leave the newest version alone: its files, one checkpoint, and one commit that says nothing of rows."""
    folder, table = lake.path(name), lake.open(name)
    before = table.version()
    table.vacuum(0, dry_run=False, enforce_retention_duration=False, full=True)
    table = lake.open(name)
    table.alter.set_table_properties({key: value or "" for key, value in batches.TABLE_PROPERTIES.items()})
    batches.durable(folder, before)
    remove_commits(folder, checkpoint(lake, name))


def _in(column: str, keys: Sequence[str]) -> list[str]:
    """Conditions, each over some of the keys; in words that DuckDB and DataFusion both read."""
    return [f"CAST({quoted(column)} AS VARCHAR)" + f" IN ({listed(part)})" for part in _parts(keys)]


def _parts(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), _KEYS_A_CONDITION):
        yield keys[start : start + _KEYS_A_CONDITION]
