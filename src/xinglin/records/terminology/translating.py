"""``StoredTerms``: the intake's terminology step. Fills standard codes, systems and losses, and UCUM units.

For each concept column of a row, in this order: an accepted local mapping; the rules of ICD-10; a code that is
standard already; concept maps. What the source wrote stays in ``x_source``. A unit that is none of UCUM's is
NULL beside its source and flagged; a code without a standard one is flagged. Every answer is remembered, so that
a row costs a look into a few tables.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from operator import itemgetter
from typing import Any

import msgspec

from xinglin.catalogue.canonical_tables import canonical_table
from xinglin.records.model import Mapped, Turned, is_empty, turned
from xinglin.records.terminology.icd10 import SYSTEMS, standard_icd
from xinglin.records.terminology.model import EQUIVALENCES, Translation
from xinglin.records.terminology.ports import TermsSource
from xinglin.records.terminology.systems import ICD10_CM, STANDARD, canonical_system
from xinglin.records.terminology.units import normal_unit

UNKNOWN_UNIT = "terms.unknown_unit"
UNMAPPED_CODE = "terms.unmapped_code"
REMEMBERED = 100_000
"""Answers kept for one column of one source; then it begins anew."""

_ICD = SYSTEMS | {ICD10_CM}
_PARTS = ("", "_system", "_source", "_source_system", "_source_text", "_loss")
_UNITS: dict[str, tuple[tuple[str, str], ...]] = {
    "observation": (("value_unit", "value_unit_source"),),
    "medication": (("dose_unit", "dose_unit_source"), ("rate_unit", "")),
    "immunization": (("dose_unit", ""),),
    "specimen": (("quantity_unit", ""),),
}
"""Columns that hold UCUM, and beside them what the source wrote, where the table keeps it."""

Values = tuple[Any, ...]
Answer = tuple[Values, str] | None
"""New values of an answer's columns and a flag (empty: none); None where the row stays as it is."""


class _Answers(dict[Any, Values]):
    """Remembers what a column's values became: the filled columns, a flag or None, and whether anything changed.

    ``keep``: where in the key the filled columns lie, -1 for those that the row does not have.
    """

    def __init__(self, find: Callable[[Values], Answer], keep: tuple[int, ...]) -> None:
        self._find, self._keep = find, keep

    def __missing__(self, key: Values) -> Values:
        if len(self) >= REMEMBERED:
            self.clear()
        found = self[key] = self._full(key)
        return found

    def careful(self, key: Values) -> Values:
        """As a look-up, for keys that may hold what cannot be looked up."""
        return self[key] if all(map(_readable, key)) else self.same(key)

    def same(self, key: Values) -> Values:
        """The answer that changes nothing."""
        return (*(key[place] if place >= 0 else None for place in self._keep), None, False)

    def _full(self, key: Values) -> Values:
        found = self._find(key) if all(map(_readable, key)) else None
        return self.same(key) if found is None else (*found[0], found[1] or None, True)


def _readable(part: Any) -> bool:
    return part is None or isinstance(part, str)


class _Column(msgspec.Struct, frozen=True):
    """One column of a layout: where its parts lie, and the names that an answer fills."""

    places: tuple[int, ...]
    fills: tuple[str, ...]
    answers: _Answers


class StoredTerms:
    """A ``Terms`` of the intake. ``source`` None: only what needs nothing loaded (units, ICD-10, names of systems)."""

    def __init__(self, source: TermsSource | None = None) -> None:
        self._source = source
        self._stamp = -1
        self._local: dict[tuple[str, str, str, str], Translation] = {}
        self._mapped: frozenset[str] = frozenset()
        self._plans: dict[tuple[str, str, tuple[str, ...]], tuple[_Column, ...]] = {}

    def translate(self, mapped: Sequence[Mapped], source: str = "") -> list[Mapped]:
        """As ``fill``, of rows."""
        return [one.mapped() for one in self.fill([turned(one) for one in mapped], source)]

    def fill(self, rows: Sequence[Turned], source: str = "") -> list[Turned]:
        """The same rows in the same order; ``source`` names the feed whose local codes they hold."""
        self._refresh()
        return [self._one(one, source) for one in rows]

    def _refresh(self) -> None:
        """Forget every answer when something was loaded or decided since."""
        if self._source is None:
            return
        stamp = self._source.stamp()
        if stamp == self._stamp:
            return
        self._plans.clear()
        self._local = {
            (one.key.source, one.key.column, canonical_system(one.key.system), one.key.code): Translation(
                one.target, one.target_system, one.equivalence, one.target_text, "local"
            )
            for one in self._source.accepted()
        }
        self._mapped = self._source.mapped_systems()
        self._stamp = stamp

    def _one(self, rows: Turned, source: str) -> Turned:
        key = (source, rows.table, rows.columns)
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = self._planned(*key)
        if not plan or not rows.count:
            return rows
        changes = _Changes(rows)
        for column in plan:
            changes.take(column)
        return changes.done()

    def _planned(self, source: str, table: str, names: tuple[str, ...]) -> tuple[_Column, ...]:
        at = {name: number for number, name in enumerate(names)}
        plan = []
        for name in concept_columns(table):
            parts = tuple(name + suffix for suffix in _PARTS)
            held = tuple(part for part in parts if part in at)
            if held:
                plan.append(self._concept(source, f"{table}.{name}", parts, held, at))
        for unit, written in _UNITS.get(table, ()):
            if unit in at or written in at:
                plan.append(_unit_column(unit, written, at))
        return tuple(plan)

    def _concept(
        self, source: str, column: str, parts: tuple[str, ...], held: tuple[str, ...], at: dict[str, int]
    ) -> _Column:
        where = [held.index(part) if part in held else -1 for part in parts]

        def find(key: Values) -> Answer:
            return self._code(source, column, [key[place] if place >= 0 else None for place in where])

        fills = tuple(part for part in parts if not part.endswith("_source_text"))
        keep = tuple(held.index(part) if part in held else -1 for part in fills)
        return _Column(tuple(at[part] for part in held), fills, _Answers(find, keep))

    def _code(self, source: str, column: str, values: list[str | None]) -> Answer:
        """New (code, system, source, source system, loss) of a concept."""
        code, system, written, written_system, text, loss = values
        if code is not None:
            return _settled(code, system, written, written_system, loss)
        if written is None and text is None:
            return None
        named = canonical_system(written_system or "")
        found = self._find(source, column, named, written if written is not None else text or "")
        if found is not None and found.code:
            return (found.code, found.system, written, written_system, found.equivalence), ""
        if loss is not None and loss != "unmapped":
            return None
        told = found is not None or written is None
        return (None, None, written, written_system, "unmapped"), "" if told else UNMAPPED_CODE

    def _find(self, source: str, column: str, system: str, code: str) -> Translation | None:
        """An accepted local mapping, the feed's own before everybody's; ICD-10; standard already; concept maps."""
        for feed in (source, ""):
            local = self._local.get((feed, column, system, code))
            if local is not None:
                return local
        if system in _ICD:
            icd = standard_icd(system, code)
            return Translation(icd[0], icd[1], _equivalence(icd[2]), "", "icd-10") if icd else None
        if system in STANDARD:
            return Translation(code, system, "equivalent", "", "standard")
        if self._source is None or system not in self._mapped:
            return None
        return best(self._source.translations(system, code))


class _Joined(dict[tuple[Any, ...], Any]):
    """Flags of a row from several columns, as one text."""

    def __missing__(self, codes: tuple[Any, ...]) -> Any:
        if len(self) >= REMEMBERED:
            self.clear()
        told = [word for text in codes if isinstance(text, str) for word in text.split()]
        found = self[codes] = " ".join(dict.fromkeys(told)) or None
        return found


_JOINED = _Joined()
_IS_CHANGED = itemgetter(-1)


class _Changes:
    """Rows of one table while their columns are filled."""

    def __init__(self, rows: Turned) -> None:
        self._rows = rows
        self._filled: dict[str, Sequence[Any]] = {}
        self._flags: list[tuple[Any, ...]] = []

    def take(self, column: _Column) -> None:
        """Answer one column of every row."""
        parts = [self._rows.values[place] for place in column.places]
        answers, count = column.answers, self._rows.count
        if all(map(is_empty, parts)):
            found = [answers[(None,) * len(parts)]] * count
        else:
            try:
                found = list(map(answers.__getitem__, zip(*parts, strict=True)))
            except TypeError:  # a value that cannot be looked up is no text: the row stays as it is
                found = list(map(answers.careful, zip(*parts, strict=True)))
        if not any(map(_IS_CHANGED, found)):
            return
        *values, flags, _ = zip(*found, strict=True)
        self._filled.update(zip(column.fills, values, strict=True))
        if any(flags):
            self._flags.append(flags)

    def done(self) -> Turned:
        """The rows with what was filled; columns that stayed empty are not added."""
        rows, filled = self._rows, self._filled
        if not filled:
            return rows
        columns = dict(zip(rows.columns, rows.values, strict=True))
        if self._flags:
            given = columns.get("flags") or (None,) * rows.count
            held = [one if isinstance(one, str) else None for one in given]
            columns["flags"] = tuple([_JOINED[codes] for codes in zip(held, *self._flags, strict=True)])
        for name, values in filled.items():
            if name in columns or not is_empty(values):
                columns[name] = values
        return Turned(rows.table, tuple(columns), tuple(columns.values()), rows.count, rows.kinds)


def _settled(
    code: str, system: str | None, written: str | None, written_system: str | None, loss: str | None
) -> Answer:
    """A code that the source gave as a standard one: its system's one name, ICD-10 as the WHO writes it."""
    named = canonical_system(system or "")
    kept = (code if written is None else written, system if written is None else written_system)
    icd = standard_icd(named, code) if named in _ICD else None
    after: tuple[str, str | None, str | None]
    if icd is not None:
        after = (icd[0], icd[1], loss if loss not in (None, "equivalent") else icd[2])
    else:
        after = (code, named or None, loss or ("equivalent" if code == kept[0] else None))
    if after == (code, system, loss):
        return None
    return (after[0], after[1], *kept, after[2]), ""


def best(found: Sequence[Translation]) -> Translation | None:
    """The closest of several targets; of equally close ones the first."""
    return min(found, key=lambda one: EQUIVALENCES.index(one.equivalence), default=None)


def _equivalence(word: str) -> Any:
    return word if word in EQUIVALENCES else "related"


def _unit_column(unit: str, written: str, at: dict[str, int]) -> _Column:
    held = [name for name in (unit, written) if name in at]
    alone = not written

    def find(key: Values) -> Answer:
        values = dict(zip(held, key, strict=False))
        return _unit(values.get(unit), values.get(written) if written else None, alone=alone)

    fills = (unit,) if alone else (unit, written)
    keep = tuple(held.index(name) if name in held else -1 for name in fills)
    return _Column(tuple(at[name] for name in held), fills, _Answers(find, keep))


def _unit(unit: str | None, written: str | None, *, alone: bool) -> Answer:
    """New (unit, source); ``alone``: the table does not keep what the source wrote, so that nothing is emptied."""
    said = unit if unit is not None else written
    if said is None or not said.strip():
        return None
    found = normal_unit(said) or (normal_unit(written) if written is not None else None)
    if alone:
        if found == unit:
            return None
        return ((found,), "") if found else ((unit,), UNKNOWN_UNIT)
    kept = written if written is not None else unit
    if found is None:
        return (None, kept), UNKNOWN_UNIT
    return None if (found, kept) == (unit, written) else ((found, kept), "")


@cache
def concept_columns(table: str) -> tuple[str, ...]:
    """Names of the concept columns of a canonical table; none where it is a product's."""
    known = canonical_table(table)
    return () if known is None else tuple(column.name for column in known.columns if column.kind == "concept")
