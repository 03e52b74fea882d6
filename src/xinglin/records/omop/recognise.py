"""Which table of OMOP CDM 5.4 some columns are, and its mapping, fitted to the columns that are there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files

from msgspec.structs import replace

from xinglin.records.tabular.mapping import names_in, parse_mapping
from xinglin.records.tabular.model import Block, Field, Mapping
from xinglin.records.tabular.toml_text import write_toml

NAME = "omop_"
"""Mappings of OMOP tables are called so, and then the table."""
CONCEPT, IGNORED = "concept", "ignored"
_NEEDED: dict[str, tuple[str, ...]] = {
    "visit_detail": ("visit_detail_id", "person_id", "visit_detail_concept_id"),
    "visit_occurrence": ("visit_occurrence_id", "person_id", "visit_concept_id"),
    "condition_occurrence": ("condition_occurrence_id", "person_id", "condition_concept_id"),
    "drug_exposure": ("drug_exposure_id", "person_id", "drug_concept_id"),
    "procedure_occurrence": ("procedure_occurrence_id", "person_id", "procedure_concept_id"),
    "measurement": ("measurement_id", "person_id", "measurement_concept_id"),
    "observation": ("observation_id", "person_id", "observation_concept_id"),
    "device_exposure": ("device_exposure_id", "person_id", "device_concept_id"),
    "specimen": ("specimen_id", "person_id", "specimen_concept_id"),
    "note": ("note_id", "person_id", "note_text"),
    "death": ("person_id", "death_date", "death_type_concept_id"),
    "person": ("person_id", "gender_concept_id", "year_of_birth"),
    "provider": ("provider_id", "specialty_concept_id", "provider_source_value"),
    "care_site": ("care_site_id", "care_site_name", "place_of_service_concept_id"),
    "location": ("location_id", "location_source_value", "state"),
    CONCEPT: ("concept_id", "vocabulary_id", "concept_code", "standard_concept"),
}
"""Columns that tell a table, in the order in which they are looked for."""
_OTHERS = (
    ("observation_period_id", "person_id"),
    ("condition_era_id", "person_id"),
    ("drug_era_id", "person_id"),
    ("dose_era_id", "person_id"),
    ("note_nlp_id", "note_id"),
    ("payer_plan_period_id", "person_id"),
    ("cost_id", "cost_event_id"),
    ("episode_id", "person_id"),
    ("concept_id_1", "concept_id_2", "relationship_id"),
    ("ancestor_concept_id", "descendant_concept_id"),
    ("vocabulary_id", "vocabulary_name"),
    ("domain_id", "domain_name"),
    ("concept_class_id", "concept_class_name"),
    ("relationship_id", "relationship_name"),
    ("concept_id", "concept_synonym_name"),
    ("drug_concept_id", "ingredient_concept_id"),
    ("cdm_source_name", "cdm_version"),
)
"""Tables of OMOP that make no rows."""


def table_of(columns: Iterable[str]) -> str:
    """The OMOP table of these columns, in any case and order; ``ignored`` for one without rows here, else empty.

    >>> table_of(["PERSON_ID", "GENDER_CONCEPT_ID", "YEAR_OF_BIRTH"]), table_of(["patient_id", "sex"])
    ('person', '')
    """
    present = {name.strip().lower() for name in columns}
    for table, needed in _NEEDED.items():
        if present.issuperset(needed):
            return table
    return IGNORED if any(present.issuperset(needed) for needed in _OTHERS) else ""


@cache
def omop_mapping(table: str) -> Mapping:
    """The shipped mapping of a table. Raises ``KeyError`` for one that has none."""
    if table not in _NEEDED or table == CONCEPT:
        raise KeyError(table)
    return parse_mapping((files(__package__) / "mappings" / f"{table}.toml").read_text("utf-8"))


def mapping_for(columns: Sequence[str]) -> str | None:
    """The mapping's text for a table with these columns; None where they are no table of OMOP that makes rows."""
    table = table_of(columns)
    if table in ("", CONCEPT, IGNORED):
        return None
    words = {"": f"{table.upper()} of OMOP CDM 5.4, recognised by its columns."}
    return write_toml(fitted(omop_mapping(table), columns), words)


def fitted(mapping: Mapping, columns: Sequence[str]) -> Mapping:
    """The mapping with the names as they are written here, and without fields whose columns are not there."""
    names = {name.strip().lower(): name for name in columns}
    return replace(mapping, table=tuple(_block(block, names) for block in mapping.table))


def _block(block: Block, names: dict[str, str]) -> Block:
    columns = {name: made for name, field in block.columns.items() if (made := _field(field, names)) is not None}
    return replace(block, id=_template(block.id, names), patient=_template(block.patient, names), columns=columns)


def _field(field: Field, names: dict[str, str]) -> Field | None:
    first = tuple(names[name] for name in field.first if name in names)
    words = names.get(field.words, "")
    made = replace(
        field,
        column=names.get(field.column, ""),
        first=first,
        text=_template(field.text, names),
        words=words,
        unit_column=names.get(field.unit_column, ""),
    )
    lacking = (field.column and not made.column) or (field.first and not first) or (field.text and not made.text)
    if lacking and not words:
        return None
    return replace(made, system="", standard=False) if lacking else made


def _template(text: str, names: dict[str, str]) -> str:
    """A template with the names as they are written; empty where one is not there."""
    for name in names_in(text):
        if name not in names:
            return ""
        text = text.replace("{" + name + "}", "{" + names[name] + "}")
    return text
