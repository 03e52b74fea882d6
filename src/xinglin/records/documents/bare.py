"""Documents that come alone: PDF, RTF, Word, scans. Whose they are, only the source's mapping can tell."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

import msgspec

from xinglin.records.documents.bounds import SEARCHED_CHARS
from xinglin.records.documents.extract import DAMAGED, DOCX, ENCRYPTED, IMAGES, PDF, RTF, Extracted, extract_text
from xinglin.records.documents.extract import known_type as known
from xinglin.records.documents.filling import Filling, MapResources, told_of
from xinglin.records.documents.options import Options, Patterns, compiled, options_of
from xinglin.records.model import Read, ReadContext, Resource, Unread

NO_PATIENT, TWO_PATIENTS, NO_TEXT = "documents.no_patient", "documents.two_patients", "documents.no_text"
PLACE = "document"
_WORDS = {
    NO_PATIENT: "The document does not say whose it is: the source's [documents] table has to.",
    TWO_PATIENTS: "The document holds the numbers of two patients.",
    NO_TEXT: "The document is a scan without text; the source's [documents] table names no patient for it.",
    ENCRYPTED: "The document is encrypted.",
    DAMAGED: "The document is damaged.",
}
_DAY = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})")


class DocumentReader:
    """One document an object (a ``records.model.Reader``): a ``document`` row, and a ``note`` row with its text.

    The patient is, in this order, the one that ``[documents]`` names for the document's digest, the only one for
    all, or the number that its patterns find in the text. Else the document is unread, and replayed once the mapping
    says more.
    """

    media_types: tuple[str, ...] = (PDF, RTF, "text/rtf", DOCX, *IMAGES)

    def __init__(self, map_resources: MapResources | None = None) -> None:
        self._map = map_resources

    def read(self, body: bytes, context: ReadContext) -> Iterator[Read]:
        """One part. Raises ``BadOptions``."""
        options = options_of(context.mapping)
        media_type = known("", body) or (DOCX if body.startswith(b"PK") else "")
        found = extract_text(media_type, body)
        digest = hashlib.sha256(body).hexdigest()
        patient, code = whose(options, digest, found)
        if not patient:
            yield Read(1, unread=(Unread(PLACE, code, _WORDS[code]),))
            return
        filling = Filling(self._map)
        resource = _reference(options, digest, patient, found)
        filling.add(Resource(resource, PLACE), told_of(body, media_type, found), found.flags)
        yield Read(1, mapped=filling.mapped(), accepted=1)


def whose(options: Options, digest: str, found: Extracted) -> tuple[str, str]:
    """The patient's key, or the code of why there is none."""
    named = options.patients.get(digest) or options.patient
    if named:
        return named, ""
    numbers = numbers_in(found.text, options.patient_pattern)
    if len(numbers) == 1:
        return options.patient_key.format(numbers[0]), ""
    if numbers:
        return "", TWO_PATIENTS
    for code in (ENCRYPTED, DAMAGED):
        if code in found.flags and not found.text_found:
            return "", code
    return "", NO_PATIENT if found.text_found else NO_TEXT


def numbers_in(text: str, patterns: Patterns) -> tuple[str, ...]:
    """The different numbers that the patterns find in the beginning and the end of a text."""
    half = SEARCHED_CHARS.value // 2
    searched = text if len(text) <= 2 * half else f"{text[:half]}\n{text[-half:]}"
    found = (match[1] for pattern in compiled(patterns) for match in pattern.finditer(searched))
    return tuple(dict.fromkeys(number.strip() for number in found if number and number.strip()))


def _reference(options: Options, digest: str, patient: str, found: Extracted) -> dict[str, object]:
    """The document as FHIR says it."""
    body: dict[str, object] = {
        "resourceType": "DocumentReference",
        "id": f"d-{digest[:32]}",
        "status": "current",
        "subject": {"reference": patient},
        "content": [{"attachment": {}}],
    }
    visits = numbers_in(found.text, options.encounter_pattern)
    if len(visits) == 1:
        body["context"] = {"encounter": [{"reference": options.encounter_key.format(visits[0])}]}
    days = numbers_in(found.text, options.created_pattern)
    if days and (day := _DAY.search(days[0])):
        body["date"] = f"{day[1]}-{int(day[2]):02d}-{int(day[3]):02d}"
    if options.type or options.type_text:
        coding = {"system": options.type_system, "code": options.type} if options.type else {}
        body["type"] = {"coding": [coding], "text": options.type_text} if coding else {"text": options.type_text}
    return body


def wrap_document(document: bytes, media_type: str, patient: str, *, encounter: str = "", title: str = "") -> bytes:
    """A FHIR DocumentReference around a document, for what knows whose it is: a folder's names, a manifest.

    ``patient`` and ``encounter`` are keys (``Patient/12``). The bytes are ``application/fhir+json``.
    """
    import base64

    data = base64.b64encode(document).decode("ascii")
    body: dict[str, object] = {
        "resourceType": "DocumentReference",
        "id": f"d-{hashlib.sha256(document).hexdigest()[:32]}",
        "status": "current",
        "subject": {"reference": patient},
        "content": [{"attachment": {"contentType": media_type, "title": title or None, "data": data}}],
    }
    if encounter:
        body["context"] = {"encounter": [{"reference": encounter}]}
    if not title:
        body["content"] = [{"attachment": {"contentType": media_type, "data": data}}]
    return msgspec.json.encode(body)
