"""Which columns of an extract could tell a person, whatever its asker says of them.

Of canonical tables the definitions say it (``privacy.deidentify.grading``). Of a hospital's own tables every column
does, but those that its profile lists under the word ``sensitive`` (or ``sensitive_…``) in ``[own.TABLE]``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from xinglin.catalogue.canonical_tables import canonical_table
from xinglin.node.extract_lineage import Origin

if TYPE_CHECKING:
    from xinglin.privacy.deidentify.grading import Remaining

SENSITIVE = "sensitive"
"""The word of a hospital's own profile for columns that nobody could be found by."""
UNORDERED = f"{SENSITIVE}_unordered"
"""The word for such columns of lists, with ";" between, whose order means nothing: a mark may change it."""
Pairs = frozenset[tuple[str, str]]


def declared_sensitive(profile: str) -> Pairs:
    """``(table, column)`` that a hospital's own profile, as its checked text, says is sensitive."""
    own = tomllib.loads(profile).get("own", {}) if profile else {}
    return frozenset(
        (table, column)
        for table, words in own.items()
        for word, columns in words.items()
        if word == SENSITIVE or word.startswith(f"{SENSITIVE}_")
        for column in columns
    )


def declared_unordered(profile: str) -> Pairs:
    """``(table, column)`` of lists of which a hospital's own profile says that their order means nothing."""
    own = tomllib.loads(profile).get("own", {}) if profile else {}
    return frozenset((table, column) for table, words in own.items() for column in words.get(UNORDERED, ()))


def stored(table: str) -> dict[str, str]:
    """The stored columns of a canonical table, each with the column that it is part of; none of any other table.

    >>> stored("patient")["birth_date_precision"], stored("no such table")
    ('birth_date', {})
    """
    known = canonical_table(table)
    return {column.name: column.part_of for column in known.physical()} if known else {}


def telling(
    names: Iterable[str], came: Mapping[str, Origin], remaining: Iterable[Remaining], sensitive: Pairs
) -> tuple[str, ...]:
    """Of the columns ``names`` those made of anything that could tell a person, sorted.

    ``remaining``: what the profile gives that tells who. ``sensitive``: of ``declared_sensitive``.
    """
    places = {one.place for one in remaining if one.form == "tables"}
    found = (name for name in names if any(_tells(pair, places, sensitive) for pair in came[name].published))
    return tuple(sorted(found))


def _tells(pair: tuple[str, str], places: set[str], sensitive: Pairs) -> bool:
    table, column = pair
    if canonical_table(table) is None:
        return pair not in sensitive
    whole = stored(table).get(column, column)
    return f"{table}.{column}" in places or f"{table}.{whole}" in places
