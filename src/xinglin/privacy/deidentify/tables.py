"""Profiles compiled for tables: one operation a stored column."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import numpy as np

from xinglin.catalogue.canonical import PhysicalColumn
from xinglin.catalogue.canonical_tables import canonical_table
from xinglin.privacy.deidentify.columns import (
    Operation,
    Persons,
    Secrets,
    change_dates,
    change_numbers,
    change_texts,
    missing,
    per_text,
    pseudonymise,
    substitute,
    top_code,
)
from xinglin.privacy.deidentify.errors import BadProfile, BadRecord, NeedsToday
from xinglin.privacy.deidentify.model import DROP, KEEP, Action, Columns, Fields
from xinglin.privacy.deidentify.notes import Note

Make = Callable[[Columns], Operation]
_UNKNOWN = PhysicalColumn("", "text", "")
_FREE_TEXT = "_source_text"
_COARSE = ("year", "month")
_FIRST_YEAR, _LAST_YEAR = 1800, 2200


def first_year(action: Action, today: date | None, place: str) -> int:
    """The year that earlier births become; 0 where ages may be told. Raises ``NeedsToday``."""
    if not action.oldest:
        return 0
    if today is None:
        raise NeedsToday("A profile that hides high ages has to know the day: hand in 'today'.", place=place)
    return today.year - action.oldest - 1


class TablePlan:
    """What becomes of the columns of one table."""

    def __init__(self, name: str, fields: Fields, secrets: Secrets, today: date | None, note: Note) -> None:
        self.name = name
        self._secrets, self._today, self._note = secrets, today, note
        known = canonical_table(name)
        self._own = known is None
        self._fields = fields
        stored = known.physical() if known else ()
        self.columns: dict[str, Action] = {}
        self._made: dict[str, Make] = {}
        for column in stored or [PhysicalColumn(each, "text", each) for each in fields]:
            action = fields[column.name] if column.name in fields else self._inherited(column)
            if action is not None and action != DROP:
                self.columns[column.name] = action
                self._made[column.name] = self._make(column, action)

    def _inherited(self, column: PhysicalColumn) -> Action | None:
        """A part goes with its column, but what the source wrote in words has to be named itself."""
        if column.name.endswith(_FREE_TEXT) or column.name == column.part_of:
            return None
        return self._fields.get(column.part_of)

    def apply(self, columns: Columns, persons: np.ndarray, known: Mapping[str, Any] | None = None) -> Columns:
        """The columns that stay, de-identified. Raises ``BadRecord`` where lengths differ."""
        rows = len(persons)
        if any(len(column) != rows for column in columns.values()):
            raise BadRecord("Columns and persons are of one length.", place=f"tables.{self.name}")
        of_rows = Persons(persons, self._secrets, known or {})
        return {name: make(columns)(columns[name], of_rows) for name, make in self._made.items() if name in columns}

    def _make(self, column: PhysicalColumn, action: Action) -> Make:
        place = f"tables.{self.name}.{column.name}"
        if column.name != column.part_of:
            special = self._part(column, action)
            if special is not None:
                return special
        simple = self._simple(action)
        if simple is not None:
            return _always(simple)
        return self._change(column, action, place)

    def _simple(self, action: Action) -> Operation | None:
        if action == KEEP:
            return _same
        if action.do == "pseudonymise":
            return pseudonymise(self._secrets)
        if action.do == "substitute":
            return substitute(action.value)
        if action.do == "note":
            return self._notes
        return None

    def _notes(self, column: np.ndarray, persons: Persons) -> np.ndarray:
        """Texts, each with what is known of its person; where nothing is, each different text once."""
        if not persons.dictionary:
            return per_text(lambda text: self._note(text, None))(column, persons)
        out = np.empty(len(column), dtype=object)
        texts = zip(column.tolist(), persons.known(), strict=True)
        out[:] = [self._note(text, known) if type(text) is str else None for text, known in texts]
        return out

    def _part(self, column: PhysicalColumn, action: Action) -> Make | None:
        """What belongs to a date or a code, where that is changed."""
        suffix = column.name.removeprefix(column.part_of)
        if action.do != "change":
            return _always(_same) if suffix != "_source" and action.do == "keep" else None
        if suffix == "_precision":
            return lambda columns: _precision(action, bool(action.oldest))
        if suffix == "_zone":
            return _always(_nothing if action.date or action.oldest else _same)
        return None if suffix == "_source" else _always(_same)

    def _change(self, column: PhysicalColumn, action: Action, place: str) -> Make:
        if column.holds in ("date", "instant"):
            return self._dates(column, action, place)
        if self._own:
            return lambda columns: self._by_type(columns[column.name], column.name, action, place)
        if column.holds in ("integer", "number"):
            return _always(self._numbers(column.name, action, place))
        if column.holds == "text" and action.on_texts and not (action.on_dates or action.on_numbers):
            return _always(change_texts(action))
        raise BadProfile(f"A column of kind '{column.holds}' cannot be changed so.", place=place)

    def _by_type(self, column: np.ndarray, name: str, action: Action, place: str) -> Operation:
        """Tables of one's own have no stated kinds: texts are objects, dates ``datetime64`` or days."""
        if column.dtype.kind == "M" or (action.on_dates and column.dtype.kind in "if"):
            return change_dates(action, "day", first_year(action, self._today, place))
        if column.dtype.kind in "if":
            return self._numbers(name, action, place)
        return change_texts(action) if action.on_texts else _nothing

    def _numbers(self, name: str, action: Action, place: str) -> Operation:
        if name.endswith("year") and (action.date or action.oldest) and not action.on_numbers:
            if action.shift_days:
                raise BadProfile("A year does not move by days.", place=place)
            return _years(first_year(action, self._today, place), action.date == "decade")
        if action.on_dates:
            raise BadProfile("A number is no date.", place=place)
        if action.oldest and name.endswith("age"):
            return top_code(action.oldest + 1)
        if action.on_numbers:
            return change_numbers(action, f"{self.name}.{name}", self._secrets)
        raise BadProfile("A number cannot be changed so.", place=place)

    def _dates(self, column: PhysicalColumn, action: Action, place: str) -> Make:
        if action.on_numbers or action.on_texts:
            raise BadProfile("A date is no number and no code.", place=place)
        first = first_year(action, self._today, place)
        unit = "day" if column.holds == "date" else "ms"

        def make(columns: Columns) -> Operation:
            zones = columns.get(f"{column.name}_zone")
            offsets = _offsets_ms(zones) if unit == "ms" and action.date and zones is not None else 0
            moved = change_dates(action, unit, first, offsets)
            precisions = columns.get(f"{column.name}_precision")
            return _only_days(moved, precisions) if action.shift_days and precisions is not None else moved

        return make


def _always(operation: Operation) -> Make:
    return lambda columns: operation


def _same(column: np.ndarray, persons: Persons) -> np.ndarray:
    del persons
    return column


def _nothing(column: np.ndarray, persons: Persons) -> np.ndarray:
    del persons
    return np.full(len(column), None, dtype=object)


def _years(lowest: int, decades: bool) -> Operation:
    """Years, none earlier than ``lowest``; what is no year is missing."""

    def operation(column: np.ndarray, persons: Persons) -> np.ndarray:
        del persons
        odd = missing(column) | (column < _FIRST_YEAR) | (column > _LAST_YEAR)
        years: np.ndarray = np.maximum(column, lowest)
        if decades:
            years = years - years % 10
        return np.where(odd, np.nan, years.astype(np.float64)) if odd.any() else years

    return operation


def _only_days(operation: Operation, precisions: np.ndarray) -> Operation:
    """A date that is told to the month or year stands on a first day: moved, it would tell by how much."""
    coarse = np.array([each in _COARSE for each in precisions.tolist()], dtype=bool)

    def moved(column: np.ndarray, persons: Persons) -> np.ndarray:
        out = operation(column, persons)
        if not coarse.any():
            return out
        nothing = np.datetime64("NaT") if out.dtype.kind == "M" else np.nan
        left: np.ndarray = np.where(coarse, nothing, out if out.dtype.kind == "M" else out.astype(np.float64))
        return left

    return moved


_FINER = {
    "decade": ("year", "month", "day", "hour", "minute", "second", "millisecond"),
    "year": ("month", "day", "hour", "minute", "second", "millisecond"),
    "month": ("day", "hour", "minute", "second", "millisecond"),
    "day": ("hour", "minute", "second", "millisecond"),
}


def _precision(action: Action, aged: bool) -> Operation:
    """The precision that is left. With high ages hidden no birth is told finer than its year."""
    left = action.date or ("year" if aged else "")
    if not left:
        return _same
    told = "year" if left == "decade" else left
    finer: Mapping[str, str] = dict.fromkeys(_FINER[left], told)
    return per_text(lambda text: finer.get(text, text))


def _offsets_ms(zones: np.ndarray) -> np.ndarray:
    """Minutes east of UTC as milliseconds; UTC where nothing readable is said."""
    known: dict[object, int] = {}
    gone = missing(zones)
    for each in dict.fromkeys(zones[~gone].tolist()):
        sign, hours, minutes = each[:1], each[1:3], each[4:6]
        readable = sign in ("+", "-") and hours.isdigit() and minutes.isdigit()
        known[each] = (-1 if sign == "-" else 1) * (int(hours) * 60 + int(minutes)) * 60_000 if readable else 0
    return np.fromiter([known.get(each, 0) for each in zones.tolist()], np.int64, len(zones))
