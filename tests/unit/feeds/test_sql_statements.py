"""Statements for servers that no test can start: compiled for their dialects, and read."""

from __future__ import annotations

from datetime import date, datetime

import pytest
from sqlalchemy.dialects import mssql, mysql, oracle, postgresql, sqlite
from sqlalchemy.engine import Dialect

from xinglin.feeds.sql_model import BadSqlSource, SqlSource
from xinglin.feeds.sql_statements import base_of, columns_statement, count_statement, null_statement, pull_statement

DIALECTS = [mssql.dialect(), oracle.dialect(), postgresql.dialect(), mysql.dialect(), sqlite.dialect()]
SOURCE = SqlSource("his", "x://", table="dbo.JZ_XX", watermark="GXSJ", order=("JZLSH",))


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda one: one.name)
def test_every_statement_compiles(dialect: Dialect) -> None:
    source = SqlSource("his", "x://", query="SELECT * FROM t", watermark="w")
    for one in (SOURCE, source):
        for statement in (
            pull_statement(one, datetime(2024, 1, 1)),
            null_statement(one),
            columns_statement(one),
            count_statement(one, "d", date(2024, 1, 1), date(2024, 1, 2), dialect.name),
        ):
            assert str(statement.compile(dialect=dialect)).upper().startswith("SELECT")


def test_the_statement_of_sql_server_and_of_oracle() -> None:
    found = " ".join(str(pull_statement(SOURCE, 5).compile(dialect=mssql.dialect())).split())
    assert found == "SELECT * FROM dbo.[JZ_XX] WHERE [GXSJ] >= :GXSJ_1 ORDER BY [GXSJ], [JZLSH]"
    counted = count_statement(SOURCE, "RYRQ", date(2024, 1, 1), date(2024, 1, 2), "oracle")
    assert 'trunc("RYRQ")' in str(counted.compile(dialect=oracle.dialect()))


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"table": "a", "query": "SELECT 1"},
        {"table": "a;b"},
        {"table": "a b"},
        {"table": "a.b.c.d"},
        {"table": 'a"b'},
    ],
)
def test_a_source_names_one_table_or_one_query(given: dict[str, str]) -> None:
    with pytest.raises(BadSqlSource):
        base_of(SqlSource("his", "x://", **given))
