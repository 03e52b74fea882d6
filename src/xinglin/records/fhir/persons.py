"""Whose a resource is: clinical resources name a patient, or say that they are about something else."""

from __future__ import annotations

from typing import Any

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


class Person:
    """What ``person_of`` found: exactly one of the three is told."""

    __slots__ = ("key", "other", "problem")

    def __init__(self, key: str = "", other: str = "", problem: tuple[str, str] | None = None) -> None:
        self.key, self.other, self.problem = key, other, problem


_NOBODY = Person()
_MISSING = Person(problem=("fhir.no_patient", "A clinical resource names no patient."))
_WRONG = Person(problem=("fhir.wrong_patient", "What a clinical resource names as its patient is none."))
_UNKNOWN = Person(problem=("fhir.unknown_patient", "The patient is named by an entry that the bundle does not have."))
_CONTAINED = Person(problem=("fhir.contained_patient", "The patient is inside the resource and has no identifier."))
_OTHERS = {kind: Person(other=f"about no single person ({kind})") for kind in NO_PERSONS}


def person_of(body: dict[str, Any], release: str) -> Person:
    """Whose a resource is, its references made plain before: the patient's key, or why there is none.

    Types that need not be a person's give an empty ``Person``. ``problem``: the code and the words of an ``Unread``.
    """
    kind = body["resourceType"]
    element = PERSON_ELEMENT.get(kind)
    if release == "R5":
        element = _IN_R5.get(kind, element)
    if element is None:
        return _NOBODY
    reference = body.get(element)
    if type(reference) is not dict:
        return _MISSING
    text = reference.get("reference")
    if type(text) is not str or not text:
        return _MISSING
    return Person(key=text) if text.startswith("Patient/") else _elsewhere(text)


def _elsewhere(text: str) -> Person:
    if text.startswith("urn:"):
        return _UNKNOWN
    if text.startswith("#"):
        return _CONTAINED
    path = text.split("/")
    if path[0] in ("http:", "https:"):
        kind = path[-2] if len(path) > 4 else ""
        return Person(key=text) if kind == "Patient" else _OTHERS.get(kind, _WRONG)
    return _OTHERS.get(path[0].partition("?")[0], _WRONG)
