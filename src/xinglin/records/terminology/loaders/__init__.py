"""Loaders: pure functions from an owner's files to a vocabulary, by the name of what they read."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import MappingProxyType

import msgspec

from xinglin.records.terminology.errors import BadVocabulary
from xinglin.records.terminology.loaders.files import Files, Told, unpack
from xinglin.records.terminology.model import VocabularyFile

__all__ = ["LOADERS", "Loader", "Told", "load_vocabulary"]

Load = Callable[[Files, Told], VocabularyFile]


class Loader(msgspec.Struct, frozen=True):
    """One kind of vocabulary: where its loader is, which files it wants of an archive, whether it needs any."""

    words: str
    home: str
    wanted: tuple[str, ...] = ()
    needs_files: bool = True

    def function(self) -> Load:
        """The loader itself."""
        module, _, name = self.home.partition(":")
        found: Load = getattr(import_module(f"{__name__}.{module}"), name)
        return found


_RF2 = tuple(f"{name}*.txt" for name in ("sct2_Concept_Snapshot", "sct2_Description_Snapshot"))
_RF2 += ("sct2_Relationship_Snapshot*.txt", "der2_cRefset_LanguageSnapshot*.txt")
_OMOP = ("CONCEPT.csv", "CONCEPT_RELATIONSHIP.csv", "CONCEPT_ANCESTOR.csv", "CONCEPT_SYNONYM.csv", "VOCABULARY.csv")
_LOINC = ("Loinc.csv", "LoincTableCore.csv", "*LinguisticVariant.csv")

LOADERS = MappingProxyType(
    {
        "shipped": Loader("FDI teeth, HL7 tables, FHIR code lists", "shipped:load_shipped", needs_files=False),
        "icd10": Loader("ICD-10 of the WHO, 2019", "icd10_who:load_icd10_who", needs_files=False),
        "icd10-cm": Loader("ICD-10-CM, where its package is", "icd10_who:load_icd10_cm", needs_files=False),
        "icd10-china": Loader("Chinese editions of ICD-10, CSV or Excel", "icd10_china:load_icd10_china"),
        "loinc": Loader("LOINC with linguistic variants", "loinc:load_loinc", _LOINC),
        "snomed": Loader("SNOMED CT, RF2 snapshot", "snomed:load_snomed", _RF2),
        "rxnorm": Loader("RxNorm, RRF", "rxnorm:load_rxnorm", ("RXNCONSO.RRF", "RXNREL.RRF")),
        "omop": Loader("OMOP vocabularies from Athena", "omop:load_omop", _OMOP),
        "atc": Loader("ATC, CSV", "atc:load_atc", ("*.csv",)),
        "fhir": Loader("FHIR CodeSystem, ConceptMap, ValueSet", "fhir:load_fhir", ("*.json",)),
    }
)


def load_vocabulary(kind: str, files: Files, told: Told | None = None) -> VocabularyFile:
    """What the loader of ``kind`` makes of ``files``; archives among them are opened.

    Raises ``BadVocabulary`` (a file that is not what it was said to be), ``BadArchive`` or ``LimitExceeded``.
    """
    loader = LOADERS.get(kind)
    if loader is None:
        raise BadVocabulary(f"There is no loader of that name; known are {', '.join(LOADERS)}.")
    if loader.needs_files and not files:
        raise BadVocabulary(f"'{kind}' needs its files.", remedy="Name the publisher's archive or files.")
    opened: dict[str, bytes] = {}
    for name, body in files.items():
        opened.update(unpack(name, body, loader.wanted))
    found = loader.function()(opened, told or Told())
    if not (any(concepts for _, concepts in found.systems) or found.maps or found.value_sets):
        raise BadVocabulary("There is nothing in the files.", remedy="Give the publisher's archive as it is.")
    return found
