"""Views: the parser knows only its own error, and both back-ends give the same rows of generated resources."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xinglin.records.errors import RecordsError
from xinglin.records.views import InvalidView, compile_view, parse_view, view_sql
from xinglin.records.views.path import ARGUMENTS, parse_path

NAMES = st.sampled_from(["a", "b", "c", "value", "url", "extension", "reference"])
TEXTS = st.sampled_from(["x", "y", "2012", "2012-05", "2012-05-04T10:00:00Z", "A/1", "http://s/A/1/_history/3", "#c"])
NUMBERS = st.one_of(st.integers(-9, 99), st.sampled_from([0.5, 1.25, -3.5]))
SCALARS = st.one_of(TEXTS, NUMBERS, st.booleans())


def _resources() -> st.SearchStrategy[Any]:
    def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        keys = st.one_of(NAMES, st.sampled_from(["valueInteger", "valueString", "valueQuantity"]))
        # JSON of FHIR has no list in a list.
        return st.dictionaries(keys, st.one_of(inner, st.lists(st.one_of(inner, st.none()), max_size=3)), max_size=4)

    bodies = objects(st.recursive(SCALARS, objects, max_leaves=12))
    return bodies.map(lambda body: {**body, "resourceType": "R", "id": "1"})


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operators = st.sampled_from(["=", "!=", "<", ">=", "and", "or", "xor", "implies", "+", "-", "*", "&", "|"])
    return st.one_of(
        st.tuples(inner, NAMES).map(lambda t: f"({t[0]}).{t[1]}"),
        st.tuples(inner, st.sampled_from(["first()", "last()", "count()", "exists()", "empty()", "not()"])).map(
            lambda t: f"({t[0]}).{t[1]}"
        ),
        st.tuples(inner, inner).map(lambda t: f"({t[0]}).where({t[1]})"),
        st.tuples(inner, inner).map(lambda t: f"({t[0]}).exists({t[1]})"),
        st.tuples(inner, inner, inner).map(lambda t: f"iif({t[0]}, {t[1]}, {t[2]})"),
        st.tuples(inner, operators, inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(inner, st.integers(0, 2)).map(lambda t: f"({t[0]})[{t[1]}]"),
        inner.map(lambda t: f"({t}).ofType(string)"),
        inner.map(lambda t: f"({t}).extension('x')"),
        inner.map(lambda t: f"({t}).getReferenceKey(A)"),
        inner.map(lambda t: f"({t}).join('-')"),
        inner.map(lambda t: f"({t}).first().toString().startsWith('x')"),
        inner.map(lambda t: f"({t}).lowBoundary()"),
    )


LEAVES = st.one_of(
    NAMES,
    st.sampled_from(["$this", "'x'", "1", "0.5", "true", "{}", "%rowIndex", "@2012-05", "value.ofType(Quantity)"]),
    st.tuples(NAMES, NAMES).map(".".join),
)
PATHS = st.recursive(LEAVES, _grown, max_leaves=4)


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("CREATE TABLE resources (json JSON)")
        yield connection


def outcome_python(view: dict[str, Any], resource: dict[str, Any]) -> Any:
    compiled = compile_view(parse_view(view))
    try:
        return [[_plain(value) for value in row] for row in compiled.rows(resource)]
    except RecordsError as error:
        return error.code


def outcome_sql(engine: duckdb.DuckDBPyConnection, view: dict[str, Any], resource: dict[str, Any]) -> Any:
    engine.execute("DELETE FROM resources")
    engine.execute("INSERT INTO resources VALUES (?)", [json.dumps(resource)])
    try:
        return [
            [_read(value) for value in row]
            for row in engine.execute(view_sql(parse_view(view), "resources")).fetchall()
        ]
    except duckdb.InvalidInputException as error:
        return next((code for code in ("views.many_values", "views.not_boolean") if code in str(error)), str(error))


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, bool):
        return value
    return float(value) if isinstance(value, int) else value


def _read(value: Any) -> Any:
    """Untyped columns come as text: numbers, booleans and objects are read back."""
    if isinstance(value, list):
        return [_read(each) for each in value]
    if isinstance(value, str):
        try:
            value = json.loads(value) if value[:1] in "{-0123456789tf" else value
        except json.JSONDecodeError:
            return value
    return _plain(value)


def _as_read(value: Any) -> Any:
    """What of Python's values SQL's text would be read back as: the text ``2012`` is a number then."""
    if isinstance(value, list):
        return [_as_read(each) for each in value]
    return _read(value) if isinstance(value, str) else value


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(resource=_resources(), path=PATHS, each=st.one_of(st.none(), LEAVES), or_null=st.booleans())
def test_both_back_ends_agree(
    engine: duckdb.DuckDBPyConnection, resource: dict[str, Any], path: str, each: str | None, or_null: bool
) -> None:
    columns = [{"name": "v", "path": path, "collection": True}, {"name": "n", "path": "%rowIndex"}]
    select: dict[str, Any] = {"column": columns}
    if each is not None:
        select["forEachOrNull" if or_null else "forEach"] = each
    view = {"resource": "R", "select": [{"column": [{"name": "id", "path": "id"}]}, select]}
    expected = outcome_python(view, resource)
    assert outcome_sql(engine, view, resource) == (expected if isinstance(expected, str) else _as_read(expected))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(resource=_resources(), path=PATHS)
def test_both_back_ends_refuse_the_same_filters(
    engine: duckdb.DuckDBPyConnection, resource: dict[str, Any], path: str
) -> None:
    view = {
        "resource": "R",
        "where": [{"path": path}],
        "select": [{"column": [{"name": "id", "path": "id"}], "unionAll": [
            {"repeat": ["a", "b.c"], "column": [{"name": "x", "path": "url", "collection": True}]},
            {"column": [{"name": "x", "path": "c", "collection": True}]},
        ]}],
    }  # fmt: skip
    expected = outcome_python(view, resource)
    assert outcome_sql(engine, view, resource) == (expected if isinstance(expected, str) else _as_read(expected))


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(
        st.text(max_size=60),
        st.lists(st.sampled_from([*ARGUMENTS, *"().[]{}'=|&,%@$`\\ 1", "a", "ofType"])).map("".join),
    )
)
def test_a_path_is_parsed_or_refused(text: str) -> None:
    try:
        parse_path(text)
    except InvalidView:
        return


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["column", "select", "unionAll", "forEach", "repeat", "name", "path"]), inner),
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(select=JSON, where=JSON, constant=JSON)
def test_a_definition_is_parsed_or_refused(select: Any, where: Any, constant: Any) -> None:
    try:
        parse_view({"resource": "R", "select": select, "where": where, "constant": constant})
    except InvalidView:
        return
