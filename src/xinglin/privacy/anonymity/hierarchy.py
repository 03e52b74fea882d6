"""Generalisation hierarchies: each value with the labels that may stand for it, up to one top.

The form is ARX's: a line a value, from the value itself to the top, every line equally long.
"""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Iterable, Sequence
from itertools import pairwise

import msgspec

from xinglin.kernel.limits import Limit
from xinglin.privacy.anonymity.errors import BadHierarchy

TOP = "*"
HIERARCHY_VALUES = Limit("values of a hierarchy", 1_000_000, "values")
HIERARCHY_DEPTH = Limit("levels of a hierarchy", 16, "levels")


class Hierarchy(msgspec.Struct, frozen=True):
    """Values and what may stand for them. ``paths``: for each value the labels from itself to the top.

    Raises ``BadHierarchy`` where a line is shorter than another or has an empty label above its value (a
    gap), a value comes twice, a label stands for two different sets of values, or there are two tops.

    >>> Hierarchy((("34", "30-39", "*"), ("38", "30-39", "*"))).levels
    3
    """

    paths: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        HIERARCHY_VALUES.check(len(self.paths))
        if not self.paths:
            raise BadHierarchy("A hierarchy without a value.", remedy="Give one line a value.")
        HIERARCHY_DEPTH.check(len(self.paths[0]))
        if any(len(path) != len(self.paths[0]) for path in self.paths):
            raise BadHierarchy(
                "A hierarchy with a gap: its lines are not equally long.",
                why="A level that is missing on one line leaves its value without a generalisation there.",
                remedy="Repeat a label where a value has no own label on a level.",
            )
        if len(self.paths[0]) < 2:
            raise BadHierarchy("A hierarchy of values alone.", remedy=f"End every line with a top such as '{TOP}'.")
        if any(not label for path in self.paths for label in path[1:]):
            raise BadHierarchy("A hierarchy with a gap: a level has an empty label.", remedy="Name every level.")
        if len({path[0] for path in self.paths}) != len(self.paths):
            raise BadHierarchy("A value stands twice in its hierarchy.", remedy="Keep one line a value.")
        if len({path[-1] for path in self.paths}) != 1:
            raise BadHierarchy("A hierarchy with more than one top.", remedy=f"End every line with '{TOP}'.")
        self._check_labels()

    def _check_labels(self) -> None:
        """One label, one set of values: else a reader could not tell what a cell stands for."""
        home: dict[tuple[int, str], tuple[str, ...]] = {}
        for path in self.paths:
            for level, label in enumerate(path):
                if home.setdefault((level, label), path[level:]) != path[level:]:
                    raise BadHierarchy(
                        "A hierarchy in which one label lies under two others.",
                        remedy="Give the two nodes labels of their own.",
                    )
        sets: dict[str, tuple[int, frozenset[str] | int]] = {}
        sizes: dict[tuple[int, str], int] = {}
        for path in self.paths:
            for level, label in enumerate(path):
                sizes[level, label] = sizes.get((level, label), 0) + 1
        chained = {(level, path[level]) for path in self.paths for level in range(1, self.levels) if _same(path, level)}
        for (level, label), size in sorted(sizes.items()):
            if label in sets and (sets[label][1] != size or (level, label) not in chained):
                raise BadHierarchy(
                    "A hierarchy in which one label stands for two sets of values.",
                    remedy="Give the two nodes labels of their own.",
                )
            sets[label] = (level, size)

    @property
    def levels(self) -> int:
        """How many labels a value has, itself and the top counted."""
        return len(self.paths[0])

    @property
    def top(self) -> str:
        """The label that stands for every value."""
        return self.paths[0][-1]

    def ordered(self) -> tuple[tuple[str, ...], ...]:
        """The lines so that the values under each node stand together; else in the order they were given."""
        place: dict[tuple[str, ...], int] = {}
        for path in self.paths:
            for level in range(self.levels):
                place.setdefault(path[level:], len(place))
        return tuple(sorted(self.paths, key=lambda path: [place[path[level:]] for level in range(self.levels)][::-1]))


def _same(path: Sequence[str], level: int) -> bool:
    return path[level] == path[level - 1]


def from_csv(text: str, delimiter: str = ";") -> Hierarchy:
    """A hierarchy from ARX's form: a line a value, the value first, the top last.

    >>> from_csv("Male;*\\nFemale;*\\n").top
    '*'
    """
    lines = [tuple(line) for line in csv.reader(text.splitlines(), delimiter=delimiter) if line]
    return Hierarchy(tuple(lines))


def from_toml(text: str) -> dict[str, Hierarchy]:
    """Hierarchies by column: ``[column]`` tables of ``value = ["label", …, "*"]``, the value left out.

    >>> from_toml('[sex]\\nMale = ["*"]\\nFemale = ["*"]')["sex"].levels
    2
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadHierarchy("A hierarchy that is not TOML.", why=str(error), remedy="Correct the file.") from error
    found = {}
    for column, table in document.items():
        if not isinstance(table, dict) or not all(_is_labels(labels) for labels in table.values()):
            raise BadHierarchy(
                f"The hierarchy of '{column}' is not a table of lists of labels.",
                remedy='Write `value = ["label", "*"]` for each value.',
            )
        found[column] = Hierarchy(tuple((value, *labels) for value, labels in table.items()))
    return found


def _is_labels(labels: object) -> bool:
    return isinstance(labels, list) and all(isinstance(label, str) for label in labels)


def from_intervals(first: int, last: int, widths: Sequence[int], top: str = TOP) -> Hierarchy:
    """Whole numbers ``first`` … ``last`` under intervals of ``widths`` (each a multiple of the one before).

    Intervals begin at multiples of their width: ages by 5 and 10 years are 35-39 and 30-39.

    >>> from_intervals(34, 36, (5, 10)).paths[0]
    ('34', '30-34', '30-39', '*')
    """
    HIERARCHY_VALUES.check(last - first + 1)
    steps = (1, *widths)
    if any(wide <= narrow or wide % narrow for narrow, wide in zip(steps, widths, strict=False)):
        raise BadHierarchy("Widths of intervals that do not nest.", remedy="Make each a multiple of the one before.")

    def label(value: int, width: int) -> str:
        low = value // width * width
        return f"{low}-{low + width - 1}"

    values = range(first, last + 1)
    return Hierarchy(tuple((str(v), *(label(v, width) for width in widths), top) for v in values))


def from_prefixes(values: Iterable[str], lengths: Sequence[int], top: str = TOP) -> Hierarchy:
    """Codes under their first characters: postcodes, areas, ICD-10. ``lengths`` fall from one to the next.

    >>> from_prefixes(["310104", "310112"], (4, 2)).paths[0]
    ('310104', '3101**', '31****', '*')
    """
    if any(short >= long for long, short in pairwise(lengths)):
        raise BadHierarchy("Lengths of prefixes that do not fall.", remedy="Give them from long to short.")

    def label(value: str, length: int) -> str:
        return value[:length] + "*" * max(0, len(value) - length)

    return Hierarchy(tuple((v, *(label(v, length) for length in lengths), top) for v in dict.fromkeys(values)))
