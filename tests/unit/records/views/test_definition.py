"""ViewDefinitions: what is refused, by name and place."""

from __future__ import annotations

from typing import Any

import pytest

from xinglin.records.views import InvalidView, parse_view
from xinglin.records.views.definition import VIEW_BYTES
from xinglin.records.views.model import COLUMNS, SELECT_DEPTH

ID = {"name": "id", "path": "id"}


def view(**changed: Any) -> dict[str, Any]:
    return {"resource": "Patient", "select": [{"column": [ID]}], **changed}


def nested(levels: int) -> dict[str, Any]:
    select: dict[str, Any] = {"column": [ID]}
    for _ in range(levels - 1):
        select = {"select": [select]}
    return view(select=[select])


@pytest.mark.parametrize(
    ("definition", "place"),
    [
        ({}, "resource"),
        (view(resource="patient"), "resource"),
        (view(resource=5), "resource"),
        (view(resourceType="Patient"), "resourceType"),
        (view(name="my view"), "name"),
        (view(fhirVersion="4.0.1"), "fhirVersion"),
        (view(select=[]), "select"),
        (view(select={"column": [ID]}), "select"),
        (view(select=[{"column": []}]), "select[0]"),
        (view(select=[{"columns": [ID]}]), "select[0]"),
        (view(select=[{"column": [ID], "forEach": "a", "forEachOrNull": "b"}]), "select[0]"),
        (view(select=[{"column": [ID], "forEach": "a", "repeat": ["b"]}]), "select[0]"),
        (view(select=[{"column": [ID], "repeat": []}]), "select[0].repeat"),
        (view(select=[{"column": [ID], "repeat": "item"}]), "select[0].repeat"),
        (view(select=[{"column": [ID], "forEach": 1}]), "select[0].forEach"),
        (view(select=[{"column": [{"name": "id"}]}]), "select[0].column[0].path"),
        (view(select=[{"column": [{"path": "id"}]}]), "select[0].column[0].name"),
        (view(select=[{"column": [{"name": "1d", "path": "id"}]}]), "select[0].column[0].name"),
        (view(select=[{"column": [{**ID, "collection": "yes"}]}]), "select[0].column[0].collection"),
        (view(select=[{"column": [{**ID, "type": 5}]}]), "select[0].column[0].type"),
        (view(select=[{"column": [{**ID, "colour": 5}]}]), "select[0].column[0]"),
        (view(select=[{"column": [ID, ID]}]), "select"),
        (view(select=[{"column": [ID]}, {"forEach": "name", "column": [ID]}]), "select"),
        (view(select=[{"unionAll": [{"column": [ID]}, {"column": [{**ID, "name": "x"}]}]}]), "select[0].unionAll"),
        (view(select=[{"unionAll": [{"column": [ID]}, {"column": [{**ID, "type": "id"}]}]}]), "select[0].unionAll"),
        (view(where=[{"path": "id ="}]), "where[0].path"),
        (view(where=[5]), "where[0]"),
        (view(constant=[{"name": "a"}]), "constant[0]"),
        (view(constant=[{"name": "a", "valueQuantity": {}}]), "constant[0]"),
        (view(constant=[{"name": "a", "valueString": "x", "valueCode": "y"}]), "constant[0]"),
        (view(constant=[{"name": "a", "valueBoolean": "true"}]), "constant[0]"),
        (view(constant=[{"name": "a b", "valueString": "x"}]), "constant[0].name"),
        (view(constant=[{"name": "a", "valueString": "x"}] * 2), "constant[1].name"),
        (nested(SELECT_DEPTH.value + 1), ""),
        (view(select=[{"column": [{"name": f"c{n}", "path": "id"} for n in range(COLUMNS.value + 1)]}]), ""),
        ("no JSON", ""),
        (b"[]", ""),
        (b" " * (VIEW_BYTES.value + 1), ""),
    ],
)
def test_what_is_no_view_is_refused_with_its_place(definition: Any, place: str) -> None:
    with pytest.raises(InvalidView) as caught:
        parse_view(definition)
    assert caught.value.place == place
    assert caught.value.code == "views.invalid"


def test_limits_are_what_they_say() -> None:
    parse_view(nested(SELECT_DEPTH.value))
    parse_view(view(select=[{"column": [{"name": f"c{n}", "path": "id"} for n in range(COLUMNS.value)]}]))


def test_a_type_may_be_written_as_a_uri() -> None:
    uri = {"name": "n", "path": "name.count()", "type": "http://hl7.org/fhir/StructureDefinition/integer"}
    assert parse_view(view(select=[{"column": [uri]}])).columns[0].type == "integer"
