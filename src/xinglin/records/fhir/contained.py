"""What contained resources tell is lifted to where tables look for it; the contained resource stays."""

from __future__ import annotations

from typing import Any

_PEOPLE = ("Practitioner", "Organization", "RelatedPerson")


def inner_resource(contained: Any, name: str) -> dict[str, Any]:
    """The contained resource of that id; empty where there is none."""
    for inner in contained if type(contained) is list else ():
        if type(inner) is dict and inner.get("id") == name:
            return inner
    return {}


def violated(contained: Any, asked: set[str]) -> list[str]:
    """Keys of the invariants about contained resources that do not hold; ``asked``: references like ``#name``."""
    within = [each for each in contained if type(each) is dict] if type(contained) is list else []
    named = {f"#{each['id']}" for each in within if type(each.get("id")) is str}
    found = ["ref-1"] if asked - named - {"#"} else []
    if any("contained" in each for each in within):
        found.append("dom-2")
    metas = [each["meta"] for each in within if type(each.get("meta")) is dict]
    if any("versionId" in meta or "lastUpdated" in meta for meta in metas):
        found.append("dom-4")
    if any("security" in meta for meta in metas):
        found.append("dom-5")
    return found


def lift_medication(body: dict[str, Any]) -> None:
    """A ``medicationReference`` to a contained Medication that has a code becomes ``medicationCodeableConcept``."""
    reference = body.get("medicationReference")
    text = reference.get("reference") if type(reference) is dict else None
    if type(text) is str and text.startswith("#") and "medicationCodeableConcept" not in body:
        medication = inner_resource(body.get("contained"), text[1:])
        if medication.get("resourceType") == "Medication" and type(medication.get("code")) is dict:
            body["medicationCodeableConcept"] = medication["code"]
            del body["medicationReference"]


def name_of(resource: dict[str, Any]) -> str:
    """The name of a contained person or organisation, "" for anything else."""
    if resource.get("resourceType") not in _PEOPLE:
        return ""
    name = resource.get("name")
    if type(name) is list:
        name = name[0] if name else None
    if type(name) is str:
        return name
    if type(name) is not dict:
        return ""
    if type(name.get("text")) is str:
        return str(name["text"])
    given = name.get("given")
    parts = [*(given if type(given) is list else []), name.get("family")]
    return " ".join(part for part in parts if type(part) is str and part)
