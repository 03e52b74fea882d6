"""A CDA's header: patient, encounter, author, custodian; C-CDA and WS/T 500."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xinglin.records.documents.cda.gathering import Gathering, Json
from xinglin.records.documents.cda.systems import (
    CLASSES_CN,
    DEPARTMENT,
    HEALTH_CARD,
    IDENTITY,
    INPATIENT,
    NOT_A_PERSON,
    PERSON_TYPES,
    RECORD,
    SEX,
    SEX_CN,
    VISIT_ROOTS,
    WARD,
    system_uri,
)
from xinglin.records.documents.cda.values import (
    address,
    concept,
    found_at,
    human_name,
    identifier,
    key_of,
    moment,
    span,
    telecom,
    text_of,
    told,
)
from xinglin.records.v2maps.keys import hashed
from xinglin.records.v2maps.options import GB_SEX

if TYPE_CHECKING:
    from lxml.etree import _Element

Ids = list[tuple[str, str]]
_LAST = {HEALTH_CARD: 8, IDENTITY: 9}
_FIRST = (RECORD, INPATIENT, *VISIT_ROOTS[1:])
_ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"


def person_ids(role: _Element | None) -> Ids:
    """Roots and extensions of the patient's identifiers that are given."""
    if role is None:
        return []
    elements = [*role.findall("id"), *role.findall("patient/id")]
    found = (identifier(one) for one in elements)
    return [(root, extension) for root, extension in found if extension and root not in NOT_A_PERSON]


def chosen(ids: Ids, preferred: tuple[str, ...]) -> tuple[str, str]:
    """The identifier that the patient's key is made of: as the source prefers, the hospital's own, the state's last."""
    order = {root: place for place, root in enumerate((*preferred, *_FIRST))}

    def rank(one: tuple[str, str]) -> tuple[int, int]:
        root = one[0]
        if root in preferred:
            return 0, order[root]
        return _LAST.get(root, 7 if root in PERSON_TYPES else 1), order.get(root, len(order))

    return min(ids, key=rank) if ids else ("", "")


def person_key(root: str, extension: str) -> str:
    """The id of a patient; numbers of the state and of insurers are hashed."""
    kind = PERSON_TYPES.get(root)
    return hashed(root, extension, kind) if kind else key_of(root, extension)


def read_patient(role: _Element, ids: Ids, key: tuple[str, str], gathering: Gathering) -> None:
    """The Patient, and the organisation that keeps the record."""
    person = role.find("patient")
    body: Json = {"identifier": [_numbered(one, one == key) for one in ids]}
    if person is not None:
        names = [name for each in person.findall("name") if (name := human_name(each))]
        sex = found_at(person, "administrativeGenderCode")
        body |= {
            "name": names or None,
            "gender": _sex(sex),
            "birthDate": moment(told(person.find("birthTime"), "value"))[:10],
            "maritalStatus": concept(person.find("maritalStatusCode")),
        }
        body["extension"] = _extensions(person) or None
        language = told(person.find("languageCommunication/languageCode"), "code")
        if language:
            body["communication"] = [{"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": language}]}}]
        if told(person.find("sdtc-deceasedInd"), "value") == "true":
            at = moment(told(person.find("sdtc-deceasedTime"), "value"))
            body |= {"deceasedDateTime": at} if at else {"deceasedBoolean": True}
    body["address"] = [made for each in role.findall("addr") if (made := address(each))] or None
    body["telecom"] = telecom(role.findall("telecom")) or None
    keeper = read_organization(role.find("providerOrganization"), gathering, "recordTarget/providerOrganization")
    if keeper:
        body["managingOrganization"] = {"reference": keeper}
    gathering.patient = gathering.add("Patient", person_key(*key), body, "recordTarget")


def _numbered(one: tuple[str, str], own: bool) -> Json:
    root, extension = one
    made: Json = {"system": system_uri(root), "value": extension}
    kind = PERSON_TYPES.get(root) or ("MR" if own else "")
    if kind:
        made["type"] = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": kind}]}
    return made


def _sex(element: _Element | None) -> str:
    code = told(element, "code")
    if element is not None and (element.get("codeSystem") == SEX_CN or code.isdigit()):
        return "unknown" if code == "9" else GB_SEX.get(code, "")
    return SEX.get(code, "unknown" if element is not None and element.get("nullFlavor") else "")


_US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"


def _extensions(person: _Element) -> list[Json]:
    """Race and ethnic group as the US core profile says them, which the views read."""
    found = []
    for tag, name in (("raceCode", "race"), ("ethnicGroupCode", "ethnicity")):
        made = concept(person.find(tag))
        codings = (made or {}).get("coding")
        if codings:
            inner = [{"url": "ombCategory", "valueCoding": codings[0]}]
            found.append({"url": _US_CORE + name, "extension": inner})
    return found


def read_organization(element: _Element | None, gathering: Gathering, place: str, part_of: str = "") -> str:
    """An Organization's reference; empty where it has neither number nor name."""
    if element is None:
        return ""
    ids = [one for each in element.findall("id") if any(one := identifier(each))]
    name = " ".join(text for each in element.findall("name") if (text := text_of(each)))
    if not ids and not name:
        return ""
    root, extension = ids[0] if ids else ("", "")
    key = key_of(root, extension) if ids else hashed("name", name)
    body: Json = {
        "name": name,
        "identifier": [{"system": system_uri(root), "value": extension or root} for root, extension in ids] or None,
        "address": [made for each in element.findall("addr") if (made := address(each))] or None,
        "partOf": {"reference": part_of} if part_of else None,
    }
    return gathering.add("Organization", key, body, place)


def read_staff(element: _Element | None, gathering: Gathering, place: str) -> str:
    """A Practitioner of an assigned author or entity; empty where nobody is named."""
    if element is None:
        return ""
    ids = [one for each in element.findall("id") if (one := identifier(each))[1]]
    person = element.find("assignedPerson")
    names = [name for each in ([] if person is None else person.findall("name")) if (name := human_name(each))]
    if not ids and not names:
        return ""
    key = key_of(*ids[0]) if ids else hashed("Practitioner", gathering.document, place)
    role = concept(element.find("code"))
    body: Json = {
        "identifier": [{"system": system_uri(root), "value": extension} for root, extension in ids] or None,
        "name": names or None,
        "qualification": [{"code": role}] if role else None,
    }
    return gathering.add("Practitioner", key, body, place)


def read_encounter(root: _Element, ids: Ids, gathering: Gathering) -> None:
    """The encompassing encounter; without a number of its own, the number of the stay stands for it."""
    event = root.find("componentOf/encompassingEncounter")
    if event is None:
        return
    numbers = [one for each in event.findall("id") if any(one := identifier(each))]
    numbers += [one for kind in VISIT_ROOTS for one in ids if one[0] == kind]
    start, end = span(event.find("effectiveTime"))
    if not numbers or not (start or event.find("id") is not None):
        return
    number = numbers[0]
    kind = event.find("code")
    body: Json = {
        "identifier": [{"system": system_uri(number[0]), "value": number[1] or number[0]}],
        "status": "finished" if end else "in-progress" if gathering_is_open(kind) else "unknown",
        "class": _class(kind, number[0]),
        "type": [made] if (made := concept(kind)) else None,
        "period": {name: text for name, text in (("start", start), ("end", end)) if text} or None,
        "hospitalization": _disposition(event),
    }
    hospital, ward = _places(event, gathering)
    if hospital:
        body["serviceProvider"] = {"reference": hospital}
    if ward:
        body["location"] = [{"location": {"reference": ward}}]
    attending = _attending(event, gathering)
    if attending:
        body["participant"] = [{"type": [{"coding": [{"code": "ATND"}]}], "individual": {"reference": attending}}]
    gathering.encounter = gathering.fact("Encounter", key_of(*number), body, "componentOf")


def gathering_is_open(kind: _Element | None) -> bool:
    """Whether an encounter without an end goes on: an in-patient's does."""
    return told(kind, "code") in ("IMP", "ACUTE", "NONAC", "3")


def _class(kind: _Element | None, root: str) -> Json:
    code = told(kind, "code")
    system = kind.get("codeSystem", "") if kind is not None else ""
    if system == "2.16.840.1.113883.5.4" and code:
        return {"system": _ACT_CODE, "code": code}
    stays = "IMP" if root == INPATIENT else "EMER" if root == VISIT_ROOTS[1] else ""
    known = CLASSES_CN.get(code, "") if system.startswith("2.16.156.") else ""
    return {"system": _ACT_CODE, "code": known or stays or "AMB"}


def _disposition(event: _Element) -> Json | None:
    made = concept(event.find("dischargeDispositionCode"))
    return {"dischargeDisposition": made} if made else None


def _attending(event: _Element, gathering: Gathering) -> str:
    """Who was responsible, else the first who attended."""
    party = found_at(event, "responsibleParty/assignedEntity")
    if party is None:
        attending = [one for one in event.findall("encounterParticipant") if one.get("typeCode") == "ATND"]
        party = found_at(attending[0], "assignedEntity") if attending else None
    return read_staff(party, gathering, "componentOf/attending")


def _places(event: _Element, gathering: Gathering) -> tuple[str, str]:
    """The department, or else the organisation, that serves; and the ward or place."""
    facility = event.find("location/healthCareFacility")
    if facility is None:
        return "", ""
    chain: list[_Element] = []
    level = facility.find("serviceProviderOrganization")
    while level is not None and len(chain) < 8:
        chain.append(level)
        level = level.find("asOrganizationPartOf/wholeOrganization")
    by_root = {root: one for one in chain if (root := identifier(one.find("id"))[0])}
    whole = read_organization(chain[-1], gathering, "componentOf/organization") if chain else ""
    department = by_root.get(DEPARTMENT)
    provider = whole
    if department is not None and department is not chain[-1]:
        provider = read_organization(department, gathering, "componentOf/department", whole) or whole
    return provider, _ward(facility, by_root.get(WARD), whole, gathering)


def _ward(facility: _Element, ward: _Element | None, whole: str, gathering: Gathering) -> str:
    place = facility.find("location") if ward is None else ward
    name = text_of(found_at(place, "name"))
    number = identifier(ward.find("id") if ward is not None else facility.find("id"))
    if not name and not number[1]:
        return ""
    key = key_of(*number) if any(number) else hashed("Location", name)
    body: Json = {"name": name, "managingOrganization": {"reference": whole} if whole else None}
    if number[1]:
        body["identifier"] = [{"system": system_uri(number[0]), "value": number[1]}]
    return gathering.add("Location", key, body, "componentOf/location")
