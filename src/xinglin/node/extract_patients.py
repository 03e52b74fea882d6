"""Patients of whole resources: the elements by which they could be found, as columns, and back as FHIR.

Every element of a Patient that leaves is one of these columns. A value that k-anonymity took away is left out; a year
of birth that became several is told as a range.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xinglin.node.extract_columns import Columns

BORN = "birthDate"
RANGE = "https://w3id.org/xinglin/extract/1/birth-years"
"""Extension of a Patient: the years between which the person was born, where one year would tell too much."""
_ADDRESS = ("city", "district", "state", "country", "postalCode")
_GONE = "*"
Resource = dict[str, Any]


def columns_of_patients(patients: list[Resource]) -> Columns:
    """The quasi-identifying columns of de-identified Patients; those that nobody has are not among them."""
    found: dict[str, list[Any]] = {"gender": [], "maritalStatus": [], "deceased": [], **{one: [] for one in _ADDRESS}}
    years = np.full(len(patients), np.nan)
    for place, one in enumerate(patients):
        address: Resource = next(iter(one.get("address") or ()), {})
        found["gender"].append(one.get("gender"))
        found["maritalStatus"].append(_code(one.get("maritalStatus")))
        found["deceased"].append({True: "true", False: "false"}.get(one.get("deceasedBoolean", "")))
        for name in _ADDRESS:
            found[name].append(address.get(name))
        text = str(one.get(BORN, ""))[:4]
        years[place] = int(text) if text.isdigit() else np.nan
    columns: Columns = {} if np.isnan(years).all() else {BORN: years}
    for name, values in found.items():
        if any(value is not None for value in values):
            columns[name] = np.array([*(None if v is None else str(v) for v in values), None], dtype=object)[:-1]
    return columns


def patient_of(given: Resource, columns: Columns, row: int, id_: str) -> Resource:
    """The Patient that leaves: an id, a label, and what the anonymous columns show of it; nothing else."""
    shown = {name: _shown(values[row]) for name, values in columns.items()}
    out: Resource = {"resourceType": "Patient", "id": id_, "meta": given.get("meta", {})}
    if shown.get("gender"):
        out["gender"] = shown["gender"]
    out |= _born(shown.get(BORN, ""))
    if shown.get("maritalStatus"):
        system, _, code = shown["maritalStatus"].rpartition("|")
        out["maritalStatus"] = {"coding": [{**({"system": system} if system else {}), "code": code}]}
    if shown.get("deceased"):
        out["deceasedBoolean"] = shown["deceased"] == "true"
    address = {name: shown[name] for name in _ADDRESS if shown.get(name)}
    return out | ({"address": [address]} if address else {})


def _shown(value: Any) -> str:
    """The label of a class, "" where it tells nothing."""
    if value is None or (isinstance(value, float) and np.isnan(value)) or value == _GONE:
        return ""
    return str(value)


def _born(label: str) -> Resource:
    """A year, or the extension that says between which years; nothing where the class mixes missing years in."""
    low, mark, high = label.partition("..")
    if low[:4].isdigit() and not mark:
        return {BORN: low[:4]}
    if not (low[:4].isdigit() and high[:4].isdigit()):
        return {}
    years = {"low": {"value": int(low[:4])}, "high": {"value": int(high[:4])}}
    return {"extension": [{"url": RANGE, "valueRange": years}]}


def _code(concept: Any) -> str | None:
    coding = next(iter((concept or {}).get("coding") or ()), None)
    return f"{coding.get('system', '')}|{coding['code']}" if coding and coding.get("code") else None
