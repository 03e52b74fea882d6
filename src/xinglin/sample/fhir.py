"""A generated hospital's FHIR server: one R4 bundle a person."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import msgspec

from xinglin.sample.facts import DISEASE, ICD10, NO, SNOMED, YES, Finding, Person, persons
from xinglin.sample.hospital import SampleHospital

_UCUM = "http://unitsofmeasure.org"
_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"


def bundles(hospital: SampleHospital) -> Iterator[bytes]:
    """A bundle of type ``collection`` for every person."""
    for person in persons(hospital):
        resources = _resources(person)
        yield msgspec.json.encode(
            {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in resources]}
        )


def bulk(hospital: SampleHospital) -> dict[str, bytes]:
    """The same resources as a bulk export: one NDJSON file a resource type."""
    lines: dict[str, list[bytes]] = {}
    for person in persons(hospital):
        for one in _resources(person):
            lines.setdefault(f"{one['resourceType']}.ndjson", []).append(msgspec.json.encode(one))
    return {name: b"\n".join(found) + b"\n" for name, found in lines.items()}


def _resources(person: Person) -> list[dict[str, Any]]:
    findings = [_observation(person, number, finding) for number, finding in enumerate(person.findings, 1)]
    return [_patient(person), _visit(person), _condition(person), *findings]


def _patient(person: Person) -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "id": person.key,
        "identifier": [{"system": "urn:xinglin:sample:mrn", "value": person.key}],
        "name": [{"text": person.name}],
        "gender": person.sex,
        "birthDate": f"{person.birth_date}",
        "telecom": [{"system": "phone", "value": person.phone}],
    }


def _visit(person: Person) -> dict[str, Any]:
    return {
        "resourceType": "Encounter",
        "id": f"v-{person.key}",
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "subject": {"reference": f"Patient/{person.key}"},
        "period": {"start": _text(person.examined_at), "end": _text(person.examined_at, hours=3)},
    }


def _condition(person: Person) -> dict[str, Any]:
    """Angiography was done for everybody: the diagnosis is confirmed or refuted."""
    code, words, words_zh = DISEASE
    verification = "confirmed" if person.disease else "refuted"
    found: dict[str, Any] = {
        "resourceType": "Condition",
        "id": f"c-{person.key}",
        "verificationStatus": {"coding": [{"system": _VERIFICATION, "code": verification}]},
        "code": {"coding": [{"system": ICD10, "code": code, "display": words}], "text": words_zh},
        "subject": {"reference": f"Patient/{person.key}"},
        "encounter": {"reference": f"Encounter/v-{person.key}"},
        "recordedDate": _text(person.examined_at, hours=3),
    }
    if person.disease:
        found["clinicalStatus"] = {"coding": [{"system": _CLINICAL, "code": "active"}]}
    return found


def _observation(person: Person, number: int, finding: Finding) -> dict[str, Any]:
    measure = finding.measure
    value: dict[str, Any]
    if isinstance(finding.value, bool):
        code, words = (YES, "Yes") if finding.value else (NO, "No")
        value = {"valueCodeableConcept": {"coding": [{"system": SNOMED, "code": code, "display": words}]}}
    else:
        quantity = {"value": finding.value, "unit": measure.unit, "system": _UCUM, "code": measure.unit}
        value = {"valueQuantity": quantity}
    return {
        "resourceType": "Observation",
        "id": f"o-{person.key}-{number}",
        "status": "final",
        "code": {"coding": [{"system": measure.system, "code": measure.code, "display": measure.words}]},
        "subject": {"reference": f"Patient/{person.key}"},
        "encounter": {"reference": f"Encounter/v-{person.key}"},
        "effectiveDateTime": _text(person.examined_at, hours=2),
        **value,
    }


def _text(at: dt.datetime, hours: int = 0) -> str:
    return (at + dt.timedelta(hours=hours)).isoformat()
