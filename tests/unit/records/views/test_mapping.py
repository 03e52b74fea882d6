"""Resources to canonical rows: the shipped views, own ones, and what mapping adds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from xinglin.catalogue.canonical_tables import CANONICAL_TABLES, canonical_table
from xinglin.records.model import Flag, Mapped, Resource
from xinglin.records.shape import shape
from xinglin.records.views import InvalidView, Mapping, canonical_views, load_views, map_resources

LOINC, SNOMED, LOCAL = "http://loinc.org", "http://snomed.info/sct", "urn:his:codes"


def rows(*bodies: dict[str, Any], **given: Any) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for mapped in map_resources([Resource(body, f"entry[{n}]", **given) for n, body in enumerate(bodies)]):
        found.setdefault(mapped.table, []).extend(dict(zip(mapped.columns, row, strict=True)) for row in mapped.rows)
    return found


def only(table: str, *bodies: dict[str, Any], **given: Any) -> dict[str, Any]:
    (row,) = rows(*bodies, **given)[table]
    return row


def test_every_table_that_fhir_can_fill_is_filled() -> None:
    assert canonical_views().tables == {table.name for table in CANONICAL_TABLES}


def test_every_shipped_view_names_columns_of_its_table_once() -> None:
    for views in canonical_views().by_resource.values():
        for view in views:
            table = canonical_table(view.table)
            assert table is not None
            known = {column.name for column in table.physical()} | {"flags", "place", "version_at"}
            assert set(view.columns) <= known
            assert len(set(view.columns)) == len(view.columns)


OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "bp",
    "status": "final",
    "category": [{"coding": [{"code": "vital-signs"}]}],
    "code": {
        "coding": [{"system": LOCAL, "code": "XY"}, {"system": LOINC, "code": "85354-9"}],
        "text": "血压",
    },
    "subject": {"reference": "Patient/1"},
    "encounter": {"reference": "http://his/fhir/Encounter/2"},
    "effectivePeriod": {"start": "2024-03-01T08:00:00+08:00"},
    "bodySite": {
        "coding": [
            {"system": "http://terminology.hl7.org/CodeSystem/ex-tooth", "code": "36"},
            {"system": "http://terminology.hl7.org/CodeSystem/FDI-surface", "code": "M"},
            {"system": "http://terminology.hl7.org/CodeSystem/FDI-surface", "code": "O"},
        ]
    },
    "component": [
        {
            "code": {"coding": [{"system": LOINC, "code": "8480-6"}]},
            "valueQuantity": {"value": 120, "unit": "mmHg", "system": "http://unitsofmeasure.org", "code": "mm[Hg]"},
            "referenceRange": [{"low": {"value": 90}, "high": {"value": 140}}],
        },
        {
            "code": {"coding": [{"system": LOINC, "code": "8462-4"}]},
            "valueQuantity": {"value": 80, "comparator": "<", "unit": "mmHg", "system": LOCAL, "code": "MMHG"},
        },
    ],
}


def test_an_observation_has_a_row_for_itself_and_one_for_each_component() -> None:
    whole, high, low = rows(OBSERVATION)["observation"]
    assert [row["id"] for row in (whole, high, low)] == ["Observation/bp", "Observation/bp#1", "Observation/bp#2"]
    assert [row["component"] for row in (whole, high, low)] == [0, 1, 2]
    assert {row["patient"] for row in (whole, high, low)} == {"Patient/1"}
    assert {row["encounter"] for row in (whole, high, low)} == {"Encounter/2"}
    assert {row["effective"] for row in (whole, high, low)} == {"2024-03-01T08:00:00+08:00"}
    assert (whole["code"], whole["code_system"]) == ("85354-9", LOINC)
    assert (whole["code_source"], whole["code_source_system"], whole["code_source_text"]) == ("XY", LOCAL, "血压")
    assert (whole["tooth"], whole["surface"]) == ("36", "MO")
    assert (high["value_number"], high["value_unit"], high["value_unit_source"]) == (120, "mm[Hg]", "mmHg")
    assert (high["range_low"], high["range_high"]) == (90, 140)
    assert (low["value_number"], low["value_comparator"], low["value_unit"]) == (80, "<", None)
    assert {row["place"] for row in (whole, high, low)} == {"entry[0]"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"valueString": "text"}, {"value_text": "text"}),
        ({"valueBoolean": False}, {"value_boolean": False}),
        ({"valueInteger": 3}, {"value_number": 3}),
        ({"valueDateTime": "2024"}, {"value_time": "2024"}),
        ({"valueTime": "10:00:00"}, {"value_text": "10:00:00"}),
        ({"valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 64}}}, {"value_titre": "1:64"}),
        ({"valueRange": {"low": {"value": 1}, "high": {"value": 2}}}, {"value_text": "1 - 2"}),
        (
            {"valueCodeableConcept": {"coding": [{"system": LOCAL, "code": "P"}], "text": "positive"}},
            {"value": None, "value_source": "P", "value_source_system": LOCAL, "value_source_text": "positive"},
        ),
        ({"dataAbsentReason": {"coding": [{"code": "not-performed"}]}}, {"absent_reason": "not-performed"}),
    ],
)
def test_every_kind_of_value_has_its_column(value: dict[str, Any], expected: dict[str, Any]) -> None:
    body = {"resourceType": "Observation", "id": "1", "status": "final", "code": {"text": "x"}, **value}
    row = only("observation", body)
    assert {name: row[name] for name in expected} == expected


def test_a_person_and_a_death() -> None:
    body = {
        "resourceType": "Patient",
        "id": "1",
        "identifier": [
            {"system": "urn:his", "value": "V1"},
            {"type": {"coding": [{"code": "MR"}]}, "system": "urn:his", "value": "M1"},
            {"system": "urn:oid:2.16.156.10011.1.3", "value": "11010519491231002X"},
        ],
        "name": [{"use": "nickname", "text": "小"}, {"use": "official", "family": "Li", "given": ["Lei", "L"]}],
        "gender": "male",
        "birthDate": "1949-12-31",
        "deceasedDateTime": "2020",
        "multipleBirthBoolean": True,
        "link": [{"type": "replaced-by", "other": {"reference": "Patient/2"}}],
    }
    person, death = only("patient", body), only("death", body)
    assert (person["id"], person["patient"], person["identifier"]) == ("Patient/1", "Patient/1", "M1")
    assert (person["name"], person["given"], person["family"]) == ("Lei L Li", "Lei L", "Li")
    assert (person["national_id"], person["replaced_by"]) == ("11010519491231002X", "Patient/2")
    assert person["multiple_birth"] == 1
    assert (death["id"], death["died_at"], death["status"]) == ("Patient/1", "2020", "final")
    assert only("death", {**body, "deceasedDateTime": None, "deceasedBoolean": False})["status"] == "entered-in-error"
    assert "death" not in rows({"resourceType": "Patient", "id": "1"})


@pytest.mark.parametrize(
    ("body", "kind", "expected"),
    [
        (
            {
                "resourceType": "MedicationRequest",
                "medicationCodeableConcept": {"coding": [{"system": "http://www.whocc.no/atc", "code": "A10BA02"}]},
                "dosageInstruction": [
                    {
                        "text": "bid",
                        "timing": {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}},
                        "asNeededBoolean": False,
                        "doseAndRate": [
                            {"doseQuantity": {"value": 500, "system": "http://unitsofmeasure.org", "code": "mg"}}
                        ],
                    }
                ],
            },
            "ordered",
            {"code": "A10BA02", "frequency_count": 2, "dose_number": 500, "dose_unit": "mg", "as_needed": False},
        ),
        (
            {
                "resourceType": "MedicationDispense",
                "medicationReference": {"reference": "#m"},
                "contained": [
                    {"resourceType": "Medication", "id": "m", "code": {"coding": [{"system": LOCAL, "code": "D7"}]}}
                ],
                "daysSupply": {"value": 30, "code": "d"},
                "context": {"reference": "Encounter/9"},
            },
            "dispensed",
            {"code": None, "code_source": "D7", "days_supply": 30, "encounter": "Encounter/9"},
        ),
        (
            {
                "resourceType": "MedicationAdministration",
                "medication": {"concept": {"coding": [{"system": LOCAL, "code": "R5"}]}},
                "occurenceDateTime": "2024-01-01T00:00:00Z",
                "encounter": {"reference": "Encounter/9"},
            },
            "administered",
            {"code_source": "R5", "started": "2024-01-01T00:00:00Z", "encounter": "Encounter/9"},
        ),
        ({"resourceType": "MedicationStatement", "effectivePeriod": {"end": "2024"}}, "stated", {"ended": "2024"}),
    ],
)
def test_medicines_of_every_kind_meet_in_one_table(body: dict[str, Any], kind: str, expected: dict[str, Any]) -> None:
    row = only("medication", {**body, "id": "1", "subject": {"reference": "Patient/1"}})
    assert (row["kind"], row["id"], row["patient"]) == (kind, f"{body['resourceType']}/1", "Patient/1")
    assert {name: row[name] for name in expected} == expected


@pytest.mark.parametrize(
    "body",
    [
        {
            "status": "finished",
            "class": {"system": "urn:x", "code": "IMP"},
            "period": {"start": "2024-01-01", "end": "2024-01-02"},
            "hospitalization": {"admitSource": {"coding": [{"code": "emd"}]}},
            "reasonCode": [{"coding": [{"system": SNOMED, "code": "22298006"}]}],
            "participant": [{"individual": {"reference": "Practitioner/1"}}],
        },
        {
            "status": "completed",
            "class": [{"coding": [{"system": "urn:x", "code": "IMP"}]}],
            "actualPeriod": {"start": "2024-01-01", "end": "2024-01-02"},
            "admission": {"admitSource": {"coding": [{"code": "emd"}]}},
            "reason": [{"value": [{"concept": {"coding": [{"system": SNOMED, "code": "22298006"}]}}]}],
            "participant": [{"actor": {"reference": "Practitioner/1"}}],
        },
    ],
)
def test_a_visit_of_r4_and_of_r5_is_the_same_row(body: dict[str, Any]) -> None:
    row = only("encounter", {"resourceType": "Encounter", "id": "1", "subject": {"reference": "Patient/1"}, **body})
    expected = {
        "status": "finished", "class": "IMP", "class_system": "urn:x", "started": "2024-01-01", "ended": "2024-01-02",
        "admit_source": "emd", "reason": "22298006", "attending": "Practitioner/1",
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected


def test_a_claim_has_a_row_for_the_whole_and_one_for_each_line() -> None:
    body = {
        "resourceType": "Claim",
        "id": "1",
        "status": "active",
        "patient": {"reference": "Patient/1"},
        "created": "2024-01-05",
        "billablePeriod": {"start": "2024-01-01"},
        "total": {"value": 30.5, "currency": "CNY"},
        "item": [{"sequence": 4, "productOrService": {"text": "filling"}, "net": {"value": 30.5}}],
    }
    whole, line = rows(body)["claim"]
    assert (whole["id"], whole["line"], whole["amount"], whole["started"]) == ("Claim/1", 0, 30.5, "2024-01-01")
    assert (line["id"], line["line"], line["code_source_text"], line["currency"]) == ("Claim/1#1", 4, "filling", "CNY")
    assert line["started"] == "2024-01-01"


def test_sections_of_a_document_are_notes() -> None:
    inner = {"title": "inner", "text": {"div": "<div>b</div>"}}
    body = {
        "resourceType": "Composition",
        "id": "1",
        "status": "final",
        "title": "summary",
        "subject": {"reference": "Patient/1"},
        "section": [{"title": "outer", "section": [inner]}, {"title": "last"}],
    }
    found = rows(body)
    assert [row["id"] for row in found["note"]] == ["Composition/1#1", "Composition/1#2", "Composition/1#3"]
    assert [row["title"] for row in found["note"]] == ["outer", "inner", "last"]
    assert {row["document"] for row in found["note"]} == {"Composition/1"}
    assert found["document"][0]["title"] == "summary"


def test_what_mapping_adds() -> None:
    body = {"resourceType": "Patient", "id": "1", "meta": {"lastUpdated": "1970-01-01T00:00:01Z"}}
    flags = (Flag("fhir.a", "Patient.name"), Flag("fhir.b"), Flag("fhir.a"))
    row = only("patient", body, flags=flags, partial=True)
    assert (row["flags"], row["version_at"], row["partial"], row["cleared"]) == ("fhir.a fhir.b", 1000, True, None)
    assert only("patient", body, version_at=77)["version_at"] == 77
    (mapped,) = map_resources([Resource({"resourceType": "Patient", "id": "1"}, "PID")], received_at=5)
    assert mapped.rows[0][mapped.columns.index("version_at")] == 5


@pytest.mark.parametrize(
    ("body", "cleared", "expected"),
    [
        ({"resourceType": "Patient", "id": "1"}, ("Patient.address",), "address postal_code city province country"),
        ({"resourceType": "Patient", "id": "1"}, ("birthDate", "maritalStatus"),
         "birth_date marital_status marital_status_system"),
        ({"resourceType": "Patient", "id": "1"}, ("id", "identifier.type"), None),
        ({"resourceType": "Condition", "id": "1"}, ("Condition.onset[x]",), "onset"),
        ({"resourceType": "Condition", "id": "1"}, ("onsetDateTime",), "onset"),
        ({"resourceType": "Condition", "id": "1"}, ("encounter", "subject"), "encounter"),
        ({"resourceType": "Encounter", "id": "1"}, ("Encounter.period.end",), "ended"),
    ],
)  # fmt: skip
def test_an_emptied_element_empties_the_columns_that_read_it(
    body: dict[str, Any], cleared: tuple[str, ...], expected: str | None
) -> None:
    table = {"Patient": "patient", "Condition": "condition", "Encounter": "encounter"}[body["resourceType"]]
    row = only(table, body, cleared=cleared, partial=True)
    assert (None if row["cleared"] is None else set(row["cleared"].split())) == (expected and set(expected.split()))


def test_resources_without_a_table_are_counted() -> None:
    mapping = Mapping()
    bodies: list[Any] = [{"resourceType": "Goal"}, {"resourceType": "Goal"}, {"resourceType": 5}, {}, []]
    assert mapping.rows([Resource(body, "") for body in bodies]) == []
    assert mapping.without_table == {"Goal": 2, "": 3}


@pytest.mark.parametrize("odd", [5, "x", True, None, [], {}, [[]], [None], {"x": 1}, [5], ["x"], [{"coding": 5}]])
def test_a_resource_of_any_form_is_mapped_or_flagged_and_shaped(odd: Any) -> None:
    """Each element of each resource in turn is what it should not be."""
    for resource, fields in ELEMENTS.items():
        for field in fields.split():
            body = {"resourceType": resource, "id": "1", "subject": {"reference": "Patient/1"}, field: odd}
            for mapped in map_resources([Resource(body, "")]):
                shape(mapped, batch=1, recorded_at=0, source="", message="")


ELEMENTS = {
    "Patient": "id identifier name telecom address birthDate gender maritalStatus communication extension link",
    "Observation": "id code category value valueQuantity valueCodeableConcept valueRatio component bodySite",
    "Encounter": "class type period participant reasonCode length hospitalization location subject",
    "Claim": "item diagnosis total created type provider",
    "MedicationRequest": "medicationCodeableConcept contained dosageInstruction dispenseRequest",
    "Composition": "section author title type",
}  # fmt: skip


def own_view(**changed: Any) -> str:
    column = [{"name": "id", "path": "getResourceKey()"}, {"name": "patient", "path": "subject.getReferenceKey()"},
              {"name": "note", "path": "note.text"}]  # fmt: skip
    return json.dumps({"resource": "Flag", "name": "observation__flags", "select": [{"column": column}], **changed})


def test_a_hospital_adds_views_of_its_own() -> None:
    views = load_views({"flags.json": own_view()})
    body = {"resourceType": "Flag", "id": "1", "subject": {"reference": "Patient/1"}, "note": [{"text": "a"}]}
    (mapped,) = map_resources([Resource(body, "")], views)
    assert (mapped.table, mapped.rows[0][:3]) == ("observation", ("Flag/1", "Patient/1", "a"))
    assert load_views({}, instead=["Patient"]).by_resource.keys() == canonical_views().by_resource.keys() - {"Patient"}


def test_several_values_for_one_column_are_flagged() -> None:
    body = {"resourceType": "Flag", "id": "1", "note": [{"text": "a"}, {"text": "b"}]}
    (mapped,) = map_resources([Resource(body, "", (Flag("fhir.a"),))], load_views({"flags.json": own_view()}))
    row = dict(zip(mapped.columns, mapped.rows[0], strict=True))
    assert (row["note"], row["flags"]) == ("a", "fhir.a views.many_values")


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"name": "weather"}, "name"),
        ({"name": ""}, "name"),
        ({"select": [{"column": [{"name": "id", "path": "id"}]}]}, "select"),
        ({"select": [{"column": [{"name": "colour", "path": "id"}]}]}, "select"),
        ({"select": [{"column": [{"name": "batch", "path": "id"}]}]}, "select"),
        ({"resource": 5}, "resource"),
    ],
)
def test_an_own_view_that_does_not_fit_its_table_is_refused(changed: dict[str, Any], place: str) -> None:
    with pytest.raises(InvalidView, match=rf"own\.json: .*{place}|own\.json") as caught:
        load_views({"own.json": own_view(**changed)})
    assert caught.value.place == "own.json"


def test_mapped_rows_are_what_the_readers_of_them_expect() -> None:
    for mapped in map_resources([Resource(OBSERVATION, "x")]):
        assert isinstance(mapped, Mapped)
        assert all(len(row) == len(mapped.columns) for row in mapped.rows)
        assert mapped.columns[-5:] == ("place", "flags", "version_at", "partial", "cleared")
