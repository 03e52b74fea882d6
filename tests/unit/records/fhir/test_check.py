"""What the checks find, that both of their engines agree, and what an independent implementation refuses too."""

from __future__ import annotations

import copy
import json
import tarfile
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xinglin.records.fhir import check
from xinglin.records.fhir.bounds import RESOURCE_FLAGS
from xinglin.records.fhir.definitions import RELEASES, elements, is_defined, resource_types, value_set
from xinglin.records.fhir.findings import findings
from xinglin.records.fhir.primitives import is_primitive
from xinglin.records.fhir.quick import passes
from xinglin.records.fhir.references import References
from xinglin.records.fhir.walk import visit_references

TERMS = "http://terminology.hl7.org/CodeSystem"
CODE = {"coding": [{"system": "http://loinc.org", "code": "8302-2", "display": "Body height"}]}
HEIGHT: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "o1",
    "meta": {"lastUpdated": "2024-02-29T10:00:00.123+08:00", "profile": ["http://h.example/height"]},
    "status": "final",
    "category": [
        {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "exam"}]}
    ],
    "code": CODE,
    "subject": {"reference": "Patient/p1", "type": "Patient"},
    "effectiveDateTime": "2024-02-29",
    "valueQuantity": {"value": 171.5, "unit": "cm", "system": "http://unitsofmeasure.org", "code": "cm"},
    "referenceRange": [{"low": {"value": 100}, "high": {"value": 220}}],
    "component": [{"code": {"text": "part"}, "valueInteger": 3}],
}


def height(**changes: Any) -> dict[str, Any]:
    body = copy.deepcopy(HEIGHT)
    for name, value in changes.items():
        if value is ...:
            del body[name]
        else:
            body[name] = value
    return body


def codes(body: dict[str, Any], release: str = "R4") -> list[str]:
    return [flag.code.removeprefix("fhir.") for flag in check(body, release)]


def test_a_valid_resource_has_no_flag() -> None:
    for release in RELEASES:
        assert check(HEIGHT, release) == ()


PART, INNER = "Observation.component[0]", "Observation.contained[0]"
HELD = [{"resourceType": "Patient", "id": "x"}]
POINTING = {"url": "http://x", "valueReference": {"reference": "#x"}}
LATE = {"start": "2024-02", "end": "2024-01-31"}
CASES: list[tuple[dict[str, Any], str, str]] = [
    ({"status": "foo"}, "required_binding", "Observation.status"),
    ({"status": ...}, "missing", "Observation.status"),
    ({"code": ...}, "missing", "Observation.code"),
    ({"status": ["final"]}, "one_only", "Observation.status"),
    ({"status": 7}, "kind", "Observation.status"),
    ({"status": None}, "null", "Observation.status"),
    ({"status": ""}, "empty", "Observation.status"),
    ({"category": CODE}, "not_a_list", "Observation.category"),
    ({"category": []}, "empty", "Observation.category"),
    ({"category": [None]}, "null", "Observation.category[0]"),
    ({"code": {}}, "empty", "Observation.code"),
    ({"code": {"id": "x"}}, "empty", "Observation.code"),
    ({"code": "x"}, "kind", "Observation.code"),
    ({"code": {"text": " \n"}}, "format", "Observation.code.text"),
    ({"code": {"coding": [{"code": "a  b"}]}}, "format", "Observation.code.coding[0].code"),
    ({"code": {"coding": [{"system": "a b"}]}}, "format", "Observation.code.coding[0].system"),
    ({"colour": "red"}, "unknown_element", "Observation.colour"),
    ({"王 芳": "red"}, "unknown_element", "Observation.?"),
    ({"valueString": "x"}, "choice", "Observation.value[x]"),
    ({"_valueString": {"extension": [{"url": "http://x", "valueCode": "y"}]}}, "choice", "Observation.value[x]"),
    ({"valueQuantity": ..., "valueMoney": {"value": 1}}, "unknown_element", "Observation.valueMoney"),
    ({"valueQuantity": {"value": "171"}}, "kind", "Observation.valueQuantity.value"),
    ({"valueQuantity": {"value": True}}, "kind", "Observation.valueQuantity.value"),
    ({"valueQuantity": {"value": 1, "comparator": "~"}}, "required_binding", "Observation.valueQuantity.comparator"),
    ({"valueQuantity": {"value": 1, "code": "cm"}}, "qty-3", "Observation.valueQuantity"),
    ({"effectiveDateTime": "2023-02-29"}, "format", "Observation.effectiveDateTime"),
    ({"effectiveDateTime": "2023-04-31"}, "format", "Observation.effectiveDateTime"),
    ({"effectiveDateTime": "2023-2-1"}, "format", "Observation.effectiveDateTime"),
    ({"effectiveDateTime": "2023-02-01T10:00"}, "format", "Observation.effectiveDateTime"),
    ({"effectiveDateTime": "2023-02-01T10:00:00"}, "format", "Observation.effectiveDateTime"),
    ({"effectiveDateTime": "0000"}, "format", "Observation.effectiveDateTime"),
    ({"issued": "2023-02-01"}, "format", "Observation.issued"),
    ({"meta": {"lastUpdated": "2023"}}, "format", "Observation.meta.lastUpdated"),
    ({"id": "a_b"}, "format", "Observation.id"),
    ({"id": "x" * 65}, "format", "Observation.id"),
    ({"subject": {"reference": "Banana/1"}}, "reference_type", "Observation.subject.reference"),
    ({"subject": {"reference": "Medication/1"}}, "reference_type", "Observation.subject.reference"),
    ({"subject": {"reference": "http://f.example/Medication/1"}}, "reference_type", "Observation.subject.reference"),
    ({"subject": {"reference": "Medication?identifier=1"}}, "reference_type", "Observation.subject.reference"),
    ({"subject": {"reference": "nothing"}}, "reference", "Observation.subject.reference"),
    ({"subject": {"type": "Medication"}}, "reference_type", "Observation.subject.type"),
    ({"subject": {"reference": "#x"}}, "ref-1", "Observation.contained"),
    ({"subject": {"reference": "#y"}, "contained": HELD}, "ref-1", "Observation.contained"),
    ({"extension": [POINTING | {"valueReference": {"reference": "#y"}}], "contained": HELD}, "ref-1", INNER[:-3]),
    ({"contained": [{"resourceType": "Basic", "code": CODE, "subject": {"reference": "#y"}}]}, "ref-1", INNER[:-3]),
    ({"focus": [{"reference": "Banana/1"}]}, "reference_type", "Observation.focus[0].reference"),
    ({"extension": [{"url": "http://x"}]}, "ext-1", "Observation.extension[0]"),
    ({"extension": [{"valueCode": "y"}]}, "missing", "Observation.extension[0].url"),
    ({"_status": {"value": "x"}}, "unknown_element", "Observation._status.value"),
    ({"_code": {"id": "x"}}, "unknown_element", "Observation._code"),
    ({"dataAbsentReason": {"text": "x"}}, "obs-6", "Observation"),
    ({"component": [{"code": CODE}]}, "obs-7", "Observation"),
    ({"component": [{"code": CODE, "valueInteger": 1.5}]}, "kind", f"{PART}.valueInteger"),
    ({"component": [{"code": CODE, "valueInteger": 2**31}]}, "format", f"{PART}.valueInteger"),
    ({"referenceRange": [{"age": {"low": {"value": 1}}}]}, "obs-3", "Observation.referenceRange[0]"),
    ({"effectiveDateTime": ..., "effectivePeriod": LATE}, "per-1", "Observation.effectivePeriod"),
    ({"contained": [{"resourceType": "Banana"}]}, "resource_type", INNER),
    ({"contained": [{"resourceType": "Patient", "id": "x", "gender": "m"}]}, "required_binding", f"{INNER}.gender"),
    ({"contained": [{"resourceType": "Patient", "id": "x", "meta": {"versionId": "1"}}]}, "dom-4", INNER[:-3]),
    ({"text": {"status": "generated", "div": "<div>a<script>b</script></div>"}}, "format", "Observation.text.div"),
    ({"text": {"status": "generated", "div": "<div> </div>"}}, "format", "Observation.text.div"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "code", "path"), CASES)
def test_a_violation_is_a_flag_with_a_code_and_a_path(change: dict[str, Any], code: str, path: str) -> None:
    body = height(**change)
    found = [(flag.code, flag.path) for flag in check(body)]
    assert (f"fhir.{code}", path) in found
    assert check(body) == findings(body, "R4")
    said = json.dumps([flag.code + " " + flag.path for flag in check(body)], ensure_ascii=False)
    assert not any(word in said for word in ("foo", "Banana", "171", "a_b", "王", "2023-"))


FINE: list[dict[str, Any]] = [
    {"effectiveDateTime": "2024"},
    {"effectiveDateTime": "1999-12-31T23:59:60Z"},
    {"subject": {"reference": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"}},
    {"subject": {"reference": "http://f.example/r4/Patient/1/_history/2"}},
    {"subject": {"reference": "https://f.example/people?id=7"}},
    {"subject": {"identifier": {"value": "7"}, "type": "Patient"}},
    {"subject": {"display": "somebody"}},
    {"subject": {"reference": "#x"}, "contained": [{"resourceType": "Patient", "id": "x"}]},
    {"extension": [POINTING], "contained": HELD},
    {"status": ..., "_status": {"extension": [{"url": "http://x", "valueCode": "unknown"}]}},
    {"extension": [{"url": "http://x", "extension": [{"url": "y", "valueBoolean": False}]}]},
    {"valueQuantity": ..., "valueString": "x"},
    {"valueQuantity": ..., "dataAbsentReason": {"text": "x"}},
    {"note": [{"text": "# x", "authorString": "y"}]},
]


@pytest.mark.parametrize("change", FINE)
def test_what_fhir_allows_is_not_flagged(change: dict[str, Any]) -> None:
    assert check(height(**change)) == ()


def test_lists_of_primitives_may_have_holes_that_extensions_fill() -> None:
    name = {"given": ["Li", None], "_given": [None, {"extension": [{"url": "http://x", "valueCode": "unknown"}]}]}
    assert check({"resourceType": "Patient", "id": "1", "name": [name]}) == ()
    hole = {"given": ["Li", None]}
    assert codes({"resourceType": "Patient", "id": "1", "name": [hole]}) == ["null"]


def test_bound_concepts_need_one_coding_of_the_value_set() -> None:
    sick: dict[str, Any] = {"resourceType": "Condition", "id": "1", "subject": {"reference": "Patient/1"}}
    system = "http://terminology.hl7.org/CodeSystem/condition-clinical"
    assert (
        codes(
            {**sick, "clinicalStatus": {"coding": [{"system": "x", "code": "y"}, {"system": system, "code": "active"}]}}
        )
        == []
    )
    assert codes({**sick, "clinicalStatus": {"coding": [{"code": "active"}]}}) == ["required_binding"]
    assert codes({**sick, "clinicalStatus": {"text": "active"}}) == ["required_binding"]
    ended = {**sick, "clinicalStatus": {"coding": [{"system": system, "code": "active"}]}, "abatementString": "x"}
    assert codes(ended) == ["con-4"]


def test_releases_differ_where_they_differ() -> None:
    visit: dict[str, Any] = {"resourceType": "Encounter", "id": "1", "subject": {"reference": "Patient/1"}}
    old = {**visit, "status": "finished", "class": {"code": "AMB"}, "period": {"start": "2024"}}
    new = {**visit, "status": "completed", "class": [{"text": "x"}], "actualPeriod": {"start": "2024"}}
    assert codes(old) == codes(old, "R4B") == codes(new, "R5") == []
    assert set(codes(old, "R5")) == {"required_binding", "unknown_element", "not_a_list"}
    assert set(codes(new)) == {"required_binding", "unknown_element", "one_only"}
    assert check({"resourceType": "SubscriptionStatus"}, "R4B") == ()
    assert codes({"resourceType": "SubscriptionStatus"}) == ["resource_type"]


def test_flags_are_no_more_than_the_limit() -> None:
    many = check(height(category=[{"text": ""}] * 500))
    assert len(many) == RESOURCE_FLAGS.value
    assert many[-1].code == "fhir.more"
    assert len(check(height(category=[{"text": ""}] * RESOURCE_FLAGS.value))) == RESOURCE_FLAGS.value
    assert check(height(category=[{"text": ""}] * RESOURCE_FLAGS.value))[-1].code == "fhir.empty"


def test_every_definition_can_be_compiled_for_every_release() -> None:
    for release in RELEASES:
        for kind in resource_types(release):
            if is_defined(kind):
                assert elements(kind, release)
                assert isinstance(check({"resourceType": kind, "id": "1"}, release), tuple)
    assert set(value_set("observation-status")["http://hl7.org/fhir/observation-status"]) >= {"final", "amended"}


@cache
def samples(folder: Path) -> list[dict[str, Any]]:
    """Real resources, up to 25 of each type."""
    found: dict[str, list[dict[str, Any]]] = {}
    with tarfile.open(folder / "synthea" / "bundles.tar.xz") as archive:
        for number, member in enumerate(archive):
            file = archive.extractfile(member)
            if file is None or number > 24:
                continue
            for entry in orjson.loads(file.read())["entry"]:
                some = found.setdefault(entry["resource"]["resourceType"], [])
                if len(some) < 25:
                    some.append(entry["resource"])
    return [each for some in found.values() for each in some]


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every member and item of a resource: what holds it, and under which key."""
    inner = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    return [(value, key) for key, _ in inner if key != "resourceType"] + [p for _, each in inner for p in places(each)]


STRANGE: list[Any] = [None, "", " ", "x y", 0, -1, 1.5, True, [], {}, [None], ["x"], {"x": 1}, "2023-02-30", "a" * 70]
MUTATIONS = st.sampled_from(["delete", "strange", "list", "unlist", "unknown", "swap"])


def mutate(draw: Any, body: dict[str, Any]) -> None:
    spots = places(body)
    holder, key = spots[draw(st.integers(0, len(spots) - 1))]
    how = draw(MUTATIONS)
    if how == "delete":
        del holder[key]
    elif how == "strange":
        holder[key] = copy.deepcopy(draw(st.sampled_from(STRANGE)))
    elif how == "list":
        holder[key] = [holder[key]]
    elif how == "unlist" and isinstance(holder[key], list) and holder[key]:
        holder[key] = holder[key][0]
    elif how == "unknown" and isinstance(holder, dict):
        holder[draw(st.sampled_from(["colour", "_id", "valueString", "status", "_status", "reference"]))] = "x"
    else:
        other, key2 = spots[draw(st.integers(0, len(spots) - 1))]
        holder[key] = copy.deepcopy(other[key2])


def oracle_refuses(body: dict[str, Any]) -> bool:
    from fhir.resources.R4B import get_fhir_model_class
    from pydantic import ValidationError

    try:
        get_fhir_model_class(body["resourceType"]).model_validate(copy.deepcopy(body))
    except (ValidationError, ValueError, TypeError, KeyError, AttributeError, LookupError):
        return True
    return False


@given(data=st.data())
@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_an_independent_implementation_refuses_is_flagged(data: Any, shared_data: Path) -> None:
    given_samples = samples(shared_data)
    body = copy.deepcopy(given_samples[data.draw(st.integers(0, len(given_samples) - 1))])
    for _ in range(data.draw(st.integers(1, 2))):
        mutate(data.draw, body)
    if body.get("resourceType") is None:
        return
    flags = check(body)
    assert flags == findings(body, "R4")
    if not flags:
        assert not oracle_refuses(body), json.dumps(body)[:2000]


@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_one_walk_makes_the_same_references_plain_as_two(data: Any, shared_data: Path) -> None:
    given_samples = samples(shared_data)
    body = copy.deepcopy(given_samples[data.draw(st.integers(0, len(given_samples) - 1))])
    for _ in range(data.draw(st.integers(0, 2))):
        mutate(data.draw, body)
    asked: list[str] = []
    visit_references(body, lambda reference, _: asked.append(str(reference.get("reference"))))
    references = References(["http://his.example/fhir"])
    for number, text in enumerate(asked[:: data.draw(st.integers(1, 3))]):
        references.add(text, f"Patient/{number}")
    two = copy.deepcopy(body)
    visit_references(two, references.make_plain)
    if passes(body, "R4", references):
        assert body == two


def test_the_one_walk_leaves_nothing_of_r4_out() -> None:
    for path in {each for kind in resource_types("R4") for each in below(kind)}:
        for element in elements(path, "R4"):
            for kind in element.types:
                name = kind.name.removeprefix("@")
                assert name in ("Resource", "Reference") or is_primitive(name) or is_defined(name), (path, name)


@cache
def below(path: str) -> frozenset[str]:
    """A type and every type that its elements have."""
    found, todo = set[str](), [path]
    while todo:
        path = todo.pop()
        if path not in found and is_defined(path):
            found.add(path)
            todo += [kind.name.removeprefix("@") for element in elements(path, "R4") for kind in element.types]
    return frozenset(found)


def test_what_the_independent_implementation_lets_pass() -> None:
    for change in ({"status": "foo"}, {"subject": {"reference": "Banana/1"}}, {"dataAbsentReason": {"text": "x"}}):
        body = height(**change)
        assert not oracle_refuses(body)
        assert check(body)
