"""Two views with rows, an engine that holds them, and a slow reference: one person at a time."""

from __future__ import annotations

import duckdb
import pytest

from xinglin.analysis.admit import Admitted, ViewColumn, ViewSchema, admit

VIEWS = {
    "visit": ViewSchema(
        (
            ViewColumn("age", "number", 18, 100, integer=True),
            ViewColumn("sex", "category", levels=("F", "M")),
            ViewColumn("bp", "number", 50, 250),
            ViewColumn("chol", "number"),
            ViewColumn("smoker", "boolean"),
            ViewColumn("seen", "date", 10_000, 20_000),
            ViewColumn("enc", "key"),
            ViewColumn("name", "category", identifier=True),
            ViewColumn("gene", "number", 0, 1, grade="L3", integer=True),
        )
    ),
    "obs": ViewSchema(
        (
            ViewColumn("enc", "key"),
            ViewColumn("code", "category"),
            ViewColumn("value", "number", 0, 1000),
            ViewColumn("taken", "date"),
        )
    ),
}
PERSONS = 12


class Engine:
    """The rows in DuckDB, all at once or one person's alone."""

    def __init__(self) -> None:
        self._all = duckdb.connect()
        self._all.execute(
            f"""CREATE TABLE visit AS SELECT (i % {PERSONS})::BIGINT AS __person,
            CASE WHEN i % 17 <> 0 THEN 18 + (i * 7) % 90 END AS age, ['F', 'M', 'X'][1 + i % 3] AS sex,
            CASE WHEN i % 11 <> 0 THEN 45 + (i * 13) % 220 END AS bp, i * 1.5 - 20 AS chol, i % 3 = 0 AS smoker,
            DATE '2000-01-01' + (i * 37 % 500)::INT AS seen, (i % 20)::VARCHAR AS enc, 'n' || i AS name,
            i % 2 AS gene FROM range(48) t(i)"""
        )
        self._all.execute(
            f"""CREATE TABLE obs AS SELECT (i % {PERSONS})::BIGINT AS __person, (i % 20)::VARCHAR AS enc,
            ['sbp', 'ldl', 'hb'][1 + i % 3] AS code, (i * 29) % 1100 AS value,
            TIMESTAMP '2000-06-01' + to_hours((i * 53 % 9000)::INT) AS taken FROM range(96) t(i)"""
        )

    def rows(self, admitted: Admitted) -> list[tuple]:
        return self._sorted(self._all.execute(admitted.sql_rewritten).fetchall())

    def rows_one_by_one(self, admitted: Admitted) -> list[tuple]:
        found = []
        for person in range(PERSONS):
            alone = duckdb.connect()
            for view in ("visit", "obs"):
                table = self._all.sql(f"SELECT * FROM {view} WHERE __person = {person}").to_arrow_table()
                alone.register("given", table)
                alone.execute(f"CREATE TABLE {view} AS SELECT * FROM given")
            rows = alone.execute(admitted.sql_rewritten).fetchall()
            assert {row[0] for row in rows} <= {person}
            found += rows
        return self._sorted(found)

    @staticmethod
    def _sorted(rows: list[tuple]) -> list[tuple]:
        rounded = [tuple(round(v, 9) if isinstance(v, float) else v for v in row) for row in rows]
        return sorted(rounded, key=repr)


@pytest.fixture(scope="session")
def engine() -> Engine:
    return Engine()


def admitted(sql: str, **more) -> Admitted:
    verdict = admit(sql, VIEWS, **more)
    assert isinstance(verdict, Admitted), verdict
    return verdict
