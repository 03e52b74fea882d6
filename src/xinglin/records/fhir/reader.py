"""The FHIR reader: bundles of every type, single resources, bulk files with a resource a line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from xinglin.records.errors import Unreadable
from xinglin.records.fhir.bounds import BUNDLE_BYTES, PART_RESOURCES, READ_RESOURCES, RESOURCE_BYTES
from xinglin.records.fhir.contained import lift_medication
from xinglin.records.fhir.definitions import RELEASES, knows_type, left_types
from xinglin.records.fhir.entries import Found, records_of, refused
from xinglin.records.fhir.findings import check
from xinglin.records.fhir.persons import PERSON_ELEMENT, person_element, person_of
from xinglin.records.fhir.quick import passes
from xinglin.records.fhir.references import References
from xinglin.records.fhir.walk import visit_references
from xinglin.records.model import Flag, Read, ReadContext, Resource, Unread

_BOM = b"\xef\xbb\xbf"
_IGNORED = {
    "OperationOutcome": "an operation's outcome",
    "Parameters": "an operation's parameters",
    "SubscriptionStatus": "a notification's own status",
}
_SHOWN = re.compile(rb"[^ \t\n\r\x0b\x0c]")
_OTHER_SERVER = Flag("fhir.other_server")


class FhirReader:
    """Reads FHIR JSON and NDJSON; which of both it is, the bytes tell.

    ``checked``: resources carry the flags of ``check``. ``bases``: addresses of the source's own server, whose
    absolute references become plain; those of full URLs in a bundle are known without.
    """

    media_types = ("application/fhir+json", "application/fhir+ndjson", "application/x-ndjson", "application/json")

    def __init__(self, *, checked: bool = True, bases: Iterable[str] = ()) -> None:
        self._checked, self._bases = checked, tuple(bases)

    def read(self, body: bytes, context: ReadContext) -> Iterator[Read]:
        """Parts of at most ``PART_RESOURCES`` records. Raises ``Unreadable`` where the whole is no FHIR JSON."""
        if context.release not in RELEASES:
            raise Unreadable("The source's FHIR release is not known.", remedy=f"Name one of {', '.join(RELEASES)}.")
        if body.startswith(_BOM):
            body = body[len(_BOM) :]
        lines = _lines(body)
        if lines is None:
            measured = len(body) > RESOURCE_BYTES.value
            yield from self._parts(list(records_of(_parse_whole(body), "")), context, measured)
            return
        part: list[Found] = []
        for number, line in lines:
            part.extend(_line(line, f"line {number}"))
            if len(part) >= PART_RESOURCES.value:
                yield from self._parts(part, context)
        if part:
            yield from self._parts(part, context)

    def _parts(self, found: list[Found], context: ReadContext, measured: bool = False) -> Iterator[Read]:
        """Parts of all that was found, which is empty afterwards."""
        patients: list[dict[str, Any]] = []
        references = References(self._bases, patients)
        for each in found:
            body = each.body
            if body is None:
                continue
            if body["resourceType"] == "Patient":
                patients.append(body)
            if each.full_url:
                references.add(each.full_url, f"{body['resourceType']}/{body['id']}")
        # What has been given away is let go: a resource is checked and mapped while the processor still holds it near.
        found.reverse()
        for size in _sizes(len(found), PART_RESOURCES.value):
            pieces = _sizes(size, READ_RESOURCES.value)
            for number, piece in enumerate(pieces, 1):
                mine = [found.pop() for _ in range(piece)]
                yield self._part(mine, references, context, measured, goes_on=number < len(pieces))

    def _part(
        self, found: list[Found], references: References, context: ReadContext, measured: bool, *, goes_on: bool
    ) -> Read:
        resources: list[Resource] = []
        unread: list[Unread] = []
        ignored: dict[str, int] = {}
        at_once = self._checked and context.release == "R4" and not measured
        for each in found:
            try:
                sound = _sound(each, references) if at_once else None
                if sound is not None:
                    resources.append(sound)
                    continue
                what = self._finish(each, references, context, measured)
            except (RecursionError, orjson.JSONEncodeError):
                what = Unread(each.place, "fhir.too_deep", "A resource is nested too deeply.")
            if type(what) is Resource:
                resources.append(what)
            elif type(what) is Unread:
                unread.append(what)
            else:
                ignored[str(what)] = ignored.get(str(what), 0) + 1
        return Read(len(found), tuple(resources), unread=tuple(unread), ignored=ignored, open=goes_on)

    def _finish(
        self, found: Found, references: References, context: ReadContext, measured: bool
    ) -> Resource | Unread | str:
        body = found.body
        if body is None:
            return found.unread or found.ignored
        kind = body["resourceType"]
        if kind in _IGNORED:
            return _IGNORED[kind]
        if not knows_type(kind, context.release):
            return _strange(found.place, kind, context.release)
        if measured and len(orjson.dumps(body)) > RESOURCE_BYTES.value:
            return _too_large(found.place)
        if found.deleted:
            return Resource(body, found.place, partial=True, version_at=found.version_at)
        element = person_element(kind, context.release)
        person = body.get(element) if element else None
        flags = self._flags(body, person, references, context.release)
        if flags and any(flag.code == "fhir.too_deep" for flag in flags):
            return Unread(found.place, "fhir.too_deep", "A resource is nested too deeply.")
        if element:
            key, why = person_of(person)
            if not key:
                return why if type(why) is str else Unread(found.place, *why)
            if why:
                flags = (*flags, _OTHER_SERVER)
        if "contained" in body:
            lift_medication(body)
        return Resource(body, found.place, flags, version_at=found.version_at)

    def _flags(self, body: dict[str, Any], person: Any, references: References, release: str) -> tuple[Flag, ...]:
        """What the check says, with every reference made plain."""
        if type(person) is dict and "reference" not in person:
            references.name_patient(person)
        # One walk does both, but for releases of which some elements are not looked into.
        if self._checked and release == "R4" and passes(body, release, references):
            return ()
        visit_references(body, references.make_plain, release)
        if type(person) is dict and "reference" not in person:
            references.name_patient(person)
        return check(body, release) if self._checked else ()


def _sound(found: Found, references: References) -> Resource | None:
    """The usual resource: nothing is wrong with it, and its patient is told; None for any other, to be looked at."""
    body = found.body
    if body is None or found.deleted:
        return None
    kind = body["resourceType"]
    element = PERSON_ELEMENT.get(kind)
    if element is None:
        if kind in _IGNORED or not knows_type(kind, "R4"):
            return None
    else:
        person = body.get(element)
        if type(person) is not dict or "reference" not in person:
            return None
    if not passes(body, "R4", references):
        return None
    if element is not None and body[element]["reference"][:8] != "Patient/":
        return None
    if "contained" in body:
        lift_medication(body)
    return Resource(body, found.place, version_at=found.version_at, sound=True)


def _sizes(whole: int, most: int) -> list[int]:
    """Of the pieces of at most ``most``; nothing is one piece, too."""
    return [min(most, whole - start) for start in range(0, max(1, whole), most)]


def _strange(place: str, kind: str, release: str) -> Unread:
    if kind in left_types(release):
        return Unread(place, "fhir.other_release", f"The resource's type is of another release than {release}.")
    return Unread(place, "fhir.unknown_type", f"The resource's type is none of FHIR {release}.")


def _too_large(place: str) -> Unread:
    return Unread(place, "fhir.too_large", f"A resource is larger than {RESOURCE_BYTES.value:,} bytes.")


def _lines(body: bytes) -> Iterator[tuple[int, bytes]] | None:
    """The numbered lines of a bulk file, or None for one JSON document."""
    end = body.find(b"\n")
    first = body[: end if end >= 0 else len(body)].strip()
    if end < 0 or _SHOWN.search(body, end) is None:
        return None if end < 0 or not _is_resource(first) else _split(body)
    if _is_resource(first):
        return _split(body)
    # A damaged or empty first line: a later one that is a resource by itself tells a bulk file from a document.
    if not first or (first.startswith(b"{") and len(first) > 1):
        second = body[end + 1 :].lstrip()[:1]
        if second == b"{" and any(_is_resource(line) for _, line in _some(_split(body))):
            return _split(body)
    return None


def _some(lines: Iterator[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    return (pair for pair, _ in zip(lines, range(64), strict=False))


def _is_resource(line: bytes) -> bool:
    if not (line.startswith(b"{") and line.endswith(b"}")):
        return False
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return type(value) is dict and "resourceType" in value


def _split(body: bytes) -> Iterator[tuple[int, bytes]]:
    start, number, size = 0, 0, len(body)
    while start < size:
        end = body.find(b"\n", start)
        end = size if end < 0 else end
        number += 1
        line = body[start:end].strip()
        if line:
            yield number, line
        start = end + 1


def _line(line: bytes, place: str) -> Iterable[Found]:
    if len(line) > RESOURCE_BYTES.value:
        unread = _too_large(place)
        return [Found(place, unread=unread)]
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return [refused(place, *_why_not_json(line))]
    return records_of(value, place)


def _why_not_json(data: bytes) -> tuple[str, str]:
    try:
        data.decode()
    except UnicodeDecodeError:
        return "fhir.encoding", "The bytes are not UTF-8."
    return "fhir.json", "The bytes are not JSON, or nested too deeply."


def _parse_whole(body: bytes) -> Any:
    if len(body) > BUNDLE_BYTES.value:
        raise Unreadable(f"A FHIR document is larger than {BUNDLE_BYTES.value:,} bytes.", remedy="Send NDJSON.")
    try:
        value: Any = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        why = _why_not_json(body)[1] if body.strip() else "There is nothing in it."
        place = f"line {error.lineno}"
        raise Unreadable("The object is not FHIR JSON.", place=place, why=why) from None
    if type(value) is not dict or type(value.get("resourceType")) is not str:
        raise Unreadable("The object is JSON and no FHIR resource.", why="It has no resourceType.")
    return value
