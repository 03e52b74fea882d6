"""Which entries of an answer will probably be hidden, before anything is asked: an estimate from published facts.

What is known: how many persons there are about (published, or told to this account by an earlier answer), and where
shares of a column are published, those. Columns are taken to be independent. No row is read, and nothing is certain
but this: fewer persons than entries times the smallest count cannot fill every entry.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from xinglin.analysis.algorithm import Algorithm

Guess = Literal["likely", "unlikely", "unknown"]
_ENTRIES_SHOWN = 60
_NEAR = 1.5
"""An entry whose estimate is below so many times the smallest count is likely hidden: estimates are rough."""


class Entry(msgspec.Struct, frozen=True):
    """One entry: its name, about how many persons (None where nothing published says), and what becomes of it."""

    name: str
    persons: int | None
    guess: Guess


class Prediction(msgspec.Struct, frozen=True):
    """Of an answer: ``entries`` in all, the first of them ``shown``; ``least``: persons that fill all of them.

    ``persons``: how many there are about, and ``told_by`` what. ``surely``: whether some entry must be hidden.
    """

    entries: int
    smallest: int
    least: int
    persons: int | None
    told_by: str
    surely: bool
    likely: int
    shown: tuple[Entry, ...]


class Known(msgspec.Struct, frozen=True):
    """What is known of the persons: about how many, who says so, and published shares by column and level."""

    persons: int | None = None
    told_by: str = ""
    shares: Mapping[str, Mapping[str, float]] = {}


def predicted(built: Algorithm, smallest: int, known: Known) -> Prediction:
    """The prediction for a statistic. ``smallest``: persons of the smallest count that is told."""
    names = [name for name in built.cell_names() if name != "all"] or ["all"]
    found = tuple(_entry(built, name, smallest, known) for name in names)
    persons = known.persons
    disjoint = built.kind in ("histogram", "dp_histogram", "dp_crosstab", "crosstab", "dp_count")
    inner = [name for name in names if " & " in name] or names
    count = len(inner) if disjoint else 1
    return Prediction(
        entries=len(inner) if disjoint else len(names),
        smallest=smallest,
        least=count * smallest,
        persons=persons,
        told_by=known.told_by,
        surely=persons is not None and disjoint and persons < count * smallest,
        likely=sum(one.guess == "likely" for one in found),
        shown=found[:_ENTRIES_SHOWN],
    )


def _entry(built: Algorithm, name: str, smallest: int, known: Known) -> Entry:
    expected = _expected(built.columns, name, known)
    if expected is None:
        return Entry(name, None, "unknown")
    return Entry(name, math.floor(expected), "likely" if expected < smallest * _NEAR else "unlikely")


def _expected(columns: tuple[str, ...], name: str, known: Known) -> float | None:
    """Persons times the known share of each level in the entry's name; None where one is not known."""
    if known.persons is None:
        return None
    share = 1.0
    for part in name.split(" & "):
        if part in columns or part == "all":
            continue
        column, sign, level = part.partition("=")
        own = known.shares.get(column, {}).get(level) if sign else known.shares.get(columns[0], {}).get(part)
        if own is None:
            return None
        share *= own
    return known.persons * share
