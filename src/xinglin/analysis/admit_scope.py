"""Where a name in a study's SQL can point: relations in scope, their columns, and what is allowed here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

import msgspec
from sqlglot import exp

from xinglin.analysis.admit_fan_out import FanOut
from xinglin.analysis.admit_model import EXPRESSIONS, SQL_DEPTH
from xinglin.analysis.admit_values import CHOSEN, CONSTANT, Value, highest, refuse

PERSON = '"__person"'
_NAME = re.compile(r"[^\W\d]\w{0,63}")
_NOTES = frozenset({"typed", "safe", "big_int", "date_part_boundary", "over", "coalesce"})
"""Arguments by which the parser notes a dialect's habit; they change nothing that is written."""


class Query(msgspec.Struct, frozen=True):
    """A compiled SELECT: its text gives ``__person`` and ``k0 …``; ``columns`` name and describe those.

    ``influence`` are the sources of its predicates, joins and groups; ``relations`` counts what it reads;
    ``withheld`` names identifier columns; ``fan_out``: what one person's rows can become.
    """

    sql: str
    columns: tuple[tuple[str, Value], ...]
    influence: frozenset[str]
    influence_grade: str
    relations: int
    withheld: frozenset[str] = frozenset()
    fan_out: FanOut = FanOut()

    @property
    def touched(self) -> frozenset[str]:
        """Every source that the result depends on."""
        return self.influence.union(*(value.sources for _, value in self.columns))

    @property
    def grade(self) -> str:
        """The highest grade touched."""
        return highest([self.influence_grade, *(value.grade for _, value in self.columns)])


class Relation(msgspec.Struct, frozen=True):
    """A query under an alias in FROM. ``names`` are what the text may call it; ``hidden`` USING columns."""

    alias: str
    name: str
    query: Query
    filtered: bool = False
    hidden: frozenset[str] = frozenset()

    def column(self, name: str) -> Value | None:
        """The column called ``name`` (any letter case), or None."""
        for position, (known, value) in enumerate(self.query.columns):
            if known.lower() == name.lower():
                filtered = value.filtered or self.filtered
                role = CHOSEN if filtered and value.role == CONSTANT else value.role
                return value.with_(sql=f'{self.alias}."k{position}"', filtered=filtered, role=role)
        return None


class Scope:
    """Names and permissions at one place of the text; children copy it with changes."""

    def __init__(self, relations: list[Relation], rules: Mapping[type[exp.Expression], Rule], place: str) -> None:
        self.relations = relations
        self.rules = rules
        self.place = place
        self.aliases: dict[str, exp.Expression] = {}
        self.group_keys: frozenset[str] | None = None
        self.aggregates = False
        self.windows = False
        self.depth = 0
        self.work = [0]
        self.person = f"{relations[0].alias}.{PERSON}" if relations else ""

    def within(self, place: str, **changes: object) -> Scope:
        """A copy for ``place`` with other permissions."""
        child = Scope(self.relations, self.rules, place)
        child.__dict__.update({**self.__dict__, "place": place, **changes})
        return child

    def find(self, node: exp.Expression) -> Value | None:
        """The column that ``node`` names; None when no relation has it; refused when two have."""
        table = node.args.get("table")
        name = checked_name(node.args["this"])
        where = [r for r in self.relations if table is None or r.name.lower() == checked_name(table).lower()]
        if table is not None and not where:
            refuse("unknown_relation", f"No relation is called {checked_name(table)!r} here.")
        hidden = table is None
        found = [(r, v) for r in where if (v := r.column(name)) and not (hidden and name.lower() in r.hidden)]
        if len(found) > 1:
            refuse("ambiguous", f"Column {name!r} is in more than one relation.", "Write relation.column.")
        return found[0][1] if found else None

    def withholds(self, name: str) -> bool:
        """Whether ``name`` is an identifier column of a view in scope."""
        return any(name.lower() in r.query.withheld for r in self.relations)

    def deeper(self) -> None:
        """Count one level of nesting."""
        self.depth += 1
        if self.depth > SQL_DEPTH.value:
            refuse("depth", f"An expression is nested deeper than {SQL_DEPTH.value} levels.", "Split it with WITH.")
        self.work[0] += 1
        if self.work[0] > EXPRESSIONS.value:
            refuse("size", f"A SELECT holds more than {EXPRESSIONS.value} expressions.", "Split the query.")


def only(node: exp.Expression, *allowed: str) -> None:
    """Refuse a node that carries anything besides ``allowed`` arguments."""
    for key, value in node.args.items():
        if value and key not in allowed and key not in _NOTES:
            refuse("not_admitted", f"{describe(node)} with '{key.rstrip('_')}' is not admitted.")


def describe(node: exp.Expression) -> str:
    """A word for a node, for reasons."""
    if isinstance(node, exp.Anonymous):
        return f"The function {str(node.this)[:40]!r}"
    if isinstance(node, exp.Func):
        return f"The function {node.sql_name().lower()}"
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(node).__name__).upper()


def checked_name(node: object) -> str:
    """An identifier's text, or refused."""
    text = node.name if isinstance(node, exp.Identifier | exp.Var | exp.TableAlias) else ""
    if text.startswith("__"):
        refuse("reserved_name", "Names that begin with '__' are the node's own.", "Choose another name.")
    if not _NAME.fullmatch(text):
        refuse("name", "A name is a letter followed by at most 63 letters, digits or '_'.", "Choose another name.")
    return text


def lineage(values: Iterable[Value], queries: Iterable[Query]) -> tuple[frozenset[str], str]:
    """Sources and highest grade of predicates and of the queries below."""
    known, below = list(values), list(queries)
    sources = frozenset().union(*(v.sources for v in known), *(q.influence for q in below))
    return sources, highest([*(v.grade for v in known), *(q.influence_grade for q in below)])


Rule = Callable[[exp.Expression, Scope], Value]
