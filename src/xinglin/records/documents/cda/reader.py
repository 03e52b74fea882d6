"""CDA R2 documents as a reader.

1. The XML is parsed as a stranger's. 2. The header says whom it is about, else it is unread. 3. Each section gives
a note, and its entries facts. 4. The document, its notes and what the views do not map are filled here; everything
else goes on as resources, whose version is the document's time.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from xinglin.records.documents.bounds import SECTIONS
from xinglin.records.documents.cda.gathering import Gathering, Json
from xinglin.records.documents.cda.header import (
    chosen,
    person_ids,
    read_encounter,
    read_organization,
    read_patient,
    read_staff,
)
from xinglin.records.documents.cda.narrative import plain_narrative, words_by_id
from xinglin.records.documents.cda.statements import read_entries
from xinglin.records.documents.cda.systems import system_uri
from xinglin.records.documents.cda.values import concept, found_at, identifier, key_of, moment, text_of, told
from xinglin.records.documents.errors import NotClinical
from xinglin.records.documents.extract import Extracted, extract_text
from xinglin.records.documents.filling import Filling, MapResources, told_of
from xinglin.records.documents.options import options_of
from xinglin.records.documents.xml import parse_xml, plain_names
from xinglin.records.model import Mapped, Read, ReadContext, Resource, Unread
from xinglin.records.moments import moment_of

if TYPE_CHECKING:
    from lxml.etree import _Element

MEDIA_TYPE = "application/hl7-cda+xml"
NO_PATIENT, TWO_PATIENTS = "cda.no_patient", "cda.two_patients"
PLACE = "document"
SUMMARY = "34133-9"
"""LOINC: a summary of episodes (the CCD), whose facts are of all times."""
_WORDS = {
    NO_PATIENT: "The document gives no number of its patient.",
    TWO_PATIENTS: "The document is about more than one patient.",
}


class CdaReader:
    """One CDA an object (a ``records.model.Reader``). ``[documents] patient_ids`` prefers roots of identifiers."""

    media_types: tuple[str, ...] = (
        MEDIA_TYPE,
        "application/hl7-v3+xml",
        "application/cda+xml",
        "text/xml",
        "application/xml",
    )

    def __init__(self, map_resources: MapResources | None = None) -> None:
        self._map = map_resources

    def read(self, body: bytes, context: ReadContext) -> Iterator[Read]:
        """One part. Raises ``BadXml``, ``NotClinical`` or ``BadOptions``."""
        options = options_of(context.mapping)
        root = plain_names(parse_xml(body))
        if root.tag != "ClinicalDocument":
            raise NotClinical("The XML is no CDA document.", why="Its root is not ClinicalDocument.")
        roles = root.findall("recordTarget/patientRole")
        ids = person_ids(roles[0]) if roles else []
        if not ids or len(roles) > 1:
            code = TWO_PATIENTS if len(roles) > 1 else NO_PATIENT
            yield Read(1, unread=(Unread("recordTarget", code, _WORDS[code]),))
            return
        filling = Filling(self._map)
        key, replaced = _keys(root, body)
        gathering = Gathering(key, _version(root, context), words_by_id(root), filling)
        gathering.made = moment(told(root.find("effectiveTime"), "value"))
        gathering.summary = told(root.find("code"), "code") == SUMMARY
        read_patient(roles[0], ids, chosen(ids, options.patient_ids), gathering)
        read_encounter(root, ids, gathering)
        author = found_at(root, "author/assignedAuthor")
        gathering.author = read_staff(author, gathering, "author")
        custodian = root.find("custodian/assignedCustodian/representedCustodianOrganization")
        keeper = read_organization(custodian, gathering, "custodian")
        sections = _sections(root, gathering)
        _document(root, body, gathering, keeper, sections)
        if replaced and replaced != key:
            gathering.filling.add_rows(_superseded(replaced, gathering))
        resources = _with_uses(gathering)
        received = len(resources) + filling.accepted + len(gathering.unread) + sum(gathering.ignored.values())
        unread = tuple(gathering.unread)
        yield Read(received, resources, filling.mapped(), filling.accepted, unread, dict(gathering.ignored))


def _keys(root: _Element, body: bytes) -> tuple[str, str]:
    """The document's key (of its set, where it is one of several versions), and that of the one it replaces."""
    own = key_of(*identifier(root.find("setId"))) or key_of(*identifier(root.find("id")))
    replaced = ""
    for related in root.findall("relatedDocument"):
        if related.get("typeCode") == "RPLC":
            parent = related.find("parentDocument")
            replaced = key_of(*identifier(found_at(parent, "setId"))) or key_of(*identifier(found_at(parent, "id")))
    return own or f"d-{hashlib.sha256(body).hexdigest()[:32]}", replaced


def _version(root: _Element, context: ReadContext) -> int:
    made = moment_of(moment(told(root.find("effectiveTime"), "value")) or "-", context.zone)
    return max(made[0], 0) if made else 0


def _sections(root: _Element, gathering: Gathering) -> list[Json]:
    """Sections as FHIR says them, flat, in order; their entries go to the gathering."""
    made: list[Json] = []
    waiting = [(one, f"section[{at}]") for at, one in enumerate(_inner(root.find("component/structuredBody")), 1)]
    if not waiting:
        waiting = [(one, f"section[{at}]") for at, one in enumerate(_inner(root), 1)]
    waiting.reverse()
    while waiting:
        section, place = waiting.pop()
        if len(made) >= SECTIONS.value:
            gathering.ignore("cda: more sections than are read")
            continue
        made.append(_section(section, gathering, place))
        inner = [(one, f"{place}/section[{at}]") for at, one in enumerate(_inner(section), 1)]
        waiting.extend(reversed(inner))
    return made


def _inner(element: _Element | None) -> list[_Element]:
    return [] if element is None else element.findall("component/section")


def _section(section: _Element, gathering: Gathering, place: str) -> Json:
    code = section.find("code")
    gathering.section = told(code, "code")
    before = len(gathering.resources)
    if not section.get("nullFlavor"):
        read_entries(section, gathering, place)
    text = plain_narrative(section.find("text")) or _told_by(gathering.resources[before:])
    title = text_of(section.find("title")) or (code.get("displayName") or "" if code is not None else "")
    made: Json = {"title": title, "text": {"div": text} if text else None, "code": concept(code)}
    return {name: value for name, value in made.items() if value}


def _told_by(resources: list[Resource]) -> str:
    """A text of what the entries say, for documents whose narrative is empty (WS/T 500): ``name: value`` lines."""
    lines = []
    for one in resources:
        body = one.body
        code = body.get("code") or body.get("medicationCodeableConcept") or body.get("vaccineCode") or {}
        name = code.get("text") or next((each.get("display", "") for each in code.get("coding", ())), "")
        value = _value_words(body)
        if name or value:
            lines.append(": ".join(part for part in (name, value) if part))
    return "\n".join(lines)


def _value_words(body: Json) -> str:
    if "valueString" in body:
        return str(body["valueString"])
    if "valueQuantity" in body:
        quantity = body["valueQuantity"]
        return f"{quantity.get('comparator', '')}{quantity['value']} {quantity.get('unit', '')}".strip()
    if "valueBoolean" in body:
        return "+" if body["valueBoolean"] else "-"
    coded = body.get("valueCodeableConcept") or {}
    return coded.get("text") or next((each.get("display") or each["code"] for each in coded.get("coding", ())), "")


def _document(root: _Element, body: bytes, gathering: Gathering, keeper: str, sections: list[Json]) -> None:
    """The document's row and a note for each section; a body that is not XML is read as the document it is."""
    root_oid, extension = identifier(root.find("setId"))
    if not root_oid:
        root_oid, extension = identifier(root.find("id"))
    code = root.find("code")
    title = text_of(root.find("title")) or (code.get("displayName") or "" if code is not None else "")
    found = Extracted()
    unstructured = root.find("component/nonXMLBody/text")
    if unstructured is not None:
        found = _unstructured(unstructured)
        if found.text_found:
            sections = [{"title": title, "text": {"div": found.text}}]
    composition: dict[str, Any] = {
        "resourceType": "Composition",
        "id": gathering.document,
        "status": "final",
        "subject": {"reference": gathering.patient},
        "identifier": {"system": system_uri(root_oid), "value": extension or root_oid} if root_oid else None,
        "type": concept(code),
        "title": title,
        "date": gathering.made,
        "language": told(root.find("languageCode"), "code"),
        "encounter": {"reference": gathering.encounter} if gathering.encounter else None,
        "author": [{"reference": gathering.author}] if gathering.author else None,
        "custodian": {"reference": keeper} if keeper else None,
        "section": sections,
    }
    whole = {name: value for name, value in composition.items() if value}
    told_here = told_of(body, MEDIA_TYPE, found)
    told_here["document"]["text_found"] = any(one.get("text") for one in sections)
    told_here["note"] = {}
    gathering.filling.add(Resource(whole, PLACE, version_at=gathering.version_at), told_here, found.flags)


def _unstructured(element: _Element) -> Extracted:
    """``nonXMLBody``: text as it is, or a document in Base64."""
    media_type = told(element, "mediaType") or "text/plain"
    words = "".join(element.itertext())
    if element.get("representation") != "B64":
        return extract_text(media_type, words.encode()) if words.strip() else Extracted()
    try:
        return extract_text(media_type, base64.b64decode("".join(words.split()), validate=True))
    except (binascii.Error, ValueError):
        return Extracted(flags=("documents.bad_base64",))


def _superseded(key: str, gathering: Gathering) -> Mapped:
    """The document that this one replaces: only its status is told."""
    columns = ("id", "patient", "status", "version_at", "partial", "place")
    row = (f"Composition/{key}", gathering.patient, "superseded", gathering.version_at or None, True, "relatedDocument")
    return Mapped("document", columns, [row])


def _with_uses(gathering: Gathering) -> tuple[Resource, ...]:
    """Resources that go on; diagnoses whose role is known are mapped here, since FHIR keeps it elsewhere."""
    rest = []
    for one in gathering.resources:
        use = gathering.uses.get(one.body["id"]) if one.body["resourceType"] == "Condition" else None
        if use:
            gathering.filling.add(one, {"condition": {"use": use}})
        else:
            rest.append(one)
    return tuple(rest)
