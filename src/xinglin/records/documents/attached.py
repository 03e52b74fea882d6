"""Documents inside other records: FHIR attachments and Binaries, HL7 v2 MDM and ED. Their text becomes a note's body.

``WithTexts`` goes around a reader of resources: a DocumentReference, DiagnosticReport or result with inline data, or
with the address of a Binary of the same object, is mapped here, with the text of its documents. The narrative of a
Composition's sections becomes plain text. All others pass by.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Any

import msgspec

from xinglin.records.documents.bounds import ATTACHMENTS, HELD_BYTES
from xinglin.records.documents.extract import UNKNOWN_TYPE, Extracted, extract_text, known_type
from xinglin.records.documents.filling import Filling, MapResources, told_of
from xinglin.records.documents.plain import html_text
from xinglin.records.model import Flag, Read, ReadContext, Reader, Resource

BAD_BASE64 = "documents.bad_base64"
CARRIERS = frozenset(("DocumentReference", "DiagnosticReport", "Observation"))
_LOOKED_AT = frozenset(("DocumentReference", "DiagnosticReport", "Binary", "Composition"))
TEXT_BREAK = "\n\n"


class WithTexts:
    """A reader that also reads the documents in what another reader gives."""

    def __init__(self, inner: Reader, map_resources: MapResources | None = None) -> None:
        self._inner, self._map = inner, map_resources
        self.media_types = inner.media_types

    def read(self, body: bytes, context: ReadContext) -> Iterator[Read]:
        """The inner reader's parts; documents that wait for a Binary come last. Raises what the inner one raises."""
        binaries: dict[str, tuple[str, Any]] = {}
        waiting: list[tuple[Resource, list[Any]]] = []
        held = 0
        for part in self._inner.read(body, context):
            if not _carries(part):
                yield part
                continue
            for one in part.resources:
                if one.body.get("resourceType") == "Binary" and isinstance(one.body.get("data"), str):
                    held += len(one.body["data"])
                    if held <= HELD_BYTES.value:
                        binaries[f"Binary/{one.body.get('id')}"] = (
                            _text(one.body.get("contentType")),
                            one.body["data"],
                        )
            ready, late, rest = _sorted(part.resources, binaries)
            waiting += late
            yield _part(part, rest, ready, self._filling(), binaries, len(late))
        if waiting:
            filling = self._filling()
            for resource, attachments in waiting:
                _fill(filling, resource, attachments, binaries)
            yield Read(len(waiting), mapped=filling.mapped(), accepted=len(waiting))

    def _filling(self) -> Filling:
        return Filling(self._map)


def _plain_sections(composition: dict[str, Any]) -> None:
    """The narrative of a Composition's sections as text in place of XHTML, where it is any."""
    waiting: list[Any] = [composition]
    while waiting:
        sections = waiting.pop().get("section")
        for section in sections if isinstance(sections, list) else ():
            if not isinstance(section, dict):
                continue
            waiting.append(section)
            text = section.get("text")
            if isinstance(text, dict) and isinstance(text.get("div"), str) and "<" in text["div"]:
                section["text"] = text | {"div": html_text(text["div"].encode("utf-8", "replace")).text}


def _carries(part: Read) -> bool:
    for one in part.resources:
        kind = one.body.get("resourceType")
        if kind in _LOOKED_AT or (kind == "Observation" and "extension" in one.body):
            return True
    return False


_Carrier = tuple[Resource, list[Any]]


def _sorted(
    resources: tuple[Resource, ...], binaries: dict[str, tuple[str, Any]]
) -> tuple[list[_Carrier], list[_Carrier], list[Resource]]:
    """Those whose documents are here, those that name a Binary that is not here yet, and all others."""
    ready, late, rest = [], [], []
    for one in resources:
        kind = one.body.get("resourceType")
        if kind == "Composition":
            _plain_sections(one.body)
        attachments = _attachments(one.body) if kind in CARRIERS else []
        if not attachments:
            rest.append(one)
            continue
        inline = any(isinstance(each.get("data"), str) for each in attachments)
        names = [key for each in attachments if (key := _binary_key(each.get("url")))]
        if inline or any(name in binaries for name in names):
            ready.append((one, attachments))
        elif names:
            late.append((one, attachments))
        else:
            rest.append(one)
    return ready, late, rest


def _part(
    part: Read,
    rest: list[Resource],
    ready: list[_Carrier],
    filling: Filling,
    binaries: dict[str, tuple[str, Any]],
    late: int,
) -> Read:
    for resource, attachments in ready:
        _fill(filling, resource, attachments, binaries)
    return msgspec.structs.replace(
        part,
        received=part.received - late,
        resources=tuple(rest),
        mapped=(*part.mapped, *filling.mapped()),
        accepted=part.accepted + len(ready),
    )


def _attachments(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The attachments of a carrier, in order."""
    kind = body.get("resourceType")
    if kind == "DiagnosticReport":
        given = body.get("presentedForm")
        found = given if isinstance(given, list) else []
    elif kind == "Observation":  # an HL7 v2 result of type ED
        given = body.get("extension")
        if given is None:
            return []
        found = (
            [one.get("valueAttachment") for one in given if isinstance(one, dict)] if isinstance(given, list) else []
        )
    else:
        content = body.get("content")
        found = [one.get("attachment") for one in content if isinstance(one, dict)] if isinstance(content, list) else []
    return [one for one in found if isinstance(one, dict)][: ATTACHMENTS.value]


def _binary_key(url: Any) -> str:
    """``Binary/12`` of an address that ends so."""
    if not isinstance(url, str):
        return ""
    parts = url.partition("/_history")[0].rsplit("/", 2)
    return "/".join(parts[-2:]) if len(parts) >= 2 and parts[-2] == "Binary" else ""


def _fill(filling: Filling, resource: Resource, attachments: list[Any], binaries: dict[str, tuple[str, Any]]) -> None:
    """The rows of a carrier with the texts of its documents."""
    documents = [one for each in attachments if (one := _document(each, binaries)) is not None]
    flags = tuple(dict.fromkeys(flag for _, _, found in documents for flag in found.flags))
    if resource.body.get("resourceType") != "DocumentReference":
        _report(filling, resource, documents)
        return
    if not documents:
        filling.add(resource, {}, flags)
        return
    data, media_type, first = documents[0]
    text = TEXT_BREAK.join(found.text for _, _, found in documents if found.text_found)
    pages = sum(found.pages or 0 for _, _, found in documents) or None
    found = msgspec.structs.replace(first, text=text, pages=pages)
    filling.add(resource, told_of(data, media_type, found), flags)


def _report(filling: Filling, resource: Resource, documents: list[tuple[bytes, str, Extracted]]) -> None:
    """The own row of a report or result by its view, and each document in it as one of its own."""
    filling.add(resource, {})
    body = resource.body
    for number, (data, media_type, found) in enumerate(documents, 1):
        form: dict[str, Any] = {
            "resourceType": "DocumentReference",
            "id": f"{body.get('id')}-form{number}",
            "status": "current",
            "subject": body.get("subject"),
            "type": body.get("code"),
            "date": body.get("issued") or body.get("effectiveDateTime"),
            "context": {"encounter": [body["encounter"]]} if isinstance(body.get("encounter"), dict) else None,
            "content": [{"attachment": {}}],
        }
        form = {name: value for name, value in form.items() if value is not None}
        flags = tuple(Flag(code) for code in found.flags)
        made = Resource(form, resource.place, flags, partial=resource.partial, version_at=resource.version_at)
        filling.add(made, told_of(data, media_type, found))
        filling.accepted -= 1


def _document(attachment: dict[str, Any], binaries: dict[str, tuple[str, Any]]) -> tuple[bytes, str, Extracted] | None:
    """Bytes, media type and text of an attachment; None where its bytes are not here."""
    media_type, data = _text(attachment.get("contentType")), attachment.get("data")
    if not isinstance(data, str):
        held = binaries.get(_binary_key(attachment.get("url")))
        if held is None:
            return None
        media_type, data = media_type or held[0], held[1]
    try:
        decoded = base64.b64decode("".join(data.split()), validate=True)
    except (binascii.Error, ValueError):
        return b"", media_type, Extracted(flags=(BAD_BASE64,))
    kind = known_type(media_type, decoded)
    found = extract_text(media_type, decoded)
    if kind in ("application/xml", "text/xml", "application/hl7-cda+xml", "application/hl7-v3+xml"):
        found = _narrated(decoded)
    return decoded, kind or media_type, found


def _narrated(data: bytes) -> Extracted:
    """The narrative of a CDA; its statements are read where it comes as an object of its own."""
    from xinglin.records.documents.cda.narrative import document_text
    from xinglin.records.documents.errors import BadXml

    try:
        return Extracted(document_text(data))
    except BadXml:
        return Extracted(flags=(UNKNOWN_TYPE,))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
