"""The statements of a pull, for every kind of database."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import Select, TextClause, cast, column, func, literal_column, select, table, text
from sqlalchemy import types as kinds
from sqlalchemy.sql.expression import ColumnElement, FromClause

from xinglin.feeds.sql_model import BadSqlSource, SqlSource

_NAME = re.compile(r"[^\s\"'`;\[\]()]{1,128}\Z")


def base_of(source: SqlSource) -> FromClause:
    """What is read from: the table, or the query as a sub-query; raises ``BadSqlSource``."""
    if bool(source.table) == bool(source.query):
        raise BadSqlSource("A source has a table or a query.", remedy="Name one of them.")
    if source.query:
        return text(_one_select(source.query)).columns().subquery("source")
    *schema, name = source.table.split(".")
    if len(schema) > 2 or not all(_NAME.match(part) for part in (*schema, name)):
        raise BadSqlSource("The table's name cannot be used.", remedy="Write schema.table, or a query.")
    return table(name, schema=".".join(schema) or None)


def _one_select(query: str) -> str:
    """The query, if it is one SELECT: the session is read-only, this is for the mistakes."""
    import sqlglot
    from sqlglot import exp

    bare = query.strip().rstrip(";").strip()
    try:
        parsed = sqlglot.parse(bare)
    except sqlglot.errors.SqlglotError:
        parsed = []
    single = len(parsed) == 1 and isinstance(parsed[0], exp.Query)
    # A dialect's own grammar may be unknown to the parser: then its first word and the absence of ';' decide.
    plain = not parsed and ";" not in bare and re.match(r"(?is)(select|with)\b", bare) is not None
    if not (single or plain):
        raise BadSqlSource("The query is not one SELECT.", remedy="Write one SELECT, without ';'.")
    return bare


def pull_statement(source: SqlSource, low: Any = None) -> Select[Any]:
    """Rows whose watermark is at least ``low``, oldest first; all rows where it is ``None``."""
    statement: Select[Any] = select(literal_column("*")).select_from(base_of(source))
    order: Sequence[str] = source.order
    if source.watermark:
        mark: ColumnElement[Any] = column(source.watermark)
        statement = statement.where(mark.is_not(None) if low is None else mark >= low)
        order = (source.watermark, *source.order)
    return statement.order_by(*(column(name) for name in order))


def null_statement(source: SqlSource) -> Select[Any]:
    """Rows without a watermark: no later pull would ever see them by it."""
    missing = column(source.watermark).is_(None)
    statement: Select[Any] = select(literal_column("*")).select_from(base_of(source)).where(missing)
    return statement.order_by(*(column(name) for name in source.order))


def count_statement(source: SqlSource, day: str, since: date, until: date, dialect: str) -> Select[Any]:
    """Rows a day of the column ``day``, from ``since`` to before ``until``, for the daily reconciliation."""
    moment: ColumnElement[Any] = column(day)
    which = _day_of(moment, dialect)
    first, last = _bounds(since, until, dialect)
    statement: Select[Any] = select(which.label("day"), func.count().label("rows")).select_from(base_of(source))
    return statement.where(moment >= first, moment < last).group_by(which).order_by(which)


def keys_statement(source: SqlSource, key: str, day: str, since: date, until: date, dialect: str) -> Select[Any]:
    """Each key once, of rows whose ``day`` lies from ``since`` to before ``until``; rows without a key have none."""
    moment: ColumnElement[Any] = column(day)
    first, last = _bounds(since, until, dialect)
    own: ColumnElement[Any] = column(key)
    statement: Select[Any] = select(own).select_from(base_of(source)).distinct()
    return statement.where(moment >= first, moment < last, own.is_not(None))


def zone_statement(minutes: int, dialect: str) -> TextClause | None:
    """Makes days those of the hospital, where the server knows stamps with a zone; None where it has no such word."""
    sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    offset = f"{sign}{hours:02d}:{rest:02d}"
    if dialect == "postgresql":
        return text(f"SET LOCAL TIME ZONE INTERVAL '{offset}' HOUR TO MINUTE")
    return text(f"SET time_zone = '{offset}'") if dialect in ("mysql", "mariadb") else None


def _day_of(moment: ColumnElement[Any], dialect: str) -> ColumnElement[Any]:
    if dialect == "oracle":
        return func.trunc(moment)
    if dialect == "sqlite":
        return func.date(moment)
    return cast(moment, kinds.Date)


def _bounds(since: date, until: date, dialect: str) -> tuple[Any, Any]:
    if since >= until:
        raise BadSqlSource("The days end before they begin.", remedy="Name an earlier first day.")
    return (since.isoformat(), until.isoformat()) if dialect == "sqlite" else (since, until)


def columns_statement(source: SqlSource) -> Select[Any]:
    """No row: for the names of the columns."""
    return select(literal_column("*")).select_from(base_of(source)).where(text("1 = 0"))
