"""What resources tell of others: ranks of diagnoses, causes of deaths, codes of medicines; nothing raises."""

from __future__ import annotations

from typing import Any

import msgspec

from xinglin.catalogue.canonical import TAKEN_BACK

Json = dict[str, Any]
Told = dict[str, Any]
"""Columns and their values."""

LOINC, SNOMED = "http://loinc.org", "http://snomed.info/sct"
CAUSE_OF_DEATH = frozenset({(LOINC, "69453-9"), (SNOMED, "184305005")})
_CAUSES = frozenset(
    {SNOMED, "http://hl7.org/fhir/sid/icd-10", "http://hl7.org/fhir/sid/icd-10-cm", "http://hl7.org/fhir/sid/icd-10-cn"}
    | {"http://hl7.org/fhir/sid/icd-10-who", "http://id.who.int/icd/release/11/mms", "http://hl7.org/fhir/sid/icd-9-cm"}
)
"""Systems whose codes are a standard code of a cause."""
_USES = {"AD": "admission", "DD": "discharge", "CC": "chief complaint", "CM": "comorbidity"}
"""FHIR's diagnosis-role in the words of ``condition.use``; other codes are words already (``billing``, ``pre-op``)."""
MEDICATED = frozenset(
    {"MedicationRequest", "MedicationStatement", "MedicationAdministration", "MedicationDispense", "MedicationUsage"}
)


class Diagnosis(msgspec.Struct, frozen=True):
    """What a visit tells of one of its diagnoses; ``condition``: its key."""

    condition: str
    told: Told


def diagnoses_of(encounter: Json) -> list[Diagnosis]:
    """Rank, role and visit of each Condition that an Encounter names."""
    found: list[Diagnosis] = []
    if encounter.get("status") in TAKEN_BACK:
        return found
    visit = _key_of(encounter)
    for one in _list(encounter.get("diagnosis")):
        rank = one.get("rank")
        told = {
            "rank": rank if type(rank) is int and rank > 0 else None,
            "use": _use(one.get("use")),
            "encounter": visit or None,
        }
        if told["rank"] is None and told["use"] is None:
            continue
        # R5: a list of CodeableReferences.
        for named in _list(one.get("condition")):
            key = reference_key(named if "reference" in named else named.get("reference"), "Condition")
            if key:
                found.append(Diagnosis(key, told))
    return found


def _use(given: Any) -> str | None:
    for concept in _list(given):
        for coding in _list(concept.get("coding")):
            code = coding.get("code")
            if type(code) is str and code:
                return _USES.get(code, code)
        if type(concept.get("text")) is str and concept["text"]:
            return str(concept["text"])
    return None


def cause_of(observation: Json) -> tuple[str, Told] | None:
    """Whose death an Observation explains (the person's key), and the cause; None for any other."""
    value = observation.get("valueCodeableConcept")
    if type(value) is not dict:
        return None
    code = observation.get("code")
    names = {(one.get("system"), one.get("code")) for one in _list(code.get("coding"))} if type(code) is dict else ()
    if not CAUSE_OF_DEATH.intersection(names) or observation.get("status") in TAKEN_BACK:
        return None
    person = reference_key(observation.get("subject"), "Patient")
    codings = [one for one in _list(value.get("coding")) if type(one.get("code")) is str]
    text = value.get("text") or next((one["display"] for one in codings if type(one.get("display")) is str), None)
    if not person or not (codings or type(text) is str):
        return None
    told: Told = {"cause_source_text": text if type(text) is str else None}
    if codings:
        told |= {"cause_source": codings[0]["code"], "cause_source_system": codings[0].get("system")}
    standard = next((one for one in codings if one.get("system") in _CAUSES), None)
    if standard:
        told |= {"cause": standard["code"], "cause_system": standard["system"]}
    return person, told


def medicine_of(medication: Json) -> tuple[str, Json] | None:
    """Key and code of a Medication that has one."""
    code, key = medication.get("code"), _key_of(medication)
    return (key, code) if type(code) is dict and code and key else None


def medication_key(body: Json) -> str:
    """The Medication that a resource refers to for its code; empty where it has a code of its own."""
    given = body.get("medicationReference")
    if given is None and "medicationCodeableConcept" not in body:
        medication = body.get("medication")  # R5
        given = medication.get("reference") if type(medication) is dict and "concept" not in medication else None
    return "" if "medicationCodeableConcept" in body else reference_key(given, "Medication")


def give_medicine(body: Json, code: Json) -> None:
    """Put a Medication's code in place of the reference to it (R4), or beside it (R5)."""
    if "medicationReference" in body:
        del body["medicationReference"]
        body["medicationCodeableConcept"] = code
    else:
        body["medication"] = {**body["medication"], "concept": code}


def reference_key(given: Any, kind: str) -> str:
    """``Kind/id`` of a reference to that kind, also of an address; empty for any other."""
    text = given.get("reference") if type(given) is dict else None
    if type(text) is not str:
        return ""
    parts = text.partition("/_history")[0].split("/")
    return "/".join(parts[-2:]) if len(parts) >= 2 and parts[-2] == kind and parts[-1] else ""


def _key_of(body: Json) -> str:
    name = body.get("id")
    return f"{body.get('resourceType')}/{name}" if type(name) is str and name else ""


def _list(given: Any) -> list[Json]:
    """The objects of a list, or of one that stands alone."""
    many = given if type(given) is list else [given]
    return [one for one in many if type(one) is dict]
