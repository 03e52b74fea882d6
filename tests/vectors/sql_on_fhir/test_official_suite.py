"""The official SQL-on-FHIR v2 suite (134 cases in 22 files), every case by both back-ends."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from xinglin.records.errors import RecordsError
from xinglin.records.views import compile_view, parse_view, view_sql

CASES = {
    "basic": 11,
    "collection": 4,
    "combinations": 6,
    "constant": 8,
    "constant_types": 14,
    "fhirpath": 11,
    "fhirpath_numbers": 1,
    "fn_boundary": 8,
    "fn_empty": 1,
    "fn_extension": 2,
    "fn_first": 2,
    "fn_join": 3,
    "fn_oftype": 2,
    "fn_reference_keys": 3,
    "foreach": 13,
    "logic": 3,
    "repeat": 7,
    "row_index": 9,
    "union": 10,
    "validate": 5,
    "view_resource": 3,
    "where": 8,
}

# Cases that contradict the standard, with the reason, by file and title: none of this snapshot (@49fc1ad).
CONTRADICTING: dict[tuple[str, str], str] = {}
# Cases that a back-end cannot have, with the reason: none.
NOT_IN_SQL: dict[tuple[str, str], str] = {}

Rows = list[dict[str, Any]]
Run = Callable[[dict[str, Any], list[dict[str, Any]]], tuple[list[str], Rows]]


@pytest.fixture(scope="module")
def suite(shared_data: Path) -> dict[str, Any]:
    folder = shared_data / "sql-on-fhir"
    return {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json") if path.stem != "tests.schema"}


def by_python(view: dict[str, Any], resources: list[dict[str, Any]]) -> tuple[list[str], Rows]:
    compiled = compile_view(parse_view(view))
    return list(compiled.names), [
        dict(zip(compiled.names, row, strict=True)) for one in resources for row in compiled.rows(one)
    ]


def by_shape(view: dict[str, Any], resources: list[dict[str, Any]]) -> tuple[list[str], Rows]:
    compiled = compile_view(parse_view(view))
    return list(compiled.names), [
        dict(zip(compiled.names, row, strict=True)) for one in resources for row in compiled.of_shape(tuple(one))(one)
    ]


def by_sql(view: dict[str, Any], resources: list[dict[str, Any]]) -> tuple[list[str], Rows]:
    statement = view_sql(parse_view(view), "resources")
    with duckdb.connect() as engine:
        engine.execute("SET autoinstall_known_extensions = false; SET autoload_known_extensions = false")
        engine.execute("CREATE TABLE resources (json JSON)")
        engine.executemany("INSERT INTO resources VALUES (?)", [[json.dumps(one)] for one in resources])
        try:
            found = engine.execute(statement)
        except duckdb.InvalidInputException as error:
            if "views." in str(error):  # the run-time errors of a view, as `view_sql` names them
                raise RecordsError("refused at run time") from error
            raise
        names = [column[0] for column in found.description]
        return names, [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def in_any_order(rows: Rows) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: json.dumps(row, sort_keys=True))


def failures(suite: dict[str, Any], name: str, run: Run, left_out: dict[tuple[str, str], str]) -> Iterator[str]:
    for case in suite[name]["tests"]:
        if (name, case["title"]) in {**CONTRADICTING, **left_out}:
            continue
        try:
            columns, rows = run(case["view"], suite[name]["resources"])
        except RecordsError as error:
            if not case.get("expectError"):
                yield f"{case['title']}: {error}"
            continue
        if case.get("expectError"):
            yield f"{case['title']}: not refused"
        elif "expectColumns" in case and columns != case["expectColumns"]:
            yield f"{case['title']}: {columns}"
        elif in_any_order(rows) != in_any_order(case["expect"]):
            yield f"{case['title']}: {rows} instead of {case['expect']}"


@pytest.mark.parametrize("name", CASES)
def test_python(suite: dict[str, Any], name: str) -> None:
    assert not list(failures(suite, name, by_python, {}))


@pytest.mark.parametrize("name", CASES)
def test_python_of_one_shape(suite: dict[str, Any], name: str) -> None:
    assert not list(failures(suite, name, by_shape, {}))


@pytest.mark.parametrize("name", CASES)
def test_sql(suite: dict[str, Any], name: str) -> None:
    assert not list(failures(suite, name, by_sql, NOT_IN_SQL))


def test_nothing_of_the_suite_is_forgotten(suite: dict[str, Any]) -> None:
    assert {name: len(each["tests"]) for name, each in suite.items()} == CASES
    assert sum(CASES.values()) == 134
    known = {(name, case["title"]) for name, each in suite.items() for case in each["tests"]}
    assert set(CONTRADICTING) | set(NOT_IN_SQL) <= known
