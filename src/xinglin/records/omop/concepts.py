"""Concepts of OMOP to codes of their vocabularies, by the CONCEPT table that came along."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from xinglin.kernel.limits import Limit
from xinglin.records.model import Mapped

SYSTEM = "urn:omop:concept"
SEPARATOR = "\x1f"
"""Stands between a source's word and the concept of it, on the way through the mapping."""
CONCEPTS = Limit("concepts that one database uses", 5_000_000, "concepts")
VOCABULARIES = {
    "LOINC": "http://loinc.org",
    "SNOMED": "http://snomed.info/sct",
    "RxNorm": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "RxNorm Extension": "https://athena.ohdsi.org/rxnorm-extension",
    "ATC": "http://www.whocc.no/atc",
    "CVX": "http://hl7.org/fhir/sid/cvx",
    "NDC": "http://hl7.org/fhir/sid/ndc",
    "ICD10": "http://hl7.org/fhir/sid/icd-10",
    "ICD10CN": "http://hl7.org/fhir/sid/icd-10-cn",
    "ICD10CM": "http://hl7.org/fhir/sid/icd-10-cm",
    "ICD10GM": "http://fhir.de/CodeSystem/bfarm/icd-10-gm",
    "ICD9CM": "http://hl7.org/fhir/sid/icd-9-cm",
    "ICD10PCS": "http://www.cms.gov/Medicare/Coding/ICD10",
    "CPT4": "http://www.ama-assn.org/go/cpt",
    "HCPCS": "http://terminology.hl7.org/CodeSystem/HCPCS-all-codes",
    "UCUM": "http://unitsofmeasure.org",
}
"""URIs of vocabularies, as the OMOP views name them; another's is ``urn:omop:vocabulary:NAME``."""
_PARTS = ("system", "source", "source_system", "source_text", "loss")
UCUM = VOCABULARIES["UCUM"]


class Concept(msgspec.Struct, frozen=True, gc=False):
    """A code, the URI of its system, and its words."""

    code: str
    system: str
    words: str


Concepts = Mapping[str, Concept]


def concept_of(code: str, vocabulary: str, words: str) -> Concept:
    """A row of CONCEPT.

    >>> concept_of("8480-6", "LOINC", "").system
    'http://loinc.org'
    """
    plain = vocabulary.strip()
    return Concept(code, VOCABULARIES.get(plain) or f"urn:omop:vocabulary:{'_'.join(plain.split())}", words)


def told_by_concepts(mapped: Iterable[Mapped], concepts: Concepts) -> tuple[Mapped, ...]:
    """The same rows with codes in place of concepts, and the source's words as its codes."""
    return tuple(_translated(one, concepts) for one in mapped)


def _translated(mapped: Mapped, concepts: Concepts) -> Mapped:
    names = mapped.columns
    groups = [name[:-5] for name in names if name.endswith("_loss")]
    groups += [name[:-12] for name in names if name.endswith("_source_text") and f"{name[:-12]}_loss" not in names]
    if not groups and "value_unit_source" not in names:
        return mapped
    added = tuple(
        column for name in groups for column in (name, *(f"{name}_{part}" for part in _PARTS)) if column not in names
    )
    added += ("value_unit",) if "value_unit_source" in names and "value_unit" not in names else ()
    every = (*names, *added)
    at = {name: number for number, name in enumerate(every)}
    rows = []
    for row in mapped.rows:
        cells = [*row, *([None] * len(added))]
        for name in groups:
            _concept(cells, at, name, concepts)
        if "value_unit_source" in at:
            _unit(cells, at, concepts)
        if mapped.table == "observation" and "value" in groups:
            _plain_value(cells, at)
        rows.append(tuple(cells))
    return Mapped(mapped.table, every, rows, mapped.kinds)


def _concept(cells: list[Any], at: dict[str, int], name: str, concepts: Concepts) -> None:
    """One concept column: the standard code, and the source's word beside it."""
    words, _, own = (cells[at[f"{name}_source_text"]] or "").partition(SEPARATOR)
    number = cells[at[name]]
    found = concepts.get(number) if number else None
    source = concepts.get(own) if own and own != "0" else None
    cells[at[f"{name}_source_text"]] = (
        (source.words if source else "") or words or (found.words if found else "") or None
    )
    cells[at[f"{name}_source"]] = (source.code if source else words) or None
    cells[at[f"{name}_source_system"]] = source.system if source else None
    if found is not None:
        cells[at[name]], cells[at[f"{name}_system"]] = found.code, found.system
        cells[at[f"{name}_loss"]] = "equivalent" if own == number else "related"
    elif number:
        cells[at[f"{name}_system"]], cells[at[f"{name}_loss"]] = SYSTEM, "equivalent"
    else:
        cells[at[f"{name}_loss"]] = "unmapped" if words else None


def _plain_value(cells: list[Any], at: dict[str, int]) -> None:
    """A number's or a text's own words are no coded value, and a number's or a code's no text."""
    number = cells[at["value_number"]] if "value_number" in at else None
    text = cells[at["value_text"]] if "value_text" in at else None
    coded = cells[at["value"]] is not None
    if not coded and (number is not None or cells[at["value_source"]] == text):
        for part in _PARTS:
            cells[at[f"value_{part}"]] = None
    if text is not None and (number is not None or (coded and text == cells[at["value_source"]])):
        cells[at["value_text"]] = None


def _unit(cells: list[Any], at: dict[str, int], concepts: Concepts) -> None:
    words, _, number = (cells[at["value_unit_source"]] or "").partition(SEPARATOR)
    cells[at["value_unit_source"]] = words or None
    found = concepts.get(number)
    if found is not None and found.system == UCUM:
        cells[at["value_unit"]] = found.code
