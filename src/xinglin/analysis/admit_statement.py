"""Statements: WITH, SELECT, joins and UNION ALL, each carrying the person's code."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from xinglin.analysis import admit_fan_out as fan_out
from xinglin.analysis import admit_values as av
from xinglin.analysis.admit_aggregates import AGGREGATE_RULES
from xinglin.analysis.admit_dates import DATE_RULES
from xinglin.analysis.admit_dispatch import condition, expression
from xinglin.analysis.admit_expressions import OPERATOR_RULES
from xinglin.analysis.admit_functions import FUNCTION_RULES
from xinglin.analysis.admit_model import (
    OUTPUT_COLUMNS,
    RELATIONS,
    SQL_CHARACTERS,
    SQL_TOKENS,
    OutputColumn,
    ViewSchema,
)
from xinglin.analysis.admit_scope import PERSON, Query, Relation, Scope, checked_name, describe, lineage, only
from xinglin.analysis.admit_values import Refused, Value, refuse
from xinglin.analysis.admit_views import base_query
from xinglin.kernel.verdict import Reason

_SELECT_CLAUSES = (
    "expressions", "from_", "from", "joins", "where", "group", "having", "qualify", "with_", "with", "distinct",
)  # fmt: skip
_RULES = {**OPERATOR_RULES, **FUNCTION_RULES, **DATE_RULES, **AGGREGATE_RULES}
Sources = Mapping[str, Query]
# The parser logs the text that it cannot read; a study's text is no matter for a log.
logging.getLogger("sqlglot").addFilter(lambda record: False)
_PARSER_FAULTS = (SqlglotError, ValueError, TypeError, AttributeError, LookupError, OverflowError, AssertionError)


def compile_text(sql: str, views: Mapping[str, ViewSchema]) -> Query:
    """The query that ``sql`` spells, in person scope; ``Refused`` otherwise."""
    tree = _parsed(sql)
    return _Builder(views).top(tree)


def _parsed(sql: str) -> exp.Expression:
    if len(sql) > SQL_CHARACTERS.value:
        refuse("size", f"The text is longer than {SQL_CHARACTERS.value} characters.", "Shorten it.")
    try:
        tokens = sqlglot.tokenize(sql, read="duckdb")
        if len(tokens) > SQL_TOKENS.value:
            refuse("size", f"The text has more than {SQL_TOKENS.value} words.", "Shorten it.")
        trees = sqlglot.parse(sql, read="duckdb")
    except _PARSER_FAULTS:
        refuse("syntax", "The text is not SQL that can be read.", "Write one SELECT statement.")
    if len(trees) != 1 or not isinstance(trees[0], exp.Expression):
        refuse("statement", "Exactly one SELECT statement is admitted.", "Remove the others and the semicolon.")
    return trees[0]


def output_columns(query: Query, *, cohort: bool) -> Iterator[OutputColumn]:
    """The columns of the outermost query; kinds that may not be handed on are refused."""
    for name, value in query.columns:
        if value.kind == "null" or (value.kind in ("date", "key") and not cohort):
            refuse(
                "output_kind",
                f"Column {name!r} is a {value.kind}; a query gives numbers, categories and booleans.",
                "For a date: date_diff('day', DATE '2020-01-01', …).",
            )
        yield OutputColumn(
            name, value.kind, value.low, value.high, value.levels, value.integer,
            av.highest([value.grade, query.influence_grade]), tuple(sorted(value.sources)),
            value.role == av.CHOSEN, value.filtered, value.values if value.role == av.CHOSEN else (),
            value.stepped and value.role == av.PLAIN,
        )  # fmt: skip


def outermost(query: Query) -> str:
    """The final text: columns under their own names."""
    columns = "".join(f', "k{i}" AS "{name}"' for i, (name, _) in enumerate(query.columns))
    return f"SELECT {PERSON}{columns} FROM ({query.sql}) AS result"  # noqa: S608 (compiled text)


class _Builder:
    """Compiles one statement; gives relations and subqueries names of its own."""

    def __init__(self, views: Mapping[str, ViewSchema]) -> None:
        self._views = {name.lower(): (name, schema) for name, schema in views.items()}
        self._definitions: list[str] = []
        self._bases: dict[str, Query] = {}
        self._aliases = 0
        self._depth = 0

    def top(self, tree: exp.Expression) -> Query:
        query = self._query(tree, {})
        if not self._definitions:
            return query
        text = f"WITH {', '.join(self._definitions)} {query.sql}"
        return msgspec.structs.replace(query, sql=text)

    def _query(self, tree: exp.Expression, sources: Sources) -> Query:
        self._depth += 1
        if self._depth > RELATIONS.value:
            refuse("depth", "Subqueries are nested too deeply.", "Split the query with WITH.")
        try:
            if isinstance(tree, exp.Select):
                return self._select(tree, sources)
            if isinstance(tree, exp.Union):
                return self._union(tree, sources)
            if isinstance(tree, exp.Subquery):
                only(tree, "this")
                return self._query(tree.this, sources)
        finally:
            self._depth -= 1
        raise av.refusal("statement", f"{describe(tree)} is not admitted: write one SELECT.", "See the guide.")

    def _defined(self, name: str, query: Query) -> Query:
        """Hoist a query into the outermost WITH; returns one that reads it by name."""
        self._definitions.append(f"{name} AS ({query.sql})")
        sql = f"SELECT * FROM {name}"  # noqa: S608 (a generated name)
        return msgspec.structs.replace(query, sql=sql)

    def _fresh(self, prefix: str) -> str:
        self._aliases += 1
        return f"{prefix}{self._aliases}"

    def _with(self, tree: exp.Expression, sources: Sources) -> Sources:
        clause = tree.args.get("with_") or tree.args.get("with")
        if clause is None:
            return sources
        only(clause, "expressions")
        known = dict(sources)
        for part in clause.expressions:
            only(part, "this", "alias")
            only(part.args["alias"], "this")
            name = checked_name(part.args["alias"].this)
            known[name.lower()] = self._defined(self._fresh("q"), self._query(part.this, known))
        return known

    def _source(self, table: exp.Expression, sources: Sources) -> tuple[str, Query]:
        if isinstance(table, exp.Subquery):
            only(table, "this", "alias")
            if not table.args.get("alias"):
                return self._fresh("unnamed"), self._query(table.this, sources)
            return _alias_of(table, ""), self._query(table.this, sources)
        if not isinstance(table, exp.Table) or not isinstance(table.this, exp.Identifier):
            refuse("not_admitted", f"{describe(_inner(table))} does not stand in FROM.", "Read a view of this study.")
        only(table, "this", "alias")
        name = checked_name(table.this)
        alias = _alias_of(table, name)
        if name.lower() in sources:
            return alias, sources[name.lower()]
        if name.lower() not in self._views:
            refuse("unknown_relation", f"No view {name!r} belongs to this study.", "See study.views().")
        return alias, self._base(name.lower())

    def _base(self, key: str) -> Query:
        if key not in self._bases:
            name, schema = self._views[key]
            self._bases[key] = self._defined(self._fresh("v"), base_query(name, schema))
        return self._bases[key]

    def _relations(self, tree: exp.Select, sources: Sources) -> tuple[Scope, str, list[Value]]:
        clause = tree.args.get("from_") or tree.args.get("from")
        if clause is None:
            refuse("row_generator", "A SELECT reads a view: rows are not made up.", "Add FROM.")
        only(clause, "this")
        first = self._relation(clause.this, sources, [])
        text, person, conditions = f"({first.query.sql}) AS {first.alias}", f"{first.alias}.{PERSON}", []
        relations = [first]
        for join in tree.args.get("joins") or []:
            only(join, "this", "on", "using", "side", "kind")
            side, word = _join_words(join)
            right = self._relation(join.this, sources, relations)
            if side in ("RIGHT", "FULL"):
                relations = [_filtered(r) for r in relations]
            if side in ("LEFT", "FULL"):
                right = _filtered(right)
            right, using = _using(join, relations, right, side)
            relations = [*relations, right]
            scope = Scope(relations, _RULES, "ON")
            tests = [*using, *([condition(join.args["on"], scope)] if join.args.get("on") is not None else [])]
            conditions += tests
            theirs = f"{right.alias}.{PERSON}"
            on = " AND ".join([f"{person} = {theirs}", *(t.sql for t in tests)])
            text += f" {word} ({right.query.sql}) AS {right.alias} ON {on}"
            person = {"RIGHT": theirs, "FULL": f"COALESCE({person}, {theirs})"}.get(side, person)
        scope = Scope(relations, _RULES, "SELECT")
        scope.person = person
        return scope, text, conditions

    def _relation(self, table: exp.Expression, sources: Sources, before: list[Relation]) -> Relation:
        name, query = self._source(table, sources)
        if any(r.name.lower() == name.lower() for r in before):
            refuse("ambiguous", f"Two relations are called {name!r}.", "Give one an alias.")
        total = query.relations + sum(r.query.relations for r in before)
        if total > RELATIONS.value:
            refuse("size", f"More than {RELATIONS.value} relations are read.", "Join fewer relations.")
        return Relation(self._fresh("t"), name, query)

    def _select(self, tree: exp.Select, sources: Sources) -> Query:
        _check_clauses(tree)
        sources = self._with(tree, sources)
        scope, text, tests = self._relations(tree, sources)
        clauses = _Clauses(tree, scope)
        where = clauses.where()
        grouped = clauses.grouped()
        columns = clauses.columns()
        having, qualify = clauses.late("having", windows=False), clauses.late("qualify", windows=True)
        clauses.raise_reasons()
        if len(columns) > OUTPUT_COLUMNS.value:
            refuse("size", f"More than {OUTPUT_COLUMNS.value} columns are selected.", "Select fewer.")
        distinct = _distinct(tree)
        listed = "".join(f', {value.sql} AS "k{i}"' for i, (_, value) in enumerate(columns))
        sql = f"SELECT {distinct}{scope.person} AS {PERSON}{listed} FROM {text}"  # noqa: S608 (compiled text)
        sql += "".join(f" {word} {v.sql}" for word, v in (("WHERE", where),) if v)
        if grouped is not None:
            sql += " GROUP BY " + ", ".join([scope.person, *dict.fromkeys(v.sql for v in grouped)])
        sql += "".join(f" {word} {v.sql}" for word, v in (("HAVING", having), ("QUALIFY", qualify)) if v)
        known = [*tests, *(grouped or []), *(v for v in (where, having, qualify) if v)]
        influence, grade = lineage(known, [r.query for r in scope.relations])
        count = sum(r.query.relations for r in scope.relations)
        fan = fan_out.joined(r.query.fan_out for r in scope.relations)
        fan = fan_out.one_row(fan) if grouped == [] else fan
        return Query(sql, tuple(columns), influence, grade, count, fan_out=fan)

    def _union(self, tree: exp.Union, sources: Sources) -> Query:
        for key in ("limit", "offset", "order"):
            if tree.args.get(key):
                _refuse_order()
        only(tree, "this", "expression", "distinct", "with_", "with")
        sources = self._with(tree, sources)
        left, right = self._query(tree.this, sources), self._query(tree.expression, sources)
        if len(left.columns) != len(right.columns):
            refuse("union", "The branches of UNION have different numbers of columns.")
        columns = [_union_column(a, b) for a, b in zip(left.columns, right.columns, strict=True)]
        word = "UNION" if tree.args.get("distinct") else "UNION ALL"
        casts = "".join(f', {_typed(f"{chr(34)}k{i}{chr(34)}", v)} AS "k{i}"' for i, (_, v) in enumerate(columns))
        parts = [f"SELECT {PERSON}{casts} FROM ({q.sql}) AS {self._fresh('u')}" for q in (left, right)]  # noqa: S608
        influence, grade = lineage([], [left, right])
        count = left.relations + right.relations
        if count > RELATIONS.value:
            refuse("size", f"More than {RELATIONS.value} relations are read.", "Use fewer branches.")
        fan = fan_out.united(left.fan_out, right.fan_out)
        return Query(f" {word} ".join(parts), tuple(columns), influence, grade, count, fan_out=fan)


class _Clauses:
    """The clauses of one SELECT; their reasons are gathered, so that every one is told."""

    def __init__(self, tree: exp.Select, scope: Scope) -> None:
        self._tree, self._scope = tree, scope
        self._reasons: list[Reason] = []
        self._inner = scope

    def _try(self, rule: Callable[..., Any], *given: Any) -> Any:
        try:
            return rule(*given)
        except Refused as refusal:
            self._reasons += refusal.reasons
            return None

    def raise_reasons(self) -> None:
        if self._reasons:
            raise Refused(tuple(dict.fromkeys(self._reasons)))

    def where(self) -> Value | None:
        clause = self._tree.args.get("where")
        if clause is None:
            return None
        only(clause, "this")
        return self._try(condition, clause.this, self._scope.within("WHERE"))  # type: ignore[no-any-return]

    def grouped(self) -> list[Value] | None:
        """The grouping values, [] for one group a person, None without grouping; sets up the SELECT's scope."""
        clause = self._tree.args.get("group")
        if clause is not None:
            only(clause, "expressions")
            scope = self._scope.within("GROUP BY", aliases=self._aliases())
            keys = [self._try(expression, self._ordinal(part), scope) for part in clause.expressions]
            values = [key for key in keys if key is not None]
        elif self._tree.args.get("having") is not None or _has_aggregate(self._tree.expressions):
            values = []
        else:
            self._inner = self._scope.within("SELECT", windows=True)
            return None
        keys_sql = frozenset(v.sql for v in values)
        self._inner = self._scope.within("SELECT", group_keys=keys_sql, aggregates=True, windows=True)
        return values

    def _aliases(self) -> dict[str, exp.Expression]:
        named = [p for p in self._tree.expressions if isinstance(p, exp.Alias)]
        return {p.args["alias"].name.lower(): p.this for p in named}

    def _ordinal(self, part: exp.Expression) -> exp.Expression:
        if isinstance(part, exp.Literal) and not part.args.get("is_string"):
            text, projections = str(part.this), self._tree.expressions
            if text.isdecimal() and 1 <= int(text) <= len(projections):
                chosen: exp.Expression = projections[int(text) - 1]
                return chosen.this if isinstance(chosen, exp.Alias) else chosen
            refuse("constant", "GROUP BY counts columns from 1.")
        return part

    def columns(self) -> list[tuple[str, Value]]:
        found: list[tuple[str, Value]] = []
        for part in self._tree.expressions:
            found += self._try(self._projection, part) or []
        names = [name.lower() for name, _ in found]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            self._reasons.append(Reason("sql.duplicate", f"Column {twice[0]!r} is selected twice.", "Rename one."))
        return found

    def _projection(self, part: exp.Expression) -> list[tuple[str, Value]]:
        if isinstance(part, exp.Star):
            only(part)
            return list(_starred(self._scope.relations, self._inner))
        if isinstance(part, exp.Column) and isinstance(part.this, exp.Star):
            only(part, "this", "table")
            only(part.this)
            name = checked_name(part.args["table"]).lower()
            return list(_starred([r for r in self._scope.relations if r.name.lower() == name], self._inner))
        if isinstance(part, exp.Alias):
            only(part, "this", "alias")
            return [(checked_name(part.args["alias"]), expression(part.this, self._inner))]
        value = expression(part, self._inner)
        if not isinstance(part, exp.Column):
            refuse("name", "A computed column has no name.", "Name it with AS.")
        return [(checked_name(part.this), value)]

    def late(self, name: str, *, windows: bool) -> Value | None:
        clause = self._tree.args.get(name)
        if clause is None:
            return None
        only(clause, "this")
        scope = self._inner.within(name.upper(), windows=windows, aliases=self._aliases())
        return self._try(condition, clause.this, scope)  # type: ignore[no-any-return]


def _starred(relations: Iterable[Relation], scope: Scope) -> Iterator[tuple[str, Value]]:
    if scope.group_keys is not None:
        refuse("not_grouped", "'*' does not stand beside GROUP BY or an aggregate.", "Name the columns.")
    known = list(relations)
    if not known:
        refuse("unknown_relation", "'*' names no relation here.")
    for relation in known:
        for name, _ in relation.query.columns:
            value = relation.column(name)
            if value is not None and name.lower() not in relation.hidden:
                yield name, value


def _has_aggregate(parts: Iterable[exp.Expression]) -> bool:
    waiting = list(parts)
    while waiting:
        node = waiting.pop()
        if isinstance(node, exp.AggFunc | exp.Filter):
            return True
        if isinstance(node, exp.Window):  # its own function is no aggregate of the SELECT, its parts may hold one
            inner = node.this.this if isinstance(node.this, exp.IgnoreNulls | exp.Filter) else node.this
            waiting += inner.iter_expressions()
            waiting += [child for child in node.iter_expressions() if child is not node.this]
        elif not isinstance(node, exp.Query):
            waiting += node.iter_expressions()
    return False


def _inner(table: exp.Expression) -> exp.Expression:
    inner = table.this if isinstance(table, exp.Table) else table
    return inner if isinstance(inner, exp.Expression) else table


def _alias_of(table: exp.Expression, default: str) -> str:
    alias = table.args.get("alias")
    if not alias:
        return default
    only(alias, "this")
    return checked_name(alias.this)


def _join_words(join: exp.Expression) -> tuple[str, str]:
    side, kind = str(join.args.get("side") or "").upper(), str(join.args.get("kind") or "").upper()
    if side not in ("", "LEFT", "RIGHT", "FULL") or kind not in ("", "INNER", "OUTER", "CROSS"):
        refuse("not_admitted", f"A {side} {kind} JOIN is not admitted.".replace("  ", " "), "Use JOIN or LEFT JOIN.")
    return side, f"{side} JOIN".strip()


def _filtered(relation: Relation) -> Relation:
    return Relation(relation.alias, relation.name, relation.query, True, relation.hidden)


def _using(join: exp.Expression, left: list[Relation], right: Relation, side: str) -> tuple[Relation, list[Value]]:
    names = [checked_name(part) for part in join.args.get("using") or []]
    if names and side in ("RIGHT", "FULL"):
        refuse("not_admitted", "USING goes with JOIN and LEFT JOIN.", "Write ON.")
    tests = []
    for name in names:
        column = exp.Column(this=exp.Identifier(this=name))
        a, b = Scope(left, _RULES, "USING").find(column), right.column(name)
        if a is None or b is None or a.kind != b.kind:
            refuse("unknown_column", f"USING needs column {name!r} of one kind on both sides.")
        tests.append(av.truth(f"({a.sql} = {b.sql})", (a, b)))
    hidden = frozenset(name.lower() for name in names)
    return Relation(right.alias, right.name, right.query, right.filtered, hidden), tests


def _check_clauses(tree: exp.Select) -> None:
    for key in ("limit", "offset", "order", "sort", "cluster", "distribute", "sample"):
        if tree.args.get(key):
            _refuse_order()
    only(tree, *_SELECT_CLAUSES)
    if not tree.expressions:
        refuse("statement", "SELECT names no column.", "Name columns after SELECT.")


def _refuse_order() -> None:
    refuse(
        "order",
        "ORDER BY, LIMIT, OFFSET and samples work across persons.",
        "Within a person: row_number() OVER (… ORDER BY …) with QUALIFY.",
    )


def _distinct(tree: exp.Select) -> str:
    distinct = tree.args.get("distinct")
    if distinct is None:
        return ""
    only(distinct)
    return "DISTINCT "


def _typed(column: str, value: Value) -> str:
    types = {"number": "DOUBLE", "date": "TIMESTAMP", "boolean": "BOOLEAN"}
    return f"CAST({column} AS {types.get(value.kind, 'VARCHAR')})"


def _union_column(left: tuple[str, Value], right: tuple[str, Value]) -> tuple[str, Value]:
    """One column of a union; a number is one published column in every branch or a constant in every branch."""
    (name, a), (_, b) = left, right
    if a.kind == b.kind == "null":
        return name, a
    real = [v for v in (a, b) if v.kind != "null"]
    kind = av.joint_kind(real)
    if kind == "key":
        return name, av.merged(a.sql, "key", (a, b))
    if kind in ("category", "boolean") or all(v.role != av.PLAIN for v in real):
        picked = av.picked(a.sql, [a, b], [], null_possible=False)
        return name, picked.with_(filtered=a.filtered or b.filtered or len(real) < 2)
    named = {source.rpartition(".")[2] for v in real for source in v.sources}
    if not all(v.role == av.PLAIN and v.bare for v in real) or len(named) > 1:
        refuse(
            "hidden_value",
            f"UNION mixes a column with another, or with a computed or constant value, in {name!r}.",
            "Unite columns of one name as published, and compute afterwards.",
        )
    low, high = av.hull(real)
    facts = av.merged(a.sql, kind, (a, b), low=low, high=high, integer=all(v.integer for v in real))
    return name, facts.with_(bare=True, filtered=facts.filtered or len(real) < 2)
