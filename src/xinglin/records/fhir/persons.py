"""Whose a resource is: clinical resources name a patient, or say that they are about something else."""

from __future__ import annotations

import re
from typing import Any

import orjson

PERSON_ELEMENT: dict[str, str] = {
    "AllergyIntolerance": "patient",
    "CarePlan": "subject",
    "CareTeam": "subject",
    "Claim": "patient",
    "ClaimResponse": "patient",
    "ClinicalImpression": "subject",
    "Composition": "subject",
    "Condition": "subject",
    "Coverage": "beneficiary",
    "DetectedIssue": "patient",
    "DeviceRequest": "subject",
    "DeviceUseStatement": "subject",
    "DiagnosticReport": "subject",
    "DocumentReference": "subject",
    "Encounter": "subject",
    "EpisodeOfCare": "patient",
    "ExplanationOfBenefit": "patient",
    "FamilyMemberHistory": "patient",
    "Flag": "subject",
    "Goal": "subject",
    "ImagingStudy": "subject",
    "Immunization": "patient",
    "Media": "subject",
    "MedicationAdministration": "subject",
    "MedicationDispense": "subject",
    "MedicationRequest": "subject",
    "MedicationStatement": "subject",
    "NutritionOrder": "patient",
    "Observation": "subject",
    "Procedure": "subject",
    "QuestionnaireResponse": "subject",
    "RelatedPerson": "patient",
    "RiskAssessment": "subject",
    "ServiceRequest": "subject",
    "Specimen": "subject",
}
"""The element that names the person, of the types that are a person's or nobody's."""

_IN_R5 = {"DetectedIssue": "subject", "DeviceUsage": "patient", "ImagingSelection": "subject"}
_THINGS = "BiologicallyDerivedProduct Device Group HealthcareService Location Medication NutritionProduct Organization"
_STAFF = "Practitioner PractitionerRole Procedure Substance"
NO_PERSONS = frozenset(f"{_THINGS} {_STAFF}".split())
"""What a subject may be besides a patient: the resource then is about no single person."""


Problem = tuple[str, str]
_MISSING = ("fhir.no_patient", "A clinical resource names no patient.")
_WRONG = ("fhir.wrong_patient", "What a clinical resource names as its patient is none.")
_UNKNOWN = ("fhir.unknown_patient", "The patient is named by an entry that the bundle does not have.")
_CONTAINED = ("fhir.contained_patient", "The patient is inside the resource and has no identifier.")


def person_element(kind: str, release: str) -> str:
    """The element that names a resource's person; "" for types that need not be a person's."""
    if release == "R5" and kind in _IN_R5:
        return _IN_R5[kind]
    return PERSON_ELEMENT.get(kind, "")


def person_of(reference: Any) -> tuple[str, str | Problem]:
    """The patient's key that a reference (made plain before) gives, and "elsewhere" for one of another server.

    Without a key: words where the resource is about no single person, or the code and the words of an ``Unread``.
    """
    text = reference.get("reference") if type(reference) is dict else None
    if type(text) is not str or not text:
        return "", _MISSING
    if text.startswith("Patient/"):
        return text, ""
    if text.startswith("urn:"):
        return "", _UNKNOWN
    if text.startswith("#"):
        return "", _CONTAINED
    path = text.split("/")
    far = path[0] in ("http:", "https:")
    kind = (path[-2] if len(path) > 4 else "") if far else path[0].partition("?")[0]
    if far and kind == "Patient":
        return text, "elsewhere"
    return "", f"about no single person ({kind})" if kind in NO_PERSONS else _WRONG


_PATIENT = re.compile(rb'"(Patient/[A-Za-z0-9.-]{1,64})(?:/_history/[^"]*)?"')


def patients_named(body: dict[str, Any]) -> frozenset[str]:
    """Keys of all patients to whom a resource's plain references lead, wherever they stand in it, and its own.

    >>> sorted(patients_named({"resourceType": "Group", "member": [{"entity": {"reference": "Patient/1"}}]}))
    ['Patient/1']
    """
    try:
        named = {found.decode() for found in _PATIENT.findall(orjson.dumps(body))}
    except orjson.JSONEncodeError:
        named = set()
    own = f"Patient/{body.get('id')}" if body.get("resourceType") == "Patient" else ""
    return frozenset(named | {own} - {""})
