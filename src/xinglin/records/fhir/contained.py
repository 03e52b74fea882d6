"""What contained resources tell is lifted to where tables look for it; the contained resource stays."""

from __future__ import annotations

from typing import Any

_PEOPLE = ("Practitioner", "Organization", "RelatedPerson")


def lift(body: dict[str, Any]) -> None:
    """Change a resource with contained ones in place.

    ``medicationReference`` to a contained Medication that has a code becomes ``medicationCodeableConcept``; a
    reference to a contained person or organisation without ``display`` gets the name as its ``display``.
    """
    within = body.get("contained")
    if type(within) is not list:
        return
    inner = {f"#{each['id']}": each for each in within if type(each) is dict and type(each.get("id")) is str}
    reference = body.get("medicationReference")
    if type(reference) is dict and "medicationCodeableConcept" not in body:
        medication = _named(inner, reference)
        if medication.get("resourceType") == "Medication" and type(medication.get("code")) is dict:
            body["medicationCodeableConcept"] = medication["code"]
            del body["medicationReference"]
    for key, value in body.items():
        if key != "contained":
            _show(inner, value, 0)


def _show(inner: dict[str, Any], value: Any, level: int) -> None:
    if type(value) is list:
        for each in value:
            _show(inner, each, level)
    elif type(value) is dict and level < 4:
        if "reference" in value:
            name = _name(_named(inner, value))
            if name:
                value.setdefault("display", name)
            return
        for each in value.values():
            _show(inner, each, level + 1)


def _named(inner: dict[str, Any], reference: dict[str, Any]) -> dict[str, Any]:
    text = reference.get("reference")
    found = inner.get(text, {}) if type(text) is str else {}
    return found if type(found) is dict else {}


def _name(resource: dict[str, Any]) -> str:
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
