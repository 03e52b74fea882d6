"""Actions on whole columns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import count
from types import NoneType
from typing import Any

import numpy as np

from xinglin.privacy.deidentify.dates import DAY_MS, floor_days
from xinglin.privacy.deidentify.keys import Keys, Noise, Pseudonyms, Shifts
from xinglin.privacy.deidentify.model import Action
from xinglin.privacy.deidentify.texts import change_text

# Texts that are looked at to see whether a column repeats itself.
_SAMPLE = 4096


class Secrets:
    """What is derived from the keys of one study and data set, once."""

    def __init__(self, keys: Keys) -> None:
        self.pseudonyms = Pseudonyms(keys)
        self.shifts = Shifts(keys)
        self.noise = Noise(keys)


class Persons:
    """The persons of a table's rows, and what is drawn for each of them."""

    def __init__(self, persons: np.ndarray, secrets: Secrets, known: Mapping[str, Any]) -> None:
        self._given, self._secrets, self.dictionary = persons, secrets, known
        self._shifts: dict[int, np.ndarray] = {}

    @cached_property
    def _coded(self) -> tuple[list[str], np.ndarray, np.ndarray]:
        different, codes = coded(self._given.tolist())
        known = np.array([_is_there(each) for each in different] or [False], dtype=bool)
        return [str(each) for each in different], codes, known

    def are(self, column: np.ndarray) -> bool:
        """Whether a column is the very array of the persons: then nothing has to be looked up twice."""
        return column is self._given and column.dtype == object

    def pseudonyms(self) -> np.ndarray:
        """The pseudonym of each row's person."""
        names, codes, known = self._coded
        made = np.empty(len(names), dtype=object)
        made[:] = self._secrets.pseudonyms.of_texts(names) if names else []
        made[~known[: len(names)]] = None
        out: np.ndarray = made[codes]
        return out

    @property
    def texts(self) -> list[str]:
        """The person of each row."""
        names, codes, _ = self._coded
        return [names[code] for code in codes.tolist()]

    def known(self) -> Iterable[Any]:
        """What is known of the person of each row, for the recognisers of free text."""
        return map(self.dictionary.get, self.texts)

    def shift(self, days: int) -> tuple[np.ndarray, np.ndarray]:
        """Days for each row, and where its person is known."""
        names, codes, known = self._coded
        if days not in self._shifts:
            self._shifts[days] = self._secrets.shifts.of_texts(names, days) if names else np.zeros(1, dtype=np.int64)
        return self._shifts[days][codes], known[codes]


Operation = Callable[[np.ndarray, Persons], np.ndarray]


def missing(column: np.ndarray) -> np.ndarray:
    """Where a column has no value."""
    if column.dtype == object:
        return np.array([each is None or each != each for each in column.tolist()], dtype=bool)
    gone: np.ndarray = np.zeros(len(column), dtype=bool)
    if column.dtype.kind == "f":
        gone = np.isnan(column)
    elif column.dtype.kind == "M":
        gone = np.isnat(column)
    return gone


def pseudonymise(secrets: Secrets) -> Operation:
    """Keys and numbers to their pseudonyms; missing stays missing."""

    def operation(column: np.ndarray, persons: Persons) -> np.ndarray:
        if persons.are(column):
            return persons.pseudonyms()
        return _mapped(column, lambda texts: secrets.pseudonyms.of_texts(texts) if texts else [])

    return operation


def per_text(change: Callable[[str], str | None]) -> Operation:
    """One function on each different text."""

    def operation(column: np.ndarray, persons: Persons) -> np.ndarray:
        del persons
        return _mapped(column, lambda texts: [change(text) for text in texts])

    return operation


def _mapped(column: np.ndarray, of_texts: Callable[[list[str]], Sequence[str | None]]) -> np.ndarray:
    values = column.tolist()
    if column.dtype != object:
        values = [None if gone else each for each, gone in zip(values, missing(column).tolist(), strict=True)]
    if _all_differ(values):
        out = np.empty(len(values), dtype=object)
        out[:] = of_texts(values)
        return out
    different, codes = coded(values)
    there = [each for each in different if _is_there(each)]
    made = np.empty(len(different), dtype=object)
    made[[_is_there(each) for each in different]] = of_texts([_text(each) for each in there])
    mapped: np.ndarray = made[codes]
    return mapped


def coded(values: list[Any]) -> tuple[list[Any], np.ndarray]:
    """The different values, and the place of each row's value among them.

    Rows that share an object (as columns of dictionaries do) are told apart by it, which is three times as quick as by
    the text that it holds.
    """
    sample = _sample(values)
    texts = {*map(type, sample)} <= {str, NoneType}
    if texts and len(set(map(id, sample))) == len(set(sample)) < len(sample):
        codes = np.unique(np.fromiter(map(id, values), np.int64, len(values)), return_inverse=True)[1]
        rows = np.zeros(int(codes.max()) + 1, dtype=np.int64)
        rows[codes] = np.arange(len(values))
        objects = [values[row] for row in rows.tolist()]
        if {*map(type, objects)} <= {str, NoneType}:
            different, merged = _by_value(objects)
            return different, merged[codes]
    return _by_value(values)


def _by_value(values: list[Any]) -> tuple[list[Any], np.ndarray]:
    index: defaultdict[Any, int] = defaultdict(count().__next__)
    codes = np.fromiter(map(index.__getitem__, values), np.int64, len(values))
    return list(index), codes


def _is_there(value: Any) -> bool:
    return value is not None and value == value


def _sample(values: list[Any]) -> list[Any]:
    return values[:: max(1, len(values) // _SAMPLE)]


def _all_differ(values: list[Any]) -> bool:
    """Whether a sample of texts repeats nothing, so that remembering them would cost more than it saves."""
    sample = _sample(values)
    if not len(set(sample)) == len(sample) > _SAMPLE // 2:
        return False
    try:
        "".join(values)
    except TypeError:
        return False
    return True


def _text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def change_texts(action: Action) -> Operation:
    """Codes and area codes cut short."""
    return per_text(lambda text: change_text(text, action))


def substitute(value: Any) -> Operation:
    """One value instead of every one; missing stays missing."""

    def operation(column: np.ndarray, persons: Persons) -> np.ndarray:
        del persons
        out = np.full(len(column), value, dtype=object)
        out[missing(column)] = None
        return out

    return operation


def change_numbers(action: Action, field: str, secrets: Secrets) -> Operation:
    """Clipped, binned, noised; in this order."""

    def operation(column: np.ndarray, persons: Persons) -> np.ndarray:
        values = column.astype(np.float64)
        if action.low is not None or action.high is not None:
            values = np.clip(values, action.low, action.high)
        if action.bin:
            values = np.floor(values / action.bin) * action.bin
        if action.span:
            width = np.abs(values) * action.span if action.proportional else action.span
            values = np.round(values + secrets.noise.of_values(persons.texts, field, values) * width, action.places)
        whole = column.dtype.kind == "i" and bool(np.all(values == np.floor(values)))
        return values.astype(column.dtype) if whole else values

    return operation


def top_code(highest: int) -> Operation:
    """Ages, none above ``highest``."""

    def operation(column: np.ndarray, persons: Persons) -> np.ndarray:
        del persons
        lowered: np.ndarray = np.minimum(column, highest)
        return lowered

    return operation


def change_dates(action: Action, unit: str, first_year: int, offsets_ms: np.ndarray | int = 0) -> Operation:
    """Dates as days (``unit`` "day") or instants as milliseconds ("ms"); ``datetime64`` columns keep their unit.

    ``offsets_ms``: what to add to an instant to get the clock of its place; a generalised instant is that clock's.
    """

    def operation(column: np.ndarray, persons: Persons) -> np.ndarray:
        gone = missing(column)
        work = np.where(gone, np.array(0, dtype=column.dtype), column) if gone.any() else column
        if column.dtype.kind == "M":
            days_like = np.datetime_data(column.dtype)[0] == "D"
            whole = work.astype("datetime64[D]" if days_like else "datetime64[ms]").astype(np.int64)
            step = 1 if days_like else DAY_MS
        else:
            whole, step = work.astype(np.int64), 1 if unit == "day" else DAY_MS
        if action.shift_days:
            shift, known = persons.shift(action.shift_days)
            whole, gone = whole + shift * step, gone | ~known
        if action.date or first_year:
            whole = _generalised(whole + (offsets_ms if step > 1 and action.date else 0), step, action, first_year)
        return _back(whole, gone, column, step)

    return operation


def _generalised(whole: np.ndarray, step: int, action: Action, first_year: int) -> np.ndarray:
    if first_year:
        first = int(np.datetime64(f"{first_year:04d}-01-01", "D").astype(np.int64)) * step
        whole = np.maximum(whole, first)
    return floor_days(whole // step, action.date) * step if action.date else whole


def _back(whole: np.ndarray, gone: np.ndarray, column: np.ndarray, step: int) -> np.ndarray:
    if column.dtype.kind == "M":
        out = whole.astype("datetime64[D]" if step == 1 else "datetime64[ms]").astype(column.dtype)
        out[gone] = np.datetime64("NaT")
        return out
    if gone.any():
        return np.where(gone, np.nan, whole.astype(np.float64))
    return whole.astype(column.dtype if column.dtype.kind in "if" else np.int64)
