"""A FHIR anonymizer configuration of 193 rules, of the shape that hospitals use: 179 redact, 8 keep, 3 dateShift,
2 cryptoHash, 1 perturb. Made from the definitions: texts of resource types are redacted one by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from xinglin.records.fhir.definitions import elements

# fmt: off
TYPES = (
    "Account", "AllergyIntolerance", "Appointment", "AppointmentResponse", "BodyStructure", "CarePlan", "CareTeam",
    "Claim", "ClaimResponse", "ClinicalImpression", "Communication", "Composition", "Condition", "Consent",
    "Contract", "Coverage", "Device", "DiagnosticReport", "Encounter", "Endpoint", "ExplanationOfBenefit",
    "FamilyMemberHistory", "DeviceRequest", "EpisodeOfCare", "Goal", "Group", "HealthcareService", "ImagingStudy",
    "Immunization", "InsurancePlan", "Location", "Media", "Observation", "Practitioner", "MedicationRequest",
    "NutritionOrder", "Procedure", "QuestionnaireResponse", "ServiceRequest", "Specimen", "Substance",
    "RequestGroup", "Schedule", "Slot", "Task", "VisionPrescription",
)
# fmt: on
KEEP = (
    "Organization.identifier",
    "Organization.telecom",
    "Organization.address",
    "OrganizationAffiliation.identifier",
    "OrganizationAffiliation.telecom",
    "nodesByType('HumanName').use",
    "nodesByType('Address').country",
    "nodesByType('Address').state",
)
REDACT_BY_TYPE = (
    *("nodesByType('Attachment').title", "nodesByType('Attachment').url", "nodesByType('CodeableConcept').text"),
    *("nodesByType('Coding').display", "nodesByType('Coding').code", "nodesByType('Identifier').value"),
    *("nodesByType('Reference').display", "nodesByType('ContactDetail').name", "nodesByType('Expression').description"),
)
REDACT_LAST = tuple(
    f"nodesByType('{kind}')"
    for kind in ("Narrative", "base64Binary", "Address", "Age", "Annotation", "HumanName", "ContactPoint")
)
REDACTIONS = 179
ZIPS = ("036", "059", "102", "203", "205", "369", "556", "692", "821", "823", "878", "879", "884", "893")


def texts(kind: str, path: str) -> Iterator[str]:
    """Paths of the texts of a type, three levels deep."""
    for element in elements(kind, "R4"):
        for type_ in element.types:
            if element.name in ("id", "contained"):
                continue
            if type_.name in ("string", "markdown"):
                yield f"{path}.{element.name}"
            elif type_.name.startswith("@") and path.count(".") < 3:
                yield from texts(type_.name.removeprefix("@"), f"{path}.{element.name}")


def configuration() -> dict[str, Any]:
    """The configuration; keys are those of the public golden files."""
    values = ("Observation.value", "Observation.referenceRange", "Observation.component.value")
    single = dict.fromkeys((*values, *(path for kind in TYPES for path in texts(kind, kind))))
    wanted = REDACTIONS - 1 - len(REDACT_BY_TYPE) - len(REDACT_LAST)
    first: list[tuple[str, str]] = [("nodesByType('Extension')", "redact"), *((path, "keep") for path in KEEP)]
    first.append(("Resource.id", "cryptoHash"))
    rules = [{"path": path, "method": method} for path, method in first]
    age = {"path": "FamilyMemberHistory.condition.onset as Age", "method": "perturb", "span": 0.1}
    rules.append({**age, "rangeType": "proportional", "roundTo": 0})  # type: ignore[dict-item]
    rules += [{"path": path, "method": "redact"} for path in [*list(single)[:wanted], *REDACT_BY_TYPE]]
    rules.append({"path": "nodesByType('Reference').reference", "method": "cryptoHash"})
    rules += [{"path": f"nodesByType('{kind}')", "method": "dateShift"} for kind in ("date", "dateTime", "instant")]
    rules += [{"path": path, "method": "redact"} for path in REDACT_LAST]
    partial = dict.fromkeys(
        ("enablePartialAgesForRedact", "enablePartialDatesForRedact", "enablePartialZipCodesForRedact"), True
    )
    keys = {"dateShiftKey": "123", "cryptoHashKey": "123"}
    parameters = {**keys, **partial, "restrictedZipCodeTabulationAreas": list(ZIPS)}
    return {"fhirVersion": "R4", "fhirPathRules": rules, "parameters": parameters}
