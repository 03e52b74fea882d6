"""Observations, problems, allergies, procedures, encounters and reports of a CDA."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from xinglin.records.documents.cda.gathering import Gathering, Json
from xinglin.records.documents.cda.header import read_staff
from xinglin.records.documents.cda.systems import system_uri
from xinglin.records.documents.cda.values import (
    concept,
    found_at,
    identifier,
    key_of,
    quantity,
    referred,
    span,
    text_of,
    time_at,
    told,
    value_of,
)

if TYPE_CHECKING:
    from lxml.etree import _Element

_CCDA = "2.16.840.1.113883.10.20.22.4."
_CATEGORIES = {"8716-3": "vital-signs", "30954-2": "laboratory", "29762-2": "social-history", "47420-5": "survey"}
_STATUS = {
    "completed": "final",
    "active": "preliminary",
    "aborted": "cancelled",
    "cancelled": "cancelled",
    "held": "registered",
}
_DONE = {
    "completed": "completed",
    "active": "in-progress",
    "aborted": "stopped",
    "cancelled": "not-done",
    "held": "on-hold",
}
_RESOLVED = {
    "413322009": "resolved",
    "73425007": "inactive",
    "55561003": "active",
    "246455001": "recurrence",
    "263855007": "relapse",
    "277022003": "remission",
}
_SEVERITY = {
    "255604002": "mild",
    "371923003": "mild",
    "6736007": "moderate",
    "371924009": "moderate",
    "24484000": "severe",
    "399166001": "severe",
}
_ALLERGY_KINDS = {
    "416098002": ("allergy", "medication"),
    "414285001": ("allergy", "food"),
    "426232007": ("allergy", "environment"),
    "419511003": ("", "medication"),
    "418471000": ("", "food"),
    "59037007": ("intolerance", "medication"),
    "235719002": ("intolerance", "food"),
    "419199007": ("allergy", ""),
    "419263009": ("allergy", ""),
}
_CRITICALITY = {"CRITH": "high", "CRITL": "low", "CRITU": "unable-to-assess"}
_NEGATED = "true"


def key_at(statement: _Element, gathering: Gathering, place: str) -> str:
    """The statement's own number, or where it stands."""
    for each in statement.findall("id"):
        root, extension = identifier(each)
        if extension or root.count("-") == 4:  # a root alone names one thing where it is a UUID
            return key_of(root, extension)
    return gathering.key_here(place)


def negated(statement: _Element) -> bool:
    """Whether the statement says that it is not so."""
    return bool(statement.get("negationInd") == _NEGATED)


def within(statement: _Element, template: str) -> Iterator[_Element]:
    """Statements directly within this one, by the last part of their C-CDA template."""
    for link in statement.findall("entryRelationship"):
        for one in link:
            if any(told(each, "root") == _CCDA + template for each in one.findall("templateId")):
                yield one


def note_of(statement: _Element, gathering: Gathering) -> list[Json] | None:
    """Comments, and the statement's own text where it is one and not the place of its narrative."""
    texts = [
        referred(one.find("text"), gathering.words) or text_of(one.find("text")) for one in within(statement, "64")
    ]
    own = statement.find("text")
    if own is not None and own.find("reference") is None:
        texts.insert(0, text_of(own))
    found = [text for text in texts if text]
    return [{"text": "\n".join(found)}] if found else None


def who(statement: _Element, gathering: Gathering, place: str) -> str:
    """The author or performer of a statement, where it names one."""
    for path in ("author/assignedAuthor", "performer/assignedEntity"):
        found = read_staff(statement.find(path), gathering, f"{place}/{path.partition('/')[0]}")
        if found:
            return found
    return ""


def read_observation(statement: _Element, gathering: Gathering, place: str) -> bool:
    """An Observation; one with neither code nor value makes nothing."""
    code = concept(statement.find("code"), gathering.words)
    values = statement.findall("value")
    value = value_of(values[0], gathering.words) if values else {}
    if code is None or not (value or statement.find("effectiveTime") is not None):
        return False
    if negated(statement):
        value = _denied(value, code)
    body: Json = {**value, **observed(statement, gathering), "code": code}
    performer = who(statement, gathering, place)
    if performer:
        body["performer"] = [{"reference": performer}]
    body["note"] = note_of(statement, gathering)
    gathering.fact("Observation", key_at(statement, gathering, place), body, place)
    return True


def _denied(value: Json, code: Json) -> Json:
    """An observation with ``negationInd``: not so, where its value is a finding; else not done."""
    finding = value.get("valueCodeableConcept")
    if finding is None:
        return {"dataAbsentReason": {"coding": [{"code": "not-performed"}]}}
    codings = [*code.get("coding", ()), *finding.get("coding", ())]
    code |= {"coding": codings, "text": finding.get("text") or code.get("text", "")}
    return {"valueBoolean": False}


def observed(statement: _Element, gathering: Gathering) -> Json:
    """What every observation says beside code and value."""
    start, end = span(statement.find("effectiveTime"))
    category = _CATEGORIES.get(gathering.section)
    method, site = concept(statement.find("methodCode")), concept(statement.find("targetSiteCode"))
    body: Json = {
        "status": _STATUS.get(told(statement.find("statusCode"), "code"), "final"),
        "interpretation": [made] if (made := concept(statement.find("interpretationCode"))) else None,
        "referenceRange": _ranges(statement),
        "method": method,
        "bodySite": site,
    }
    if category:
        body["category"] = [{"coding": [{"code": category}]}]
    if end and end != start:
        body["effectivePeriod"] = {name: text for name, text in (("start", start), ("end", end)) if text}
    elif start:
        body["effectiveDateTime"] = start
    else:
        body["issued"] = gathering.made
    return {name: value for name, value in body.items() if value}


def _ranges(statement: _Element) -> list[Json] | None:
    found = []
    for each in statement.findall("referenceRange/observationRange"):
        value = each.find("value")
        low, high = quantity(found_at(value, "low")), quantity(found_at(value, "high"))
        text = text_of(each.find("text")) or ("" if value is None or low or high else text_of(value))
        made = {name: part for name, part in (("low", low), ("high", high), ("text", text)) if part}
        if made:
            found.append(made)
    return found or None


def read_condition(statement: _Element, gathering: Gathering, place: str) -> bool:
    """A problem or diagnosis: what is in the value."""
    value = statement.find("value")
    code = concept(value, gathering.words)
    if code is None and value is not None and not value.get("nullFlavor"):
        code = {"text": text} if (text := text_of(value)) else None
    if code is None and (text := referred(statement.find("text"), gathering.words)):
        code = {"text": text}
    if code is None:
        return False
    onset, end = span(statement.find("effectiveTime"))
    concern = statement.getparent()
    act = concern.getparent() if concern is not None and concern.tag == "entryRelationship" else None
    clinical = _clinical(statement, act, end)
    recorded = time_at(found_at(statement, "author/time")) or time_at(found_at(act, "author/time")) or gathering.made
    recorder = who(statement, gathering, place) or gathering.author
    body: Json = {
        "code": code,
        "clinicalStatus": {"coding": [{"code": clinical}]},
        "verificationStatus": {"coding": [{"code": "refuted" if negated(statement) else "confirmed"}]},
        "category": [{"coding": [{"code": _category(gathering.section, act)}]}],
        "bodySite": [site] if (site := concept(statement.find("targetSiteCode"))) else None,
        "onsetDateTime": onset,
        "abatementDateTime": end,
        "recordedDate": recorded,
        "recorder": {"reference": recorder} if recorder else None,
        "note": note_of(statement, gathering),
    }
    gathering.fact("Condition", key_at(statement, gathering, place), body, place)
    return True


def _clinical(statement: _Element, act: _Element | None, end: str) -> str:
    for one in within(statement, "6"):
        told_status = _RESOLVED.get(told(one.find("value"), "code"))
        if told_status:
            return told_status
    if end:
        return "resolved"
    return (
        "inactive"
        if told(found_at(act, "statusCode"), "code") in ("completed", "aborted") and _concern(act)
        else "active"
    )


def _concern(act: _Element | None) -> bool:
    return act is not None and any(told(one, "root") == _CCDA + "3" for one in act.findall("templateId"))


def _category(section: str, act: _Element | None) -> str:
    visits = act is not None and any(told(one, "root") == _CCDA + "80" for one in act.findall("templateId"))
    diagnoses = section in ("29548-5", "11535-2", "46241-6", "42347-5", "10219-4", "10218-6", "46240-8")
    return "encounter-diagnosis" if visits or diagnoses else "problem-list-item"


def read_allergy(statement: _Element, gathering: Gathering, place: str) -> bool:
    """An allergy or intolerance: the substance is the participant; "no known allergy" is a refuted one."""
    entity = statement.find("participant/participantRole/playingEntity")
    code = concept(found_at(entity, "code"), gathering.words)
    name = text_of(found_at(entity, "name")) or text_of(found_at(entity, "desc"))
    if code is None and name:
        code = {"text": name}
    kind = concept(statement.find("value"), gathering.words)
    if code is None:
        code = kind
    if code is None:
        return False
    onset, end = span(statement.find("effectiveTime"))
    sort, category = _ALLERGY_KINDS.get(told(statement.find("value"), "code"), ("", ""))
    recorded = time_at(statement.find("author/time")) or gathering.made
    body: Json = {
        "code": code,
        "type": sort,
        "category": [category] if category else None,
        "clinicalStatus": {"coding": [{"code": "resolved" if end else "active"}]},
        "verificationStatus": {"coding": [{"code": "refuted" if negated(statement) else "confirmed"}]},
        "criticality": next(
            (_CRITICALITY.get(told(one.find("value"), "code"), "") for one in within(statement, "145")), ""
        ),
        "onsetDateTime": onset,
        "recordedDate": recorded,
        "reaction": _reactions(statement, gathering),
        "note": note_of(statement, gathering),
    }
    gathering.fact("AllergyIntolerance", key_at(statement, gathering, place), body, place)
    return True


def _reactions(statement: _Element, gathering: Gathering) -> list[Json] | None:
    found = []
    general = next((told(one.find("value"), "code") for one in within(statement, "8")), "")
    for one in within(statement, "9"):
        manifestation = concept(one.find("value"), gathering.words)
        severity = next((told(each.find("value"), "code") for each in within(one, "8")), general)
        if manifestation:
            found.append({"manifestation": [manifestation], "severity": _SEVERITY.get(severity)})
    if not found and general in _SEVERITY:
        found.append({"severity": _SEVERITY[general]})
    return [{name: value for name, value in one.items() if value} for one in found] or None


def read_procedure(statement: _Element, gathering: Gathering, place: str) -> bool:
    """A Procedure; ``negationInd`` says that it was not done."""
    code = concept(statement.find("code"), gathering.words)
    if code is None and (text := referred(statement.find("text"), gathering.words)):
        code = {"text": text}
    if code is None:
        return False
    start, end = span(statement.find("effectiveTime"))
    status = "not-done" if negated(statement) else _DONE.get(told(statement.find("statusCode"), "code"), "completed")
    performer = who(statement, gathering, place)
    body: Json = {
        "code": code,
        "status": status,
        "bodySite": [site] if (site := concept(statement.find("targetSiteCode"))) else None,
        "performer": [{"actor": {"reference": performer}}] if performer else None,
        "note": note_of(statement, gathering),
    }
    if end and end != start:
        body["performedPeriod"] = {name: text for name, text in (("start", start), ("end", end)) if text}
    elif start:
        body["performedDateTime"] = start
    gathering.fact("Procedure", key_at(statement, gathering, place), body, place)
    return True


_V3_CLASSES = frozenset(("AMB", "IMP", "EMER", "HH", "VR", "ACUTE", "NONAC", "SS", "OBSENC", "FLD", "PRENC"))


def read_encounter_entry(statement: _Element, gathering: Gathering, place: str) -> bool:
    """An Encounter of the section of encounters."""
    start, end = span(statement.find("effectiveTime"))
    kind = statement.find("code")
    code = concept(kind, gathering.words)
    if not start and code is None:
        return False
    codes = [told(one, "code") for one in ([] if kind is None else [kind, *kind.findall("translation")])]
    sort = next((one for one in codes if one in _V3_CLASSES), "")
    body: Json = {
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": sort} if sort else None,
        "type": [code] if code else None,
        "period": {name: text for name, text in (("start", start), ("end", end)) if text} or None,
    }
    ids = [one for each in statement.findall("id") if (one := identifier(each))[1]]
    if ids:
        body["identifier"] = [{"system": system_uri(ids[0][0]), "value": ids[0][1]}]
    gathering.fact("Encounter", key_at(statement, gathering, place), body, place)
    return True


def read_report(statement: _Element, gathering: Gathering, place: str) -> bool:
    """A DiagnosticReport of a results organizer; other organizers make no row of their own."""
    code = concept(statement.find("code"), gathering.words)
    battery = any(told(one, "root") == _CCDA + "1" for one in statement.findall("templateId"))
    if code is None or not (battery or gathering.section == "30954-2"):
        return False
    start, _ = span(statement.find("effectiveTime"))
    if not start:
        start = next((text for one in statement.iter("effectiveTime") if (text := time_at(one))), "")
    status = _STATUS.get(told(statement.find("statusCode"), "code"), "final")
    laboratory = [{"coding": [{"code": "LAB"}]}]
    body: Json = {"code": code, "status": status, "effectiveDateTime": start, "category": laboratory}
    gathering.fact("DiagnosticReport", key_at(statement, gathering, place), body, place)
    return True
