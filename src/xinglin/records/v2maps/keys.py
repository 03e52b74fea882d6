"""Ids of facts: the same thing gets the same id from every message that speaks of it."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import msgspec

from xinglin.records.v2maps.values import Parts, part

MAX_ID = 64
_SAFE = re.compile(r"[A-Za-z0-9-]+")
_HASHED = "h-"
OWN_TYPES = ("MR", "PI", "PT", "PN", "MRN", "AN", "VN")
"""Identifier types that are the hospital's own, the best first."""
STATE_TYPES = frozenset({"SS", "NI", "NNCHN", "NN", "PPN", "DL", "JHN", "HC", "MC", "MA", "SN", "PPC"})
"""Numbers of the state, of insurers or of travel papers: they never stand in an id in clear."""


def hashed(*parts: str) -> str:
    """An id from any text: 128 bits of SHA-256.

    >>> hashed("Patient", "HIS", "张"), len(hashed(""))
    ('h-5ce9e90c804fa04bd392b4ff9eda57a4', 34)
    """
    text = "\x1f".join(part.replace("\x1f", " ") for part in parts)
    return _HASHED + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def fact_id(authority: str, value: str, *more: str) -> str:
    """``AUTHORITY.VALUE`` where that is a FHIR id, its hash where not; different arguments never meet.

    >>> fact_id("HIS", "00123"), fact_id("", "00123"), fact_id("NIST MPI", "7") == hashed("NIST MPI", "7")
    ('HIS.00123', '00123', True)
    """
    said = (authority, value, *more)
    text = ".".join((value,) if not authority and not more else said)
    safe = all(_SAFE.fullmatch(one) for one in said if one) and (authority or not more)
    return text if safe and len(text) <= MAX_ID and not text.startswith(_HASHED) else hashed(*said)


def authority(parts: Parts, component: int) -> str:
    """Who assigned it: the namespace of an HD, else its universal id."""
    return part(parts, component, 1) or part(parts, component, 2)


def of_cx(parts: Parts) -> str:
    """The id of a CX (PID-3, PV1-19); "" where it holds no number."""
    value, kind = part(parts, 1), part(parts, 5)
    if not value:
        return ""
    issued_by = authority(parts, 4)
    return hashed(issued_by, value, kind) if kind in STATE_TYPES else fact_id(issued_by, value)


def of_ei(parts: Parts) -> str:
    """The id of an EI (ORC-2, OBR-3); "" where it holds no number."""
    value = part(parts, 1)
    return fact_id(part(parts, 2) or part(parts, 3), value) if value else ""


def of_eip(parts: Parts) -> str:
    """The id of an EIP (SPM-2): the filler's, else the placer's."""
    for component in (2, 1):
        if value := part(parts, component, 1):
            return fact_id(part(parts, component, 2) or part(parts, component, 3), value)
    return ""


def best_cx(reps: list[Parts], wanted: str = "") -> Parts | None:
    """The hospital's own number of several: the wanted type, then ``OWN_TYPES``, then any that is no state's."""
    numbered = [parts for parts in reps if part(parts, 1)]
    for kind in (wanted, *OWN_TYPES) if wanted else OWN_TYPES:
        for parts in numbered:
            if part(parts, 5) == kind:
                return parts
    for parts in numbered:
        if part(parts, 5) not in STATE_TYPES:
            return parts
    return numbered[0] if numbered else None


def of_body(kind: str, body: dict[str, Any]) -> str:
    """The id of a resource that was only mentioned: by its first identifier, else by all that is said of it."""
    if kind in ("Practitioner", "Organization", "Device"):
        for one in body.get("identifier", ()):
            if value := one.get("value"):
                return fact_id(str(one.get("system", "")), str(value))
    if kind == "Organization" and body.get("name"):
        return hashed("name", str(body["name"]))
    return hashed(kind, content_of(body))


def content_of(body: dict[str, Any]) -> str:
    """All that a resource says, as one text."""
    return msgspec.json.encode(body, order="deterministic").decode()
