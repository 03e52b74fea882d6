"""Suggested corrections, kept apart from the facts in the lake's table ``suggestion``; accepted ones become versions.

``propose`` looks for what the rules find and adds what it has not suggested before. ``accept`` writes a partial
version of the fact with source ``correction`` and the suggestion as its place, a millisecond after the version that it
corrects: a later word of the source still wins. ``refuse`` only remembers. Nothing is ever applied by itself.
"""

from __future__ import annotations

from typing import Any

import msgspec

from xinglin.catalogue.quality_suggest import (
    REPEATED,
    SUGGESTION_RULES,
    SUGGESTION_STATES,
    SuggestionRule,
    repeated_rule,
    repeated_select,
    suggestion_select,
)
from xinglin.kernel.canonical import canonical_digest
from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.lake.current import PATIENT_RECORD, literal
from xinglin.lake.delta import Lake
from xinglin.lake.errors import LakeError
from xinglin.lake.model import NIGHTLY
from xinglin.lake.reading import read_current

SUGGESTION = "suggestion"
CORRECTION = "correction"
"""The source of a row that a person's acceptance made."""
SUGGESTIONS_AT_ONCE = Limit("suggestions of one run", 100_000, "suggestions")


class UnknownSuggestion(LakeError):
    """No suggestion has that id."""

    code = "lake.unknown_suggestion"


class FactMoved(LakeError):
    """The fact is not what it was when the correction was suggested."""

    code = "lake.fact_moved"


class Suggestion(msgspec.Struct, frozen=True):
    """A suggested value for one column of one fact. For the hospital's own eyes.

    ``current``: what stands there, as text; ``rule`` and ``rule_version``: what suggests it, and ``reason``: why.
    ``state``: of ``SUGGESTION_STATES``; ``by``: who accepted or refused it.
    """

    id: str
    table: str
    fact: str
    patient: str | None
    column: str
    current: str | None
    suggested: str
    reason: str
    rule: str
    rule_version: int
    at: Instant
    state: str = "open"
    by: str = ""

    def __repr__(self) -> str:
        """Without fact and values."""
        return f"Suggestion({self.id[:19]!r}, {self.table!r}, {self.column!r}, {self.rule!r}, {self.state!r})"


def propose(lake: Lake, at: Instant) -> int:
    """Suggest what the rules find in current views and have not suggested before; how many were new."""
    rules = _rules(lake)
    if not rules:
        return 0
    known = {one.id for one in _every(lake)}
    found: list[Suggestion] = []
    names = {rule.table for rule in rules}
    with _reading(lake, names) as session:
        for rule in rules:
            if not set(rule.needs) <= set(session.columns(rule.table)):
                continue
            select = repeated_select(rule) if rule.id.startswith("repeated_") else suggestion_select(rule)
            made = (_suggested(rule, row, at) for row in session.run(select).to_pylist())
            found += [one for one in made if one.id not in known]
            SUGGESTIONS_AT_ONCE.check(len(found))
    _keep(lake, found)
    return len(found)


def suggestions(lake: Lake, state: str = "open", limit: int = 100) -> tuple[Suggestion, ...]:
    """Suggestions in a state, oldest first."""
    newest: dict[str, Suggestion] = {}
    for one in _every(lake):
        newest[one.id] = one
    return tuple(one for one in newest.values() if one.state == state)[:limit]


def accept(lake: Lake, id_: str, by: str, at: Instant) -> Suggestion:
    """Write the suggested value as a new version of its fact, and remember who accepted it.

    Accepted again after a crash, it writes no second version. Raises ``UnknownSuggestion``, ``FactMoved``, or
    ``IllegalMove`` where it was refused.
    """
    one = _one(lake, id_)
    state = SUGGESTION_STATES.move(one.state, "accept")
    if not _is_written(lake, one):
        _write(lake, one, at)
    return _moved(lake, one, state, by, at)


def refuse(lake: Lake, id_: str, by: str, at: Instant) -> Suggestion:
    """Remember that somebody refused it; the fact stays as it is, and it is not suggested again."""
    one = _one(lake, id_)
    return _moved(lake, one, SUGGESTION_STATES.move(one.state, "refuse"), by, at)


def _rules(lake: Lake) -> list[SuggestionRule]:
    held = set(lake.names())
    repeated = [rule for rule in map(repeated_rule, REPEATED) if rule is not None]
    return [rule for rule in (*SUGGESTION_RULES, *repeated) if rule.table in held]


def _suggested(rule: SuggestionRule, row: dict[str, Any], at: Instant) -> Suggestion:
    told = [rule.table, row["fact"], rule.column, row["current"], row["suggested"], rule.id, rule.version]
    return Suggestion(
        canonical_digest(told).removeprefix("sha256:"),
        rule.table,
        row["fact"],
        row["patient"],
        rule.column,
        row["current"],
        row["suggested"],
        rule.words,
        rule.id,
        rule.version,
        at,
    )


def _one(lake: Lake, id_: str) -> Suggestion:
    found = [one for one in _every(lake) if one.id == id_]
    if not found:
        raise UnknownSuggestion("There is no suggestion of this id.", remedy="See xinglin quality suggest.")
    return found[-1]


def _every(lake: Lake) -> list[Suggestion]:
    """Every entry, oldest first; a later one of the same id says what became of it."""
    if SUGGESTION not in lake.names():
        return []
    rows = lake.open(SUGGESTION).to_pyarrow_table().to_pylist()
    order = ("open", "refused", "accepted")
    rows.sort(key=lambda row: (row["at"], order.index(row["state"]), row["id"]))
    return [Suggestion(**row) for row in rows]


def _moved(lake: Lake, one: Suggestion, state: str, by: str, at: Instant) -> Suggestion:
    done = msgspec.structs.replace(one, state=state, by=by, at=max(at, one.at + 1))
    _keep(lake, [done])
    return done


def _keep(lake: Lake, entries: list[Suggestion]) -> None:
    import pyarrow as pa

    if not entries:
        return
    kinds = {"rule_version": pa.int64(), "at": pa.int64()}
    names = Suggestion.__struct_fields__
    columns = {name: pa.array([getattr(e, name) for e in entries], kinds.get(name, pa.string())) for name in names}
    lake.append(SUGGESTION, pa.table(columns))


def _is_written(lake: Lake, one: Suggestion) -> bool:
    with _reading(lake, {one.table}) as session:
        place = literal(_place(one))
        return bool(session.run(f'SELECT 1 AS n FROM "rows_{one.table}" WHERE place = {place} LIMIT 1').num_rows)  # noqa: S608


def _write(lake: Lake, one: Suggestion, at: Instant) -> None:
    import pyarrow as pa

    schema = pa.schema(lake.open(one.table).schema().to_arrow())
    with _reading(lake, {one.table}) as session:
        fact = literal(one.fact)
        rows = session.run(f'SELECT * FROM "{one.table}" WHERE id = {fact}')  # noqa: S608 (canonical name, quoted text)
        if not rows.num_rows:
            raise FactMoved("The fact is not there any more.", remedy="Refuse the suggestion.")
        same = session.run(f'SELECT CAST("{one.column}" AS VARCHAR) AS v FROM "{one.table}" WHERE id = {fact}')  # noqa: S608
    now = rows.to_pylist()[0]
    if same.column("v")[0].as_py() != one.current:
        raise FactMoved("Another value stands there now.", remedy="Refuse the suggestion and propose again.")
    version = now["version_at"] or now["recorded_at"]
    values: dict[str, Any] = {
        "id": one.fact,
        "patient": now.get(PATIENT_RECORD, now.get("patient")),
        "version_at": None if version is None else _after(version),
        "partial": True,
        "recorded_at": _instant(at),
        "source": CORRECTION,
        "place": _place(one),
        "flags": f"quality.corrected.{one.rule}",
        one.column: one.suggested,
    }
    columns = []
    for field in schema:
        value = values.get(field.name)
        cell = pa.array([value]) if field.name != one.column else pa.array([value], pa.string())
        columns.append(cell.cast(field.type) if value is not None else pa.nulls(1, field.type))
    lake.append(one.table, pa.table(columns, schema=schema))


def _place(one: Suggestion) -> str:
    return f"suggestion {one.id}"


def _after(stamp: Any) -> Any:
    from datetime import timedelta

    return stamp + timedelta(milliseconds=1)


def _instant(at: Instant) -> Any:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at / 1000, UTC)


def _reading(lake: Lake, names: set[str]) -> Any:
    return read_current(lake, lake.pin_newest(names), NIGHTLY)
