"""Everybody's choices in columns of numbers: what a use has to look at of them, and nothing that names what was said.

One row a choice that may speak (``terms.consent_standing``), a number for its person and one for the pattern of its
rule. A use is judged by patterns, of which a city has few, and then by whole columns.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import compress
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.kernel.codec import encode_msgpack
from xinglin.terms.consent import Choice, ConsentUse, PersonFilter
from xinglin.terms.consent_standing import EARLIEST, FOREVER, INSTANTS, Pattern, Standing, pattern_of, standings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.signedinteger[Any]]

DENIES, PERMITS = 1, 2
_PERIODS = tuple(f"instant_{number}" for number in range(INSTANTS))
_COLUMNS = {
    "person": "i",
    "pattern": "i",
    "may": "b",
    "at": "q",
    "latest": "q",
    "since": "q",
    "until": "q",
} | dict.fromkeys(_PERIODS, "q")
ROW_BYTES = sum(array(code).itemsize for code in _COLUMNS.values())
_NO_INSTANTS = (FOREVER,) * INSTANTS
PATTERN_BYTES, PATTERN_TIMES = 1024, 16
"""What a pattern takes in memory, at most: so much, and so many times its bytes as it would be stored."""


def fits(use: ConsentUse) -> bool:
    """Whether a use's instants are such as columns can be held against."""
    return all(EARLIEST < one < FOREVER for one in (use.at, use.cutoff or 0))


class Columns(msgspec.Struct, frozen=True):
    """Rows of everybody whose choices are held; ``persons`` in order, whether or not they have a row.

    ``patterns``: those that the rows number; there may be more. ``size_bytes``: of all of it, estimated from above.
    """

    persons: list[str]
    patterns: list[Pattern]
    rows: dict[str, Any]
    size_bytes: int

    def holds(self, person: str) -> bool:
        """Whether somebody's choices are among these."""
        place = bisect_left(self.persons, person)
        return place < len(self.persons) and self.persons[place] == person

    def replaced(self, changed: Mapping[str, Sequence[Choice]]) -> Columns:
        """With all the choices of some persons, known ones and new. Raises ``OverflowError`` for instants that no
        column takes."""
        import numpy as np

        names = sorted(changed)
        new = [name for name in names if not self.holds(name)]
        persons, moved = _with_persons(self.persons, new)
        place = dict(zip(names, (bisect_left(persons, name) for name in names), strict=True))
        gathered = _Rows(self.patterns)
        for name, choices in changed.items():
            gathered.add(place[name], choices)
        gone = np.zeros(len(persons), bool)
        gone[list(place.values())] = True
        owner = moved[self.rows["person"]]
        kept = ~gone[owner]
        added = gathered.columns()
        rows = {name: np.concatenate([column[kept], added[name]]) for name, column in self.rows.items()}
        rows["person"] = np.concatenate([owner[kept], added["person"]])
        return _sized(persons, gathered.patterns, rows, self, new)

    def filter(self, use: ConsentUse) -> PersonFilter:
        """``consent.person_filter`` over the choices of these persons, for a use that ``fits``."""
        return self.filter_without(use, ())

    def filter_without(self, use: ConsentUse, others: Collection[str]) -> PersonFilter:
        """The filter as if ``others`` had never said anything."""
        if use.lane == "care":
            return PersonFilter()
        denied, permitted = _newest(self.rows, self.patterns, use, len(self.persons))
        for name in others:
            if self.holds(name):
                place = bisect_left(self.persons, name)
                denied[place] = permitted[place] = EARLIEST
        out = (denied != EARLIEST) & (permitted <= denied)
        without = tuple(compress(self.persons, out.tolist()))
        if use.regime != "opt-in":
            return PersonFilter(without)
        consenting = (permitted != EARLIEST) & ~out
        return PersonFilter(without, tuple(compress(self.persons, consenting.tolist())))


def columns_of(choices: Iterable[Choice], said_more: Collection[str]) -> Columns:
    """Columns of all choices, in the order of recording; ``said_more``: of whom there is more than one.

    Raises ``OverflowError`` for instants that no column takes.
    """
    import numpy as np

    waiting: dict[str, list[Choice]] = {}
    place: dict[str, int] = {}
    gathered = _Rows([])
    for choice in choices:
        person = choice.person
        if person in said_more:
            waiting.setdefault(person, []).append(choice)
        else:
            gathered.add(place.setdefault(person, len(place)), (choice,))
    for person, said in waiting.items():
        gathered.add(place.setdefault(person, len(place)), said)
    arrived = list(place)
    del place, waiting
    order = sorted(range(len(arrived)), key=arrived.__getitem__)
    ranked = np.empty(len(order), np.int32)
    ranked[order] = np.arange(len(order), dtype=np.int32)
    rows = gathered.columns()
    rows["person"] = ranked[rows["person"]]
    persons = [arrived[one] for one in order]
    return _sized(persons, gathered.patterns, rows, None, persons)


class _Rows:
    """Rows while they are gathered; each pattern is numbered once."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self.patterns = list(patterns)
        self._number = {pattern: number for number, pattern in enumerate(self.patterns)}
        self._values = array("q")

    def add(self, person: int, choices: Sequence[Choice]) -> None:
        """All the choices of one person."""
        for one in standings(choices):
            self._put(person, one)

    def columns(self) -> dict[str, Any]:
        """What was gathered."""
        import numpy as np

        values = np.array(self._values).reshape(-1, len(_COLUMNS))
        return {name: values[:, place].astype(code) for place, (name, code) in enumerate(_COLUMNS.items())}

    def _put(self, person: int, one: Standing) -> None:
        if EARLIEST in (one.at, one.latest):  # stands for "never"
            raise OverflowError("An instant is outside of every calendar.")
        pattern, instants = pattern_of(one.rule)
        number = self._number.get(pattern)
        if number is None:
            number = self._number[pattern] = len(self.patterns)
            self.patterns.append(pattern)
        may = one.denies * DENIES + one.permits * PERMITS
        within = (min(max(instant, EARLIEST), FOREVER) for instant in instants)
        periods = (*within, *_NO_INSTANTS[len(instants) :])
        self._values.extend((person, number, may, one.at, one.latest, one.since, one.until, *periods))


def _newest(
    rows: Mapping[str, Any], patterns: Sequence[Pattern], use: ConsentUse, count: int
) -> tuple[Numbers, Numbers]:
    """Of each person when a choice that denies was said last, and when one that permits; ``EARLIEST``: never."""
    import numpy as np

    said = np.zeros((len(patterns), INSTANTS + 1), np.int8)
    for number, pattern in enumerate(patterns):
        for past, one in enumerate(pattern.outcomes(use)):
            said[number, past] = DENIES * ("deny" in one) + PERMITS * (one == {"permit"})
    over = np.zeros(len(rows["person"]), np.int8)
    for name in _PERIODS:
        over += rows[name] <= use.at
    may = rows["may"] & said[rows["pattern"], over]
    denying = (may & DENIES) != 0
    if use.cutoff is not None:
        denying &= rows["at"] < use.cutoff
    permitting = ((may & PERMITS) != 0) & (rows["since"] <= use.at) & (use.at < rows["until"])
    denied, permitted = np.full(count, EARLIEST, np.int64), np.full(count, EARLIEST, np.int64)
    np.maximum.at(denied, rows["person"][denying], rows["latest"][denying])
    np.maximum.at(permitted, rows["person"][permitting], rows["at"][permitting])
    return denied, permitted


def _with_persons(persons: list[str], new: list[str]) -> tuple[list[str], Numbers]:
    """Persons with new ones among them, in order, and the place that each old one has there. Both come in order."""
    import numpy as np

    ahead = np.array([bisect_left(persons, name) for name in new], dtype=np.int64)
    old = np.arange(len(persons), dtype=np.int32)
    moved = old + np.searchsorted(ahead, old, side="right").astype(np.int32)
    return (sorted([*persons, *new]) if new else persons), moved


def _sized(
    persons: list[str], patterns: list[Pattern], rows: dict[str, Any], before: Columns | None, new: list[str]
) -> Columns:
    """The columns with their size: what was known of it, new persons and patterns, and the change in rows."""
    size, first, had = (0, 0, 0)
    if before is not None:
        size, first, had = before.size_bytes, len(before.patterns), len(before.rows["person"])
    size += sum(sys.getsizeof(name) + 8 for name in new)
    size += sum(PATTERN_BYTES + PATTERN_TIMES * len(encode_msgpack(one.rule)) for one in patterns[first:])
    return Columns(persons, patterns, rows, size + ROW_BYTES * (len(rows["person"]) - had))
