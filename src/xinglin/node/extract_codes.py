"""Codes of whole resources that could tell a person: those of an age, numbers in place of codes, systems of a few.

A coding is a system and a code, and a sender can write anything into either. What has the form of an identifier goes,
and so does a system that too few persons have, unless it is one of the world's. Codes that mean an age or a birth go
with what they are the code of.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from xinglin.node.extract_patients import Resource

TELL_AGE = frozenset(
    (
        "30525-0", "29553-5", "21612-7", "21611-9", "35659-2", "63900-5", "21112-8",
        "397669002", "424144002", "445518008", "184099003", "3950001",
    )
)  # fmt: skip
"""LOINC and SNOMED CT: age (of any kind), date and time of birth. Whatever system the sender names with them."""
STANDARD = frozenset(
    (
        "http://loinc.org", "http://snomed.info/sct", "http://unitsofmeasure.org", "http://id.who.int/icd/release/11/mms",
        "http://www.nlm.nih.gov/research/umls/rxnorm", "http://www.whocc.no/atc", "http://www.ama-assn.org/go/cpt",
        "http://fdasis.nlm.nih.gov", "http://dicom.nema.org/resources/ontology/DCM", "http://www.genenames.org",
        "http://human-phenotype-ontology.org", "http://www.orpha.net", "urn:ietf:bcp:47", "urn:iso:std:iso:3166",
        *(
            f"http://hl7.org/fhir/sid/{name}"
            for name in (
                "icd-9", "icd-9-cm", "icd-10", "icd-10-cm", "icd-10-cn", "icd-10-de", "icd-10-nl", "icd-10-uk",
                "icd-o-3", "icf-nl", "cvx", "mvx", "ndc", "atc", "dsm5",
            )
        ),
    )
)  # fmt: skip
"""Systems that no hospital made: one person alone may have a code of them."""
_HL7 = re.compile(
    r"http://terminology\.hl7\.org/CodeSystem/(?:v[23]-[A-Za-z0-9]{1,40}|[a-z][a-z-]{1,60})"
    r"|urn:oid:2\.16\.840\.1\.113883\.6\.\d{1,4}|http://hl7\.org/fhir/[a-z][a-z-]{1,60}"
)
_RUN = re.compile(r"\d(?:[ -]?\d)*[Xx]?")
_VERSION = re.compile(r"[0-9A-Za-z.]{1,12}|http://snomed\.info/sct/\d{6,18}(?:/version/\d{8})?")
_CODED = ("system", "code", "version", "unit", "display")
_SNOMED = "http://snomed.info/sct"
_CONCEPTS = ("00", "10")


def is_standard(system: str) -> bool:
    """Whether a code system is one of the world's.

    >>> is_standard("http://loinc.org"), is_standard("http://his.local/visit/ZhangSan")
    (True, False)
    """
    return system in STANDARD or _HL7.fullmatch(system) is not None


def tells_age(part: Resource) -> bool:
    """Whether a resource, or a component of one, says how old somebody is or when they were born, by its code."""
    concept = part.get("code")
    codings = concept.get("coding") if isinstance(concept, dict) else None
    return any(str(one.get("code", "")).strip() in TELL_AGE for one in codings or () if isinstance(one, dict))


def without_ages(one: Resource) -> Resource | None:
    """The resource without components that tell an age; ``None`` where it does so itself."""
    if tells_age(one):
        return None
    parts = one.get("component")
    if not isinstance(parts, list):
        return one
    kept = [part for part in parts if not (isinstance(part, dict) and tells_age(part))]
    rest = {name: value for name, value in one.items() if name != "component"}
    return rest | ({"component": kept} if kept else {})


def systems_of_many(resources: Mapping[int, Iterable[Resource]], k: int) -> frozenset[str]:
    """Systems that at least ``k`` persons have in their ``resources``."""
    persons: dict[str, set[int]] = defaultdict(set)
    for person, listed in resources.items():
        for one in listed:
            for system in _systems(one):
                persons[system].add(person)
    return frozenset(system for system, known in persons.items() if len(known) >= k)


def _systems(value: Any) -> Iterable[str]:
    if isinstance(value, list):
        for inner in value:
            yield from _systems(inner)
    elif isinstance(value, dict):
        if isinstance(value.get("system"), str):
            yield value["system"]
        for inner in value.values():
            yield from _systems(inner)


def plainly_coded(value: Any, allowed: frozenset[str]) -> Any:
    """A part of a resource without codings, and units, that could be an identifier; ``None`` where nothing is left.

    ``allowed``: of ``systems_of_many``. A quantity keeps its number.
    """
    if isinstance(value, list):
        return [kept for inner in value if (kept := plainly_coded(inner, allowed)) not in (None, {})] or None
    if not isinstance(value, dict):
        return value
    if "resourceType" not in value and _is_coded(value) and _tells(value, allowed):
        value = {name: inner for name, inner in value.items() if name not in _CODED} if "value" in value else {}
    elif isinstance(value.get("version"), str) and "system" in value and not _VERSION.fullmatch(value["version"]):
        value = {name: inner for name, inner in value.items() if name != "version"}
    kept = {name: plainly_coded(inner, allowed) for name, inner in value.items()}
    return {name: inner for name, inner in kept.items() if inner is not None} or None


def _is_coded(value: dict[str, Any]) -> bool:
    """A coding or a quantity: what has a system, a code or a unit in a word."""
    return any(isinstance(value.get(name), str) for name in ("system", "code", "unit"))


def _tells(coded: dict[str, Any], allowed: frozenset[str]) -> bool:
    system = coded.get("system", "")
    standard = is_standard(str(system))
    if system and not standard and (system not in allowed or _is_number_of_somebody(str(system))):
        return True
    texts = [str(coded[name]) for name in ("code", "unit") if name in coded]
    if system == _SNOMED and len(texts) == 1 and is_snomed(texts[0]):
        return False
    words = texts if not standard else [str(coded["unit"])] if "unit" in coded else []
    return any(map(_is_number_of_somebody, texts)) or any(map(_is_found, words))


def _is_number_of_somebody(text: str) -> bool:
    """Whether a number in it is an identity number, a phone's or a card's by its form."""
    from xinglin.privacy.deidentify.identifiers import (
        is_card,
        is_identity_number,
        is_old_identity_number,
        is_phone,
        looks_like_identity,
    )

    tests = (is_identity_number, is_old_identity_number, looks_like_identity, is_phone, is_card)
    runs = (re.sub("[ -]", "", found.group()).upper() for found in _RUN.finditer(text))
    return any(test(run) for run in runs if len(run) > 8 for test in tests)


def _is_found(text: str) -> bool:
    """Whether the rules of free text find an identifier in a unit, or a code of a system that is not the world's."""
    from xinglin.privacy.deidentify.text import find

    return any(span.kind not in ("age", "organisation") for span in find(text))


def is_snomed(text: str) -> bool:
    """Whether a text is an identifier of SNOMED CT: six to eighteen digits, its partition and its check digit.

    Source: SNOMED CT Technical Implementation Guide, section 6 (Verhoeff's check).

    >>> is_snomed("397669002"), is_snomed("13800138000")
    (True, False)
    """
    if not (6 <= len(text) <= 18 and text.isascii() and text.isdigit() and text[-3:-1] in _CONCEPTS):
        return False
    check = 0
    for place, digit in enumerate(reversed(text)):
        check = _product(check, _turned(int(digit), place))
    return check == 0


def _product(one: int, other: int) -> int:
    """In the dihedral group of ten."""
    if one < 5:
        return (one + other) % 5 if other < 5 else (one + other) % 5 + 5
    return (one - other) % 5 + 5 if other < 5 else (one - other) % 5


def _turned(digit: int, times: int) -> int:
    for _ in range(times % 8):
        digit = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)[digit]
    return digit
