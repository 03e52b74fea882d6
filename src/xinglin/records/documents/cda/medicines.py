"""Medicines and vaccines of a CDA."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xinglin.records.documents.cda.findings import key_at, negated, note_of, who, within
from xinglin.records.documents.cda.gathering import Gathering, Json
from xinglin.records.documents.cda.values import (
    concept,
    found_at,
    kind_of,
    number,
    quantity,
    referred,
    span,
    text_of,
    time_at,
    told,
)

if TYPE_CHECKING:
    from lxml.etree import _Element

_STATED = {
    "completed": "completed",
    "active": "active",
    "aborted": "stopped",
    "suspended": "on-hold",
    "held": "on-hold",
    "cancelled": "cancelled",
}
_ORDERED = frozenset(("INT", "RQO", "PRP", "ARQ"))
_PERIODS = frozenset(("s", "min", "h", "d", "wk", "mo", "a"))


def read_medication(statement: _Element, gathering: Gathering, place: str) -> bool:
    """A MedicationStatement, or a MedicationRequest where it is not yet given (``moodCode`` INT, RQO)."""
    code = _product(statement, gathering)
    if code is None:
        return False
    start, end = _when(statement)
    ordered = statement.get("moodCode") in _ORDERED
    status = _STATED.get(told(statement.find("statusCode"), "code"), "active" if ordered else "unknown")
    if negated(statement):
        status = "cancelled" if ordered else "not-taken"
    dosage = _dosage(statement, gathering)
    author = time_at(statement.find("author/time"))
    body: Json = {"medicationCodeableConcept": code, "status": status, "note": note_of(statement, gathering)}
    key = key_at(statement, gathering, place)
    if ordered:
        body |= {"intent": "order", "authoredOn": author or start, "dosageInstruction": [dosage] if dosage else None}
        staff = who(statement, gathering, place)
        body["requester"] = {"reference": staff} if staff else None
        gathering.fact("MedicationRequest", key, body, place)
        return True
    body |= {"dateAsserted": author or gathering.made, "dosage": [dosage] if dosage else None}
    if end:
        body["effectivePeriod"] = {name: text for name, text in (("start", start), ("end", end)) if text}
    elif start:
        body["effectiveDateTime"] = start
    gathering.fact("MedicationStatement", key, body, place)
    return True


def _product(statement: _Element, gathering: Gathering) -> Json | None:
    """The code or the name of what is given."""
    product = statement.find("consumable/manufacturedProduct")
    if product is None:
        product = statement.find("product/manufacturedProduct")
    for tag in ("manufacturedMaterial", "manufacturedLabeledDrug"):
        material = found_at(product, tag)
        if material is None:
            continue
        code, name = concept(material.find("code"), gathering.words), text_of(material.find("name"))
        if code is None and name:
            return {"text": name}
        if code is not None:
            return code if code.get("text") or not name else code | {"text": name}
    text = referred(statement.find("text"), gathering.words)
    return {"text": text} if text and product is not None else None


def _when(statement: _Element) -> tuple[str, str]:
    """The interval of a medicine's effective times; a frequency is not one."""
    for each in statement.findall("effectiveTime"):
        if kind_of(each) in ("PIVL_TS", "EIVL_TS", "SXPR_TS"):
            continue
        found = span(each)
        if any(found):
            return found
    return "", ""


def _dosage(statement: _Element, gathering: Gathering) -> Json:
    dose, rate = quantity(statement.find("doseQuantity")), quantity(statement.find("rateQuantity"))
    given = {name: value for name, value in (("doseQuantity", dose), ("rateQuantity", rate)) if value}
    timing = _timing(statement)
    text = referred(statement.find("text"), gathering.words) if statement.find("text/reference") is not None else ""
    frequency = statement.find("rateQuantity/translation")
    if frequency is not None and not text:
        text = f"{told(frequency, 'value')} {told(frequency, 'unit')}".strip()
    body: Json = {
        "text": text,
        "timing": timing,
        "route": concept(statement.find("routeCode")),
        "asNeededBoolean": True if statement.find("precondition") is not None else None,
        "doseAndRate": [given] if given else None,
    }
    return {name: value for name, value in body.items() if value}


def _timing(statement: _Element) -> Json | None:
    """How often: a PIVL's period."""
    for each in statement.findall("effectiveTime"):
        period = each.find("period")
        unit, value = told(period, "unit"), number(told(period, "value"))
        if kind_of(each) == "PIVL_TS" and value and unit in _PERIODS:
            return {"repeat": {"frequency": 1, "period": value, "periodUnit": unit}}
    return None


def read_immunization(statement: _Element, gathering: Gathering, place: str) -> bool:
    """An Immunization; ``negationInd`` says that it was not given."""
    code = _product(statement, gathering)
    if code is None:
        return False
    if statement.get("moodCode", "EVN") != "EVN":
        gathering.ignore("cda: planned, not done")
        return True
    at, _ = _when(statement)
    material = statement.find("consumable/manufacturedProduct/manufacturedMaterial")
    maker = text_of(statement.find("consumable/manufacturedProduct/manufacturerOrganization/name"))
    reasons = [made for one in within(statement, "53") if (made := concept(one.find("code")))]
    performer = who(statement, gathering, place)
    body: Json = {
        "vaccineCode": code,
        "status": "not-done" if negated(statement) else "completed",
        "statusReason": reasons[0] if reasons else None,
        "occurrenceDateTime": at,
        "lotNumber": text_of(found_at(material, "lotNumberText")),
        "manufacturer": {"display": maker} if maker else None,
        "route": concept(statement.find("routeCode")),
        "site": concept(statement.find("approachSiteCode")),
        "doseQuantity": quantity(statement.find("doseQuantity")),
        "performer": [{"actor": {"reference": performer}}] if performer else None,
    }
    doses = number(told(statement.find("repeatNumber"), "value"))
    if isinstance(doses, int) and doses > 0:
        body["protocolApplied"] = [{"doseNumberPositiveInt": doses}]
    gathering.fact("Immunization", key_at(statement, gathering, place), body, place)
    return True


def read_supply(statement: _Element, gathering: Gathering, place: str) -> bool:
    """A medicine that was dispensed; goods without a medicine make no row."""
    code = _product(statement, gathering)
    if code is None or statement.get("moodCode", "EVN") != "EVN":
        gathering.ignore("cda: a supply that is no medicine dispensed")
        return False
    at, _ = _when(statement)
    body: Json = {
        "medicationCodeableConcept": code,
        "status": _STATED.get(told(statement.find("statusCode"), "code"), "completed"),
        "whenHandedOver": at,
        "quantity": quantity(statement.find("quantity")),
    }
    gathering.fact("MedicationDispense", key_at(statement, gathering, place), body, place)
    return True
