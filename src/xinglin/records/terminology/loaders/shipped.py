"""What comes with the package: FDI tooth numbers and surfaces, HL7 tables, the code lists of FHIR R4."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from xinglin.kernel.canonical import sha256_digest
from xinglin.records.fhir.definitions import value_set as codes_of
from xinglin.records.fhir.definitions import value_sets
from xinglin.records.terminology.loaders.files import Files, Told
from xinglin.records.terminology.model import CodeSystem, Concept, Include, Provenance, ValueSet, VocabularyFile
from xinglin.records.terminology.systems import FDI
from xinglin.records.v2maps.data import maps

SURFACES = "urn:xinglin:tooth-surface"
_FDI_VERSION = "2016"
_AREAS = {
    "00": ("whole oral cavity", "全口"),
    "01": ("upper jaw", "上颌"),
    "02": ("lower jaw", "下颌"),
    "03": ("upper right sextant", "右上六分区"),
    "04": ("upper anterior sextant", "上前六分区"),
    "05": ("upper left sextant", "左上六分区"),
    "06": ("lower left sextant", "左下六分区"),
    "07": ("lower anterior sextant", "下前六分区"),
    "08": ("lower right sextant", "右下六分区"),
}
_QUADRANTS = (("upper right", "右上"), ("upper left", "左上"), ("lower left", "左下"), ("lower right", "右下"))
_PERMANENT = (
    ("central incisor", "中切牙"),
    ("lateral incisor", "侧切牙"),
    ("canine", "尖牙"),
    ("first premolar", "第一前磨牙"),
    ("second premolar", "第二前磨牙"),
    ("first molar", "第一磨牙"),
    ("second molar", "第二磨牙"),
    ("third molar", "第三磨牙"),
)
_DECIDUOUS = (*_PERMANENT[:3], ("first molar", "第一磨牙"), ("second molar", "第二磨牙"))
_SURFACE_WORDS = (
    ("M", "mesial", "近中面"),
    ("O", "occlusal", "咬合面"),
    ("I", "incisal", "切缘"),
    ("D", "distal", "远中面"),
    ("B", "buccal or vestibular", "颊面"),
    ("L", "lingual or palatal", "舌面"),
)


def load_shipped(files: Files, told: Told) -> VocabularyFile:
    """Everything that needs no owner; ``files`` are not looked at."""
    teeth, surfaces = tuple(_teeth()), tuple(_surface(*words) for words in _SURFACE_WORDS)
    dental = Provenance("ISO 3950 (FDI World Dental Federation notation)", "facts", _digest(teeth + surfaces))
    systems = [
        (CodeSystem(FDI, _FDI_VERSION, "FDI tooth numbers", dental, True, True, len(teeth)), teeth),
        (CodeSystem(SURFACES, "1", "tooth surfaces", dental, False, True, len(surfaces)), surfaces),
    ]
    sets = [
        _choice("urn:xinglin:vs:tooth", "teeth", dental, Include(FDI, "", tuple((t.code, t.display) for t in teeth)))
    ]
    hl7_systems, hl7_sets = _hl7()
    return VocabularyFile((*systems, *hl7_systems), (), (*sets, *hl7_sets))


def _teeth() -> Iterator[Concept]:
    yield Concept("00", _AREAS["00"][0], (), (("zh-CN", _AREAS["00"][1]),))
    for code, (english, chinese) in list(_AREAS.items())[1:]:
        above = "00" if code in ("01", "02") else "01" if code in ("03", "04", "05") else "02"
        yield Concept(code, english, (above,), (("zh-CN", chinese),))
    for kind, first, names in (("", 1, _PERMANENT), ("deciduous ", 5, _DECIDUOUS)):
        for number, (where, place) in enumerate(_QUADRANTS):
            quadrant = f"{first + number}0"
            chinese = f"{place}{'乳牙' if kind else '恒牙'}区"
            yield Concept(quadrant, f"{kind}{where} quadrant", ("01" if number < 2 else "02",), (("zh-CN", chinese),))
            for at, (english, tooth) in enumerate(names, 1):
                label = f"{place}{'乳' if kind else ''}{tooth}"
                yield Concept(f"{first + number}{at}", f"{kind}{where} {english}", (quadrant,), (("zh-CN", label),))


def _surface(code: str, english: str, chinese: str) -> Concept:
    return Concept(code, english, (), (("zh-CN", chinese),))


def _hl7() -> tuple[list[tuple[CodeSystem, tuple[Concept, ...]]], list[ValueSet]]:
    """Codes of the value sets that FHIR binds to, with the words of HL7's tables where those have them."""
    words = {(system, code): text for rows in maps().codes.values() for code, system, text in rows.values()}
    fhir = Provenance("HL7 FHIR 4.0.1", "CC0-1.0")
    tables = Provenance("HL7 v2-to-FHIR concept maps", "Apache-2.0")
    held: dict[str, dict[str, str]] = {}
    sets = []
    for name in value_sets():
        chosen = codes_of(name)
        include = tuple(
            Include(system, "", tuple((code, words.get((system, code), "")) for code in codes))
            for system, codes in chosen.items()
            if system
        )
        if include:
            sets.append(_choice(f"http://hl7.org/fhir/ValueSet/{name}", name, fhir, *include))
        for system, listed in chosen.items():
            if system:
                held.setdefault(system, {}).update({code: words.get((system, code), "") for code in listed})
    for (system, code), text in words.items():
        if system.startswith("http") and code:
            held.setdefault(system, {}).setdefault(code, text)
    systems = []
    for system, codes in sorted(held.items()):
        if "hl7.org" not in system:
            continue  # a few codes of somebody else's system are not that system
        concepts = tuple(Concept(code, text) for code, text in codes.items())
        told = tables if "/v2-" in system else fhir
        label = system.rsplit("/", 1)[-1]
        origin = Provenance(told.source, told.licence, _digest(concepts))
        systems.append((CodeSystem(system, "4.0.1", label, origin, False, True, len(concepts), True), concepts))
    return systems, sets


def _choice(url: str, name: str, told_of: Provenance, *include: Include) -> ValueSet:
    return ValueSet(url, "4.0.1" if "hl7.org" in url else "1", name, told_of, include)


def _digest(concepts: tuple[Concept, ...]) -> str:
    return sha256_digest(orjson.dumps([(one.code, one.display) for one in concepts]))
