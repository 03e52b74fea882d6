"""LOINC from Regenstrief's archive: ``Loinc.csv`` and the linguistic variants beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from xinglin.records.terminology.loaders.files import Files, Told, one_file, provenance, some_files, table
from xinglin.records.terminology.model import CodeSystem, Concept, VocabularyFile
from xinglin.records.terminology.systems import LOINC

WANTED = ("Loinc.csv", "*LinguisticVariant.csv")
LICENCE = "LOINC License: This material contains content from LOINC (http://loinc.org), © Regenstrief Institute, Inc."
_VARIANT = re.compile(r"([a-z]{2})([A-Z]{2})\d+LinguisticVariant\.csv\Z")
_AXES = ("COMPONENT", "PROPERTY", "TIME_ASPCT", "SYSTEM", "SCALE_TYP", "METHOD_TYP")
_PROPERTIES = (*_AXES, "CLASS", "CLASSTYPE", "STATUS", "EXAMPLE_UCUM_UNITS", "COMMON_TEST_RANK")
_GIVEN_UP = {"DEPRECATED"}
RELATED = 40
"""Related names of one code that are kept in each language."""


def load_loinc(files: Files, told: Told) -> VocabularyFile:
    """LOINC's terms; every linguistic variant in ``files`` adds names. Raises ``BadVocabulary``."""
    name, body = one_file(files, "Loinc.csv", "LoincTableCore.csv")
    variants = _variants(files)
    concepts, newest = [], ""
    for row in table(name, body, ("LOINC_NUM", "COMPONENT", "LONG_COMMON_NAME")):
        code = row["LOINC_NUM"].strip()
        newest = max(newest, row.get("VersionLastChanged", ""), key=_ordered)
        properties = tuple((key, row[key]) for key in _PROPERTIES if row.get(key))
        names = [("en", row[key]) for key in ("SHORTNAME", "DisplayName", "COMPONENT") if row.get(key)]
        names += [("en", text) for text in _listed(row.get("RELATEDNAMES2", ""))]
        names += variants.get(code, [])
        inactive = row.get("STATUS", "") in _GIVEN_UP
        display = row["LONG_COMMON_NAME"] or row["COMPONENT"]
        concepts.append(Concept(code, display, (), tuple(dict.fromkeys(names)), properties, inactive))
    told_of = provenance(files, told, "Regenstrief Institute", LICENCE)
    system = CodeSystem(LOINC, told.version or newest, "LOINC", told_of, False, True, len(concepts))
    return VocabularyFile(systems=((system, tuple(concepts)),))


def _variants(files: Files) -> dict[str, list[tuple[str, str]]]:
    """Names by code, from the variants' files: their language is in the file's name."""
    found: dict[str, list[tuple[str, str]]] = {}
    for name, body in some_files(files, "*LinguisticVariant.csv"):
        match = _VARIANT.search(name)
        language = f"{match.group(1)}-{match.group(2)}" if match else ""
        for row in table(name, body, ("LOINC_NUM",)):
            found.setdefault(row["LOINC_NUM"].strip(), []).extend((language, text) for text in _names(row))
    return found


def _names(row: dict[str, str]) -> Iterator[str]:
    """A variant has no display of its own in some languages: its axes then make the name, as in the standard one."""
    display = row.get("LinguisticVariantDisplayName") or row.get("LONG_COMMON_NAME")
    yield display or ":".join(row[axis] for axis in _AXES if row.get(axis))
    for key in ("LONG_COMMON_NAME", "SHORTNAME", "COMPONENT"):
        if row.get(key):
            yield row[key]
    yield from _listed(row.get("RELATEDNAMES2", ""))


def _listed(text: str) -> list[str]:
    parts = (part.strip() for part in re.split(r"[;；]", text))
    return [part for part in parts if part][:RELATED]


def _ordered(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))
