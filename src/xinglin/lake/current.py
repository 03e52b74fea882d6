"""Current views over append-only tables: the latest version of each fact, without what was taken back.

A row is a version of a fact; versions are ordered by ``version_at``, then ``recorded_at``, ``batch``, ``place``
and ``message``. A *whole* version says everything. A *partial* one says only what it fills: a column is then its
newest value since the last whole version, unless a later version names it in ``cleared``. What belongs to
one logical column (a code, its system and its text) moves together. A fact whose status is a word of
``TAKEN_BACK`` is not in the view. Persons: ``patient`` is the person that ``person_link`` says it is now (the last
link of a patient holds; one without a person undoes the link), ``patient_record`` what the source wrote.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Literal

import msgspec

from xinglin.catalogue.canonical import SYSTEM_COLUMNS, TAKEN_BACK, CanonicalTable
from xinglin.kernel.instants import Instant

PERSON_LINK = "person_link"
"""The lake's table of links: ``patient``, ``person``, ``version_at``, ``recorded_at``, ``reason``."""

PATIENT = "patient"
PATIENT_RECORD = "patient_record"

Versions = Literal["one", "whole", "partial"]
"""What facts have: one row each; several rows; several rows, some of them partial."""

_ORDER = ("version_at", "recorded_at", "batch", "place", "message")
_OWN = ("id", PATIENT, "partial")
_PARTS = ("precision", "zone", "system", "source", "source_system", "source_text", "loss")
_SYSTEM = tuple(column.name for column in SYSTEM_COLUMNS)
_NEWEST = tuple(name for name in _SYSTEM if name not in _OWN)


class CurrentRule(msgspec.Struct, frozen=True):
    """How a table versions its facts: the fact's id, what orders its versions (the first counts most), its status.

    ``groups``: columns that a partial version changes together; without any, versions are whole.
    """

    fact: str
    order: str | tuple[str, ...]
    status: str | tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    groups: tuple[tuple[str, ...], ...] = ()

    @property
    def of_person(self) -> bool:
        """Whether rows belong to a patient, whom ``person_link`` may name as somebody."""
        return PATIENT in self.columns


def rule_of(name: str, columns: Sequence[str]) -> CurrentRule | None:
    """The rule of a stored table; ``None`` where it has not every system column, and so no versions."""
    if not set(_SYSTEM) - {PATIENT} <= set(columns):
        return None
    known = _known(name)
    parts = {part.name: part.part_of for part in known.physical()} if known else {}
    groups: dict[str, list[str]] = {}
    for column in columns:
        if column not in _NEWEST and column not in ("id", "partial"):
            groups.setdefault(parts.get(column) or _base(column, columns), []).append(column)
    status = known.status if known else ("status",)
    merged = tuple(tuple(group) for group in groups.values())
    return CurrentRule("id", _ORDER, tuple(one for one in status if one in columns), tuple(columns), merged)


def current_select(
    relation: str,
    rule: CurrentRule,
    *,
    versions: Versions | None = None,
    repeated: str = "",
    links: str = "",
    as_of_recorded: Instant | None = None,
) -> str:
    """A SELECT of the facts of ``relation`` (a name in the engine) that hold now.

    ``versions``: what its facts are known to have; by default what the rule allows. ``repeated``: a relation
    whose column ``fact`` holds ``hash(id)`` of at least those facts that have several rows; others are then read
    as they are. ``links``: a relation of ``links_select``. ``as_of_recorded``: what this node knew at that instant.

    >>> current_select("obs", CurrentRule("id", "seen"), versions="one")
    'SELECT * FROM "obs"'
    """
    source = quoted(relation)
    if as_of_recorded is not None:
        source = f"(SELECT * FROM {source} WHERE {recorded_until(as_of_recorded)})"  # noqa: S608 (quoted names of the node)
    found = _by_versions(source, rule, versions or ("partial" if rule.groups else "whole"), repeated)
    found = _holding(found, rule)
    if not (links and rule.of_person):
        return found
    person = f"coalesce(l.person, c.{PATIENT})"
    return (
        f"SELECT c.* REPLACE ({person} AS {PATIENT}), c.{PATIENT} AS {PATIENT_RECORD} "  # noqa: S608 (quoted names)
        f"FROM ({found}) AS c LEFT JOIN {quoted(links)} AS l ON c.{PATIENT} = l.{PATIENT}"
    )


def links_select(relation: str, *, as_of_recorded: Instant | None = None) -> str:
    """A SELECT of ``patient, person``: the link of each patient that holds now. Chains are not followed."""
    where = "" if as_of_recorded is None else f" WHERE {recorded_until(as_of_recorded)}"
    order = _descending(("version_at", "recorded_at", "person"))
    latest = (
        f"SELECT {PATIENT}, person FROM {quoted(relation)}{where} "  # noqa: S608 (quoted names of the node)
        f"QUALIFY row_number() OVER (PARTITION BY {PATIENT} ORDER BY {order}) = 1"
    )
    return f"SELECT {PATIENT}, person FROM ({latest}) WHERE person IS NOT NULL AND person <> ''"  # noqa: S608


def repeated_select(relation: str, rule: CurrentRule) -> str:
    """A SELECT of ``fact`` (``hash(id)``; two ids may share one, which harms nothing) and ``partial`` of each
    fact with several rows: whether any of these is partial."""
    partial = "bool_or(partial)" if rule.groups else "false"
    return (
        f"SELECT hash({quoted(rule.fact)}) AS fact, coalesce({partial}, false) AS partial "  # noqa: S608 (quoted)
        f"FROM {quoted(relation)} GROUP BY 1 HAVING count(*) > 1"
    )


def quoted(name: str) -> str:
    """A quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(words: str) -> str:
    """A text as SQL has it.

    >>> literal("it's")
    "'it''s'"
    """
    return "'" + words.replace("'", "''") + "'"


def listed(words: Iterable[str]) -> str:
    """Texts as SQL has them, with commas between."""
    return ", ".join(map(literal, words))


def _by_versions(source: str, rule: CurrentRule, versions: Versions, repeated: str) -> str:
    columns = _stored(rule)
    if versions == "one":
        return f"SELECT {columns} FROM {source}"  # noqa: S608 (quoted names of the node)
    fold = _merged if versions == "partial" else _latest
    if not repeated:
        return fold(source, rule)
    several = f"(SELECT * FROM {source} WHERE hash({quoted(rule.fact)}) IN (SELECT fact FROM {quoted(repeated)}))"  # noqa: S608
    alone = f"hash({quoted(rule.fact)}) NOT IN (SELECT fact FROM {quoted(repeated)})"  # noqa: S608 (quoted names)
    return f"SELECT {columns} FROM {source} WHERE {alone} UNION ALL ({fold(several, rule)})"  # noqa: S608


def _latest(source: str, rule: CurrentRule) -> str:
    columns = _stored(rule)
    number = f"row_number() OVER (PARTITION BY {quoted(rule.fact)} ORDER BY {_descending(_named(rule.order))})"
    return f"SELECT {columns} FROM {source} QUALIFY {number} = 1"  # noqa: S608 (quoted names of the node)


def _merged(source: str, rule: CurrentRule) -> str:
    """Number the versions, keep those since the last whole one; each group is of the newest that speaks of it."""
    fact, order = quoted(rule.fact), _descending(_named(rule.order))
    newest = tuple(name for name in rule.columns if name in _NEWEST)
    taken = [f'arg_min({_packed(newest)}, "#n") AS "#newest"']
    places = {rule.fact: fact, "partial": '"#partial"'} | {n: f'"#newest".{quoted(n)}' for n in newest}
    for number, group in enumerate(rule.groups):
        says = " OR ".join(f"{quoted(column)} IS NOT NULL" for column in group)
        named = listed({*group, _base(group[0], group)})
        cleared = f'list_has_any("#cleared", [{named}])'
        taken.append(f'arg_min({_packed(group)}, "#n") FILTER (WHERE {says} OR {cleared}) AS "#{number}"')
        places |= {column: f'"#{number}".{quoted(column)}' for column in group}
    numbered = (
        f"SELECT *, string_split(cleared, ' ') AS \"#cleared\", "  # noqa: S608 (quoted names of the node)
        f'row_number() OVER (PARTITION BY {fact} ORDER BY {order}) AS "#n" FROM {source}'
    )
    since = (
        f'SELECT *, min("#n") FILTER (WHERE partial IS NOT TRUE) OVER (PARTITION BY {fact}) AS "#whole" '  # noqa: S608
        f"FROM ({numbered})"
    )
    folded = (
        f'SELECT {fact}, min("#whole") IS NULL AS "#partial", {", ".join(taken)} FROM ({since}) '  # noqa: S608
        f'WHERE "#whole" IS NULL OR "#n" <= "#whole" GROUP BY {fact}'
    )
    chosen = ", ".join(f"{places[column]} AS {quoted(column)}" for column in rule.columns)
    return f"SELECT {chosen} FROM ({folded})"  # noqa: S608 (quoted names of the node)


def _holding(select: str, rule: CurrentRule) -> str:
    words = listed(TAKEN_BACK)
    holds = [f"({quoted(one)} IS NULL OR {quoted(one)} NOT IN ({words}))" for one in _named(rule.status)]
    if not holds:
        return select
    return f"SELECT * FROM ({select}) WHERE {' AND '.join(holds)}"  # noqa: S608 (quoted names of the node)


def _stored(rule: CurrentRule) -> str:
    """The columns as stored; a version of which nothing is said is whole."""
    if not rule.groups:
        return ", ".join(map(quoted, rule.columns)) or "*"
    whole = {"partial": "coalesce(partial, false) AS partial"}
    return ", ".join(whole.get(column, quoted(column)) for column in rule.columns)


def _descending(names: Sequence[str]) -> str:
    """Newest first; what is not known is oldest. Places count: ``entry[10]`` comes after ``entry[9]``."""
    terms = [f"length({quoted(n)})" if n == "place" else "" for n in names]
    keys = [key for length, name in zip(terms, names, strict=True) for key in (length, quoted(name)) if key]
    return ", ".join(f"{key} DESC NULLS LAST" for key in keys)


def _packed(columns: Sequence[str]) -> str:
    return "struct_pack(" + ", ".join(f"{quoted(column)} := {quoted(column)}" for column in columns) + ")"


def recorded_until(at: Instant) -> str:
    """The condition that a row was recorded not after ``at``."""
    return f"recorded_at <= to_timestamp({int(at)} / 1000.0)"


def _base(column: str, columns: Collection[str]) -> str:
    """The logical column that a stored one is part of, by its name alone."""
    for suffix in sorted(_PARTS, key=len, reverse=True):
        base = column.removesuffix(f"_{suffix}")
        if base != column and base in columns:
            return base
    return column


def _known(name: str) -> CanonicalTable | None:
    from xinglin.catalogue.canonical_tables import CANONICAL_TABLES

    return next((table for table in CANONICAL_TABLES if table.name == name), None)


def _named(names: str | tuple[str, ...]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) and names else tuple(names)
