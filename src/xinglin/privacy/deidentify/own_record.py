"""Who a record says that its person is: the dictionary by which free text of the same record is cleaned."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from xinglin.privacy.deidentify.text.model import Known
from xinglin.records.hl7v2.message import Segment

_FIELDS = ("names", "phones", "ids", "addresses", "dates")
Words = dict[str, list[Any]]


def known_of_resource(body: dict[str, Any]) -> Known | None:
    """``text.Known`` of a Patient, or of the Patients of a Bundle or among what is contained; else ``None``."""
    words: Words = {name: [] for name in _FIELDS}
    entries = body.get("entry")
    bodies = [entry.get("resource") for entry in entries if type(entry) is dict] if type(entries) is list else []
    contained = body.get("contained")
    for each in [body, *bodies, *(contained if type(contained) is list else ())]:
        if type(each) is dict and each.get("resourceType") in ("Patient", "RelatedPerson"):
            _add_patient(each, words)
    return _known(words)


def _add_patient(body: dict[str, Any], words: Words) -> None:
    for name in _objects(body.get("name")):
        told = name.get("given")
        given = [part for part in told if type(part) is str] if type(told) is list else []
        family = name.get("family") if type(name.get("family")) is str else ""
        words["names"] += [name.get("text"), f"{' '.join(given)} {family}".strip(), f"{family}{''.join(given)}"]
    words["phones"] += [each.get("value") for each in _objects(body.get("telecom"))]
    words["ids"] += [each.get("value") for each in _objects(body.get("identifier"))]
    for address in _objects(body.get("address")):
        lines = address.get("line")
        words["addresses"] += [address.get("text"), *(lines if type(lines) is list else ())]
    words["dates"].append(body.get("birthDate"))


def _objects(values: Any) -> Iterable[dict[str, Any]]:
    found = values if type(values) is list else [values]
    return [each for each in found if type(each) is dict]


def known_of_pid(pid: Segment) -> Known | None:
    """``text.Known`` of a PID segment."""
    words: Words = {name: [] for name in _FIELDS}
    for field in (5, 6, 9):
        for each in pid.repeats(field):
            family, given = each.sub(1), each.sub(2)
            words["names"] += [f"{given} {family}".strip(), f"{family}{given}"]
    words["phones"] += [each.sub(1) for field in (13, 14) for each in pid.repeats(field)]
    words["ids"] += [each.sub(1) for field in (2, 3, 4, 18, 19, 20) for each in pid.repeats(field)]
    words["addresses"] += [each.sub(1) for each in pid.repeats(11)]
    birth = pid.get(7)[:8]
    words["dates"] += [f"{birth[:4]}-{birth[4:6]}-{birth[6:]}"] if len(birth) == 8 and birth.isdigit() else []
    return _known(words)


def _known(words: Words) -> Known | None:
    told = {name: tuple(dict.fromkeys(filter(_told, found))) for name, found in words.items()}
    return Known(**told) if any(told.values()) else None


def _told(value: Any) -> bool:
    return type(value) is str and bool(value)
