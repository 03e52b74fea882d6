"""The rows of an extract as FHIR R4: one Patient a person, one Observation a row, with its columns as components.

They hold the same protected values as the table, so what was proved of the table holds of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np

from xinglin.node.extract_columns import PERSON_COLUMN, Columns, plain

NDJSON = "application/fhir+ndjson"
_SYSTEM = "https://w3id.org/xinglin/extract/1/"
_SECURITY = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "PSEUDED"}
_encode = msgspec.json.Encoder().encode


def ndjson_of(columns: Columns, run: str, study: str) -> dict[str, bytes]:
    """Files by FHIR type: ``Patient.ndjson`` and ``Observation.ndjson``; ids follow from the pseudonyms and the run."""
    persons = [str(one) for one in columns[PERSON_COLUMN].tolist()]
    names = [name for name in columns if name != PERSON_COLUMN]
    ids = {person: _id(person) for person in dict.fromkeys(persons)}
    patients = b"".join(_encode(_patient(one)) + b"\n" for one in ids.values())
    values = {name: columns[name].tolist() for name in names}
    lines = []
    for row, person in enumerate(persons):
        components = [_component(study, name, plain(values[name][row])) for name in names]
        lines.append(_encode(_observation(run, row, ids[person], study, components)) + b"\n")
    return {"Patient.ndjson": patients, "Observation.ndjson": b"".join(lines)}


def _id(person: str) -> str:
    return hashlib.sha256(person.encode()).hexdigest()[:32]


def _patient(id_: str) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": id_, "meta": {"security": [_SECURITY]}}


def _observation(run: str, row: int, person: str, study: str, components: list[dict[str, Any]]) -> dict[str, Any]:
    number = hashlib.sha256(f"{run}/{row}".encode()).hexdigest()[:32]
    return {
        "resourceType": "Observation",
        "id": number,
        "meta": {"security": [_SECURITY]},
        "status": "final",
        "code": {"coding": [{"system": _SYSTEM + "row", "code": study}], "text": "row of an extract"},
        "subject": {"reference": f"Patient/{person}"},
        "component": components,
    }


def _component(study: str, name: str, value: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"code": {"coding": [{"system": f"{_SYSTEM}{study}", "code": name}], "text": name}}
    if value is None:
        unknown = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
        return found | {"dataAbsentReason": {"coding": [{"system": unknown, "code": "unknown"}]}}
    if isinstance(value, bool):
        return found | {"valueBoolean": value}
    if isinstance(value, int | float):
        return found | {"valueQuantity": {"value": value}}
    return found | {"valueString": str(value)}


def rows_of(columns: Columns, most: int) -> Iterator[dict[str, Any]]:
    """The first ``most`` rows, as a person looks at them."""
    length = len(next(iter(columns.values()), np.zeros(0)))
    for row in range(min(length, most)):
        yield {name: plain(values[row]) for name, values in columns.items()}
