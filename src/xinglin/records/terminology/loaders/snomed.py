"""SNOMED CT from a release in RF2: concepts, descriptions and is-a relationships of the snapshot."""

from __future__ import annotations

import re

from xinglin.records.terminology.loaders.files import Files, Told, one_file, provenance, some_files, table
from xinglin.records.terminology.model import CodeSystem, Concept, VocabularyFile
from xinglin.records.terminology.systems import SNOMED

WANTED = (
    "sct2_Concept_Snapshot*.txt",
    "sct2_Description_Snapshot*.txt",
    "sct2_Relationship_Snapshot*.txt",
    "der2_cRefset_LanguageSnapshot*.txt",
)
IS_A = "116680003"
FULL_NAME, SYNONYM = "900000000000003001", "900000000000013009"
PREFERRED = "900000000000548007"
LICENCE = "SNOMED CT: the owner's Affiliate Licence"
_TAG = re.compile(r"\s\([^()]*\)\Z")


def load_snomed(files: Files, told: Told) -> VocabularyFile:
    """Every concept, inactive ones marked; displays are the preferred terms, or else the full names without their tag.

    Raises ``BadVocabulary``.
    """
    name, body = one_file(files, WANTED[0])
    names, displays = _names(files)
    parents = _parents(files)
    concepts, newest = [], ""
    for row in table(name, body, ("id", "effectiveTime", "active"), "\t", quoted=False):
        code = row["id"]
        newest = max(newest, row["effectiveTime"])
        inactive = row["active"] != "1"
        designations = tuple(names.get(code, ()))
        concepts.append(Concept(code, displays.get(code, ""), tuple(parents.get(code, ())), designations, (), inactive))
    told_of = provenance(files, told, "SNOMED International", LICENCE)
    system = CodeSystem(SNOMED, told.version or newest, "SNOMED CT", told_of, True, True, len(concepts))
    return VocabularyFile(systems=((system, tuple(concepts)),))


def _names(files: Files) -> tuple[dict[str, list[tuple[str, str]]], dict[str, str]]:
    """Designations and displays by concept."""
    preferred = _preferred(files)
    names: dict[str, list[tuple[str, str]]] = {}
    displays: dict[str, tuple[int, str]] = {}
    needed = ("id", "active", "conceptId", "languageCode", "typeId", "term")
    for name, body in some_files(files, WANTED[1]):
        for row in table(name, body, needed, "\t", quoted=False):
            if row["active"] != "1" or row["typeId"] not in (FULL_NAME, SYNONYM):
                continue
            code, term = row["conceptId"], row["term"]
            names.setdefault(code, []).append((row["languageCode"], term))
            english = row["languageCode"] == "en"
            full = row["typeId"] == FULL_NAME
            rank = (0 if row["id"] in preferred and not full else 1 if full else 2) + (0 if english else 3)
            if code not in displays or rank < displays[code][0]:
                displays[code] = (rank, _TAG.sub("", term) if full else term)
    return names, {code: term for code, (_, term) in displays.items()}


def _preferred(files: Files) -> frozenset[str]:
    found: set[str] = set()
    for name, body in some_files(files, WANTED[3]):
        for row in table(name, body, ("active", "referencedComponentId", "acceptabilityId"), "\t", quoted=False):
            if row["active"] == "1" and row["acceptabilityId"] == PREFERRED:
                found.add(row["referencedComponentId"])
    return frozenset(found)


def _parents(files: Files) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    needed = ("active", "sourceId", "destinationId", "typeId")
    for name, body in some_files(files, WANTED[2]):
        for row in table(name, body, needed, "\t", quoted=False):
            if row["active"] == "1" and row["typeId"] == IS_A:
                found.setdefault(row["sourceId"], []).append(row["destinationId"])
    return found
