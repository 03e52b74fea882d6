"""What a query asks, apart from how it is written: two texts of one meaning have one digest where this can be seen.

It reads the tree, not the text. Comments, brackets, case, aliases and qualifiers of relations, names of columns, the
order of projections, of relations, of conditions and of operands that may be exchanged change nothing, nor do WITH, a
subquery that only hands columns on, ``BETWEEN``, and ``1 < x`` for ``x > 1``. Where two queries could be one, they are:
columns of one name in two relations are not told apart. Equal meanings that take thought are not found.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.kernel.canonical import canonical_bytes, canonical_digest
from xinglin.wire.feasibility import plain_sql

if TYPE_CHECKING:
    from sqlglot import exp

_INNER = frozenset({"", "INNER", "CROSS"})
_MERGED = 256
"""Relations and conditions that are merged into another query; of more, it has a digest: WITH can double them often."""
_LISTED = frozenset({"expressions", "from", "joins", "where", "with"})
_TURNED = {"LT": "GT", "LTE": "GTE"}
_EITHER = frozenset({"EQ", "NEQ"})
_CHAINS = frozenset({"And", "Or", "Add", "Mul"})
# The parser logs text that it cannot read; a study's text is no matter for a log.
logging.getLogger("sqlglot").addFilter(lambda record: False)


class Meaning(msgspec.Struct, frozen=True):
    """``rows``: which rows there are. ``columns``: what each is, by its name in lower case; a plain one is its name."""

    rows: str
    columns: dict[str, str]


class _Rows(msgspec.Struct, frozen=True):
    """Relations joined, and what holds for them."""

    relations: tuple[Any, ...]
    conditions: tuple[Any, ...] = ()


Known = Mapping[str, _Rows]


@lru_cache(maxsize=512)
def meaning(sql: str) -> Meaning:
    """What a SELECT asks; of a text that cannot be read, the text."""
    import sqlglot
    from sqlglot.errors import SqlglotError

    from xinglin.analysis.admit_model import SQL_CHARACTERS

    if len(sql) > SQL_CHARACTERS.value:
        return Meaning(plain_sql(sql), {})  # which is not admitted, so never answered
    try:
        (tree,) = sqlglot.parse(sql, read="duckdb")
        return _top(tree)
    except (SqlglotError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError):
        return Meaning(plain_sql(sql), {})


def _top(tree: Any) -> Meaning:
    from sqlglot import exp

    while isinstance(tree, exp.Paren | exp.Subquery):
        tree = tree.this
    if not isinstance(tree, exp.Select):
        return Meaning(canonical_digest(_digested(_rows(tree, {}))), {})
    columns = {}
    for one in tree.expressions:
        form = _form(one, _with(tree, {}))
        plain = form[1] if form[0] == "column" else canonical_digest(form)
        columns[one.alias_or_name.lower()] = plain
    return Meaning(canonical_digest(_digested(_rows(tree, {}, outermost=True))), columns)


def _with(tree: exp.Expr, known: Known) -> Known:
    clause = tree.args.get("with_") or tree.args.get("with")
    found = dict(known)
    for part in clause.expressions if clause is not None else ():
        found[part.alias.lower()] = _rows(part.this, found)
    return found


def _rows(tree: Any, known: Known, *, outermost: bool = False) -> _Rows:
    """Which rows a query gives; merged into whoever reads it where it hands on columns as they are."""
    from sqlglot import exp

    if isinstance(tree, exp.Paren | exp.Subquery):
        return _rows(tree.this, known)
    known = _with(tree, known)
    if isinstance(tree, exp.SetOperation):
        parts = [_digested(_rows(one, known)) + _names(one, known) for one in (tree.this, tree.expression)]
        parts = _sorted(parts) if isinstance(tree, exp.Union) else parts
        return _Rows(([type(tree).__name__, bool(tree.args.get("distinct")), parts],))
    read = _read(tree, known)
    rest = [
        [name, _clause(name, held, tree, known)]
        for name, held in sorted((name.rstrip("_"), held) for name, held in tree.args.items())
        if held and name not in _LISTED
    ]
    plain = [isinstance(one.unalias(), exp.Column | exp.Star) for one in tree.expressions]
    handed_on = all(plain) and all(one.alias_or_name.lower() == one.unalias().name.lower() for one in tree.expressions)
    if not rest and (handed_on or outermost):
        many = len(read.relations) + len(read.conditions) > _MERGED
        return _Rows((["rows", *_digested(read)],)) if many else read
    listed = [] if outermost and not tree.args.get("distinct") else _names(tree, known)
    return _Rows((["select", _digested(read), rest, listed],))


def _names(tree: Any, known: Known) -> list[Any]:
    """Projections of a query that others read by name, whatever their order."""
    return [_sorted([[one.alias_or_name.lower(), _form(one, known)] for one in tree.selects])]


def _clause(name: str, held: Any, tree: Any, known: Known) -> Any:
    if name != "group":
        return _form(held, known)
    listed = tree.expressions
    named = {one.alias.lower(): one.this for one in listed if one.alias}
    keys = []
    for key in held.expressions:
        at = int(key.name) - 1 if type(key).__name__ == "Literal" and key.name.isdecimal() else -1
        keys.append(_form(listed[at] if 0 <= at < len(listed) else named.get(key.name.lower(), key), known))
    return _sorted(keys)


def _read(tree: Any, known: Known) -> _Rows:
    """The relations of a SELECT and its conditions, as one set where all joins are inner ones."""
    clause = tree.args.get("from_") or tree.args.get("from")
    first = _relation(clause.this, known) if clause is not None else _Rows(())
    joins = tree.args.get("joins") or []
    where = tree.args.get("where")
    held = [*_parts(where.this, "And", known)] if where is not None else []
    relations, conditions = [*first.relations], [*first.conditions, *held]
    if all(not one.side and one.kind in _INNER and not one.method for one in joins):
        for join in joins:
            right = _relation(join.this, known)
            relations += right.relations
            conditions += [*right.conditions, *_on(join, known)]
        return _Rows(tuple(_sorted(relations)), tuple(_sorted(conditions)))
    steps = [_step(join, known) for join in joins]
    return _Rows((["joined", _digested(first), steps],), tuple(_sorted(held)))


def _step(join: Any, known: Known) -> list[Any]:
    to = _digested(_relation(join.this, known))
    return [join.side, join.kind, join.method, to, _sorted([*_on(join, known)])]


def _on(join: Any, known: Known) -> Iterator[Any]:
    if join.args.get("on") is not None:
        yield from _parts(join.args["on"], "And", known)
    for name in join.args.get("using") or ():
        yield ["EQ", [["column", name.name.lower()]] * 2]


def _relation(table: Any, known: Known) -> _Rows:
    from sqlglot import exp

    if isinstance(table, exp.Table) and table.name.lower() in known:
        return known[table.name.lower()]
    if isinstance(table, exp.Table) and isinstance(table.this, exp.Identifier):
        return _Rows((["table", table.name.lower()],))
    return _rows(table, known) if isinstance(table, exp.Subquery) else _Rows((_form(table, known),))


def _digested(rows: _Rows) -> list[Any]:
    """A digest, so that what is read twice is written once."""
    conditions = {canonical_bytes(one): one for one in rows.conditions}
    return [canonical_digest([_sorted(list(rows.relations)), [conditions[at] for at in sorted(conditions)]])]


def _form(node: Any, known: Known) -> Any:
    """An expression without what is nobody's meaning."""
    from sqlglot import exp

    if isinstance(node, list | tuple):
        return [_form(one, known) for one in node]
    if not isinstance(node, exp.Expr):
        return str(node)
    name = type(node).__name__
    if isinstance(node, exp.Paren | exp.Alias):
        return _form(node.this, known)
    if isinstance(node, exp.Column | exp.Identifier):
        return ["column", node.name.lower()]
    if isinstance(node, exp.Literal):
        return ["text", node.this] if node.is_string else ["number", str(Decimal(node.this).normalize())]
    if isinstance(node, exp.Query):
        return ["query", *_digested(_rows(node, known)), *_names(node, known)]
    if name in _CHAINS:
        return _chain(name, [*_parts(node, name, known)])
    if isinstance(node, exp.Binary) and (name in _EITHER or name in _TURNED):
        pair = [_form(node.this, known), _form(node.expression, known)]
        return [name, _sorted(pair)] if name in _EITHER else [_TURNED[name], pair[::-1]]
    if isinstance(node, exp.GT | exp.GTE):
        return [name, [_form(node.this, known), _form(node.expression, known)]]
    if isinstance(node, exp.Between) and not node.args.get("symmetric"):
        return _chain("And", [*_between(node, known)])
    if isinstance(node, exp.In) and node.expressions and not node.args.get("query"):
        listed = _sorted(_form(node.expressions, known))
        one = _form(node.this, known)
        return ["In", one, listed] if len(listed) > 1 else ["EQ", _sorted([one, *listed])]
    return [name, [[at, _form(held, known)] for at, held in sorted(node.args.items()) if held or held == 0]]


def _parts(node: Any, name: str, known: Known) -> Iterator[Any]:
    """The operands of a chain of one operator, brackets or not."""
    from sqlglot import exp

    while isinstance(node, exp.Paren):
        node = node.this
    if type(node).__name__ == name:
        yield from _parts(node.this, name, known)
        yield from _parts(node.expression, name, known)
    elif name == "And" and isinstance(node, exp.Between) and not node.args.get("symmetric"):
        yield from _between(node, known)
    else:
        yield _form(node, known)


def _between(node: Any, known: Known) -> Iterator[Any]:
    one = _form(node.this, known)
    yield ["GTE", [one, _form(node.args["low"], known)]]
    yield ["GTE", [_form(node.args["high"], known), one]]


def _chain(name: str, parts: list[Any]) -> Any:
    if name in ("And", "Or"):
        parts = list({canonical_bytes(one): one for one in parts}.values())
    return [name, _sorted(parts)] if len(parts) > 1 else parts[0]


def _sorted(forms: list[Any]) -> list[Any]:
    return sorted(forms, key=canonical_bytes)
