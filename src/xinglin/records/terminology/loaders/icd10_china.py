"""The Chinese editions of ICD-10 (national clinical 2.0, insurance) from a customer's CSV or Excel file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from xinglin.records.model import Read
from xinglin.records.tabular.model import SourceOptions
from xinglin.records.tabular.sheets import open_sheets
from xinglin.records.terminology.errors import BadVocabulary
from xinglin.records.terminology.icd10 import plain_code, who_code
from xinglin.records.terminology.loaders.files import Files, Told, provenance
from xinglin.records.terminology.model import (
    CodeSystem,
    Concept,
    ConceptMap,
    Equivalence,
    MapElement,
    Provenance,
    VocabularyFile,
)
from xinglin.records.terminology.systems import ICD10, ICD10_CN

INSURANCE = "http://hl7.org/fhir/sid/icd-10-cn-insurance"
"""The system of the insurance edition; the national clinical one is ``ICD10_CN``."""

_COLUMNS = {
    "code": ("编码", "主要编码", "诊断编码", "疾病编码", "诊断代码", "疾病代码", "icd编码", "icd10编码", "code"),
    "name": ("名称", "诊断名称", "疾病名称", "疾病诊断名称", "name"),
    "extra": ("附加码", "附加编码"),
    "insurance_code": ("医保版编码", "医保编码", "医保诊断代码", "医保诊断编码", "医保版诊断编码", "医保版20编码"),
    "insurance_name": ("医保版名称", "医保名称", "医保诊断名称", "医保版诊断名称", "医保版20名称"),
    "clinical_code": (
        "国家临床版20编码",
        "国临版编码",
        "国临版20编码",
        "国家临床版编码",
        "临床版编码",
        "临床版诊断编码",
    ),
    "clinical_name": (
        "国家临床版20名称",
        "国临版名称",
        "国临版20名称",
        "国家临床版名称",
        "临床版名称",
        "临床版诊断名称",
    ),
}
_NOISE = re.compile(r"[\s_.\-:：()（）【】\[\]/]+")
_EXTENSION = re.compile(r"x\d{3}\Z")
_MAP_URL = "urn:xinglin:map:icd-10-cn-insurance"


def load_icd10_china(files: Files, told: Told) -> VocabularyFile:
    """One code system, or both editions and the map between them where the file has columns of both.

    ``told.system`` names the edition of plain columns (default the clinical one). Raises ``BadVocabulary``.
    """
    clinical: dict[str, Concept] = {}
    insurance: dict[str, Concept] = {}
    pairs: list[MapElement] = []
    skipped = 0
    for row in _rows(files):
        one = _concept(row.get("code") or row.get("clinical_code"), row.get("name") or row.get("clinical_name"), row)
        other = _concept(row.get("insurance_code"), row.get("insurance_name"), {})
        skipped += one is None and other is None
        if one is not None:
            clinical.setdefault(one.code, one)
        if other is not None:
            insurance.setdefault(other.code, other)
        if one is not None and other is not None:
            pairs.append(_pair(one, other))
    if not clinical and not insurance:
        raise BadVocabulary("The file has no codes of ICD-10.", remedy="Name its columns 编码 and 名称.")
    licence = told.licence or "National Health Commission / National Healthcare Security Administration of China"
    told_of = provenance(files, told, "customer's file", licence)
    version = told.version or told_of.digest[7:19]
    named = ((told.system or ICD10_CN, "ICD-10 国家临床版", clinical), (INSURANCE, "ICD-10 医保版", insurance))
    systems = tuple(
        (CodeSystem(url, version, name, told_of, True, True, len(held)), tuple(held.values()))
        for url, name, held in named
        if held
    )
    maps = [_upward(url, version, told_of, held) for url, _, held in named if held]
    if pairs:
        maps.append(ConceptMap(_MAP_URL, version, "国家临床版 → 医保版", told_of, tuple(pairs), len(pairs)))
    return VocabularyFile(systems, tuple(maps), (), skipped)


def _rows(files: Files) -> Iterator[dict[str, str | None]]:
    recognised = False
    for name in sorted(files):
        for sheet, chunks in open_sheets(files[name], SourceOptions()):
            for chunk in chunks:
                if isinstance(chunk, Read):
                    raise BadVocabulary("A row of the file cannot be read.", place=sheet)
                columns = _columns(chunk.names)
                if "code" not in columns and "clinical_code" not in columns and "insurance_code" not in columns:
                    continue
                recognised = True
                lists = {kind: chunk.vector(column).to_list(chunk.size) for kind, column in columns.items()}
                for values in zip(*lists.values(), strict=True):
                    yield dict(zip(lists, values, strict=True))
    if not recognised:
        raise BadVocabulary("No sheet has a column of codes.", remedy="Name it 编码, and the names 名称.")


def _columns(names: Sequence[str]) -> dict[str, str]:
    """The columns of each kind; the headings of two editions stand beside each other with their editions' names."""
    found: dict[str, str] = {}
    for name in names:
        plain = _NOISE.sub("", name).casefold().replace("icd10", "", 1) or "code"
        for kind, words in _COLUMNS.items():
            if kind not in found and plain in words:
                found[kind] = name
    return found


def _concept(code: str | None, name: str | None, row: Mapping[str, str | None]) -> Concept | None:
    plain = plain_code(code) if code else ""
    who = who_code(plain) if plain else None
    if who is None:
        return None
    extra = row.get("extra")
    return Concept(
        plain,
        name or "",
        _parents(plain, who.code),
        (("zh-CN", name),) if name else (),
        (("who", who.code), *((("extra", extra),) if extra else ())),
    )


def _parents(code: str, who: str) -> tuple[str, ...]:
    """Every wider code, whether the file has it or not: of a local extension, the WHO's, the category."""
    wider = (_EXTENSION.sub("", code), who, code[:3])
    return tuple(dict.fromkeys(one for one in wider if one != code))


def _pair(one: Concept, other: Concept) -> MapElement:
    """What the file sets side by side is called the same, or is said to be wider or narrower by its length."""
    loss: Equivalence = "equivalent" if one.display == other.display or one.code == other.code else "related"
    return MapElement(one.code, other.code, loss, ICD10_CN, INSURANCE, other.display)


def _upward(url: str, version: str, told_of: Provenance, held: Mapping[str, Concept]) -> ConceptMap:
    elements = []
    for concept in held.values():
        who = who_code(concept.code)
        if who is not None:
            loss: Equivalence = "equivalent" if who.loss == "equivalent" else "wider"
            elements.append(MapElement(concept.code, who.code, loss, url, ICD10))
    label = url.rsplit("/", 1)[-1]
    address = f"urn:xinglin:map:{label}-who"
    return ConceptMap(address, version, f"{label} → ICD-10", told_of, tuple(elements), len(elements))
