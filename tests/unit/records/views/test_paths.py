"""FHIRPath of the views: what a path gives, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import orjson
import pytest

from xinglin.records.views import InvalidView, NotBoolean, NotOneValue, TooDeep, compile_view, parse_view, view_sql
from xinglin.records.views.model import PATH_CHAIN, PATH_CHARACTERS, PATH_NESTING, REPEAT_DEPTH
from xinglin.records.views.path import parse_path

PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "p1",
    "active": True,
    "birthDate": "1970-06",
    "gender": "female",
    "multipleBirthInteger": 2,
    "name": [
        {"use": "usual", "given": ["A", None, "B"]},
        {"use": "official", "family": "F", "given": ["C"]},
        None,
    ],
    "contact": {"name": {"family": "not a list"}},
    "link": [{"other": {"reference": "https://h.example/fhir/Patient/9/_history/2"}}, {"other": {"reference": "#x"}}],
    "generalPractitioner": [{"reference": "Practitioner?identifier=a|1"}, {"reference": "urn:uuid:7", "type": "X"}],
    "telecom": [],
    "extension": [{"url": "u", "valueQuantity": {"value": 1.10}}],
    "period": {"start": "2012", "end": "2012-05-01T10:00:00+08:00"},
}


def by_python(path: str, collection: bool = True, resource: Any = None) -> Any:
    column = {"name": "v", "path": path, "collection": collection}
    view = parse_view({"resource": "Patient", "select": [{"column": [column]}]})
    return compile_view(view).rows(PATIENT if resource is None else resource)[0][0]


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("CREATE TABLE resources (json JSON)")
        connection.execute("INSERT INTO resources VALUES (?)", [orjson.dumps(PATIENT).decode()])
        yield connection


def by_sql(engine: duckdb.DuckDBPyConnection, path: str) -> Any:
    column = {"name": "v", "path": path, "collection": True}
    view = parse_view({"resource": "Patient", "select": [{"column": [column]}]})
    return engine.execute(view_sql(view, "resources")).fetchall()[0][0]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("name.given", ["A", "B", "C"]),
        ("Patient.name.given.first()", ["A"]),
        ("name.given.last()", ["C"]),
        ("name[1].family", ["F"]),
        ("name[7].family", []),
        ("name[name.count() - 1].family", ["F"]),
        ("name.where(use = 'official').given", ["C"]),
        ("name.where(use = 'official' or use = 'old').first().family", ["F"]),
        ("name.exists(use = 'maiden')", [False]),
        ("name.where(given.exists()).use", ["usual", "official"]),
        ("contact.name.family", ["not a list"]),
        ("telecom.empty()", [True]),
        ("name.given.join('-')", ["A-B-C"]),
        ("active and gender = 'female'", [True]),
        ("active and missing", []),
        ("active or missing", [True]),
        ("(active xor true)", [False]),
        ("missing implies false", []),
        ("active.not()", [False]),
        ("gender != 'male'", [True]),
        ("gender & '-' & missing", ["female-"]),
        ("gender + missing", []),
        ("'a' + 'b'", ["ab"]),
        ("multipleBirth", ["2"]),
        ("multipleBirth.ofType(integer) + 1", ["3"]),
        ("multipleBirth.exists()", [True]),
        ("0.1 + 0.2", ["0.3"]),
        ("7 div 2", ["3"]),
        ("7 mod 4", ["3"]),
        ("1 / 0", []),
        ("-multipleBirth.ofType(integer) < 0", [True]),
        ("gender.startsWith('fe') and gender.endsWith('ale') and gender.contains('em')", [True]),
        ("iif(active, 'yes', 'no')", ["yes"]),
        ("iif(missing, 'yes')", []),
        ("(gender | name.use | gender)", ["female", "usual", "official"]),
        ("(missing | gender).first()", ["female"]),
        ("getResourceKey()", ["Patient/p1"]),
        ("link.other.getReferenceKey()", ["Patient/9"]),
        ("link.other.getReferenceKey(Patient)", ["Patient/9"]),
        ("generalPractitioner.getReferenceKey()", ["Practitioner?identifier=a|1", "urn:uuid:7"]),
        ("generalPractitioner.getReferenceKey(Practitioner)", ["Practitioner?identifier=a|1"]),
        ("generalPractitioner.getReferenceKey('X')", ["urn:uuid:7"]),
        ("extension('u').value.ofType(Quantity).value", ["1.1"]),
        ("extension('v')", []),
        ("birthDate.lowBoundary()", ["1970-06-01"]),
        ("birthDate.highBoundary()", ["1970-06-30"]),
        ("period.lowBoundary()", ["2012-01-01T00:00:00.000+14:00"]),
        ("period.highBoundary()", ["2012-05-01T10:00:00.999+08:00"]),
        ("birthDate > @1969", [True]),
        ("birthDate = @1970", []),
        ("birthDate = @1971", [False]),
        ("period.end = @2012-05-01T02:00:00Z", [True]),
        ("period.end > @2012-05-01T01:00:00.5Z", [True]),
        ("{}", []),
        ("`name`.`use`", ["usual", "official"]),
        ("'it\\'s \\u00e9'", ["it's é"]),
        ("active.toString() = 'true'", [True]),
        ("%rowIndex", ["0"]),
        ("%resource.id = id", [True]),
        ("$this.id // a remark", ["p1"]),
        ("name.ofType(HumanName).use", []),
    ],
)
def test_a_path_gives_the_same_by_both_back_ends(
    engine: duckdb.DuckDBPyConnection, path: str, expected: list[Any]
) -> None:
    given = by_python(path)
    assert [each if isinstance(each, bool) else _text(each) for each in given] == expected
    assert [each if isinstance(each, bool) else _text(each) for each in by_sql(engine, path)] == expected


def _text(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "@@",
        "name.",
        "name..family",
        "name.family)",
        "(name",
        "name[",
        "name.matches('x')",
        "name is HumanName",
        "name as HumanName",
        "a in b",
        "a ~ b",
        "%unknown",
        "$index",
        "'open",
        "'\\q'",
        "name.where()",
        "name.where(a, b)",
        "name.extension(url)",
        "name.ofType()",
        "name.ofType(1)",
        "a b",
        "--1",
        "1.5.6.7.name",
        "name.`a b`",
        "name.`a'; DROP`",
        "a" * (PATH_CHARACTERS.value + 1),
        "(" * (PATH_NESTING.value + 1) + "a" + ")" * (PATH_NESTING.value + 1),
        ".".join("a" * (PATH_CHAIN.value + 3)),
        " or ".join(["a"] * (PATH_CHAIN.value + 2)),
    ],
)
def test_what_is_not_a_path_of_the_subset_is_refused(path: str) -> None:
    with pytest.raises(InvalidView):
        parse_path(path)


def test_limits_are_what_they_say() -> None:
    parse_path(".".join("a" * PATH_CHAIN.value))
    parse_path("(" * (PATH_NESTING.value - 1) + "a" + ")" * (PATH_NESTING.value - 1))
    parse_path(" or ".join(["a"] * PATH_CHAIN.value))


def test_several_values_for_one_are_refused_or_taken_leniently() -> None:
    view = parse_view({"resource": "Patient", "select": [{"column": [{"name": "v", "path": "name.use"}]}]})
    compiled = compile_view(view)
    with pytest.raises(NotOneValue) as caught:
        compiled.rows(PATIENT)
    assert "usual" not in str(caught.value)
    assert compiled.lenient_rows(PATIENT) == [("usual",)]


def test_a_filter_that_is_no_boolean_is_refused() -> None:
    definition = {"resource": "Patient", "select": [{"column": [{"name": "v", "path": "id"}]}]}
    compiled = compile_view(parse_view({**definition, "where": [{"path": "gender"}]}))
    with pytest.raises(NotBoolean):
        compiled.rows(PATIENT)
    assert compiled.lenient_rows(PATIENT) == []


def _nested(levels: int) -> dict[str, Any]:
    body: dict[str, Any] = {"linkId": str(levels)}
    for level in range(levels - 1, 0, -1):
        body = {"linkId": str(level), "item": [body]}
    return {"resourceType": "Q", "item": [body]}


def test_repeat_has_a_limit_and_both_back_ends_keep_it() -> None:
    select = {"repeat": ["item"], "column": [{"name": "v", "path": "linkId"}]}
    view = parse_view({"resource": "Q", "select": [select]})
    compiled, statement = compile_view(view), view_sql(view, "resources")
    deep, deeper = _nested(REPEAT_DEPTH.value), _nested(REPEAT_DEPTH.value + 1)
    assert len(compiled.rows(deep)) == REPEAT_DEPTH.value
    with pytest.raises(TooDeep):
        compiled.rows(deeper)
    with duckdb.connect() as engine:
        engine.execute("CREATE TABLE resources (json JSON)")
        engine.execute("INSERT INTO resources VALUES (?)", [orjson.dumps(deep).decode()])
        assert engine.execute(statement).fetchall() == compiled.rows(deep)
        engine.execute("INSERT INTO resources VALUES (?)", [orjson.dumps(deeper).decode()])
        with pytest.raises(duckdb.InvalidInputException, match=r"views\.too_deep"):
            engine.execute(statement).fetchall()


def test_no_text_of_a_view_is_in_the_generated_source() -> None:
    marked = "zq_marked_zq"
    view = parse_view(
        {
            "resource": "Zqmarked",
            "constant": [{"name": marked, "valueString": f"{marked}'\n"}],
            "select": [
                {"forEach": f"{marked}.where({marked} = %{marked})", "column": [{"name": marked, "path": marked}]},
                {"repeat": [marked], "column": [{"name": "b", "path": f"{marked} & '{marked}'"}]},
            ],
        }
    )
    compiled = compile_view(view)
    assert "zq" not in compiled.source.lower()
    assert compiled.rows({"resourceType": "Zqmarked"}) == []


@pytest.mark.parametrize("odd", [None, 5, "text", [], {}, {"resourceType": "Other"}, {"resourceType": ["Patient"]}])
def test_what_is_not_the_resource_gives_no_rows(odd: Any) -> None:
    view = parse_view({"resource": "Patient", "select": [{"column": [{"name": "v", "path": "id"}]}]})
    assert compile_view(view).rows(odd) == []
