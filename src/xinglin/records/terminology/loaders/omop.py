"""Vocabularies of OMOP as Athena gives them: CONCEPT, CONCEPT_RELATIONSHIP, CONCEPT_ANCESTOR, CONCEPT_SYNONYM."""

from __future__ import annotations

from types import MappingProxyType
from typing import NamedTuple

from xinglin.records.terminology.loaders.files import Files, Told, one_file, provenance, some_files, table
from xinglin.records.terminology.model import CodeSystem, Concept, ConceptMap, MapElement, Provenance, VocabularyFile
from xinglin.records.terminology.systems import ATC, ICD9_CM, ICD10, ICD10_CM, LOINC, RXNORM, SNOMED, UCUM

WANTED = ("CONCEPT.csv", "CONCEPT_RELATIONSHIP.csv", "CONCEPT_ANCESTOR.csv", "CONCEPT_SYNONYM.csv", "VOCABULARY.csv")
LICENCE = "as each vocabulary's own, by the owner's Athena account"
CHINESE = "4182948"
_HIERARCHICAL = frozenset({"SNOMED", "ATC", "ICD10", "ICD10CM", "ICD9CM", "ICD10CN"})
_URLS = MappingProxyType(
    {
        "SNOMED": SNOMED,
        "LOINC": LOINC,
        "RxNorm": RXNORM,
        "ATC": ATC,
        "ICD10": ICD10,
        "ICD10CM": ICD10_CM,
        "ICD10CN": "http://hl7.org/fhir/sid/icd-10-cn",
        "ICD9CM": ICD9_CM,
        "ICD10PCS": "http://www.cms.gov/Medicare/Coding/ICD10",
        "UCUM": UCUM,
        "CPT4": "http://www.ama-assn.org/go/cpt",
        "HCPCS": "http://terminology.hl7.org/CodeSystem/HCPCS",
        "CVX": "http://hl7.org/fhir/sid/cvx",
        "NDC": "http://hl7.org/fhir/sid/ndc",
        "ICDO3": "http://terminology.hl7.org/CodeSystem/icd-o-3",
    }
)


class _Held(NamedTuple):
    url: str
    code: str
    concept: Concept


def vocabulary_url(name: str) -> str:
    """The URI of a vocabulary of OMOP.

    >>> vocabulary_url("LOINC"), vocabulary_url("Gender")
    ('http://loinc.org', 'https://athena.ohdsi.org/Gender')
    """
    return _URLS.get(name, f"https://athena.ohdsi.org/{name.replace(' ', '_')}")


def load_omop(files: Files, told: Told) -> VocabularyFile:
    """A code system for each vocabulary, and a map of what each code *maps to*.

    A concept keeps its ``omop_concept_id``, ``domain_id`` and ``standard_concept``. Raises ``BadVocabulary``.
    """
    held = _concepts(files)
    parents, names = _parents(files, held), _synonyms(files)
    told_of = provenance(files, told, "OHDSI Athena", LICENCE)
    versions = _versions(files)
    by_system: dict[str, dict[str, Concept]] = {}
    for number, one in held.items():
        again = Concept(
            one.code,
            one.concept.display,
            tuple(parents.get(number, ())),
            tuple(names.get(number, ())),
            one.concept.properties,
            one.concept.inactive,
        )
        by_system.setdefault(one.url, {})[one.code] = again
    systems = []
    for url, concepts in by_system.items():
        name = next(iter(concepts.values())).property("vocabulary_id")
        version = told.version or versions.get(name) or told_of.digest[7:19]
        ladder = any(one.parents for one in concepts.values())
        system = CodeSystem(url, version, name, told_of, ladder, True, len(concepts))
        systems.append((system, tuple(concepts.values())))
    mapped = _maps_to(files, held, told.version or versions.get("None") or told_of.digest[7:19], told_of)
    return VocabularyFile(tuple(systems), (mapped,) if mapped.elements else ())


def _concepts(files: Files) -> dict[str, _Held]:
    name, body = one_file(files, "CONCEPT.csv")
    needed = ("concept_id", "concept_name", "domain_id", "vocabulary_id", "standard_concept", "concept_code")
    found = {}
    for row in table(name, body, needed, "\t", quoted=False):
        properties = (
            ("omop_concept_id", row["concept_id"]),
            ("domain_id", row["domain_id"]),
            ("vocabulary_id", row["vocabulary_id"]),
            ("standard_concept", row["standard_concept"]),
        )
        inactive = bool(row.get("invalid_reason"))
        concept = Concept(row["concept_code"], row["concept_name"], (), (), properties, inactive)
        found[row["concept_id"]] = _Held(vocabulary_url(row["vocabulary_id"]), row["concept_code"], concept)
    return found


def _parents(files: Files, held: dict[str, _Held]) -> dict[str, list[str]]:
    """Ancestors at one level within one vocabulary; further ones follow."""
    found: dict[str, list[str]] = {}
    needed = ("ancestor_concept_id", "descendant_concept_id", "min_levels_of_separation")
    for name, body in some_files(files, "CONCEPT_ANCESTOR.csv"):
        for row in table(name, body, needed, "\t", quoted=False):
            wider, narrower = held.get(row["ancestor_concept_id"]), held.get(row["descendant_concept_id"])
            if row["min_levels_of_separation"] == "1" and wider and narrower and wider.url == narrower.url:
                found.setdefault(row["descendant_concept_id"], []).append(wider.code)
    return found


def _synonyms(files: Files) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for name, body in some_files(files, "CONCEPT_SYNONYM.csv"):
        for row in table(name, body, ("concept_id", "concept_synonym_name"), "\t", quoted=False):
            language = "zh-CN" if row.get("language_concept_id") == CHINESE else "en"
            found.setdefault(row["concept_id"], []).append((language, row["concept_synonym_name"]))
    return found


def _versions(files: Files) -> dict[str, str]:
    found = {}
    for name, body in some_files(files, "VOCABULARY.csv"):
        for row in table(name, body, ("vocabulary_id", "vocabulary_version"), "\t", quoted=False):
            found[row["vocabulary_id"]] = row["vocabulary_version"]
    return found


def _maps_to(files: Files, held: dict[str, _Held], version: str, told_of: Provenance) -> ConceptMap:
    """OMOP does not say whether a target is as wide as its source: *related*, but for a code that maps to itself."""
    elements = []
    needed = ("concept_id_1", "concept_id_2", "relationship_id")
    for name, body in some_files(files, "CONCEPT_RELATIONSHIP.csv"):
        for row in table(name, body, needed, "\t", quoted=False):
            source, target = held.get(row["concept_id_1"]), held.get(row["concept_id_2"])
            if row["relationship_id"] != "Maps to" or row.get("invalid_reason") or not source or not target:
                continue
            if source is not target:
                label = target.concept.display
                elements.append(MapElement(source.code, target.code, "related", source.url, target.url, label))
    return ConceptMap(
        "https://athena.ohdsi.org/maps-to", version, "OMOP Maps to", told_of, tuple(elements), len(elements)
    )
